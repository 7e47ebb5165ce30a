"""Delays addresses that send wrong tokens. Requests with a valid token never wait.

A token has 128 bits, so guessing is hopeless at any speed. The point is to limit the load and to
log the attempts.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE: Final = 10
"""Wrong tokens from one address answered at once, within `FORGOTTEN_AFTER`."""
PAUSE: Final = 1.0
"""Seconds of delay for each answer after that."""
MOST_OF_ONE: Final = 4
"""Delayed requests of one address at a time: with `PAUSE`, 4 attempts per second."""
FORGOTTEN_AFTER: Final = 60.0
"""Seconds without a wrong token after which an address starts afresh."""
MOST_PAUSED: Final = 50
"""Delayed requests at a time. Each occupies a connection, so any more get 429 at once."""
MOST_ADDRESSES: Final = 5_000
"""Addresses remembered. The one quiet for the longest is forgotten first."""


@dataclass(slots=True)
class _Tries:
    count: int
    last: float
    paused: int = 0


class WrongTokens:
    """Remembers the addresses that recently used wrong tokens.

    Attributes:
        slowed: requests that were delayed or answered 429.
    """

    def __init__(self) -> None:
        self.slowed = 0
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._paused = 0

    async def refused(self, remote: str | None) -> bool:
        """Note a wrong token from an address, and wait if there were too many.

        Returns:
            Whether to answer 429, since too many requests are waiting already.
        """
        loop = asyncio.get_running_loop()
        tries = self._of(_network(remote), loop.time())
        tries.count += 1
        if tries.count <= FREE:
            return False
        self.slowed += 1
        if self._paused >= MOST_PAUSED or tries.paused >= MOST_OF_ONE:
            return True
        self._paused += 1
        tries.paused += 1
        try:
            await asyncio.sleep(PAUSE)
        finally:
            self._paused -= 1
            tries.paused -= 1
        return False

    def _of(self, network: str, now: float) -> _Tries:
        tries = self._tries.get(network)
        if tries is None or now - tries.last > FORGOTTEN_AFTER:
            tries = self._tries[network] = _Tries(0, now)
            if len(self._tries) > MOST_ADDRESSES:
                self._tries.popitem(last=False)
        self._tries.move_to_end(network)
        tries.last = now
        return tries


def _network(remote: str | None) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 one: what one subscriber has (RFC 6177).

    An IPv4 address that is mapped into IPv6 counts as IPv4. What is no address stands for itself;
    None is the empty text.
    """
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return remote or ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
