"""Schedules actions on whatever clock the owner reads, for drivers whose logic does no I/O.

The owner asks `next_at`, sleeps as it likes and takes actions out with `pop_due`. Nothing here
reads a clock, so tests can let hours pass at once.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Action: TypeAlias = Callable[[], T]


class Scheduler(Generic[T]):
    """Actions in order of time. Actions for the same time run in order of insertion.

    An action cannot be cancelled. It checks by itself whether it is still wanted, because most of
    them are: a heap from which nothing is taken out of order stays simple.
    """

    def __init__(self) -> None:
        self._actions: list[tuple[float, int, Action[T]]] = []
        self._count = 0

    def at(self, when: float, action: Action[T]) -> None:
        """Schedule `action` for the time `when`, on the owner's clock.

        A time in the past is allowed: the action is then due at once.
        """
        self._count += 1
        heappush(self._actions, (when, self._count, action))

    def next_at(self) -> float | None:
        """The time of the next action; None if nothing is scheduled."""
        return self._actions[0][0] if self._actions else None

    def pop_due(self, now: float) -> tuple[float, Action[T]] | None:
        """Remove and return the first action that is due by `now`, and its time; None if none is.

        The caller runs it. Call this again until it returns None, because an action may schedule
        others.
        """
        if not self._actions or self._actions[0][0] > now:
            return None
        when, _, action = heappop(self._actions)
        return when, action
