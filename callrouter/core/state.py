"""What the core knows of calls, offers, agents and queues. Data only: no rule is applied here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from callrouter.core.index.exclusions import Excluded
from callrouter.core.index.lanes import NO_NEEDS, Lane, NeedsKey, Where
from callrouter.core.index.lines import QueueLine
from callrouter.model.agent_status import AgentState, AgentStatus, PendingRequest
from callrouter.model.device_failures import FailureStreak
from callrouter.model.events import LegEnd
from callrouter.model.routing_table import (
    DEFAULT_PRIORITY,
    AgentSpec,
    DeviceSpec,
    MemberSpec,
    QueueSpec,
)
from callrouter.model.text import phrase

CallLane: TypeAlias = Lane["Call", "Membership"]
"""A lane of the core's own calls and memberships. The index itself knows neither."""

MESSAGES = 5
"""Number of recent messages kept per agent."""

ADVANCES = 20
"""Number of recent intervals kept per queue, for the estimate of the wait."""


# Looking up a member of an Enum takes 0.1 µs on Python 3.11, and a call needs some eighty of them. The
# code that every call passes through therefore uses the constants beside each Enum.


CALL_STATES: Final[Mapping[str, str]] = {
    "waiting": phrase("state-waiting", "waiting"),
    "connecting": phrase("result-connecting", "connecting"),
    "talking": phrase("result-talking", "talking"),
    "ended": phrase("state-ended", "ended"),
}
"""The values of `CallState` as sentences with codes."""


class CallState(Enum):
    """The state of a call.

    The core forgets a call once it is ENDED, so only placeholders and events in progress show that
    state.
    """

    WAITING = "waiting"
    """In the queue, whether or not phones ring for the caller."""
    CONNECTING = "connecting"
    """An agent accepted; the PBX is connecting the two."""
    TALKING = "talking"
    ENDED = "ended"

    __hash__ = object.__hash__  # looked up with every change; Enum's own is written in Python


CALL_WAITING: Final = CallState.WAITING
CALL_CONNECTING: Final = CallState.CONNECTING
CALL_TALKING: Final = CallState.TALKING
CALL_ENDED: Final = CallState.ENDED


class OfferState(Enum):
    """The state of an offer. Its agent stays reserved until it has ended."""

    RINGING = "ringing"
    ACCEPTED = "accepted"
    TALKING = "talking"
    CLOSING = "closing"
    """Decided; waiting for the PBX to confirm that the phones are quiet."""
    ENDED = "ended"

    __hash__ = object.__hash__  # looked up with every event; Enum's own is written in Python


OFFER_RINGING: Final = OfferState.RINGING
OFFER_ACCEPTED: Final = OfferState.ACCEPTED
OFFER_TALKING: Final = OfferState.TALKING
OFFER_CLOSING: Final = OfferState.CLOSING
OFFER_ENDED: Final = OfferState.ENDED


class LegState(Enum):
    """The state of the leg to one device."""

    PLANNED = "planned"
    """Its `ring_after` has not passed yet."""
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up, and asked to press key 1."""
    ACCEPTED = "accepted"
    ENDED = "ended"

    __hash__ = object.__hash__


LEG_PLANNED: Final = LegState.PLANNED
LEG_PLACED: Final = LegState.PLACED
LEG_RINGING: Final = LegState.RINGING
LEG_ANSWERED: Final = LegState.ANSWERED
LEG_ACCEPTED: Final = LegState.ACCEPTED
LEG_ENDED: Final = LegState.ENDED


@dataclass(slots=True, eq=False)
class Leg:
    """The attempt to ring one device."""

    device: DeviceSpec
    pbx: str
    state: LegState = LegState.PLANNED
    stopping: bool = False
    end: LegEnd | None = None
    rang_at: float | None = None
    """When it began to ring."""
    asked: bool = False
    """It was picked up and asked for key 1."""
    unseen: bool = False
    """It was picked up, and the phone's home has not said that it was the phone."""


@dataclass(slots=True, eq=False)
class Offer:
    """The decision to ring an agent for a call; later, the agent's part in the conversation."""

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
    """Found in a conversation after a gap, so its duration is unknown."""
    consult: bool = False
    """It is a consultation: for the agent who has the call, not for the caller."""
    shared: bool = False
    """It goes on, but the call is offered to other agents as well."""
    agent: Agent = field(init=False)
    """The agent being rung, which is that of `member`."""

    def __post_init__(self) -> None:
        self.agent = self.member.agent

    def hand_to(self, member: Membership) -> None:
        """Another agent picked up the call.

        Only the offer itself is changed. The caller of this method brings the offers of both agents
        and of the call into line.
        """
        self.member = member
        self.agent = member.agent


@dataclass(slots=True, eq=False)
class Call:
    """A caller's contact, from entry to end."""

    id: str
    pbx: str
    queue: Queue
    seq: int
    entered_at: float
    """First entry into any queue. Only this determines the order within a priority."""
    queued_at: float
    """Entry into the present queue, plus the time spent talking. All waits count from here."""
    priority: int = DEFAULT_PRIORITY
    caller_number: str = ""
    """In the canonical form of `callrouter.model.phone_numbers`; empty if withheld."""
    caller_name: str = ""
    called_number: str = ""
    tag: str = ""
    first_agent: str = ""
    """The agent the call prefers: named by the dialplan or a rule, or the caller's last agent."""
    skills: Mapping[str, int] = field(default_factory=dict)
    """Skills required in addition to those of the queue."""
    state: CallState = CallState.WAITING
    offers: dict[str, Offer] = field(default_factory=dict)
    """Ringing offers, by agent."""
    winner: Offer | None = None
    can_hold: bool = True
    """Whether this conversation can be put on hold."""
    held: bool = False
    """The caller is on hold, at the request of their agent."""
    consult: Offer | None = None
    """The consultation of that agent with a colleague."""
    tried: dict[str, None] = field(default_factory=dict)
    """Agents who refused or missed this call in the present round, in that order.

    A dict and not a set, because the garbage collector does not track an empty dict or one that
    holds only strings.
    """
    queues_entered: tuple[str, ...] = ()
    """Queues the call has been in, so that a circular overflow ends."""
    failed_at: float = 0.0
    """When the last agent in `tried` failed. The pause before the next round runs from here."""
    expired: bool = False
    """`max_wait` has expired: phones that ring may ring on, but no new offer is made."""
    lanes: tuple[CallLane, ...] = ()
    """The lanes in which the call stands; empty while it wants no more agents."""
    escalation_step: int = 0
    """The escalation step the call has reached by waiting."""
    at_once: int = 1
    """How many agents may ring at once by now."""
    has_shared_offers: bool = False
    """Whether an offer of this call was ever shared. Only then are its offers searched for one."""
    needs: NeedsKey = NO_NEEDS
    """The skills an agent must have by now."""
    dropped_by: dict[str, None] = field(default_factory=dict)
    """Agents whose phones took the call and hung up before a word was said."""
    drops: int = 0
    """How often that happened."""
    connected_at: float | None = None
    origin_position: int = 0
    shown_number: str = ""
    """The caller's number as the PBX wrote it. Phones show this form, for calling back."""
    announced_at: float | None = None
    """When the caller last heard an announcement."""
    announced_position: int = 0
    """The last position in this queue announced to the caller; 0: none."""

    @property
    def key(self) -> tuple[float, float, int]:
        """The order within a queue: priority, first entry, then `seq`.

        The lowest comes first. `seq` decides between calls that entered at the same instant.
        """
        return (self.priority, self.entered_at, self.seq)

    @property
    def rank(self) -> tuple[float, float, float, int]:
        """The order across queues: the queue's weight first, then as within a queue.

        The lowest comes first, so the weight is negative.
        """
        return (-self.queue.spec.weight, self.priority, self.entered_at, self.seq)

    def excluded(self) -> Excluded:
        """The agents who are not to be rung for the call now: tried, or ringing already.

        When they change, `lane_membership.update_exclusions` must follow for a call that stands in
        lanes.
        """
        return frozenset([*self.tried, *self.offers])


@dataclass(slots=True, eq=False)
class Membership:
    """An agent as a member of a queue. Implements `callrouter.policies.base.Candidate`."""

    agent: Agent
    queue: Queue
    spec: MemberSpec
    escalation_step: int = 0
    """The escalation step that opens the queue's calls to the agent; 0: from the start."""
    turn: int = 0
    calls: int = 0
    talk: float = 0.0

    @property
    def level(self) -> int:
        """The supervisor's priority, 1 (first) to 100 (last)."""
        return self.spec.level

    @property
    def order(self) -> int:
        """The position in the queue's table, from 0."""
        return self.spec.order

    @property
    def idle_since(self) -> float:
        """When the agent last became free for work, in epoch seconds."""
        return self.agent.idle_since

    @property
    def load(self) -> float:
        """Calls in progress as a share of the agent's capacity, 0 to 1.

        Offers that ring or are closing count as well.
        """
        return len(self.agent.offers) / self.agent.spec.capacity

    @property
    def busy_share(self) -> float:
        """Share of the last 60 minutes spent on calls of any queue, 0 to 1.

        As of the agent's last re-evaluation. It stays 0 unless some queue's policy needs it.
        """
        return self.agent.busy_share

    @property
    def offers_per_second(self) -> float:
        """How many phones per second the agent's PBXes may ring; infinite without a limit."""
        return self.agent.offers_per_second

    @property
    def skills(self) -> Mapping[str, int]:
        """The agent's skills and their levels."""
        return self.agent.spec.skills


@dataclass(slots=True, eq=False)
class Agent:
    """A person: one object, however many queues they serve."""

    spec: AgentSpec
    signed_in: bool = False
    signed_in_at: float | None = None
    pause: str | None = None
    """The reason of the current pause; None if not paused."""
    paused_at: float | None = None
    overstayed: bool = False
    """Whether the agent was told that the pause has reached its limit."""
    pending_pause: str | None = None
    pending_sign_out: bool = False
    pending_by: str = ""
    """Who made the pending request."""
    promised: PendingRequest | None = None
    """The request that was pending before a restart.

    It was carried out then because no call was known. If the call is found after all, the request
    is pending again.
    """
    changed_by: str = ""
    """Who last signed the agent in or out, paused or resumed them."""
    changed_at: float | None = None
    devices_off: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Devices that were switched off at run time, each with who did it and when."""
    failure_streaks: dict[str, FailureStreak] = field(default_factory=dict)
    """The failures of devices, by device."""
    messages: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MESSAGES))
    """The messages the agent was sent last, with their times."""
    wrap_until: float | None = None
    wrap_queue: str = ""
    idle_since: float = 0.0
    since: float = 0.0
    """When the status last changed, as the API shows it."""
    status: AgentStatus = AgentStatus.SIGNED_OUT
    """What the agent was doing at the end of the last event."""
    before: tuple[AgentState, float] | None = None
    """The status before a restart and its time, until a PBX has shown whether it applies."""
    misses: int = 0
    """Calls missed in a row."""
    calls: int = 0
    talk: float = 0.0
    busy: deque[tuple[float, float]] = field(default_factory=deque)
    """When the agent was on calls within the last hour: from, to."""
    busy_share: float = 0.0
    offers_per_second: float = math.inf
    """The lowest limit among the PBXes in `open`, updated together with it."""
    memberships: dict[str, Membership] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    lanes: tuple[CallLane, ...] = ()
    """The lanes in which the agent stands as available."""
    open: tuple[str, ...] = ()
    """The PBXes through which the agent is available; empty if not available."""
    present_on: tuple[str, ...] = ()
    """The PBXes for whose calls the agent counts as present; see `callrouter.core.agents.presence`."""
    own_lanes: dict[tuple[str, str], CallLane] = field(default_factory=dict)
    """Lanes of calls that prefer this agent, by queue and PBX."""
    lanes_on: dict[str, tuple[CallLane, ...]] = field(default_factory=dict)
    """A cache of the agent's lanes by PBX, cleared when the set of lanes changes."""
    acted: bool = False
    """A request in this run concerned the agent, or after-call work began.

    From then on, a row of an earlier run is out of date.
    """
    gone: bool = False
    """Removed from the table; finishes what is in progress."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.spec.id


@dataclass(frozen=True, slots=True)
class CallerOutside:
    """A caller who was passed on to a number outside: the PBX, the agent who did it, the number."""

    pbx: str
    agent: str
    number: str


@dataclass(slots=True)
class OutsideCalls:
    """What is known of callers who were passed on to numbers outside.

    Attributes:
        calls: who is outside, by call.
        refusals: why a PBX can't connect a caller with a number outside, by PBX; empty: it can.
        dialled: when an agent passed a caller on, within the last hour; oldest first.
    """

    calls: dict[str, CallerOutside] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    dialled: deque[tuple[float, str]] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Queue:
    """A queue: its configuration, its members and its waiting calls."""

    spec: QueueSpec
    members: dict[str, Membership] = field(default_factory=dict)
    known: dict[str, Membership] = field(default_factory=dict)
    """Every member so far, so that one who comes back with a shift keeps their turn and counts."""
    waiting: QueueLine[Call] = field(default_factory=QueueLine)
    lanes: dict[Where, CallLane] = field(default_factory=dict)
    turns: int = 0
    members_present: int = 0
    """Members signed in and not paused. If there are none, no caller waits."""
    members_present_on: dict[str, int] = field(default_factory=dict)
    """Members who count as present for the calls of each PBX; see `callrouter.core.agents.presence`."""
    unstaffed_since: dict[str, float] = field(default_factory=dict)
    """For each PBX that lost its last present member: when it did."""
    created_at: float = 0.0
    """When the queue was created, without a present member on any PBX."""
    answered: int = 0
    advances: deque[float] = field(default_factory=lambda: deque(maxlen=ADVANCES))
    """Recent intervals, in seconds, between two callers taken while the queue was not empty."""
    advanced_at: float | None = None
    """When the last caller was taken; None if the queue has been empty since."""
    gone: bool = False
    """Removed from the table: takes no new calls, and stays until the calls in it have ended."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.spec.id
