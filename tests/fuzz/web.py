"""What comes in at the HTTP port, and over a live view once it is open."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tests.api.served import Served
from tests.api.world import World
from tests.fuzz.quiet import quiet

WITHIN = 20.0
"""Seconds for an answer: a machine may be busy, and what never answers takes longer."""


async def exchanged(data: bytes, port: int) -> bytes:
    """Send bytes in pieces, and take what comes back until the other side has closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    rng, answer = random.Random(len(data)), bytearray()
    try:
        async with asyncio.timeout(WITHIN):
            while data:
                size = rng.choice((1, 7, 100, len(data)))
                writer.write(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
            writer.write_eof()
            while piece := await reader.read(65536):
                answer += piece
    except OSError:  # closed on us: a door may do that
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return bytes(answer)


@asynccontextmanager
async def http() -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Always an answer or a closed door, never a fault of ours."""
    world = World()
    world.in_step()

    async def knock(data: bytes) -> None:
        with quiet(logging.ERROR):
            answer = await exchanged(data, server.port or 0)
        assert not re.search(rb"HTTP/1\.[01] 5\d\d ", answer), answer[:200]
        world.runtime.router.floor.agents["bob"].devices_off.clear()

    async with Served(world.app) as server:
        yield knock
    assert world.runtime.faults == 0
    world.close()


@asynccontextmanager
async def live() -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Somebody with a token sends more than a live view is told: it ends, or goes on, and leaves nothing."""
    world = World()
    world.in_step()

    async def knock(data: bytes) -> None:
        with quiet(logging.ERROR):
            answer = await exchanged(_HANDSHAKE + data, server.port or 0)
            async with asyncio.timeout(WITHIN):
                while world.watchers.clients:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0)
        assert answer.startswith(b"HTTP/1.1 101 ") or not answer, answer[:200]

    async with Served(world.app) as server:
        yield knock
    assert world.runtime.faults == 0
    world.close()


_HANDSHAKE = (
    b"GET /api/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


def frame(first: int, body: bytes) -> bytes:
    """A frame of a client (RFC 6455, 5.2), masked with zeros."""
    size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
    return bytes([first]) + size + bytes(4) + body


LIVE_SEEDS = [
    frame(0x81, b'{"type":"hello"}'),
    frame(0x01, b"a part") + frame(0x80, b", and the rest"),
    frame(0x89, b"ping"),
    frame(0x8A, b"pong"),
    frame(0x82, bytes(range(200))),
    frame(0x88, (1000).to_bytes(2, "big") + b"bye"),
    b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4) + b"x",
    b"\xc1\x85" + bytes(4) + b"\x4a\x4c\x4a\x04\x00",
]
HTTP_SEEDS = [
    b"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n\r\n",
    b"GET /api/calls?limit=5 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n\r\n",
    (
        b"POST /api/agents/ann/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
        b'Content-Length: 18\r\n\r\n{"reason":"lunch"}'
    ),
    (
        b"POST /api/calls/c1/move HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
        b'Transfer-Encoding: chunked\r\n\r\n10\r\n{"queue":"sales"\r\n1\r\n}\r\n0\r\n\r\n'
    ),
    (
        b"GET /api/agents/%2e%2e%00/why-not HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer supervisor-token-1\r\n\r\n"
    ),
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x/healthz?strict HTTP/1.1\r\nHost: y\r\nExpect: 100-continue\r\n\r\n",
    (
        b"GET /api/live HTTP/1.1\r\nHost: calls.example.com\r\nOrigin: https://calls.example.com\r\n"
        b"Authorization: Bearer supervisor-token-1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    ),
    (
        b"POST /api/agents/bob/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
        b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00garbage!"
    ),
    b"POST /api/config/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\nContent-Length: 9\r\n\r\n{",
    (
        b"GET /api/config/diff?folder=/a%00b HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer admin-token-123456\r\n\r\n"
    ),
    (
        b"POST /api/agents/alice/devices HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer admin-token-123456\r\nContent-Length: 26\r\n\r\n"
        b'{"number":"+447400123456"}'
    ),
    (
        b"PATCH /api/agents/alice/devices/desk HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer admin-token-123456\r\nContent-Length: 12\r\n\r\n"
        b'{"on": false}'
    ),
    (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer agent-token-123456\r\n\r\n"
        b"GET /api/calls/last/why HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer agent-token-123456\r\n\r\n"
    ),
]
