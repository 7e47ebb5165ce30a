"""What is to be done later, on whatever clock its owner reads."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]


class Agenda:
    """Actions by time; of two at the same time, the one that was entered first."""

    def __init__(self) -> None:
        self._items: list[tuple[float, int, Action]] = []
        self._count = 0

    def at(self, when: float, action: Action) -> None:
        """Do `action` at `when`."""
        self._count += 1
        heappush(self._items, (when, self._count, action))

    def next(self) -> float | None:
        """When there is something to do; None: nothing is planned."""
        return self._items[0][0] if self._items else None

    def due(self, now: float) -> Action | None:
        """Take out the first action that is due; None: there is none."""
        if not self._items or self._items[0][0] > now:
            return None
        return heappop(self._items)[2]
