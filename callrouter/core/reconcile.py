"""Coming back into step with a PBX: the difference between what we know and what is, as events.

What we missed while the link was down is made up for by the ordinary events, so that there are few
rules here; what we never knew of is taken in by `adopt`. A snapshot of a PBX that was in step all along
(a look for drift) passes through here too, and must change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from callrouter.core import adopt, agents, calls, devices, failing, legs, wishes
from callrouter.core.state import (
    Agent,
    AgentState,
    Call,
    CallState,
    Floor,
    Leg,
    LegState,
    Offer,
    OfferState,
)
from callrouter.model.commands import Ring, StopReason, StopRing
from callrouter.model.events import (
    AgentRestored,
    CallConnected,
    CallerEnd,
    CallerLeft,
    ConnectFailed,
    ConnectFault,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    Reached,
    SeenCall,
    SeenLeg,
    TransferKind,
)


def steps(floor: Floor, seen: PbxSnapshot) -> Iterator[Event]:
    """The events that we must have missed, in an order that loses nobody.

    First who is gone (so that no agent is held by a call that is over), then what became of those
    who are still there.
    """
    pbx = seen.pbx
    was_up = pbx in floor.up
    floor.up.add(pbx)
    (floor.parking.add if seen.parks else floor.parking.discard)(pbx)
    floor.paces.pop(pbx, None)
    if seen.offers_per_second is not None:
        floor.paces[pbx] = seen.offers_per_second
    there = {item.arrived.call: item for item in seen.calls}
    found = {(leg.offer, leg.device): leg for leg in seen.legs}
    yield from _endpoints(floor, seen)
    ours = [call for call in floor.calls.values() if call.pbx == pbx]
    for call in ours:
        if call.id not in there:
            yield CallerLeft(call=call.id, how=CallerEnd.LOST)
        else:
            _compare_call(floor, call, there[call.id])
    connecting = [(call, call.winner) for call in ours if call.state is CallState.CONNECTING]
    just_ordered = {order.offer for order in floor.out if isinstance(order, Ring)}
    for offer in list(floor.offers.values()):
        # What a deadline has led to in this very step, no snapshot can show yet.
        if offer.call.pbx == pbx and offer.id not in just_ordered:
            yield from _compare_offer(floor, offer, found)
    for call, winner in connecting:
        if winner is None or call.winner is not winner:
            continue
        if there[call.id].talking_to == winner.id:
            yield CallConnected(call=call.id, offer=winner.id)
        elif not was_up:  # while in step, the order may simply still be on its way
            yield ConnectFailed(call=call.id, offer=winner.id, why=ConnectFault.FAILED)
    adopt.unknown(floor, seen, gap=not was_up)


def _endpoints(floor: Floor, seen: PbxSnapshot) -> Iterator[Event]:
    # There may be ten thousand, and calls wait meanwhile: nothing is made of those that are as known.
    for (pbx, endpoint), known in list(floor.reached.items()):
        if pbx == seen.pbx and endpoint not in seen.endpoints and known is not Reached.UNREACHABLE:
            yield EndpointChanged(pbx=pbx, endpoint=endpoint, state=Reached.UNREACHABLE)
    for endpoint, state in seen.endpoints.items():
        if floor.reached.get((seen.pbx, endpoint)) is not state:
            channel, since = seen.in_use.get(endpoint, ("", None))
            yield EndpointChanged(
                pbx=seen.pbx, endpoint=endpoint, state=state, channel=channel, since=since
            )


def _compare_call(floor: Floor, call: Call, found: SeenCall) -> None:
    """A caller who is there: talking with whom we think, with someone else, or with nobody."""
    mine = call.winner.id if call.winner is not None else ""
    if found.talking_to == mine:
        return
    if not found.talking_to:
        if call.state is CallState.TALKING:
            calls.back_in_line(floor, call, "found waiting after a gap", blame=False, hold=False)
        return
    # In a talk that we do not know of: `adopt` takes it in once nothing stands in its way.
    if call.state is CallState.TALKING:
        calls.transferred(floor, call, TransferKind.ATTENDED, found.talking_to)
    elif call.state is CallState.CONNECTING:
        calls.back_in_line(floor, call, "found talking to another", blame=False, hold=False)
    offer = floor.offers.get(found.talking_to)
    if offer is not None and offer.call is call and offer is not call.winner:
        _let_go(floor, offer)


def _let_go(floor: Floor, offer: Offer) -> None:
    """Strike an offer off our books without touching a phone."""
    for leg in offer.legs.values():
        leg.state = LegState.ENDED
    if offer.state is OfferState.CLOSING:
        legs.finish(floor, offer)
    else:
        legs.close(floor, offer, StopReason.WITHDRAWN, "found in a talk after a gap")


def _compare_offer(
    floor: Floor, offer: Offer, found: dict[tuple[str, str], SeenLeg]
) -> Iterator[Event]:
    """What became of the phones of one offer."""
    live = [leg for leg in offer.legs.values() if leg.state in legs.LIVE]
    gone = [leg for leg in live if (offer.id, leg.device.id) not in found]
    if gone == live and offer.state is OfferState.RINGING:
        # Nobody knows why (a restart of the PBX ends all there is): it is not the agent's doing.
        for leg in gone:
            leg.state, leg.end = LegState.ENDED, LegEnd.HUNG_UP
        failing.withdraw(floor, offer, StopReason.WITHDRAWN)
        return
    for leg in live:
        seen = found.get((offer.id, leg.device.id))
        if seen is None:
            # Of one that was not accepted nobody knows why it ended: nothing is held against it.
            leg.stopping = leg.stopping or leg.state is not LegState.ACCEPTED
            yield LegEnded(offer=offer.id, device=leg.device.id, why=LegEnd.HUNG_UP)
        elif leg.stopping:
            order = StopRing(
                pbx=leg.pbx, offer=offer.id, device=leg.device.id, why=StopReason.WITHDRAWN
            )
            floor.order(order)  # again: the first may have been lost
        elif leg.state is not LegState.ACCEPTED:
            yield from _off_hook(offer, leg, seen)


def _off_hook(offer: Offer, leg: Leg, seen: SeenLeg) -> Iterator[Event]:
    if seen.accepted or (seen.answered and not leg.device.confirm):
        yield LegAccepted(offer=offer.id, device=leg.device.id)
    elif seen.answered and leg.state is not LegState.ANSWERED:
        yield LegAnswered(offer=offer.id, device=leg.device.id)


def lost(floor: Floor, pbx: str) -> None:
    """The link is down: nothing is ordered from this PBX until it is in step again."""
    if pbx not in floor.up:
        return
    floor.up.discard(pbx)
    for call in floor.calls.values():
        if call.pbx == pbx:
            calls.leave_lane(call)
    for agent in floor.agents.values():
        agents.touch(floor, agent)


def restore(floor: Floor, event: AgentRestored) -> None:
    """An agent as they were before a restart; deadlines are kept, not started anew."""
    agent = floor.agent_named(event.agent)
    if agent is None or agent.gone:
        floor.note(f"'{event.agent}' was an agent before the restart and is none now")
        return
    was = agents.present(agent)
    agent.signed_in = event.signed_in or agent.signed_in
    agent.idle_since = min(floor.now, floor.now if event.idle_since is None else event.idle_since)
    agent.misses, agent.calls = event.misses, event.calls
    # A clock may have been ahead: nothing that was kept is later than now.
    at = event.changed_at
    agent.changed_by, agent.changed_at = (
        event.changed_by,
        None if at is None else min(floor.now, at),
    )
    agent.devices_off = {
        device: (by, min(floor.now, at)) for device, (by, at) in event.devices_off.items()
    }
    agent.messages.extend((min(floor.now, at), text) for at, text in event.messages)
    devices.put_back(floor, agent, event.strikes)
    _since(floor, agent, event)
    if event.pending == "sign-out" and event.signed_in_at is not None:
        agent.signed_in_at = min(floor.now, event.signed_in_at)
    if agent.signed_in:
        if event.signed_in and event.signed_in_at is not None:
            agent.signed_in_at = min(floor.now, event.signed_in_at)
        elif agent.signed_in_at is None:
            agent.signed_in_at = agent.idle_since
        if agent.offers:  # their PBX was in step first, and there they talk
            agent.pending_pause, agent.pending_by = event.pause_reason, event.changed_by
        else:
            agent.pause = event.pause_reason
            since = floor.now if event.paused_at is None else min(floor.now, event.paused_at)
            agent.paused_at = None if agent.pause is None else since
        _wrap_up(floor, agent, event)
    agents.count_present(floor, agent, was)
    agents.refit(floor, agent)
    agent.promised = event.pending
    if agent.offers:
        wishes.keep_promise(floor, agent)
    ends = wishes.pause_ends(floor, agent)
    agent.overstayed = ends is not None and any(at >= ends for at, _ in agent.messages)
    wishes.limit_pause(floor, agent)


def _since(floor: Floor, agent: Agent, event: AgentRestored) -> None:
    """Since when the agent is what they were before, once it is seen that they still are."""
    shown = next((state for state in AgentState if state.value == event.shown), None)
    if event.since is None or shown is None:
        return
    since = min(floor.now, event.since)
    if agent.shown is shown:
        agent.since = min(agent.since, since)
    else:
        agent.before = shown, since


def _wrap_up(floor: Floor, agent: Agent, event: AgentRestored) -> None:
    """Go on with after-call work, if it is not over by now.

    It never takes longer than the rules give it: a clock that was set back must not keep anyone in it.
    """
    until = event.wrap_until
    if until is None:
        return
    queue = floor.former_queues.get(event.wrap_queue, event.wrap_queue)
    until = min(until, floor.now + wishes.longest_wrap_up(floor, agent, queue))
    if until > floor.now:
        agent.wrap_until, agent.wrap_queue = until, queue
        floor.timers.wrap_up.set(agent.id, until)
    else:
        agent.idle_since = max(agent.idle_since, until)
