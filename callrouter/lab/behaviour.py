"""What a laboratory phone does with an incoming call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DtmfMethod = Literal["rfc4733", "info"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Ring, answer, talk.

    Attributes:
        after: seconds from the INVITE to the 200.
        ring: whether a 180 is sent at once.
        talk: seconds from the answer to our BYE; None leaves hanging up to the other side.
        dtmf: (seconds after the answer, digit, how), pressed in this order.
    """

    after: float = 0.3
    ring: bool = True
    talk: float | None = None
    dtmf: tuple[tuple[float, str, DtmfMethod], ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerThenBye:
    """Answer `after` seconds, hang up `talk_s` seconds later."""

    after: float = 0.3
    talk_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse with `code` (300 to 699) after `after` seconds, ringing meanwhile if that is not 0."""

    code: int = 486
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class RingOnly:
    """Ring (180) for ever."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Say nothing at all, not even 100, and answer no CANCEL."""


@dataclass(frozen=True, slots=True)
class TryingOnly:
    """Say 100 and nothing more, not even to a CANCEL."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the call to `target` (a number at the same server, or a SIP URI) with a 302."""

    target: str
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """Send a 183 with audio, then go on ringing; answer after `answer_after` seconds, if given."""

    answer_after: float | None = None


Behaviour = Answer | AnswerThenBye | Refuse | RingOnly | Silent | TryingOnly | Redirect | EarlyMedia
