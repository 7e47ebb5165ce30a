"""What the core knows: calls, agents, offers, and the floor they are on. Plain data, no rules."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from callrouter.core.lanes import NO_NEEDS, Lane, LaneKey, NeedsKey, Where
from callrouter.core.lines import QueueLine
from callrouter.core.pools import Dice, make_pool
from callrouter.core.refused import Passed
from callrouter.core.timers import Timers
from callrouter.model.commands import Command, Happened, Leave, Note, PbxCommand, Record
from callrouter.model.events import LegEnd, Reached
from callrouter.model.table import (
    DEFAULT_PRIORITY,
    AgentSpec,
    DeviceSpec,
    MemberSpec,
    QueueSpec,
    Table,
)
from callrouter.policies import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterator


MESSAGES = 5
"""Of what an agent was told, so many of the last things are kept."""

MOVES = 20
"""Of the intervals at which a queue's line moved on, so many of the last are kept."""

DEPARTED = 10.0
"""Seconds for which we know that a caller whom a PBX still shows has been sent away."""


# Python 3.11 takes 0.1 µs to look up a member of an Enum, some eighty times a call: modules that every
# call passes through keep those they need under names of their own.


class CallState(Enum):
    """Where a caller is."""

    WAITING = "waiting"
    """In line, whether phones ring or not."""
    CONNECTING = "connecting"
    """An agent accepted; the PBX is bringing the two together."""
    TALKING = "talking"
    ENDED = "ended"


class OfferState(Enum):
    """Where an offer is. It keeps its agent reserved until it is over."""

    RINGING = "ringing"
    ACCEPTED = "accepted"
    TALKING = "talking"
    CLOSING = "closing"
    """Decided; waiting for the PBX to confirm that the phones are quiet."""
    ENDED = "ended"

    __hash__ = object.__hash__  # looked up with every event; Enum's own is written in Python


class LegState(Enum):
    """Where the leg to one device is."""

    PLANNED = "planned"
    """Its `ring_after` has not passed."""
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up, asked to press 1."""
    ACCEPTED = "accepted"
    ENDED = "ended"

    __hash__ = object.__hash__


class AgentState(Enum):
    """What is true of an agent; the values are those of the API."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    RESERVED = "reserved"
    RINGING = "ringing"
    ON_CALL = "on-call"
    WRAP_UP = "wrap-up"
    PAUSED = "paused"

    __hash__ = object.__hash__


class Strike(Enum):
    """What a device did when it was rung, that speaks against ringing it again; in words."""

    REFUSED = "refused a call"
    NOT_REACHED = "could not be reached"
    NOT_ACCEPTED = "was answered and nobody pressed 1"
    SILENT = "does not answer"
    """It neither rang nor refused nor was picked up."""
    DROPPED = "hung up right after it was picked up"
    DEAD = "did not stop ringing when told to"

    __hash__ = object.__hash__


@dataclass(slots=True, eq=False)
class Leg:
    """The attempt to ring one device."""

    device: DeviceSpec
    pbx: str
    state: LegState = LegState.PLANNED
    stopping: bool = False
    end: LegEnd | None = None
    rang_at: float | None = None
    """Since when it has rung."""
    asked: bool = False
    """It was picked up and asked for key 1."""


@dataclass(slots=True, eq=False)
class Offer:
    """The decision to ring an agent for a call; while they talk, the agent's part in it."""

    id: str
    call: Call
    member: Membership
    turn: int
    placed_at: float
    legs: dict[str, Leg]
    state: OfferState = OfferState.RINGING
    rang: bool = False
    winner: Leg | None = None
    talked_since: float | None = None
    adopted: bool = False
    """Found in a talk after a gap: nobody knows for how long they had talked."""
    outcome: str = ""
    consult: bool = False
    """It is for the agent who has the call, and not for its caller."""
    aside: bool = False
    """It goes on, and no longer keeps the call from being offered to others."""
    agent: Agent = field(init=False)
    """Who is rung: that of `member`."""

    def __post_init__(self) -> None:
        self.agent = self.member.agent

    def hand_to(self, member: Membership) -> None:
        """Another agent picked it up."""
        self.member = member
        self.agent = member.agent


@dataclass(frozen=True, slots=True)
class Strikes:
    """What the device at an address did when it was rung, and how many times in a row.

    `until`: it is left alone until then.
    """

    kind: Strike
    count: int
    address: str
    until: float = 0.0

    def words(self) -> str:
        """For people, after the name of the device."""
        if self.count == 1:
            return self.kind.value
        if self.kind is Strike.REFUSED:
            return f"refused {self.count} calls in a row"
        often = "twice" if self.count == 2 else f"{self.count} times"
        return f"{self.kind.value}, {often} in a row"


@dataclass(slots=True, eq=False)
class Call:
    """A caller's contact, from entry to end."""

    id: str
    pbx: str
    queue: Queue
    seq: int
    entered_at: float
    """First entry into any queue: the order in line goes by it, and nothing else."""
    queued_at: float
    """Entry into the present queue, moved on by any time spent talking: all waits count from here."""
    priority: int = DEFAULT_PRIORITY
    caller_number: str = ""
    """In the form of `callrouter.model.numbers`; empty: it is withheld."""
    caller_name: str = ""
    called_number: str = ""
    tag: str = ""
    first_agent: str = ""
    """Whom the call prefers: named by the dialplan or a rule, or the caller's last agent."""
    skills: Mapping[str, int] = field(default_factory=dict)
    """What rules ask for, besides what the queue does."""
    state: CallState = CallState.WAITING
    offers: dict[str, Offer] = field(default_factory=dict)
    """Ringing offers, by agent."""
    winner: Offer | None = None
    parks: bool = True
    """Whether this talk can be held."""
    held: bool = False
    """The caller hears music, by the wish of the agent who has the call."""
    consult: Offer | None = None
    """A colleague whom that agent asks first."""
    tried: dict[str, None] = field(default_factory=dict)
    """Agents who refused or missed this call since it last went round, in that order. No set: unlike
    one, an empty dict and one of names are nothing to the garbage collector."""
    been: tuple[str, ...] = ()
    """Queues it has been in, so that an overflow in a circle ends."""
    failed_at: float = 0.0
    """When the last of those in `tried` failed: the pause before going round runs from here."""
    expired: bool = False
    """`max_wait` has struck; what rings may finish ringing, nothing new is rung."""
    lanes: tuple[Lane, ...] = ()
    """The lanes in whose lines the call stands; none while it wants nobody more."""
    tier: int = 0
    """How many steps of widening it has waited for."""
    at_once: int = 1
    """How many agents may ring at once by now."""
    asides: bool = False
    """Whether an offer of it ever stood aside: only then is it looked for one."""
    needs: NeedsKey = NO_NEEDS
    """What skills an agent must have by now."""
    dropped_by: dict[str, None] = field(default_factory=dict)
    """Agents whose phones took the call and were gone before a word was said."""
    drops: int = 0
    """How often that happened."""
    connected_at: float | None = None
    origin_position: int = 0
    shown_number: str = ""
    """The caller's number as the PBX wrote it, which agents' phones show: they may call it back as it is."""
    told_at: float | None = None
    """When the caller's place was told last."""
    told_place: int = 0
    """The place in this queue that the caller was told last; 0: none."""

    @property
    def key(self) -> tuple[float, float, int]:
        """The order within a queue: priority, first entry, and who was seen first."""
        return (self.priority, self.entered_at, self.seq)

    @property
    def rank(self) -> tuple[float, float, float, int]:
        """The order across queues: the heavier queue, then as within a queue."""
        return (-self.queue.spec.weight, self.priority, self.entered_at, self.seq)

    def passed(self) -> Passed:
        """The agents who are not to be rung for the call now: tried, or ringing already."""
        return frozenset([*self.tried, *self.offers])


@dataclass(slots=True, eq=False)
class Membership:
    """An agent in a queue."""

    agent: Agent
    queue: Queue
    spec: MemberSpec
    tier: int = 0
    """The step of widening that opens the queue's calls to the agent; 0: they always are."""
    turn: int = 0
    calls: int = 0
    talk: float = 0.0

    @property
    def level(self) -> int:
        """See `callrouter.policies.base.Candidate`."""
        return self.spec.level

    @property
    def order(self) -> int:
        """See `callrouter.policies.base.Candidate`."""
        return self.spec.order

    @property
    def idle_since(self) -> float:
        """See `callrouter.policies.base.Candidate`."""
        return self.agent.idle_since

    @property
    def load(self) -> float:
        """See `callrouter.policies.base.Candidate`."""
        return len(self.agent.offers) / self.agent.spec.capacity

    @property
    def busy_share(self) -> float:
        """See `callrouter.policies.base.Candidate`."""
        return self.agent.busy_share

    @property
    def offers_per_second(self) -> float:
        """See `callrouter.policies.base.Candidate`."""
        return self.agent.offers_per_second

    @property
    def skills(self) -> Mapping[str, int]:
        """See `callrouter.policies.base.Candidate`."""
        return self.agent.spec.skills


@dataclass(slots=True, eq=False)
class Agent:
    """A person, once, whatever the number of queues."""

    spec: AgentSpec
    signed_in: bool = False
    signed_in_at: float | None = None
    pause: str | None = None
    """The reason of a pause that holds now; None: not paused."""
    paused_at: float | None = None
    overstayed: bool = False
    """Told already that the pause has lasted as long as it may."""
    pending_pause: str | None = None
    pending_sign_out: bool = False
    pending_by: str = ""
    """Who asked for what is pending."""
    promised: str = ""
    """What was pending before a restart and was then carried out, for no call was known: ``pause`` or
    ``sign-out``. Should the call be found, it is pending again."""
    changed_by: str = ""
    """Who signed the agent in or out, paused them or brought them back last."""
    changed_at: float | None = None
    devices_off: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Devices that are switched off while we run, each with who did it and when."""
    strikes: dict[str, Strikes] = field(default_factory=dict)
    """What speaks against ringing a device."""
    messages: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MESSAGES))
    """What the agent was told last, and when."""
    wrap_until: float | None = None
    wrap_queue: str = ""
    idle_since: float = 0.0
    since: float = 0.0
    """When the state shown last changed."""
    shown: AgentState = AgentState.OFFLINE
    before: tuple[AgentState, float] | None = None
    """The state shown before a restart, and since when, until the PBX has shown whether it still is."""
    misses: int = 0
    """Calls missed in a row."""
    calls: int = 0
    talk: float = 0.0
    busy: deque[tuple[float, float]] = field(default_factory=deque)
    """When the agent was on calls within the last hour: from, to."""
    busy_share: float = 0.0
    offers_per_second: float = math.inf
    """The least of the PBXes in `open`, brought up to date with it."""
    memberships: dict[str, Membership] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    lanes: tuple[Lane, ...] = ()
    """The lanes in which the agent stands as available."""
    open: tuple[str, ...] = ()
    """The PBXes through which the agent is available; empty while not available."""
    present_on: tuple[str, ...] = ()
    """The PBXes for whose calls the agent counts as present; see `callrouter.core.staffing`."""
    own_lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)
    """Lanes of calls that prefer this agent, by queue and PBX."""
    lanes_on: dict[str, tuple[Lane, ...]] = field(default_factory=dict)
    """The lanes the agent belongs to on each PBX, once asked for; forgotten when there are others."""
    gone: bool = False
    """Taken out of the table; finishes what is going on."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.spec.id


@dataclass(slots=True, eq=False)
class Queue:
    """Waiting calls with their rules."""

    spec: QueueSpec
    members: dict[str, Membership] = field(default_factory=dict)
    known: dict[str, Membership] = field(default_factory=dict)
    """Every member there was, so that one who comes back with a shift has their turn and counts."""
    waiting: QueueLine = field(default_factory=QueueLine)
    lanes: dict[Where, Lane] = field(default_factory=dict)
    turns: int = 0
    present: int = 0
    """Members signed in and not paused: when there are none, no caller waits."""
    there: dict[str, int] = field(default_factory=dict)
    """Members who count as present for the calls of each PBX; see `callrouter.core.staffing`."""
    absent: dict[str, float] = field(default_factory=dict)
    """Since when there have been none, for each PBX on which there were some."""
    made_at: float = 0.0
    """When the queue came to be, and there were none on any PBX."""
    answered: int = 0
    moves: deque[float] = field(default_factory=lambda: deque(maxlen=MOVES))
    """Seconds between two callers who were taken, while there was a line; the last ones."""
    moved_at: float | None = None
    """When the last caller was taken, if somebody has stood in line since."""
    gone: bool = False
    """Taken out of the table: it takes no new calls, and stays until those that are in it have ended."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.spec.id


class Floor:
    """Everything on the call-centre floor, and what has been ordered in the present step.

    Attributes:
        now: the time of the present step; of a deadline that is late, when it should have struck.
        present: the time, also while late deadlines strike and events are taken that had waited for us:
            phones and the PBX have their time from then on.
    """

    def __init__(self, *, dice: Dice, boot: str) -> None:
        self.dice = dice
        self.boot = boot
        self.now = 0.0
        self.present = 0.0
        self.table = Table()
        self.agents: dict[str, Agent] = {}
        self.queues: dict[str, Queue] = {}
        self.calls: dict[str, Call] = {}
        self.offers: dict[str, Offer] = {}
        self.timers = Timers()
        self.up: set[str] = set()
        """PBXes that are in step; nothing is ordered from the others."""
        self.paces: dict[str, float] = {}
        """Offers per second of those PBXes that have such a limit."""
        self.parking: set[str] = set()
        """PBXes that can put a caller on hold, and a colleague in the talk, when asked."""
        self.reached: dict[tuple[str, str], Reached] = {}
        self.in_use: dict[tuple[str, str], tuple[str, float]] = {}
        """Phones in a call that is not ours: its channel, and since when."""
        self.owners: dict[tuple[str, str], list[Agent]] = {}
        """Whose phone an endpoint is."""
        self.resting: dict[tuple[str, str], float] = {}
        """Devices (agent, device) that just failed, and until when they are left alone."""
        self.outside_hours: set[tuple[str, str]] = set()
        """Devices (agent, device) that do not ring at this hour."""
        self.freed: dict[str, Agent] = {}
        """Agents whose availability may have changed in this step."""
        self.hungry: dict[str, Call] = {}
        """Calls that may want agents since this step."""
        self.staffing: dict[str, Agent] = {}
        """Agents who may count as present for other PBXes since this step."""
        self.emptied: dict[str, Queue] = {}
        """Queues that may have nobody left since this step."""
        self.departed: OrderedDict[str, float] = OrderedDict()
        """Calls that were sent away a short while ago, oldest first, and when."""
        self.out: list[Command] = []
        self.last_talks: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        """Whom a caller (queue, number) talked to last, and when it ended; the oldest first."""
        self.passed_on: OrderedDict[str, str] = OrderedDict()
        """Who transferred a call away last, by call; the oldest first."""
        self.former_agents: dict[str, str] = {}
        """The agent whom a name belonged to before, by that name; the same for queues."""
        self.former_queues: dict[str, str] = {}
        self.draining: dict[str, Queue] = {}
        """Queues that are taken out of the table and stay for the calls that are in them."""
        self.expecting_until = 0.0
        """Until then a PBX may still show callers in queues that were taken out while no router ran."""
        self.drifting = False
        """Whether a queue's order moves with the clock alone."""
        self._serial = 0

    def agent_named(self, name: str) -> Agent | None:
        """An agent by their id, or by the one that they had before."""
        found = self.agents.get(name)
        return found or self.agents.get(self.former_agents.get(name, ""))

    def next_serial(self) -> int:
        """A number that was not given out before."""
        self._serial += 1
        return self._serial

    def order(self, command: PbxCommand) -> None:
        """Add a command to those of this step.

        Nothing is ordered from a PBX that is out of step: it could not be done, and done late it
        could do harm. What was left out is made up for when the PBX's next snapshot is compared.
        """
        if command.pbx in self.up:
            self.out.append(command)
            if isinstance(command, Leave):
                self._departs(command.call)

    def _departs(self, call: str) -> None:
        departed = self.departed
        while departed and next(iter(departed.values())) < self.now - DEPARTED:
            departed.popitem(last=False)
        departed[call] = self.now
        departed.move_to_end(call)

    def note(self, text: str, mistake: str = "") -> None:
        """Tell of something odd that is passed over; `mistake` as in `Note`."""
        self.out.append(Note(text=text, mistake=mistake))

    def record(
        self,
        kind: Happened,
        *,
        call: Call | None = None,
        queue: str = "",
        agent: str = "",
        offer: str = "",
        detail: tuple[str | int | float, ...] = (),
    ) -> None:
        """Tell of something that became true."""
        self.out.append(
            Record(kind, self.now, "", queue, agent, offer, detail)
            if call is None
            else Record(kind, self.now, call.id, queue or call.queue.spec.id, agent, offer, detail)
        )

    def lane(self, queue: Queue, where: Where) -> Lane:
        """A lane of a queue, made when a call first needs it, with everyone who is available."""
        lane = queue.lanes.get(where)
        if lane is None:
            key = LaneKey(*where)
            lane = queue.lanes[key] = self._new_lane(queue, key)
            for member in queue.members.values():
                member.agent.lanes_on.clear()
                if key.pbx in member.agent.open and lane.admits(member):
                    lane.idle.add(member)
                    member.agent.lanes += (lane,)
        return lane

    def own_lane(self, member: Membership, pbx: str) -> Lane:
        """The lane of the calls of a queue that prefer one agent."""
        agent, place = member.agent, (member.queue.id, pbx)
        lane = agent.own_lanes.get(place)
        if lane is None:
            lane = self._new_lane(member.queue, LaneKey(pbx, member.tier))
            agent.own_lanes[place] = lane
            agent.lanes_on.clear()
            if pbx in agent.open:
                lane.idle.add(member)
                agent.lanes += (lane,)
        return lane

    def _new_lane(self, queue: Queue, key: LaneKey) -> Lane:
        policies = tuple(REGISTRY[name] for name in queue.spec.policy)
        return Lane(queue.id, key, make_pool(policies, dict(key.needs), self.dice))

    def all_lanes(self) -> Iterator[Lane]:
        """Every lane there is."""
        for queue in self.queues.values():
            yield from queue.lanes.values()
        for agent in self.agents.values():
            yield from agent.own_lanes.values()
