"""Transfers by the keys of a phone that talks through another PBX.

A phone's own transfer (SIP REFER) is carried out by its home: the call that came over the trunk goes on
there with another party, or to another queue. The PBX of the caller sees nothing of it; its leg, which
is the trunk, stays as it is. But the home sees the phone leave. A moment later, if the leg is still
there, the agent has passed the caller on: the conversation is over for the agent, and the call for us.
"""

from __future__ import annotations

from typing import Final

from callrouter.core.agents import shared_phones
from callrouter.core.calls import bridging
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.state import CALL_TALKING, OFFER_TALKING, Agent, Offer
from callrouter.model.events import DeviceState, EndpointChanged, TransferKind

PASSED_ON_AFTER: Final = 2.0
"""Seconds for which a leg may outlive its phone's part in it: a hang-up takes a moment to get here."""


def phone_changed(floor: Floor, event: EndpointChanged, before: DeviceState | None) -> None:
    """A PBX says that an endpoint is in use, or is not, which may be an agent's phone in a talk.

    `before` is what it said last, None at first.
    """
    for agent in floor.owners.get((event.pbx, event.endpoint), ()):
        for offer in agent.offers.values():
            leg = offer.winner
            if leg is None or leg.device.addresses.get(event.pbx) != event.endpoint:
                continue
            if event.state is DeviceState.IN_USE:
                floor.timers.left.cancel((offer.id, leg.device.id))
            elif before is DeviceState.IN_USE or (before is None and offer.adopted):
                await_end(floor, offer)


def await_end(floor: Floor, offer: Offer) -> None:
    """The phone of an offer may have left its conversation: see in a moment whether that is over.

    Of a conversation that was found, it is not known whether the home ever saw the phone in it. There
    it counts only if the home had to see that to let it begin.
    """
    leg = offer.winner
    sure = leg is not None and (leg.device.watch_answer or not offer.adopted)
    if leg is None or not sure or offer.consult or not shared_phones.has_left(floor, leg):
        return
    if offer.state is OFFER_TALKING:
        floor.timers.left.set((offer.id, leg.device.id), floor.clock_now + PASSED_ON_AFTER)


def phone_left(floor: Floor, offer_id: str) -> None:
    """A phone left the conversation of an offer a moment ago, and its leg has not ended."""
    offer = floor.offers[offer_id]
    leg = offer.winner
    if offer.state is not OFFER_TALKING or leg is None or not shared_phones.has_left(floor, leg):
        return
    _pass_on(floor, offer)
    bridging.conversation_ended(floor, offer)


def is_passed_on(floor: Floor, agent: Agent, device: str, pbx: str) -> bool:
    """Whether a conversation found on a way through a PBX is not the phone's any more.

    So it is if the phone talks on a leg at its home. The other way round, if this PBX is the home, a conversation
    that was found on a way through another one before is given up.

    Args:
        floor: the state of the core.
        agent: whose phone it is. They have as many conversations as they can have.
        device: the phone's id.
        pbx: where a conversation is found on it.
    """
    for offer in list(agent.offers.values()):
        leg = offer.winner
        if offer.state is not OFFER_TALKING or leg is None or leg.device.id != device:
            continue
        homes = leg.device.homes
        if leg.pbx in homes and pbx not in homes:
            return True
        if offer.adopted and pbx in homes and leg.pbx not in homes:
            _pass_on(floor, offer)
            ringing.end_offer(floor, offer)
    return False


def _pass_on(floor: Floor, offer: Offer) -> None:
    """The caller goes on with another party, at the phone's home, and is not ours any more."""
    call = offer.call
    if call.winner is offer and call.state is CALL_TALKING:
        bridging.transferred(floor, call, TransferKind.BLIND, "")
        floor.passed_on[call.id] = call.pbx
