"""The event table: which function handles each kind of event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callrouter.core import (
    endpoint_reports,
    history_restore,
    leg_reports,
    reconcile,
    reload,
    requests,
)
from callrouter.core.agents import agent_rows
from callrouter.core.calls import (
    announcements,
    arrivals,
    bridging,
    conversations,
    outside_calls,
    queueing,
)
from callrouter.core.floor import Floor
from callrouter.core.state import CALL_CONNECTING, CALL_TALKING, Call, CallState, Offer, OfferState
from callrouter.model.call_requests import (
    CallEndRequested,
    CallMoveRequested,
    ConversationRequested,
)
from callrouter.model.commands import Result
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    CallerEnd,
    CallerLeft,
    CallerListens,
    CallerReplaced,
    CallerTransferred,
    CallEvent,
    ConfigReloaded,
    ConnectFailed,
    ConnectSucceeded,
    DeviceSwitchRequested,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnded,
    LegPickedUpElsewhere,
    LegRang,
    MessageWritten,
    NumberRefused,
    OutsideCallEnded,
    PauseRequested,
    PbxLost,
    PbxSnapshot,
    PhoneFreed,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
)
from callrouter.model.outcomes import EndedBy
from callrouter.model.restored_history import HistoryRestored
from callrouter.model.routing_table import HangUp


def handle(floor: Floor, event: Event) -> None:
    """Handle one event. What follows for other agents and calls is left to `matching.settle`.

    Raises:
        KeyError: `EVENTS` has no entry for this class of event.
    """
    EVENTS[type(event)](floor, event)


# ---------------------------------------------------------------- calls


def _caller_left(floor: Floor, event: CallerLeft) -> None:
    call = floor.calls.get(event.call)
    if call is None:  # normal: a caller hangs up after we are done with the call
        floor.passed_on.pop(event.call, None)
        return
    if call.state is CALL_TALKING:
        bridging.completed(floor, call, EndedBy.CALLER)
    else:
        queueing.caller_left(floor, call, event.how)


def _caller_replaced(floor: Floor, event: CallerReplaced) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        _over(floor, event)
    else:
        queueing.replaced(floor, call, event.caller_number, event.caller_name, event.agent)


def _caller_listens(floor: Floor, event: CallerListens) -> None:
    call = floor.calls.get(event.call)
    if call is not None:
        announcements.announce(floor, call)


def _connected(floor: Floor, event: ConnectSucceeded) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        _over(floor, event)
        return
    winner = call.winner
    if call.state is CALL_CONNECTING and winner is not None and winner.id == event.offer:
        call.can_hold = event.can_hold
        bridging.connected(floor, call, winner)
        return
    consult = _consult(call, event.offer)
    if consult is not None:
        conversations.colleague_connected(floor, consult)
    else:
        _odd(floor, event, call)


def _connect_failed(floor: Floor, event: ConnectFailed) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        _over(floor, event)
        return
    winner = call.winner
    if call.state is CALL_CONNECTING and winner is not None and winner.id == event.offer:
        leg_reports.connect_failed(floor, call, winner, event.why)
        return
    consult = _consult(call, event.offer)
    if consult is not None:
        leg_reports.connect_failed(floor, call, consult, event.why)
    else:
        _odd(floor, event, call)


def _consult(call: Call, offer: str) -> Offer | None:
    """The consultation of a call, if `offer` is it and the colleague is being connected."""
    asked = call.consult
    if call.state is not CALL_TALKING or asked is None or asked.id != offer:
        return None
    return asked if asked.state is OfferState.ACCEPTED else None


def _transferred(floor: Floor, event: CallerTransferred) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        _over(floor, event)
    elif call.state is CALL_TALKING:
        bridging.transferred(floor, call, event.kind, event.to)
    # The connect was never reported to us, so no conversation is recorded. The caller is gone.
    else:
        queueing.caller_left(floor, call, CallerEnd.MOVED_AWAY)


def _over(floor: Floor, event: CallEvent) -> None:
    floor.report_oddity(f"{type(event).__name__} for call {event.call}, which is over")


def _odd(floor: Floor, event: CallEvent, call: Call) -> None:
    floor.report_oddity(
        f"{type(event).__name__} can't be for call {call.id}, which is {call.state.value}; passed over"
    )


def _move_requested(floor: Floor, event: CallMoveRequested) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        floor.report_oddity(f"there is no call {event.call}")
        return
    wrong = queueing.move_by_supervisor(floor, call, event)
    if wrong:
        floor.report_oddity(wrong)


def _end_requested(floor: Floor, event: CallEndRequested) -> None:
    call = floor.calls.get(event.call)
    if call is None:
        floor.report_oddity(f"there is no call {event.call}")
    elif call.pbx not in floor.up:
        floor.report_oddity(f"call {call.id} can't be ended now: {call.pbx} is not connected")
    elif call.state is CallState.WAITING:
        queueing.leave_queue(floor, call, HangUp(), Result.CLOSED, by=event.by)
    elif call.state is CallState.TALKING:
        bridging.end_conversation(floor, call, event.by)
    else:
        floor.report_oddity(f"call {call.id} is just being connected; ask again")


# ---------------------------------------------------------------- PBXes and the table


def _snapshot(floor: Floor, event: PbxSnapshot) -> None:
    for step in reconcile.steps(floor, event):
        handle(floor, step)


def _pbx_lost(floor: Floor, event: PbxLost) -> None:
    reconcile.lost(floor, event.pbx)
    reconcile.runs_no_more(floor, event.pbx, stopped=event.stopped)


def _reloaded(floor: Floor, event: ConfigReloaded) -> None:
    reload.apply(floor, event.table, more=event.more)


def _time_passed(_floor: Floor, _event: TimePassed) -> None:
    """Only time passed. Deadlines that were due have been handled by now."""


EVENTS: Mapping[type, Callable[[Floor, Any], None]] = {
    CallArrived: arrivals.arrived,
    LegRang: leg_reports.handle_leg,
    LegAnswered: leg_reports.handle_leg,
    LegAccepted: leg_reports.handle_leg,
    LegEnded: leg_reports.handle_leg,
    LegPickedUpElsewhere: leg_reports.handle_leg,
    NumberRefused: leg_reports.number_refused,
    CallerLeft: _caller_left,
    CallerListens: _caller_listens,
    CallerReplaced: _caller_replaced,
    ConnectSucceeded: _connected,
    ConnectFailed: _connect_failed,
    CallerTransferred: _transferred,
    OutsideCallEnded: outside_calls.ended,
    EndpointChanged: endpoint_reports.changed,
    SignedIn: requests.handle_request,
    SignedOut: requests.handle_request,
    PauseRequested: requests.handle_request,
    Resumed: requests.handle_request,
    ReadyPressed: requests.handle_request,
    PhoneFreed: requests.handle_request,
    DeviceSwitchRequested: requests.handle_request,
    MessageWritten: requests.deliver_message,
    PbxSnapshot: _snapshot,
    PbxLost: _pbx_lost,
    CallMoveRequested: _move_requested,
    CallEndRequested: _end_requested,
    ConversationRequested: conversations.handle,
    ConfigReloaded: _reloaded,
    AgentRestored: agent_rows.restore,
    HistoryRestored: history_restore.restore,
    TimePassed: _time_passed,
}
