"""What a code asks for in the state its agent is in, and what is true of them, in sounds. Pure."""

from __future__ import annotations

from callrouter.core.agents import OFF_HOOK
from callrouter.core.state import Agent, Floor
from callrouter.model.events import (
    PauseRequested,
    PersonEvent,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.phoning import Code
from callrouter.reception import sounds


def agent_of(floor: Floor, extension: str) -> Agent | None:
    """Whose extension it is; an empty one is nobody's."""
    if not extension:
        return None
    for spec in floor.table.agents.values():
        if spec.extension == extension:
            return floor.agents.get(spec.id)
    return None


def request(floor: Floor, agent: Agent, code: Code, by: str) -> PersonEvent | None:
    """What a code asks for; None for codes that are about phones. A second time takes it back."""
    match code:
        case Code.SIGN_IN_OUT if agent.signed_in and not agent.pending_sign_out:
            return SignedOut(agent=agent.id, by=by)
        case Code.SIGN_IN_OUT:
            return SignedIn(agent=agent.id, by=by)
        case Code.PAUSE_RESUME if agent.pause is None and agent.pending_pause is None:
            # Where the supervisors have set reasons, the first is that of the phone.
            reason = next(iter(floor.table.pauses), "")
            return PauseRequested(agent=agent.id, reason=reason, by=by)
        case Code.PAUSE_RESUME:
            return Resumed(agent=agent.id, by=by)
        case Code.READY:
            return ReadyPressed(agent=agent.id, by=by)
        case Code.MOBILE_ON_OFF | Code.REGISTER:
            return None


def truth(agent: Agent, code: Code) -> tuple[str, ...]:
    """What is true of the agent now, as far as it concerns what the code is about."""
    if not agent.signed_in:
        return sounds.SIGNED_OUT
    if agent.pending_sign_out:
        return (*sounds.LATER, *sounds.SIGNED_OUT)
    if code is Code.SIGN_IN_OUT:
        return sounds.SIGNED_IN
    if agent.pause is not None:
        return sounds.PAUSED
    if agent.pending_pause is not None:
        return (*sounds.LATER, *sounds.PAUSE)
    if code is Code.PAUSE_RESUME:
        return sounds.NOT_PAUSED
    if any(offer.state in OFF_HOOK for offer in agent.offers.values()):
        return sounds.ON_A_CALL
    return sounds.READY


def refused(agent: Agent) -> tuple[str, ...]:
    """Why a request can't be granted."""
    if not agent.signed_in:
        return (*sounds.REFUSED, *sounds.SIGNED_OUT)
    return sounds.NOT_POSSIBLE
