"""An agent's own mobiles, at the phone: on and off, and registering one."""

from __future__ import annotations

from typing import Final, Protocol

from callrouter.mobiles.words import Answer, Refused, Started
from callrouter.reception import sounds

VIA: Final = "phone"

READ_FIRST: Final = 8.0
"""Seconds for which the mobile does not ring yet: its owner is being read the code elsewhere."""
HANGS_UP: Final = 20.0
"""The same where the code is read to the very mobile that is to be rung."""

_LEAST_DIGITS: Final = 7
"""Digits of a caller's number that can be that of a mobile, and not of an extension."""

_LATER: Final = frozenset({"limit", "busy", "no-pbx"})
_KNOWN: Final = frozenset({"known", "verified", "waiting"})


class Mobiles(Protocol):
    """Who registers mobiles."""

    def register(
        self,
        agent: str,
        number: str,
        *,
        by: str,
        via: str,
        device: str = "",
        call_after: float = 0.0,
    ) -> Answer:
        """Register a number as keyed in, and call it to prove it; answered at once."""

    def switch(self, agent: str, on: bool, *, by: str, via: str) -> Answer:
        """All mobiles of an agent on or off; true when this returns."""

    def switched_on(self, agent: str) -> bool | None:
        """Whether any mobile of an agent is on; None: there is none."""

    def audit(
        self,
        agent: str,
        *,
        who: str,
        via: str,
        what: str,
        detail: str = "",
        device: str = "",
        number: str = "",
    ) -> None:
        """Keep a step for whoever looks into it."""


def switch(mobiles: Mobiles, agent: str) -> tuple[str, ...]:
    """Switch an agent's mobiles the other way; what is true then, in sounds."""
    on = mobiles.switched_on(agent)
    if on is None or isinstance(mobiles.switch(agent, not on, by=agent, via=VIA), Refused):
        return sounds.NOT_POSSIBLE
    return sounds.MOBILE_ON if mobiles.switched_on(agent) else sounds.MOBILE_OFF


def number_of(caller_number: str) -> str:
    """The number that a mobile calls from, empty where it is none (an extension, withheld)."""
    return caller_number if len(caller_number.lstrip("+")) >= _LEAST_DIGITS else ""


def started(answer: Answer) -> tuple[str, ...]:
    """The code, digit by digit and twice; empty if no call is on its way."""
    if not isinstance(answer, Started):
        return ()
    once = (*sounds.CODE_IS, *(f"digits/{digit}" for digit in answer.code))
    return (*once, "silence/1", *once)


def refused(answer: Answer) -> tuple[str, ...]:
    """Why a number was not taken."""
    kind = answer.kind if isinstance(answer, Refused) else ""
    if kind in _LATER:
        return sounds.NOT_NOW
    return sounds.IN_USE if kind in _KNOWN else sounds.NO_NUMBER
