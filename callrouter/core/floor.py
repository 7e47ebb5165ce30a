"""The floor: the whole state of the core, and what it orders and reports during an event."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from callrouter.core.deadlines import Timers
from callrouter.core.index.pools import RandomSource
from callrouter.core.state import Agent, Call, Offer, OutsideCalls, Queue
from callrouter.model.commands import DialOutside, Leave, PbxCommand
from callrouter.model.events import DeviceState
from callrouter.model.notices import Notice, Oddity, Output
from callrouter.model.restored_history import TalkingBefore, TriedBefore
from callrouter.model.routing_table import Table

DEPARTED = 10.0
"""Seconds during which a caller who was sent away may still show up in snapshots."""


@dataclass(slots=True)
class CallsBefore:
    """What the record told of calls of before a restart, by call, until these are found.

    Attributes:
        tried: who was tried for it.
        talking: its conversation.
    """

    tried: dict[str, TriedBefore] = field(default_factory=dict)
    talking: dict[str, TalkingBefore] = field(default_factory=dict)


class Floor:
    """The whole state of the core, and the commands ordered during the present event.

    Attributes:
        now: the time of the present event; for a late deadline, the time it was due.
        clock_now: the real time, also while late deadlines and delayed events are handled. Timeouts of
            phones and the PBX start from it.
        paces: limit on offers per second, for the PBXes that have one.
        outside: callers who were passed on to numbers outside.
        changed_rows: agents whose row (`callrouter.core.agents.agent_rows`) may have changed since
            `Router.take_changed_rows` was last called.
    """

    expecting_until = 0.0
    """Until then a PBX may still show callers in queues removed while no router ran."""
    drifting = False
    """Whether some queue's policy order changes with time alone."""
    shares_phones = False
    """Whether a phone has an address on each of several PBXes.

    If not, the paths that every event takes need not look at each device.
    """
    stopped: frozenset[str] = frozenset()
    """PBXes out of step that are known not to run."""
    _serial = 0

    def __init__(self, *, rng: RandomSource, run_id: str) -> None:
        self.rng = rng
        self.run_id = run_id
        self.now = self.clock_now = 0.0
        self.table = Table()
        self.agents: dict[str, Agent] = {}
        self.queues: dict[str, Queue] = {}
        self.calls: dict[str, Call] = {}
        self.offers: dict[str, Offer] = {}
        self.timers = Timers()
        self.up: set[str] = set()
        """PBXes that are in step. Nothing is ordered from the others."""
        self.paces: dict[str, float] = {}
        self.hold_pbxes: set[str] = set()
        """PBXes that can put a caller on hold and add a colleague to a conversation."""
        self.outside = OutsideCalls()
        self.device_states: dict[tuple[str, str], DeviceState] = {}
        self.in_use: dict[tuple[str, str], tuple[str, float]] = {}
        """Endpoints in a call that is not ours: its channel, and when it began."""
        self.owners: dict[tuple[str, str], list[Agent]] = {}
        """The agents that an endpoint belongs to."""
        self.cooldowns: dict[tuple[str, str], float] = {}
        """Devices (agent, device) in cooldown, and when it ends."""
        self.passed_on: dict[str, str] = {}
        """Calls that a phone's home has passed on, each with its PBX, where its channel goes on."""
        self.clearing: dict[tuple[str, str], None] = {}
        """Endpoints (PBX, endpoint) in use whose call is probably one of ours that is over."""
        self.outside_hours: set[tuple[str, str]] = set()
        """Devices (agent, device) outside their hours."""
        self.changed_agents: dict[str, Agent] = {}
        """Agents whose availability may have changed during this event."""
        self.changed_rows: dict[str, None] = {}
        self.unmatched_calls: dict[str, Call] = {}
        """Calls that may want agents since this event."""
        self.recount_presence: dict[str, Agent] = {}
        """Agents who may count as present for other PBXes since this event."""
        self.unstaffed_queues: dict[str, Queue] = {}
        """Queues that may have lost their last agent during this event."""
        self.departed: OrderedDict[str, float] = OrderedDict()
        """Calls that were sent away a short while ago, oldest first, with the time."""
        self.out: list[Output] = []
        self.last_talks: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        """By queue and caller number: the last agent, and when they last talked; oldest first."""
        self.before = CallsBefore()
        self.transferred_by: OrderedDict[str, str] = OrderedDict()
        """By call: the agent who last transferred it; oldest first."""
        self.former_agents: dict[str, str] = {}
        """The present agent by each former name; `former_queues` likewise."""
        self.former_queues: dict[str, str] = {}
        self.draining: dict[str, Queue] = {}
        """Queues removed from the table that stay for the calls in them."""

    def agent_named(self, name: str) -> Agent | None:
        """An agent by their present or former id.

        None if there is none. A present id comes before a former one.
        """
        found = self.agents.get(name)
        return found or self.agents.get(self.former_agents.get(name, ""))

    def next_serial(self) -> int:
        """A number that has not been used before.

        The first is 1 in every run, and each is greater than those before it.
        """
        self._serial += 1
        return self._serial

    def mark_changed(self, agent: Agent) -> None:
        """Something about the agent changed: re-evaluate them before this event is done.

        The presence in their queues is not counted again; `mark_devices_changed` does that too.
        """
        self.changed_agents[agent.id] = agent

    def mark_devices_changed(self, agent: Agent) -> None:
        """A device changed: re-evaluate the agent, and the presence in their queues."""
        self.changed_agents[agent.id] = agent
        self.recount_presence[agent.id] = agent

    def order(self, command: PbxCommand) -> None:
        """Add a command to those of this event.

        Nothing is ordered from a PBX that is out of step: it could not be done, and done late it
        could do harm. The next snapshot of that PBX makes up for what was left out.
        """
        if command.pbx in self.up:
            self.out.append(command)
            if isinstance(command, Leave | DialOutside):
                self._departs(command.call)

    def _departs(self, call: str) -> None:
        departed = self.departed
        while departed and next(iter(departed.values())) < self.now - DEPARTED:
            departed.popitem(last=False)
        departed[call] = self.now
        departed.move_to_end(call)

    def report_oddity(self, text: str, mistake: str = "") -> None:
        """Report something odd that is otherwise ignored. `mistake` is as in `Oddity`."""
        self.out.append(Oddity(at=self.now, text=text, mistake=mistake))

    def publish(self, notice: Notice) -> None:
        """Report what happened to the listeners of the runtime.

        It stands among the commands of this event in the order of what happened, and unlike `order`
        it does not depend on a PBX.
        """
        self.out.append(notice)
