"""The router's sign of life for the dialplan, and what is done once a second or seldom.

The dialplan's dead-man switch reads the tick, a global variable. While it changes, a router is in
step; when it stops, callers go to the fallback. Another router on the same Asterisk would write its
own ticks between ours, so each beat first reads back what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import Action, AmiError, AmiReply
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter, Step

logger = logging.getLogger(__name__)

BEAT: Final = 1.0
"""Seconds between two updates of the tick."""

DIALPLAN_EVERY: Final = 20.0
"""Seconds between two checks that our dialplan is loaded."""

COMPARE_EVERY: Final = 60.0
"""Seconds between two routine resyncs, which look for drift that no event announced."""


class Heartbeat:
    """Updates the tick while the router is in step.

    Attributes:
        faults: beats that failed because of a bug of ours. Each was logged.
    """

    def __init__(
        self,
        pbx: str,
        run_id: str,
        writer: ActionWriter,
        *,
        in_step: Callable[[], bool],
        on_beat: Callable[[], None],
        on_globals_lost: Callable[[], None],
        check_dialplan: Callable[[], None],
        resync: Callable[[str], None],
        read_epoch: Callable[[], Sequence[Step]] = tuple,
    ) -> None:
        """Beat while `in_step` returns True.

        Args:
            pbx: name of the PBX.
            run_id: identifies this run of the daemon in the tick.
            writer: writes the tick.
            in_step: whether the router serves this Asterisk now.
            on_beat: called with each beat.
            on_globals_lost: called if Asterisk has lost its global variables, for example after
                ``dialplan reload`` with ``clearglobalvars = yes``.
            check_dialplan: called every `DIALPLAN_EVERY`.
            resync: called every `COMPARE_EVERY`, with the reason.
            read_epoch: returns what reads the epoch back, in a cluster; it is written with each beat.
        """
        self.faults = 0
        self._pbx = pbx
        self._run_id = run_id
        self._writer = writer
        self._in_step = in_step
        self._on_beat = on_beat
        self._on_globals_lost = on_globals_lost
        self._check_dialplan = check_dialplan
        self._resync = resync
        self._read_epoch = read_epoch
        self._beats = 0
        self._tick = ""
        self._foreign_tick = ""
        """The last tick that another run of a router set."""
        self.another_serves = False
        """Whether another router was seen at this Asterisk since the last beat without one."""

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            if self._in_step():
                self.beat()
            else:
                self._tick = ""
            await asyncio.sleep(BEAT)

    def beat(self) -> None:
        """Beat once now."""
        try:
            self._beat_once()
        except Exception:
            # Without a heartbeat, every caller would leave for the fallback.
            self.faults += 1
            logger.exception("%s: the heartbeat failed; going on", self._pbx)

    def _beat_once(self) -> None:
        read_back = [self._read_tick(self._tick)] if self._tick else []
        self._writer.write([*read_back, *self._read_epoch(), Step(self.next_tick())])
        self._on_beat()
        if self._beats % max(1, round(DIALPLAN_EVERY / BEAT)) == 0:
            self._check_dialplan()
        if self._beats % max(1, round(COMPARE_EVERY / BEAT)) == 0:
            self._resync("looking for drift")

    def next_tick(self) -> Action:
        """The action that sets the next tick."""
        self._beats += 1
        self._tick = f"{self._run_id}-{self._beats}"
        return actions.setvar("", "CALLROUTER_TICK", self._tick)

    def _read_tick(self, tick: str) -> Step:
        """The step that reads back our last tick. Write it before the next tick.

        Another router on the same Asterisk would ring phones for the same callers. It overwrites
        the tick between two of ours with one that keeps changing. A foreign tick that does not
        change is left over from an earlier run, which means that our own write was lost.
        """

        def on_reply(reply: AmiReply | AmiError) -> None:
            if isinstance(reply, AmiError):
                return
            found = reply.get("Value")
            if not found:
                self._on_globals_lost()
            router = contract.run_of_tick(found)
            if router is None or _run_id(found) == _run_id(tick):
                self._foreign_tick = ""
                self.another_serves = False
                return
            if _run_id(found) == _run_id(self._foreign_tick) and found != self._foreign_tick:
                self.another_serves = True
                self._writer.complain(
                    f"another router (process {router.pid} on its machine) serves the same Asterisk",
                    "stop one of them: both ring phones for the same callers",
                )
            self._foreign_tick = found

        return Step(actions.getvar("", contract.TICK), on_reply)


def _run_id(tick: str) -> str:
    """The run of a router that set this tick."""
    return tick.partition("-")[0]
