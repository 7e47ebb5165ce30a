"""The core's one entry point: events in, commands out, time as an argument."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from callrouter.core import dispatch, matching, reload, timeouts
from callrouter.core.board import Board
from callrouter.core.floor import Floor
from callrouter.core.index.pools import RandomSource
from callrouter.core.invariant_audit import Audit
from callrouter.model.events import Event
from callrouter.model.notices import Output
from callrouter.model.routing_table import QueueSpec, Table

EXPECTED_WITHIN = 120.0
"""Seconds after the start within which every PBX shows its callers, or its fallback has them."""


class Router:
    """Decides which phone rings for which caller.

    Deterministic: the same events at the same times give the same commands. Not thread-safe; the
    runtime is its only caller.

    Args:
        table: the agents, queues and rules.
        rng: the source of randomness for policies that draw.
        run_id: a word that no earlier run used. Offer ids start with it.
        now: the time in epoch seconds.
        removed: queues that were removed while no router ran. Callers found in them are served.

    Attributes:
        floor: the state itself, for the API's views and explanations, and for tests.
        board: answers questions about the state, for all other components.
    """

    def __init__(
        self,
        table: Table,
        *,
        rng: RandomSource,
        run_id: str,
        now: float = 0.0,
        removed: Mapping[str, QueueSpec] | None = None,
    ) -> None:
        self.floor = Floor(rng=rng, run_id=run_id)
        self.board = Board(self.floor)
        self.floor.now = self.floor.clock_now = now
        reload.apply(self.floor, table)
        reload.expect_callers_of_removed_queues(self.floor, removed or {}, now + EXPECTED_WITHIN)
        matching.settle(self.floor)
        self.floor.out.clear()
        self.floor.changed_rows.clear()

    def handle(self, event: Event, now: float, clock_now: float | None = None) -> list[Output]:
        """Handle one event; return commands and notices, in order.

        Deadlines up to `now` are handled first, each as if it had expired on time.

        Args:
            event: what has happened.
            now: when, in epoch seconds. A time before an earlier one counts as that earlier one:
                time does not run backwards.
            clock_now: the real time, if `now` lags behind because the event had to wait. Timeouts
                start from it, and no new offer is made until the backlog is drained: an event
                further back may say that the agent or the caller is no longer there.

        Raises:
            Exception: a bug in the core. What was ordered before it is kept and returned by the next
                call, which also re-evaluates every agent and call so that none is forgotten.
        """
        floor = self.floor
        try:
            behind = clock_now is not None and now < clock_now
            now = max(now, floor.now)
            floor.clock_now = now if clock_now is None else max(now, clock_now)
            if not floor.timers.quiet(now):
                self._expire_due(now, behind=behind)
            floor.now = now
            dispatch.handle(floor, event)
            if not behind:  # otherwise no new offers
                matching.settle(floor)
            if floor.draining:
                reload.finish_draining(floor)
        except Exception:
            matching.reevaluate_all(floor)
            raise
        out, floor.out = floor.out, []
        return out

    def _expire_due(self, now: float, *, behind: bool) -> None:
        """Handle deadlines up to `now`. Those of one instant are matched together.

        So none of them gets an agent or a call just because its kind or id sorts first. While
        events of before are still to come, none is matched at all.
        """
        floor = self.floor
        while (due := floor.timers.next()) is not None and due <= now:
            floor.now = max(floor.now, due)
            while (key := floor.timers.pop(floor.now)) is not None:
                timeouts.expire(floor, key)
            if not behind:
                matching.settle(floor)

    def mend(self) -> None:
        """Re-evaluate every agent and call with the next event, whatever the indexes say.

        For use after a suspected fault of the indexes. It costs one slow event.
        """
        matching.reevaluate_all(self.floor)

    @property
    def now(self) -> float:
        """The time of the last event, in epoch seconds."""
        return self.floor.now

    def take_changed_rows(self) -> Collection[str]:
        """The ids of agents whose row to store may have changed since this was last called.

        The row itself is `Board.agent_row`. An id may belong to no agent any more.
        """
        floor = self.floor
        changed, floor.changed_rows = floor.changed_rows, {}
        return changed.keys()

    def audit(self) -> Audit:
        """A check of the invariants in small slices. Each caller gets its own.

        It changes no decision: what it finds is only returned, in words.
        """
        return Audit(self.floor)

    def next_deadline(self) -> float | None:
        """When `handle` must be called next at the latest, in epoch seconds; None: no deadline.

        It is past if a deadline is overdue.
        """
        return self.floor.timers.next()
