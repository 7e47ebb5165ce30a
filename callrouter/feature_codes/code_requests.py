"""What a feature code requests in the agent's present state, and how the result sounds. Pure."""

from __future__ import annotations

from typing import Final

from callrouter.core.agents import OFF_HOOK
from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.feature_codes import prompts
from callrouter.model.events import (
    AgentRequest,
    PauseRequested,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.ivr import Code


def agent_with_extension(floor: Floor, extension: str) -> Agent | None:
    """The agent with this extension; None if it is empty or unknown."""
    if not extension:
        return None
    for spec in floor.table.agents.values():
        if spec.extension == extension:
            return floor.agents.get(spec.id)
    return None


MOST_REASONS: Final = 9
"""Number of pause reasons that have a digit."""


def reason_for_digit(floor: Floor, digit: str) -> str:
    """The pause reason for a digit, by its place in the configuration; empty if there is none."""
    reasons = list(floor.table.pauses)[:MOST_REASONS]
    place = int(digit)
    return reasons[place - 1] if 1 <= place <= len(reasons) else ""


def digit_of_reason(floor: Floor, agent: Agent) -> int:
    """The digit of the reason for the agent's present or pending pause; 0 if it has none."""
    reason = agent.pause if agent.pause is not None else agent.pending_pause
    reasons = list(floor.table.pauses)[:MOST_REASONS]
    return reasons.index(reason) + 1 if reason in reasons else 0


def requested_by(
    floor: Floor, agent: Agent, code: Code, by: str, digit: str = ""
) -> AgentRequest | None:
    """The request that a code stands for; None for codes about phones.

    Dialling a code again reverses it. With a `digit` the request is a pause for that reason in any
    state, so a paused agent stays paused.
    """
    if code is Code.PAUSE_RESUME and digit:
        return PauseRequested(agent=agent.id, reason=reason_for_digit(floor, digit), by=by)
    match code:
        case Code.SIGN_IN_OUT if agent.signed_in and not agent.pending_sign_out:
            return SignedOut(agent=agent.id, by=by)
        case Code.SIGN_IN_OUT:
            return SignedIn(agent=agent.id, by=by)
        case Code.PAUSE_RESUME if agent.pause is None and agent.pending_pause is None:
            return PauseRequested(agent=agent.id, reason=_usual_reason(floor), by=by)
        case Code.PAUSE_RESUME:
            return Resumed(agent=agent.id, by=by)
        case Code.READY:
            return ReadyPressed(agent=agent.id, by=by)
        case Code.MOBILE_ON_OFF | Code.REGISTER:
            return None


def _usual_reason(floor: Floor) -> str:
    """The pause reason of a code without a digit: the default one, or else the first."""
    reasons = floor.table.pauses
    default = (spec.reason for spec in reasons.values() if spec.default)
    return next(default, next(iter(reasons), ""))


def state_prompt(agent: Agent, code: Code, reason: int = 0) -> tuple[str, ...]:
    """The sounds that tell the agent's present state, as far as the code is about it.

    `reason` is the digit of the pause reason, which is spoken after it; 0: none.
    """
    which = (f"digits/{reason}",) if reason else ()
    if not agent.signed_in:
        return prompts.SIGNED_OUT
    if agent.pending_sign_out:
        return (*prompts.LATER, *prompts.SIGNED_OUT)
    if code is Code.SIGN_IN_OUT:
        return prompts.SIGNED_IN
    if agent.pause is not None:
        return (*prompts.PAUSED, *which)
    if agent.pending_pause is not None:
        return (*prompts.LATER, *prompts.PAUSE, *which)
    if code is Code.PAUSE_RESUME:
        return prompts.NOT_PAUSED
    if any(offer.state in OFF_HOOK for offer in agent.offers.values()):
        return prompts.ON_A_CALL
    return prompts.READY


def refusal_prompt(agent: Agent) -> tuple[str, ...]:
    """The sounds that tell why a request is refused."""
    if not agent.signed_in:
        return (*prompts.REFUSED, *prompts.SIGNED_OUT)
    return prompts.NOT_POSSIBLE
