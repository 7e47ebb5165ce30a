"""What events contain: the field ``data`` of each kind, as JSON types.

Times are ISO 8601 in UTC; seconds end in ``_s``. A field may be added later; none is taken away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from typing_extensions import TypedDict


class CallData(TypedDict):
    """What every event of a call names."""

    call: str
    """The id of the call, as in the API and in `callrouter why`."""
    queue: str
    number: str | None
    """The caller's number in E.164, an internal caller's extension; null: withheld."""
    name: str | None
    """The caller's name as the telephone system has it."""


class CallEnteredData(CallData):
    """A call entered a queue."""

    how: Literal["new", "overflow", "transfer", "moved", "found"]
    """``found``: it was waiting already when the router was started."""
    position: int
    """Its place in the queue, from 1; 0: it was not let in."""
    refused: str | None
    """Why it was not let in: ``full`` or ``closed``."""


class CallOfferedData(CallData):
    """An agent is being rung for a call."""

    agent: str
    offer: str


class CallOfferEndedData(CallOfferedData):
    """An offer ended without a conversation."""

    outcome: str
    """Such as ``no answer``, ``declined`` or ``lost`` (another agent was faster)."""
    rang_s: float


class CallConnectedData(CallOfferedData):
    """Caller and agent hear each other."""

    wait_s: float
    """In this queue."""
    rang_s: float


class CallRequeuedData(CallData):
    """The connect failed or the conversation broke off at once: the caller waits again."""

    reason: str


class CallTransferredData(CallData):
    """An agent passed the caller on."""

    agent: str | None
    transfer: Literal["blind", "attended", "put-through"]
    to: str
    """A queue, an agent or an extension."""
    talk_s: float


class CallEndedData(CallData):
    """A call is over. Each call that was announced gets exactly one of these."""

    outcome: Literal["answered", "abandoned", "left", "moved-away", "unknown"]
    """How it ended last. ``left``: by a rule of the queue, see `result`; ``moved-away``: another
    program took it; ``unknown``: it ended while the router was down."""
    agent: str | None
    """The agent who had the caller last; null: none did."""
    answered: bool
    """Whether an agent talked to the caller at any time."""
    result: str | None
    """Why it left: ``timeout``, ``full``, ``nobody`` or ``closed``."""
    ended_by: Literal["agent", "caller", "supervisor"] | None
    transferred_to: str | None
    """Where the last agent sent the caller, if that is no queue."""
    entered_at: str | None
    """The first entry into a queue."""
    wait_s: float
    """All its waiting."""
    talk_s: float
    """All its conversations."""
    offers: int
    transfers: int


class AgentData(TypedDict):
    """An agent signed in or out, paused or resumed."""

    agent: str
    reason: str | None
    """Of the pause."""
    by: str | None
    """Who did it for them."""


class AlertSubject(TypedDict):
    """What an alarm is about; all null: the site as a whole."""

    queue: str | None
    agent: str | None
    pbx: str | None
    node: str | None


class AlertData(AlertSubject):
    """An alarm was raised (``alert.fired``) or is over (``alert.cleared``)."""

    alert: str
    """Its name."""
    text: str
    """For people."""
    measure: str
    condition: str
    """Such as ``longest_wait > 2m``."""
    value: float | None
    """Now: seconds, percent or a count; null: not known."""
    since: str
    """When the condition began to hold."""


DATA: Final[dict[str, type[Any]]] = {
    "call.entered": CallEnteredData,
    "call.offered": CallOfferedData,
    "call.offer_ended": CallOfferEndedData,
    "call.connected": CallConnectedData,
    "call.requeued": CallRequeuedData,
    "call.transferred": CallTransferredData,
    "call.ended": CallEndedData,
    "agent.signed_in": AgentData,
    "agent.signed_out": AgentData,
    "agent.paused": AgentData,
    "agent.resumed": AgentData,
    "alert.fired": AlertData,
    "alert.cleared": AlertData,
}
"""The type of ``data`` by the kind of event."""


def iso_time(at: float) -> str:
    """Return epoch seconds as ``2026-11-27T09:00:00.123Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
