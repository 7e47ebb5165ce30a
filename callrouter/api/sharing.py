"""Expensive answers: made one at a time, and once for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeAlias, TypeVar

from aiohttp import web

from callrouter.api.problems import ApiProblem
from callrouter.api.tokens import Caller

T = TypeVar("T")
_Key: TypeAlias = tuple[str, str]

PER_SECOND: Final = 100.0
"""Requests a second of one token, over time. A list counts one more for every slice of it."""
BURST: Final = 500.0
"""Requests of one token at once."""
MOST_REST: Final = 3.0
"""Seconds between two answers at most."""
_MOST_TOKENS: Final = 1000
"""Tokens whose use is remembered; there are as many as the configuration has."""


class Shared(Generic[T]):
    """Makes answers one after the other.

    Those who ask for the same before it is begun get one answer. Those who ask while it is being made
    get the next one, so that what a client has just changed is in what it reads.

    Args:
        rest: after an answer that took so long, the next is begun this many times as long later,
            `MOST_REST` at most. Thus readers take a part of the machine's time, and never all of it.
    """

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._gate = asyncio.Lock()
        self._next: dict[Hashable, asyncio.Task[T]] = {}
        self._all: set[asyncio.Task[T]] = set()
        self._not_before = 0.0

    def is_coming(self, key: Hashable) -> bool:
        """Whether an answer of this key is about to be made."""
        return key in self._next

    async def answer(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Have an answer made, or share the one that is about to be.

        Args:
            key: tells answers apart; who asks with the same key must be allowed to see the same.
            make: makes it.

        Raises:
            Exception: what `make` raised.
        """
        task = self._next.get(key)
        if task is None:
            loop = asyncio.get_running_loop()
            task = self._next[key] = loop.create_task(self._make(key, make), name="an answer")
            self._all.add(task)  # asyncio itself holds none
            task.add_done_callback(self._made)
        return await asyncio.shield(task)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        async with self._gate:
            if (pause := self._not_before - loop.time()) > 0:
                await asyncio.sleep(pause)
            del self._next[key]
            began = loop.time()
            try:
                return await make()
            finally:
                now = loop.time()
                self._not_before = now + min(MOST_REST, (now - began) * self._rest)

    def _made(self, task: asyncio.Task[T]) -> None:
        self._all.discard(task)
        if not task.cancelled():
            task.exception()  # told to those who wait; should none be left, it is no news


def _key(caller: Caller) -> _Key:
    """A user of this machine may be called like a token."""
    return (caller.user, caller.name)


class Rates:
    """How much each token may ask, and each user at the socket, whatever connections they come by."""

    def __init__(self) -> None:
        self._left: dict[_Key, tuple[float, float]] = {}
        """What is left of the burst, and when that was."""

    def take(self, caller: Caller, cost: float = 1.0) -> None:
        """Count a request.

        Raises:
            ApiProblem: 429, with the seconds to wait.
        """
        if caller.unlimited:
            return
        now = asyncio.get_running_loop().time()
        left = self._now(_key(caller), now)
        if left < cost:
            wait = int((cost - left) / PER_SECOND) + 1
            detail = (
                f"'{caller.name}' asks more than {PER_SECOND:.0f} times a second; "
                f"try again in {wait} s, or watch /api/live"
            )
            raise ApiProblem(429, "too-many-requests", detail, {"Retry-After": str(wait)})
        self._left[_key(caller)] = (left - cost, now)

    def charge(self, caller: Caller, cost: float) -> None:
        """Count what an answer cost beyond its request; it is paid for by the next ones."""
        if not caller.unlimited:
            now = asyncio.get_running_loop().time()
            self._left[_key(caller)] = (self._now(_key(caller), now) - cost, now)

    def _now(self, key: _Key, now: float) -> float:
        if key not in self._left and len(self._left) >= _MOST_TOKENS:
            self._left.clear()
        left, at = self._left.get(key, (BURST, now))
        return min(BURST, left + (now - at) * PER_SECOND)


RATES: Final = web.AppKey("rates", Rates)
LISTS: Final = web.AppKey("lists", Shared[bytes])
"""Lists and explanations, which are made on the loop, in slices."""
FILES: Final = web.AppKey("files", Shared[bytes])
"""What is read from the configuration's files, in a thread."""
LISTS_REST: Final = 1.0
FILES_REST: Final = 9.0
"""See `Shared`: who reads the files over and over has a tenth of a thread, or somewhat more of large ones."""
