"""The outcome of each offer of a call, read from its call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.logged_call import Step
from callrouter.api.explain.explanation_text import (
    after_ringing,
    failed_words,
    standing_words,
)
from callrouter.model.call_notices import (
    CallCompleted,
    CallerIdRefused,
    ConversationStarted,
    ConversationTransferred,
    DeviceFailed,
    OfferAccepted,
    OfferDecided,
    OfferEnded,
    OfferMade,
    OfferRang,
)
from callrouter.model.events import LegEnd
from callrouter.model.notices import OfferNotice
from callrouter.model.outcomes import EndedBy, OfferEnd
from callrouter.model.text import rough_duration


@dataclass(slots=True)
class ExplainedOffer:
    """The outcome of a decision.

    Times are epoch seconds; None: it has not happened.

    Attributes:
        made: the decision.
        serial: its serial number.
        level: the agent's level in the queue; None: the notice of the offer is not kept.
        ended: the notice that the offer came to nothing.
        ended_serial: its serial number.
        lost_to: the agent who had accepted the call most recently when this offer ended; empty:
            none had.
    """

    made: OfferDecided
    serial: int
    idle: float | None = None
    """Seconds for which the agent had been idle."""
    level: int | None = None
    left_out: str = ""
    """The agent's other phones, each with why it was not rung."""
    device: str = ""
    """The phone on which the call was accepted."""
    rang_at: float | None = None
    accepted_at: float | None = None
    connected_at: float | None = None
    ended: OfferEnded | None = None
    ended_serial: int = 0
    taker: str = ""
    """The agent who accepted. Differs from the agent rung if another phone picked up the call."""
    lost_to: str = ""
    over: CallCompleted | ConversationTransferred | None = None
    """The end of the conversation."""
    last: OfferNotice | None = None
    """What ended the offer or its conversation; None while either is active."""
    last_serial: int = 0
    failed: dict[str, DeviceFailed | CallerIdRefused] = field(default_factory=dict)
    """Devices that were rung and did not accept, each with what went wrong last."""


def offers_of(steps: Iterable[Step]) -> dict[str, ExplainedOffer]:
    """Return the outcome of each decision.

    Args:
        steps: the steps of one call, oldest first. Offers whose decision is no longer kept are left
            out.

    Returns:
        The outcomes by the id of the offer, in the order of the decisions.
    """
    found: dict[str, ExplainedOffer] = {}
    placed: dict[str, OfferMade] = {}
    winner = ""
    for serial, notice, _ in steps:
        if isinstance(notice, OfferDecided):
            offer = found[notice.offer] = ExplainedOffer(notice, serial)
            first = placed.get(notice.offer)
            if first is not None:
                offer.idle, offer.level = first.idle_s, first.priority
                offer.left_out = first.left_out
            continue
        if isinstance(notice, OfferMade):
            placed[notice.offer] = notice  # reported just before its decision
        if isinstance(notice, OfferAccepted):
            winner = notice.agent
        if isinstance(notice, OfferNotice) and notice.offer in found:
            _happened(found[notice.offer], serial, notice, winner)
    return found


def ringing_at(offers: Mapping[str, ExplainedOffer], serial: int) -> set[str]:
    """Return the agents already being rung for the call when a later decision was made.

    Args:
        offers: the offers of one call.
        serial: the serial number of the later decision.
    """
    return {
        offer.made.agent
        for offer in offers.values()
        if offer.serial < serial and (offer.last is None or offer.last_serial > serial)
    }


def _happened(offer: ExplainedOffer, serial: int, notice: OfferNotice, winner: str) -> None:
    match notice:
        case OfferRang():
            offer.rang_at = notice.at
        case OfferAccepted():
            offer.accepted_at, offer.taker = notice.at, notice.agent
            offer.device = notice.device
        case ConversationStarted():
            offer.connected_at = notice.at
        case CallCompleted() | ConversationTransferred():
            offer.over = offer.last = notice
            offer.last_serial = serial
        case OfferEnded():
            offer.ended, offer.ended_serial = notice, serial
            offer.last, offer.last_serial = notice, serial
            offer.lost_to = winner
        case DeviceFailed() | CallerIdRefused(rung_again=True):
            offer.failed[notice.device] = notice
        case _:
            pass


def outcome(log: Standings, offer: ExplainedOffer, now: float) -> tuple[str, str]:
    """Return the outcome of an offer.

    Args:
        log: says what the agent did next, which explains an offer that was withdrawn.
        offer: the offer.
        now: the time of the request, for durations that go on.

    Returns:
        A stable keyword, and words.
    """
    result, words = _outcome(log, offer, now)
    ended = offer.ended.outcome if offer.ended is not None else None
    # The agent's devices whose outcome differs from that of the whole offer.
    others = [
        f"{device}: {_device_words(failure)}"
        for device, failure in offer.failed.items()
        if isinstance(failure, CallerIdRefused) or failure.why is not ended
    ]
    return result, f"{words} ({'; '.join(others)})" if others else words


def _device_words(failure: DeviceFailed | CallerIdRefused) -> str:
    if isinstance(failure, CallerIdRefused):
        return "the carrier refused the caller's number; rung with the business's"
    return failed_words(failure.why)


def _outcome(log: Standings, offer: ExplainedOffer, now: float) -> tuple[str, str]:
    began = offer.made.at
    if offer.over is not None:
        return _talked(offer, offer.over)
    if offer.ended is not None:
        return _came_to_nothing(log, offer, offer.ended)
    if offer.connected_at is not None:
        return "talking", f"{_took(offer)}, talking for {rough_duration(now - offer.connected_at)}"
    if offer.accepted_at is not None:
        return "accepted", f"{_took(offer)}; being connected"
    if offer.rang_at is not None:
        return "ringing", f"ringing for {rough_duration(now - offer.rang_at)}"
    return "placed", f"being rung for {rough_duration(now - began)}"


def _took(offer: ExplainedOffer) -> str:
    """Say that the agent accepted the call, and on which phone."""
    return f"took it on {offer.device}" if offer.device else "took it"


def _talked(
    offer: ExplainedOffer, over: CallCompleted | ConversationTransferred
) -> tuple[str, str]:
    taken = offer.accepted_at if offer.accepted_at is not None else offer.made.at
    first = f"{_took(offer)} after {rough_duration(taken - offer.made.at)}"
    if offer.taker not in {"", offer.made.agent}:
        first = f"{offer.taker} picked it up after {rough_duration(taken - offer.made.at)}"
    talked = f"{first}, talked {rough_duration(over.talk_s)}"
    if isinstance(over, ConversationTransferred):
        where = f" to {over.to}" if over.to else ""
        asked = f" for {over.by}" if over.by else ""
        return "transferred", f"{talked}, passed it on{where} ({over.transfer.value}){asked}"
    ended = "the caller hung up" if over.by is EndedBy.CALLER else "the agent hung up"
    if over.ended_by:
        ended = f"{over.ended_by} ended the call"
    return "talked", f"{talked}, {ended}"


def _came_to_nothing(log: Standings, offer: ExplainedOffer, ended: OfferEnded) -> tuple[str, str]:
    agent, began, outcome = offer.made.agent, offer.made.at, ended.outcome
    rang = None if offer.rang_at is None else ended.at - offer.rang_at
    if outcome is OfferEnd.LOST:
        return "lost", after_ringing(rang, f"lost to {offer.lost_to or 'another'}")
    if outcome is OfferEnd.WITHDRAWN:
        next_ = log.standing_after(agent, offer.ended_serial)
        kind, words = standing_words(next_) if next_ is not None else ("", "")
        why = f": {agent} {words}" if kind in {"paused", "signed-out"} else ""
        return "withdrawn", after_ringing(rang, f"withdrawn{why}")
    if offer.accepted_at is not None:
        after = rough_duration(offer.accepted_at - began)
        return "failed", f"{_took(offer)} after {after}, but {outcome.value}"
    if outcome is LegEnd.NO_ANSWER and rang is None:
        waited = rough_duration(ended.at - began)
        return "no-answer", f"no answer within {waited}; the phone never said that it rings"
    return outcome.value.replace(" ", "-"), after_ringing(rang, failed_words(outcome))
