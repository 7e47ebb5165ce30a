"""Connections that wait for something, ordered by how long they wait and grouped by origin."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Final

_HOUSE: Final = 64
"""Prefix length of an IPv6 address that identifies one customer of a provider."""


def client_origin(transport: asyncio.BaseTransport) -> str:
    """Return the origin of a connection: its IPv4 address, or the /64 of its IPv6 address."""
    name = transport.get_extra_info("peername")
    host = str(name[0]) if isinstance(name, tuple | list) and name else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return (int(address) >> (128 - _HOUSE)).to_bytes(8, "big").hex()


class ConnectionGroup:
    """Connections that wait for the same thing, such as the rest of a body."""

    def __init__(self) -> None:
        self._by_origin: dict[str, dict[asyncio.BaseTransport, None]] = {}
        self._origins: dict[asyncio.BaseTransport, str] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, transport: asyncio.BaseTransport) -> bool:
        return transport in self._origins

    def add(self, transport: asyncio.BaseTransport, of: str) -> None:
        """Add a connection as the newest."""
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
