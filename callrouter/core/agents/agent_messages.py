"""What agents are told: the texts of the messages, and how one is sent."""

from __future__ import annotations

from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.model.device_failures import FailureStreak
from callrouter.model.notices import AgentNotified
from callrouter.model.outcomes import OfferOutcome
from callrouter.model.routing_table import PauseEnd, PauseSpec
from callrouter.model.text import exact_duration


def send_message(floor: Floor, agent: Agent, text: str) -> None:
    """Send the agent a message. It is kept with them for display, and reported.

    Only the last `state.MESSAGES` are kept.
    """
    agent.messages.append((floor.now, text))
    floor.changed_rows[agent.id] = None
    floor.publish(AgentNotified(at=floor.now, agent=agent.id, message=text))


# ---------------------------------------------------------------- what others did


def signed_in(by: str) -> str:
    """Another person signed the agent in."""
    return f"signed in by {by}"


def signed_out(by: str) -> str:
    """Another person signed the agent out."""
    return f"signed out by {by}"


def paused(by: str, reason: str) -> str:
    """Another person paused the agent.

    An empty `reason` is left out.
    """
    return f"paused by {by}" + (f": {reason}" if reason else "")


def resumed(by: str) -> str:
    """Another person ended the agent's pause."""
    return f"brought back from the pause by {by}"


def sign_out_pending(by: str) -> str:
    """Another person asked for a sign-out while the agent is on a call."""
    return f"{by} asked for a sign-out after this call"


def pause_pending(by: str) -> str:
    """Another person asked for a pause while the agent is on a call."""
    return f"{by} asked for a pause after this call"


def device_switched(device: str, *, on: bool, by: str) -> str:
    """Another person switched a device of the agent on or off."""
    return f"{device} switched {'on' if on else 'off'} by {by}"


def private_call_disregarded(device: str, channel: str, by: str) -> str:
    """Another person said that what is on the agent's phone is no call.

    `channel` is the channel that the PBX reported for the phone; empty if it is not known.
    """
    return f"{device} was taken as free by {by}, {channel} or not"


def written(text: str, by: str) -> str:
    """A person wrote to the agent. `by` may be empty: it is not known who."""
    return f"{by}: {text}" if by else text


# ---------------------------------------------------------------- what the router did


def missed(limit: int, *, after_call: bool) -> str:
    """The router pauses the agent after `limit` missed calls in a row, or after the present call.

    With `after_call` the agent is on a call, and the pause waits for its end.
    """
    often = "a call was missed" if limit == 1 else f"{limit} calls in a row were missed"
    later = " after this call" if after_call else ""
    return f"{often}: you are paused{later}; resume when you are back"


def pause_limit(spec: PauseSpec, then: PauseEnd) -> str:
    """A pause reached its limit. `then` is what the router did about it."""
    lasted = f"the pause '{spec.reason}' has lasted {exact_duration(spec.longest or 0.0)}"
    match then:
        case PauseEnd.RESUME:
            return f"{lasted}: you are back, and calls ring again"
        case PauseEnd.SIGN_OUT:
            return f"{lasted}: you were signed out"
        case PauseEnd.TELL:
            return f"{lasted}, the longest it may; resume when you are back"


def cooldown(device: str, streak: FailureStreak, seconds: float) -> str:
    """A device failed so often that it is not rung for minutes.

    `seconds` is the whole cooldown. The text gives it in minutes, rounded.
    """
    return f"{device} {streak.words()}: it is not rung for {seconds / 60:.0f} min"


# ---------------------------------------------------------------- a colleague who was asked


def colleague_absent(colleague: str, outcome: OfferOutcome) -> str:
    """The colleague did not join the conversation.

    `outcome` says how the offer to the colleague ended.
    """
    return f"{colleague} did not come: {outcome.value}"


def colleague_left(colleague: str) -> str:
    """The colleague hung up without taking the caller."""
    return f"{colleague} has hung up"


# ---------------------------------------------------------------- a caller who was passed on


def outside_not_reached(number: str) -> str:
    """The caller whom the agent passed on to a number outside comes back. `number` is masked."""
    return f"{number} was not reached: the caller is back"
