"""Totals over calls: since the start for `callrouter.api.metrics`, since midnight for queues."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Final

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEnd,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
)
from callrouter.model.notices import Notice, Oddity, QueueRenamed
from callrouter.reports.service_level import Target

WAITS: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Upper bounds of the wait histogram in seconds. They include the usual service levels."""

MISTAKES: Final = ("queue", "priority", "agent", "skills", "tag", "entry")
"""Possible mistakes in the data a call arrives with."""


class WaitHistogram:
    """Wait histogram of one queue.

    Attributes:
        bounds: upper bounds of the classes in seconds, `WAITS` if nothing else is given.
        classes: number of waits up to each bound and above the previous one; the last entry counts
            the waits above all bounds.
        seconds: sum of all waits.
    """

    __slots__ = ("bounds", "classes", "seconds")

    def __init__(self, bounds: tuple[int, ...] = WAITS) -> None:
        self.bounds = bounds
        self.classes = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one wait.

        Args:
            seconds: a wait equal to a bound counts as up to that bound.
        """
        self.classes[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class DayTotals:
    """A queue's totals since midnight in the configured time zone. `longest_wait` is in seconds.

    Attributes:
        entered: entries of calls, also of those that were not let in.
        answered: conversations that began. A call that went back to the queue counts again.
        in_time: those among them that began within the time of the queue's service level.
        abandoned: calls whose caller hung up while waiting.
        left: calls that left by a rule of the queue or were ended there.
        longest_wait: of calls that were answered, abandoned or left. Those that still wait do not
            count.
    """

    entered: int = 0
    answered: int = 0
    in_time: int = 0
    abandoned: int = 0
    left: int = 0
    longest_wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayBefore:
    """What queues counted today before this run.

    Attributes:
        midnight: the end of that day, in epoch seconds.
        queues: by queue.
        live: calls among them that had not ended. If they are found, they have been counted.
    """

    midnight: float
    queues: Mapping[str, DayTotals]
    live: frozenset[str]


class CallTotals:
    """Counts notices.

    Attributes:
        calls: calls entered, by queue.
        ended: calls ended, by queue and outcome.
        offers: offers not accepted, by queue and reason.
        waits: time from first entry to connect, by queue.
        mistakes: mistakes in the data calls arrived with, by kind (see `Oddity`).

    Args:
        zone: returns the time zone that defines midnight.
        target: returns what a queue aims at, by its id.
    """

    def __init__(self, zone: Callable[[], tzinfo], target: Callable[[str], Target]) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.offers: Counter[tuple[str, str]] = Counter()
        self.waits: dict[str, WaitHistogram] = {}
        self.mistakes: Counter[str] = Counter()
        self._zone = zone
        self.target = target
        self._today: dict[str, DayTotals] = {}
        self._midnight = 0.0
        self._found: dict[str, str] = {}
        """Today's calls that were found in a queue, and the queue."""
        self._counted_before: frozenset[str] = frozenset()

    def restore(self, before: TodayBefore) -> None:
        """Add what was counted today before this run, unless that day is over.

        A call that was counted before the restart, and found after it, counts once.
        """
        if self._midnight and before.midnight != self._midnight:
            return
        self._midnight = before.midnight
        self._counted_before = before.live
        for name, counted in before.queues.items():
            day = self._today.setdefault(name, DayTotals())
            for one in ("entered", "answered", "in_time", "abandoned", "left"):
                setattr(day, one, getattr(day, one) + getattr(counted, one))
            day.longest_wait = max(day.longest_wait, counted.longest_wait)
        for call, queue in self._found.items():
            if call in before.live:
                self._today[queue].entered -= 1

    def count(self, notice: Notice) -> None:
        """Count a notice.

        Kinds that no total depends on are ignored.
        """
        counting = _COUNTING.get(type(notice))
        if counting is not None:
            counting(self, notice)

    def queue_today(self, queue: str, now: float) -> DayTotals:
        """Return a queue's totals since midnight.

        Args:
            queue: the id of the queue. One of which nothing was counted has zeros.
            now: epoch seconds. The first time at or after midnight clears the totals of all queues.
        """
        self._turn_page(now)
        return self._today.get(queue, DayTotals())

    def _turn_page(self, now: float) -> None:
        """Start a new day at midnight.

        The time zone is asked for only then: a changed one counts from the next midnight on.
        """
        if now < self._midnight:
            return
        self._today.clear()
        self._found.clear()
        self._counted_before = frozenset()
        zone = self._zone()
        tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
        self._midnight = datetime.combine(tomorrow, time(), zone).timestamp()

    def _day(self, queue: str, at: float) -> DayTotals:
        self._turn_page(at)
        return self._today.setdefault(queue, DayTotals())

    # ------------------------------------------------------------ by kind of notice

    def _entered(self, notice: CallEntered) -> None:
        self.calls[notice.queue] += 1
        day = self._day(notice.queue, notice.at)
        if notice.waited_s is not None and notice.refused is None:
            self._found[notice.call] = notice.queue
            if notice.call in self._counted_before:
                return
        day.entered += 1

    def _connected(self, notice: ConversationStarted) -> None:
        self.waits.setdefault(notice.queue, WaitHistogram()).add(notice.wait_s)
        day = self._day(notice.queue, notice.at)
        day.answered += 1
        day.in_time += notice.wait_s <= self.target(notice.queue).within
        day.longest_wait = max(day.longest_wait, notice.wait_s)

    def _offer_ended(self, notice: OfferEnded) -> None:
        self.offers[notice.queue, notice.outcome.value] += 1

    def _left_queue(self, notice: CallLeftQueue) -> None:
        self.ended[notice.queue, notice.result.value] += 1
        day = self._day(notice.queue, notice.at)
        day.left += 1
        day.longest_wait = max(day.longest_wait, notice.wait_s)

    def _abandoned(self, notice: CallAbandoned) -> None:
        self._ended(notice)
        day = self._day(notice.queue, notice.at)
        day.abandoned += 1
        day.longest_wait = max(day.longest_wait, notice.wait_s)

    def _ended(self, notice: CallEnd) -> None:
        self.ended[notice.queue, notice.kind] += 1

    def _odd(self, notice: Oddity) -> None:
        if notice.mistake:
            self.mistakes[notice.mistake] += 1

    def _renamed(self, notice: QueueRenamed) -> None:
        """Carry the totals of a queue over to its new name.

        What the new name has of a histogram or of today is replaced; counters are added.
        """
        queue, was = notice.queue, notice.former_id
        if was in self.calls:
            self.calls[queue] += self.calls.pop(was)
        for counts in (self.ended, self.offers):
            for name, what in [key for key in counts if key[0] == was]:
                counts[queue, what] += counts.pop((name, what))
        if was in self.waits:
            self.waits[queue] = self.waits.pop(was)
        if was in self._today:
            self._today[queue] = self._today.pop(was)


_COUNTING: Final[Mapping[type[Notice], Callable[[CallTotals, Any], None]]] = {
    CallEntered: CallTotals._entered,
    ConversationStarted: CallTotals._connected,
    OfferEnded: CallTotals._offer_ended,
    CallLeftQueue: CallTotals._left_queue,
    CallAbandoned: CallTotals._abandoned,
    CallCompleted: CallTotals._ended,
    ConversationTransferred: CallTotals._ended,
    CallMovedAway: CallTotals._ended,
    Oddity: CallTotals._odd,
    QueueRenamed: CallTotals._renamed,
}
