"""BLF: device states that keys on phones can monitor, one per agent and one per queue.

``Custom:callrouter-alice`` shows the state of alice. ``Custom:callrouter-queue-support`` is lit
while calls wait. Updates are batched and follow a moment later, so that no offer ever waits for a
lamp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import WaitingCallMoved
from callrouter.model.notices import (
    AgentStatusChanged,
    CallNotice,
    Notice,
    QueueNotice,
    TableReloaded,
)
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.lamp_places import AGENT, QUEUE, LampPlaces, is_lamp
from callrouter.pbx.interface import DeviceBoard

AFTER: Final = 0.25
"""Seconds from a change to the lamp's update. Shorter changes are not shown."""
_AT_A_TIME: Final = 200
"""Lamps examined in one pass, so that thousands of them never delay an offer."""

OFF: Final = "NOT_INUSE"
LIT: Final = "INUSE"
RINGING: Final = "RINGING"
AWAY: Final = "UNAVAILABLE"
STATES: Final = {
    AgentState.OFFLINE: AWAY,
    AgentState.AVAILABLE: OFF,
    AgentState.RINGING: RINGING,
    AgentState.ON_CALL: LIT,
    AgentState.WRAP_UP: "ONHOLD",
    AgentState.PAUSED: "ONHOLD",
}
"""What an agent's lamp shows. ``ONHOLD`` means signed in but not taking calls at present.

A reserved agent whose phone has not rung yet is shown as free: the order is free, ringing, in use.
"""


class BlfLamps:
    """Keeps the lamps of one Asterisk up to date.

    A change is shown after a short delay, and many at once in several passes.
    """

    def __init__(
        self,
        board: DeviceBoard,
        send: Callable[..., None],
        in_step: Callable[[], bool],
        places: LampPlaces,
    ) -> None:
        self._board = board
        self._places = places
        self._send = send
        self._in_step = in_step
        self._shown: dict[str, str] = {}
        self._marked: dict[str, None] = {}
        """Lamps to be examined, oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, notice: Notice) -> None:
        """Mark the lamps that a notice may affect."""
        match notice:
            case TableReloaded():
                self._mark(self._all_lamps())
            case AgentStatusChanged():
                if self._places.has_agent(notice.agent):
                    self._mark(AGENT + name for name in self._agent_names(notice.agent))
            case WaitingCallMoved():  # the notice does not name the previous queue
                self._mark(QUEUE + name for name in self._board.queue_ids())
                self._mark(QUEUE + name for name in self._queue_names(notice.queue))
            case CallNotice() | QueueNotice():
                self.queue_changed(notice.queue)
            case _:
                pass

    def queue_changed(self, queue: str) -> None:
        """Mark the lamps of a queue: something happened to one of its calls."""
        if self._places.has_queue(queue):
            self._mark(QUEUE + name for name in self._queue_names(queue))

    def refresh(self, devices: Mapping[str, str]) -> None:
        """Set all lamps again, in case Asterisk was restarted or another program has set one.

        Asterisk keeps lamps over every restart. So one whose agent or queue was removed while no
        router was connected is found among its devices, and shows nothing from now on.

        Args:
            devices: the states that Asterisk has, by device.
        """
        known = list(self._shown)
        self._shown.clear()
        self._mark(known)
        self._mark(self._all_lamps())
        self._mark(
            lamp
            for lamp, state in devices.items()
            if is_lamp(lamp) and lamp not in self._marked and state != self._state(lamp)
        )

    def show(self, lamps: Iterable[str]) -> None:
        """Show lamps that a key watches from now on."""
        self._mark(lamps)

    def close(self) -> None:
        """Stop updating lamps."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _all_lamps(self) -> Iterable[str]:
        board = self._board
        yield from (AGENT + name for name in board.agent_ids())
        yield from (QUEUE + name for name in board.queue_ids())
        yield from (AGENT + name for name in board.former_agent_ids())
        yield from (QUEUE + name for name in board.former_queue_ids())
        yield from list(self._shown)

    def _agent_names(self, agent: str) -> Iterable[str]:
        """The names under which keys may monitor an agent.

        After a rename, keys on phones still use the former name.
        """
        known = self._board.agent_spec(agent)
        former = known.renamed_from if known is not None else ""
        return (agent, former) if former else (agent,)

    def _queue_names(self, queue: str) -> Iterable[str]:
        known = self._board.queue_spec(queue)
        former = known.renamed_from if known is not None else ""
        return (queue, former) if former else (queue,)

    def _mark(self, lamps: Iterable[str]) -> None:
        shown = self._places.has
        self._marked.update((lamp, None) for lamp in lamps if shown(lamp))
        if self._marked and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(AFTER, self._update_marked)

    def _update_marked(self) -> None:
        self._timer = None
        if not self._in_step():
            return  # all are set again once it is in step
        updates = []
        for _ in range(min(_AT_A_TIME, len(self._marked))):
            lamp = next(iter(self._marked))
            del self._marked[lamp]
            state = self._state(lamp)
            if self._shown.get(lamp) != state:
                self._shown[lamp] = state
                updates.append(actions.setvar("", f"DEVICE_STATE({lamp})", state))
        if updates:
            self._send(*updates)
        self._mark(())

    def _state(self, lamp: str) -> str:
        """The state a lamp must show.

        An agent's name may make its lamp look like a queue's lamp. In that case the agent takes
        precedence.
        """
        agent = self._board.agent_named(lamp.removeprefix(AGENT))
        if agent is not None and agent.state is AgentState.RESERVED and not agent.gone:
            # The phone has not rung yet, or is being stopped. Neither leads to a conversation, so
            # do not show "in use".
            return RINGING if self._shown.get(lamp) == RINGING else OFF
        if agent is not None:
            return AWAY if agent.gone else STATES[agent.state]
        name = lamp.removeprefix(QUEUE) if lamp.startswith(QUEUE) else ""
        queue = self._board.queue_named(name) if name else None
        if queue is not None:
            return LIT if queue.waiting else OFF
        return OFF if lamp.startswith(QUEUE) else AWAY
