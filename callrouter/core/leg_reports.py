"""What each report of a leg means in each state of an offer.

`TABLE` has an entry for every pair of state and event. It says what is done; the state that follows
often depends on the other legs, so the action names a change, and the tables of
`callrouter.core.offers.offer_lifecycle` say where that change leads.

A pair that can't occur is noted and changes nothing. Late events are normal: the PBX and the core
decide at the same time, so a report from the PBX may have been overtaken by a decision here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callrouter.core.agents import (
    agent_availability,
    devices,
    presence,
    requested_state,
    shared_phones,
)
from callrouter.core.calls import bridging, conversations, queueing
from callrouter.core.floor import Floor
from callrouter.core.offers import offer_failures, ringing
from callrouter.core.offers.offer_lifecycle import (
    LIVE,
    LegChange,
    OfferChange,
    advance_leg,
    advance_offer,
    live,
)
from callrouter.core.state import (
    CALL_TALKING,
    LEG_ACCEPTED,
    LEG_ANSWERED,
    LEG_PLACED,
    LEG_RINGING,
    Agent,
    Call,
    Leg,
    Offer,
    OfferState,
)
from callrouter.model.call_notices import CallerIdRefused, OfferAccepted
from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallerEnd,
    ConnectFault,
    LegAccepted,
    LegAnswered,
    LegEnded,
    LegEvent,
    LegPickedUpElsewhere,
    LegRang,
    NumberRefused,
)
from callrouter.model.outcomes import EndedBy

Action = Callable[[Floor, Offer, Leg, LegEvent], None]


def handle_leg(floor: Floor, event: LegEvent) -> None:
    """Handle a leg event.

    A report from a leg that is not rung, or of an offer that is over, changes nothing. Only the end of
    a leg may come late without being reported as odd: offers are given up on before their legs end.
    """
    offer = floor.offers.get(event.offer)
    leg = offer.legs.get(event.device) if offer else None
    if offer is None or leg is None:
        if not isinstance(event, LegEnded):  # a leg of an offer we gave up on may end late
            floor.report_oddity(f"{type(event).__name__} for offer {event.offer}, which is over")
        return
    if leg.state not in LIVE:
        floor.report_oddity(
            f"{type(event).__name__} from {leg.device.address} for offer {offer.id}, where it is "
            f"{leg.state.value}"
        )
        return
    TABLE[offer.state, type(event)](floor, offer, leg, event)


def number_refused(floor: Floor, event: NumberRefused) -> None:
    """The carrier rejected the caller ID that a leg presented. The agent did nothing wrong.

    It is only reported, and only while the offer is known: no state changes.
    """
    offer = floor.offers.get(event.offer)
    if offer is not None:
        floor.publish(
            CallerIdRefused(
                at=floor.now,
                call=offer.call.id,
                queue=offer.call.queue.id,
                agent=offer.agent.id,
                offer=offer.id,
                device=event.device,
                rung_again=event.again,
            )
        )


# ---------------------------------------------------------------- while ringing


def _rang(floor: Floor, offer: Offer, leg: Leg, _event: LegEvent) -> None:
    if leg.state is LEG_PLACED:
        advance_leg(leg, LegChange.RANG)
        leg.rang_at = floor.now
    if not offer.rang:
        ringing.begins_to_ring(floor, offer)


def _answered(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    _rang(floor, offer, leg, event)
    if leg.state in {LEG_PLACED, LEG_RINGING} and not leg.stopping:
        advance_leg(leg, LegChange.ANSWERED)
        leg.asked = True
        until = floor.clock_now + leg.device.accept_within
        floor.timers.accept.set((offer.id, leg.device.id), until)
        if not offer.consult and not offer.shared and floor.timers.share.at(offer.id) is None:
            alone_for = offer.call.queue.spec.ask_alone_for
            floor.timers.share.set(offer.id, floor.clock_now + alone_for)


def _unseen(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """Something answered through another PBX, and the phone's home does not see it in use.

    The home's own report may still be on its way. If none comes, it was a voicemail, and the leg ends
    like one on which key 1 is not pressed.
    """
    _answered(floor, offer, leg, event)
    leg.unseen = True
    until = floor.clock_now + shared_phones.UNSEEN_FOR
    before = floor.timers.accept.at((offer.id, leg.device.id))
    if before is not None:
        floor.timers.accept.set((offer.id, leg.device.id), min(before, until))


def seen_in_use(floor: Floor, pbx: str, endpoint: str) -> None:
    """A PBX says that an endpoint is in use: it may be what answered on a leg through another PBX."""
    for agent in floor.owners.get((pbx, endpoint), ()):
        for offer in list(agent.offers.values()):
            for leg in list(offer.legs.values()):
                if leg.unseen and leg.state is LEG_ANSWERED and pbx in leg.device.homes:
                    handle_leg(floor, LegAccepted(offer=offer.id, device=leg.device.id))


def _accepted(floor: Floor, offer: Offer, leg: Leg, event: LegEvent, *, seen: bool = False) -> None:
    """The agent takes the call on a leg, which wins. `seen`: it is known to be a phone that answered."""
    if leg.stopping:
        _too_late(floor, offer, leg, event)
        return
    if leg.device.watch_answer and not seen and not shared_phones.is_the_phone(floor, leg):
        _unseen(floor, offer, leg, event)
        return
    _rang(floor, offer, leg, event)
    advance_leg(leg, LegChange.ACCEPTED)
    advance_offer(floor, offer, OfferChange.ACCEPTED)
    offer.winner = leg
    offer.member.turn = offer.turn
    offer.agent.misses = 0
    floor.changed_rows[offer.agent.id] = None
    devices.clear_failures_on_acceptance(floor, leg)
    floor.mark_changed(offer.agent)
    if offer.consult:
        conversations.colleague_accepted(floor, offer)
        return
    floor.publish(
        OfferAccepted(
            at=floor.now,
            call=offer.call.id,
            queue=offer.call.queue.id,
            agent=offer.agent.id,
            offer=offer.id,
            device=leg.device.id,
        )
    )
    bridging.connect(floor, offer)


def _leg_over(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """A leg ended. If it was the last one, the offer has failed."""
    _mark_ended(floor, offer, leg, event)
    offer_failures.leg_over(floor, offer)


def _picked_up_elsewhere(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """Another phone picked up the ringing call: the offer passes to the agent of that phone."""
    assert isinstance(event, LegPickedUpElsewhere)  # noqa: S101 - narrows the type; the table guarantees it
    if leg.stopping:
        _too_late(floor, offer, leg, event)
        return
    owners = floor.owners.get((leg.pbx, event.endpoint), ())
    taker = next((agent for agent in owners if _can_take_over(agent, offer)), None)
    if taker is None:
        floor.report_oddity(
            f"{event.endpoint} picked up a call for {offer.agent.id}, and is not the phone of an agent "
            f"who could take one of {offer.call.queue.id} now"
        )
    elif taker is not offer.agent:
        _hand_over(floor, offer, taker)
    if not leg.device.confirm:
        _accepted(floor, offer, leg, event, seen=True)


def _can_take_over(agent: Agent, offer: Offer) -> bool:
    """Whether an agent can take over another agent's offer.

    They must be a member of the queue, present, and have spare capacity. Offers that ring for them
    are no obstacle, because those are withdrawn.
    """
    if agent is offer.agent:
        return True
    held = [other for other in agent.offers.values() if other.state in agent_availability.OFF_HOOK]
    return (
        agent.id in offer.call.queue.members
        and presence.is_present(agent)
        and len(held) < agent.spec.capacity
    )


def _hand_over(floor: Floor, offer: Offer, taker: Agent) -> None:
    giver = offer.agent
    offer_failures.withdraw_all(floor, taker)
    offer.call.offers.pop(giver.id, None)
    giver.offers.pop(offer.id, None)
    offer.hand_to(offer.call.queue.members[taker.id])
    ringing.reserve(floor, offer)
    floor.unmatched_calls[offer.call.id] = offer.call
    floor.mark_changed(giver)
    requested_state.settle_pending(floor, giver)


# ---------------------------------------------------------------- once accepted


def _connect_lost(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """The leg that accepted is gone before a word was said. Other legs do not matter here."""
    _mark_ended(floor, offer, leg, event)
    if leg is offer.winner:
        connect_failed(floor, offer.call, offer, ConnectFault.LEG_GONE)


def connect_failed(floor: Floor, call: Call, offer: Offer, why: ConnectFault) -> None:
    """Caller and agent could not be connected.

    Args:
      floor: the state of the core.
      call: the call, connecting; for a consultation, in conversation.
      offer: the offer that was accepted.
      why: if the caller has gone, the call is abandoned; otherwise the caller waits again. An agent's
        phone that has gone counts as an immediate hangup.
    """
    if offer.consult:
        ringing.stop_offer(floor, offer, StopReason.WITHDRAWN, why)
        return
    if why is ConnectFault.CALLER_GONE:
        queueing.caller_left(floor, call, CallerEnd.HUNG_UP)
        return
    if why is ConnectFault.LEG_GONE:
        devices.count_immediate_hangup(floor, offer)
    bridging.requeue(floor, call, why)


def _talk_ended(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """The agent is on-hook after a conversation, or after a moment too short to be one."""
    _mark_ended(floor, offer, leg, event)
    if leg is not offer.winner:
        return
    call = offer.call
    if offer.consult:
        conversations.colleague_left(floor, offer)
        bridging.conversation_ended(floor, offer)
        return
    mine = call.winner is offer and call.state is CALL_TALKING
    if mine and conversations.asking_agent_left(floor, call):
        bridging.conversation_ended(floor, offer)
        return
    if mine and _hardly_talked(floor, offer):
        bridging.requeue(floor, call, devices.count_immediate_hangup(floor, offer))
        return
    if mine:
        bridging.completed(floor, call, EndedBy.AGENT)
    bridging.conversation_ended(floor, offer)


def _hardly_talked(floor: Floor, offer: Offer) -> bool:
    since = offer.talked_since
    return since is not None and not offer.adopted and floor.now - since < bridging.SOON


# ---------------------------------------------------------------- while closing


def _quiet(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """A leg ended that we waited for."""
    _mark_ended(floor, offer, leg, event)
    if not live(offer):
        ringing.end_offer(floor, offer)


def _accepted_again(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """Accepted again, or by a second device of the same agent, which is already being stopped."""
    if leg is not offer.winner:
        _too_late(floor, offer, leg, event)


def _too_late(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    """Picked up while being stopped: the leg is being hung up and no caller is connected to it."""
    floor.report_oddity(
        f"{type(event).__name__} from {leg.device.address} after offer {offer.id} was decided"
    )


def _ignore(_floor: Floor, _offer: Offer, _leg: Leg, _event: LegEvent) -> None:
    """Nothing new."""


def _odd(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    floor.report_oddity(
        f"{type(event).__name__} from {leg.device.address} can't be in an offer that is "
        f"{offer.state.value}; passed over"
    )


def _mark_ended(floor: Floor, offer: Offer, leg: Leg, event: LegEvent) -> None:
    assert isinstance(event, LegEnded)  # noqa: S101 - narrows the type; the table guarantees it
    state = leg.state
    advance_leg(leg, LegChange.ENDED)
    if leg.device.addresses:  # what its home says of the phone is another's call from here on
        floor.mark_changed(offer.agent)
    if leg.asked:
        floor.timers.accept.cancel((offer.id, leg.device.id))
    if leg.stopping or state is LEG_ACCEPTED:
        # We ended it, or it did its work: no failure of the device.
        leg.end = leg.end or event.why
        return
    leg.end = (
        offer_failures.meaning(floor, offer, leg, event.why) if state is LEG_RINGING else event.why
    )
    devices.count_failure(floor, offer, leg, leg.end, was_up=state is LEG_ANSWERED)


_S = OfferState
# Why the entries are right:
# - RINGING is the only state in which a leg can win or lose the call for its agent.
# - In ACCEPTED and TALKING, another device of the agent may still report that it rings or was picked
#   up, because its cancellation is on the way. Only the end of the winning leg matters, which
#   `_connect_lost` and `_talk_ended` check.
# - In CLOSING the outcome is fixed. The offer only waits for its legs to end, so that the agent is
#   not rung again before their phones are known to be quiet.
# - `LegPickedUpElsewhere` needs a ringing leg, so it can't occur later. An ENDED offer is not in `floor.offers`
#   and gets no events.
TABLE: Mapping[tuple[OfferState, type[LegEvent]], Action] = {
    (_S.RINGING, LegRang): _rang,
    (_S.RINGING, LegAnswered): _answered,
    (_S.RINGING, LegAccepted): _accepted,
    (_S.RINGING, LegEnded): _leg_over,
    (_S.RINGING, LegPickedUpElsewhere): _picked_up_elsewhere,
    (_S.ACCEPTED, LegRang): _ignore,
    (_S.ACCEPTED, LegAnswered): _ignore,
    (_S.ACCEPTED, LegAccepted): _accepted_again,
    (_S.ACCEPTED, LegEnded): _connect_lost,
    (_S.ACCEPTED, LegPickedUpElsewhere): _odd,
    (_S.TALKING, LegRang): _ignore,
    (_S.TALKING, LegAnswered): _ignore,
    (_S.TALKING, LegAccepted): _accepted_again,
    (_S.TALKING, LegEnded): _talk_ended,
    (_S.TALKING, LegPickedUpElsewhere): _odd,
    (_S.CLOSING, LegRang): _ignore,
    (_S.CLOSING, LegAnswered): _too_late,
    (_S.CLOSING, LegAccepted): _too_late,
    (_S.CLOSING, LegEnded): _quiet,
    (_S.CLOSING, LegPickedUpElsewhere): _odd,
    (_S.ENDED, LegRang): _odd,
    (_S.ENDED, LegAnswered): _odd,
    (_S.ENDED, LegAccepted): _odd,
    (_S.ENDED, LegEnded): _odd,
    (_S.ENDED, LegPickedUpElsewhere): _odd,
}
