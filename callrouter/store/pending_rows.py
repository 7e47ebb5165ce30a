"""Rows that wait to be written, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from callrouter.store.tables import (
    JOURNAL_TABLES,
    STATE_TABLES,
    JournalTable,
    Key,
    RowT,
    StateTable,
    TimedRowT,
)

JournalEntry: TypeAlias = tuple[str, TimedRowT]
"""The unique id of a journal row, by which writing it twice adds it once, and the row."""


@dataclass(slots=True)
class PendingRows:
    """Rows to write. Bounded: one row for each key, and for each journal its `most` latest.

    Attributes:
        states: the latest row of each key; None: delete it.
        entries: journal rows, oldest first.
    """

    states: dict[StateTable[Any], dict[Key, Any]] = field(
        default_factory=lambda: {table: {} for table in STATE_TABLES}
    )
    entries: dict[JournalTable[Any], deque[JournalEntry[Any]]] = field(
        default_factory=lambda: {journal: deque() for journal in JOURNAL_TABLES}
    )

    def __len__(self) -> int:
        return sum(map(len, self.states.values())) + sum(map(len, self.entries.values()))

    def put(self, table: StateTable[RowT], changes: Mapping[Key, RowT | None]) -> None:
        """Add changes. A newer change replaces an older one of the same key."""
        self.states[table].update(changes)

    def add(
        self, journal: JournalTable[TimedRowT], entries: Iterable[JournalEntry[TimedRowT]]
    ) -> list[TimedRowT]:
        """Add journal rows. Returns those that had to be dropped, the oldest ones."""
        waiting = self.entries[journal]
        waiting.extend(entries)
        return [waiting.popleft()[1] for _ in range(len(waiting) - journal.most)]
