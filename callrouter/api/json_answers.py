"""Encodes answers: small ones at once, large ones in slices and once for all who ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.shared_answers import list_answer

SLICE: Final = 50
"""Objects encoded in one batch; between two batches the loop serves calls."""


def encode(view: object) -> bytes:
    """Encode as JSON in UTF-8, strictly.

    A lone surrogate, which UTF-8 cannot hold, becomes a question mark.

    Raises:
        ValueError: a number is infinite or not a number: JSON has neither.
        TypeError: a value is of no JSON type.
    """
    return json.dumps(view, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def answer(view: Mapping[str, object], status: int = 200) -> web.Response:
    """Answer with one object. Use `answer_large` for one that may be large.

    Args:
        view: the object.
        status: the HTTP status.
    """
    return encoded(encode(view), status)


def encoded(body: bytes, status: int = 200) -> web.Response:
    """Answer with JSON that is encoded already.

    Args:
        body: a whole JSON text in UTF-8. It is not checked.
        status: the HTTP status.
    """
    return web.Response(status=status, body=body, content_type="application/json")


async def encode_list(items: Iterable[object]) -> bytes:
    """Encode a list of any length, in slices, so that no caller waits for a client's list.

    `items` is read while the loop serves calls in between, so it must cope with changes of the
    floor.
    """
    parts = []
    for n, view in enumerate(items, 1):
        parts.append(encode(view))
        if n % SLICE == 0:
            await asyncio.sleep(0)
    return b"[" + b",\n".join(parts) + b"]"


async def answer_list(
    request: web.Request, key: Hashable, items: Callable[[], Iterable[object]], most: int
) -> web.Response:
    """Answer with a list of objects, made once for all simultaneous requests for the same list.

    Args:
        request: the request.
        key: identifies the list and what its readers may see of it.
        items: starts building it.
        most: approximate number of objects.
    """
    body = await list_answer(
        request.app, identify(request), key, lambda: encode_list(items()), most // SLICE
    )
    return encoded(body)


async def answer_large(
    request: web.Request, key: Hashable, make: Callable[[], Mapping[str, object]], most: int
) -> web.Response:
    """Answer with one object that may be large: directly while it is small, otherwise like a list.

    Args:
        request: the request.
        key: identifies the object and what its readers may see of it.
        make: builds it.
        most: approximate number of parts it is built from.
    """
    if most <= SLICE:
        return answer(make())

    async def made() -> bytes:
        return encode(make())

    return encoded(await list_answer(request.app, identify(request), key, made, most // SLICE))
