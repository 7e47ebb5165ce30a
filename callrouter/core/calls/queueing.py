"""Entering a queue, and leaving it without having talked to an agent."""

from __future__ import annotations

from callrouter.core.calls import waiting
from callrouter.core.calls.call_lifecycle import CallChange, advance_call
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.state import CALL_WAITING, Call, Queue
from callrouter.model.call_notices import (
    CallAbandoned,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    EntryFacts,
    PlaceHandedOver,
    WaitingCallMoved,
)
from callrouter.model.call_requests import CallMoveRequested
from callrouter.model.commands import Leave, Result, StopReason
from callrouter.model.events import CallerEnd
from callrouter.model.outcomes import OfferEnd
from callrouter.model.routing_table import KeepWaiting, Target, ToQueue


def enter_queue(
    floor: Floor, call: Call, queue: Queue, *, found: bool = False, since: float | None = None
) -> None:
    """Put a call in a queue, or route it by the queue's rules when the queue can't take it.

    Args:
      floor: the state of the core.
      call: a call that waits in no queue.
      queue: the queue to enter. It may be closed or full.
      found: the call is in the queue already, as a snapshot shows, so its hours and its limit do
        not apply.
      since: when the call entered the queue, in epoch seconds; None: now.
    """
    waiting.begin_stay(floor, call, queue, since=since)
    if not found and waiting.closed(floor, queue):
        _not_let_in(floor, call, Result.CLOSED)
        leave_queue(floor, call, queue.spec.on_closed, Result.CLOSED)
        return
    if not found and waiting.full(queue):
        _not_let_in(floor, call, Result.FULL)
        leave_queue(floor, call, queue.spec.on_full, Result.FULL)
        return
    waiting.start_waiting(floor, call)
    call.origin_position = waiting.position(call)
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
            facts=_facts(call),
        )
    )


def _facts(call: Call) -> EntryFacts:
    return EntryFacts(
        pbx=call.pbx,
        priority=call.priority,
        first_entered_at=call.entered_at,
        queued_at=call.queued_at,
        called_number=call.called_number,
        tag=call.tag,
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
            facts=_facts(call),
        )
    )


def leave_queue(
    floor: Floor, call: Call, target: Target | None, result: Result, *, by: str = ""
) -> None:
    """The call leaves its queue, for another queue or for good.

    Args:
      floor: the state of the core.
      call: a waiting call.
      target: where the queue's rules send it; None: back to where it came from. A queue that it
        has been in already counts as None, so that a circle of overflows ends.
      result: why, as in ``CALLROUTER_RESULT``.
      by: the person who ordered it, if a person did.
    """
    # In this order: the position is that in a line the call still stands in, and what is reported of
    # its offers names the queue that they were made for.
    position = waiting.position(call)
    stop_offers(floor, call, StopReason.WITHDRAWN, OfferEnd.WITHDRAWN)
    waiting.stop_waiting(floor, call)
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
            position=position,
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
        floor.report_oddity(
            f"call {call.id} can't overflow to '{target.queue}': it is gone or was there"
        )
        return None
    return queue


def caller_left(floor: Floor, call: Call, how: CallerEnd) -> None:
    """The caller hung up, or was moved away by another program, before talking to an agent.

    Every phone that rings or is being connected for them is stopped. A caller who was moved away
    does not count as abandoned.
    """
    position = waiting.position(call)
    stop_offers(floor, call, StopReason.CALLER_GONE, OfferEnd.CALLER_GONE)
    if call.winner is not None:
        ringing.stop_offer(floor, call.winner, StopReason.CALLER_GONE, OfferEnd.CALLER_GONE)
    ended = CallMovedAway if how is CallerEnd.MOVED_AWAY else CallAbandoned
    floor.publish(
        ended(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            position=position,
            first_position=call.origin_position,
            wait_s=floor.now - call.queued_at,
            how=how,
        )
    )
    forget(floor, call)


def stop_offers(floor: Floor, call: Call, why: StopReason, outcome: OfferEnd) -> None:
    """Stop every phone that rings for this call.

    `why` goes to the PBX, `outcome` into the reports. A consultation is left alone.
    """
    for offer in list(call.offers.values()):
        ringing.stop_offer(floor, offer, why, outcome)


def forget(floor: Floor, call: Call) -> None:
    """The call is over: remove it from the floor.

    An offer may outlive it, until its agent is on-hook. What an offer then needs of the call, it
    finds in its own reference to it.
    """
    advance_call(floor, call, CallChange.ENDED)
    call.winner = None  # breaks the reference cycle, so that no garbage collection is needed
    floor.calls.pop(call.id, None)


def replaced(floor: Floor, call: Call, number: str, name: str, giver: str) -> None:
    """Another caller now has this call's place. The agent who put them there is their last choice.

    `giver` is that agent's id; empty if it is not known.
    """
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


def move_by_supervisor(floor: Floor, call: Call, event: CallMoveRequested) -> str:
    """A supervisor moves a waiting call. Returns why it is refused, or an empty string.

    Phones that ring go on ringing if only the priority changes. An empty field of the event, or a
    priority of None, leaves that as it is.
    """
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
    waiting.stop_waiting(floor, call)
    if priority is not None:
        call.priority = priority
    if target is not call.queue:
        waiting.begin_stay(floor, call, target)
    if agent:
        call.first_agent = agent
        call.tried.pop(agent, None)
    waiting.start_waiting(floor, call)
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
