"""How offers, conversations and consultations end.

The values are the names that the API, the metrics and the log show. They are stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from callrouter.model.device_failures import FAILURES
from callrouter.model.events import ConnectFault, LegEnd, TransferKind
from callrouter.model.text import phrase


class OfferEnd(Enum):
    """How an offer ended for a reason other than its phones."""

    LOST = "lost"
    """Another agent accepted the call first."""
    WITHDRAWN = "withdrawn"
    """The agent paused or signed out, or the call was moved or left its queue."""
    CALLER_GONE = "caller gone"
    FOUND_TALKING = "found in a conversation after a gap"
    """A PBX shows the caller in a conversation that began while its reports were missing."""
    NOT_BROUGHT_IN = "could not be brought in"
    """A consulted colleague picked up, and could not be connected in time."""

    __hash__ = object.__hash__


class RequeueReason(Enum):
    """Why a call that an agent had accepted waits again."""

    PASSED_ON = "passed on"
    """The agent transferred it to a queue that takes no new calls, so it stays in its own."""
    HUNG_UP_AT_ONCE = "the agent hung up at once"
    """Within a second of the connect, so that the two may never have talked."""
    FAULTY_LINE = (
        "conversations with different agents end at once: look at the caller's line and its codecs"
    )
    FOUND_WAITING = "found waiting after a gap"
    FOUND_WITH_ANOTHER = "found talking to another"

    __hash__ = object.__hash__


RequeueCause: TypeAlias = RequeueReason | ConnectFault
"""Why a call waits again. A `ConnectFault` says that the PBX could not connect the two."""

OfferOutcome: TypeAlias = LegEnd | OfferEnd | RequeueReason | ConnectFault
"""How an offer ended that led to no conversation.

A `LegEnd` says that the agent's phones did not take the call. The last two apply to an offer that
was accepted.
"""


class ShareReason(Enum):
    """Why a call is offered to other agents although one is still being rung for it."""

    NOT_ACCEPTED_YET = "picked up, key 1 not pressed yet"
    NO_REPLY_YET = "no reply yet"


class EndedBy(Enum):
    """The party that ended a conversation."""

    AGENT = "agent"
    CALLER = "caller"
    SUPERVISOR = "supervisor"


class ConsultationStep(Enum):
    """The progress of a consultation: an agent asks a colleague while the caller is on hold."""

    ASKED = "asked"
    """The colleague is being rung."""
    NO_PHONE = "no phone rings"
    """None of the colleague's devices can ring."""
    TALKING = "talks"
    HUNG_UP = "hung up"
    """The colleague hung up without taking the caller."""


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
    OfferEnd.FOUND_TALKING: phrase("end-found-talking", "found in a conversation after a gap"),
    OfferEnd.NOT_BROUGHT_IN: phrase("end-not-brought-in", "could not be brought in"),
    RequeueReason.PASSED_ON: phrase("back-passed-on", "passed on"),
    RequeueReason.HUNG_UP_AT_ONCE: phrase("back-hung-up-at-once", "the agent hung up at once"),
    RequeueReason.FAULTY_LINE: phrase(
        "back-faulty-line",
        "conversations with different agents end at once: look at the caller's line and its codecs",
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
