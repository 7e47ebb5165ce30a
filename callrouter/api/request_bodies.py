"""Reads request bodies: JSON objects with known fields only, as the types of `schemas.bodies`.

They are small and strict: 64 KiB, texts of one line and `LONGEST_TEXT` characters, no conversion of
types. So a mistake in a script is refused and not ignored.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from callrouter.api.problem_json import ApiProblem
from callrouter.http_keys import BODY

LONGEST_TEXT: Final = 200
BODY_WITHIN: Final = 20.0
"""Seconds allowed for a body of at most 64 KiB to arrive."""

_WANTED: Final[Mapping[str, str]] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
}
"""Pydantic's names for a value of the wrong type, and what the field must be."""

T = TypeVar("T")


async def read_body(
    request: web.Request, body: type[T], *, within: float | None = None, most: int = 0
) -> T:
    """Return the body of a request. An empty one counts as an object without fields.

    Args:
        request: the request. Its `Content-Type` is ignored: `curl -d` sends a wrong one.
        body: the type of the body, one of `callrouter.api.schemas.bodies`.
        within: seconds allowed for it to arrive; None: `BODY_WITHIN`.
        most: its most bytes, and its length must be given then; 0: as many as the application takes.

    Raises:
        ApiProblem: 400 not JSON, 408 too slow, 411 no length, 413 too large, 415 compressed, 422
            wrong fields or types.
        ConnectionResetError: the client closed the connection before its body was read.
    """
    raw = await read_bytes(request, BODY_WITHIN if within is None else within, most)
    checked: Any = _checked(_parsed(raw) if raw.strip() else {}, body)
    request[BODY] = checked
    found: T = checked
    return found


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiProblem(400, "not-json", "the body is not JSON text in UTF-8") from error
    if not isinstance(found, dict):
        raise ApiProblem(422, "wrong-body", "the body must be a JSON object")
    return found


async def read_bytes(request: web.Request, within: float, most: int) -> bytes:
    """Return the body of a request as it came; see `read_body` for the arguments and the errors."""
    if request.headers.getall("Content-Encoding", ()):
        raise ApiProblem(415, "encoded-body", "send the body as it is, not compressed")
    if most and request.content_length is None and request.can_read_body:
        raise ApiProblem(411, "no-length", "say the body's length in Content-Length")
    largest = most or request.client_max_size
    if request.content_length is not None and request.content_length > largest:
        raise ApiProblem(413, "too-large", f"the body is larger than {_size(largest)}")
    try:
        async with asyncio.timeout(within):
            return await request.read()
    except TimeoutError as error:
        detail = f"the body did not come within {within:.0f} s"
        raise ApiProblem(408, "too-slow", detail, {"Connection": "close"}) from error
    except RuntimeError as error:  # aiohttp raises this if the connection is already closed
        raise ConnectionResetError("closed before its body was read") from error


def _size(count: int) -> str:
    return f"{count // 1024**2} MiB" if count >= 1024**2 else f"{count // 1024} KiB"


def _checked(found: dict[str, Any], body: Any) -> Any:
    """Return the fields of a request as the type of its body.

    Raises:
        ApiProblem: 422, for the first wrong field in the order of the request.
    """
    wrong: dict[str, str] = {}
    checked = None
    try:
        checked = _adapter(body).validate_python(found)
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one["type"] for one in error.errors(include_url=False)}
    for name, value in found.items():
        kind = wrong.get(name, "")
        if kind == "extra_forbidden":
            raise unknown_field(name, body)
        if kind in _WANTED:
            raise ApiProblem(422, "wrong-type", f"'{name}' must be {_WANTED[kind]}")
        # A lone surrogate, which pydantic refuses by a kind of its own, is not printable.
        if isinstance(value, str) and (len(value) > LONGEST_TEXT or not value.isprintable()):
            detail = f"'{name}' must be one line of {LONGEST_TEXT} characters at most"
            raise ApiProblem(422, "wrong-text", detail)
    if checked is None:
        raise ApiProblem(422, "wrong-body", "a field of the body has another type")
    return checked


def unknown_field(name: str, body: Any) -> ApiProblem:
    """Return the answer to a field that a type of bodies does not have."""
    known = ", ".join(body.__annotations__) or "none"
    detail = f"unknown field '{name[:80]}'; the fields here: {known}"
    return ApiProblem(422, "unknown-field", detail)


@functools.cache
def _adapter(body: Any) -> TypeAdapter[Any]:
    return TypeAdapter(body)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
