"""The doors at which strangers' bytes come in. Each takes any bytes and must never fail.

Behind each is as much of the real thing as can be had without a telephone system. What is wrong beyond
being refused raises `AssertionError`, or is whatever our code raised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from tests.fuzz import amistream, digits, files, identities, phones, web, webhooks

Knock: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes one input. What it leaves behind has no effect on the next."""


@dataclass(frozen=True, slots=True)
class Door:
    """What usually comes in, and the way in, open as long as it is used."""

    seeds: Sequence[bytes]
    opened: Callable[[], AbstractAsyncContextManager[Knock]]


def _plain(take: Callable[[bytes], None]) -> Callable[[], AbstractAsyncContextManager[Knock]]:
    """A door with nothing to be opened and closed."""

    async def knock(data: bytes) -> None:
        take(data)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Knock]:
        yield knock

    return opened


DOORS = {
    "ami": Door(amistream.SEEDS, _plain(amistream.take)),
    "files": Door(files.SEEDS, _plain(files.take)),
    "http": Door(web.HTTP_SEEDS, web.http),
    "live": Door(web.LIVE_SEEDS, web.live),
    "numbers": Door(digits.SEEDS, _plain(digits.take)),
    "phones": Door(phones.SEEDS, phones.opened),
    "twilio": Door(webhooks.SEEDS, webhooks.opened),
}
"""By the name that `python -m tests.fuzz` knows and that the files of the corpus begin with."""


@asynccontextmanager
async def _identities() -> AsyncIterator[Knock]:
    async with identities.opened() as door:
        yield door.knock


REAL = {"sip": Door(identities.SEEDS, _identities)}
"""Doors with a real Asterisk behind them."""
