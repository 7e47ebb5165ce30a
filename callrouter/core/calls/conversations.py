"""What an agent does with a connected caller: hold, transfer, consult a colleague first.

A transfer to a queue, or to a colleague in it, requeues the caller with their priority and first
entry. The agent who gave them away is the last choice there. A consultation is an offer like any
other, to one colleague; the call keeps it apart from offers for a waiting caller. During it the
caller is on hold and belongs to the first agent until that agent puts them through or hangs up.
Every agent stays busy until their own phone is on-hook.
"""

from __future__ import annotations

from callrouter.core import lane_membership
from callrouter.core.agents import (
    agent_availability,
    agent_messages,
    unavailability_text,
)
from callrouter.core.calls import bridging, outside_calls, queueing, waiting
from callrouter.core.calls.call_lifecycle import CONNECT_WITHIN, CallChange, advance_call
from callrouter.core.floor import Floor
from callrouter.core.index.lanes import LaneKey
from callrouter.core.offers import ringing
from callrouter.core.offers.offer_lifecycle import OfferChange, advance_offer
from callrouter.core.state import CALL_STATES, Agent, Call, CallState, Membership, Offer, OfferState
from callrouter.model.call_notices import CallPutThrough, HoldChanged
from callrouter.model.call_requests import (
    ConversationAction,
    ConversationRequested,
    no_agent,
    no_queue,
    not_agent_of,
)
from callrouter.model.commands import Consult, PutThrough, Requeue, SetHold, StopReason
from callrouter.model.events import TransferKind
from callrouter.model.outcomes import ConsultationStep, RequeueReason
from callrouter.model.text import joined, phrase

_NEEDS_HOLD = frozenset(
    {ConversationAction.HOLD, ConversationAction.UNHOLD, ConversationAction.CONSULT}
)


def handle(floor: Floor, event: ConversationRequested) -> None:
    """Carry out a request, or note why it is refused."""
    wrong = refusal(floor, event)
    if wrong:
        floor.report_oddity(wrong)
        return
    call = floor.calls[event.call]
    match event.action:
        case ConversationAction.HOLD:
            set_hold(floor, call, on=True, by=event.by)
        case ConversationAction.UNHOLD:
            set_hold(floor, call, on=False, by=event.by)
        case ConversationAction.TRANSFER if event.number:
            outside_calls.dial(floor, call, event.number, event.by)
        case ConversationAction.TRANSFER:
            transfer(floor, call, queue=event.queue, agent=event.agent, by=event.by)
        case ConversationAction.CONSULT:
            member = _colleague(floor, call, event)
            if member is not None:
                _consult(floor, call, member)
        case ConversationAction.COMPLETE:
            put_through(floor, call, event.by)
        case ConversationAction.CANCEL:
            _cancel(floor, call)


def refusal(floor: Floor, event: ConversationRequested) -> str:  # noqa: C901 - a line for each action
    """Why a request can't be granted now.

    Returns:
      The reason, in words for the person who asked; empty if the request can be granted.
    """
    call = floor.calls.get(event.call)
    if call is None:
        return phrase("no-call", "there is no call {call}", call=event.call)
    if call.state is not CallState.TALKING or call.winner is None:
        return phrase(
            "call-not-talking",
            "call {call} is {state}; only a conversation can be held or transferred",
            call=call.id,
            state=CALL_STATES[call.state.value],
        )
    if call.pbx not in floor.up:
        return phrase(
            "call-pbx-away",
            "nothing can be done with call {call} now: {pbx} is not connected",
            call=call.id,
            pbx=call.pbx,
        )
    if event.action in _NEEDS_HOLD and call.pbx not in floor.hold_pbxes:
        return phrase(
            "no-hold",
            "callrouter cannot hold calls on {pbx}: use the keys of the phone",
            pbx=call.pbx,
        )
    if event.action in _NEEDS_HOLD and not call.can_hold:
        return phrase(
            "blind-only",
            "this call was taken by ring_all: dial, and can only be transferred blind",
        )
    match event.action:
        case ConversationAction.HOLD:
            text = "the caller of {call} is on hold already"
            return phrase("held-already", text, call=call.id) if call.held else ""
        case ConversationAction.UNHOLD if call.consult is not None:
            return phrase(
                "consulting",
                "a colleague is being asked: complete the transfer, or cancel it",
            )
        case ConversationAction.UNHOLD:
            # A caller on hold before a restart may still be on hold.
            known, text = call.held or call.winner.adopted, "the caller of {call} is not on hold"
            return "" if known else phrase("not-held", text, call=call.id)
        case ConversationAction.TRANSFER if event.number:
            return outside_calls.refusal(floor, call, event)
        case ConversationAction.TRANSFER:
            return _no_transfer(floor, call, event)
        case ConversationAction.CONSULT:
            return _no_consultation(floor, call, event)
        case ConversationAction.COMPLETE | ConversationAction.CANCEL:
            return _no_end(call, event.action)


def _no_transfer(floor: Floor, call: Call, event: ConversationRequested) -> str:
    if not event.queue and not event.agent:
        return phrase("say-where-to", "say where to: a queue, or an agent")
    queue = floor.queues.get(event.queue or call.queue.id)
    if queue is None or queue.gone:
        return no_queue(event.queue or call.queue.id, floor.queues)
    if not event.agent:
        return ""
    member = queue.members.get(event.agent)
    if member is None:
        return not_agent_of(event.agent, queue.id)
    return _why_not_free(floor, call, member.agent)


def _no_consultation(floor: Floor, call: Call, event: ConversationRequested) -> str:
    if call.consult is not None:
        return phrase(
            "asked-already", "{agent} is being asked already", agent=call.consult.agent.id
        )
    if bool(event.queue) == bool(event.agent):
        return phrase("say-whom-to-ask", "say who to ask: an agent, or a queue")
    if event.queue and event.queue not in floor.queues:
        return no_queue(event.queue, floor.queues)
    if event.agent and event.agent not in floor.agents:
        return no_agent(event.agent, call.queue.members)
    if event.agent and (no := _why_not_free(floor, call, floor.agents[event.agent])):
        return no
    if _colleague(floor, call, event):
        return ""
    if event.agent:
        return phrase("colleague-in-no-queue", "{agent} is in no queue", agent=event.agent)
    return phrase("none-free-in-queue", "no agent is free in {queue}", queue=event.queue)


def _why_not_free(floor: Floor, call: Call, agent: Agent) -> str:
    if call.winner is not None and agent is call.winner.agent:
        return phrase("has-the-call", "{agent} is the one who has the call", agent=agent.id)
    if call.pbx in agent_availability.available_through(floor, agent):
        return ""
    why = unavailability_text.why_not(floor, agent) or [
        phrase("no-phone-on", "no phone on {pbx}", pbx=call.pbx)
    ]
    return phrase(
        "cannot-be-rung-now",
        "{agent} can't be rung now: {why}",
        agent=agent.id,
        why=joined(why),
    )


def _no_end(call: Call, action: ConversationAction) -> str:
    if call.consult is None:
        return phrase("none-asked", "no colleague is being asked")
    if action is ConversationAction.COMPLETE and call.consult.state is not OfferState.TALKING:
        return phrase(
            "asked-not-answered", "{agent} has not answered yet", agent=call.consult.agent.id
        )
    return ""


# ---------------------------------------------------------------- hold


def set_hold(floor: Floor, call: Call, *, on: bool, by: str = "") -> None:
    """Put the caller on hold or take them off.

    Args:
      floor: the state of the core.
      call: a call in conversation. Nothing is done if it is in that state already.
      on: whether the caller hears music.
      by: who asked for it; empty: the agent, or the router itself.
    """
    found = call.winner is not None and call.winner.adopted
    if call.held is not on or (found and not on):
        call.held = on
        floor.order(SetHold(pbx=call.pbx, call=call.id, on=on))
        who = call.winner.agent.id if call.winner is not None else ""
        floor.publish(
            HoldChanged(at=floor.now, call=call.id, queue=call.queue.id, agent=who, on=on, by=by)
        )


# ---------------------------------------------------------------- transfer


def transfer(floor: Floor, call: Call, *, queue: str = "", agent: str = "", by: str = "") -> None:
    """The agent gives the caller away: to a queue, or to a colleague in it who is rung first.

    Args:
        floor: the state of the core.
        call: a call in conversation.
        queue: the queue that it goes to; empty: the one that it came from.
        agent: the colleague to ring first; empty: the queue's policy decides.
        by: who asked for it, unless that was the agent's own phone.
    """
    offer = call.winner
    assert offer is not None  # noqa: S101 - the call is in the TALKING state
    target = floor.queues[queue] if queue else call.queue
    if target.gone:
        bridging.requeue(floor, call, RequeueReason.PASSED_ON)
        return
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    bridging.record_transfer(floor, call, TransferKind.BLIND, agent or target.id, by)
    call.winner, call.connected_at, call.held = None, None, False
    floor.order(Requeue(pbx=call.pbx, call=call.id, queued_at=floor.now))
    ringing.hang_up_agent(floor, offer)
    waiting.begin_stay(floor, call, target)
    call.tried[offer.agent.id] = None
    call.failed_at = floor.now
    call.first_agent = agent
    call.announced_at = None
    advance_call(floor, call, CallChange.REQUEUED)
    call.origin_position = waiting.position(call)
    queueing.report_entry(floor, call)


# ---------------------------------------------------------------- a colleague is asked first


def _colleague(floor: Floor, call: Call, event: ConversationRequested) -> Membership | None:
    """The member to ring: the agent named, or the first one available in a queue."""
    if event.agent:
        agent = floor.agents[event.agent]
        own = call.queue.members.get(event.agent)
        return own or next(iter(agent.memberships.values()), None)
    lane = lane_membership.queue_lane(floor, floor.queues[event.queue], LaneKey(call.pbx, 0))
    return lane.idle.first({call.winner.agent.id} if call.winner is not None else ())


def _consult(floor: Floor, call: Call, member: Membership) -> None:
    set_hold(floor, call, on=True)
    offer = ringing.make_offer(floor, call, member, consult=True)
    step = ConsultationStep.ASKED if offer else ConsultationStep.NO_PHONE
    ringing.report_consultation(floor, call, member.agent.id, step)


def colleague_accepted(floor: Floor, offer: Offer) -> None:
    """The colleague picked up: connect them to the agent who asks."""
    leg = offer.winner
    assert leg is not None  # noqa: S101 - just set by the calling function
    call = offer.call
    for other in offer.legs.values():
        if other is not leg:
            ringing.stop_leg(floor, offer, other, StopReason.ANSWERED_ELSEWHERE)
    floor.timers.accept.set((offer.id, ""), floor.clock_now + CONNECT_WITHIN)
    floor.order(Consult(pbx=call.pbx, call=call.id, offer=offer.id, device=leg.device.id))


def colleague_connected(floor: Floor, offer: Offer) -> None:
    """The two agents hear each other. The caller stays on hold until one of them decides."""
    floor.timers.accept.cancel((offer.id, ""))
    advance_offer(floor, offer, OfferChange.CONNECTED)
    floor.mark_changed(offer.agent)
    ringing.report_consultation(floor, offer.call, offer.agent.id, ConsultationStep.TALKING)


def colleague_left(floor: Floor, offer: Offer) -> None:
    """The colleague has hung up without taking the caller."""
    call = offer.call
    if call.consult is offer:
        call.consult = None
        ringing.report_consultation(floor, call, offer.agent.id, ConsultationStep.HUNG_UP)
        if call.winner is not None:
            text = agent_messages.colleague_left(offer.agent.id)
            agent_messages.send_message(floor, call.winner.agent, text)


def put_through(floor: Floor, call: Call, by: str = "") -> None:
    """Give the caller to the colleague, and release the agent who asked.

    The colleague's offer becomes the one that has the call, so that what follows (hold, wrap-up, the end
    of the conversation) is the colleague's. The agent who asked goes into wrap-up when their phone is
    on-hook.
    """
    giver, taker = call.winner, call.consult
    assert giver is not None  # noqa: S101 - the call is in the TALKING state
    assert taker is not None  # noqa: S101 - checked by `refusal` and by every caller
    taker.consult, call.consult, call.winner = False, None, taker
    call.held = False
    taker.agent.calls += 1
    floor.changed_rows[taker.agent.id] = None
    taker.member.calls += 1
    floor.order(PutThrough(pbx=call.pbx, call=call.id, offer=taker.id))
    floor.publish(
        CallPutThrough(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=giver.agent.id,
            offer=giver.id,
            to=taker.agent.id,
            by=by,
        )
    )
    ringing.hang_up_agent(floor, giver)


def asking_agent_left(floor: Floor, call: Call) -> bool:
    """The agent who asks hangs up, which puts the caller through if the colleague is there.

    Otherwise the caller is requeued, and no agent comes first. Returns False if no colleague was
    being asked.
    """
    consult = call.consult
    if consult is None:
        return False
    if consult.state is OfferState.TALKING:
        put_through(floor, call)
    else:
        transfer(floor, call)
    return True


def _cancel(floor: Floor, call: Call) -> None:
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    set_hold(floor, call, on=False)
