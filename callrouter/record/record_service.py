"""Keeps the record: hands the recorder's rows to the writing thread, and states what is missing.

Nothing of it is on the path of an offer: a notice is queued, and rows are made and handed over a
moment later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa

from callrouter.clock import Clock
from callrouter.model.frozen import frozen
from callrouter.model.notices import Notice
from callrouter.record import recalled
from callrouter.record.call_steps import MemberFacts
from callrouter.record.record_tables import RECORD_GAPS, RUNS
from callrouter.record.recorder import Recorder
from callrouter.record.rows import GapKind, GapRow, RunRow
from callrouter.store.location import StoreError
from callrouter.store.record_writing import RecordWriter

logger = logging.getLogger(__name__)

T = TypeVar("T")

EVERY: Final = 0.25
"""Seconds from a notice to the handing over of its rows: about what a killed router can lose."""
AT_ONCE: Final = 500
"""Rows made and handed over at once: about a millisecond of the loop's time."""
SOON: Final = 0.02
"""Seconds to the next rows, if there were more."""
ALIVE_EVERY: Final = 10.0
"""Seconds between two notes that this run goes on, by which the end of a killed one is known."""
GRACE: Final = 120.0
"""Seconds after a PBX was compared with for the first time, after which a call of before that was not
found is taken to be gone. Twilio's lists lag, and its callers ask again within that time.
"""


class Spawn(Protocol):
    """Runs a task and logs what kills it; see `callrouter.tasks.Tasks.spawn`."""

    def __call__(self, work: Coroutine[Any, Any, None], name: str, /) -> object:
        """Run it."""


@frozen
class RecordSources:
    """What the record asks of the core and of the daemon.

    Attributes:
        members: the members of a queue now.
        is_live: whether a call is on the floor.
        pbxes: the ids of the PBXes.
        in_step: whether a PBX has been compared with and its link is up.
    """

    members: Callable[[str], dict[str, MemberFacts]]
    is_live: Callable[[str], bool]
    pbxes: Callable[[], Collection[str]]
    in_step: Callable[[str], bool]


class RecordService:
    """Runs on the loop, from `start` to `close`.

    Args:
        writer: writes the rows.
        sources: what it asks.
        clock: the time.
        run: identifies this run.
        spawn: runs its tasks.
    """

    def __init__(
        self, writer: RecordWriter, sources: RecordSources, clock: Clock, run: str, spawn: Spawn
    ) -> None:
        self._writer = writer
        self._sources = sources
        self._clock = clock
        self._run = run
        self._spawn = spawn
        self._started_at = clock.now()
        # Microseconds: higher than what any earlier run has reached, unless the clock was set back.
        self._first_serial = int(self._started_at * 1e6)
        self._recorder = Recorder(sources.members, self._first_serial)
        self._known_until = self._started_at
        """The end of what is known of calls of before."""
        self._in_step_since: dict[str, float] = {}
        self._settled: set[str] = set()
        self._gaps: dict[str, GapRow] = {}
        self._numbered = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._alive: asyncio.TimerHandle | None = None
        self._closed = False

    def listen(self, notice: Notice) -> None:
        """Record a notice. A listener of the runtime."""
        self._recorder.listen(notice)
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(EVERY, self._flush)

    def start(self) -> None:
        """Begin to write. What was recorded before is not lost.

        The run begins now: a standby may have waited for days.
        """
        self._loop = asyncio.get_running_loop()
        self._started_at = self._known_until = self._clock.now()
        self._first_serial = int(self._started_at * 1e6)
        self._recorder.serial_is_above(self._first_serial)
        self._spawn(self._take_over(), "the record of the last run")
        self._note_alive()
        self._flush()

    def close(self) -> None:
        """Hand over everything, before the store is closed. Nothing is recorded after it."""
        if self._closed or self._loop is None:
            return
        for timer in (self._timer, self._alive):
            if timer is not None:
                timer.cancel()
        self._recorder.stop_waiting()
        while changes := self._recorder.take(AT_ONCE):
            self._writer.record(changes)
        self._state_losses()
        now = self._clock.now()
        self._write_run(now, now)
        self._closed, self._loop = True, None

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``: rows that wait, and rows that were dropped."""
        return {"waiting": self._writer.waiting, "lost": self._writer.lost}

    # ------------------------------------------------------------ handing over

    def _flush(self) -> None:
        self._timer = None
        if self._loop is None:
            return
        changes = self._recorder.take(AT_ONCE)
        if changes:
            self._writer.record(changes)
        wanted = self._recorder.take_wanted()
        if wanted:
            self._spawn(self._recall(wanted), "calls of before")
        self._state_losses()
        if len(changes) >= AT_ONCE:
            self._timer = self._loop.call_later(SOON, self._flush)

    def _note_alive(self) -> None:
        if self._loop is None:
            return
        now = self._clock.now()
        self._recorder.end_forgotten(self._sources.is_live, now)
        self._flush()
        self._write_run(now, None)
        self._look_for_lost(now)
        self._alive = self._loop.call_later(ALIVE_EVERY, self._note_alive)

    def _write_run(self, now: float, stopped_at: float | None) -> None:
        row = RunRow(
            run=self._run, started_at=self._started_at, alive_at=now, stopped_at=stopped_at
        )
        self._writer.record([(RUNS, (self._run,), row)])

    # ------------------------------------------------------------ what is missing

    def _state_losses(self) -> None:
        """Put into the record, and into the log, what had to be dropped of it."""
        if not self._writer.waiting:
            self._gaps.clear()  # all is written: the next loss is another one
        for table, loss in self._writer.take_losses().items():
            known = self._gaps.get(table.table)
            count = loss.count + (0 if known is None else known.rows_lost)
            began = loss.first if known is None else min(known.began_at, loss.first)
            n = self._next_gap() if known is None else known.n
            if known is None:
                text = "the database has been away for too long: rows of %s are dropped from now on"
                logger.error(text, table.table)
            self._gaps[table.table] = self._write_gap(
                GapRow(
                    run=self._run, n=n, kind=GapKind.ROWS_LOST, began_at=began, ended_at=loss.last,
                    table_name=table.table, rows_lost=count,
                )
            )  # fmt: skip

    def _next_gap(self) -> int:
        self._numbered += 1
        return self._numbered

    def _write_gap(self, gap: GapRow) -> GapRow:
        self._writer.record([(RECORD_GAPS, (gap.run, str(gap.n)), gap)])
        return gap

    # ------------------------------------------------------------ runs and calls of before

    async def _take_over(self) -> None:
        """Note the time without a router, once the database can be read."""
        try:
            before = await self._writer.query(
                lambda link: recalled.take_over(
                    link, self._run, self._first_serial, self._started_at
                ),
                patient=True,
            )
        except StoreError:  # the daemon is stopping
            return
        self._recorder.serial_is_above(before.serial)
        if before.run is None:
            return
        self._known_until = min(before.known_until, self._started_at)
        self._write_gap(
            GapRow(
                run=self._run, n=self._next_gap(), kind=GapKind.ROUTER_DOWN,
                began_at=self._known_until, ended_at=self._started_at, table_name="", rows_lost=0,
            )
        )  # fmt: skip

    async def _recall(self, calls: list[str]) -> None:
        found = await self._ask(lambda link: recalled.recall(link, calls))
        for call in calls:
            self._recorder.recall(call, (found or {}).get(call))
        if self._loop is not None and self._timer is None:
            self._timer = self._loop.call_later(EVERY, self._flush)

    def _look_for_lost(self, now: float) -> None:
        """End calls of before that their PBX does not have any more."""
        for pbx in self._sources.pbxes():
            if pbx not in self._in_step_since and self._sources.in_step(pbx):
                self._in_step_since[pbx] = now
        due = {pbx for pbx, since in self._in_step_since.items() if now - since >= GRACE}
        if due - self._settled:
            self._spawn(self._close_lost(due - self._settled), "calls that are gone")

    async def _close_lost(self, pbxes: Collection[str]) -> None:
        def read(link: sa.Connection) -> list[recalled.RecalledCall]:
            names = recalled.open_calls(link, self._started_at, pbxes)
            return list(recalled.recall(link, names).values())

        found = await self._ask(read)
        if found is None or self._closed:
            return  # again in a while
        self._settled |= set(pbxes)
        ended = self._recorder.close_lost(found, self._known_until)
        if ended:
            logger.info("%d calls of before this run are gone; their end is not on record", ended)
        self._flush()

    async def _ask(self, work: Callable[[sa.Connection], T]) -> T | None:
        """Return what `work` finds; None: the database cannot be read now."""
        try:
            return await self._writer.query(work, patient=False)
        except StoreError:
            return None
