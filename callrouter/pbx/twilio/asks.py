"""What we ask of Twilio's REST API, and what comes of it. Nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from callrouter.pbx.twilio.outcomes import GONE, TOO_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Call a phone. `token` names the leg; what happens to it comes in by webhooks."""

    token: str
    to: str
    caller_id: str
    timeout: int
    """Seconds that it rings; Twilio adds up to 5 of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Give a live call another document to run."""

    sid: str
    twiml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End a call, whether it rings or was picked up (``canceled`` would leave that one on)."""

    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Change how somebody sits in a conference; what is None stays.

    `conference` is its SID, where that is known; else it is looked up by its name, `room`. `hold`: they
    hear music and nobody hears them. `ends`: the conference ends when they leave it.
    """

    room: str
    conference: str
    sid: str
    hold: bool | None = None
    ends: bool | None = None


Ask: TypeAlias = Place | Move | End | Seat


class Came(Enum):
    """What came of a request."""

    DONE = "done"
    REFUSED = "refused"
    """Twilio said no; nothing has changed."""
    NOT_SENT = "not sent"
    """Twilio could not be reached: nothing has changed."""
    UNKNOWN = "unknown"
    """No answer, or a fault of theirs: it may have been done or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request, in words too. `sid` and `queue_time` (seconds) are those of a new call."""

    came: Came
    sid: str = ""
    queue_time: float = 0.0
    status: int = 0
    code: int = 0
    detail: str = ""

    @property
    def gone(self) -> bool:
        """Whether the call that was meant is over."""
        return self.came is Came.REFUSED and self.code in GONE

    @property
    def harmless(self) -> bool:
        """Whether it may be asked again without being done twice."""
        return self.came is Came.NOT_SENT or self.code == TOO_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A call that the REST API shows to be going on.

    `queue` is the one it waits in, `conference` the name of the conference it is in, and `label` what we
    called it there; empty for one that is in none. `queued_at` is when it entered that queue. `parent` is the call whose `<Dial>` rang this one.
    `ringing`: a phone that was not picked up yet.
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
