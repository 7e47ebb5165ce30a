"""The driver `simulated`: runs the engine on the event loop, in real time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

from callrouter.clock import Clock, SystemClock
from callrouter.model.commands import PbxCommand
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import ALONE, Authority, PbxHealth, Post
from callrouter.pbx.simulated.engine import Engine
from callrouter.pbx.simulated.traffic import Traffic
from callrouter.settings import SimulatedSettings

logger = logging.getLogger(__name__)


class SimulatedPbx:
    """A telephone system in memory. See `callrouter.pbx.interface.Pbx`.

    Args:
        name: as in the configuration.
        settings: the seed. Without one, every run is different.
        post: receives the events.
        table: the routing table, with the queues and phones.
        run_id: a run id that no earlier run has used. Without one, it is made from the time.
        traffic: how callers and agents behave.
        clock: the source of time.
        authority: tells whether this router may act. Before it may, no call is simulated. The
            telephone system is in this process alone, so no other router can act on it.
    """

    def __init__(
        self,
        name: str,
        settings: SimulatedSettings,
        *,
        post: Post,
        table: Table,
        run_id: str = "",
        traffic: Traffic | None = None,
        clock: Clock | None = None,
        authority: Authority = ALONE,
    ) -> None:
        self.name = name
        self._post = post
        self._active = asyncio.Event()
        if authority.active:
            self._active.set()
        self._clock = clock or SystemClock()
        self._timer: asyncio.TimerHandle | None = None
        self._up = False
        self._stepping = False
        now = self._clock.now()
        self.engine = Engine(
            name,
            table,
            traffic or Traffic(),
            random.Random(settings.seed),
            now=now,
            run_id=run_id or f"{int(now):x}",
        )

    def claim(self, *, handed_over: bool = False) -> None:
        """Nothing is to be done: each router has a telephone system of its own. See `ClusterPbx`."""
        del handed_over

    def activate(self) -> None:
        """Simulate calls from now on. See `callrouter.pbx.interface.ClusterPbx`."""
        self._active.set()

    async def run(self) -> None:
        """Simulate calls until cancelled. The router gets a snapshot first, as from a real PBX.

        A standby simulates nothing until `activate`. It gets a snapshot too: it knows the phones, as
        it would know those of a real PBX.
        """
        if not self._active.is_set():
            self._post(self.engine.snapshot())
        await self._active.wait()
        self._up = True
        logger.info("%s: simulated: no phone really rings", self.name)
        self.resync("start")
        self._arm()
        try:
            await asyncio.Event().wait()
        finally:
            self._up = False
            if self._timer is not None:
                self._timer.cancel()

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event. Does nothing while the driver is not running.

        Their effects follow after a moment, as events from `run`, never before this returns.
        """
        if not self._up:
            return
        now = self._clock.now()
        for command in commands:
            self.engine.order(command, now)
        self._arm()

    def use(self, table: Table) -> None:
        """Use a new routing table.

        New queues get calls from now on. If it names other phones, a snapshot is posted.
        """
        before = self.engine.endpoints()
        self.engine.use(table, self._clock.now())
        if self._up:
            if self.engine.endpoints() != before:
                self.resync("the configuration names other phones")
            self._arm()

    def resync(self, why: str) -> None:
        """Post a snapshot of the present state.

        Posted before this returns. Does nothing while the driver is not running.
        """
        if self._up:
            logger.debug("%s: snapshot: %s", self.name, why)
            self._post(self.engine.snapshot())

    def health(self) -> PbxHealth:
        """The current health of this driver.

        `up` is True while `run` is running, and for a standby. Nothing else can go wrong here.
        """
        standby = not self._active.is_set()
        detail = "simulated: standby" if standby else "simulated: no phone really rings"
        return PbxHealth(up=self._up or standby, detail=detail)

    def _arm(self) -> None:
        if self._stepping:
            return  # `_due` arms the timer when it has finished
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.engine.next_at()
        if at is not None and self._up:
            delay = max(0.0, at - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self._stepping = True
        try:
            now = self._clock.now()
            while (at := self.engine.next_at()) is not None and at <= now:
                for event in self.engine.step(now):
                    self._post(event)
        finally:
            self._stepping = False
            self._arm()
