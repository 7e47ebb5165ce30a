"""Adopts what a snapshot shows and the core does not know: callers, conversations, ringing legs.

After a restart that is everything. The new run knows nothing but the routing table, agents' rows and
the snapshots, and people are waiting, ringing and talking. Why none of them is harmed:

- **No conversation is cut off.** A leg that is bridged is adopted, with a stand-in for its agent or a
  placeholder for its call if the table has none. If even that is impossible, it is left alone.
- **The order of callers is kept.** They are adopted oldest first, each with the priority and the times
  of entry that its own channel carries, and its rank follows from these and its queue.
- **No agent gets a call too many.** An agent with a leg of ours is reserved before `matching` runs, at
  the end of this event: for the conversation, for the offer that rings on, or, if the phone is being
  stopped, until it is known to be quiet.
- **A phone talks once.** Its leg at its home is the phone. What is bridged on a way through another PBX
  besides was passed on by the phone's own keys, or its far end is gone; that caller has no agent of ours.
- **No caller gets two agents.** Conversations are adopted first, then answered legs, then ringing ones.
  Each uses up the call or the agent, so a leg of less importance finds neither and is stopped.
- **An order of this run is never undone.** Ids of offers begin with the run's id. One of ours that is
  not known any more was given up on purpose, so its leg is stopped and not adopted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from callrouter.core import leg_reports, phone_transfers
from callrouter.core.agents import agent_availability, requested_state, shared_phones
from callrouter.core.calls import arrivals, bridging, queueing
from callrouter.core.calls.call_lifecycle import CallChange, advance_call
from callrouter.core.floor import Floor
from callrouter.core.offers import offer_failures, ringing
from callrouter.core.state import (
    Agent,
    Call,
    CallState,
    Leg,
    LegState,
    Membership,
    Offer,
    OfferState,
    Queue,
)
from callrouter.model.commands import StopReason, StopRing
from callrouter.model.events import CallerEnd, LegAccepted, LegAnswered, PbxSnapshot, SeenLeg
from callrouter.model.outcomes import OfferEnd
from callrouter.model.routing_table import AgentSpec, DeviceSpec, MemberSpec


def adopt_unknown(floor: Floor, seen: PbxSnapshot, *, gap: bool) -> None:
    """Adopt unknown calls, oldest first, then unknown legs; then re-evaluate every agent and call.

    `gap` says that events were lost before the snapshot. Without a gap the snapshot may still list
    a caller who was sent away while it was being made, so departed calls are not adopted again.
    """
    seen = _without_passed_on(floor, seen)
    talking = {item.talking_to: item.arrived.call for item in seen.calls if item.talking_to}
    _adopt_calls(floor, seen, gap=gap)
    # Conversations first: a second phone of the same call, about to be hung up, must find its
    # caller already served.
    talks: list[SeenLeg] = []
    others: list[SeenLeg] = []
    for leg in seen.legs:
        (talks if leg.bridged or leg.offer in talking else others).append(leg)
    # Of two phones of one offer, the one in the bridge is the one that talks.
    for leg in sorted(talks, key=lambda leg: not leg.bridged):
        _adopt_leg(floor, seen.pbx, leg, talking, gap=gap)
    for call_id in talking.values():
        call = floor.calls.get(call_id)
        if call is not None and call.state is CallState.WAITING:
            # The caller talks to a device outside our table, or to an agent of another queue.
            # Either way they are served.
            queueing.caller_left(floor, call, CallerEnd.MOVED_AWAY)
    # Answered legs before ringing ones, and ringing ones before silent ones. Each adoption can use
    # up the agent or the call, so the legs that matter most to people come first.
    for leg in sorted(others, key=lambda leg: (not leg.answered, not leg.rang)):
        _adopt_leg(floor, seen.pbx, leg, talking, gap=gap)
    for call in floor.calls.values():
        if call.pbx == seen.pbx and call.state is CallState.WAITING:
            floor.unmatched_calls[call.id] = call
    for agent in floor.agents.values():
        floor.mark_changed(agent)


def _without_passed_on(floor: Floor, seen: PbxSnapshot) -> PbxSnapshot:
    """A snapshot without the conversations that a phone's home has passed on: they are not ours."""
    if not floor.passed_on:
        return seen
    there = {item.arrived.call for item in seen.calls if item.talking_to}
    for call, pbx in list(floor.passed_on.items()):
        if pbx == seen.pbx and call not in there:  # over, or in a queue again
            del floor.passed_on[call]
    legs = {item.talking_to for item in seen.calls if item.arrived.call in floor.passed_on}
    return replace(
        seen,
        calls=tuple(item for item in seen.calls if item.arrived.call not in floor.passed_on),
        legs=tuple(leg for leg in seen.legs if leg.offer not in legs),
    )


def _adopt_calls(floor: Floor, seen: PbxSnapshot, *, gap: bool) -> None:
    known = floor.calls if gap else {*floor.calls, *floor.departed}
    found = [item for item in seen.calls if item.arrived.call not in known]
    for item in sorted(found, key=lambda item: item.arrived.entered_at or floor.now):
        if item.talking_to and not _has(floor, item.arrived.queue):
            floor.report_oddity(
                f"call {item.arrived.call} talks, and its queue is gone; left alone"
            )
        else:
            arrivals.arrived(floor, item.arrived, found=True)


def _has(floor: Floor, queue: str) -> bool:
    return queue in floor.queues or queue in floor.former_queues


def _adopt_leg(
    floor: Floor, pbx: str, seen: SeenLeg, talking: Mapping[str, str], *, gap: bool
) -> None:
    offer = floor.offers.get(seen.offer)
    if offer is None:
        _adopt_unknown_leg(floor, pbx, seen, talking, gap=gap)
    elif seen.device not in offer.legs:
        _adopt_second_leg(floor, pbx, offer, seen)


def _adopt_unknown_leg(
    floor: Floor, pbx: str, seen: SeenLeg, talking: Mapping[str, str], *, gap: bool
) -> None:
    """Handle a leg of an unknown offer: adopt it if bridged or rightly ringing, else cancel it.

    A phone that rings for a call we have adopted goes on ringing. One that was picked up in the
    meantime takes the call, as it would have without the interruption.
    """
    agent = floor.agent_named(seen.agent)
    call = floor.calls.get(talking.get(seen.offer, seen.call))
    if seen.bridged or seen.offer in talking:
        # Only the caller's own channel tells with which offer they are connected. A leg bridged with
        # another party just keeps its agent busy.
        in_talk = call if seen.offer in talking else None
        if not _adopt_conversation(floor, pbx, seen, in_talk):
            floor.report_oddity(
                f"{seen.agent or 'an agent'} talks on a leg of offer {seen.offer}; let be"
            )
        return
    member = call.queue.members.get(agent.id) if call is not None and agent is not None else None
    if (
        agent is None
        or call is None
        or member is None
        or seen.offer.startswith(f"{floor.run_id}-")  # an offer we gave up on ourselves
        or not _may_ring(call, agent, seen)
        or not _adopt_ringing(floor, pbx, seen, call, member)
    ):
        _stop(floor, pbx, seen)
        # Without a gap, we gave up on this offer ourselves and its device is already in cooldown.
        if gap:
            _reserve_until_quiet(floor, pbx, seen)


def _may_ring(call: Call, agent: Agent, seen: SeenLeg) -> bool:
    """Whether this phone should be ringing.

    An answered leg is not subject to the limit on phones rung at once.
    """
    holding = [offer for offer in call.offers.values() if not _asked(offer)]
    return (
        call.state is CallState.WAITING
        and not call.expired
        and (seen.answered or call.at_once > len(holding))
        and agent_availability.willing(agent)
        and agent.id not in call.tried
        and agent.id not in call.offers
    )


def _asked(offer: Offer) -> bool:
    return any(leg.state is LegState.ANSWERED for leg in offer.legs.values())


def _stop(floor: Floor, pbx: str, seen: SeenLeg) -> None:
    floor.order(StopRing(pbx=pbx, offer=seen.offer, device=seen.device, why=StopReason.WITHDRAWN))


def _reserve_until_quiet(floor: Floor, pbx: str, seen: SeenLeg) -> None:
    """Reserve the agent of a leg that is being cancelled until that phone is quiet."""
    agent = floor.agent_named(seen.agent)
    member = _member(floor, agent, None) if agent is not None else None
    if agent is None or member is None:
        return
    call = _placeholder_call(floor, pbx, seen.call, member.queue)
    leg = _known_leg(agent, pbx, seen)
    leg.stopping = True
    offer = _offer(floor, seen, call, member, leg, state=OfferState.CLOSING)
    ringing.reserve(floor, offer)
    call.offers.clear()
    floor.timers.closing.set(offer.id, floor.clock_now + ringing.CLOSE_WITHIN)


def _placeholder_call(floor: Floor, pbx: str, call: str, queue: Queue) -> Call:
    """A placeholder for a call that is over or was never ours."""
    return Call(
        id=call,
        pbx=pbx,
        queue=queue,
        seq=floor.next_serial(),
        entered_at=floor.now,
        queued_at=floor.now,
        state=CallState.ENDED,
    )


def _known_leg(agent: Agent, pbx: str, seen: SeenLeg, *, up: bool = False) -> Leg:
    spec = agent_availability.device_of(agent, seen.device)
    spec = spec or DeviceSpec(id=seen.device, agent=agent.id, pbxes=(pbx,))
    return Leg(spec, pbx, state=LegState.ACCEPTED if up or seen.answered else _rings(seen))


def _rings(seen: SeenLeg) -> LegState:
    return LegState.RINGING if seen.rang else LegState.PLACED


def _adopt_ringing(floor: Floor, pbx: str, seen: SeenLeg, call: Call, member: Membership) -> bool:
    """Adopt a ringing phone. Returns False if that is not possible."""
    spec = agent_availability.device_of(member.agent, seen.device)
    if spec is None or pbx != call.pbx:
        return False
    leg = Leg(spec, pbx, state=_rings(seen), rang_at=floor.now if seen.rang else None)
    offer = _offer(floor, seen, call, member, leg)
    ringing.reserve(floor, offer)
    floor.timers.ring.set(offer.id, floor.clock_now + call.queue.spec.ring_for)
    if seen.accepted or (seen.answered and not shared_phones.may_be_asked(spec, pbx)):
        leg_reports.handle_leg(floor, LegAccepted(offer=offer.id, device=spec.id))
    elif seen.answered:
        leg_reports.handle_leg(floor, LegAnswered(offer=offer.id, device=spec.id))
    return True


def _adopt_conversation(floor: Floor, pbx: str, seen: SeenLeg, call: Call | None) -> bool:
    """Adopt a conversation. Returns False if that is not possible.

    The conversation goes on in either case: no caller is cut off. The agent counts as busy even if
    the other party is not a caller of ours (`call` is None), and even if the agent, the queue or
    the device is no longer in the routing table.
    """
    mine = call is not None and call.state is CallState.WAITING and call.pbx == pbx
    agent = floor.agent_named(seen.agent) or _stand_in_agent(floor, seen.agent)
    member = _member(floor, agent, call.queue if call is not None and mine else None)
    held = [offer for offer in agent.offers.values() if offer.state in agent_availability.OFF_HOOK]
    if len(held) >= agent.spec.capacity:
        if phone_transfers.is_passed_on(floor, agent, seen.device, pbx):
            if mine:
                floor.passed_on[seen.call] = pbx
            return True
        held = [offer for offer in held if offer.state in agent_availability.OFF_HOOK]
    if member is None or len(held) >= agent.spec.capacity:
        requested_state.settle_pending(floor, agent)
        return False
    offer_failures.withdraw_all(floor, agent)
    if call is None or not mine:
        call = _placeholder_call(floor, pbx, seen.call, member.queue)
    else:
        queueing.stop_offers(floor, call, StopReason.WITHDRAWN, OfferEnd.WITHDRAWN)
        advance_call(floor, call, CallChange.FOUND_TALKING)
        call.connected_at = floor.now
        bridging.restore_talk(floor, call, agent)
    _adopt_talking_agent(floor, pbx, seen, call, member)
    return True


def _stand_in_agent(floor: Floor, name: str) -> Agent:
    """Stand in for an agent who has left the routing table but still talks: they may finish."""
    agent = Agent(spec=AgentSpec(id=name, name=name), since=floor.now, gone=True)
    floor.agents[name] = agent
    return agent


def _member(floor: Floor, agent: Agent, queue: Queue | None) -> Membership | None:
    """The agent's membership of a queue (None: any queue). One is made up if the table has none."""
    known = agent.memberships.get(queue.id) if queue is not None else None
    known = known or next(iter(agent.memberships.values()), None)
    queue = queue or next(iter(floor.queues.values()), None)
    if known is None and queue is not None:
        known = Membership(agent, queue, MemberSpec(agent=agent.id))
    return known


def _adopt_talking_agent(
    floor: Floor, pbx: str, seen: SeenLeg, call: Call, member: Membership
) -> None:
    agent = member.agent
    leg = _known_leg(agent, pbx, seen, up=True)
    offer = _offer(floor, seen, call, member, leg, state=OfferState.TALKING)
    ringing.reserve(floor, offer)
    call.offers.pop(agent.id, None)
    call.winner = offer
    offer.winner, offer.adopted = leg, True
    offer.talked_since = floor.now
    floor.changed_rows[agent.id] = None
    requested_state.make_pending_again(floor, agent)
    if leg.device.addresses:
        phone_transfers.await_end(floor, offer)


def _adopt_second_leg(floor: Floor, pbx: str, offer: Offer, seen: SeenLeg) -> None:
    """Adopt another ringing phone of an offer that was adopted a moment ago."""
    spec = agent_availability.device_of(offer.agent, seen.device)
    if offer.state is OfferState.RINGING and spec is not None and not seen.answered:
        offer.legs[seen.device] = Leg(spec, pbx, state=_rings(seen))
        offer.rang = offer.rang or seen.rang
    else:
        _stop(floor, pbx, seen)
        if offer.state is OfferState.CLOSING:
            leg = offer.legs[seen.device] = _known_leg(offer.agent, pbx, seen)
            leg.stopping = True


def _offer(
    floor: Floor,
    seen: SeenLeg,
    call: Call,
    member: Membership,
    leg: Leg,
    *,
    state: OfferState = OfferState.RINGING,
) -> Offer:
    call.queue.turns += 1
    return Offer(
        id=seen.offer,
        call=call,
        member=member,
        turn=call.queue.turns,
        placed_at=floor.now,
        legs={leg.device.id: leg},
        state=state,
        rang=seen.rang or seen.answered,
    )
