"""Limits the connections of the HTTP side: idle connections cannot exhaust the limit.

asyncio and aiohttp accept every connection and time out only some. So a stranger could hold all of
them, with no token, by asking nothing. Here each connection is in one of four states: in its TLS
handshake, idle (no request yet), sending a body, or being answered. If there are too many, one of
those that can be spared is cut. No state but the last has a cost for callers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

from aiohttp import web

from callrouter.api.problem_json import Handler
from callrouter.transports import cut

logger = logging.getLogger(__name__)

MOST: Final = 1000
"""Maximum number of connections. At most half of the file descriptors: PBX links need some too."""
IDLE: Final = 30.0
"""Seconds for a complete request head, counted from the connection or the last answer."""
HANDSHAKE: Final = 5.0
"""Seconds for the TLS handshake."""
SHUTDOWN: Final = 2.0
"""Seconds for the peer to confirm the end of TLS."""
MOST_HANDSHAKES: Final = 100
"""Maximum number of connections still in the TLS handshake. Each costs about 80 KiB."""
_SAY_EVERY: Final = 60.0


def most_connections() -> int:
    """Return `MOST`, or less if the limit of open files is low.

    It is half of that limit (the soft one of the process), but at least 10.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(10, min(MOST, soft // 2))


class ConnectionLimiter:
    """Creates the protocol of each connection, and closes one when there are too many.

    What a connection is waiting for decides which one is closed. First come those whose body has
    not arrived (an honest client sends it together with the head), then those without a request,
    then those still in the TLS handshake. Within a group, the origin with the most connections
    loses its oldest one. So a stranger with many connections displaces their own. A connection
    whose request is being answered is never closed; if all are, the new one is.

    Args:
        server: creates aiohttp's protocol for a connection.
        most: see `most_connections`.
        tls: the TLS context; None: plain HTTP.

    Attributes:
        shut_out: number of connections closed.
    """

    def __init__(
        self, server: Callable[[], asyncio.Protocol], most: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self.shut_out = 0
        self._server = server
        self._most = most
        self._tls = tls
        self._here: dict[asyncio.BaseTransport, str] = {}
        """Open connections with their origin."""
        self._bodies = ConnectionGroup()
        self._idle = ConnectionGroup()
        self._handshakes = ConnectionGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = float("-inf")

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection.

        asyncio calls it for each connection that it accepts.
        """
        connection = LimitedConnection(self, self._server())
        return connection if self._tls is None else TlsHandshake(self, self._tls, connection)

    def __len__(self) -> int:
        return len(self._here)

    def opened(self, transport: asyncio.BaseTransport, *, secured: bool = True) -> None:
        """Note a new connection, and cut one if there are too many now. It may be this one.

        Args:
            transport: the connection.
            secured: whether it is past the TLS handshake, or needs none.
        """
        of = self._here[transport] = client_origin(transport)
        (self._idle if secured else self._handshakes).add(transport, of)
        if len(self._handshakes) > MOST_HANDSHAKES:
            self._cut(self._handshakes.first())
        elif len(self._here) > self._most:
            self._cut(
                self._bodies.first() or self._idle.first() or self._handshakes.first() or transport
            )

    def _cut(self, transport: asyncio.BaseTransport | None) -> None:
        if transport is None:
            return
        self.shut_out += 1
        self.closed(transport)
        cut(transport)
        now = asyncio.get_running_loop().time()
        if now - self._said >= _SAY_EVERY:
            self._said = now
            logger.warning(
                "http: %d connections at once, and more come: those are closed that ask nothing "
                "(%d so far); let a proxy stand in front",
                *(self._most, self.shut_out),
            )

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """Note that a connection is closed, or was passed on by its TLS handshake.

        Harmless if the connection is not known any more, since `_cut` notes it before asyncio does.
        """
        self._here.pop(transport, None)
        self._leave_groups(transport)

    def _leave_groups(self, transport: asyncio.BaseTransport) -> None:
        for group in (self._idle, self._bodies, self._handshakes):
            if group.drop(transport):
                return

    def requested(self, transport: asyncio.BaseTransport, *, whole: bool = True) -> None:
        """Note a request head.

        Args:
            transport: the connection it came over.
            whole: whether the body has arrived too, so that the request is being answered.
        """
        self._leave_groups(transport)
        if not whole and transport in self._here:
            self._bodies.add(transport, self._here[transport])

    def body_complete(self, transport: asyncio.BaseTransport) -> None:
        """Note that the rest of a body has arrived.

        From here on the connection is being answered, and cannot be closed.
        """
        self._bodies.drop(transport)

    def answered(self, transport: asyncio.BaseTransport) -> None:
        """Note that the answer is complete.

        The connection is idle now, and the newest of the idle ones. Does nothing if it is closed.
        """
        if transport in self._here:
            self._leave_groups(transport)
            self._idle.add(transport, self._here[transport])

    def spawn(self, handshake: Coroutine[Any, Any, None]) -> None:
        """Run a TLS handshake as a task, kept until it is done: asyncio keeps a weak reference."""
        task = asyncio.get_running_loop().create_task(handshake, name="TLS handshake")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class LimitedConnection(asyncio.Protocol):
    """aiohttp's protocol, which reports to the limiter as well.

    Args:
        limiter: learns when the connection opens and closes.
        inner: aiohttp's protocol. It gets every call, the frequent ones directly.
    """

    def __init__(self, limiter: ConnectionLimiter, inner: asyncio.Protocol) -> None:
        self._limiter, self._inner = limiter, inner
        self._transport: asyncio.Transport | None = None
        # Called for every piece of data: bind aiohttp's methods directly, without a hop.
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        # uvloop's transports do not inherit from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(transport)
        self._limiter.opened(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._transport is not None:
            self._limiter.closed(self._transport)
        self._inner.connection_lost(exc)


class TlsHandshake(asyncio.Protocol):
    """A connection in its TLS handshake; `connection` takes over afterwards.

    asyncio's own TLS server reports a connection only after the handshake, so no limit would apply
    to clients that never complete it.
    """

    def __init__(
        self, limiter: ConnectionLimiter, tls: ssl.SSLContext, connection: LimitedConnection
    ) -> None:
        self._limiter, self._tls, self._connection = limiter, tls, connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        raw = cast("asyncio.Transport", transport)
        self._limiter.opened(raw, secured=False)
        # `opened` may have closed this very connection. Until `start_tls` takes over in its task,
        # reading must pause, or the ClientHello would arrive here and be lost.
        if not raw.is_closing():
            raw.pause_reading()
            self._limiter.spawn(self._begin(raw))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio if the connection ends before the handshake starts."""

    async def _begin(self, raw: asyncio.Transport) -> None:
        early = _Early()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                raw,
                early,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=SHUTDOWN,
            )
        except OSError:  # no TLS, too slow, or gone: all errors of ssl and asyncio are OSErrors
            return
        finally:
            self._limiter.closed(raw)
        if secure is None or early.lost:
            return
        # Data and the end of the stream may have arrived before the protocol was replaced. Pass
        # them on in the order of a normal connection.
        secure.set_protocol(self._connection)
        self._connection.connection_made(secure)
        for piece in early.pieces:
            self._connection.data_received(piece)
        if early.eof:
            self._connection.eof_received()


class _Early(asyncio.Protocol):
    """Keeps data that arrives together with the end of the handshake."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.eof = self.lost = False

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def eof_received(self) -> None:
        self.eof = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


LIMITER: Final = web.AppKey("limiter", list[ConnectionLimiter])
"""The limiter of the TCP side, once that is open."""


@web.middleware
async def report_to_limiter(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the limiter which connections are being answered or still sending a body.

    It is the outermost middleware, so delays of refusals count as part of an answer unless
    `delay_refusals` says otherwise. The limiter does not know the connections of
    the Unix socket and ignores them.
    """
    transport = request.transport
    limiters = request.app[LIMITER]
    if transport is None or not limiters:
        return await handler(request)
    [limiter] = limiters
    whole = not request.body_exists or request.content.is_eof()
    limiter.requested(transport, whole=whole)
    if not whole:
        request.content.on_eof(partial(limiter.body_complete, transport))
    try:
        return await handler(request)
    finally:
        limiter.answered(transport)


# ---------------------------------------------------------------- groups of connections


_HOUSE: Final = 64
"""Prefix length of an IPv6 address that identifies one customer of a provider."""


def client_origin(transport: asyncio.BaseTransport) -> str:
    """Return the origin of a connection: its IPv4 address, or the /64 of its IPv6 address.

    An IPv4 address mapped into IPv6 counts as IPv4. Empty: the address is not
    known.
    """
    name = transport.get_extra_info("peername")
    host = str(name[0]) if isinstance(name, tuple | list) and name else ""
    if ":" not in host:  # IPv4; parsing each would take a good part of an accept
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return (int(address) >> (128 - _HOUSE)).to_bytes(8, "big").hex()


class ConnectionGroup:
    """Connections that wait for the same thing, such as the rest of a body.

    Grouped by origin and ordered by age, so that the one to close is found quickly. A connection is
    in one group at a time.
    """

    def __init__(self) -> None:
        self._by_origin: dict[str, dict[asyncio.BaseTransport, None]] = {}
        self._origins: dict[asyncio.BaseTransport, str] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, transport: asyncio.BaseTransport) -> bool:
        return transport in self._origins

    def add(self, transport: asyncio.BaseTransport, of: str) -> None:
        """Add a connection as the newest.

        Args:
            transport: the connection.
            of: its origin, as `client_origin` names it.
        """
        self._origins[transport] = of
        self._by_origin.setdefault(of, {})[transport] = None

    def drop(self, transport: asyncio.BaseTransport) -> bool:
        """Remove a connection; False: it was not here."""
        of = self._origins.pop(transport, None)
        if of is None:
            return False
        theirs = self._by_origin[of]
        del theirs[transport]
        if not theirs:
            del self._by_origin[of]
        return True

    def first(self) -> asyncio.BaseTransport | None:
        """Return the connection to close first: the oldest one of the origin with the most.

        If all arrive through one proxy, that is simply the oldest one.
        """
        theirs = max(self._by_origin.values(), key=len, default=None)
        return next(iter(theirs)) if theirs else None
