"""What became of offers, as sentences with codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from callrouter.model.device_failures import FAILURES, DeviceFailure
from callrouter.model.events import ConnectFault, LegEnd, TransferKind
from callrouter.model.outcomes import OfferEnd, OfferOutcome, RequeueReason, ShareReason
from callrouter.model.text import phrase

NAMES: Final[Mapping[Enum, str]] = {
    LegEnd.BUSY: phrase("end-busy", "busy"),
    LegEnd.DECLINED: phrase("end-declined", "declined"),
    LegEnd.WRONG_KEY: phrase("end-wrong-key", "wrong key"),
    LegEnd.NO_ANSWER: phrase("end-no-answer", "no answer"),
    LegEnd.SILENT: phrase("end-no-reply", "no reply"),
    LegEnd.UNAVAILABLE: phrase("end-unavailable", "unavailable"),
    LegEnd.UNREACHABLE: phrase("end-unreachable", "unreachable"),
    LegEnd.FAILED: phrase("end-failed", "failed"),
    LegEnd.NUMBER_REFUSED: phrase("end-number-refused", "number refused"),
    LegEnd.NOT_ACCEPTED: phrase("end-not-accepted", "not accepted"),
    LegEnd.HUNG_UP: phrase("end-hung-up", "hung up"),
    OfferEnd.LOST: phrase("end-lost", "lost"),
    OfferEnd.WITHDRAWN: phrase("end-withdrawn", "withdrawn"),
    OfferEnd.CALLER_GONE: phrase("end-caller-gone", "caller gone"),
    OfferEnd.FOUND_TALKING: phrase("end-found-talking", "found in a talk after a gap"),
    OfferEnd.NOT_BROUGHT_IN: phrase("end-not-brought-in", "could not be brought in"),
    RequeueReason.PASSED_ON: phrase("back-passed-on", "passed on"),
    RequeueReason.HUNG_UP_AT_ONCE: phrase("back-hung-up-at-once", "the agent hung up at once"),
    RequeueReason.FAULTY_LINE: phrase(
        "back-faulty-line",
        "talks with different agents end at once: look at the caller's line and its codecs",
    ),
    RequeueReason.FOUND_WAITING: phrase("back-found-waiting", "found waiting after a gap"),
    RequeueReason.FOUND_WITH_ANOTHER: phrase("back-with-another", "found talking to another"),
    ConnectFault.CALLER_GONE: phrase("connect-caller-gone", "the caller had gone"),
    ConnectFault.LEG_GONE: phrase("connect-leg-gone", "the agent's phone had gone"),
    ConnectFault.FAILED: phrase("connect-refused", "the PBX refused"),
    **FAILURES,
    ShareReason.NOT_ACCEPTED_YET: phrase("shared-no-key", "picked up, key 1 not pressed yet"),
    ShareReason.NO_REPLY_YET: phrase("shared-no-reply", "no reply yet"),
    TransferKind.BLIND: phrase("transfer-blind", "blind"),
    TransferKind.ATTENDED: phrase("transfer-attended", "attended"),
}
"""Every outcome by its name. The words are the values, as the log has them."""

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
