"""Ended calls, the notices of each call, and the day's totals.

Kept in memory, bounded, and fed by the runtime's notices.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

from callrouter.core.floor import Floor
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEnd,
    CallEntered,
    CallLeftQueue,
    CallPutThrough,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
    OfferAccepted,
    OfferMade,
    WaitingCallMoved,
)
from callrouter.model.notices import CallNotice, Notice, QueueRenamed

KEPT: Final = 1000
"""Number of ended calls kept."""
NOTICES: Final = 50
"""Number of recent notices kept for each call."""


@dataclass(slots=True)
class Story:
    """A call as its notices describe it.

    `state` is ``waiting`` while the call is active, then the kind of the notice that ended it.
    `ended_at` is None while the call is active.
    """

    call: str
    queue: str
    entered_at: float
    caller_number: str = ""
    caller_name: str = ""
    priority: int | None = None
    state: str = "waiting"
    result: str = ""
    agent: str = ""
    offers: int = 0
    ended_at: float | None = None
    wait: float | None = None
    talk: float | None = None
    notices: deque[CallNotice] = field(default_factory=lambda: deque(maxlen=NOTICES))


@dataclass(slots=True)
class Day:
    """A queue's totals since midnight in the configured time zone."""

    entered: int = 0
    answered: int = 0
    abandoned: int = 0
    left: int = 0
    longest_wait: float = 0.0


class History:
    """Listens to the runtime and keeps the history.

    Args:
        floor: source of the priority of active calls and of the time zone that defines midnight.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._live: dict[str, Story] = {}
        self._ended: OrderedDict[str, Story] = OrderedDict()
        self._queues: dict[str, Day] = {}
        self._midnight = 0.0

    def listen(self, notice: Notice) -> None:
        """Keep a notice if it is about a call."""
        self._turn_page(notice.at)
        if isinstance(notice, CallNotice):
            self._count(notice)
            story = self._live.get(notice.call) or self._begin(notice)
            if story is not None:
                story.notices.append(notice)
                self._follow(story, notice)
        elif isinstance(notice, QueueRenamed):
            self._renamed(notice)

    def story(self, call: str) -> Story | None:
        """Return what is kept about a call."""
        return self._live.get(call) or self._ended.get(call)

    def ended(self) -> list[Story]:
        """Return the ended calls, latest first."""
        return list(reversed(self._ended.values()))

    def queue_today(self, queue: str, now: float) -> Day:
        """Return a queue's totals since midnight."""
        self._turn_page(now)
        return self._queues.get(queue, Day())

    # ------------------------------------------------------------ inside

    def _renamed(self, notice: QueueRenamed) -> None:
        """Carry today's totals over to a new name.

        What was recorded about calls keeps the old name.
        """
        if notice.former_id in self._queues:
            self._queues[notice.queue] = self._queues.pop(notice.former_id)

    def _turn_page(self, now: float) -> None:
        if now < self._midnight:
            return
        self._queues.clear()
        zone = self._floor.table.zone
        tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
        self._midnight = datetime.combine(tomorrow, time(), zone).timestamp()

    def _count(self, notice: CallNotice) -> None:
        match notice:
            case CallEntered():
                self._day(notice).entered += 1
            case ConversationStarted():
                self._day(notice).answered += 1
                self._waited(notice, notice.wait_s)
            case CallAbandoned():
                self._day(notice).abandoned += 1
                self._waited(notice, notice.wait_s)
            case CallLeftQueue():
                self._day(notice).left += 1
                self._waited(notice, notice.wait_s)
            case _:
                pass

    def _day(self, notice: CallNotice) -> Day:
        return self._queues.setdefault(notice.queue, Day())

    def _waited(self, notice: CallNotice, wait_s: float) -> None:
        day = self._day(notice)
        day.longest_wait = max(day.longest_wait, wait_s)

    def _follow(self, story: Story, notice: CallNotice) -> None:
        match notice:
            case CallEntered():
                self._enter(story, notice)
            case OfferMade():
                story.offers += 1
            case OfferAccepted():
                story.agent = notice.agent
            case ConversationStarted():
                story.agent, story.wait = notice.agent, notice.wait_s
            case CallRequeued():
                story.agent, story.wait = "", None
            case WaitingCallMoved():
                story.queue = notice.queue
            case CallPutThrough():
                story.queue, story.agent = notice.queue, notice.to
            case _ if isinstance(notice, CallEnd):
                self._end(story, notice)
            case _:
                pass

    def _begin(self, notice: CallNotice) -> Story | None:
        """Return a new story, or the existing one of a call that overflowed into another queue."""
        story = self._ended.get(notice.call)
        if not isinstance(notice, CallEntered):
            # A notice after the end (such as a phone that stops ringing late) belongs to the ended
            # story.
            if story is not None:
                story.notices.append(notice)
            return None
        if story is not None:
            del self._ended[notice.call]
            story.ended_at = None
        else:
            story = Story(call=notice.call, queue=notice.queue, entered_at=notice.at)
        self._live[notice.call] = story
        self._forget_lost()
        return story

    def _enter(self, story: Story, notice: CallEntered) -> None:
        story.queue = notice.queue
        story.state, story.result, story.wait = "waiting", "", None
        story.caller_number, story.caller_name = notice.caller_number, notice.caller_name
        call = self._floor.calls.get(notice.call)
        if call is not None:
            story.priority = call.priority
            story.entered_at = call.entered_at

    def _end(self, story: Story, notice: CallEnd) -> None:
        story.state = notice.kind
        story.ended_at = notice.at
        story.wait = notice.wait_s
        if isinstance(notice, CallLeftQueue):
            story.result = notice.result.value
        elif isinstance(notice, CallCompleted | ConversationTransferred):
            story.agent = notice.agent or story.agent
            story.talk = notice.talk_s
        del self._live[notice.call]
        self._ended[notice.call] = story
        while len(self._ended) > KEPT:
            self._ended.popitem(last=False)

    def _forget_lost(self) -> None:
        """Drop calls whose end was never reported (a fault in the core loses a step's notices)."""
        if len(self._live) > 2 * len(self._floor.calls) + KEPT:
            self._live = {k: v for k, v in self._live.items() if k in self._floor.calls}
