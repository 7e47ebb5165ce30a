"""What became of offers, as sentences with codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import LegEnd
from callrouter.model.outcomes import NAMES, OfferEnd, OfferOutcome
from callrouter.model.text import phrase

RESULTS: Final[Mapping[str, str]] = {
    **{name.replace(" ", "-"): name for name in NAMES.values()},
    "connecting": phrase("result-connecting", "connecting"),
    "talking": phrase("result-talking", "talking"),
    "accepted": phrase("result-accepted", "accepted"),
    "ringing": phrase("result-ringing", "ringing"),
    "placed": phrase("result-placed", "placed"),
    "transferred": phrase("result-transferred", "transferred"),
    "talked": phrase("result-talked", "talked"),
}
"""What became of an offer in a word, by its keyword in the API."""

_FAILED: Final[Mapping[Enum, str]] = {
    LegEnd.NO_ANSWER: phrase("failed-no-answer", "no answer"),
    LegEnd.SILENT: phrase("failed-silent", "the phone did not reply, not even that it rings"),
    LegEnd.NOT_ACCEPTED: phrase("failed-not-accepted", "picked up, but key 1 was not pressed"),
    LegEnd.DECLINED: phrase("failed-declined", "declined"),
    LegEnd.WRONG_KEY: phrase("failed-wrong-key", "picked up, and pressed neither 1 nor 2"),
    LegEnd.BUSY: phrase("failed-busy", "busy"),
    LegEnd.UNAVAILABLE: phrase("failed-unavailable", "the phone takes no calls now"),
    LegEnd.UNREACHABLE: phrase("failed-unreachable", "the phone could not be reached"),
    LegEnd.FAILED: phrase("failed-not-placed", "the telephone system could not place it"),
    LegEnd.NUMBER_REFUSED: phrase(
        "failed-number-refused",
        "the carrier refused the number that was shown (see caller_id and show)",
    ),
    LegEnd.HUNG_UP: phrase("failed-hung-up", "picked up and hung up before the call was taken"),
    OfferEnd.CALLER_GONE: phrase("caller-hung-up", "the caller hung up"),
}


def failed_words(outcome: OfferOutcome | DeviceFailure) -> str:
    """Say how an offer, or the call to one device, ended that was not accepted."""
    return _FAILED.get(outcome) or NAMES[outcome]
