"""Expensive answers: computed one at a time, and once for all simultaneous requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeAlias, TypeVar

from aiohttp import web

from callrouter.api.access.tokens import ApiCaller
from callrouter.api.problem_json import ApiProblem
from callrouter.model.text import phrase

T = TypeVar("T")
_Key: TypeAlias = tuple[str, str]

PER_SECOND: Final = 100.0
"""Requests per second and token, on average. A list costs one more per slice."""
BURST: Final = 500.0
"""Burst of requests of one token."""
MOST_REST: Final = 3.0
"""Maximum pause between two answers, in seconds."""
_MOST_TOKENS: Final = 1000
"""Tokens whose use is remembered. There are only as many as the configuration has."""


class SharedAnswers(Generic[T]):
    """Computes answers one after the other.

    Requests for the same key share the next answer that has not been started yet. A request that
    arrives while an answer is being computed gets the one after it. So each answer is started after
    its request arrived, and a client always reads its own changes.

    Args:
        rest: after an answer, the next one waits this multiple of the time it took, `MOST_REST` at
            most. So readers get a share of the machine's time but never all of it.
        apart: seconds from one start to the next, on average.
        free: answers made without regard to `apart` after a quiet time.
    """

    def __init__(self, rest: float, apart: float = 0.0, free: int = 1) -> None:
        self._rest = rest
        self._apart = apart
        self._slack = (free - 1) * apart
        self._due = 0.0
        """When the next answer would start if all were `apart` (the generic cell rate algorithm)."""
        self._gate = asyncio.Lock()
        self._next: dict[Hashable, asyncio.Task[T]] = {}
        self._all: set[asyncio.Task[T]] = set()
        self._not_before = 0.0

    @property
    def waiting(self) -> int:
        """How many different answers wait to be started."""
        return len(self._next)

    def is_coming(self, key: Hashable) -> bool:
        """Return whether an answer for this key is waiting to be started.

        If so, a further request shares it and is not charged for it.
        """
        return key in self._next

    async def answer(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Compute an answer, or share the one waiting to be started.

        Args:
            key: identifies the answer; all callers with the same key must be allowed to see the
                same.
            make: computes it.

        Raises:
            Exception: raised by `make`.
        """
        # A client that disconnects must not cancel the answer for the others.
        return await asyncio.shield(self.begin(key, make))

    def begin(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Return the task of an answer, which must not be cancelled; the arguments are those of `answer`."""
        task = self._next.get(key)
        if task is None:
            loop = asyncio.get_running_loop()
            task = self._next[key] = loop.create_task(self._make(key, make), name="an answer")
            self._all.add(task)  # asyncio keeps only a weak reference
            task.add_done_callback(self._made)
        return task

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        async with self._gate:
            earliest = max(self._not_before, self._due - self._slack)
            if (pause := earliest - loop.time()) > 0:
                await asyncio.sleep(pause)
            # From here on a request for this key starts a new answer: this one may miss what that
            # client has just changed.
            del self._next[key]
            began = loop.time()
            self._due = max(self._due, began) + self._apart
            try:
                return await make()
            finally:
                now = loop.time()
                self._not_before = now + min(MOST_REST, (now - began) * self._rest)

    def _made(self, task: asyncio.Task[T]) -> None:
        self._all.discard(task)
        if not task.cancelled():
            # Waiting requests get the error themselves. Reading it here keeps asyncio quiet if none
            # is left.
            task.exception()


def _key(caller: ApiCaller) -> _Key:
    """Return a key that keeps a local user and a token of the same name apart."""
    return (caller.user, caller.name)


class RateLimits:
    """Rate limit of each token, and of each user at the socket, over all their connections.

    A burst of `BURST` requests, refilled by `PER_SECOND`. A caller that `charge` has put below zero
    waits for longer. Callers with `unlimited` are not counted.
    """

    def __init__(self) -> None:
        self._left: dict[_Key, tuple[float, float]] = {}
        """What is left of the burst, and the time of that figure."""

    def take(self, caller: ApiCaller, cost: float = 1.0) -> None:
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
            detail = phrase(
                "asks-too-often",
                "'{name}' asks more than {most} times a second; try again in "
                "{wait} s, or watch /api/live",
                name=caller.name,
                most=f"{PER_SECOND:.0f}",
                wait=wait,
            )
            raise ApiProblem(429, "too-many-requests", detail, {"Retry-After": str(wait)})
        self._left[_key(caller)] = (left - cost, now)

    def charge(self, caller: ApiCaller, cost: float) -> None:
        """Charge the cost of an answer beyond its request. The next requests pay for it.

        Args:
            caller: who asked.
            cost: in requests.
        """
        if not caller.unlimited:
            now = asyncio.get_running_loop().time()
            self._left[_key(caller)] = (self._now(_key(caller), now) - cost, now)

    def _now(self, key: _Key, now: float) -> float:
        if key not in self._left and len(self._left) >= _MOST_TOKENS:
            self._left.clear()
        left, at = self._left.get(key, (BURST, now))
        return min(BURST, left + (now - at) * PER_SECOND)


RATES: Final = web.AppKey("rates", RateLimits)
LISTS: Final = web.AppKey("lists", SharedAnswers[bytes])
"""Lists and explanations, computed on the loop in slices."""


async def list_answer(
    app: web.Application,
    caller: ApiCaller,
    key: Hashable,
    make: Callable[[], Awaitable[bytes]],
    cost: int,
) -> bytes:
    """Compute a large answer of `LISTS`, or share the one that is waiting to be started.

    The caller whose request starts it pays for it; those who share it do not.

    Args:
        app: the HTTP application.
        caller: who asks.
        key: identifies the answer; see `SharedAnswers.answer`.
        make: computes it.
        cost: what it costs, in requests.

    Raises:
        Exception: raised by `make`.
    """
    lists = app[LISTS]
    if not lists.is_coming(key):
        app[RATES].charge(caller, cost)
    return await lists.answer(key, make)


REPORTS: Final = web.AppKey("reports", SharedAnswers[bytes])
"""Reports, read and made in a thread."""
REPORTS_REST: Final = 0.5
MOST_REPORTS: Final = 20
"""Different reports that wait to be made."""
FILES: Final = web.AppKey("files", SharedAnswers[bytes])
"""Answers read from the configuration files, in a thread."""
LISTS_REST: Final = 3.0
FILES_REST: Final = 9.0
"""See `SharedAnswers`: a client that asks for lists all the time gets a quarter of the loop, and one
that reads the files all the time a tenth of a thread. Large answers get a little more.
"""
FILES_APART: Final = 1.0
FILES_FREE: Final = 5
"""Reading the files costs as much as several calls, so after five answers it is done once a second.
People ask far less often.
"""
EDITS: Final = web.AppKey("edits", SharedAnswers[bytes])
"""Answers about texts of configuration files that people edit, in a thread."""
EDITS_REST: Final = 0.5
"""While a person types, each answer is needed soon."""
MOST_EDITS_WAITING: Final = 20
"""Different answers of `EDITS` that wait to be made."""
