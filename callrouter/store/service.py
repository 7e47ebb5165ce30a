"""Makes agents' states survive a restart: rows are copied on the loop and written in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, Final, Protocol

from callrouter.clock import Clock
from callrouter.model.agent_row import AgentRow, moved
from callrouter.model.events import AgentRestored, Event
from callrouter.store.availability import RETRY
from callrouter.store.location import EpochFence, Place
from callrouter.store.reading import warm_up
from callrouter.store.record_writing import RecordWriter
from callrouter.store.repositories import (
    EndedCallRepository,
    LockoutRepository,
    MobileRepository,
    StateRepository,
)
from callrouter.store.tables import (
    AGENTS,
    ALERTS,
    OPEN_CALLS,
    OUTBOX,
    SESSIONS,
    WALL_SCREENS,
    Key,
    StateRows,
)
from callrouter.store.writer import Upkeep, Writer

logger = logging.getLogger(__name__)

EVERY: Final = 0.05
"""Seconds from a change to its copy: the most that a killed router can lose."""
AT_ONCE: Final = 500
"""Agents copied in one batch: about a millisecond of the loop's time."""
READ_WITHIN: Final = 5.0
"""Seconds the start waits for the database."""
CLOSE_WITHIN: Final = 1.5
"""Seconds the shutdown waits for the database."""


class StoredAgents(Protocol):
    """What the store asks the core. See `callrouter.core.board.Board`.

    Both methods are called on the loop.
    """

    def agent_row(self, name: str, now: float) -> AgentRow | None:
        """What to store of an agent at `now` (epoch seconds); None: delete what is stored."""

    def current_name(self, name: str) -> str:
        """The id of the agent with this id, or who had it before a rename; empty if none."""


class StoreService:
    """Copies changed rows of agents to the database, and gives them back to the core at the start.

    `rows_changed` must hear of every change. Everything except the writer's own thread runs on the
    loop. `mobiles`, `ended_calls`, `lockouts` and `record` use the same thread.

    Args:
        agents: tells what to store of an agent.
        post: passes the stored rows to the core.
        clock: the time.
        place: the database.
        retry: seconds between two attempts to reach a database that failed.
        upkeep: see `Writer`.
        fence: see `Writer`.
        clock_ahead: returns the seconds by which the clock that the stored times are of is ahead.
    """

    def __init__(
        self,
        agents: StoredAgents,
        post: Callable[[Event], None],
        clock: Clock,
        place: Place,
        *,
        retry: float = RETRY,
        upkeep: Upkeep | None = None,
        fence: EpochFence | None = None,
        clock_ahead: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._agents = agents
        self._post = post
        self._clock = clock
        self._clock_ahead = clock_ahead
        self._writer = Writer(place, clock, self._was_read, retry=retry, upkeep=upkeep, fence=fence)
        self.mobiles = MobileRepository(self._writer)
        self.ended_calls = EndedCallRepository(self._writer)
        self.lockouts = LockoutRepository(self._writer)
        self.outbox = StateRepository(self._writer, OUTBOX)
        self.open_calls = StateRepository(self._writer, OPEN_CALLS)
        self.alerts = StateRepository(self._writer, ALERTS)
        self.record = RecordWriter(self._writer)
        self.sessions = StateRepository(self._writer, SESSIONS)
        self.screens = StateRepository(self._writer, WALL_SCREENS)
        self._dirty: dict[str, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(self) -> None:
        """Restore the agents from the database.

        The start does not wait for an unreadable database. Once it can be read, the core restores
        the agents who have not acted since.
        """
        self._loop = asyncio.get_running_loop()
        self._writer.start()
        try:
            await asyncio.wait_for(self._looked.wait(), READ_WITHIN)
        except TimeoutError:
            logger.error("%s does not answer; starting without it", self._writer.place)  # noqa: TRY400

    async def warm_up(self) -> None:
        """Load what `start` needs, so that a standby is quick when it takes over.

        A database that cannot be read now is no reason to fail.
        """
        await asyncio.to_thread(warm_up, self._writer.place)

    async def close(self) -> None:
        """Save all changes and stop.

        Waits at most `CLOSE_WITHIN` seconds for a database that does not answer; what it did not
        take by then is lost, and logged.
        """
        if self._closed or self._loop is None:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._dirty:
            self._copy()
        if not await asyncio.to_thread(self._writer.close, CLOSE_WITHIN):
            logger.error("%s does not answer; agents' latest states are lost", self._writer.place)

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``.

        ``unsaved`` counts rows that wait to be written, ``lost`` journal rows that were dropped
        because too many waited.
        """
        writer = self._writer
        trouble = writer.trouble
        return {
            "state": "bad" if trouble else "good",
            "database": str(writer.place),
            "problem": trouble or None,
            "unsaved": writer.unsaved + len(self._dirty),
            "lost": writer.lost,
        }

    # ------------------------------------------------------------ what happens

    def rows_changed(self, agents: Collection[str]) -> None:
        """Copy these agents' rows soon. A row listener of the runtime.

        It only notes the ids, so it may be called for every event. The rows are made when they are
        copied, at most `EVERY` seconds later. Before `start` and after `close` no copy is
        scheduled.
        """
        self._dirty.update(dict.fromkeys(agents))
        if self._timer is None and self._loop is not None and not self._closed:
            self._timer = self._loop.call_later(EVERY, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._copy()
        if self._dirty and self._loop is not None:
            self._timer = self._loop.call_later(EVERY, self._flush)

    def _copy(self) -> None:
        """Pass the current values of changed agents to the thread, oldest change first."""
        now = self._clock.now()
        changes: dict[Key, AgentRow | None] = {}
        for name in list(self._dirty)[:AT_ONCE]:
            del self._dirty[name]
            changes[name,] = self._agents.agent_row(name, now)
        self._writer.put(AGENTS, changes)

    # ------------------------------------------------------------ at start

    def _was_read(self, found: StateRows | None) -> None:
        """Called in the thread with the database's content; None: it cannot be read for now."""
        rows: list[AgentRow] | None = None if found is None else found.of(AGENTS)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._put_back, rows)

    def _under_new_names(self, rows: list[AgentRow]) -> Iterator[AgentRow]:
        """Yield the rows, with the new names of renamed agents."""
        names = {row.agent for row in rows}
        for row in rows:
            new = self._agents.current_name(row.agent)
            if not new or new in names:
                yield row
            else:
                self._writer.put(AGENTS, {(row.agent,): None})
                yield replace(row, agent=new)

    def _put_back(self, rows: list[AgentRow] | None) -> None:
        if rows is not None and not self._closed:
            rows = [*self._under_new_names(rows)]
            known = [row for row in rows if self._agents.current_name(row.agent) == row.agent]
            # An agent removed from the configuration must not come back signed in next year.
            gone = {row.agent for row in rows} - {row.agent for row in known}
            self._writer.put(AGENTS, {(agent,): None for agent in gone})
            ahead = self._clock_ahead()
            for row in known:
                self._post(AgentRestored(row=moved(row, -ahead) if ahead else row))
            logger.info("agents' states are kept in %s: %d found", self._writer.place, len(known))
        self._looked.set()
