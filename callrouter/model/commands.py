"""What the core orders from a PBX.

For each event the runtime passes all resulting commands to the driver of the call's PBX at once, so
that a ring-all is one write. What the core reports is in `callrouter.model.notices`.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from callrouter.model.frozen import frozen
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


@frozen
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
    """Connect the caller to an accepted leg.

    A `ConnectSucceeded` or `ConnectFailed` with this offer follows.
    """

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
class DialOutside:
    """Connect a caller who talks with a number outside. The caller is no longer in a queue.

    Given only to a PBX whose snapshot has an empty `cannot_dial`. The PBX rings the number for
    `ring_for` seconds. If that fails, it puts the caller back into their queue, with the first entry
    and the priority they had, and `agent` is asked first. An `OutsideCallEnded` follows in each case.

    `number` is E.164 and has been checked against what is allowed.
    """

    pbx: str
    call: str
    number: str
    agent: str
    ring_for: float


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
    """Stop counting what is on a phone now as a call, if it is not a leg of ours.

    A call that begins on the phone after that counts again.
    """

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
    | DialOutside
    | Announce
    | Disregard
    | SetHold
    | Consult
    | PutThrough
)
