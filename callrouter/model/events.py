"""Everything that can reach the core: facts, in the past tense.

Drivers translate what their PBX says into these; people's requests and new configuration arrive the
same way. An event carries no time: the runtime stamps it once, when it hands it to the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import NamedTuple, TypeAlias

from callrouter.model.frozen import frozen
from callrouter.model.table import DEFAULT_PRIORITY, Table


class Reached(Enum):
    """What a PBX knows of a phone (`EndpointChanged`)."""

    IDLE = "idle"
    IN_USE = "in-use"
    """In a call, or ringing for one, that is not ours."""
    BUSY = "busy"
    """A state that is kept with the phone says that it takes no calls, such as do-not-disturb."""
    UNREACHABLE = "unreachable"


class LegEnd(Enum):
    """Why a leg to a phone is over. The value is what people read."""

    BUSY = "busy"
    """The phone said busy (SIP 486)."""
    DECLINED = "declined"
    """The person said no: rejected (SIP 603), or key 2 on a mobile."""
    WRONG_KEY = "wrong key"
    """Answered, and a key was pressed that is neither 1 nor 2: no yes, so it is a refusal."""
    NO_ANSWER = "no answer"
    """It rang until its time was up, or for most of it and then ended the ring itself."""
    SILENT = "no reply"
    """Nothing came back until its time was up: no ringing, no answer, no refusal."""
    UNAVAILABLE = "unavailable"
    """The phone is there but takes no call now (SIP 480)."""
    UNREACHABLE = "unreachable"
    """No such phone, not registered, or no reply (SIP 404, 408, 503 …)."""
    FAILED = "failed"
    """Refused by the PBX, or any other fault."""
    NUMBER_REFUSED = "number refused"
    """The carrier took no call that shows this number (SIP 403, 603, 607, 608 without any ringing)."""
    NOT_ACCEPTED = "not accepted"
    """Answered, but nobody pressed 1 in time: a voicemail, or a pocket."""
    HUNG_UP = "hung up"
    """It had answered, and hung up or was ended by us."""


class CallerEnd(Enum):
    """How a caller's channel left us."""

    HUNG_UP = "hung up"
    TAKEN = "taken elsewhere"
    """Someone else moved the caller out of the waiting room (a redirect, a pickup)."""
    LOST = "lost"
    """Gone when we looked again after a gap in what the PBX told us."""


class TransferKind(Enum):
    """How an agent passed a call on."""

    BLIND = "blind"
    ATTENDED = "attended"


class ConnectFault(Enum):
    """Why a connect did not come about."""

    CALLER_GONE = "the caller had gone"
    LEG_GONE = "the agent's phone had gone"
    FAILED = "the PBX refused"


# ---------------------------------------------------------------- from a PBX


@frozen
class CallArrived:
    """A caller entered a queue, or was found waiting after a gap (then `entered_at` is set).

    `entered_at` is the call's first entry into any queue, `queued_at` its entry into this one (None: not
    known; a caller who comes now enters now).
    """

    call: str
    pbx: str
    queue: str
    caller_number: str = ""
    caller_name: str = ""
    called_number: str = ""
    priority: int = DEFAULT_PRIORITY
    agent: str = ""
    tag: str = ""
    entered_at: float | None = None
    skills: Mapping[str, int] = field(default_factory=dict)
    """The least levels that the dialplan asks an agent to have."""
    refused: tuple[tuple[str, str], ...] = ()
    """Values of the dialplan that cannot be right and are not used: what each is of, and why."""
    queued_at: float | None = None


@frozen
class CallerLeft:
    """The caller's channel is gone, or no longer ours."""

    call: str
    how: CallerEnd = CallerEnd.HUNG_UP


@frozen
class CallerReplaced:
    """By an attended transfer onto a waiting call another person has taken over its place in line.

    `agent` is who transferred them, where that was an agent.
    """

    call: str
    caller_number: str = ""
    caller_name: str = ""
    agent: str = ""


@frozen
class CallerListens:
    """A waiting caller for whom an `Announce` is kept can be spoken to now."""

    call: str


@frozen
class LegRang:
    """A phone rings."""

    offer: str
    device: str


@frozen
class LegAnswered:
    """A phone was picked up; it asks its person for key 1 now."""

    offer: str
    device: str


@frozen
class LegAccepted:
    """The agent takes the call: off-hook on a desk phone, key 1 on a mobile."""

    offer: str
    device: str


@frozen
class LegEnded:
    """A leg is over, for whatever reason. Every leg of every offer ends in exactly one of these."""

    offer: str
    device: str
    why: LegEnd


@frozen
class NumberRefused:
    """The carrier refused a leg for the number that it showed.

    `again`: it is rung once more and shows the business's number; else a `LegEnded` follows.
    """

    offer: str
    device: str
    again: bool


@frozen
class CallConnected:
    """Caller and agent hear each other. `parks` False: this talk can't be held, nor a colleague brought in."""

    call: str
    offer: str
    parks: bool = True


@frozen
class ConnectFailed:
    """Caller and agent could not be brought together."""

    call: str
    offer: str
    why: ConnectFault


@frozen
class CallTransferred:
    """The agent passed the caller on to `to`; the caller is no longer ours."""

    call: str
    kind: TransferKind
    to: str = ""


@frozen
class LegMoved:
    """Another phone picked up what rang on this leg; `endpoint` is the phone that talks now.

    On a device without `confirm` this is the acceptance, whether a `LegAccepted` follows or not.
    """

    offer: str
    device: str
    endpoint: str


@frozen
class EndpointChanged:
    """What a PBX knows of a phone has changed.

    In use: `channel` names the call that is not ours, and `since` is when it began (epoch seconds).
    """

    pbx: str
    endpoint: str
    state: Reached
    channel: str = ""
    since: float | None = None


@frozen
class SeenCall:
    """A caller's channel as found in a snapshot; `talking_to` is the offer it is bridged with."""

    arrived: CallArrived
    talking_to: str = ""


@frozen
class SeenLeg:
    """A leg of ours as found in a snapshot.

    `rang`: not known to be silent yet; `answered`: picked up; `accepted`: key 1 was pressed (a device without `confirm` accepts by being
    picked up); `bridged`: in a talk, with whomever.
    """

    offer: str
    device: str
    agent: str
    call: str
    rang: bool = True
    answered: bool = False
    accepted: bool = False
    bridged: bool = False


@frozen
class PbxSnapshot:
    """The whole truth of one PBX, at start and after every gap. It is in step from here on.

    `offers_per_second` is how many phones it may be told to ring in a second (None: as many as one
    likes). Such a PBX rings them one after the other, so each one's ring time begins when it rings.
    """

    pbx: str
    offers_per_second: float | None = None
    parks: bool = False
    """Whether it can put a caller on hold, and a colleague in the talk, when told to."""
    calls: tuple[SeenCall, ...] = ()
    legs: tuple[SeenLeg, ...] = ()
    endpoints: Mapping[str, Reached] = field(default_factory=dict)
    in_use: Mapping[str, tuple[str, float | None]] = field(default_factory=dict)
    """Of phones in use: the channel, and since when."""


@frozen
class PbxLost:
    """The link to a PBX is gone. Its calls and phones stay as last known; nothing is ordered."""

    pbx: str
    why: str = ""


# ---------------------------------------------------------------- from people


@frozen
class SignedIn:
    """An agent starts work. `by` says who did it, for the record."""

    agent: str
    by: str = ""


@frozen
class SignedOut:
    """An agent stops work; during a call it takes effect after it."""

    agent: str
    by: str = ""


@frozen
class PauseRequested:
    """An agent takes a break; during a call it takes effect after it."""

    agent: str
    reason: str = ""
    by: str = ""


@frozen
class Resumed:
    """An agent comes back from a break, or takes a pending one back."""

    agent: str
    by: str = ""


@frozen
class ReadyPressed:
    """An agent ends wrap-up early."""

    agent: str
    by: str = ""


@frozen
class PhoneFreed:
    """What is on the agent's phone counts as no call: a channel that has been left behind.

    A call that begins on the phone after that counts again.
    """

    agent: str
    by: str = ""


@frozen
class DeviceSwitched:
    """One of an agent's devices is switched on or off while the router runs.

    It holds over reloads and restarts. A device that the configuration switches off stays off.
    """

    agent: str
    device: str = ""
    on: bool = True
    by: str = ""


@frozen
class CallMoved:
    """A supervisor moves a waiting call: to another queue, to an agent first, to a priority."""

    call: str
    queue: str = ""
    agent: str = ""
    priority: int | None = None
    by: str = ""


class TalkWish(Enum):
    """What is asked for about a talk; the values are those of the API."""

    HOLD = "hold"
    UNHOLD = "unhold"
    TRANSFER = "transfer"
    """Blind: to a queue, or to an agent of the queue."""
    CONSULT = "consult"
    """Put the caller on hold and ring a colleague."""
    COMPLETE = "complete"
    """Put the caller through to the colleague."""
    CANCEL = "cancel"
    """Let the colleague go, and take the caller back."""


@frozen
class TalkRequested:
    """An agent who talks, or somebody for them, wants something done with the call."""

    call: str
    wish: TalkWish
    queue: str = ""
    agent: str = ""
    by: str = ""


@frozen
class CallEndRequested:
    """A supervisor ends a call."""

    call: str
    by: str = ""


# ---------------------------------------------------------------- from ourselves


@frozen
class ConfigReloaded:
    """A new routing table applies from now on.

    `more`: it is one part of a large change, a whole table in itself; the next part follows at once
    (see `callrouter.model.steps`).
    """

    table: Table
    more: bool = False


class StruckBefore(NamedTuple):
    """What the device at an address did so many `times` in a row; it is left alone until `until`.

    `kind` is the name of a `callrouter.core.state.Strike`.
    """

    kind: str
    times: int
    address: str
    until: float


@frozen
class AgentRestored:
    """An agent as the store knew them before a restart. Times are epoch seconds.

    `wrap_queue` is the queue whose call the wrap-up is of, `calls` those of today. `pending` says what
    was asked for during a call and had not taken effect: ``pause``, ``sign-out``, or nothing; the other
    fields are then as after it. `changed_by` and `changed_at` say who made the agent's state what it
    is, and when; `devices_off` names the devices that are switched off, each with who did it and when;
    `messages` are the last things the agent was told, the oldest first; `strikes` is what speaks against
    ringing their devices, by id; `shown` and `since` are the state in which they were shown (a value of
    `callrouter.core.state.AgentState`), and since when.
    """

    agent: str
    signed_in: bool = False
    signed_in_at: float | None = None
    pause_reason: str | None = None
    paused_at: float | None = None
    wrap_until: float | None = None
    wrap_queue: str = ""
    idle_since: float | None = None
    misses: int = 0
    calls: int = 0
    pending: str = ""
    changed_by: str = ""
    changed_at: float | None = None
    devices_off: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    messages: tuple[tuple[float, str], ...] = ()
    strikes: Mapping[str, StruckBefore] = field(default_factory=dict)
    shown: str = ""
    since: float | None = None


@frozen
class TimePassed:
    """A deadline was reached, or nothing happened: only the clock moved."""


PersonEvent: TypeAlias = (
    SignedIn | SignedOut | PauseRequested | Resumed | ReadyPressed | PhoneFreed | DeviceSwitched
)
LegEvent: TypeAlias = LegRang | LegAnswered | LegAccepted | LegEnded | LegMoved
CallEvent: TypeAlias = (
    CallerLeft | CallerReplaced | CallerListens | CallConnected | ConnectFailed | CallTransferred
)
Event: TypeAlias = (
    CallArrived
    | CallEvent
    | LegEvent
    | NumberRefused
    | EndpointChanged
    | PbxSnapshot
    | PbxLost
    | PersonEvent
    | CallMoved
    | TalkRequested
    | CallEndRequested
    | ConfigReloaded
    | AgentRestored
    | TimePassed
)
