"""Connections to the active node. Each carries one request, so none can be left in doubtful state."""

from __future__ import annotations

import contextlib
import socket
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from callrouter.api.problem_json import ApiProblem

CONNECT_WITHIN: Final = 2.0
"""Seconds to connect to the active node. It is on the same network."""
LOST_AFTER_MS: Final = 5_000
"""Milliseconds after which a node that acknowledges nothing counts as lost (TCP_USER_TIMEOUT)."""
_LARGEST_REFUSAL: Final = 64 * 1024


class NotSwitchedError(Exception):
    """The active node answers a WebSocket's handshake with something else.

    Attributes:
        status: of its answer.
        headers: of its answer.
        body: of its answer, at most 64 KiB.
    """

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers
        self.body = body


class NodeLink:
    """Opens connections to the active node. No redirection is followed, no cookie kept.

    Proxies of the environment are not used.
    """

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def http(self) -> aiohttp.ClientSession:
        """Return the client for requests."""
        return self._session(live=False)

    def websockets(self) -> aiohttp.ClientSession:
        """Return the client for WebSockets. It raises `NotSwitchedError`."""
        return self._session(live=True)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, *, live: bool) -> aiohttp.ClientSession:
        if live not in self._sessions:
            self._sessions[live] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_WITHIN),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                raise_for_status=_must_switch if live else False,
            )
        return self._sessions[live]


async def _must_switch(answer: aiohttp.ClientResponse) -> None:
    """Raise unless a handshake has succeeded.

    Raises:
        NotSwitchedError: it has not.
    """
    if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _LARGEST_REFUSAL:
            break
    answer.close()
    raise NotSwitchedError(answer.status, answer.headers, bytes(body[:_LARGEST_REFUSAL]))


def _socket(
    address: tuple[socket.AddressFamily | int, socket.SocketKind | int, int, str, object],
) -> socket.socket:
    """Return a socket that notices within seconds that the other machine is gone."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
        made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    with contextlib.suppress(OSError):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_AFTER_MS)
    return made


def address_of(url: str, target: str) -> URL:
    """Return the address of a request at the active node, with exactly the target that came.

    What is signed or compared there, such as the address of a webhook, must not be written otherwise.

    Args:
        url: of the node, as it is registered.
        target: path and query as they came, beginning with a slash.

    Raises:
        ApiProblem: 400 the target cannot be passed on as it is; 503 the node's address is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ApiProblem(503, "no-active-node", "the active node has registered no usable address")
    detail = (
        "an address such as this is not passed on to the active node; write it in the usual way"
    )
    odd = ApiProblem(400, "odd-address", detail)
    if not target.startswith("/") or not target.isascii():
        raise odd
    try:
        base = URL(f"{parts.scheme}://{parts.netloc}", encoded=True)
        address = URL(f"{parts.scheme}://{parts.netloc}{target}", encoded=True)
    except ValueError as error:
        raise odd from error
    if address.raw_path_qs != target or address.origin() != base.origin() or address.raw_fragment:
        raise odd
    return address
