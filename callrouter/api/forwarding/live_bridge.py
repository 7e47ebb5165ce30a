"""Passes the messages of a WebSocket on, both ways. Neither side is read faster than the other takes it."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from callrouter.transports import cut

HEARTBEAT: Final = 20.0
"""Seconds between two pings to each side."""
MOST_OF_MESSAGE: Final = 64 * 1024 * 1024
"""Largest message of the active node: the state of ten thousand agents has a tenth of it."""
MOST_OF_CLIENT: Final = 4096
"""Largest message of a client, as in `callrouter.api.live`."""
CLOSE_WITHIN: Final = 2.0
"""Seconds for a side to confirm the close."""
BEGUN: Final = web.RequestKey("answer-begun", bool)
"""Set once the head of an answer is passed back, so that no other can follow."""
_LOST: Final[tuple[int, bytes]] = (
    WSCloseCode.GOING_AWAY,
    b"the active node is gone; connect again",
)


def wants_websocket(request: web.Request) -> bool:
    """Return whether a request is a handshake that we could answer (RFC 6455, 4.2.1).

    Any other is passed on as a request, and the active node says what is wrong with it.
    """
    asked = (request.headers.get(name, "") for name in ("Upgrade", "Sec-WebSocket-Key"))
    if not all(value.isascii() for value in asked):
        return False
    try:
        return web.WebSocketResponse().can_prepare(request).ok
    except ValueError:
        return False


async def bridge(
    request: web.Request, upstream: aiohttp.ClientWebSocketResponse[bool]
) -> web.StreamResponse:
    """Answer a handshake, and pass messages on until a side closes. Then the other is closed alike.

    Args:
        request: the handshake of the client.
        upstream: the connection to the active node, which is open.
    """
    client = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=MOST_OF_CLIENT, timeout=CLOSE_WITHIN
    )
    request[BEGUN] = True
    await client.prepare(request)
    code, why = _LOST
    try:
        async with asyncio.TaskGroup() as group:
            down = group.create_task(_pass(upstream, client), name="live, to the client")
            up = group.create_task(_pass(client, upstream), name="live, to the active node")
            down.add_done_callback(lambda _: up.cancel())
            up.add_done_callback(lambda _: down.cancel())
        if not down.cancelled():
            code, why = down.result()
    except* ConnectionError:
        pass  # a side is gone without a close
    finally:
        await _close(request, client, code, why)
    return client


async def _pass(
    source: aiohttp.ClientWebSocketResponse[bool] | web.WebSocketResponse,
    target: aiohttp.ClientWebSocketResponse[bool] | web.WebSocketResponse,
) -> tuple[int, bytes]:
    """Pass messages on until the source closes. Returns code and reason of that."""
    while True:
        message = await source.receive()
        match message.type:
            case WSMsgType.TEXT:
                await target.send_str(message.data)
            case WSMsgType.BINARY:
                await target.send_bytes(message.data)
            case WSMsgType.CLOSE:
                return message.data or WSCloseCode.OK, (message.extra or "").encode()
            case _:
                return _LOST


async def _close(
    request: web.Request, client: web.WebSocketResponse, code: int, why: bytes
) -> None:
    """Close, and cut the connection if the client does not read even that."""
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await client.close(code=code, message=why)
    except (TimeoutError, ConnectionError):
        cut(request.transport)
