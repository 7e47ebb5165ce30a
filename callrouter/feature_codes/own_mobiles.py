"""An agent's own mobiles, managed by phone: on and off, and registering one."""

from __future__ import annotations

from typing import Final, Protocol

from callrouter.feature_codes import prompts
from callrouter.mobiles.registration_events import (
    RegistrationAnswer,
    RequestRefused,
    VerificationStarted,
)

VIA: Final = "phone"

READ_FIRST: Final = 8.0
"""Seconds before the mobile rings, while its owner is being read the code on another phone."""
HANGS_UP: Final = 20.0
"""The same if the code is read to the very mobile that is to be called."""

_LEAST_DIGITS: Final = 7
"""Fewest digits of a caller's number that can be a mobile and not an extension."""

_LATER: Final = frozenset({"limit", "busy", "no-pbx"})
_KNOWN: Final = frozenset({"known", "verified", "waiting"})


class Mobiles(Protocol):
    """The interface of the mobile registration service."""

    def register(
        self,
        agent: str,
        number: str,
        *,
        by: str,
        via: str,
        device: str = "",
        call_after: float = 0.0,
    ) -> RegistrationAnswer:
        """Register a number as keyed in, and call it to verify it. Answers at once."""

    def switch(self, agent: str, on: bool, *, by: str, via: str) -> RegistrationAnswer:
        """Switch all mobiles of an agent on or off. Done when this returns."""

    def switched_on(self, agent: str) -> bool | None:
        """Whether any mobile of an agent is on; None if there is none."""

    def add_audit_row(
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
        """Write an audit row."""


def switch(mobiles: Mobiles, agent: str) -> tuple[str, ...]:
    """Toggle an agent's mobiles. Returns the sounds that tell the result."""
    on = mobiles.switched_on(agent)
    if on is None or isinstance(mobiles.switch(agent, not on, by=agent, via=VIA), RequestRefused):
        return prompts.NOT_POSSIBLE
    return prompts.MOBILE_ON if mobiles.switched_on(agent) else prompts.MOBILE_OFF


def number_of(caller_number: str) -> str:
    """The number a mobile calls from; empty for an extension or a withheld number."""
    return caller_number if len(caller_number.lstrip("+")) >= _LEAST_DIGITS else ""


def started(answer: RegistrationAnswer) -> tuple[str, ...]:
    """The sounds that read the code twice, digit by digit; empty if no call was started."""
    if not isinstance(answer, VerificationStarted):
        return ()
    once = (*prompts.CODE_IS, *(f"digits/{digit}" for digit in answer.code))
    return (*once, "silence/1", *once)


def refused(answer: RegistrationAnswer) -> tuple[str, ...]:
    """The sounds that tell why a number was refused."""
    kind = answer.kind if isinstance(answer, RequestRefused) else ""
    if kind in _LATER:
        return prompts.NOT_NOW
    return prompts.IN_USE if kind in _KNOWN else prompts.NO_NUMBER
