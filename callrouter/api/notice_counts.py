"""Counters since the start, for `callrouter.api.metrics`. Does not import Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
)
from callrouter.model.notices import Notice, Oddity, QueueRenamed

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
        mistakes: mistakes in the data calls arrived with, by kind (see `Oddity`).
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.offers: Counter[tuple[str, str]] = Counter()
        self.waits: dict[str, Waits] = {}
        self.mistakes: Counter[str] = Counter()

    def listen(self, notice: Notice) -> None:
        """Count a notice."""
        match notice:
            case CallEntered():
                self.calls[notice.queue] += 1
            case ConversationStarted():
                self.waits.setdefault(notice.queue, Waits()).add(notice.wait_s)
            case OfferEnded():
                self.offers[notice.queue, notice.outcome.value] += 1
            case CallLeftQueue():
                self.ended[notice.queue, notice.result.value] += 1
            case CallAbandoned() | CallCompleted() | ConversationTransferred() | CallMovedAway():
                self.ended[notice.queue, notice.kind] += 1
            case Oddity(mistake=mistake) if mistake:
                self.mistakes[mistake] += 1
            case QueueRenamed():
                self._renamed(notice.queue, notice.former_id)
            case _:
                pass

    def _renamed(self, queue: str, was: str) -> None:
        """Carry the counts of a queue over to its new name."""
        if was in self.calls:
            self.calls[queue] += self.calls.pop(was)
        for counts in (self.ended, self.offers):
            for name, what in [key for key in counts if key[0] == was]:
                counts[queue, what] += counts.pop((name, what))
        if was in self.waits:
            self.waits[queue] = self.waits.pop(was)
