"""The states of offers and of their legs: which change leads where, and what is done with it.

`OFFERS` and `LEGS` have an entry for every pair of a state and a change. `advance_offer` and
`advance_leg` alone set the state of an offer and of a leg that exist. The diagrams in
docs/architecture.md are made from these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeAlias

from callrouter.core.agents import shared_phones
from callrouter.core.floor import Floor
from callrouter.core.state import (
    LEG_ACCEPTED,
    LEG_ANSWERED,
    LEG_ENDED,
    LEG_PLACED,
    LEG_PLANNED,
    LEG_RINGING,
    OFFER_ACCEPTED,
    OFFER_CLOSING,
    OFFER_ENDED,
    OFFER_RINGING,
    OFFER_TALKING,
    Leg,
    LegState,
    Offer,
    OfferState,
)

# ---------------------------------------------------------------- offers


class OfferChange(Enum):
    """What changes the state of an offer."""

    ACCEPTED = "accepted"
    """The agent accepts on one of their phones."""
    CONNECTED = "connected"
    """The agent and the other party hear each other."""
    STOPPED = "failed, lost or withdrawn"
    """It failed, was lost to another agent, was withdrawn, or its conversation was taken back."""
    RELEASED = "every phone quiet"
    """No phone of it rings or is off-hook, so the agent may be rung again."""

    __hash__ = object.__hash__  # looked up with every change; Enum's own is written in Python


OfferAction: TypeAlias = Callable[[Floor, Offer], None]


def _stop_timers(floor: Floor, offer: Offer) -> None:
    """Cancel every deadline of an offer that is decided."""
    timers = floor.timers
    timers.ring.cancel(offer.id)
    timers.share.cancel(offer.id)
    if offer.consult:
        timers.accept.cancel((offer.id, ""))
    for leg in offer.legs.values():
        if leg.state is LEG_PLANNED:
            timers.leg.cancel((offer.id, leg.device.id))
        elif leg.asked:
            timers.accept.cancel((offer.id, leg.device.id))


def _start_conversation(floor: Floor, offer: Offer) -> None:
    offer.talked_since = floor.now
    floor.changed_rows[offer.agent.id] = None


def _stop_conversation(floor: Floor, offer: Offer) -> None:
    offer.talked_since = None
    _stop_timers(floor, offer)


def _release_agent(floor: Floor, offer: Offer) -> None:
    floor.timers.closing.cancel(offer.id)
    floor.offers.pop(offer.id, None)
    offer.agent.offers.pop(offer.id, None)
    if floor.shares_phones:
        shared_phones.leg_over(floor, offer)
    floor.changed_agents[offer.agent.id] = offer.agent


def _nothing(_floor: Floor, _offer: Offer) -> None:
    """The offer is decided already."""


def _impossible(floor: Floor, offer: Offer) -> None:
    floor.report_oddity(
        f"offer {offer.id} is {offer.state.value}: the change is not for it; passed over"
    )


_O = OfferChange

# Why the entries are right:
# - STOPPED leads to CLOSING and not to ENDED, although the offer is decided: its phones may still
#   ring, and the agent must not be rung for the next call before they are known to be quiet.
# - TALKING goes to ENDED at once when its last phone is on-hook: there is nothing left to stop.
#   STOPPED in TALKING takes the conversation back (the connect failed within a second), so its
#   talk time does not count.
# - STOPPED twice is normal: a caller who hangs up and a time limit decide the same offer.
OFFERS: Mapping[tuple[OfferState, OfferChange], tuple[OfferAction, OfferState]] = {
    (OFFER_RINGING, _O.ACCEPTED): (_stop_timers, OFFER_ACCEPTED),
    (OFFER_RINGING, _O.CONNECTED): (_impossible, OFFER_RINGING),
    (OFFER_RINGING, _O.STOPPED): (_stop_timers, OFFER_CLOSING),
    (OFFER_RINGING, _O.RELEASED): (_impossible, OFFER_RINGING),
    (OFFER_ACCEPTED, _O.ACCEPTED): (_impossible, OFFER_ACCEPTED),
    (OFFER_ACCEPTED, _O.CONNECTED): (_start_conversation, OFFER_TALKING),
    (OFFER_ACCEPTED, _O.STOPPED): (_stop_timers, OFFER_CLOSING),
    (OFFER_ACCEPTED, _O.RELEASED): (_impossible, OFFER_ACCEPTED),
    (OFFER_TALKING, _O.ACCEPTED): (_impossible, OFFER_TALKING),
    (OFFER_TALKING, _O.CONNECTED): (_impossible, OFFER_TALKING),
    (OFFER_TALKING, _O.STOPPED): (_stop_conversation, OFFER_CLOSING),
    (OFFER_TALKING, _O.RELEASED): (_release_agent, OFFER_ENDED),
    (OFFER_CLOSING, _O.ACCEPTED): (_impossible, OFFER_CLOSING),
    (OFFER_CLOSING, _O.CONNECTED): (_impossible, OFFER_CLOSING),
    (OFFER_CLOSING, _O.STOPPED): (_nothing, OFFER_CLOSING),
    (OFFER_CLOSING, _O.RELEASED): (_release_agent, OFFER_ENDED),
    (OFFER_ENDED, _O.ACCEPTED): (_impossible, OFFER_ENDED),
    (OFFER_ENDED, _O.CONNECTED): (_impossible, OFFER_ENDED),
    (OFFER_ENDED, _O.STOPPED): (_nothing, OFFER_ENDED),
    (OFFER_ENDED, _O.RELEASED): (_nothing, OFFER_ENDED),
}


def advance_offer(floor: Floor, offer: Offer, change: OfferChange) -> None:
    """Change the state of an offer as `OFFERS` says.

    The new state is in force when the action runs. An impossible change is reported and changes
    nothing.
    """
    action, offer.state = OFFERS[offer.state, change]
    action(floor, offer)


# ---------------------------------------------------------------- legs


class LegChange(Enum):
    """What changes the state of a leg."""

    PLACED = "ordered to ring"
    RANG = "rings"
    ANSWERED = "picked up, key 1 still to come"
    ACCEPTED = "accepted"
    ENDED = "ended, or given up"

    __hash__ = object.__hash__


_C = LegChange
LEGS: Mapping[tuple[LegState, LegChange], LegState] = {
    (LEG_PLANNED, _C.PLACED): LEG_PLACED,
    (LEG_PLANNED, _C.RANG): LEG_PLANNED,
    (LEG_PLANNED, _C.ANSWERED): LEG_PLANNED,
    (LEG_PLANNED, _C.ACCEPTED): LEG_PLANNED,
    (LEG_PLANNED, _C.ENDED): LEG_ENDED,
    (LEG_PLACED, _C.PLACED): LEG_PLACED,
    (LEG_PLACED, _C.RANG): LEG_RINGING,
    (LEG_PLACED, _C.ANSWERED): LEG_ANSWERED,
    (LEG_PLACED, _C.ACCEPTED): LEG_ACCEPTED,
    (LEG_PLACED, _C.ENDED): LEG_ENDED,
    (LEG_RINGING, _C.PLACED): LEG_RINGING,
    (LEG_RINGING, _C.RANG): LEG_RINGING,
    (LEG_RINGING, _C.ANSWERED): LEG_ANSWERED,
    (LEG_RINGING, _C.ACCEPTED): LEG_ACCEPTED,
    (LEG_RINGING, _C.ENDED): LEG_ENDED,
    (LEG_ANSWERED, _C.PLACED): LEG_ANSWERED,
    (LEG_ANSWERED, _C.RANG): LEG_ANSWERED,
    (LEG_ANSWERED, _C.ANSWERED): LEG_ANSWERED,
    (LEG_ANSWERED, _C.ACCEPTED): LEG_ACCEPTED,
    (LEG_ANSWERED, _C.ENDED): LEG_ENDED,
    (LEG_ACCEPTED, _C.PLACED): LEG_ACCEPTED,
    (LEG_ACCEPTED, _C.RANG): LEG_ACCEPTED,
    (LEG_ACCEPTED, _C.ANSWERED): LEG_ACCEPTED,
    (LEG_ACCEPTED, _C.ACCEPTED): LEG_ACCEPTED,
    (LEG_ACCEPTED, _C.ENDED): LEG_ENDED,
    (LEG_ENDED, _C.PLACED): LEG_ENDED,
    (LEG_ENDED, _C.RANG): LEG_ENDED,
    (LEG_ENDED, _C.ANSWERED): LEG_ENDED,
    (LEG_ENDED, _C.ACCEPTED): LEG_ENDED,
    (LEG_ENDED, _C.ENDED): LEG_ENDED,
}
"""A leg only moves forward: a report that comes late, or twice, changes nothing."""

LIVE: Final = frozenset({LEG_PLACED, LEG_RINGING, LEG_ANSWERED, LEG_ACCEPTED})
"""States of a leg whose phone may be ringing or off-hook."""


def advance_leg(leg: Leg, change: LegChange) -> None:
    """Change the state of a leg as `LEGS` says.

    A change that is not for the present state leaves it as it is; nothing is reported.
    """
    leg.state = LEGS[leg.state, change]


def live(offer: Offer) -> bool:
    """Whether any leg may still be ringing or off-hook.

    A leg that was told to stop counts until it has ended.
    """
    for leg in offer.legs.values():  # noqa: SIM110 - `any` takes three times as long for one or two legs
        if leg.state in LIVE:
            return True
    return False
