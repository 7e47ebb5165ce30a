"""What a feature code requests in the agent's present state, and how the result sounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from callrouter.audit.act_log import Act
from callrouter.audit.act_rows import ActOutcome, ActVia
from callrouter.feature_codes import prompts
from callrouter.model.events import (
    AgentRequest,
    PauseRequested,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.ivr import NAMES, Code, PhoneCodes
from callrouter.model.projections import AgentView
from callrouter.model.routing_table import PauseSpec

Pauses: TypeAlias = Mapping[str, PauseSpec]
"""The pause reasons of the routing table, in the order of the configuration."""

MOST_REASONS: Final = 9
"""Number of pause reasons that have a digit."""


def reason_for_digit(pauses: Pauses, digit: str) -> str:
    """The pause reason for a digit, from 1 to 9, by its place in the configuration.

    Returns:
        The reason; empty if so many are not configured.
    """
    reasons = list(pauses)[:MOST_REASONS]
    place = int(digit)
    return reasons[place - 1] if 1 <= place <= len(reasons) else ""


def digit_of_reason(pauses: Pauses, agent: AgentView) -> int:
    """The digit of the reason for the agent's present or pending pause.

    Returns:
        1 to `MOST_REASONS`; 0 if the agent is not paused or the reason has no digit.
    """
    reason = agent.pause if agent.pause is not None else agent.pending_pause
    reasons = list(pauses)[:MOST_REASONS]
    return reasons.index(reason) + 1 if reason in reasons else 0


def requested_by(
    pauses: Pauses, agent: AgentView, code: Code, by: str, digit: str = ""
) -> AgentRequest | None:
    """The request that a code stands for in the agent's present state.

    Dialling a code again reverses it. With a `digit` the request is a pause for that reason in any
    state, so a paused agent stays paused.

    Args:
        pauses: the pause reasons.
        agent: the agent as they are now.
        code: the code.
        by: who makes the request, for the records.
        digit: the digit after a pause code, of a reason that exists; empty if there was none.

    Returns:
        The request; None for codes about phones, which are not requests to the core.
    """
    if code is Code.PAUSE_RESUME and digit:
        return PauseRequested(agent=agent.id, reason=reason_for_digit(pauses, digit), by=by)
    match code:
        case Code.SIGN_IN_OUT if agent.signed_in and not agent.pending_sign_out:
            return SignedOut(agent=agent.id, by=by)
        case Code.SIGN_IN_OUT:
            return SignedIn(agent=agent.id, by=by)
        case Code.PAUSE_RESUME if agent.pause is None and agent.pending_pause is None:
            return PauseRequested(agent=agent.id, reason=_usual_reason(pauses), by=by)
        case Code.PAUSE_RESUME:
            return Resumed(agent=agent.id, by=by)
        case Code.READY:
            return ReadyPressed(agent=agent.id, by=by)
        case Code.MOBILE_ON_OFF | Code.REGISTER:
            return None


def _usual_reason(pauses: Pauses) -> str:
    """The pause reason of a code without a digit: the default one, or else the first."""
    default = (spec.reason for spec in pauses.values() if spec.default)
    return next(default, next(iter(pauses), ""))


def state_prompt(agent: AgentView, code: Code, reason: int = 0) -> tuple[str, ...]:
    """The sounds that tell the agent's present state, as far as the code is about it.

    Args:
        agent: the agent as they are now.
        code: the code that was dialled.
        reason: the digit of the pause reason, which is spoken after the pause; 0 if it has none.
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
    if agent.off_hook:
        return prompts.ON_A_CALL
    return prompts.READY


def refusal_prompt(agent: AgentView) -> tuple[str, ...]:
    """The sounds that tell why a request is refused."""
    if not agent.signed_in:
        return (*prompts.REFUSED, *prompts.SIGNED_OUT)
    return prompts.NOT_POSSIBLE


_ACTS: Final[Mapping[type[AgentRequest], str]] = {
    SignedIn: "agents.sign-in",
    SignedOut: "agents.sign-out",
    PauseRequested: "agents.pause",
    Resumed: "agents.resume",
    ReadyPressed: "agents.ready",
}
"""The same words as for requests over HTTP."""


def dialled(codes: PhoneCodes, code: Code, digit: str = "") -> str:
    """What an agent dialled, for people who read the log or the audit: ``*66``, ``*661``.

    Where `codes` leaves the code out, a number of the site led to its name, which is returned then.
    """
    digits = codes.named(code)
    return digits + digit if digits else "-".join(filter(None, (NAMES[code], digit)))


def act_of(request: AgentRequest, code: str, by: str, *, refused: bool) -> Act:
    """What the audit says about a request by phone.

    Args:
        request: the request.
        code: the code that was dialled, as people read it.
        by: the phone, and how the agent was identified.
        refused: whether the core refuses it.
    """
    values = {"code": code}
    if isinstance(request, PauseRequested):
        values["reason"] = request.reason
    return Act(
        who=request.agent,
        role="agent",
        via=ActVia.PHONE,
        source=by,
        act=_ACTS.get(type(request), code),
        agent=request.agent,
        values=values,
        outcome=ActOutcome.REFUSED if refused else ActOutcome.DONE,
        kind="refused" if refused else "",
    )
