"""How the record names the outcomes of offers and consultations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from callrouter.model.events import ConnectFault, LegEnd
from callrouter.model.outcomes import OfferEnd, OfferOutcome, RequeueReason
from callrouter.record.rows import OfferResult


def in_one_word(what: Enum) -> str:
    """Return the value of an outcome as one word, as the record writes it."""
    return str(what.value).replace(" ", "-")


OFFER_RESULTS: Final[Mapping[OfferOutcome, OfferResult]] = {
    **{end: OfferResult(in_one_word(end)) for end in LegEnd},
    OfferEnd.LOST: OfferResult.LOST,
    OfferEnd.WITHDRAWN: OfferResult.WITHDRAWN,
    OfferEnd.CALLER_GONE: OfferResult.CALLER_GONE,
    OfferEnd.FOUND_TALKING: OfferResult.FOUND_TALKING,
    OfferEnd.NOT_BROUGHT_IN: OfferResult.NOT_BROUGHT_IN,
    RequeueReason.PASSED_ON: OfferResult.PASSED_ON,
    RequeueReason.HUNG_UP_AT_ONCE: OfferResult.HUNG_UP_AT_ONCE,
    RequeueReason.FAULTY_LINE: OfferResult.FAULTY_LINE,
    RequeueReason.FOUND_WAITING: OfferResult.FOUND_WAITING,
    RequeueReason.FOUND_WITH_ANOTHER: OfferResult.FOUND_WITH_ANOTHER,
    ConnectFault.CALLER_GONE: OfferResult.CONNECT_CALLER_GONE,
    ConnectFault.LEG_GONE: OfferResult.CONNECT_LEG_GONE,
    ConnectFault.FAILED: OfferResult.CONNECT_FAILED,
}
"""By how the core says that an offer ended."""
