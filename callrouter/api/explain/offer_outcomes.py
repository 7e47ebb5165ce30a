"""The outcome of each offer of a call, read from its trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from callrouter.api.explain.decision_journal import Journal, Step
from callrouter.api.explain.explanation_text import failed_words, standing_words
from callrouter.model.commands import Decided, Happened, Record
from callrouter.model.text import rough_duration

_H: Final = Happened


@dataclass(slots=True)
class Offer:
    """The outcome of a decision."""

    made: Decided
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
    ended: Record | None = None
    ended_serial: int = 0
    taker: str = ""
    """The agent who accepted. Differs from the agent rung if another phone picked up the call."""
    lost_to: str = ""
    over: Record | None = None
    """The end of the conversation."""
    last: Record | None = None
    """What ended the offer or its conversation; None while either is active."""
    last_serial: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Devices that were rung and did not accept, each with the reason."""


def offers_of(steps: Iterable[Step]) -> dict[str, Offer]:
    """Return the outcome of each decision."""
    found: dict[str, Offer] = {}
    placed: dict[str, Record] = {}
    winner = ""
    for serial, told, _ in steps:
        if isinstance(told, Decided):
            offer = found[told.offer] = Offer(told, serial)
            first = placed.get(told.offer)
            if first is not None:
                offer.idle, offer.level = float(first.detail[1]), int(first.detail[2])
                offer.left_out = str(first.detail[3]) if len(first.detail) > 3 else ""
            continue
        if told.kind is _H.OFFERED:
            placed[told.offer] = told  # reported just before its decision
        if told.kind is _H.ACCEPTED:
            winner = told.agent
        if told.offer in found:
            _happened(found[told.offer], serial, told, winner)
    return found


def ringing_at(offers: Mapping[str, Offer], serial: int) -> set[str]:
    """Return the agents already being rung for the call when a later decision was made."""
    return {
        offer.made.agent
        for offer in offers.values()
        if offer.serial < serial and (offer.last is None or offer.last_serial > serial)
    }


def _happened(offer: Offer, serial: int, record: Record, winner: str) -> None:
    match record.kind:
        case _H.RANG:
            offer.rang_at = record.at
        case _H.ACCEPTED:
            offer.accepted_at, offer.taker = record.at, record.agent
            offer.device = str(record.detail[0]) if record.detail else ""
        case _H.CONNECTED:
            offer.connected_at = record.at
        case _H.COMPLETED | _H.TRANSFERRED:
            offer.over = offer.last = record
            offer.last_serial = serial
        case _H.OFFER_ENDED:
            offer.ended, offer.ended_serial = record, serial
            offer.last, offer.last_serial = record, serial
            offer.lost_to = winner
        case _H.DEVICE_FAILED:
            device, why, *_ = record.detail
            offer.failed[str(device)] = str(why)
        case _H.NUMBER_REFUSED if record.detail[1] == "business":
            device = str(record.detail[0])
            offer.failed[device] = (
                "the carrier refused the caller's number; rung with the business's"
            )
        case _:
            pass


def outcome(journal: Journal, offer: Offer, now: float) -> tuple[str, str]:
    """Return the outcome of an offer: a stable keyword, and words."""
    result, words = _outcome(journal, offer, now)
    ended = str(offer.ended.detail[0]) if offer.ended is not None else ""
    # The agent's devices whose outcome differs from that of the whole offer.
    others = [
        f"{device}: {failed_words(why, None, 0.0)}"
        for device, why in offer.failed.items()
        if why != ended
    ]
    return result, f"{words} ({'; '.join(others)})" if others else words


def _outcome(journal: Journal, offer: Offer, now: float) -> tuple[str, str]:
    began = offer.made.at
    if offer.over is not None:
        return _talked(offer, offer.over)
    if offer.ended is not None:
        return _came_to_nothing(journal, offer, offer.ended)
    if offer.connected_at is not None:
        return "talking", f"{_took(offer)}, talking for {rough_duration(now - offer.connected_at)}"
    if offer.accepted_at is not None:
        return "accepted", f"{_took(offer)}; being connected"
    if offer.rang_at is not None:
        return "ringing", f"ringing for {rough_duration(now - offer.rang_at)}"
    return "placed", f"being rung for {rough_duration(now - began)}"


def _took(offer: Offer) -> str:
    """Say that the agent accepted the call, and on which phone."""
    return f"took it on {offer.device}" if offer.device else "took it"


def _talked(offer: Offer, over: Record) -> tuple[str, str]:
    taken = offer.accepted_at if offer.accepted_at is not None else offer.made.at
    first = f"{_took(offer)} after {rough_duration(taken - offer.made.at)}"
    if offer.taker not in {"", offer.made.agent}:
        first = f"{offer.taker} picked it up after {rough_duration(taken - offer.made.at)}"
    if over.kind is _H.TRANSFERRED:
        kind, to, _, talk, _, *by = over.detail
        where = f" to {to}" if to else ""
        asked = f" for {by[0]}" if by else ""
        passed = f"passed it on{where} ({kind}){asked}"
        return "transferred", f"{first}, talked {rough_duration(float(talk))}, {passed}"
    end, _, talk, _, *by = over.detail
    ended = "the caller hung up" if end == "caller" else "the agent hung up"
    if by:
        ended = f"{by[0]} ended the call"
    return "talked", f"{first}, talked {rough_duration(float(talk))}, {ended}"


def _came_to_nothing(journal: Journal, offer: Offer, record: Record) -> tuple[str, str]:
    agent, began = offer.made.agent, offer.made.at
    outcome = str(record.detail[0])
    rang = None if offer.rang_at is None else record.at - offer.rang_at
    if outcome == "lost":
        return "lost", failed_words(f"lost to {offer.lost_to or 'another'}", rang, 0.0)
    if outcome == "withdrawn":
        next_ = journal.standing_after(agent, offer.ended_serial)
        kind, words = standing_words(next_) if next_ is not None else ("", "")
        why = f": {agent} {words}" if kind in {"paused", "signed-out"} else ""
        return "withdrawn", failed_words(f"withdrawn{why}", rang, 0.0)
    if offer.accepted_at is not None:
        after = rough_duration(offer.accepted_at - began)
        return "failed", f"{_took(offer)} after {after}, but {outcome}"
    return outcome.replace(" ", "-"), failed_words(outcome, rang, record.at - began)
