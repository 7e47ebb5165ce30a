"""Calls from entry to end: waiting, connecting, talking, and every way to leave."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from callrouter.core import (
    announcements,
    clock_changes,
    devices,
    eligibility,
    entry_checks,
    entry_rules,
    queueing,
    requested_state,
    ringing,
)
from callrouter.core.call_lifecycle import CallChange, advance_call
from callrouter.core.floor import Floor
from callrouter.core.offer_lifecycle import OfferChange, advance_offer
from callrouter.core.state import CALL_WAITING, Call, Offer, Queue
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
    PlaceHandedOver,
    RuleApplied,
    WaitingCallMoved,
)
from callrouter.model.commands import Connect, Leave, Requeue, Result, StopReason
from callrouter.model.events import CallArrived, CallerEnd, CallMoveRequested, TransferKind
from callrouter.model.outcomes import EndedBy, OfferEnd, RequeueCause
from callrouter.model.routing_table import HangUp, KeepWaiting, Rule, Target, ToQueue

# Enum members bound once, because looking them up is slow: see `callrouter.core.state`.

_NO_SKILLS: Final[Mapping[str, int]] = {}

TRANSFERS_REMEMBERED = 1000
"""Number of transferred calls remembered in case they come back."""

SOON = 1.0
"""An agent who hangs up within this many seconds may never have talked: the caller is requeued.

Measured against app_queue, which ends such a caller's call instead (see docs/architecture.md).
"""


# ---------------------------------------------------------------- entering and waiting


def arrived(floor: Floor, event: CallArrived, *, found: bool = False) -> None:
    """A caller entered a queue.

    With `found` the caller comes from a snapshot. They are already in the queue, so no limit
    applies.
    """
    if event.call in floor.calls:
        floor.note(f"call {event.call} arrived again and is known already")
        return
    event = entry_checks.under_new_names(floor, event)
    as_written = event.caller_number
    event = entry_rules.in_one_form(event, floor.table.numbering)
    rule = None
    if floor.table.rules:
        event, rule = entry_rules.apply(
            floor.table, event, floor.now, partial(_waiting_in, floor), found=found
        )
    if not found:
        event = entry_checks.checked(floor, event)
    queue = floor.queues.get(event.queue)
    if queue is None or (queue.gone and not found):
        entry_checks.no_queue(floor, event)
        floor.order(Leave(pbx=event.pbx, call=event.call, result=Result.CLOSED))
        return
    entered_at = floor.now if event.entered_at is None else min(event.entered_at, floor.now)
    queued_at = event.queued_at
    if queued_at is None:
        queued_at = entered_at if found else floor.now
    call = Call(
        id=event.call,
        pbx=event.pbx,
        queue=queue,
        seq=floor.next_serial(),
        entered_at=entered_at,
        queued_at=min(max(queued_at, entered_at), floor.now),
        priority=event.priority,
        caller_number=event.caller_number,
        caller_name=event.caller_name,
        called_number=event.called_number,
        tag=event.tag,
        first_agent=event.agent,
        skills=_skills(event, rule),
        shown_number=as_written if event.caller_number else "",
    )
    floor.calls[call.id] = call
    floor.departed.pop(call.id, None)
    if rule is not None:
        floor.publish(RuleApplied(at=floor.now, call=call.id, queue=call.queue.id, rule=rule.name))
    enter_queue(floor, call, queue, found=found, since=call.queued_at)
    giver = floor.transferred_by.pop(call.id, None)
    # The agent who sent this caller back to a queue is the last choice there.
    if giver is not None:
        call.tried[giver] = None
        call.failed_at = floor.now


def _waiting_in(floor: Floor, queue: str) -> int:
    known = floor.queues.get(queue)
    return len(known.waiting) if known is not None else 0


def _skills(event: CallArrived, rule: Rule | None) -> Mapping[str, int]:
    """Skills required beyond the queue's own. Where dialplan and rule differ, the rule wins."""
    if rule is None or not rule.skills:
        return event.skills or _NO_SKILLS
    return {**event.skills, **rule.skills}


def enter_queue(
    floor: Floor, call: Call, queue: Queue, *, found: bool = False, since: float | None = None
) -> None:
    """Put a call in the queue, or route it by the queue's rules when the queue can't take it."""
    queueing.begin_stay(floor, call, queue, since=since)
    if not found and queueing.closed(floor, queue):
        _not_let_in(floor, call, Result.CLOSED)
        leave_queue(floor, call, queue.spec.on_closed, Result.CLOSED)
        return
    if not found and queueing.full(queue):
        _not_let_in(floor, call, Result.FULL)
        leave_queue(floor, call, queue.spec.on_full, Result.FULL)
        return
    queueing.start_waiting(floor, call)
    call.origin_position = queueing.position(call)
    waited = floor.now - call.queued_at if found else None
    report_entry(floor, call, waited_s=waited)


def report_entry(floor: Floor, call: Call, *, waited_s: float | None = None) -> None:
    """Report that a call now waits in its queue.

    `waited_s`: how long it has been there already, if it was found waiting.
    """
    floor.publish(
        CallEntered(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            position=call.origin_position,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            waited_s=waited_s,
        )
    )


def _not_let_in(floor: Floor, call: Call, why: Result) -> None:
    """Report a caller who found the queue closed or full and never waited."""
    floor.publish(
        CallEntered(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            position=0,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            waited_s=0.0,
            refused=why,
        )
    )


# ---------------------------------------------------------------- leaving


def leave_queue(
    floor: Floor, call: Call, target: Target | None, result: Result, *, by: str = ""
) -> None:
    """The call leaves its queue, for another queue or for good.

    `by` is the person who ordered it, if a person did.
    """
    place = queueing.position(call)
    stop_offers(floor, call, StopReason.WITHDRAWN, OfferEnd.WITHDRAWN)
    queueing.stop_waiting(floor, call)
    following = _overflow(floor, call, target) if isinstance(target, ToQueue) else None
    if following is None and isinstance(target, ToQueue | KeepWaiting):
        target = None
    floor.publish(
        CallLeftQueue(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            result=result,
            target=target,
            position=place,
            first_position=call.origin_position,
            wait_s=floor.now - call.queued_at,
            by=by,
        )
    )
    if following is not None:
        enter_queue(floor, call, following)
        return
    floor.order(Leave(pbx=call.pbx, call=call.id, result=result, target=target))
    forget(floor, call)


def _overflow(floor: Floor, call: Call, target: ToQueue) -> Queue | None:
    """The queue to overflow to; None if it is gone or the call has been there already."""
    queue = floor.queues.get(target.queue)
    if queue is None or queue.gone or queue.id in call.queues_entered:
        floor.note(f"call {call.id} can't overflow to '{target.queue}': it is gone or was there")
        return None
    return queue


def caller_left(floor: Floor, call: Call, how: CallerEnd) -> None:
    """The caller hung up, or was moved away by another program, before talking to an agent."""
    place = queueing.position(call)
    stop_offers(floor, call, StopReason.CALLER_GONE, OfferEnd.CALLER_GONE)
    if call.winner is not None:
        ringing.stop_offer(floor, call.winner, StopReason.CALLER_GONE, OfferEnd.CALLER_GONE)
    ended = CallMovedAway if how is CallerEnd.TAKEN else CallAbandoned
    floor.publish(
        ended(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            position=place,
            first_position=call.origin_position,
            wait_s=floor.now - call.queued_at,
            how=how,
        )
    )
    forget(floor, call)


def stop_offers(floor: Floor, call: Call, why: StopReason, outcome: OfferEnd) -> None:
    """Stop every phone that rings for this call."""
    for offer in list(call.offers.values()):
        ringing.stop_offer(floor, offer, why, outcome)


def forget(floor: Floor, call: Call) -> None:
    """The call is over. An offer may outlive it, until its agent is on-hook."""
    advance_call(floor, call, CallChange.ENDED)
    call.winner = None  # breaks the reference cycle, so that no garbage collection is needed
    floor.calls.pop(call.id, None)


# ---------------------------------------------------------------- connecting and talking


def connect(floor: Floor, offer: Offer) -> None:
    """The agent accepted: connect the two and stop all other phones."""
    call, leg = offer.call, offer.winner
    assert leg is not None  # noqa: S101 - just set by the calling function
    announcements.count_advance(floor, call.queue)
    advance_call(floor, call, CallChange.ACCEPTED)
    call.winner = offer
    call.offers.pop(offer.agent.id, None)
    floor.order(Connect(pbx=call.pbx, call=call.id, offer=offer.id, device=leg.device.id))
    for other in offer.legs.values():
        if other is not leg:
            ringing.stop_leg(floor, offer, other, StopReason.ANSWERED_ELSEWHERE)
    stop_offers(floor, call, StopReason.ANSWERED_ELSEWHERE, OfferEnd.LOST)


def connected(floor: Floor, call: Call, offer: Offer) -> None:
    """Caller and agent are connected."""
    advance_call(floor, call, CallChange.CONNECTED)
    advance_offer(floor, offer, OfferChange.CONNECTED)
    call.connected_at = floor.now
    _count_answered(floor, offer, 1)
    # They have spare capacity, and their place in the policies' order has changed.
    if offer.agent.open:
        floor.mark_changed(offer.agent)
    floor.publish(
        ConversationStarted(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=offer.agent.id,
            offer=offer.id,
            wait_s=floor.now - call.queued_at,
            rang_s=floor.now - offer.placed_at,
        )
    )


def requeue(
    floor: Floor, call: Call, why: RequeueCause, *, blame: bool = True, hold: bool = True
) -> None:
    """The connect failed: the caller waits again, at the old position.

    The stay in the queue goes on. Time spent talking does not count towards it.

    Args:
      floor: the state of the core.
      call: a call that is connecting or talking.
      why: the reason.
      blame: the agent who had the call becomes the last choice.
      hold: send the caller back to the waiting room. False if they are already there.
    """
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    offer, call.winner = call.winner, None
    if call.connected_at is not None:
        call.queued_at += floor.now - call.connected_at
    call.connected_at, call.held = None, False
    if offer is not None:
        if offer.talked_since is not None and not offer.adopted:
            _count_answered(floor, offer, -1)
        if blame:
            call.tried[offer.agent.id] = None
            call.failed_at = floor.now
        ringing.stop_offer(floor, offer, StopReason.WITHDRAWN, why)
    call.queue = floor.queues.get(call.queue.id, call.queue)
    if hold:
        floor.order(Requeue(pbx=call.pbx, call=call.id))
    advance_call(floor, call, CallChange.REQUEUED)
    floor.publish(CallRequeued(at=floor.now, call=call.id, queue=call.queue.id, why=why))


def _count_answered(floor: Floor, offer: Offer, one: int) -> None:
    offer.agent.calls += one
    floor.changed_rows[offer.agent.id] = None
    offer.member.calls += one
    offer.call.queue.answered += one


def completed(floor: Floor, call: Call, by: EndedBy) -> None:
    """The conversation ended. `by` says which side hung up first."""
    ringing.drop_consultation(floor, call, StopReason.CALLER_GONE)
    _report_completed(floor, call, by)
    if by is EndedBy.AGENT:
        floor.order(Leave(pbx=call.pbx, call=call.id, result=Result.ANSWERED))
    forget(floor, call)


def _report_completed(floor: Floor, call: Call, by: EndedBy, person: str = "") -> None:
    """Report the end of a conversation. `person`: the supervisor who ended it, if one did."""
    offer = call.winner
    since = call.connected_at if call.connected_at is not None else floor.now
    floor.publish(
        CallCompleted(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=offer.agent.id if offer else "",
            offer=offer.id if offer else "",
            by=by,
            wait_s=since - call.queued_at,
            talk_s=floor.now - since,
            first_position=call.origin_position,
            ended_by=person,
        )
    )


def end_conversation(floor: Floor, call: Call, by: str) -> None:
    """A supervisor ends a conversation: both parties are hung up, and the agent's wrap-up begins."""
    offer = call.winner
    if offer is None or call.pbx not in floor.up:
        floor.note(f"call {call.id} can't be ended now")
        return
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    _report_completed(floor, call, EndedBy.SUPERVISOR, by)
    floor.order(Leave(pbx=call.pbx, call=call.id, result=Result.ANSWERED, target=HangUp()))
    ringing.hang_up_agent(floor, offer)
    forget(floor, call)


def transferred(floor: Floor, call: Call, kind: TransferKind, to: str) -> None:
    """The agent transferred the caller. The agent's own leg ends by itself."""
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    record_transfer(floor, call, kind, to)
    forget(floor, call)


def record_transfer(floor: Floor, call: Call, kind: TransferKind, to: str, by: str = "") -> None:
    """Report a transfer. The agent becomes the last choice should the caller come back.

    `by` is who asked for the transfer, unless the request came from the agent's own phone.
    """
    offer = call.winner
    if offer is not None:
        floor.transferred_by[call.id] = offer.agent.id
        if len(floor.transferred_by) > TRANSFERS_REMEMBERED:
            floor.transferred_by.popitem(last=False)
    since = call.connected_at if call.connected_at is not None else floor.now
    floor.publish(
        ConversationTransferred(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=offer.agent.id if offer else "",
            offer=offer.id if offer else "",
            transfer=kind,
            to=to,
            wait_s=since - call.queued_at,
            talk_s=floor.now - since,
            first_position=call.origin_position,
            by=by,
        )
    )


def replaced(floor: Floor, call: Call, number: str, name: str, giver: str) -> None:
    """Another caller now has this call's place. The agent who put them there is their last choice."""
    call.caller_number, call.caller_name = number, name
    floor.publish(
        PlaceHandedOver(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=giver,
            caller_number=number,
            caller_name=name,
        )
    )
    if giver and call.state is CALL_WAITING and giver not in call.offers:
        call.tried[giver] = None
        call.failed_at = floor.now
        floor.unmatched_calls[call.id] = call


def conversation_ended(floor: Floor, offer: Offer) -> None:
    """The agent's phone is on-hook after a conversation: wrap-up begins."""
    agent = offer.agent
    if offer.talked_since is not None:
        agent.talk += floor.now - offer.talked_since
        offer.member.talk += floor.now - offer.talked_since
        clock_changes.worked(floor, agent, offer.talked_since)
        if agent.failure_streaks and offer.winner and floor.now - offer.talked_since >= SOON:
            devices.clear_failures(floor, offer.winner.device)
    offer.talked_since = None
    queue = offer.member.queue  # the call may have moved on to another queue since
    if not offer.consult:
        eligibility.remember(floor, queue, offer.call.caller_number, agent.id)
    requested_state.start_wrap_up(floor, agent, offer.call, queue, floor.now)
    ringing.end_offer(floor, offer)


# ---------------------------------------------------------------- a supervisor takes a hand


def move_by_supervisor(floor: Floor, call: Call, event: CallMoveRequested) -> str:
    """A supervisor moves a waiting call. Returns why it is refused, or an empty string."""
    queue, agent, priority = event.queue, event.agent, event.priority
    if call.state is not CALL_WAITING:
        return f"call {call.id} is not waiting"
    if queue and (queue not in floor.queues or floor.queues[queue].gone):
        return f"there is no queue '{queue}'"
    target = floor.queues[queue] if queue else call.queue
    if agent and agent not in target.members:
        return f"'{agent}' is not an agent of queue '{target.id}'"
    if agent or target is not call.queue:
        stop_offers(floor, call, StopReason.WITHDRAWN, OfferEnd.WITHDRAWN)
    queueing.stop_waiting(floor, call)
    if priority is not None:
        call.priority = priority
    if target is not call.queue:
        queueing.begin_stay(floor, call, target)
    if agent:
        call.first_agent = agent
        call.tried.pop(agent, None)
    queueing.start_waiting(floor, call)
    floor.publish(
        WaitingCallMoved(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            to_queue=queue,
            to_agent=agent,
            to_priority=priority or 0,
            by=event.by,
        )
    )
    return ""
