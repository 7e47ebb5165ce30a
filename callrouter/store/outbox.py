"""What waits to be written, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from callrouter.store.kinds import JOURNALS, KEPT, Journal, Kept, Key


@dataclass(slots=True)
class Lost:
    """How many rows of a journal were given up, and from when to when they were."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self, at: float) -> None:
        """One more, of the moment `at`."""
        self.first = min(self.first, at) if self.count else at
        self.last = max(self.last, at) if self.count else at
        self.count += 1


@dataclass(slots=True)
class Outbox:
    """The latest row of each key (None: forget it), and the rows of journals with what names each."""

    kept: dict[Kept, dict[Key, Any]] = field(default_factory=lambda: {kind: {} for kind in KEPT})
    added: dict[Journal, deque[tuple[str, Any]]] = field(
        default_factory=lambda: {journal: deque() for journal in JOURNALS}
    )

    def __len__(self) -> int:
        return sum(map(len, self.kept.values())) + sum(map(len, self.added.values()))

    def put(self, kind: Kept, changes: Mapping[Key, Any]) -> None:
        """Take what changed; it replaces what waited."""
        self.kept[kind].update(changes)

    def add(self, journal: Journal, rows: Iterable[tuple[str, Any]], lost: Lost) -> None:
        """Add rows to a journal; the oldest are given up when there are too many."""
        waiting = self.added[journal]
        waiting.extend(rows)
        while len(waiting) > journal.most:
            lost.add(waiting.popleft()[1].at)
