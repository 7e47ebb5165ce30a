"""Counts, since the start, of how long callers waited and what came of it, for the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from callrouter.api.calllog.totals import WaitHistogram
from callrouter.model.call_notices import CallAbandoned, CallCompleted, ConversationStarted
from callrouter.model.notices import Notice, QueueRenamed
from callrouter.reports.service_level import Target

TALKS: Final = (10, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600)
"""Upper bounds of the histogram of conversations in seconds."""


class WaitEnd(Enum):
    """How the wait of a call ended, if a service level is about it. The values are labels."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"

    __hash__ = object.__hash__


class ServiceClass(NamedTuple):
    """A class of calls. No call is in two, and every definition of a service level follows.

    Attributes:
        queue: the queue's id.
        end: answered or abandoned.
        in_time: whether the wait was no longer than the queue's `within`.
        short: whether it was less than the queue's `short_abandon`. Of answered calls never.
    """

    queue: str
    end: WaitEnd
    in_time: bool
    short: bool


class ServiceTotals:
    """Listens to the runtime. A call that goes back to its queue and is answered counts again.

    Each call is held against the target that was in force when its wait ended.

    Attributes:
        calls: number of calls by class.
        abandoned: waits of the callers who hung up, by queue.
        talks: conversations that ended with their call, by queue.
    """

    def __init__(self, target: Callable[[str], Target]) -> None:
        """Count by targets.

        Args:
            target: returns what a queue aims at, by its id.
        """
        self.target = target
        self.calls: Counter[ServiceClass] = Counter()
        self.abandoned: dict[str, WaitHistogram] = {}
        self.talks: dict[str, WaitHistogram] = {}

    def listen(self, notice: Notice) -> None:
        """Count a notice. Most kinds are ignored."""
        kind = type(notice)
        if kind not in _COUNTED:
            return
        if isinstance(notice, ConversationStarted):
            self._count(notice.queue, WaitEnd.ANSWERED, notice.wait_s)
        elif isinstance(notice, CallAbandoned):
            self._count(notice.queue, WaitEnd.ABANDONED, notice.wait_s)
            self.abandoned.setdefault(notice.queue, WaitHistogram()).add(notice.wait_s)
        elif isinstance(notice, CallCompleted):
            self.talks.setdefault(notice.queue, WaitHistogram(TALKS)).add(notice.talk_s)
        elif isinstance(notice, QueueRenamed):
            self._rename(notice.former_id, notice.queue)

    def _count(self, queue: str, end: WaitEnd, wait_s: float) -> None:
        target = self.target(queue)
        short = end is WaitEnd.ABANDONED and wait_s < target.short
        self.calls[ServiceClass(queue, end, wait_s <= target.within, short)] += 1

    def _rename(self, former: str, queue: str) -> None:
        """Carry the counts of a queue over to its new name, which replaces what that had."""
        for kind in [kind for kind in self.calls if kind.queue == former]:
            self.calls[kind._replace(queue=queue)] += self.calls.pop(kind)
        for waits in (self.abandoned, self.talks):
            if former in waits:
                waits[queue] = waits.pop(former)


_COUNTED: Final = frozenset({ConversationStarted, CallAbandoned, CallCompleted, QueueRenamed})
