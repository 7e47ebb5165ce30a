"""Taking in what a snapshot shows and we never knew of: callers, talks, and phones that ring."""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.core import agents, calls, failing, legs, offers, wishes
from callrouter.core.state import (
    Agent,
    Call,
    CallState,
    Floor,
    Leg,
    LegState,
    Membership,
    Offer,
    OfferState,
    Queue,
)
from callrouter.model.commands import StopReason, StopRing
from callrouter.model.events import CallerEnd, LegAccepted, LegAnswered, PbxSnapshot, SeenLeg
from callrouter.model.table import AgentSpec, DeviceSpec, MemberSpec


def unknown(floor: Floor, seen: PbxSnapshot, *, gap: bool) -> None:
    """Take in the unknown calls, oldest first, and legs; then look at everyone again.

    Without a gap before it, a snapshot may still show a caller who was sent away while it was made.
    """
    talking = {item.talking_to: item.arrived.call for item in seen.calls if item.talking_to}
    _calls(floor, seen, gap=gap)
    # Talks first: a phone beside one, on its way to being hung up, must find its caller served.
    talks: list[SeenLeg] = []
    others: list[SeenLeg] = []
    for leg in seen.legs:
        (talks if leg.bridged or leg.offer in talking else others).append(leg)
    for leg in talks:
        _take_in(floor, seen.pbx, leg, talking, gap=gap)
    for call_id in talking.values():
        call = floor.calls.get(call_id)
        if call is not None and call.state is CallState.WAITING:
            # With someone who is none of our agents, or not in that queue: they are served.
            calls.caller_left(floor, call, CallerEnd.TAKEN)
    # What was picked up first, and what rings before what is silent: those are taken in at any rate.
    for leg in sorted(others, key=lambda leg: (not leg.answered, not leg.rang)):
        _take_in(floor, seen.pbx, leg, talking, gap=gap)
    for call in floor.calls.values():
        if call.pbx == seen.pbx and call.state is CallState.WAITING:
            floor.hungry[call.id] = call
    for agent in floor.agents.values():
        agents.touch(floor, agent)


def _calls(floor: Floor, seen: PbxSnapshot, *, gap: bool) -> None:
    known = floor.calls if gap else {*floor.calls, *floor.departed}
    found = [item for item in seen.calls if item.arrived.call not in known]
    for item in sorted(found, key=lambda item: item.arrived.entered_at or floor.now):
        if item.talking_to and not _has(floor, item.arrived.queue):
            floor.note(f"call {item.arrived.call} talks, and its queue is gone; left alone")
        else:
            calls.arrived(floor, item.arrived, found=True)


def _has(floor: Floor, queue: str) -> bool:
    return queue in floor.queues or queue in floor.former_queues


def _take_in(
    floor: Floor, pbx: str, seen: SeenLeg, talking: Mapping[str, str], *, gap: bool
) -> None:
    offer = floor.offers.get(seen.offer)
    if offer is None:
        _leg(floor, pbx, seen, talking, gap=gap)
    elif seen.device not in offer.legs:
        _second_leg(floor, pbx, offer, seen)


def _leg(floor: Floor, pbx: str, seen: SeenLeg, talking: Mapping[str, str], *, gap: bool) -> None:
    """A leg of an offer we do not know: theirs who talk on it, else rung on or stopped.

    A phone that rings for a call we have taken up goes on ringing. One that was picked up meanwhile has
    taken the call, as it would have a moment before or after.
    """
    agent = floor.agent_named(seen.agent)
    call = floor.calls.get(talking.get(seen.offer, seen.call))
    if seen.bridged or seen.offer in talking:
        in_talk = call if seen.offer in talking else None
        if not _talk(floor, pbx, seen, in_talk):
            floor.note(f"{seen.agent or 'somebody'} talks on a leg of offer {seen.offer}; let be")
        return
    member = call.queue.members.get(agent.id) if call is not None and agent is not None else None
    if (
        agent is None
        or call is None
        or member is None
        or seen.offer.startswith(f"{floor.boot}-")  # one that we gave up on ourselves
        or not _may_ring(call, agent, seen)
        or not _ringing(floor, pbx, seen, call, member)
    ):
        _stop(floor, pbx, seen)
        if gap:  # else it is one that was given up on, and its phone is left alone already
            _until_quiet(floor, pbx, seen)


def _may_ring(call: Call, agent: Agent, seen: SeenLeg) -> bool:
    """Whether a phone rings rightly. One that was picked up holds nobody back, wherever it began."""
    holding = [offer for offer in call.offers.values() if not _asked(offer)]
    return (
        call.state is CallState.WAITING
        and not call.expired
        and (seen.answered or call.at_once > len(holding))
        and agents.willing(agent)
        and agent.id not in call.tried
        and agent.id not in call.offers
    )


def _asked(offer: Offer) -> bool:
    return any(leg.state is LegState.ANSWERED for leg in offer.legs.values())


def _stop(floor: Floor, pbx: str, seen: SeenLeg) -> None:
    floor.order(StopRing(pbx=pbx, offer=seen.offer, device=seen.device, why=StopReason.WITHDRAWN))


def _until_quiet(floor: Floor, pbx: str, seen: SeenLeg) -> None:
    """The agent of a leg that is being stopped is not rung before that phone is quiet."""
    agent = floor.agent_named(seen.agent)
    member = _member(floor, agent, None) if agent is not None else None
    if agent is None or member is None:
        return
    call = _past(floor, pbx, seen.call, member.queue)
    offer = _offer(floor, seen, call, member, _known_leg(agent, pbx, seen))
    offer.outcome, offer.state = "withdrawn", OfferState.CLOSING
    for leg in offer.legs.values():
        leg.stopping = True
    legs.reserve(floor, offer)
    call.offers.clear()
    floor.timers.close.set(offer.id, floor.present + agents.CLOSE_WITHIN)


def _past(floor: Floor, pbx: str, call: str, queue: Queue) -> Call:
    """Stands for a call that is over, or never was ours."""
    return Call(
        id=call,
        pbx=pbx,
        queue=queue,
        seq=floor.next_serial(),
        entered_at=floor.now,
        queued_at=floor.now,
        state=CallState.ENDED,
    )


def _known_leg(agent: Agent, pbx: str, seen: SeenLeg) -> Leg:
    spec = agents.device(agent, seen.device)
    spec = spec or DeviceSpec(id=seen.device, agent=agent.id, pbxes=(pbx,))
    return Leg(spec, pbx, state=LegState.ACCEPTED if seen.answered else _rings(seen))


def _rings(seen: SeenLeg) -> LegState:
    return LegState.RINGING if seen.rang else LegState.PLACED


def _ringing(floor: Floor, pbx: str, seen: SeenLeg, call: Call, member: Membership) -> bool:
    """Take in a phone that rings; False if it can't be."""
    spec = agents.device(member.agent, seen.device)
    if spec is None or pbx != call.pbx:
        return False
    leg = Leg(spec, pbx, state=_rings(seen), rang_at=floor.now if seen.rang else None)
    offer = _offer(floor, seen, call, member, leg)
    legs.reserve(floor, offer)
    floor.timers.ring.set(offer.id, floor.present + call.queue.spec.ring_for)
    if seen.accepted or (seen.answered and not spec.confirm):
        offers.handle_leg(floor, LegAccepted(offer=offer.id, device=spec.id))
    elif seen.answered:
        offers.handle_leg(floor, LegAnswered(offer=offer.id, device=spec.id))
    return True


def _talk(floor: Floor, pbx: str, seen: SeenLeg, call: Call | None) -> bool:
    """Take in a talk; False if it can't be. It goes on in any case: nobody is cut off.

    The agent is busy whoever the other party is (None: no caller of ours, or not any more), and
    whether or not the table still has them, their queue or their phone.
    """
    mine = call is not None and call.state is CallState.WAITING and call.pbx == pbx
    agent = floor.agent_named(seen.agent) or _finishing(floor, seen.agent)
    member = _member(floor, agent, call.queue if call is not None and mine else None)
    held = [offer for offer in agent.offers.values() if offer.state in agents.OFF_HOOK]
    if member is None or len(held) >= agent.spec.capacity:
        wishes.settle_pending(floor, agent)
        return False
    failing.withdraw_all(floor, agent)
    if call is None or not mine:
        call = _past(floor, pbx, seen.call, member.queue)
    else:
        calls.stop_offers(floor, call, StopReason.WITHDRAWN, "withdrawn")
        calls.out_of_line(floor, call)
        call.state, call.connected_at = CallState.TALKING, floor.now
    _engage(floor, pbx, seen, call, member)
    return True


def _finishing(floor: Floor, name: str) -> Agent:
    """Someone who is no agent any more and still talks: they are let finish."""
    agent = Agent(spec=AgentSpec(id=name, name=name), since=floor.now, gone=True)
    floor.agents[name] = agent
    return agent


def _member(floor: Floor, agent: Agent, queue: Queue | None) -> Membership | None:
    """The agent as one who serves a queue (None: any), as it was if not as it is."""
    known = agent.memberships.get(queue.id) if queue is not None else None
    known = known or next(iter(agent.memberships.values()), None)
    queue = queue or next(iter(floor.queues.values()), None)
    if known is None and queue is not None:
        known = Membership(agent, queue, MemberSpec(agent=agent.id))
    return known


def _engage(floor: Floor, pbx: str, seen: SeenLeg, call: Call, member: Membership) -> None:
    agent = member.agent
    leg = _known_leg(agent, pbx, seen)
    leg.state = LegState.ACCEPTED
    offer = _offer(floor, seen, call, member, leg)
    legs.reserve(floor, offer)
    call.offers.pop(agent.id, None)
    call.winner = offer
    offer.winner, offer.state, offer.adopted = leg, OfferState.TALKING, True
    offer.talked_since = floor.now
    wishes.keep_promise(floor, agent)


def _second_leg(floor: Floor, pbx: str, offer: Offer, seen: SeenLeg) -> None:
    """Another phone that rings for an offer of which one was taken in just now."""
    spec = agents.device(offer.agent, seen.device)
    if offer.state is OfferState.RINGING and spec is not None and not seen.answered:
        offer.legs[seen.device] = Leg(spec, pbx, state=_rings(seen))
        offer.rang = offer.rang or seen.rang
    else:
        _stop(floor, pbx, seen)
        if offer.state is OfferState.CLOSING:
            leg = offer.legs[seen.device] = _known_leg(offer.agent, pbx, seen)
            leg.stopping = True


def _offer(floor: Floor, seen: SeenLeg, call: Call, member: Membership, leg: Leg) -> Offer:
    call.queue.turns += 1
    return Offer(
        id=seen.offer,
        call=call,
        member=member,
        turn=call.queue.turns,
        placed_at=floor.now,
        legs={leg.device.id: leg},
        rang=seen.rang or seen.answered,
    )
