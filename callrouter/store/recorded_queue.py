"""Rows of the record that wait to be written: the latest of each key, bounded, and what was dropped."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final, TypeAlias

from callrouter.store.tables import Key, Loss, RecordedTable

MOST: Final = 120_000
"""Rows that wait at most: about 100 MB, or some 12,000 calls."""

Recorded: TypeAlias = tuple[RecordedTable[Any], Key, Any]
"""A table, the key of a row, and what the table makes the row's values of."""


class RecordedQueue:
    """What the loop hands to the thread. Unlike rows of state, these are not known once written.

    One lock guards it, held only while dictionaries are updated. A change replaces an older one of the
    same key and goes to the end, so what the thread takes first is what has not changed for longest,
    and so is what is dropped when there is no more room.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[RecordedTable[Any], Key], tuple[Any, float]] = (
            OrderedDict()
        )
        self._losses: dict[RecordedTable[Any], Loss] = {}
        self._dropped = 0
        self._being_written = 0
        self._kept = 0
        """How many of those that wait are never dropped; they do not count for the limit."""

    def __len__(self) -> int:
        """Number of rows that are not written yet."""
        return len(self._waiting) + self._being_written

    @property
    def dropped(self) -> int:
        """Number of rows that were dropped since the start."""
        return self._dropped

    def put(self, changes: Iterable[Recorded], at: float) -> None:
        """Add rows. If there is no room, the oldest are dropped and counted.

        Args:
            changes: the rows.
            at: the time in epoch seconds, by which a loss is described.
        """
        with self._lock:
            waiting = self._waiting
            for table, key, row in changes:
                place = (table, key)
                if waiting.pop(place, None) is None:
                    self._kept += table.keep
                waiting[place] = (row, at)
            self._make_room()

    def take(self, most: int) -> list[tuple[Recorded, float]]:
        """Take the first rows, `most` at most, each with the time at which it was put.

        Call `written` or `put_back` afterwards.
        """
        with self._lock:
            count = min(most, len(self._waiting))
            taken = [self._waiting.popitem(last=False) for _ in range(count)]
            self._kept -= sum(place[0].keep for place, _ in taken)
            self._being_written = len(taken)
        return [((table, key, row), at) for (table, key), (row, at) in taken]

    def written(self) -> None:
        """The rows taken last are in the database."""
        self._being_written = 0

    def put_back(self, taken: list[tuple[Recorded, float]]) -> None:
        """Put rows back that could not be written, before the others. A newer row of a key stays."""
        with self._lock:
            for (table, key, row), at in reversed(taken):
                place = (table, key)
                if place not in self._waiting:
                    self._waiting[place] = (row, at)
                    self._waiting.move_to_end(place, last=False)
                    self._kept += table.keep
            self._being_written = 0
            self._make_room()

    def take_losses(self) -> dict[RecordedTable[Any], Loss]:
        """Return what each table has lost since the last call; those that lost nothing are not in it."""
        with self._lock:
            losses, self._losses = self._losses, {}
        return losses

    def _make_room(self) -> None:
        too_many = len(self._waiting) - self._kept - self._most
        if too_many <= 0:
            return
        # Those that say what is missing are few and stay.
        drop = list(islice((place for place in self._waiting if not place[0].keep), too_many))
        for place in drop:
            _, at = self._waiting.pop(place)
            self._losses.setdefault(place[0], Loss()).add(at)
            self._dropped += 1
