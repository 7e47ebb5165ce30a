"""Opens the sockets of the HTTP side. Imports no HTTP, since they are open before it is loaded.

Clients that connect before then wait in the listen backlog until the server is ready.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from callrouter.settings import HttpSettings

BACKLOG: Final = 128
"""Length of the listen backlog."""
ONE_AT_A_TIME: Final = 1
"""The `backlog` passed to asyncio. It is also the number of connections that asyncio accepts in one
turn of the loop. With more than one, a lack of file descriptors multiplies: each failure in a turn
schedules another turn a second later, until the loop does nothing else (CPython 3.11,
`_accept_connection`). One at a time also lets calls and AMI run between two strangers. The socket's
own backlog is set to `BACKLOG` afterwards.
"""


class CannotListen(Exception):  # noqa: N818 - named for what happened
    """The HTTP side cannot be opened; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class ListeningSockets:
    """The open sockets (one for each address of the host), the TLS context and the URL.

    Attributes:
        sockets: they listen already and do not block.
        tls: None: plain HTTP.
        url: with the host as it is configured.
    """

    sockets: tuple[socket.socket, ...]
    tls: ssl.SSLContext | None
    url: str

    def close(self) -> None:
        """Stop listening."""
        for sock in self.sockets:
            sock.close()


async def listen_tcp(http: HttpSettings) -> ListeningSockets:
    """Open the TCP side.

    Raises:
        CannotListen: the address is in use or not ours, or the certificate is unusable.
    """
    tls = tls_context(http)
    place = _place(http)
    sockets: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            http.host, http.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            sockets.append(_open(family, address))
    except (OSError, UnicodeError) as error:
        for sock in sockets:
            sock.close()
        raise CannotListen(_why(place, error)) from error
    return ListeningSockets(tuple(sockets), tls, url(http))


def url(http: HttpSettings) -> str:
    """Return the URL of the TCP side.

    The host is written as configured; an IPv6 address is put in brackets. It is ``https`` only if
    both a certificate and its key are configured.
    """
    secure = http.certificate is not None and http.key is not None
    return f"{'https' if secure else 'http'}://{_place(http)}"


def _place(http: HttpSettings) -> str:
    return f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"


def _open(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Otherwise a restart would have to wait for connections closed up to a minute ago.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has its own socket
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def tls_context(http: HttpSettings) -> ssl.SSLContext | None:
    """Return the TLS context; None if no certificate is configured.

    Raises:
        CannotListen: the certificate or its key is unusable.
    """
    if http.certificate is None or http.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(http.certificate, http.key)
    except (OSError, ssl.SSLError) as error:
        raise CannotListen(
            f"http.tls: {http.certificate} with {http.key} cannot be used ({error.strerror or error})"
        ) from error
    return context


def _why(place: str, error: Exception) -> str:
    what = "set http.listen in callrouter.yaml"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"{place} is in use: {what} or stop what uses it"
        case errno.EACCES:
            return f"{place} is not allowed to this user: {what} to a port above 1023"
        case errno.EADDRNOTAVAIL:
            return f"{place} is not an address of this machine: {what}"
        case _:
            return f"cannot listen on {place} ({getattr(error, 'strerror', None) or error}): {what}"
