"""How an offer comes to nothing: missed, refused, out of reach, taken back; and whom that costs what."""

from __future__ import annotations

from callrouter.core import agents, devices, legs, wishes
from callrouter.core.state import Agent, CallState, Floor, Leg, LegState, Offer, OfferState
from callrouter.model.commands import Happened, StopReason
from callrouter.model.events import LegEnd

WORST_LAST = (
    LegEnd.UNREACHABLE,
    LegEnd.FAILED,
    LegEnd.NUMBER_REFUSED,
    LegEnd.SILENT,
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


# ---------------------------------------------------------------- what a phone's answer means

LONG_RING = 10.0
"""Seconds of ringing after which "not available" or "not found" comes from a network that gave up."""


def meaning(floor: Floor, offer: Offer, leg: Leg, why: LegEnd) -> LegEnd:
    """What the end of a phone's ring means, by how long it rang as much as by what it said.

    A phone or network that ends a ring itself after most of its time was not picked up: that is a miss,
    whatever the code (486, 603 and 480 are in use for it). No person sends "not found" or "not
    available", so those mean it after a shorter ring as well; and a phone that rang was reached.
    """
    if why not in _GIVES_UP or leg.rang_at is None:
        return why
    rang = floor.now - leg.rang_at
    until = floor.timers.ring.at(offer.id)
    left = max(0.0, until - floor.now) if until is not None else 0.0
    by_person = why in {LegEnd.BUSY, LegEnd.DECLINED}
    if rang >= (2 * left if by_person else min(2 * left, LONG_RING)):
        return LegEnd.NO_ANSWER
    return why if by_person else LegEnd.UNAVAILABLE


_GIVES_UP = frozenset(
    {LegEnd.BUSY, LegEnd.DECLINED, LegEnd.UNAVAILABLE, LegEnd.UNREACHABLE, LegEnd.HUNG_UP}
)


# ---------------------------------------------------------------- others are offered the call as well


def stand_aside(floor: Floor, offer: Offer) -> None:
    """The offer has held its caller back for long enough: it goes on, and others are rung as well."""
    if offer.state is not OfferState.RINGING or offer.consult or offer.aside:
        return
    call = offer.call
    asked = next((leg for leg in offer.legs.values() if _asked(leg)), None)
    if asked is None and offer.rang:
        return  # what was picked up is over, and another phone of the agent rings
    offer.aside = call.asides = True
    leg = asked or next(iter(offer.legs.values()))
    why = "picked up, key 1 not pressed yet" if asked is not None else "no reply yet"
    floor.record(
        Happened.SHARED,
        call=call,
        agent=offer.agent.id,
        offer=offer.id,
        detail=(leg.device.id, why),
    )
    if call.state is CallState.WAITING:
        floor.hungry[call.id] = call


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
    elif offer.call.pbx in floor.paces:  # a phone whose turn never came did nothing wrong
        fail(floor, offer, LegEnd.NO_ANSWER if offer.rang else LegEnd.FAILED)
    else:
        for leg in offer.legs.values():
            if leg.state is LegState.PLACED and not leg.stopping:
                devices.struck(floor, offer, leg, LegEnd.SILENT, was_up=False)
        fail(floor, offer, LegEnd.NO_ANSWER if offer.rang else LegEnd.SILENT)


def accept_time_up(floor: Floor, offer: Offer, device: str) -> None:
    """A device was picked up and key 1 was not pressed in time; others of the agent may still ring."""
    if offer.consult and offer.state is OfferState.ACCEPTED:
        legs.close(floor, offer, StopReason.TIME_UP, "could not be brought in")
    leg = offer.legs.get(device)
    if offer.state is not OfferState.RINGING or leg is None or not _asked(leg):
        return
    if offer.call.pbx not in floor.up:
        withdraw(floor, offer, StopReason.TIME_UP)
        return
    devices.struck(floor, offer, leg, LegEnd.NOT_ACCEPTED, was_up=True)
    leg.end = LegEnd.NOT_ACCEPTED  # we end the leg, so that its end will not say why
    legs.stop(floor, offer, leg, StopReason.TIME_UP)
    if not any(_may_take(other) for other in offer.legs.values()):
        fail(floor, offer, LegEnd.NOT_ACCEPTED)


def _may_take(leg: Leg) -> bool:
    """Whether the call may yet be taken on a leg."""
    return leg.state is LegState.PLANNED or (leg.state in legs.LIVE and not leg.stopping)


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
