"""`check(floor)`: every invariant of the core, computed from scratch.

It visits every object and uses none of the indexes it checks, so it is slow on purpose. Tests call
it after every event. The numbers are those of the invariants in docs/architecture.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from callrouter.core import lane_membership
from callrouter.core.agents import agent_availability, presence
from callrouter.core.agents.requested_state import pause_ends
from callrouter.core.calls.eligibility import preference
from callrouter.core.calls.waiting import patience
from callrouter.core.deadlines import Timer
from callrouter.core.floor import Floor
from callrouter.core.matching import abandoned, holding_back, wanted
from callrouter.core.state import (
    Agent,
    Call,
    CallLane,
    CallState,
    Leg,
    LegState,
    Membership,
    Offer,
    OfferState,
    Queue,
)
from callrouter.model.routing_table import DeviceSpec


def check(floor: Floor) -> list[str]:
    """Every breach found, in words; empty if the floor is consistent.

    Each text begins with the number of its invariant and a colon.
    """
    return [
        *_calls(floor),
        *_offers(floor),
        *_agents(floor),
        *_lanes(floor),
        *_work_conserved(floor),
        *_timers(floor),
    ]


def one_call(floor: Floor, call: Call) -> Iterator[str]:
    """Breaches that concern one call.

    They are those of its place in line, its winner and its timers. `served` looks for agents it
    could have.
    """
    yield from _place_of(floor, call)
    yield from _winner_of(call)
    yield from _missing_for_call(floor, call)


def _calls(floor: Floor) -> Iterator[str]:
    for call in floor.calls.values():
        yield from one_call(floor, call)
    for queue in floor.queues.values():
        if queue.gone is (queue.id in floor.table.queues):
            yield f"1: queue {queue.id} is {'' if queue.gone else 'not '}gone, and the table differs"
        if queue.gone is not (queue.id in floor.draining):
            yield f"1: queue {queue.id} drains or does not, wrongly"
        for call in queue.waiting.values():
            if floor.calls.get(call.id) is not call:
                yield f"1: call {call.id} stands in line of {queue.id} and is not known"


def _place_of(floor: Floor, call: Call) -> Iterator[str]:
    here = call.queue.waiting.position(call) > 0
    if call.state is CallState.ENDED:
        yield f"1: call {call.id} has ended and is still kept"
    if here != (call.state is CallState.WAITING):
        yield f"1: call {call.id} is {call.state.value} and {'' if here else 'not '}in line"
    if here and floor.queues.get(call.queue.id) is not call.queue:
        yield f"1: call {call.id} waits in {call.queue.id}, which is not a queue any more"
    if here and call.pbx in floor.up and not call.offers:
        if call.expired:
            yield f"1: call {call.id} has waited long enough and is still here"
        if abandoned(call.queue):
            yield f"1: call {call.id} waits in {call.queue.id}, which went with all of its agents"
        at = presence.unstaffed_at(call.queue, call.pbx)
        if at is not None and floor.now >= at:
            yield f"1: call {call.id} waits in {call.queue.id} and no agent is there"
        elif at is not None and floor.timers.nobody.at((call.queue.id, call.pbx)) != at:
            yield f"10: call {call.id} leaves at {at} for want of agents, and the timer differs"


def _winner_of(call: Call) -> Iterator[str]:
    if (call.winner is None) != (call.state is CallState.WAITING):
        yield f"3: call {call.id} is {call.state.value} with winner {call.winner}"
    if call.state is not CallState.WAITING and call.offers:
        yield f"3: call {call.id} is {call.state.value} and phones still ring for it"
    if call.winner is not None and call.winner.state not in agent_availability.OFF_HOOK:
        yield f"3: call {call.id} is held by offer {call.winner.id}, {call.winner.state.value}"


def _offers(floor: Floor) -> Iterator[str]:
    for offer in floor.offers.values():
        yield from one_offer(floor, offer)


def one_offer(floor: Floor, offer: Offer) -> Iterator[str]:
    """Breaches that concern one offer.

    Its call, its agent, its legs and its timers must agree with it.
    """
    call, agent = offer.call, offer.agent
    if floor.agents.get(agent.id) is not agent:
        yield f"2: offer {offer.id} is of {agent.id}, who is no agent any more"
    if agent.offers.get(offer.id) is not offer:
        yield f"2: offer {offer.id} does not reserve {agent.id}"
    if offer.state is OfferState.ENDED:
        yield f"2: offer {offer.id} has ended and is still kept"
    known = call.consult if offer.consult else call.offers.get(agent.id)
    if offer.state is OfferState.RINGING and known is not offer:
        yield f"3: offer {offer.id} rings for call {call.id}, which does not know it"
    ready = CallState.TALKING if offer.consult else CallState.WAITING
    if offer.state is OfferState.RINGING and call.state is not ready:
        yield f"3: offer {offer.id} rings for call {call.id}, which is {call.state.value}"
    if offer.consult:
        yield from _consultation(offer)
    yield from _accepting(offer)
    if offer.state is OfferState.CLOSING and not _armed(floor, Timer.CLOSING, offer.id):
        yield f"10: offer {offer.id} is closing with no end in sight"
    asked = [device for device, leg in offer.legs.items() if _asked(leg)]
    without = [device for device in asked if floor.timers.accept.at((offer.id, device)) is None]
    if without or (
        offer.state is OfferState.RINGING and not asked and not _armed(floor, Timer.RING, offer.id)
    ):
        yield f"10: offer {offer.id} rings with no end in sight"
    if (
        offer.state is OfferState.RINGING
        and asked
        and not (offer.consult or offer.shared or _armed(floor, Timer.SHARE, offer.id))
    ):
        yield f"12: offer {offer.id} is asked for key 1 and holds call {call.id} back with no end"


def _asked(leg: Leg) -> bool:
    return leg.state is LegState.ANSWERED and not leg.stopping


def _consultation(offer: Offer) -> Iterator[str]:
    call = offer.call
    asking = call.consult is offer
    if asking and (call.state is not CallState.TALKING or not call.held):
        yield f"3: {offer.agent.id} is asked about call {call.id}, {call.state.value}, not on hold"
    if asking and offer.state in {OfferState.CLOSING, OfferState.ENDED}:
        yield f"3: call {call.id} still asks {offer.agent.id}, whose offer is {offer.state.value}"
    if asking and call.winner is not None and call.winner.agent is offer.agent:
        yield f"3: {offer.agent.id} is asked about a call of their own, {call.id}"


def _accepting(offer: Offer) -> Iterator[str]:
    live = [leg for leg in offer.legs.values() if leg.state is LegState.ACCEPTED]
    if offer.state in {OfferState.ACCEPTED, OfferState.TALKING} and offer.winner not in live:
        yield f"4: offer {offer.id} is {offer.state.value} without an accepted leg"
    if sum(not leg.stopping for leg in live) > 1:
        yield f"3: offer {offer.id} was accepted on two devices"
    if offer.state is OfferState.CLOSING and not any(
        leg.state in {LegState.PLACED, LegState.RINGING, LegState.ANSWERED, LegState.ACCEPTED}
        for leg in offer.legs.values()
    ):
        yield f"2: offer {offer.id} is closing with nothing to wait for"
    for leg in offer.legs.values():
        if (
            offer.state is OfferState.CLOSING
            and leg.state is not LegState.ENDED
            and not leg.stopping
        ):
            yield f"3: offer {offer.id} is decided and {leg.device.address} was not stopped"


def _agents(floor: Floor) -> Iterator[str]:
    for agent in floor.agents.values():
        yield from one_agent(floor, agent)
    for queue in floor.queues.values():
        here = sum(presence.is_present(member.agent) for member in queue.members.values())
        if here != queue.members_present:
            yield f"5: {queue.id} counts {queue.members_present} agents present instead of {here}"
        yield from _counted(floor, queue)


def _counted(floor: Floor, queue: Queue) -> Iterator[str]:
    there = Counter(
        pbx for member in queue.members.values() for pbx in presence.present_on(floor, member.agent)
    )
    counted = {pbx: count for pbx, count in queue.members_present_on.items() if count}
    if counted != there:
        yield f"5: {queue.id} counts {counted} agents present on its PBXes instead of {dict(there)}"
    if not queue.unstaffed_since.keys().isdisjoint(counted):
        yield f"5: {queue.id} takes PBXes for unstaffed on which agents are: {queue.unstaffed_since}"


def one_agent(floor: Floor, agent: Agent) -> Iterator[str]:
    """Breaches that concern one agent.

    Their offers, lanes, status, pending requests and timers must agree with each other.
    """
    engaged = [o for o in agent.offers.values() if o.state is not OfferState.CLOSING]
    if len(engaged) > agent.spec.capacity:
        yield f"2: {agent.id} has {len(engaged)} calls and offers at once"
    for offer in agent.offers.values():
        if floor.offers.get(offer.id) is not offer:
            yield f"2: {agent.id} is held by offer {offer.id}, which is not known"
    available_through = agent_availability.available_through(floor, agent)
    open_now = {id(lane) for pbx in available_through for lane in _lanes_of(agent, pbx)}
    if {id(lane) for lane in agent.lanes} != open_now:
        yield f"5: {agent.id} stands idle in {len(agent.lanes)} lanes instead of {len(open_now)}"
    status = agent_availability.status_of(floor, agent)
    if agent.status is not status:
        yield f"6: {agent.id} is shown {agent.status} and is {status}"
    if agent.gone and not agent.offers:
        yield f"6: {agent.id} was taken out of the table, has finished and is still here"
    yield from _requested_state(agent, [o for o in engaged if o.state is OfferState.RINGING])
    wrap = floor.timers.wrap_up.at(agent.id)
    if wrap != agent.wrap_until:
        yield f"10: {agent.id} is in wrap-up until {agent.wrap_until}, the timer says {wrap}"
    ends = None if agent.overstayed else pause_ends(floor, agent)
    if floor.timers.pause.at(agent.id) != ends:
        yield f"10: the pause of {agent.id} may last until {ends}, and the timer says otherwise"
    for device in agent.spec.devices:
        yield from _hours(floor, device)


def _lanes_of(agent: Agent, pbx: str) -> Iterator[CallLane]:
    """The lanes that an agent belongs to on a PBX, not taken from the cache `Agent.lanes_on`."""
    for member in agent.memberships.values():
        for lane in member.queue.lanes.values():
            if lane.key.pbx == pbx and lane_membership.admits(lane, member):
                yield lane
    for (_, where), lane in agent.own_lanes.items():
        if where == pbx:
            yield lane


def _hours(floor: Floor, device: DeviceSpec) -> Iterator[str]:
    own, hours = (device.agent, device.id), device.hours
    if (own in floor.outside_hours) is (hours is None or hours.on(floor.now)):
        yield f"5: {own} is taken to be within its hours or outside, wrongly"
    change = hours.next_change(floor.now) if hours is not None else None
    if floor.timers.hours.at(own) != change:
        yield f"10: the hours of {own} change at {change}, and the timer says otherwise"


def _requested_state(agent: Agent, ringing: list[Offer]) -> Iterator[str]:
    if agent.pause is not None and ringing:
        yield f"7: {agent.id} is paused and being rung"
    if not agent.signed_in and ringing:
        yield f"7: {agent.id} is signed out and being rung"
    if not agent.signed_in and agent.pause is not None:
        yield f"7: {agent.id} is signed out and paused"
    if (agent.pending_pause is not None or agent.pending_sign_out) and not agent.offers:
        yield f"7: {agent.id} is free and a request is still pending"


def _lanes(floor: Floor) -> Iterator[str]:
    for lane in lane_membership.all_lanes(floor):
        for member in lane.idle:
            if lane not in member.agent.lanes:
                yield f"5: {member.agent.id} stands in a lane of {lane.queue} and should not"
        for *rank, call in lane.line:
            if lane not in call.lanes or call.rank != tuple(rank):
                yield f"9: call {call.id} stands in a lane of {lane.queue} and should not"
            elif lane.line.excluded(call) != call.excluded():
                yield f"8: call {call.id} stands in a lane of {lane.queue} as refused by others"
    for call in floor.calls.values():
        if any(call not in lane.line for lane in call.lanes):
            yield f"9: call {call.id} is missing from its lane"


def _work_conserved(floor: Floor) -> Iterator[str]:
    """No call that wants an agent waits beside an available agent it has not tried."""
    for call in floor.calls.values():
        yield from served(floor, call)


def served(floor: Floor, call: Call) -> Iterator[str]:
    """Breaches by one call that waits although it could be offered to an agent.

    Looks at every member of the call's queue, so it costs more than `one_call`.
    """
    if not wants_agents(floor, call):
        return
    if not call.lanes:
        yield f"5: call {call.id} wants an agent and stands in no lane"
    for member in call.queue.members.values():
        agent = member.agent
        if (
            call.pbx in agent_availability.available_through(floor, agent)
            and _may_have(floor, call, member)
            and agent.id not in call.tried
            and agent.id not in call.offers
        ):
            yield f"5: call {call.id} waits while {agent.id} is available"


def _may_have(floor: Floor, call: Call, member: Membership) -> bool:
    """Whether the rules open the call to this member now, worked out without lanes."""
    prefers = preference(floor, call)
    if prefers is not None:
        return prefers is member
    skills = member.agent.spec.skills
    return member.escalation_step <= call.escalation_step and all(
        skills.get(skill, 0) >= level for skill, level in call.needs
    )


def wants_agents(floor: Floor, call: Call) -> bool:
    """Whether the rules want more phones to ring for this call now.

    Unlike `matching.wanted`, this looks at the call's state, its time limit and its PBX, too.
    """
    return (
        call.state is CallState.WAITING
        and not call.expired
        and call.pbx in floor.up
        and wanted(call) > 0
    )


def _timers(floor: Floor) -> Iterator[str]:
    for key in floor.timers.keys():  # noqa: SIM118 - `Timers` is not a mapping
        known: object
        match key.kind:
            case (
                Timer.WAIT
                | Timer.RETRY
                | Timer.CONNECT
                | Timer.WIDEN
                | Timer.PREFER
                | Timer.ANNOUNCE
            ):
                known = floor.calls.get(key.id)
            case Timer.RING | Timer.ACCEPT | Timer.CLOSING | Timer.LEG | Timer.SHARE | Timer.LEFT:
                known = floor.offers.get(key.id)
            case Timer.WRAP_UP | Timer.PAUSE | Timer.COOLDOWN | Timer.HOURS:
                known = floor.agents.get(key.id)
            case Timer.SHIFT | Timer.NOBODY:
                known = floor.queues.get(key.id)
            case Timer.CLEARING:
                known = True if (key.id, key.device) in floor.clearing else None
            case Timer.UNSEEN:
                known = key.id not in floor.up or None
            case Timer.MINUTE | Timer.DAY:
                known = floor
        if known is None:
            yield f"10: a {key.kind.name} deadline is left over for {key.id}"
    yield from _missing_timers(floor)


def _missing_timers(floor: Floor) -> Iterator[str]:
    for key in floor.clearing:
        if floor.timers.clearing.at(key) is None:
            yield f"10: {key} clears a call with no end in sight"
    for owner, until in floor.cooldowns.items():
        if floor.timers.cooldown.at(owner) != until:
            yield f"10: {owner} rests until {until} and has no such deadline"


def _missing_for_call(floor: Floor, call: Call) -> Iterator[str]:
    limit = patience(call.queue)
    if call.state is CallState.WAITING and limit is not None and not call.expired:
        at = floor.timers.wait.at(call.id)
        if at != call.queued_at + limit:
            yield f"10: call {call.id} may wait until {call.queued_at + limit}, timer: {at}"
    yield from _clock_of(floor, call)
    announced = call.state is CallState.WAITING and call.queue.spec.announce is not None
    if announced is not _armed(floor, Timer.ANNOUNCE, call.id):
        yield f"10: call {call.id} is {'' if announced else 'not '}to be told its place, the timer differs"
    if call.state is CallState.CONNECTING and not _armed(floor, Timer.CONNECT, call.id):
        yield f"10: call {call.id} is connecting with no end in sight"
    round_over = wants_agents(floor, call) and call.tried and not holding_back(call)
    if round_over and not _armed(floor, Timer.RETRY, call.id):
        yield f"10: call {call.id} was tried and will not go round again"


def _clock_of(floor: Floor, call: Call) -> Iterator[str]:
    """A stay begins no earlier than its call, and the escalation step follows from the stay."""
    if not call.entered_at <= call.queued_at <= floor.now:
        yield f"10: call {call.id} entered at {call.entered_at}, {call.queue.id} at {call.queued_at}"
    steps = call.queue.spec.widen
    escalation_step = sum(call.queued_at + step.after <= floor.now for step in steps)
    if call.state is CallState.WAITING and escalation_step != call.escalation_step:
        yield f"10: call {call.id} is at step {call.escalation_step} of widening instead of {escalation_step}"


def _armed(floor: Floor, kind: Timer, of: str) -> bool:
    return floor.timers.of(kind).at(of) is not None
