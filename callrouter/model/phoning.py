"""What passes between the router and a person at a phone, outside of any queue's call.

An agent dials a code, is asked for digits, hears what has become true; a mobile is called to prove that
it is its owner's. A driver that can do this is a `callrouter.pbx.base.TalksToPeople`. None of it reaches
the core: what follows from it does, as the ordinary events of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from callrouter.model.events import LegEnd


class Code(Enum):
    """The codes that agents dial; the values are what they dial as shipped.

    A site may have others (`PhoneCodes`). The dialplan always tells the router the shipped ones.
    """

    SIGN_IN_OUT = "*45"
    PAUSE_RESUME = "*46"
    MOBILE_ON_OFF = "*47"
    REGISTER = "*48"
    READY = "*49"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCodes:
    """What agents of a site dial for each code; empty: that one cannot be dialled."""

    sign_in: str = Code.SIGN_IN_OUT.value
    pause: str = Code.PAUSE_RESUME.value
    mobile: str = Code.MOBILE_ON_OFF.value
    register: str = Code.REGISTER.value
    ready: str = Code.READY.value

    def read(self, dialled: str) -> tuple[Code, str] | None:
        """The code that was dialled, and the digit behind that for a pause; None: it is none."""
        codes = {self.named(code): code for code in Code if self.named(code)}
        if dialled in codes:
            return codes[dialled], ""
        if codes.get(dialled[:-1]) is Code.PAUSE_RESUME and dialled[-1] in "123456789":
            return Code.PAUSE_RESUME, dialled[-1]
        return None

    def named(self, code: Code) -> str:
        """What is dialled for a code."""
        return {
            Code.SIGN_IN_OUT: self.sign_in,
            Code.PAUSE_RESUME: self.pause,
            Code.MOBILE_ON_OFF: self.mobile,
            Code.REGISTER: self.register,
            Code.READY: self.ready,
        }[code]


SHIPPED_CODES = PhoneCodes()
NAMES = {
    Code.SIGN_IN_OUT: "sign-in",
    Code.PAUSE_RESUME: "pause",
    Code.MOBILE_ON_OFF: "mobile",
    Code.REGISTER: "register",
    Code.READY: "ready",
}
"""What the dialplan calls each, for sites that map numbers of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDialled:
    """An agent, or a stranger, dialled a code.

    `endpoint` is the phone's, empty where it is none of the PBX's own. `digit` stood behind the code for a
    pause: the reason by its place in the configuration, from 1.
    """

    pbx: str
    channel: str
    code: Code
    endpoint: str = ""
    caller_number: str = ""
    digit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsKeyed:
    """What was keyed in after a `Say` that asked for it; empty: nothing came in time."""

    pbx: str
    channel: str
    digits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft:
    """The channel is gone. The last event of every channel, whoever hung up."""

    pbx: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswered:
    """A number that was called (`CallNumber`) was picked up, by a person or a machine."""

    pbx: str
    ref: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFailed:
    """A number that was called was not picked up, or could not be called."""

    pbx: str
    ref: str
    why: LegEnd


PhoneEvent: TypeAlias = CodeDialled | DigitsKeyed | PersonLeft | NumberAnswered | NumberFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Play sounds to a channel, in order; then read up to `read` digits, or hang up if that is 0.

    `sounds` are names of the PBX's own sounds, such as ``agent-loginok`` and ``digits/1``. Keys pressed
    while they play count. `seconds` is how long to wait for the first digit and between two.
    """

    pbx: str
    channel: str
    sounds: tuple[str, ...]
    read: int = 0
    seconds: float = 7.0
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNumber:
    """Call an outside number (E.164) to prove that it is its owner's.

    Exactly one of `NumberAnswered` and `NumberFailed` follows, and after an answer `PersonLeft` in the
    end.
    """

    pbx: str
    ref: str
    number: str
    ring_for: float = 40.0
    language: str = ""
