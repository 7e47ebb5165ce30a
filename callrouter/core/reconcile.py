"""Gets back in step with a PBX by turning the differences from its snapshot into events.

What was missed while the link was down is replayed as ordinary events, so few rules are needed
here. What the core never knew is taken over by `adoption`. Periodic snapshots of a PBX that was in
step all along also pass through here, and must change nothing.

Why this is right although a snapshot does not say what happened, only what is so now:

- Each difference becomes an event that the PBX could have sent. So the core ends in a state that a
  run without a gap could have reached, and everything that holds after any event holds after this.
- Where several histories lead to the same picture, the one is assumed that harms no person: a leg
  that is gone is not held against its device, and an offer of which nothing is left is withdrawn
  and not counted as missed.
- An event is made only where the states differ, and handling it removes the difference. So a second
  comparison with the same snapshot finds nothing, and one with a PBX in step changes nothing.
- What the core ordered a moment ago need not show yet. So a leg is not missed in the event that
  ordered it, and a connect that does not show is failed only after a gap: then the order or its
  outcome is lost; while in step, its outcome is still to come, and a deadline guards it.
"""

from __future__ import annotations

from collections.abc import Iterator

from callrouter.core import adoption, lane_membership
from callrouter.core.agents import shared_phones
from callrouter.core.calls import bridging, outside_calls
from callrouter.core.floor import Floor
from callrouter.core.offers import offer_failures, ringing
from callrouter.core.offers.offer_lifecycle import LIVE, LegChange, advance_leg
from callrouter.core.state import Call, CallState, Leg, LegState, Offer, OfferState
from callrouter.model.commands import Ring, StopReason, StopRing
from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    CallerReplaced,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SeenCall,
    SeenLeg,
    TransferKind,
)
from callrouter.model.outcomes import OfferEnd, RequeueReason


def steps(floor: Floor, seen: PbxSnapshot) -> Iterator[Event]:
    """The events that must have been missed, in an order that leaves no caller or agent behind.

    Callers who are gone come first, so that no agent is held by a call that is over. Then comes
    what happened to the callers who are still there.

    The generator reads the floor again as it goes on: each event is handled before the next one is
    made, so a comparison sees the effects of the earlier ones.
    """
    pbx = seen.pbx
    was_up = _comes_into_step(floor, seen)
    there = {item.arrived.call: item for item in seen.calls}
    found = {(leg.offer, leg.device): leg for leg in seen.legs}
    yield from _endpoints(floor, seen)
    ours = [call for call in floor.calls.values() if call.pbx == pbx]
    for call in ours:
        if call.id not in there:
            yield CallerLeft(call=call.id, how=CallerEnd.LOST)
        else:
            yield from _replaced(call, there[call.id])
            _compare_call(floor, call, there[call.id])
    connecting = [(call, call.winner) for call in ours if call.state is CallState.CONNECTING]
    just_ordered = {order.offer for order in floor.out if isinstance(order, Ring)}
    for offer in list(floor.offers.values()):
        # A snapshot cannot show yet what a deadline has ordered in this very event.
        if offer.call.pbx == pbx and offer.id not in just_ordered:
            yield from _compare_offer(floor, offer, found)
    # Last, because the comparison of offers may already have failed a connect.
    for call, winner in connecting:
        if winner is None or call.winner is not winner:
            continue
        if there[call.id].talking_to == winner.id:
            yield ConnectSucceeded(call=call.id, offer=winner.id)
        elif not was_up:  # while in step, the order may still be on its way
            yield ConnectFailed(call=call.id, offer=winner.id, why=ConnectFault.FAILED)
    adoption.adopt_unknown(floor, seen, gap=not was_up)


def _comes_into_step(floor: Floor, seen: PbxSnapshot) -> bool:
    """The PBX of a snapshot is in step, with the abilities that it states. Returns whether it was."""
    pbx = seen.pbx
    was_up = pbx in floor.up
    floor.up.add(pbx)
    floor.stopped -= {pbx}
    (floor.hold_pbxes.add if seen.can_hold else floor.hold_pbxes.discard)(pbx)
    floor.outside.refusals[pbx] = seen.cannot_dial
    outside_calls.compare(floor, seen)
    floor.paces.pop(pbx, None)
    if seen.offers_per_second is not None:
        floor.paces[pbx] = seen.offers_per_second
    if not was_up:
        shared_phones.link_changed(floor, pbx)
    return was_up


def _endpoints(floor: Floor, seen: PbxSnapshot) -> Iterator[Event]:
    # There may be ten thousand endpoints while calls wait, so an unchanged one yields no event.
    for (pbx, endpoint), known in list(floor.device_states.items()):
        if (
            pbx == seen.pbx
            and endpoint not in seen.endpoints
            and known is not DeviceState.UNREACHABLE
        ):
            yield EndpointChanged(pbx=pbx, endpoint=endpoint, state=DeviceState.UNREACHABLE)
    for endpoint, state in seen.endpoints.items():
        if floor.device_states.get((seen.pbx, endpoint)) is not state:
            channel, since = seen.in_use.get(endpoint, ("", None))
            yield EndpointChanged(
                pbx=seen.pbx, endpoint=endpoint, state=state, channel=channel, since=since
            )


def _replaced(call: Call, found: SeenCall) -> Iterator[Event]:
    """If another caller was put into a call's place during a gap; which agent did it is not known."""
    number, name = found.arrived.caller_number, found.arrived.caller_name
    if found.replaced and (number, name) != (call.caller_number, call.caller_name):
        yield CallerReplaced(call=call.id, caller_number=number, caller_name=name, agent="")


def _compare_call(floor: Floor, call: Call, found: SeenCall) -> None:
    """A caller who is there: talking to the agent we expect, to another agent, or to none."""
    mine = call.winner.id if call.winner is not None else ""
    if found.talking_to == mine:
        return
    if not found.talking_to:
        if call.state is CallState.TALKING:
            bridging.requeue(floor, call, RequeueReason.FOUND_WAITING, blame=False, hold=False)
        return  # `steps` decides about a connect, once the leg has been compared
    # A conversation we do not know. `adoption` takes it over once nothing stands in its way.
    if call.state is CallState.TALKING:
        bridging.transferred(floor, call, TransferKind.ATTENDED, found.talking_to)
    elif call.state is CallState.CONNECTING:
        bridging.requeue(floor, call, RequeueReason.FOUND_WITH_ANOTHER, blame=False, hold=False)
    offer = floor.offers.get(found.talking_to)
    if offer is not None and offer.call is call and offer is not call.winner:
        _drop_offer(floor, offer)


def _drop_offer(floor: Floor, offer: Offer) -> None:
    """Drop an offer from the core's books without touching a phone.

    Its legs count as ended. Only an offer that was not closing gets the outcome FOUND_TALKING.
    """
    for leg in offer.legs.values():
        advance_leg(leg, LegChange.ENDED)
    if offer.state is OfferState.CLOSING:
        ringing.end_offer(floor, offer)
    else:
        ringing.stop_offer(floor, offer, StopReason.WITHDRAWN, OfferEnd.FOUND_TALKING)


def _compare_offer(
    floor: Floor, offer: Offer, found: dict[tuple[str, str], SeenLeg]
) -> Iterator[Event]:
    """What happened to the legs of one offer."""
    live = [leg for leg in offer.legs.values() if leg.state in LIVE]
    gone = [leg for leg in live if (offer.id, leg.device.id) not in found]
    if gone == live and offer.state is OfferState.RINGING:
        # The reason is unknown (a restart of the PBX ends every leg), so the agent is not blamed.
        for leg in gone:
            advance_leg(leg, LegChange.ENDED)
            leg.end = LegEnd.HUNG_UP
        offer_failures.withdraw(floor, offer, StopReason.WITHDRAWN)
        return
    for leg in live:
        seen = found.get((offer.id, leg.device.id))
        if seen is None:
            # Why a leg ended before it was accepted is unknown, so it is not held against the
            # device.
            leg.stopping = leg.stopping or leg.state is not LegState.ACCEPTED
            yield LegEnded(offer=offer.id, device=leg.device.id, why=LegEnd.HUNG_UP)
        elif leg.stopping:
            order = StopRing(
                pbx=leg.pbx, offer=offer.id, device=leg.device.id, why=StopReason.WITHDRAWN
            )
            floor.order(order)  # once more, because the first order may have been lost
        elif leg.state is not LegState.ACCEPTED:
            yield from _off_hook(offer, leg, seen)


def _off_hook(offer: Offer, leg: Leg, seen: SeenLeg) -> Iterator[Event]:
    if leg.unseen and leg.state is LegState.ANSWERED:
        return  # whether the phone answered is for its home to say
    asked = shared_phones.may_be_asked(leg.device, leg.pbx)
    if seen.accepted or (seen.answered and not asked):
        yield LegAccepted(offer=offer.id, device=leg.device.id)
    elif seen.answered and leg.state is not LegState.ANSWERED:
        yield LegAnswered(offer=offer.id, device=leg.device.id)


def lost(floor: Floor, pbx: str) -> None:
    """The link is down: order nothing from this PBX until it is in step again.

    Calls keep their places and conversations go on. Every agent is re-evaluated, because those with
    phones elsewhere may still be rung there.
    """
    if pbx not in floor.up:
        return
    floor.up.discard(pbx)
    for call in floor.calls.values():
        if call.pbx == pbx:
            lane_membership.take_call_out(call)
    for agent in floor.agents.values():
        floor.mark_changed(agent)
    shared_phones.link_changed(floor, pbx)


def runs_no_more(floor: Floor, pbx: str, *, stopped: bool) -> None:
    """A PBX out of step is known not to run, or that is not known any more.

    A phone registered there that rings through another PBX rings no more, whatever that one says. So callers do not
    wait for it.
    """
    if stopped is (pbx in floor.stopped):
        return
    floor.stopped = floor.stopped | {pbx} if stopped else floor.stopped - {pbx}
    shared_phones.link_changed(floor, pbx)
    for offer in list(floor.offers.values()):
        if offer.state is OfferState.RINGING and all(
            shared_phones.is_dead_way(floor, leg)
            for leg in offer.legs.values()
            if leg.state in LIVE
        ):
            offer_failures.withdraw(floor, offer, StopReason.WITHDRAWN)
