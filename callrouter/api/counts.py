"""What has been counted since the start, for `callrouter.api.metrics`. Imports nothing of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from callrouter.model.commands import Happened, Note, Record, Told

WAITS: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Upper bounds, in seconds, of the classes that waits are counted in; service levels are among them."""

MISTAKES: Final = ("queue", "priority", "agent", "skills", "tag", "entry")
"""What can be wrong with how a call comes in."""


class Waits:
    """Waits of one queue, by class.

    Attributes:
        classes: how many were at most as long as each of `WAITS` and longer than the one before; the
            last are those longer than all.
        seconds: all of them together.
    """

    __slots__ = ("classes", "seconds")

    def __init__(self) -> None:
        self.classes = [0] * (len(WAITS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.classes[bisect_left(WAITS, seconds)] += 1
        self.seconds += seconds


class Counts:
    """Listens to the runtime and counts.

    Attributes:
        calls: calls that entered, by queue.
        ended: calls that ended, by queue and how.
        offers: offers that came to nothing, by queue and why.
        waits: from first entry to connect, by queue.
        mistakes: what was wrong with how calls came in, by what (see `Note`).
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.offers: Counter[tuple[str, str]] = Counter()
        self.waits: dict[str, Waits] = {}
        self.mistakes: Counter[str] = Counter()

    def listen(self, item: Told) -> None:
        """Take a record in."""
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
        """The counts of a queue go along with its new name."""
        if not queue:
            return
        if was in self.calls:
            self.calls[queue] += self.calls.pop(was)
        for counts in (self.ended, self.offers):
            for name, what in [key for key in counts if key[0] == was]:
                counts[queue, what] += counts.pop((name, what))
        if was in self.waits:
            self.waits[queue] = self.waits.pop(was)
