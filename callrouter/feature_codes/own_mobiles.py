"""An agent's own mobiles, managed by phone: on and off, and registering one."""

from __future__ import annotations

from typing import Final

from callrouter.feature_codes import prompts
from callrouter.feature_codes.calling_number import FEWEST_OUTSIDE
from callrouter.mobiles.mobile_service import MobileService
from callrouter.mobiles.registration_events import (
    RegistrationAnswer,
    RequestRefused,
    VerificationStarted,
)

VIA: Final = "phone"
"""How a request came in, for the audit."""

READ_FIRST: Final = 8.0
"""Seconds before the mobile rings, while its owner is being read the code on another phone."""
HANGS_UP: Final = 20.0
"""The same if the code is read to the very mobile that is to be called."""

_LATER: Final = frozenset({"limit", "busy", "no-pbx"})
_KNOWN: Final = frozenset({"known", "verified", "waiting"})


def toggle(mobiles: MobileService, agent: str) -> tuple[str, ...]:
    """Switch an agent's mobiles off if any is on, else on. Returns the sounds for the result."""
    on = mobiles.switched_on(agent)
    if on is None or isinstance(mobiles.switch(agent, not on, by=agent, via=VIA), RequestRefused):
        return prompts.NOT_POSSIBLE
    return prompts.MOBILE_ON if mobiles.switched_on(agent) else prompts.MOBILE_OFF


def calling_mobile(caller_number: str) -> str:
    """The number that a mobile calls from; empty for an extension or a withheld number."""
    return caller_number if len(caller_number.lstrip("+")) >= FEWEST_OUTSIDE else ""


def registration_prompt(answer: RegistrationAnswer) -> tuple[str, ...]:
    """The sounds for the answer to a registration.

    They read the code twice, digit by digit, if a verification call was started. Otherwise they
    tell why the number was refused.
    """
    if isinstance(answer, VerificationStarted):
        once = (*prompts.CODE_IS, *(f"digits/{digit}" for digit in answer.code))
        return (*once, "silence/1", *once)
    kind = answer.kind if isinstance(answer, RequestRefused) else ""
    if kind in _LATER:
        return prompts.NOT_NOW
    return prompts.IN_USE if kind in _KNOWN else prompts.NO_NUMBER
