"""The only loop of the core: takes events one by one, hands out commands, arms one timer."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias

from callrouter.clock import Clock
from callrouter.core.router import Router
from callrouter.model.commands import PbxCommand
from callrouter.model.events import ConfigReloaded, Event, PbxLost, PbxSnapshot, TimePassed
from callrouter.model.notices import Notice
from callrouter.pbx.interface import Pbx

logger = logging.getLogger(__name__)

RowListener: TypeAlias = Callable[[Collection[str]], None]
"""Takes the ids of agents whose row to store may have changed."""
Listener: TypeAlias = Callable[[Notice], None]

STOOD_STILL: Final = 0.5
"""Seconds. A deadline can only be this late if the process or the loop stood still."""
CATCH_UP: Final = 0.25
"""Seconds to read what has piled up, before deadlines expire that it may have met."""
TOGETHER: Final = 0.5
"""Seconds for which the first PBX in step waits for the others, before offers are made."""
COMPARED_WITHIN: Final = 1.5
"""The same for those that there is a session with: their lists are on their way."""
LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at such PBXes."""


class Runtime:
    """Single writer of the core's state.

    `post` carries an event from the driver's socket to the driver's write in one call, without a
    hop through the event loop in between: that is where the milliseconds are won. An event posted
    while another is being handled waits its turn.

    After the whole process (or the loop) stood still, time goes on for the core only when
    everything that arrived in the meantime has been read. Otherwise an agent who picked up in time
    would be too late because of us.

    At the start, offers wait until every PBX is in step, or `TOGETHER` after the first, or
    `COMPARED_WITHIN` if the others are being compared. Otherwise the callers of the first would be
    served before those of the others who came earlier, and agents would be rung who talk with a caller
    of a PBX that has not been compared yet. A PBX that is known not to run is not waited for.
    """

    def __init__(self, router: Router, clock: Clock) -> None:
        self.router = router
        self.clock = clock
        self.pbxes: dict[str, Pbx] = {}
        self.handled = 0
        self.faults = 0
        self._listeners: list[Listener] = []
        self._row_listeners: list[RowListener] = []
        self._inbox: deque[Event] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._behind: float | None = None
        """The time as the core sees it while it catches up; None if it does not lag."""
        self._going_on = False
        """Set for the first event after catching up, which uses the real time unconditionally."""
        self._closed = False
        self._stood_still = False
        """Whether what has piled up while the process stood still is being read."""
        self._missing: set[str] = set()
        """PBXes that have not been in step since the start; empty once offers are made."""
        self._give_up_at = 0.0
        """When offers are made though PBXes are missing, by the loop's clock."""
        self._together: asyncio.Handle | None = None
        """Ends the wait for the PBXes that are missing, or of which the last has just come."""

    def attach(self, pbx: Pbx) -> None:
        """From now on, pass commands for the PBX of this name to it.

        A later driver of the same name takes the place of the earlier one.
        """
        self.pbxes[pbx.name] = pbx

    def in_step(self, name: str) -> bool:
        """Return whether a PBX is usable: its link is up and it has been compared with.

        Raises:
            KeyError: no driver of this name is attached.
        """
        return self.pbxes[name].health().up and self.router.board.in_step(name)

    def listen(self, listener: Listener) -> None:
        """Pass every notice to `listener`. What it raises is logged and stops nothing.

        Listeners run on the event loop, in the order of their registration, and cannot be removed.
        """
        self._listeners.append(listener)

    def listen_to_rows(self, listener: RowListener) -> None:
        """Report every agent whose row to store may have changed, after each event.

        What a listener raises is logged and counted in `faults`. Listeners cannot be removed.
        """
        self._row_listeners.append(listener)

    def post(self, event: Event) -> None:
        """Handle an event. Returns when it and everything it led to have been handled.

        The exception is an event posted while another is being handled: it is queued, and this
        returns at once. Call it on the event loop only. After `close` it does nothing.
        """
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
        """An invariant is broken: re-evaluate every agent and call, and compare with every PBX.

        The core has been re-evaluated when this returns. The snapshots of the drivers, which are
        compared with it, may come later.

        Args:
            why: the reason in words, for the logs of the drivers.
        """
        self.router.mend()
        self.post(TimePassed())
        self._compare(why)

    def _compare(self, why: str) -> None:
        for pbx in self.pbxes.values():
            pbx.resync(why)

    def start(self) -> None:
        """Arm the timer for the first deadline, and make no offer before every PBX is in step.

        Until now no deadline wakes the loop. Every `post` arms the timer too.
        """
        self._missing = set(self.pbxes)
        self._arm()

    def close(self) -> None:
        """Accept no more events. Calls stay where they are.

        Drivers keep running and may still call `post`, which then does nothing.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _handle(self, event: Event) -> None:
        self.handled += 1
        if self._missing:
            if isinstance(event, PbxSnapshot):
                self._first_in_step(event.pbx)
            elif isinstance(event, PbxLost) and event.stopped:
                self._expect_no_longer(event.pbx)
        try:
            output = self.router.handle(event, *self._times())
        except Exception:
            # A bug of ours must not stop the floor: the PBX knows what is true, so ask it.
            self.faults += 1
            logger.exception("the core failed on %s; comparing with every PBX again", event)
            self._compare("a fault in the router")
            return
        if isinstance(event, ConfigReloaded) and not event.more:
            for pbx in self.pbxes.values():
                pbx.use(event.table)
        orders: dict[str, list[PbxCommand]] = {}
        notices: list[Notice] = []
        for item in output:
            if isinstance(item, Notice):
                notices.append(item)
            else:
                orders.setdefault(item.pbx, []).append(item)
        self._carry_out(orders)
        self._notify(notices)
        if changed := self.router.take_changed_rows():
            self._report_rows(changed)

    def _carry_out(self, orders: Mapping[str, list[PbxCommand]]) -> None:
        for name, commands in orders.items():
            pbx = self.pbxes.get(name)
            if pbx is None:
                logger.error("no driver for PBX %s; dropped %d orders", name, len(commands))
            else:
                pbx.execute(commands)

    def _notify(self, notices: list[Notice]) -> None:
        for notice in notices:
            for listener in self._listeners:
                try:
                    listener(notice)
                except Exception:
                    self.faults += 1
                    logger.exception("a listener failed on %s", notice)

    def _report_rows(self, changed: Collection[str]) -> None:
        for listener in self._row_listeners:
            try:
                listener(changed)
            except Exception:
                self.faults += 1
                logger.exception("a listener failed on changed rows")

    def _times(self) -> tuple[float, float]:
        """The time for the core, and the real time.

        After a standstill the first lags for a moment, if a deadline is overdue. It stays just
        before that deadline, so events that were already waiting are handled first and may cancel
        it.
        """
        clock_now = self.clock.now()
        if self._behind is not None:
            return self._behind, clock_now
        if self._going_on or clock_now - self.router.now < STOOD_STILL:
            return clock_now, clock_now
        due = self.router.next_deadline()
        if due is None or clock_now - due < STOOD_STILL:
            return clock_now, clock_now
        self._behind = math.nextafter(due, 0.0)
        self._stood_still = True
        asyncio.get_running_loop().call_later(CATCH_UP, self._has_read)
        return self._behind, clock_now

    @property
    def catching_up(self) -> bool:
        """Whether events are being read before which no new offer is made."""
        return self._behind is not None

    def _first_in_step(self, pbx: str) -> None:
        """A PBX is in step for the first time: offers wait for the others, for a moment.

        They wait for the last snapshot itself as well: a deadline that comes before it would match
        agents and callers who are not as the snapshot has them.
        """
        if self._together is None and self._missing != {pbx}:
            if self._behind is None:
                self._behind = math.nextafter(self.clock.now(), 0.0)
            loop = asyncio.get_running_loop()
            self._give_up_at = loop.time() + COMPARED_WITHIN
            self._together = loop.call_later(TOGETHER, self._waited)
        self._expect_no_longer(pbx)

    def _expect_no_longer(self, pbx: str) -> None:
        self._missing.discard(pbx)
        if not self._missing and self._together is not None:
            self._together.cancel()
            self._together = asyncio.get_running_loop().call_soon(self._waited)

    def _has_read(self) -> None:
        """All events that arrived during a standstill have been read."""
        self._stood_still = False
        self._go_on()

    def _waited(self) -> None:
        """Make offers, unless the lists of another PBX are on their way."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._give_up_at and any(
            self.pbxes[name].health().comparing for name in self._missing
        ):
            self._together = loop.call_later(LOOK_AGAIN, self._waited)
            return
        self._missing.clear()
        self._together = None
        self._go_on()

    def _go_on(self) -> None:
        """Use the real time again, unless there is something else to wait for.

        Agents and calls are matched again from here on. A runtime that is closed stays behind: what it
        has not matched breaks no invariant.
        """
        if self._stood_still or self._together is not None or self._closed:
            return
        self._behind = None
        self._going_on = True
        try:
            self.post(TimePassed())
        finally:
            self._going_on = False
        self._arm()

    def _arm(self) -> None:
        if self._behind is not None:
            return  # `_go_on` arms it
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
