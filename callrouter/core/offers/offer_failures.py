"""How an offer fails (missed, refused, unreachable, withdrawn), and what that costs the agent."""

from __future__ import annotations

from callrouter.core.agents import (
    agent_availability,
    agent_messages,
    devices,
    requested_state,
    shared_phones,
)
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.offers.offer_lifecycle import LIVE, LegChange, advance_leg, live
from callrouter.core.state import Agent, CallState, Leg, LegState, Offer, OfferState
from callrouter.model.call_notices import OfferShared
from callrouter.model.commands import StopReason
from callrouter.model.events import LEG_ENDS_WORST_LAST, LegEnd
from callrouter.model.outcomes import OfferEnd, ShareReason


def outcome(offer: Offer) -> LegEnd:
    """The outcome of an offer whose legs have all ended.

    It is the end that comes last in `LEG_ENDS_WORST_LAST`; `FAILED` if no leg has a reason.
    """
    ends = [leg.end for leg in offer.legs.values() if leg.end is not None]
    return max(ends, key=LEG_ENDS_WORST_LAST.index, default=LegEnd.FAILED)


def fail(floor: Floor, offer: Offer, why: LegEnd) -> None:
    """The agent did not take the call, which counts as their turn: offer it to the next agent.

    Args:
      floor: the state of the core.
      offer: the offer.
      why: the reason. `NO_ANSWER` counts as a miss, and too many in a row pause the agent.
    """
    call, agent = offer.call, offer.agent
    # Their turn is spent and they count as tried before the offer is stopped. So when the call is
    # matched again, at the end of this very event, it goes to another agent.
    if not offer.consult:
        offer.member.turn = offer.turn
        call.tried[agent.id] = None
        call.failed_at = floor.now
    if why is LegEnd.NO_ANSWER:
        _missed(floor, offer)
    floor.mark_changed(agent)
    ringing.stop_offer(floor, offer, StopReason.TIME_UP, why)
    if call.state is CallState.WAITING:
        floor.unmatched_calls[call.id] = call


def withdraw(floor: Floor, offer: Offer, why: StopReason) -> None:
    """Withdraw an offer without counting a miss or a turn. Others are offered the call at once.

    Args:
      floor: the state of the core.
      offer: a ringing offer.
      why: what the phone shows.
    """
    ringing.stop_offer(floor, offer, why, OfferEnd.WITHDRAWN)
    if offer.call.state is CallState.WAITING:
        floor.unmatched_calls[offer.call.id] = offer.call


def withdraw_all(floor: Floor, agent: Agent, but: Offer | None = None) -> None:
    """Stop every phone that rings for an agent, except `but`. An accepted call goes on.

    No miss and no turn is counted.
    """
    for offer in list(agent.offers.values()):
        if offer.state is OfferState.RINGING and offer is not but:
            withdraw(floor, offer, StopReason.WITHDRAWN)


def _missed(floor: Floor, offer: Offer) -> None:
    """The agent let a call ring out. After too many in a row they are paused automatically."""
    agent, limit = offer.agent, offer.call.queue.spec.auto_pause
    agent.misses += 1
    floor.changed_rows[agent.id] = None
    if not limit or agent.misses < limit or agent.pause is not None:
        return
    agent.misses = 0
    # Paused agents are not rung, so other calls that ring for them are withdrawn. This offer is not:
    # its own end is being reported, as a miss.
    withdraw_all(floor, agent, but=offer)
    if agent_availability.off_hook(agent):
        agent.pending_pause = requested_state.MISSED
        agent.pending_by = requested_state.ROUTER
    else:
        requested_state.set_pause(floor, agent, requested_state.MISSED, requested_state.ROUTER)
    text = agent_messages.missed(limit, after_call=agent.pending_pause is not None)
    agent_messages.send_message(floor, agent, text)


# ---------------------------------------------------------------- what a phone's answer means

LONG_RING = 10.0
"""After this many seconds of ringing, "not available" or "not found" means the network gave up."""


def meaning(floor: Floor, offer: Offer, leg: Leg, why: LegEnd) -> LegEnd:
    """What a leg's end really means, judged by how long the phone rang as well as by the cause.

    A phone or network that ends the ringing itself, after most of the ring time, was not picked up.
    That is a miss whatever the SIP code (486, 603 and 480 are all in use for it). No person sends
    "not found" or "not available", so those count as a miss after a shorter ring as well. And a
    phone that rang was reachable, whatever the code says.

    Args:
        floor: the state of the core.
        offer: the offer; its ring timer says how much of the ring time is left.
        leg: the leg that ended while it rang.
        why: the end as the PBX reports it.

    Returns:
        `why`, or what it really was: ``NO_ANSWER`` is a miss.
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


LATE = 0.1
"""Seconds by which a deadline is late if the process stood still. What phones have said since is not read yet."""
READS_WITHIN = 0.25
"""Seconds in which it is read."""


def share_call(floor: Floor, offer: Offer) -> None:
    """The offer has kept its caller from other agents for long enough: ring others alongside it.

    Called when the timer expires. Does nothing if the offer no longer rings, is a consultation or
    is shared already.
    """
    if offer.state is not OfferState.RINGING or offer.consult or offer.shared:
        return
    call = offer.call
    asked = next((leg for leg in offer.legs.values() if _asked(leg)), None)
    if asked is None and offer.rang:
        return  # the answered leg has ended, and another phone of the agent rings
    if asked is None and floor.clock_now > floor.now + LATE:
        floor.timers.share.set(offer.id, floor.clock_now + READS_WITHIN)
        return
    at_most = offer.placed_at + ringing.SILENT_FOR
    if asked is None and floor.now < at_most and shared_phones.is_reached(floor, offer):
        floor.timers.share.set(offer.id, at_most)
        return
    offer.shared = call.has_shared_offers = True
    leg = asked or next(iter(offer.legs.values()))
    floor.publish(
        OfferShared(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=offer.agent.id,
            offer=offer.id,
            device=leg.device.id,
            why=ShareReason.NO_REPLY_YET if asked is None else ShareReason.NOT_ACCEPTED_YET,
        )
    )
    if call.state is CallState.WAITING:
        floor.unmatched_calls[call.id] = call


# ---------------------------------------------------------------- one leg of several


def leg_over(floor: Floor, offer: Offer) -> None:
    """A leg ended: ring the devices planned for later, or fail the offer if there are none.

    They ring at once, because a silence between two phones of the same person helps neither side.
    """
    if live(offer):
        return
    planned = [leg for leg in offer.legs.values() if leg.state is LegState.PLANNED]
    for leg in sorted(planned, key=lambda leg: leg.device.ring_after):
        floor.timers.leg.cancel((offer.id, leg.device.id))
        if try_ring(floor, offer, leg):
            return
    fail(floor, offer, outcome(offer))


def try_ring(floor: Floor, offer: Offer, leg: Leg) -> bool:
    """Ring a planned device if it still can ring.

    A reload may have changed the device since it was planned: it is rung as the table has it now, or
    counts as unreachable if it is gone.

    Returns:
      Whether it rings.
    """
    device = agent_availability.device_of(
        offer.agent, leg.device.id
    )  # a reload may have changed or removed it
    if (
        device is None
        or leg.pbx not in device.pbxes
        or agent_availability.device_trouble(floor, device, leg.pbx) is not None
    ):
        advance_leg(leg, LegChange.ENDED)
        leg.end = LegEnd.UNREACHABLE
        return False
    leg.device = shared_phones.as_rung(floor, device, leg.pbx)
    ringing.ring_device(floor, offer, leg)
    return True


# ---------------------------------------------------------------- deadlines


def ring_time_up(floor: Floor, offer: Offer) -> None:
    """`ring_for` is over: stop the phones that ring.

    A leg that was picked up goes on, because key 1 may still be pressed.
    """
    if offer.state is not OfferState.RINGING:
        return
    if offer.call.pbx not in floor.up:  # answered or not: there is no way to know
        withdraw(floor, offer, StopReason.TIME_UP)
    elif any(_asked(leg) for leg in offer.legs.values()):
        for leg in offer.legs.values():
            if leg.state is not LegState.ANSWERED:
                ringing.stop_leg(floor, offer, leg, StopReason.TIME_UP)
    elif offer.call.pbx in floor.paces:  # a leg that was still queued did nothing wrong
        fail(floor, offer, LegEnd.NO_ANSWER if offer.rang else LegEnd.FAILED)
    else:
        for leg in offer.legs.values():
            if leg.state is LegState.PLACED and not leg.stopping:
                devices.count_failure(floor, offer, leg, LegEnd.SILENT, was_up=False)
        fail(floor, offer, LegEnd.NO_ANSWER if offer.rang else LegEnd.SILENT)


def accept_time_up(floor: Floor, offer: Offer, device: str) -> None:
    """Key 1 was not pressed in time on a device. Other devices of the agent may still ring.

    While the link to the PBX is down, the offer is withdrawn instead and no device is blamed. A
    colleague who accepted a consultation but was not connected in time is let go.
    """
    if offer.consult and offer.state is OfferState.ACCEPTED:
        ringing.stop_offer(floor, offer, StopReason.TIME_UP, OfferEnd.NOT_BROUGHT_IN)
    leg = offer.legs.get(device)
    if offer.state is not OfferState.RINGING or leg is None or not _asked(leg):
        return
    if offer.call.pbx not in floor.up:
        withdraw(floor, offer, StopReason.TIME_UP)
        return
    devices.count_failure(floor, offer, leg, LegEnd.NOT_ACCEPTED, was_up=True)
    # We hang up this leg, so the PBX will report no cause of its own.
    leg.end = LegEnd.NOT_ACCEPTED
    ringing.stop_leg(floor, offer, leg, StopReason.TIME_UP)
    if not any(_may_be_accepted(other) for other in offer.legs.values()):
        fail(floor, offer, LegEnd.NOT_ACCEPTED)


def _may_be_accepted(leg: Leg) -> bool:
    """Whether the call may still be accepted on a leg."""
    return leg.state is LegState.PLANNED or (leg.state in LIVE and not leg.stopping)


def leg_due(floor: Floor, offer: Offer, device: str) -> None:
    """The `ring_after` delay of a device has passed.

    The device is rung if it still can be. If no phone of the offer is left, the offer fails.
    """
    leg = offer.legs.get(device)
    if offer.call.pbx in floor.paces and not offer.rang and live(offer):
        return  # `begins_to_ring` sets the timer again when the first leg rings
    if offer.state is OfferState.RINGING and leg is not None and leg.state is LegState.PLANNED:
        try_ring(floor, offer, leg)
        leg_over(floor, offer)


def _asked(leg: Leg) -> bool:
    return leg.state is LegState.ANSWERED and not leg.stopping
