"""Ended calls, the records of each call, and the day's totals.

Kept in memory, bounded, and fed by the runtime's records.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

from callrouter.core.floor import Floor
from callrouter.model.commands import Happened, Record, Told

KEPT: Final = 1000
"""Number of ended calls kept."""
DECISIONS: Final = 50
"""Number of recent records kept for each call."""

_ENDS: Final = {
    Happened.ABANDONED: ("abandoned", 2),
    Happened.TAKEN: ("taken", 2),
    Happened.COMPLETED: ("completed", 1),
    Happened.TRANSFERRED: ("transferred", 2),
    Happened.LEFT: ("left", 4),
}
"""Records that end a call: the final state, and the position of the wait in `detail`."""


@dataclass(slots=True)
class Story:
    """A call as told by its records; `ended_at` is None while it is active."""

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
    decisions: deque[Record] = field(default_factory=lambda: deque(maxlen=DECISIONS))


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

    def listen(self, item: Told) -> None:
        """Process a record."""
        if not isinstance(item, Record):
            return
        self._turn_page(item.at)
        self._count(item)
        if item.kind is Happened.RENAMED:
            self._renamed(item)
        if item.call:
            self._tell(item)

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

    def _renamed(self, record: Record) -> None:
        """Carry today's totals over to a new name.

        What was recorded about calls keeps the old name.
        """
        was = str(record.detail[0])
        if record.queue and was in self._queues:
            self._queues[record.queue] = self._queues.pop(was)

    def _turn_page(self, now: float) -> None:
        if now < self._midnight:
            return
        self._queues.clear()
        zone = self._floor.table.zone
        tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
        self._midnight = datetime.combine(tomorrow, time(), zone).timestamp()

    def _count(self, record: Record) -> None:
        day = self._queues.get(record.queue)
        if day is None:
            day = self._queues[record.queue] = Day()
        match record.kind:
            case Happened.ENTERED:
                day.entered += 1
            case Happened.CONNECTED:
                day.answered += 1
                day.longest_wait = max(day.longest_wait, float(record.detail[0]))
            case Happened.ABANDONED:
                day.abandoned += 1
                day.longest_wait = max(day.longest_wait, float(record.detail[2]))
            case Happened.LEFT:
                day.left += 1
                day.longest_wait = max(day.longest_wait, float(record.detail[4]))
            case _:
                pass

    def _tell(self, record: Record) -> None:
        story = self._live.get(record.call)
        if story is None:
            story = self._begin(record)
            if story is None:
                return
        story.decisions.append(record)
        match record.kind:
            case Happened.ENTERED:
                self._enter(story, record)
            case Happened.OFFERED:
                story.offers += 1
            case Happened.ACCEPTED | Happened.CONNECTED:
                story.agent = record.agent
                if record.kind is Happened.CONNECTED:
                    story.wait = float(record.detail[0])
            case Happened.REQUEUED:
                story.agent, story.wait = "", None
            case Happened.PASSED | Happened.MOVED:
                _moved(story, record)
            case _ if record.kind in _ENDS:
                self._end(story, record)
            case _:
                pass

    def _begin(self, record: Record) -> Story | None:
        """Return a new story, or the existing one of a call that overflowed into another queue."""
        story = self._ended.get(record.call)
        if record.kind is not Happened.ENTERED:
            # A record after the end (such as a phone that stops ringing late) belongs to the ended
            # story.
            if story is not None:
                story.decisions.append(record)
            return None
        if story is not None:
            del self._ended[record.call]
            story.ended_at = None
        else:
            story = Story(call=record.call, queue=record.queue, entered_at=record.at)
        self._live[record.call] = story
        self._forget_lost()
        return story

    def _enter(self, story: Story, record: Record) -> None:
        story.queue = record.queue
        story.state, story.result, story.wait = "waiting", "", None
        _, number, name, *_ = record.detail
        story.caller_number, story.caller_name = str(number), str(name)
        call = self._floor.calls.get(record.call)
        if call is not None:
            story.priority = call.priority
            story.entered_at = call.entered_at

    def _end(self, story: Story, record: Record) -> None:
        story.state, place = _ENDS[record.kind]
        story.ended_at = record.at
        story.wait = float(record.detail[place])
        story.agent = record.agent or story.agent
        if record.kind is Happened.LEFT:
            story.result = str(record.detail[0])
        elif record.kind in {Happened.COMPLETED, Happened.TRANSFERRED}:
            story.talk = float(record.detail[place + 1])
        del self._live[record.call]
        self._ended[record.call] = story
        while len(self._ended) > KEPT:
            self._ended.popitem(last=False)

    def _forget_lost(self) -> None:
        """Drop calls whose end was never reported (a fault in the core loses a step's records)."""
        if len(self._live) > 2 * len(self._floor.calls) + KEPT:
            self._live = {k: v for k, v in self._live.items() if k in self._floor.calls}


def _moved(story: Story, record: Record) -> None:
    """Note that a waiting call is now in another queue, or a conversation with another agent."""
    story.queue = record.queue
    if record.kind is Happened.PASSED:
        story.agent = str(record.detail[0])
