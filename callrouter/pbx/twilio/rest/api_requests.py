"""Requests to Twilio's REST API and their outcomes. Nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from callrouter.pbx.twilio.hangup_causes import GONE, TOO_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCall:
    """Call a phone. `token` identifies the leg; webhooks report what happens to it."""

    token: str
    to: str
    caller_id: str
    timeout: int
    """Ring time in seconds. Twilio adds up to 5 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectCall:
    """Give a live call another document to run."""

    sid: str
    twiml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall:
    """End a call, whether ringing or answered (``canceled`` does not end an answered call)."""

    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateParticipant:
    """Change a participant of a conference. Values that are None stay as they are.

    Attributes:
        conference_name: the conference's name, used to look it up if the SID is unknown.
        conference_sid: the conference's SID; "" if unknown.
        sid: CallSid of the participant.
        hold: whether the participant hears music and cannot be heard.
        ends: whether the conference ends when the participant leaves.
    """

    conference_name: str
    conference_sid: str
    sid: str
    hold: bool | None = None
    ends: bool | None = None


ApiRequest: TypeAlias = PlaceCall | RedirectCall | EndCall | UpdateParticipant


class ApiOutcome(Enum):
    """The outcome of a request."""

    DONE = "done"
    REFUSED = "refused"
    """Twilio refused; nothing has changed."""
    NOT_SENT = "not sent"
    """Twilio could not be reached; nothing has changed."""
    UNKNOWN = "unknown"
    """No answer, or a Twilio error: the request may or may not have been carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResult:
    """The outcome of a request.

    Attributes:
        outcome: what happened.
        sid: SID of a new call.
        queue_time: seconds for which Twilio queues a new call.
        status: HTTP status of a refusal.
        code: Twilio's error code.
        detail: the outcome in words.
    """

    outcome: ApiOutcome
    sid: str = ""
    queue_time: float = 0.0
    status: int = 0
    code: int = 0
    detail: str = ""

    @property
    def call_ended(self) -> bool:
        """Whether the call that the request was for has ended."""
        return self.outcome is ApiOutcome.REFUSED and self.code in GONE

    @property
    def safe_to_repeat(self) -> bool:
        """Whether the request can be repeated without taking effect twice."""
        return self.outcome is ApiOutcome.NOT_SENT or self.code == TOO_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInProgress:
    """A call in progress, according to the REST API.

    Attributes:
        sid: its CallSid.
        caller_number: the number it comes from.
        called_number: the number it goes to.
        started_at: its start, in epoch seconds.
        queued_at: when it entered `queue`, in epoch seconds.
        queue: name of the queue in which it waits; "" if none.
        conference: name of the conference it is in; "" if none.
        label: our label for it in that conference.
        parent: the call whose `<Dial>` rang this one.
        ringing: whether it is a phone that has not been picked up yet.
    """

    sid: str
    caller_number: str = ""
    called_number: str = ""
    started_at: float | None = None
    queued_at: float | None = None
    queue: str = ""
    conference: str = ""
    label: str = ""
    parent: str = ""
    ringing: bool = False
