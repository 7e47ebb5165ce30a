"""Everything that can reach the core: facts, in the past tense.

Drivers translate the reports of their PBX into these events. Requests by people and new
configuration arrive the same way. An event carries no time: the runtime stamps it once, when it
passes it to the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Final, TypeAlias

from callrouter.model.agent_row import AgentRow
from callrouter.model.call_requests import (
    CallEndRequested,
    CallMoveRequested,
    ConversationRequested,
)
from callrouter.model.frozen import frozen
from callrouter.model.restored_history import HistoryRestored
from callrouter.model.routing_table import DEFAULT_PRIORITY, Table


class DeviceState(Enum):
    """What a PBX knows of a phone (`EndpointChanged`)."""

    IDLE = "idle"
    IN_USE = "in-use"
    """In a call that is not ours, or ringing for one."""
    BUSY = "busy"
    """A state configured for the phone says that it takes no calls, such as do-not-disturb."""
    UNREACHABLE = "unreachable"


# A look-up of a member takes 0.1 µs on Python 3.11; code that every call passes through uses these.
DEVICE_IN_USE: Final = DeviceState.IN_USE
DEVICE_BUSY: Final = DeviceState.BUSY
DEVICE_UNREACHABLE: Final = DeviceState.UNREACHABLE


class LegEnd(Enum):
    """Why a leg ended. The values are shown to people."""

    BUSY = "busy"
    """The phone was busy (SIP 486)."""
    DECLINED = "declined"
    """The person declined: rejected the call (SIP 603), or pressed key 2 on a mobile."""
    WRONG_KEY = "wrong key"
    """Answered, and a key other than 1 or 2 was pressed. Counts as a refusal."""
    NO_ANSWER = "no answer"
    """It rang until its time was up, or for most of that and then stopped by itself."""
    SILENT = "no reply"
    """No response until its time was up: no ringing, no answer, no refusal."""
    UNAVAILABLE = "unavailable"
    """The phone is registered but takes no calls now (SIP 480)."""
    UNREACHABLE = "unreachable"
    """No such phone, not registered, or no reply (SIP 404, 408, 503 …)."""
    FAILED = "failed"
    """Rejected by the PBX, or any other fault."""
    NUMBER_REFUSED = "number refused"
    """The carrier rejected the caller ID presented (SIP 403, 603, 607, 608 without any ringing)."""
    NOT_ACCEPTED = "not accepted"
    """Answered, but key 1 was not pressed in time: a voicemail, or a phone in a pocket."""
    HUNG_UP = "hung up"
    """It had been answered, and hung up or was ended by us."""


LEG_ENDS_WORST_LAST: Final = (
    LegEnd.UNREACHABLE,
    LegEnd.FAILED,
    LegEnd.NUMBER_REFUSED,
    LegEnd.SILENT,
    LegEnd.UNAVAILABLE,
    LegEnd.BUSY,
    LegEnd.HUNG_UP,
    LegEnd.WRONG_KEY,
    LegEnd.DECLINED,
    LegEnd.NOT_ACCEPTED,
    LegEnd.NO_ANSWER,
)
"""The reasons by weight. Where several legs ended, the last of them here is the outcome of all."""


class CallerEnd(Enum):
    """How the caller's channel left the router."""

    HUNG_UP = "hung up"
    MOVED_AWAY = "taken elsewhere"
    """Another program or person moved the caller out of the waiting room (a redirect, a pickup)."""
    LOST = "lost"
    """Gone when the PBX was compared after a gap in its reports."""


class TransferKind(Enum):
    """How an agent transferred a call."""

    BLIND = "blind"
    ATTENDED = "attended"


class ConnectFault(Enum):
    """Why a connect failed."""

    CALLER_GONE = "the caller had gone"
    LEG_GONE = "the agent's phone had gone"
    FAILED = "the PBX refused"


# ---------------------------------------------------------------- from a PBX


@frozen
class CallArrived:
    """A caller entered a queue, or was found waiting after a gap (then `entered_at` is set).

    `entered_at` is the call's first entry into any queue. `queued_at` is its entry into this queue;
    None: unknown, and a caller who arrives now enters now. Both are epoch seconds.
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
    """The minimum skill levels that the dialplan requires of an agent."""
    refused: tuple[tuple[str, str], ...] = ()
    """Dialplan values that are not valid and are not used: the name of each, and why."""
    queued_at: float | None = None


@frozen
class CallerLeft:
    """The caller's channel is gone, or no longer controlled by the router."""

    call: str
    how: CallerEnd = CallerEnd.HUNG_UP


@frozen
class CallerReplaced:
    """An attended transfer onto a waiting call put another person in its place in the queue.

    `agent` is the agent who transferred them, if it was an agent.
    """

    call: str
    caller_number: str = ""
    caller_name: str = ""
    agent: str = ""


@frozen
class CallerListens:
    """A waiting caller with a pending `Announce` can be spoken to now."""

    call: str


@frozen
class LegRang:
    """A phone rings."""

    offer: str
    device: str


@frozen
class LegAnswered:
    """A phone was picked up, and the person is now asked for key 1."""

    offer: str
    device: str


@frozen
class LegAccepted:
    """The agent accepts the call: off-hook on a desk phone, key 1 on a mobile."""

    offer: str
    device: str


@frozen
class LegEnded:
    """A leg has ended, for whatever reason. Every leg ends in exactly one of these."""

    offer: str
    device: str
    why: LegEnd


@frozen
class NumberRefused:
    """The carrier rejected a leg because of the caller ID it presented.

    `again`: it is rung once more with the business's own number. Otherwise a `LegEnded` follows.
    """

    offer: str
    device: str
    again: bool


@frozen
class ConnectSucceeded:
    """Caller and agent are connected.

    With `can_hold` False the caller can't be put on hold and no colleague can join.
    """

    call: str
    offer: str
    can_hold: bool = True


@frozen
class ConnectFailed:
    """Caller and agent could not be connected."""

    call: str
    offer: str
    why: ConnectFault


@frozen
class CallerTransferred:
    """The agent transferred the caller to `to`. The caller is no longer ours."""

    call: str
    kind: TransferKind
    to: str = ""


@frozen
class OutsideCallEnded:
    """A caller is no longer with a number outside. If not reached (`returns`), `CallArrived` follows."""

    call: str
    returns: bool = False


@frozen
class LegPickedUpElsewhere:
    """Another phone picked up what rang on this leg. `endpoint` is that phone.

    For a device without `confirm` this is the acceptance, whether or not a `LegAccepted` follows.
    """

    offer: str
    device: str
    endpoint: str


@frozen
class EndpointChanged:
    """The state of a phone, as known to a PBX, has changed.

    If in use, `channel` names the call that is not ours, and `since` is when it began (epoch
    seconds).
    """

    pbx: str
    endpoint: str
    state: DeviceState
    channel: str = ""
    since: float | None = None


@frozen
class SeenCall:
    """A caller's channel in a snapshot.

    `talking_to` is the offer it is bridged with, if any. `replaced`: another caller has taken the call's place
    since the router last knew.
    """

    arrived: CallArrived
    talking_to: str = ""
    replaced: bool = False


@frozen
class SeenLeg:
    """One of our legs in a snapshot.

    `rang`: not known to be silent so far. `answered`: picked up. `accepted`: key 1 was pressed, or
    the device needs no `confirm` and was picked up. `bridged`: in a conversation, no matter with
    which party.
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
class SeenOutside:
    """A caller in a snapshot; `agent` passed them on to `number`; either is empty if unknown."""

    call: str
    agent: str = ""
    number: str = ""


@frozen
class PbxSnapshot:
    """The full state of one PBX, at the start and after every gap. From here on it is in step.

    `offers_per_second` limits how many phones it may be told to ring per second (None: no limit). A
    PBX with a limit rings its phones one after the other, so each one's ring time starts when it
    rings.
    """

    pbx: str
    offers_per_second: float | None = None
    can_hold: bool = False
    """Whether it can put a caller on hold and let a colleague join, when told to."""
    cannot_dial: str = "it has no such transfer"
    """Why it can't connect a caller with a number outside, in words; empty: it can."""
    outside: tuple[SeenOutside, ...] = ()
    calls: tuple[SeenCall, ...] = ()
    legs: tuple[SeenLeg, ...] = ()
    endpoints: Mapping[str, DeviceState] = field(default_factory=dict)
    in_use: Mapping[str, tuple[str, float | None]] = field(default_factory=dict)
    """For phones in use: the channel, and when the call began."""


@frozen
class PbxLost:
    """The link to a PBX is lost. Its calls and phones stay as last known; nothing is ordered.

    `stopped`: the PBX itself is known not to run, so that no phone registered there can be rung from
    anywhere. A later event may say that this is not known any more.
    """

    pbx: str
    why: str = ""
    stopped: bool = False


# ---------------------------------------------------------------- from people


@frozen
class SignedIn:
    """An agent signs in. `by` is recorded as the person who did it."""

    agent: str
    by: str = ""


@frozen
class SignedOut:
    """An agent signs out. During a call it takes effect after the call."""

    agent: str
    by: str = ""


@frozen
class PauseRequested:
    """An agent pauses. During a call it takes effect after the call."""

    agent: str
    reason: str = ""
    by: str = ""


@frozen
class Resumed:
    """An agent ends a pause, or withdraws a pending one."""

    agent: str
    by: str = ""


@frozen
class ReadyPressed:
    """An agent ends wrap-up early."""

    agent: str
    by: str = ""


@frozen
class PhoneFreed:
    """What is on the agent's phone does not count as a call: a channel that was left behind.

    A call that begins on the phone after that counts again.
    """

    agent: str
    by: str = ""


@frozen
class DeviceSwitchRequested:
    """One of an agent's devices is switched on or off at run time.

    This survives reloads and restarts. A device that the configuration switches off stays off.
    """

    agent: str
    device: str = ""
    on: bool = True
    by: str = ""


@frozen
class MessageWritten:
    """A person writes a line to an agent."""

    agent: str
    text: str
    by: str = ""


# ---------------------------------------------------------------- from ourselves


@frozen
class ConfigReloaded:
    """A new routing table applies from now on.

    `more`: it is one part of a large change and a complete table in itself. The next part follows
    at once (see `callrouter.model.staged_reload`).
    """

    table: Table
    more: bool = False


@frozen
class AgentRestored:
    """An agent is as they were stored before a restart."""

    row: AgentRow


@frozen
class TimePassed:
    """Only the clock moved, for example because a deadline was reached."""


AgentRequest: TypeAlias = (
    SignedIn
    | SignedOut
    | PauseRequested
    | Resumed
    | ReadyPressed
    | PhoneFreed
    | DeviceSwitchRequested
)
LegEvent: TypeAlias = LegRang | LegAnswered | LegAccepted | LegEnded | LegPickedUpElsewhere
CallEvent: TypeAlias = (
    CallerLeft
    | CallerReplaced
    | CallerListens
    | ConnectSucceeded
    | ConnectFailed
    | CallerTransferred
    | OutsideCallEnded
)
Event: TypeAlias = (
    CallArrived
    | CallEvent
    | LegEvent
    | NumberRefused
    | EndpointChanged
    | PbxSnapshot
    | PbxLost
    | AgentRequest
    | MessageWritten
    | CallMoveRequested
    | ConversationRequested
    | CallEndRequested
    | ConfigReloaded
    | AgentRestored
    | HistoryRestored
    | TimePassed
)
