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
        talk: seconds from the answer to our BYE; None: the other side hangs up.
        dtmf: (seconds after the answer, digit, method), pressed in this order.
    """

    after: float = 0.3
    ring: bool = True
    talk: float | None = None
    dtmf: tuple[tuple[float, str, DtmfMethod], ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerThenBye:
    """Answer after `after` seconds and hang up `talk_s` seconds later.

    A short form of `Answer`. `after` counts from the INVITE.
    """

    after: float = 0.3
    talk_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse with `code` (300 to 699) after `after` seconds, ringing until then (if not 0).

    `after` counts from the INVITE. With 0, the phone never rings.
    """

    code: int = 486
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class RingOnly:
    """Ring (180) forever.

    The call ends when the other side cancels it.
    """


@dataclass(frozen=True, slots=True)
class Silent:
    """Send nothing at all, not even 100, and do not answer CANCEL.

    Like a phone whose network is gone. The server repeats its INVITE until it gives up.
    """


@dataclass(frozen=True, slots=True)
class TryingOnly:
    """Send 100 and nothing else, not even an answer to CANCEL."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect the call to `target` (a number on the same server, or a SIP URI) with a 302.

    `after` is in seconds from the INVITE. With 0, the phone never rings.
    """

    target: str
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """Send a 183 with audio, then keep ringing; answer after `answer_after` seconds, if given.

    The seconds count from the INVITE. None: never answer.
    """

    answer_after: float | None = None


Behaviour = Answer | AnswerThenBye | Refuse | RingOnly | Silent | TryingOnly | Redirect | EarlyMedia
