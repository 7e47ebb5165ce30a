"""How offers, conversations and consultations end.

The values are the names that the API, the metrics and the log show. They are stable.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from callrouter.model.events import ConnectFault, LegEnd


class OfferEnd(Enum):
    """How an offer ended for a reason other than its phones."""

    LOST = "lost"
    """Another agent accepted the call first."""
    WITHDRAWN = "withdrawn"
    """The agent paused or signed out, or the call was moved or left its queue."""
    CALLER_GONE = "caller gone"
    FOUND_TALKING = "found in a talk after a gap"
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
        "talks with different agents end at once: look at the caller's line and its codecs"
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
