"""The only loop: takes events one by one, asks the core, hands out what follows, arms one timer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from callrouter.clock import Clock
from callrouter.core.router import Router
from callrouter.model.commands import Decided, Note, PbxCommand, Record, Told
from callrouter.model.events import ConfigReloaded, Event, TimePassed
from callrouter.pbx.base import Pbx

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[Told], None]


class Runtime:
    """Single writer of the core's state.

    `post` carries an event from the driver's socket to the driver's write in one call, with no hop
    through the event loop in between: that is where the milliseconds are won. An event posted while
    another is being handled waits its turn.
    """

    def __init__(self, router: Router, clock: Clock) -> None:
        self.router = router
        self.clock = clock
        self.pbxes: dict[str, Pbx] = {}
        self.handled = 0
        self.faults = 0
        self._listeners: list[Listener] = []
        self._inbox: deque[Event] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._closed = False

    def attach(self, pbx: Pbx) -> None:
        """Commands for the PBX of this name go to it from now on."""
        self.pbxes[pbx.name] = pbx

    def listen(self, listener: Listener) -> None:
        """Tell `listener` every record, decision and note. What it raises is logged and stops nothing."""
        self._listeners.append(listener)

    def post(self, event: Event) -> None:
        """Take an event. Returns when it, and whatever it led to, has been handled."""
        if self._closed:
            return
        self._inbox.append(event)
        if self._draining:
            return
        self._draining = True
        try:
            while self._inbox:
                self._handle(self._inbox.popleft())
        finally:
            self._draining = False
        self._arm()

    def mend(self, why: str) -> None:
        """Something is not as it must be: look at everyone anew, and compare with every PBX."""
        self.router.mend()
        self.post(TimePassed())
        self._compare(why)

    def _compare(self, why: str) -> None:
        for pbx in self.pbxes.values():
            pbx.resync(why)

    def start(self) -> None:
        """Arm the timer for the first deadline."""
        self._arm()

    def close(self) -> None:
        """Take no more events. Calls stay where they are."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _handle(self, event: Event) -> None:
        self.handled += 1
        try:
            commands = self.router.handle(event, self.clock.now())
        except Exception:
            # A fault of ours must not stop the floor: the PBX knows what is true, so ask it.
            self.faults += 1
            logger.exception("the core failed on %s; comparing with every PBX anew", event)
            self._compare("a fault in the router")
            return
        if isinstance(event, ConfigReloaded) and not event.more:
            for pbx in self.pbxes.values():
                pbx.use(event.table)
        orders: dict[str, list[PbxCommand]] = {}
        told: list[Told] = []
        for command in commands:
            if isinstance(command, Record | Decided | Note):
                told.append(command)
            else:
                orders.setdefault(command.pbx, []).append(command)
        self._carry_out(orders)
        self._tell(told)

    def _carry_out(self, orders: Mapping[str, list[PbxCommand]]) -> None:
        for name, commands in orders.items():
            pbx = self.pbxes.get(name)
            if pbx is None:
                logger.error("no driver for PBX %s; dropped %d orders", name, len(commands))
            else:
                pbx.execute(commands)

    def _tell(self, told: list[Told]) -> None:
        for item in told:
            for listener in self._listeners:
                try:
                    listener(item)
                except Exception:
                    self.faults += 1
                    logger.exception("a listener failed on %s", item)

    def _arm(self) -> None:
        deadline = self.router.next_deadline()
        if deadline == self._armed or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed = deadline
        if deadline is not None:
            loop = asyncio.get_running_loop()
            delay = max(0.0, deadline - self.clock.now())
            self._timer = loop.call_later(delay, self._time_passed)

    def _time_passed(self) -> None:
        self._armed = None
        self._timer = None
        self.post(TimePassed())
