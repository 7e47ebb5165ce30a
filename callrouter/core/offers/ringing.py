"""Offers from the inside: placing one, ringing and stopping its legs, and releasing its agent."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.core import lane_membership
from callrouter.core.agents import (
    agent_availability,
    agent_messages,
    devices,
    requested_state,
    shared_phones,
    unavailability_text,
)
from callrouter.core.floor import Floor
from callrouter.core.offers.offer_lifecycle import (
    LIVE,
    LegChange,
    OfferChange,
    advance_leg,
    advance_offer,
    live,
)
from callrouter.core.state import (
    LEG_PLANNED,
    OFFER_CLOSING,
    OFFER_ENDED,
    Call,
    Leg,
    LegState,
    Membership,
    Offer,
    OfferState,
)
from callrouter.model.call_notices import ConsultationChanged, OfferEnded, OfferMade, OfferRang
from callrouter.model.commands import Ring, StopReason, StopRing
from callrouter.model.display import shown
from callrouter.model.endpoints import is_phone_here
from callrouter.model.outcomes import ConsultationStep, OfferEnd, OfferOutcome
from callrouter.model.routing_table import DeviceSpec

CLOSE_WITHIN = 2.0
"""Seconds after which a phone that was told to stop ringing, and did not, is treated as dead."""

COOLDOWN_DEAD = 30.0
"""Seconds of cooldown for a phone that does not stop ringing when told to."""

TURN_SPARE = 15.0
"""Extra seconds for an offer on a driver that paces its dialling.

Such an offer gets `ring_for` to wait for its turn, `ring_for` to ring, and this margin, within
which the driver gives it up by itself.
"""

SILENT_FOR = 3.0
"""Seconds without a sign of ringing after which the next agent is offered the call as well.

A phone on a PBX reports ringing within a fraction of a second. Outside numbers get longer, because
a mobile network takes several seconds to find a phone.
"""


SILENT_WAY_FOR = 0.5
"""The same for phones that another of our PBXes rings over a trunk.

Both ends are PBXes, so a sign comes as quickly as from a phone at home. What takes longer is mostly a trunk that
is cut, which nothing reports.
"""


def make_offer(
    floor: Floor, call: Call, member: Membership, *, consult: bool = False
) -> Offer | None:
    """Reserve the agent and ring their devices.

    Args:
      floor: the state of the core.
      call: the call that is offered.
      member: the agent, as a member of the call's queue.
      consult: the offer is for the agent who has the call, not for the caller.

    Returns:
      The offer, or None if no device can ring after all. Nothing is reserved then.
    """
    devices = ringable(floor, member, call.pbx)
    if not devices:
        return None
    offer = _new_offer(floor, call, member, devices, consult=consult)
    agent, queue = member.agent, call.queue
    reserve(floor, offer)
    floor.timers.retry.cancel(call.id)
    ring_for = queue.spec.ring_for
    longest = ring_for if call.pbx not in floor.paces else 2 * ring_for + TURN_SPARE
    # Counted from the present even if a late deadline led here: no phone has rung yet.
    floor.timers.ring.set(offer.id, floor.clock_now + longest)
    if not consult:
        left_out = unavailability_text.left_out(floor, agent, devices, call.pbx)
        floor.publish(
            OfferMade(
                at=floor.now,
                call=call.id,
                queue=queue.id,
                agent=agent.id,
                offer=offer.id,
                policy=queue.spec.policy,
                idle_s=floor.now - agent.idle_since,
                priority=member.level,
                left_out=left_out,
            )
        )
    _ring_devices(floor, offer)
    if not consult and call.pbx not in floor.paces:
        _limit_silence(floor, offer)
    return offer


def _new_offer(
    floor: Floor, call: Call, member: Membership, devices: Sequence[DeviceSpec], *, consult: bool
) -> Offer:
    """An offer with a leg for each device. It is the queue's next turn, and has an id of its own."""
    member.agent.before = None
    call.queue.turns += 1
    return Offer(
        id=f"{floor.run_id}-{floor.next_serial()}",
        call=call,
        member=member,
        turn=call.queue.turns,
        placed_at=floor.now,
        legs={
            device.id: Leg(shared_phones.as_rung(floor, device, call.pbx), call.pbx)
            if device.watch_answer
            else Leg(device, call.pbx)
            for device in devices
        },
        consult=consult,
    )


def _ring_devices(floor: Floor, offer: Offer) -> None:
    """Ring the first devices of an offer, and plan those with a longer `ring_after`.

    The shortest `ring_after` among the devices that can ring counts as no delay: a caller gains
    nothing from a silence before the first phone.
    """
    first = min([leg.device.ring_after for leg in offer.legs.values()])
    for leg in offer.legs.values():
        wait = leg.device.ring_after - first
        if wait > 0:
            floor.timers.leg.set((offer.id, leg.device.id), floor.clock_now + wait)
        else:
            ring_device(floor, offer, leg)


def _limit_silence(floor: Floor, offer: Offer) -> None:
    """Limit the wait for phones that do not even start to ring. Outside numbers are exempt."""
    for leg in offer.legs.values():
        if devices.leads_out(leg.device) and leg.state is not LEG_PLANNED:
            return
    ways = floor.shares_phones and all(
        leg.device.homes and leg.pbx not in leg.device.homes for leg in offer.legs.values()
    )
    floor.timers.share.set(offer.id, floor.clock_now + (SILENT_WAY_FOR if ways else SILENT_FOR))


def begins_to_ring(floor: Floor, offer: Offer) -> None:
    """The first leg of an offer rings. If the driver paces its dialling, the times start here.

    From here on no other agent is rung because of silence, and the agent counts as ringing.
    """
    offer.rang = True
    floor.timers.share.cancel(offer.id)
    floor.mark_changed(offer.agent)
    if not offer.consult:
        floor.publish(
            OfferRang(
                at=floor.now,
                call=offer.call.id,
                queue=offer.call.queue.id,
                agent=offer.agent.id,
                offer=offer.id,
            )
        )
    if offer.call.pbx not in floor.paces or floor.timers.ring.at(offer.id) is None:
        return
    floor.timers.ring.set(offer.id, floor.clock_now + offer.call.queue.spec.ring_for)
    first = min(leg.device.ring_after for leg in offer.legs.values())
    for leg in offer.legs.values():
        if leg.state is LegState.PLANNED:
            wait = leg.device.ring_after - first
            floor.timers.leg.set((offer.id, leg.device.id), floor.clock_now + wait)


def reserve(floor: Floor, offer: Offer) -> None:
    """Take one unit of the agent's capacity for the offer, before any phone rings.

    So the agent never has more offers than capacity, however many calls one event matches. The unit is
    released when the offer ends, once every phone is quiet (`OfferChange.RELEASED`).
    """
    agent = offer.agent
    floor.offers[offer.id] = offer
    agent.offers[offer.id] = offer
    if offer.consult:
        offer.call.consult = offer
    else:
        offer.call.offers[agent.id] = offer
    # An agent with capacity left comes back into the lanes when `settle` looks at them.
    lane_membership.take_agent_out(agent)
    floor.mark_changed(agent)


def ringable(floor: Floor, member: Membership, pbx: str) -> list[DeviceSpec]:
    """The agent's devices that can ring through a PBX now.

    In the order of the configuration. Whether the agent is willing is not asked here.
    """
    return [
        device
        for device in member.agent.spec.devices
        if pbx in device.pbxes and agent_availability.device_trouble(floor, device, pbx) is None
    ]


def _name_for(floor: Floor, call: Call, device: DeviceSpec) -> str:
    """The caller's name as shown on a device. Devices outside the PBX get the name unchanged."""
    if not _is_the_agents_own(device):
        return call.caller_name
    return shown(
        call.queue.spec.show,
        queue=call.queue.spec.name,
        name=call.caller_name,
        number=call.caller_number,
        tag=call.tag,
        waited=floor.now - call.queued_at,
    )


def _alert_for(call: Call, device: DeviceSpec) -> str:
    return call.queue.spec.alert_info if _is_the_agents_own(device) else ""


def _is_the_agents_own(device: DeviceSpec) -> bool:
    """Whether the device is certainly the agent's own phone and forwards no calls elsewhere."""
    if not device.endpoint:
        return False
    return not device.confirm or is_phone_here(device.endpoint)


def ring_device(floor: Floor, offer: Offer, leg: Leg) -> None:
    """Ring one device until the offer's time is up, even if a reload has changed `ring_for`.

    On a driver that paces its dialling, an offer that has not rung yet has its full time.
    """
    call, device, spec = offer.call, leg.device, offer.call.queue.spec
    advance_leg(leg, LegChange.PLACED)
    if device.addresses:  # what its home says of the phone is this call from here on
        floor.mark_changed(offer.agent)
    ring_for = (floor.timers.ring.at(offer.id) or floor.now) - floor.now
    if call.pbx in floor.paces and not offer.rang:
        ring_for = spec.ring_for
    floor.order(
        Ring(
            pbx=leg.pbx,
            call=call.id,
            offer=offer.id,
            agent=offer.agent.id,
            device=device.id,
            endpoint=device.addresses[leg.pbx] if device.addresses else device.endpoint,
            number=device.number,
            confirm=device.confirm,
            ring_for=ring_for,
            queue=call.queue.id,
            queue_name=spec.name,
            caller_number=call.shown_number,
            caller_name=_name_for(floor, call, device) if spec.show else call.caller_name,
            together=spec.dial and not offer.consult,
            accept_within=device.accept_within,
            alert_info=_alert_for(call, device) if spec.alert_info else "",
            auto_answer=device.auto_answer,
        )
    )


def stop_leg(floor: Floor, offer: Offer, leg: Leg, why: StopReason) -> None:
    """Stop a leg, once.

    A leg that was not rung yet ends immediately. Any other leg still reports its `LegEnded`.

    Args:
      floor: the state of the core.
      offer: the offer of the leg.
      leg: the leg, in any state.
      why: decides whether the phone shows a missed call.
    """
    if leg.state is LEG_PLANNED:
        advance_leg(leg, LegChange.ENDED)
        floor.timers.leg.cancel((offer.id, leg.device.id))
    elif leg.state in LIVE and not leg.stopping:
        leg.stopping = True
        floor.order(StopRing(pbx=leg.pbx, offer=offer.id, device=leg.device.id, why=why))


def stop_offer(floor: Floor, offer: Offer, why: StopReason, outcome: OfferOutcome) -> None:
    """The offer is decided: stop its legs, and release the agent once the PBX has confirmed.

    Waiting for the confirmation keeps a phone from being rung for the next call while its last
    INVITE is still being cancelled. It takes a round trip to the PBX. `CLOSE_WITHIN` limits
    the wait.

    Args:
        floor: the state of the core.
        offer: the offer. Nothing happens if it is decided already.
        why: the reason for the PBX, which decides what the phones show.
        outcome: how it ended, for the reports.
    """
    if offer.state in {OFFER_CLOSING, OFFER_ENDED}:
        return
    advance_offer(floor, offer, OfferChange.STOPPED)
    for leg in offer.legs.values():
        stop_leg(floor, offer, leg, why)
    if offer.consult:
        _consultation_over(floor, offer, outcome)
    else:
        offer.call.offers.pop(offer.agent.id, None)
        floor.publish(
            OfferEnded(
                at=floor.now,
                call=offer.call.id,
                queue=offer.call.queue.id,
                agent=offer.agent.id,
                offer=offer.id,
                outcome=outcome,
                rang_s=floor.now - offer.placed_at,
            )
        )
    if live(offer):
        floor.timers.closing.set(offer.id, floor.clock_now + CLOSE_WITHIN)
        floor.mark_changed(offer.agent)
    else:
        end_offer(floor, offer)


def hang_up_agent(floor: Floor, offer: Offer) -> None:
    """Hang up the agent's leg, as if the agent had done it.

    Does nothing if no leg was accepted. What follows is done when the PBX reports the end of the
    leg.
    """
    if offer.winner is not None:
        stop_leg(floor, offer, offer.winner, StopReason.WITHDRAWN)


def report_consultation(
    floor: Floor, call: Call, colleague: str, what: ConsultationStep | OfferOutcome
) -> None:
    """Report the progress of a consultation.

    `colleague` is the id of the agent who is asked.
    """
    floor.publish(
        ConsultationChanged(
            at=floor.now,
            call=call.id,
            queue=call.queue.id,
            agent=call.winner.agent.id if call.winner is not None else "",
            colleague=colleague,
            what=what,
        )
    )


def _consultation_over(floor: Floor, offer: Offer, outcome: OfferOutcome) -> None:
    """The colleague did not join. Tell the agent who asked, unless they cancelled it themselves."""
    call = offer.call
    report_consultation(floor, call, offer.agent.id, outcome)
    if call.consult is offer:
        call.consult = None
        if call.winner is not None:
            text = agent_messages.colleague_absent(offer.agent.id, outcome)
            agent_messages.send_message(floor, call.winner.agent, text)


def drop_consultation(floor: Floor, call: Call, why: StopReason) -> None:
    """End the consultation of a call, if there is one, and release the colleague.

    A colleague who talks is hung up. For one who is still being rung or connected, the offer is
    withdrawn.
    """
    offer, call.consult = call.consult, None
    if offer is None:
        return
    if offer.state is OfferState.TALKING:
        hang_up_agent(floor, offer)
    else:
        stop_offer(floor, offer, why, OfferEnd.WITHDRAWN)


def end_offer(floor: Floor, offer: Offer) -> None:
    """The offer is over in every respect: release the agent's capacity.

    Requests that waited for the end of the call are carried out now.
    """
    advance_offer(floor, offer, OfferChange.RELEASED)
    requested_state.settle_pending(floor, offer.agent)


def give_up_waiting(floor: Floor, offer: Offer) -> None:
    """The PBX never confirmed that the phones are quiet: treat them as dead, release the agent.

    A phone on a PBX that is in step gets a cooldown. If the link is down, its silence says nothing.
    """
    for leg in offer.legs.values():
        if leg.state in LIVE:
            advance_leg(leg, LegChange.ENDED)
            if leg.pbx in floor.up:
                floor.report_oddity(
                    f"{leg.device.address} did not stop ringing for offer {offer.id}"
                )
                devices.did_not_stop(floor, offer, leg, COOLDOWN_DEAD)
    end_offer(floor, offer)
