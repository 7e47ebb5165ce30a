"""Connecting a caller with the agent who accepted, and every way in which that ends."""

from __future__ import annotations

from callrouter.core import clock_changes
from callrouter.core.agents import devices, requested_state
from callrouter.core.calls import announcements, eligibility, queueing
from callrouter.core.calls.call_lifecycle import CallChange, advance_call
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.offers.offer_lifecycle import OfferChange, advance_offer
from callrouter.core.state import Agent, Call, Offer
from callrouter.model.call_notices import (
    CallCompleted,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
)
from callrouter.model.commands import Connect, Leave, Requeue, Result, StopReason
from callrouter.model.events import TransferKind
from callrouter.model.outcomes import EndedBy, OfferEnd, RequeueCause
from callrouter.model.routing_table import HangUp

TRANSFERS_REMEMBERED = 1000
"""Number of transferred calls remembered in case they come back."""

SOON = 1.0
"""An agent who hangs up within this many seconds may never have talked: the caller is requeued.

Measured against app_queue, which ends such a caller's call instead (see docs/architecture.md).
"""


def connect(floor: Floor, offer: Offer) -> None:
    """The agent accepted: connect the two and stop all other phones.

    The caller stops waiting at once, so that no other agent can be offered the call. If the connect
    fails, `requeue` puts the caller back at the old position.
    """
    call, leg = offer.call, offer.winner
    assert leg is not None  # noqa: S101 - just set by the calling function
    announcements.count_advance(floor, call.queue)
    advance_call(floor, call, CallChange.ACCEPTED)
    call.winner = offer
    call.offers.pop(offer.agent.id, None)
    # The connect is ordered before the stops. Two people wait for it, while the other phones may as
    # well ring for the moment that it takes to stop 49 of them.
    floor.order(Connect(pbx=call.pbx, call=call.id, offer=offer.id, device=leg.device.id))
    for other in offer.legs.values():
        if other is not leg:
            ringing.stop_leg(floor, offer, other, StopReason.ANSWERED_ELSEWHERE)
    queueing.stop_offers(floor, call, StopReason.ANSWERED_ELSEWHERE, OfferEnd.LOST)


def connected(floor: Floor, call: Call, offer: Offer) -> None:
    """Caller and agent hear each other: the conversation begins, and counts for both.

    The PBX reports this once for each `Connect`. The wait that is reported ends here, not when the
    agent picked up.
    """
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


def restore_talk(floor: Floor, call: Call, agent: Agent) -> None:
    """Let an adopted conversation count from when it began, if that is known by now.

    For the agent's own talk time it counts from the adoption: what was before is in the agent's row.
    The beginning was written by another router, whose clock may be hours off. It is not before the caller came.
    """
    before = floor.before.talking.get(call.id)
    if before is not None and call.connected_at is not None:
        del floor.before.talking[call.id]
        if floor.agent_named(before.agent) is agent:
            call.connected_at = min(call.connected_at, max(before.since, call.entered_at))
            call.queued_at = min(call.queued_at, call.connected_at)


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
    """The conversation ended by itself.

    Args:
      floor: the state of the core.
      call: a call in conversation.
      by: which side hung up first. After the agent, the caller's channel is still there and is sent on.
    """
    ringing.drop_consultation(floor, call, StopReason.CALLER_GONE)
    _report_completed(floor, call, by)
    if by is EndedBy.AGENT:
        floor.order(Leave(pbx=call.pbx, call=call.id, result=Result.ANSWERED))
    queueing.forget(floor, call)


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
    """A supervisor ends a conversation: both parties are hung up, and the agent's wrap-up begins.

    Args:
      floor: the state of the core.
      call: a call in conversation. If its PBX is not in step, nothing is done.
      by: the person who asked for it.
    """
    offer = call.winner
    if offer is None or call.pbx not in floor.up:
        floor.report_oddity(f"call {call.id} can't be ended now")
        return
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    _report_completed(floor, call, EndedBy.SUPERVISOR, by)
    floor.order(Leave(pbx=call.pbx, call=call.id, result=Result.ANSWERED, target=HangUp()))
    ringing.hang_up_agent(floor, offer)
    queueing.forget(floor, call)


def transferred(floor: Floor, call: Call, kind: TransferKind, to: str) -> None:
    """The agent transferred the caller to a place outside the router.

    The agent's own leg ends by itself, so nothing is ordered. Should the caller come back to a queue,
    this agent is the last choice there.
    """
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    record_transfer(floor, call, kind, to)
    queueing.forget(floor, call)


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


def conversation_ended(floor: Floor, offer: Offer) -> None:
    """The agent's phone is on-hook after a conversation: wrap-up begins.

    The talk time counts for the agent and for the membership through which the call came, also if the
    caller has moved on to another queue in the meantime. A conversation that lasted proves the device.
    """
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
