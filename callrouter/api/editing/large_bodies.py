"""Reads bodies that hold whole configuration files: larger than others, few at a time."""

from __future__ import annotations

import asyncio
import functools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from callrouter.api.access.auth import identify
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_bytes, unknown_field
from callrouter.model.text import phrase

MOST_BYTES: Final = 8 * 1024 * 1024
"""Size limit of such a body. The files of ten thousand agents have two megabytes."""
WITHIN: Final = 60.0
"""Seconds allowed for it to arrive."""
AT_ONCE: Final = 4
"""Bodies that are read at the same time; each may need several times its size."""
EACH_AT_ONCE: Final = 2
"""Of these, those of one person: bodies that come slowly must not keep the others from their files."""
_AT_ONCE_BYTES: Final = 64 * 1024
"""Smaller ones are parsed on the loop."""
_WANTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "missing": "given",
}
"""Pydantic's names for a wrong value, and what the field must be."""

T = TypeVar("T")


class LargeBodies:
    """Counts the large bodies that are being read, each person's apart."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self, person: str) -> Iterator[None]:
        """Hold one of the places while a body of `person` is read.

        Raises:
            ApiProblem: 503, all places are taken; 429, the person has as many as one may have.
        """
        wait = {"Retry-After": "1"}
        if self._of[person] >= EACH_AT_ONCE:
            detail = phrase(
                "own-requests-read",
                "{most} of your requests with files are being read; try again in a second",
                most=EACH_AT_ONCE,
            )
            raise ApiProblem(429, "too-many-requests", detail, wait)
        if self._of.total() >= AT_ONCE:
            detail = phrase(
                "too-many-edit",
                "too many people edit the files at this moment; try again in a second",
            )
            raise ApiProblem(503, "busy", detail, wait)
        self._of[person] += 1
        try:
            yield
        finally:
            self._of[person] -= 1
            if not self._of[person]:
                del self._of[person]


LARGE_BODIES: Final = web.AppKey("large bodies", LargeBodies)


async def read_large_body(request: web.Request, body: type[T]) -> T:
    """Return the body of a request with texts of files. An empty one has no fields.

    Args:
        request: the request. The length of its body must be given.
        body: the type of the body, one of `callrouter.api.schemas.editor_bodies`.

    Raises:
        ApiProblem: those of `read_body`, and those of `LargeBodies.place`.
        ConnectionResetError: the client closed the connection before its body was read.
    """
    caller = identify(request)
    with request.app[LARGE_BODIES].place(f"{caller.role} {caller.name}"):
        whole = request.clone(client_max_size=MOST_BYTES + 1)
        raw = await read_bytes(whole, WITHIN, MOST_BYTES)
        if len(raw) <= _AT_ONCE_BYTES:
            found: T = _parsed(raw, body)
        else:
            found = await asyncio.to_thread(_parsed, raw, body)
    return found


def _parsed(raw: bytes, body: Any) -> Any:
    try:
        found = json.loads(raw.decode("utf-8")) if raw.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ApiProblem(400, "not-json", "the body is not JSON text in UTF-8") from error
    if not isinstance(found, dict):
        raise ApiProblem(422, "wrong-body", "the body must be a JSON object")
    try:
        checked = _adapter(body).validate_python(found)
    except ValidationError as error:
        raise _explained(error, body) from error
    _check_texts(checked)
    return checked


@functools.cache
def _adapter(body: Any) -> TypeAdapter[Any]:
    return TypeAdapter(body)


def _explained(error: ValidationError, body: Any) -> ApiProblem:
    """Return the answer for the first wrong field."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))[:120]
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return unknown_field(where, body)
    if first["type"] == "extra_forbidden":
        return ApiProblem(422, "unknown-field", f"unknown field '{where}'")
    wanted = _WANTED.get(first["type"], "of another type")
    return ApiProblem(422, "wrong-type", f"'{where}' must be {wanted}")


def _check_texts(value: Any, depth: int = 0) -> None:
    """Refuse texts that cannot be written as UTF-8, and values that nest too deeply.

    Raises:
        ApiProblem: 422.
    """
    if depth > 40:
        raise ApiProblem(422, "wrong-body", "the values are nested too deeply")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ApiProblem(422, "wrong-text", "a text holds half of a character") from error
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_texts(key)
            _check_texts(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner, depth + 1)
