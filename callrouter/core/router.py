"""The core's one door: events in, commands out, time as an argument."""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.core import deadlines, dispatch, matching, reload
from callrouter.core.pools import Dice
from callrouter.core.state import Floor
from callrouter.model.commands import Command
from callrouter.model.events import Event
from callrouter.model.table import QueueSpec, Table

EXPECTED_WITHIN = 120.0
"""Seconds from the start within which every PBX has shown its callers, or they are with its fallback."""


class Router:
    """Decides which phone rings for which caller.

    Deterministic: the same events at the same times give the same commands. Not thread-safe; the
    runtime is its only caller.

    Args:
        table: who and what there is.
        dice: where policies that draw get their chance from.
        boot: a word that no earlier run used; offers' ids start with it.
        now: the time.
        removed: queues that were taken out while no router ran. Callers who are found in them are served.
    """

    def __init__(
        self,
        table: Table,
        *,
        dice: Dice,
        boot: str,
        now: float = 0.0,
        removed: Mapping[str, QueueSpec] | None = None,
    ) -> None:
        self.floor = Floor(dice=dice, boot=boot)
        self.floor.now = self.floor.present = now
        reload.apply(self.floor, table)
        reload.expect(self.floor, removed or {}, now + EXPECTED_WITHIN)
        matching.settle(self.floor)
        self.floor.out.clear()

    def handle(self, event: Event, now: float, present: float | None = None) -> list[Command]:
        """Take one event at `now` (epoch seconds) and return what follows from it, in order.

        Deadlines up to `now` strike first, each as if it had been on time. A `now` before an earlier
        one counts as that earlier one: time does not run backwards. Should the event have waited for us,
        `present` is what time it really is: whatever is ordered now has its time from then on, and nobody
        is rung anew before an event that is of the present: those behind it may say that they are taken.

        Raises:
            Exception: a fault of ours. What was ordered until then is kept and comes out with the
                next call, and everyone is looked at again then, so that nobody is forgotten.
        """
        floor = self.floor
        try:
            now = max(now, floor.now)
            floor.present = now if present is None else max(now, present)
            if not floor.timers.quiet(now):
                self._strike_due(now)
            floor.now = now
            dispatch.handle(floor, event)
            if floor.present == now:
                matching.settle(floor)
            if floor.draining:
                reload.finish_draining(floor)
        except Exception:
            matching.look_at_everyone(floor)
            raise
        out, floor.out = floor.out, []
        return out

    def _strike_due(self, now: float) -> None:
        """Deadlines up to `now`. Those of one instant are one step, so that none gains by its name."""
        floor = self.floor
        while (due := floor.timers.next()) is not None and due <= now:
            floor.now = max(floor.now, due)
            while (key := floor.timers.pop(floor.now)) is not None:
                deadlines.strike(floor, key)
            matching.settle(floor)

    def mend(self) -> None:
        """Look at everyone again with the next event, whatever the indexes say."""
        matching.look_at_everyone(self.floor)

    def next_deadline(self) -> float | None:
        """When `handle` must be called again at the latest, in epoch seconds; None: no need."""
        return self.floor.timers.next()
