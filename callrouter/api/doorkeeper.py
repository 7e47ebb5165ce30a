"""How many connections the HTTP side holds: strangers who open many and say nothing keep nobody out."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import Final, cast

from aiohttp import web

from callrouter.api.problems import Handler
from callrouter.transports import cut

logger = logging.getLogger(__name__)

MOST: Final = 1000
"""Connections at once. Half of the file descriptors at most: the links to PBXes need some too."""
IDLE: Final = 30.0
"""Seconds for a whole head of a request, from the connection or the last answer on."""
HANDSHAKE: Final = 10.0
"""Seconds for TLS to begin."""
_SAY_EVERY: Final = 60.0


def most_connections() -> int:
    """`MOST`, or less where few files may be open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(10, min(MOST, soft // 2))


class Doorkeeper:
    """Makes the protocol of each connection, and shuts out when there are too many.

    Whoever has asked nothing for the longest goes first; an honest client has sent its request within
    milliseconds. If all are being answered, the newcomer goes.

    Args:
        server: makes aiohttp's protocol of a connection.
        most: see `most_connections`.

    Attributes:
        shut_out: connections that had to go.
    """

    def __init__(self, server: Callable[[], asyncio.Protocol], most: int) -> None:
        self.shut_out = 0
        self._server = server
        self._most = most
        self._here: set[asyncio.BaseTransport] = set()
        self._idle: dict[asyncio.BaseTransport, None] = {}
        """In the order in which they came, or had their last answer."""
        self._said = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Visitor(self, self._server())

    def __len__(self) -> int:
        return len(self._here)

    def came(self, transport: asyncio.Transport) -> None:
        """A connection is open."""
        self._here.add(transport)
        self._idle[transport] = None
        if len(self._here) > self._most:
            self._shut_out(next(iter(self._idle)))

    def _shut_out(self, transport: asyncio.BaseTransport) -> None:
        self.shut_out += 1
        self.left(transport)
        cut(transport)
        now = asyncio.get_running_loop().time()
        if now - self._said >= _SAY_EVERY:
            self._said = now
            logger.warning(
                "http: %d connections at once, and more come: those are closed that ask nothing "
                "(%d so far); let a proxy stand in front",
                *(self._most, self.shut_out),
            )

    def left(self, transport: asyncio.BaseTransport) -> None:
        """A connection is closed."""
        self._here.discard(transport)
        self._idle.pop(transport, None)

    def asks(self, transport: asyncio.BaseTransport) -> None:
        """A whole head of a request has come; it is being answered."""
        self._idle.pop(transport, None)

    def answered(self, transport: asyncio.BaseTransport) -> None:
        """The answer is made."""
        if transport in self._here:
            self._idle[transport] = None


class _Visitor(asyncio.Protocol):
    """aiohttp's protocol, with somebody who counts."""

    def __init__(self, keeper: Doorkeeper, inner: asyncio.Protocol) -> None:
        self._keeper, self._inner = keeper, inner
        self._transport: asyncio.Transport | None = None
        # Called for every piece that comes and goes: no hop in between.
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._inner.connection_made(transport)
        self._keeper.came(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._transport is not None:
            self._keeper.left(self._transport)
        self._inner.connection_lost(exc)


KEEPER: Final = web.AppKey("keeper", list[Doorkeeper])
"""The doorkeeper of the TCP side, once that is open."""


@web.middleware
async def seen_by_the_doorkeeper(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the doorkeeper who is being answered."""
    transport = request.transport
    if transport is None:
        return await handler(request)
    for keeper in request.app[KEEPER]:
        keeper.asks(transport)
    try:
        return await handler(request)
    finally:
        for keeper in request.app[KEEPER]:
            keeper.answered(transport)
