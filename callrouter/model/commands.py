"""Everything the core orders or tells: commands in the imperative, and records of what was decided.

The runtime hands `PbxCommand`s to the driver of the call's PBX, all of one event in one go (so that a
ring-all is one write), and `Record`s and `Note`s to whoever listens.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from callrouter.model.frozen import frozen, frozen_in_order
from callrouter.model.table import ACCEPT_WITHIN, Target


class StopReason(Enum):
    """Why a leg is stopped; it decides what the phone shows."""

    ANSWERED_ELSEWHERE = "answered elsewhere"
    """Someone else took the call: no missed call on this phone."""
    TIME_UP = "time is up"
    WITHDRAWN = "withdrawn"
    """The agent paused or signed out, or the call was moved: no missed call."""
    CALLER_GONE = "the caller hung up"


class Result(Enum):
    """How a call left its queue: what ``CALLROUTER_RESULT`` says."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    FULL = "full"
    NOBODY = "nobody"
    CLOSED = "closed"
    ABANDONED = "abandoned"


@frozen_in_order
class Ring:
    """Ring one device of an agent for a call, `ring_for` seconds at most.

    With `confirm` the person must press 1 before the leg counts as accepted.
    """

    pbx: str
    call: str
    offer: str
    agent: str
    device: str
    endpoint: str
    number: str
    confirm: bool
    ring_for: float
    queue: str
    queue_name: str
    caller_number: str
    caller_name: str
    together: bool = False
    """`ring_all: dial`: the PBX may ring all such phones of one step by itself, by one request."""
    accept_within: float = ACCEPT_WITHIN
    """With `confirm`: seconds from the answer for which the person is asked for key 1."""
    alert_info: str = ""
    """SIP header Alert-Info for the phone; empty: none."""
    auto_answer: bool = False
    """The phone is asked to answer by itself."""


@frozen
class StopRing:
    """End a leg. Its `LegEnded` still comes."""

    pbx: str
    offer: str
    device: str
    why: StopReason


@frozen
class Connect:
    """Bring the caller and an accepted leg together."""

    pbx: str
    call: str
    offer: str
    device: str


@frozen
class Hold:
    """Put the caller back into the waiting room (music, and the dead-man's switch).

    `queued_at`: a stay in a queue begins then; None: the stay goes on.
    """

    pbx: str
    call: str
    queued_at: float | None = None


@frozen
class Leave:
    """The call leaves the router for `target`; None: by the way it came, with the result."""

    pbx: str
    call: str
    result: Result
    target: Target | None = None


@frozen
class Announce:
    """Tell a waiting caller their place in line and about how many minutes it takes; 0: not that.

    It never holds up a `Connect`, which breaks it off. A PBX that can speak only now and then posts
    `CallerListens` when it can, and is told anew.
    """

    pbx: str
    call: str
    position: int = 0
    minutes: int = 0


@frozen
class Disregard:
    """What is on a phone now, and is no leg of ours, does not count as a call any more."""

    pbx: str
    endpoint: str


@frozen
class Park:
    """Let a caller who talks to an agent hear music (`on`), or the agent again.

    This and the next two are given only to PBXes whose snapshot says that they `parks`.
    """

    pbx: str
    call: str
    on: bool


@frozen
class Consult:
    """Bring a leg that was accepted to the agent who has the call; the caller stays on hold.

    As for a `Connect`, `CallConnected` or `ConnectFailed` follows, with this offer.
    """

    pbx: str
    call: str
    offer: str
    device: str


@frozen
class PutThrough:
    """The leg of a consultation has the caller from now on, who hears it; the first agent's ends."""

    pbx: str
    call: str
    offer: str


PbxCommand: TypeAlias = (
    Ring | StopRing | Connect | Hold | Leave | Announce | Disregard | Park | Consult | PutThrough
)


class Happened(Enum):
    """Kinds of `Record`; the value is a stable name for logs, reports and pages."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and hashes a name

    RULE = "rule"
    ENTERED = "entered"
    OFFERED = "offered"
    RANG = "rang"
    SHARED = "shared"
    """An offer holds its caller back no longer: others are offered the call as well."""
    OFFER_ENDED = "offer-ended"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    REQUEUED = "requeued"
    MOVED = "moved"
    REPLACED = "replaced"
    """Another person has taken over the call's place in line, by an attended transfer."""
    ABANDONED = "abandoned"
    TAKEN = "taken"
    COMPLETED = "completed"
    TRANSFERRED = "transferred"
    HELD = "held"
    CONSULTED = "consulted"
    PASSED = "passed"
    """A consultation was completed: the caller is the colleague's now."""
    LEFT = "left"
    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    PAUSED = "paused"
    RESUMED = "resumed"
    WRAP_UP = "wrap-up"
    WRAP_UP_ENDED = "wrap-up-ended"
    DEVICE = "device"
    FREED = "freed"
    """What was on an agent's phone counts as no call any more."""
    DEVICE_FAILED = "device-failed"
    """A device was rung and did not take the call, in a way that speaks against ringing it again."""
    NUMBER_REFUSED = "number-refused"
    """The carrier refused a call to an agent's phone for the number that it showed."""
    TOLD = "told"
    SHIFT = "shift"
    RENAMED = "renamed"
    """A queue or an agent goes by another name from now on; `detail` has the old one."""
    DRAINED = "drained"
    """The last call of a queue that was taken out of the table has ended, and the queue is gone."""
    STATE = "state"
    RELOADING = "reloading"
    """A part of a large change is in force; the next follows at once."""
    RELOADED = "reloaded"


@frozen_in_order
class Record:
    """Something that became true, for history, ``queue_log``, ``why`` and the live view.

    `detail` is a short tuple whose meaning depends on `kind`; see `callrouter.api.records`.
    """

    kind: Happened
    at: float
    call: str = ""
    queue: str = ""
    agent: str = ""
    offer: str = ""
    detail: tuple[str | int | float, ...] = ()


@frozen_in_order
class Decided:
    """Why an agent is rung for a call: what there was to choose from at that moment.

    `ranked` are the first few agents out of `available`, to be sorted by whoever reads it: for each what
    the policies of the queue ranked them by, since when they had been idle (-1 where a draw decides),
    and who it is. `waiting` counts the callers in the
    lines that were looked at. `by_agent` is set when the agent became free and took the call, rather
    than the call the agent; then the agent is the only candidate and `ranked` is empty. `tried` had
    refused or missed the call since it last went round. `drawn` of 0 means that nothing was drawn,
    else how many chances there were, one for each equal unless the policy weighs them. `needs` and
    `tier` are the skills and the steps of widening that the call had come to by then.

    It is told for every offer, so it holds what is at hand; words are made when somebody asks.
    """

    at: float
    call: str
    queue: str
    agent: str
    offer: str
    policy: tuple[str, ...]
    available: int
    ranked: tuple[tuple[tuple[float | tuple[float, ...], ...], float, str], ...]
    waiting: int
    waited: float
    tried: tuple[str, ...]
    by_agent: bool
    preferred: bool
    drawn: int
    needs: frozenset[tuple[str, int]] = frozenset()
    tier: int = 0


@frozen
class Note:
    """Something odd that was seen and passed over; logged.

    With `mistake` it is one of whoever set up the calls' way to us, such as a queue that does not exist: a word for
    what is wrong (``queue``, ``priority``, ``agent``, ``skills``, ``tag``), by which it is counted.
    """

    text: str
    mistake: str = ""


Told: TypeAlias = Record | Decided | Note
"""What is told to listeners."""

Command: TypeAlias = PbxCommand | Told
