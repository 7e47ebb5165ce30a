"""Connections that wait for something, in the order in which they began to, and by where they come from."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Final

_HOUSE: Final = 64
"""Bits of an IPv6 address that tell one customer of a provider from another."""


def origin(transport: asyncio.BaseTransport) -> str:
    """Where a connection comes from: its IPv4 address, or the first 64 bits of its IPv6 address."""
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


class Crowd:
    """Connections that wait for the same thing, such as the rest of a body."""

    def __init__(self) -> None:
        self._by_origin: dict[str, dict[asyncio.BaseTransport, None]] = {}
        self._origins: dict[asyncio.BaseTransport, str] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, transport: asyncio.BaseTransport) -> bool:
        return transport in self._origins

    def add(self, transport: asyncio.BaseTransport, of: str) -> None:
        """Take one in, as the last to come."""
        self._origins[transport] = of
        self._by_origin.setdefault(of, {})[transport] = None

    def drop(self, transport: asyncio.BaseTransport) -> bool:
        """Let one go; False: it was not here."""
        of = self._origins.pop(transport, None)
        if of is None:
            return False
        theirs = self._by_origin[of]
        del theirs[transport]
        if not theirs:
            del self._by_origin[of]
        return True

    def first(self) -> asyncio.BaseTransport | None:
        """The one to do without: the one that has waited longest, of the origin that has most here.

        Where all come by one proxy, that is simply the one that has waited longest.
        """
        theirs = max(self._by_origin.values(), key=len, default=None)
        return next(iter(theirs)) if theirs else None
