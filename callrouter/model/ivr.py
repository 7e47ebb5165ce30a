"""What passes between the router and a person at a phone, outside of any queued call.

An agent dials a code, is asked for digits, and hears what has changed. A mobile is called to verify
that it belongs to its owner. A driver that supports this is a `callrouter.pbx.interface.HasPhoneDialogues`.
The core sees none of it, only the results, as ordinary events about agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from callrouter.model.events import LegEnd


class Code(Enum):
    """The codes that agents dial. The values are the default digits.

    A site may have others (`PhoneCodes`). The dialplan always passes the default ones to the
    router.
    """

    SIGN_IN_OUT = "*45"
    PAUSE_RESUME = "*46"
    MOBILE_ON_OFF = "*47"
    REGISTER = "*48"
    READY = "*49"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCodes:
    """The digits that agents of a site dial for each code; empty: that code can't be dialled."""

    sign_in: str = Code.SIGN_IN_OUT.value
    pause: str = Code.PAUSE_RESUME.value
    mobile: str = Code.MOBILE_ON_OFF.value
    register: str = Code.REGISTER.value
    ready: str = Code.READY.value

    def read(self, dialled: str) -> tuple[Code, str] | None:
        """The code that was dialled, and the digit after a pause code; None if it is not a code.

        The digit is 1 to 9, or empty if none was dialled. Only the pause code may have one.
        """
        codes = {self.named(code): code for code in Code if self.named(code)}
        if dialled in codes:
            return codes[dialled], ""
        if codes.get(dialled[:-1]) is Code.PAUSE_RESUME and dialled[-1] in "123456789":
            return Code.PAUSE_RESUME, dialled[-1]
        return None

    def named(self, code: Code) -> str:
        """The digits dialled for a code.

        Empty: that code can't be dialled.
        """
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
"""The name of each code in the dialplan, for sites that map numbers of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDialled:
    """A code was dialled, by an agent or a stranger.

    `endpoint` is the phone's endpoint; empty if it is not a phone of the PBX. `digit` is the digit
    after a pause code: the reason's place in the configuration, from 1.
    """

    pbx: str
    channel: str
    code: Code
    endpoint: str = ""
    caller_number: str = ""
    digit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsKeyed:
    """The digits keyed in after a `Say` that asked for them; empty: none came in time."""

    pbx: str
    channel: str
    digits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft:
    """The channel is gone, whichever side hung up.

    This is the last event of every channel with a dialogue, and comes exactly once.
    """

    pbx: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswered:
    """A number called by `CallNumber` was picked up, by a person or a machine.

    Its `channel` has a dialogue from now on: a `Say` is expected.
    """

    pbx: str
    ref: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFailed:
    """A number called by `CallNumber` was not picked up, or could not be called.

    `ref` is that of the `CallNumber`. No dialogue begins.
    """

    pbx: str
    ref: str
    why: LegEnd


PhoneEvent: TypeAlias = CodeDialled | DigitsKeyed | PersonLeft | NumberAnswered | NumberFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Play sounds to a channel in order, then read up to `read` digits, or hang up if that is 0.

    `sounds` are names of the PBX's own sounds, such as ``agent-loginok`` and ``digits/1``. Keys
    pressed while they play count. `seconds` is the time to wait for the first digit and between
    digits.
    """

    pbx: str
    channel: str
    sounds: tuple[str, ...]
    read: int = 0
    seconds: float = 7.0
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNumber:
    """Call an outside number (E.164) to verify that it belongs to its owner.

    Exactly one of `NumberAnswered` and `NumberFailed` follows. After an answer, `PersonLeft`
    follows in the end.
    """

    pbx: str
    ref: str
    number: str
    ring_for: float = 40.0
    language: str = ""
