"""What the core orders and reports: commands for a PBX, and notices of what happened.

For each event the runtime passes all resulting `PbxCommand`s to the driver of the call's PBX at
once, so that a ring-all is one write. `Record`s, `Decided`s and `Note`s go to the listeners.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from callrouter.model.frozen import frozen, frozen_in_order
from callrouter.model.routing_table import ACCEPT_WITHIN, Target


class StopReason(Enum):
    """Why a leg is stopped, which decides whether the phone shows a missed call."""

    ANSWERED_ELSEWHERE = "answered elsewhere"
    """Another phone took the call: no missed call on this one."""
    TIME_UP = "time is up"
    WITHDRAWN = "withdrawn"
    """The agent paused or signed out, or the call was moved: no missed call."""
    CALLER_GONE = "the caller hung up"


class Result(Enum):
    """How a call left its queue, as in ``CALLROUTER_RESULT``."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    FULL = "full"
    NOBODY = "nobody"
    CLOSED = "closed"
    ABANDONED = "abandoned"


@frozen_in_order
class Ring:
    """Ring one device of an agent for a call, for at most `ring_for` seconds.

    With `confirm` the person must press key 1 before the leg counts as accepted.
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
    """`ring_all: dial`: the PBX may ring all such devices of one step in a single request."""
    accept_within: float = ACCEPT_WITHIN
    """With `confirm`: seconds after the answer during which the person is asked for key 1."""
    alert_info: str = ""
    """SIP header Alert-Info for the phone; empty: none."""
    auto_answer: bool = False
    """Whether the phone is asked to answer automatically."""


@frozen
class StopRing:
    """End a leg. Its `LegEnded` still follows."""

    pbx: str
    offer: str
    device: str
    why: StopReason


@frozen
class Connect:
    """Connect the caller to an accepted leg."""

    pbx: str
    call: str
    offer: str
    device: str


@frozen
class Requeue:
    """Put the caller back into the waiting room, with music and the dead-man's switch.

    `queued_at`: the time at which a new stay in a queue begins; None: the present stay goes on.
    """

    pbx: str
    call: str
    queued_at: float | None = None


@frozen
class Leave:
    """The call leaves the router for `target`; None: to where it came from, with the result."""

    pbx: str
    call: str
    result: Result
    target: Target | None = None


@frozen
class Announce:
    """Announce position and estimated minutes to a waiting caller; a value of 0 is left out.

    An announcement never delays a `Connect`, which interrupts it. A PBX that can speak to callers
    only now and then posts `CallerListens` when it can, and is given a fresh announcement.
    """

    pbx: str
    call: str
    position: int = 0
    minutes: int = 0


@frozen
class Disregard:
    """Stop counting what is on a phone now as a call, if it is not a leg of ours."""

    pbx: str
    endpoint: str


@frozen
class SetHold:
    """Put a connected caller on hold (`on`) or take them off.

    This and the next two are given only to a PBX whose snapshot sets `can_hold`.
    """

    pbx: str
    call: str
    on: bool


@frozen
class Consult:
    """Connect an accepted leg to the agent who has the call. The caller stays on hold.

    As for a `Connect`, a `ConnectSucceeded` or `ConnectFailed` with this offer follows.
    """

    pbx: str
    call: str
    offer: str
    device: str


@frozen
class PutThrough:
    """Connect the caller to the consulted colleague's leg, and end the first agent's leg."""

    pbx: str
    call: str
    offer: str


PbxCommand: TypeAlias = (
    Ring
    | StopRing
    | Connect
    | Requeue
    | Leave
    | Announce
    | Disregard
    | SetHold
    | Consult
    | PutThrough
)


class Happened(Enum):
    """Kinds of `Record`. The value is a stable name for logs, reports and pages."""

    __hash__ = object.__hash__  # Enum's own is written in Python and hashes the name

    RULE = "rule"
    ENTERED = "entered"
    OFFERED = "offered"
    RANG = "rang"
    SHARED = "shared"
    """An offer no longer keeps its caller from others: the call is offered to them as well."""
    OFFER_ENDED = "offer-ended"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    REQUEUED = "requeued"
    MOVED = "moved"
    REPLACED = "replaced"
    """Another person has taken over the call's place in the queue, by an attended transfer."""
    ABANDONED = "abandoned"
    TAKEN = "taken"
    COMPLETED = "completed"
    TRANSFERRED = "transferred"
    HELD = "held"
    CONSULTED = "consulted"
    PASSED = "passed"
    """A consultation was completed: the colleague has the caller."""
    LEFT = "left"
    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    PAUSED = "paused"
    RESUMED = "resumed"
    WRAP_UP = "wrap-up"
    WRAP_UP_ENDED = "wrap-up-ended"
    DEVICE = "device"
    FREED = "freed"
    """What was on an agent's phone no longer counts as a call."""
    DEVICE_FAILED = "device-failed"
    """A device did not take a call, in a way that counts as a failure of the device."""
    NUMBER_REFUSED = "number-refused"
    """The carrier rejected a call to an agent because of the caller ID it presented."""
    TOLD = "told"
    SHIFT = "shift"
    RENAMED = "renamed"
    """A queue or an agent has a new name; `detail` holds the old one."""
    DRAINED = "drained"
    """The last call of a queue removed from the table has ended, and the queue is gone."""
    STATE = "state"
    RELOADING = "reloading"
    """A part of a large change is in force; the next part follows at once."""
    RELOADED = "reloaded"


@frozen_in_order
class Record:
    """A fact, for history, ``queue_log``, ``why`` and the live view.

    `detail` is a short tuple whose meaning depends on `kind`; see `callrouter.api.notice_text`.
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
    """Why an agent is rung for a call: the alternatives at that moment.

    `ranked` holds the first few of the `available` agents, in no order: for each, the values by
    which the queue's policies rank them, when they became idle (-1 if a draw decides), and the
    agent's id. `waiting` counts the callers in the lanes examined.

    `by_agent` is set if the agent became free and took the call, rather than the call choosing the
    agent. The agent is then the only candidate and `ranked` is empty. `tried` lists the agents who
    refused or missed the call in the present round.

    `drawn` is the number of chances in the draw, one for each agent of equal rank unless the policy
    weights them; 0 means that nothing was drawn. `needs` and `escalation_step` are the required skills and the
    escalation step of the call at that time.

    One is reported for every offer, so it holds only what is at hand. Readers turn it into words.
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
    escalation_step: int = 0


@frozen
class Note:
    """Something odd that was otherwise ignored. It is logged.

    `mistake` is set if the fault lies in how calls are sent to the router, such as a queue that
    does not exist. It names the wrong value (``queue``, ``priority``, ``agent``, ``skills``,
    ``tag``) and is the label under which the note is counted.
    """

    text: str
    mistake: str = ""


Told: TypeAlias = Record | Decided | Note
"""Notices, for listeners."""

Command: TypeAlias = PbxCommand | Told
