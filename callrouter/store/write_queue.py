"""The bounded queue of rows to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from callrouter.store.tables import JOURNALS, KEPT, Journal, Kept, Key


@dataclass(slots=True)
class Lost:
    """How many rows of a journal were dropped, and their first and last time."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self, at: float) -> None:
        """Count one more dropped row, of time `at`."""
        self.first = min(self.first, at) if self.count else at
        self.last = max(self.last, at) if self.count else at
        self.count += 1


@dataclass(slots=True)
class Outbox:
    """The latest row of each key (None: delete it), and journal rows with their `entry`."""

    kept: dict[Kept, dict[Key, Any]] = field(default_factory=lambda: {kind: {} for kind in KEPT})
    added: dict[Journal, deque[tuple[str, Any]]] = field(
        default_factory=lambda: {journal: deque() for journal in JOURNALS}
    )

    def __len__(self) -> int:
        return sum(map(len, self.kept.values())) + sum(map(len, self.added.values()))

    def put(self, kind: Kept, changes: Mapping[Key, Any]) -> None:
        """Queue changes. A newer change replaces the queued one."""
        self.kept[kind].update(changes)

    def add(self, journal: Journal, rows: Iterable[tuple[str, Any]], lost: Lost) -> None:
        """Queue journal rows. If there are too many, the oldest are dropped."""
        waiting = self.added[journal]
        waiting.extend(rows)
        while len(waiting) > journal.most:
            lost.add(waiting.popleft()[1].at)
