"""Counters since the start, for `callrouter.api.metrics`. Does not import Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from callrouter.model.commands import Happened, Note, Record, Told

WAITS: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Upper bounds of the wait histogram in seconds. They include the usual service levels."""

MISTAKES: Final = ("queue", "priority", "agent", "skills", "tag", "entry")
"""Possible mistakes in the data a call arrives with."""


class Waits:
    """Wait histogram of one queue.

    Attributes:
        classes: number of waits up to each bound of `WAITS` and above the previous bound; the last
            entry counts the waits above all bounds.
        seconds: sum of all waits.
    """

    __slots__ = ("classes", "seconds")

    def __init__(self) -> None:
        self.classes = [0] * (len(WAITS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one wait."""
        self.classes[bisect_left(WAITS, seconds)] += 1
        self.seconds += seconds


class Counts:
    """Listens to the runtime and counts.

    Attributes:
        calls: calls entered, by queue.
        ended: calls ended, by queue and outcome.
        offers: offers not accepted, by queue and reason.
        waits: time from first entry to connect, by queue.
        mistakes: mistakes in the data calls arrived with, by kind (see `Note`).
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.offers: Counter[tuple[str, str]] = Counter()
        self.waits: dict[str, Waits] = {}
        self.mistakes: Counter[str] = Counter()

    def listen(self, item: Told) -> None:
        """Process a record."""
        if isinstance(item, Note) and item.mistake:
            self.mistakes[item.mistake] += 1
        if not isinstance(item, Record):
            return
        match item.kind:
            case Happened.RENAMED:
                self._renamed(item.queue, str(item.detail[0]))
            case Happened.ENTERED:
                self.calls[item.queue] += 1
            case Happened.CONNECTED:
                self.waits.setdefault(item.queue, Waits()).add(float(item.detail[0]))
            case Happened.OFFER_ENDED:
                self.offers[item.queue, str(item.detail[0])] += 1
            case Happened.LEFT:
                self.ended[item.queue, str(item.detail[0])] += 1
            case Happened.ABANDONED | Happened.COMPLETED | Happened.TRANSFERRED | Happened.TAKEN:
                self.ended[item.queue, item.kind.value] += 1
            case _:
                pass

    def _renamed(self, queue: str, was: str) -> None:
        """Carry the counts of a queue over to its new name."""
        if not queue:
            return
        if was in self.calls:
            self.calls[queue] += self.calls.pop(was)
        for counts in (self.ended, self.offers):
            for name, what in [key for key in counts if key[0] == was]:
                counts[queue, what] += counts.pop((name, what))
        if was in self.waits:
            self.waits[queue] = self.waits.pop(was)
