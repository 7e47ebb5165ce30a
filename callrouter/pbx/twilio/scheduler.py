"""Schedules actions, on whatever clock the owner reads."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]


class Scheduler:
    """Actions in order of time. Actions for the same time run in order of insertion."""

    def __init__(self) -> None:
        self._items: list[tuple[float, int, Action]] = []
        self._count = 0

    def at(self, when: float, action: Action) -> None:
        """Schedule `action` for `when`."""
        self._count += 1
        heappush(self._items, (when, self._count, action))

    def next(self) -> float | None:
        """The time of the next action; None if nothing is scheduled."""
        return self._items[0][0] if self._items else None

    def due(self, now: float) -> Action | None:
        """Remove and return the first action that is due; None if there is none."""
        if not self._items or self._items[0][0] > now:
            return None
        return heappop(self._items)[2]
