"""The states of a call: which change leads where, and what is done with it.

`CALLS` has an entry for every pair of a state and a change, and `advance_call` alone sets the state
of a call that exists. The diagram in docs/architecture.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeAlias

from callrouter.core.calls import waiting
from callrouter.core.floor import Floor
from callrouter.core.state import (
    CALL_CONNECTING,
    CALL_ENDED,
    CALL_TALKING,
    CALL_WAITING,
    Call,
    CallState,
)

CONNECT_WITHIN = 10.0
"""Seconds the PBX has to connect caller and agent once the agent has accepted.

A safety net; the driver normally reports failure sooner. When a report is merely late on a slow
link, the two may well be talking.
"""


class CallChange(Enum):
    """What changes the state of a call."""

    ACCEPTED = "an agent accepts"
    CONNECTED = "both hear each other"
    REQUEUED = "not connected, or given back"
    """The caller waits again: the connect failed, or the agent gave the caller away."""
    FOUND_TALKING = "found in a conversation"
    """A snapshot shows the waiting caller in a conversation with one of our agents."""
    ENDED = "over"
    """The caller hung up, was sent on, was transferred or moved away, or the conversation ended."""

    __hash__ = object.__hash__  # looked up with every change; Enum's own is written in Python


CallAction: TypeAlias = Callable[[Floor, Call], None]


def _start_connecting(floor: Floor, call: Call) -> None:
    waiting.stop_waiting(floor, call)
    floor.timers.connect.set(call.id, floor.clock_now + CONNECT_WITHIN)


def _stop_connecting(floor: Floor, call: Call) -> None:
    floor.timers.connect.cancel(call.id)


def _wait_again(floor: Floor, call: Call) -> None:
    floor.timers.connect.cancel(call.id)
    waiting.start_waiting(floor, call)


def _nothing(_floor: Floor, _call: Call) -> None:
    """Nothing belongs to this state alone."""


def _impossible(floor: Floor, call: Call) -> None:
    floor.report_oddity(
        f"call {call.id} is {call.state.value}: the change is not for it; passed over"
    )


_C = CallChange
CALLS: Mapping[tuple[CallState, CallChange], tuple[CallAction, CallState]] = {
    (CALL_WAITING, _C.ACCEPTED): (_start_connecting, CALL_CONNECTING),
    (CALL_WAITING, _C.CONNECTED): (_impossible, CALL_WAITING),
    (CALL_WAITING, _C.REQUEUED): (_impossible, CALL_WAITING),
    (CALL_WAITING, _C.FOUND_TALKING): (waiting.stop_waiting, CALL_TALKING),
    (CALL_WAITING, _C.ENDED): (waiting.stop_waiting, CALL_ENDED),
    (CALL_CONNECTING, _C.ACCEPTED): (_impossible, CALL_CONNECTING),
    (CALL_CONNECTING, _C.CONNECTED): (_stop_connecting, CALL_TALKING),
    (CALL_CONNECTING, _C.REQUEUED): (_wait_again, CALL_WAITING),
    (CALL_CONNECTING, _C.FOUND_TALKING): (_impossible, CALL_CONNECTING),
    (CALL_CONNECTING, _C.ENDED): (_stop_connecting, CALL_ENDED),
    (CALL_TALKING, _C.ACCEPTED): (_impossible, CALL_TALKING),
    (CALL_TALKING, _C.CONNECTED): (_impossible, CALL_TALKING),
    (CALL_TALKING, _C.REQUEUED): (_wait_again, CALL_WAITING),
    (CALL_TALKING, _C.FOUND_TALKING): (_impossible, CALL_TALKING),
    (CALL_TALKING, _C.ENDED): (_nothing, CALL_ENDED),
    (CALL_ENDED, _C.ACCEPTED): (_impossible, CALL_ENDED),
    (CALL_ENDED, _C.CONNECTED): (_impossible, CALL_ENDED),
    (CALL_ENDED, _C.REQUEUED): (_impossible, CALL_ENDED),
    (CALL_ENDED, _C.FOUND_TALKING): (_impossible, CALL_ENDED),
    (CALL_ENDED, _C.ENDED): (_nothing, CALL_ENDED),
}


def advance_call(floor: Floor, call: Call, change: CallChange) -> None:
    """Change the state of a call as `CALLS` says.

    The new state is in force when the action runs. An impossible change is reported and changes
    nothing: it comes from a report that was overtaken, and the call must go on.
    """
    action, call.state = CALLS[call.state, change]
    action(floor, call)
