"""Parses request bodies: JSON objects with known fields only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from callrouter.api.problem_json import ApiProblem

_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}
LONGEST_TEXT = 200
BODY_WITHIN = 20.0
"""Seconds allowed for a body of at most 64 KiB to arrive."""


async def read_object(request: web.Request, fields: Mapping[str, type]) -> dict[str, Any]:
    """Return the request's body. An empty one counts as an object without fields.

    Args:
        request: the request. Its `Content-Type` is ignored: `curl -d` sends a wrong one.
        fields: the allowed fields with their types; `object`: the route checks the type itself.

    Raises:
        ApiProblem: 400 not JSON, 408 too slow, 413 too large, 415 compressed, 422 wrong fields or
            types.
    """
    if request.headers.getall("Content-Encoding", ()):
        raise ApiProblem(415, "encoded-body", "send the body as it is, not compressed")
    if request.content_length is not None and request.content_length > request.client_max_size:
        raise ApiProblem(413, "too-large", "the body is larger than 64 KiB")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            raw = await request.read()
    except TimeoutError as error:
        detail = f"the body did not come within {BODY_WITHIN:.0f} s"
        raise ApiProblem(408, "too-slow", detail, {"Connection": "close"}) from error
    except RuntimeError as error:  # aiohttp raises this if the connection is already closed
        raise ConnectionResetError("closed before its body was read") from error
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiProblem(400, "not-json", "the body is not JSON text in UTF-8") from error
    if not isinstance(body, dict):
        raise ApiProblem(422, "wrong-body", "the body must be a JSON object")
    for name, value in body.items():
        _check(name, value, fields)
    return body


def _check(name: str, value: object, fields: Mapping[str, type]) -> None:
    if name not in fields:
        known = ", ".join(fields) or "none"
        detail = f"unknown field '{name[:80]}'; the fields here: {known}"
        raise ApiProblem(422, "unknown-field", detail)
    if (
        fields[name] is not object and type(value) is not fields[name]
    ):  # True is an int in Python, but not a priority
        raise ApiProblem(422, "wrong-type", f"'{name}' must be {_WORDS[fields[name]]}")
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or not value.isprintable()):
        detail = f"'{name}' must be one line of {LONGEST_TEXT} characters at most"
        raise ApiProblem(422, "wrong-text", detail)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
