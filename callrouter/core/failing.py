"""How an offer comes to nothing: missed, refused, out of reach, taken back; and whom that costs what."""

from __future__ import annotations

from callrouter.core import agents, devices, legs, wishes
from callrouter.core.state import Agent, CallState, Floor, Leg, LegState, Offer, OfferState
from callrouter.model.commands import StopReason
from callrouter.model.events import LegEnd

WORST_LAST = (
    LegEnd.UNREACHABLE,
    LegEnd.FAILED,
    LegEnd.UNAVAILABLE,
    LegEnd.BUSY,
    LegEnd.HUNG_UP,
    LegEnd.WRONG_KEY,
    LegEnd.DECLINED,
    LegEnd.NOT_ACCEPTED,
    LegEnd.NO_ANSWER,
)
"""Of several legs' ends the last in this list says how the offer ended."""


def outcome(offer: Offer) -> LegEnd:
    """How an offer ended all of whose legs have."""
    ends = [leg.end for leg in offer.legs.values() if leg.end is not None]
    return max(ends, key=WORST_LAST.index, default=LegEnd.FAILED)


def fail(floor: Floor, offer: Offer, why: LegEnd) -> None:
    """The agent did not take the call: it goes to the next, and this was their turn."""
    call, agent = offer.call, offer.agent
    if not offer.consult:
        offer.member.turn = offer.turn
        call.tried[agent.id] = None
        call.failed_at = floor.now
    if why is LegEnd.NO_ANSWER:
        _missed(floor, offer)
    agents.touch(floor, agent)
    legs.close(floor, offer, StopReason.TIME_UP, why.value)
    if call.state is CallState.WAITING:
        floor.hungry[call.id] = call


def withdraw(floor: Floor, offer: Offer, why: StopReason) -> None:
    """Take an offer back: no miss, no lost turn; the call goes to someone else at once."""
    legs.close(floor, offer, why, "withdrawn")
    if offer.call.state is CallState.WAITING:
        floor.hungry[offer.call.id] = offer.call


def withdraw_all(floor: Floor, agent: Agent, but: Offer | None = None) -> None:
    """Stop all that rings for an agent; a call that was accepted goes on."""
    for offer in list(agent.offers.values()):
        if offer.state is OfferState.RINGING and offer is not but:
            withdraw(floor, offer, StopReason.WITHDRAWN)


def _missed(floor: Floor, offer: Offer) -> None:
    """The agent let a call ring out; too many in a row and they are taken to be away."""
    agent, limit = offer.agent, offer.call.queue.spec.auto_pause
    agent.misses += 1
    if not limit or agent.misses < limit or agent.pause is not None:
        return
    agent.misses = 0
    withdraw_all(floor, agent, but=offer)
    if any(other.state in agents.OFF_HOOK for other in agent.offers.values()):
        agent.pending_pause = wishes.MISSED
        agent.pending_by = wishes.ROUTER
    else:
        wishes.set_pause(floor, agent, wishes.MISSED, wishes.ROUTER)
    often = "a call was missed" if limit == 1 else f"{limit} calls in a row were missed"
    later = " after this call" if agent.pending_pause is not None else ""
    wishes.tell(floor, agent, f"{often}: you are paused{later}; resume when you are back")


# ---------------------------------------------------------------- one leg of several


def leg_over(floor: Floor, offer: Offer) -> None:
    """One phone less: ring those that were to follow, and when there are none the offer has failed.

    They ring at once: nobody gains from a silence between two phones of the same person.
    """
    if legs.live(offer):
        return
    planned = [leg for leg in offer.legs.values() if leg.state is LegState.PLANNED]
    for leg in sorted(planned, key=lambda leg: leg.device.ring_after):
        floor.timers.leg.cancel((offer.id, leg.device.id))
        if try_ring(floor, offer, leg):
            return
    fail(floor, offer, outcome(offer))


def try_ring(floor: Floor, offer: Offer, leg: Leg) -> bool:
    """Ring a device that had to wait, unless it has become unable to; True if it rings."""
    device = agents.device(offer.agent, leg.device.id)  # a reload may have changed or removed it
    if (
        device is None
        or leg.pbx not in device.pbxes
        or agents.device_trouble(floor, device, leg.pbx)
    ):
        leg.state, leg.end = LegState.ENDED, LegEnd.UNREACHABLE
        return False
    leg.device = device
    legs.ring(floor, offer, leg)
    return True


# ---------------------------------------------------------------- deadlines


def ring_time_up(floor: Floor, offer: Offer) -> None:
    """`ring_for` is over: phones that ring are stopped; one that was picked up may still press 1."""
    if offer.state is not OfferState.RINGING:
        return
    if offer.call.pbx not in floor.up:  # nobody knows whether it was answered
        withdraw(floor, offer, StopReason.TIME_UP)
    elif any(_asked(leg) for leg in offer.legs.values()):
        for leg in offer.legs.values():
            if leg.state is not LegState.ANSWERED:
                legs.stop(floor, offer, leg, StopReason.TIME_UP)
    else:
        missed = offer.rang or offer.call.pbx not in floor.paces
        fail(floor, offer, LegEnd.NO_ANSWER if missed else LegEnd.FAILED)


def accept_time_up(floor: Floor, offer: Offer) -> None:
    """Picked up, and nobody pressed a key, and the PBX did not say so; others may still ring."""
    if offer.consult and offer.state is OfferState.ACCEPTED:
        legs.close(floor, offer, StopReason.TIME_UP, "could not be brought in")
    if offer.state is not OfferState.RINGING:
        return
    if offer.call.pbx not in floor.up:
        withdraw(floor, offer, StopReason.TIME_UP)
    elif floor.timers.ring.at(offer.id) is None:
        for leg in offer.legs.values():
            if _asked(leg):
                _nobody_pressed(floor, offer, leg)
        fail(floor, offer, LegEnd.NOT_ACCEPTED)
    else:
        for leg in offer.legs.values():
            if _asked(leg):
                _nobody_pressed(floor, offer, leg)
                legs.stop(floor, offer, leg, StopReason.TIME_UP)


def _nobody_pressed(floor: Floor, offer: Offer, leg: Leg) -> None:
    """We end the leg, so that its end will not say why."""
    devices.struck(floor, offer, leg, LegEnd.NOT_ACCEPTED, was_up=True)


def leg_due(floor: Floor, offer: Offer, device: str) -> None:
    """A device's `ring_after` has passed."""
    leg = offer.legs.get(device)
    if offer.call.pbx in floor.paces and not offer.rang and legs.live(offer):
        return  # planned anew when the first one rings
    if offer.state is OfferState.RINGING and leg is not None and leg.state is LegState.PLANNED:
        try_ring(floor, offer, leg)
        leg_over(floor, offer)


def _asked(leg: Leg) -> bool:
    return leg.state is LegState.ANSWERED and not leg.stopping
