"""Brings back after a restart what the record knows: to the core as events, to the log as calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Final, Protocol

from callrouter.api.calllog.call_log import LISTED, CallLog
from callrouter.api.calllog.past_calls import logged_head
from callrouter.api.calllog.totals import DayTotals, TodayBefore
from callrouter.clock import Clock
from callrouter.model.events import Event
from callrouter.model.hours import next_midnight
from callrouter.model.restored_history import HistoryRestored, LastTalk
from callrouter.model.routing_table import Table
from callrouter.model.text import counted
from callrouter.policies import reads_turn
from callrouter.record import restoring
from callrouter.record.call_heads import CallHead, latest_heads
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.record_reader import RecordReader
from callrouter.record.restoring import QueueNeeds
from callrouter.store.location import StoreError

logger = logging.getLogger(__name__)

BEFORE_FIRST_OFFER: Final = 0.3
"""Seconds that the start waits for who was tried for the calls that wait. Callers wait too."""
AGAIN: Final = 5.0
"""Seconds between two attempts to read a record that cannot be read."""


class _HasTable(Protocol):
    @property
    def table(self) -> Table:
        """The routing table in force."""


class HistoryRecall:
    """Reads the record once, at the start of the daemon.

    Args:
        record: asks it.
        board: has the table: what is needed depends on the queues' options.
        post: takes the events.
        log: takes the ended calls and the counts of the day.
        clock: the time.
        clock_ahead: returns the seconds by which the clock of the router before is ahead.
    """

    def __init__(
        self,
        record: ReadingThread,
        board: _HasTable,
        post: Callable[[Event], None],
        log: CallLog,
        clock: Clock,
        *,
        clock_ahead: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._record = record
        self._board = board
        self._post = post
        self._log = log
        self._clock = clock
        self._clock_ahead = clock_ahead
        self._tried = asyncio.Event()

    async def wait_for_tried(self) -> None:
        """Wait a moment for what `restore` does first: who was tried for the calls that wait.

        If it cannot be read within that time, it comes a little later.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), BEFORE_FIRST_OFFER)

    async def restore(self) -> None:
        """Restore everything, while calls are served. It is tried until the record can be read."""
        for part in (self._restore_tried, self._restore_queues, self._restore_log):
            await self._until_it_can_be_read(part)

    @staticmethod
    async def _until_it_can_be_read(part: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await part()
            except StoreError:
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _restore_tried(self) -> None:
        event = by_own_clock(await self._record.ask(_of_live_calls), self._clock_ahead())
        if event.tried or event.talking:
            self._post(event)
        self._tried.set()

    async def _restore_queues(self) -> None:
        needs = {
            queue.id: QueueNeeds(queue.last_agent, any(map(reads_turn, queue.policy)))
            for queue in self._board.table.queues.values()
        }
        now = self._clock.now()
        event = await self._record.ask(lambda reader: _restored(reader, needs, now))
        self._post(event)

    async def _restore_log(self) -> None:
        now = self._clock.now()
        zone = self._board.table.zone
        day = datetime.fromtimestamp(now, zone).date()
        midnight = datetime.combine(day, time(), zone).timestamp()
        within = {name: self._log.target(name).within for name in self._board.table.queues}
        heads, counts, live = await self._record.ask(
            lambda reader: _log_of(reader, midnight, within)
        )
        today = TodayBefore(
            midnight=next_midnight(now, zone),
            queues={
                queue: DayTotals(
                    entered=one.entered,
                    answered=one.answered,
                    in_time=one.in_time,
                    abandoned=one.abandoned,
                    left=one.left,
                    longest_wait=one.longest_wait,
                )
                for queue, one in counts.items()
            },
            live=live,
        )
        calls = [logged_head(head) for head in heads]
        for number, call in enumerate(calls, start=-len(calls)):
            call.serial = number  # older than every call of this run
        self._log.restore(calls, today)
        logger.info("the record is read: %s of earlier runs", counted(len(calls), "ended call"))


def by_own_clock(event: HistoryRestored, ahead: float) -> HistoryRestored:
    """Return what was restored with the times of live calls by this router's clock.

    Args:
        event: as it was stored.
        ahead: the seconds by which the clock of the router before is ahead.
    """
    if not ahead:
        return event
    return replace(
        event,
        tried=tuple(replace(one, failed_at=one.failed_at - ahead) for one in event.tried),
        talking=tuple(replace(one, since=one.since - ahead) for one in event.talking),
    )


def _of_live_calls(reader: RecordReader) -> HistoryRestored:
    with reader.connection() as link:
        return HistoryRestored(
            tried=restoring.read_tried(link), talking=restoring.read_talking(link)
        )


def _restored(reader: RecordReader, needs: Mapping[str, QueueNeeds], now: float) -> HistoryRestored:
    talks: list[LastTalk] = []
    queues = []
    with reader.connection() as link:
        for name, need in needs.items():
            queues.append(restoring.read_queue(link, name, need, now))
            if need.last_agent is not None:
                talks += restoring.read_last_talks(link, name, need.last_agent, now)
        work = restoring.read_work(link, now)
    talks.sort(key=lambda talk: talk.at)
    some = [queue for queue in queues if queue.advances or queue.turns]
    return HistoryRestored(last_talks=tuple(talks), queues=tuple(some), work=work)


def _log_of(
    reader: RecordReader, midnight: float, within: Mapping[str, float]
) -> tuple[list[CallHead], Mapping[str, restoring.DayCounts], frozenset[str]]:
    heads = latest_heads(reader, LISTED)
    with reader.connection() as link:
        return heads, restoring.read_day(link, midnight, within), restoring.read_live(link)
