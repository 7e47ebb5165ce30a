"""The outcome of each offer of a call, read from its call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.logged_call import Step
from callrouter.api.explain.explanation_text import after_ringing, standing_words
from callrouter.api.explain.outcome_names import failed_words
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
from callrouter.model.outcomes import NAMES, EndedBy, OfferEnd
from callrouter.model.text import joined, phrase


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
        phrase("device-and-what", "{device}: {what}", device=device, what=_device_words(failure))
        for device, failure in offer.failed.items()
        if isinstance(failure, CallerIdRefused) or failure.why is not ended
    ]
    if not others:
        return result, words
    return result, phrase("with-others", "{what} ({others})", what=words, others=joined(others))


def _device_words(failure: DeviceFailed | CallerIdRefused) -> str:
    if isinstance(failure, CallerIdRefused):
        text = "the carrier refused the caller's number; rung with the business's"
        return phrase("number-refused-again", text)
    return failed_words(failure.why)


def _outcome(log: Standings, offer: ExplainedOffer, now: float) -> tuple[str, str]:
    began = offer.made.at
    if offer.over is not None:
        return _talked(offer, offer.over)
    if offer.ended is not None:
        return _came_to_nothing(log, offer, offer.ended)
    if offer.connected_at is not None:
        text = "{took}, talking for {talking_s}"
        talking = now - offer.connected_at
        return "talking", phrase("talking", text, took=_took(offer), talking_s=talking)
    if offer.accepted_at is not None:
        return "accepted", phrase("being-connected", "{took}; being connected", took=_took(offer))
    if offer.rang_at is not None:
        return "ringing", phrase("ringing", "ringing for {rings_s}", rings_s=now - offer.rang_at)
    return "placed", phrase("being-rung", "being rung for {rung_s}", rung_s=now - began)


def _took(offer: ExplainedOffer) -> str:
    """Say that the agent accepted the call, and on which phone."""
    if offer.device:
        return phrase("took-it-on", "took it on {device}", device=offer.device)
    return phrase("took-it", "took it")


def _talked(
    offer: ExplainedOffer, over: CallCompleted | ConversationTransferred
) -> tuple[str, str]:
    taken = offer.accepted_at if offer.accepted_at is not None else offer.made.at
    after = taken - offer.made.at
    if offer.taker in {"", offer.made.agent}:
        first = phrase("took-after", "{took} after {after_s}", took=_took(offer), after_s=after)
    else:
        text = "{agent} picked it up after {after_s}"
        first = phrase("picked-up-after", text, agent=offer.taker, after_s=after)
    talked = phrase("talked", "{took}, talked {talked_s}", took=first, talked_s=over.talk_s)
    if isinstance(over, ConversationTransferred):
        end, result = _passed_on(over), "transferred"
    else:
        end, result = _ended(over), "talked"
    return result, phrase("talked-and-then", "{talked}, {end}", talked=talked, end=end)


def _passed_on(over: ConversationTransferred) -> str:
    how = NAMES[over.transfer]
    words = phrase("passed-on", "passed it on ({how})", how=how)
    if over.to:
        words = phrase("passed-on-to", "passed it on to {to} ({how})", to=over.to, how=how)
    if over.by:
        words = phrase("passed-on-for", "{passed_on} for {by}", passed_on=words, by=over.by)
    return words


def _ended(over: CallCompleted) -> str:
    if over.ended_by:
        return phrase("ended-by", "{by} ended the call", by=over.ended_by)
    if over.by is EndedBy.CALLER:
        return phrase("caller-hung-up", "the caller hung up")
    return phrase("agent-hung-up", "the agent hung up")


def _came_to_nothing(log: Standings, offer: ExplainedOffer, ended: OfferEnded) -> tuple[str, str]:
    agent, began, outcome = offer.made.agent, offer.made.at, ended.outcome
    rang = None if offer.rang_at is None else ended.at - offer.rang_at
    if outcome is OfferEnd.LOST:
        lost = phrase("lost-to-another", "lost to another")
        if offer.lost_to:
            lost = phrase("lost-to", "lost to {agent}", agent=offer.lost_to)
        return "lost", after_ringing(rang, lost)
    if outcome is OfferEnd.WITHDRAWN:
        next_ = log.standing_after(agent, offer.ended_serial)
        kind, words = standing_words(next_) if next_ is not None else ("", "")
        withdrawn = phrase("withdrawn", "withdrawn")
        if kind in {"paused", "signed-out"}:
            text = "withdrawn: {agent} {why}"
            withdrawn = phrase("withdrawn-because", text, agent=agent, why=words)
        return "withdrawn", after_ringing(rang, withdrawn)
    if offer.accepted_at is not None:
        text = "{took} after {after_s}, but {why}"
        after = offer.accepted_at - began
        return "failed", phrase(
            "took-but", text, took=_took(offer), after_s=after, why=NAMES[outcome]
        )
    if outcome is LegEnd.NO_ANSWER and rang is None:
        text = "no answer within {within_s}; the phone never said that it rings"
        return "no-answer", phrase("no-answer-within", text, within_s=ended.at - began)
    return outcome.value.replace(" ", "-"), after_ringing(rang, failed_words(outcome))
