"""What agents are told: the texts of the messages, and how one is sent."""

from __future__ import annotations

from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.model.device_failures import FailureStreak
from callrouter.model.notices import AgentNotified
from callrouter.model.outcomes import NAMES, OfferOutcome
from callrouter.model.routing_table import PauseEnd, PauseSpec
from callrouter.model.text import phrase


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
    return phrase("told-signed-in", "signed in by {by}", by=by)


def signed_out(by: str) -> str:
    """Another person signed the agent out."""
    return phrase("told-signed-out", "signed out by {by}", by=by)


def paused(by: str, reason: str) -> str:
    """Another person paused the agent.

    An empty `reason` is left out.
    """
    if not reason:
        return phrase("told-paused", "paused by {by}", by=by)
    return phrase("told-paused-for", "paused by {by}: {reason}", by=by, reason=reason)


def resumed(by: str) -> str:
    """Another person ended the agent's pause."""
    return phrase("told-resumed", "resumed by {by}", by=by)


def sign_out_pending(by: str) -> str:
    """Another person asked for a sign-out while the agent is on a call."""
    return phrase("told-signing-out", "{by} asked for a sign-out after this call", by=by)


def pause_pending(by: str) -> str:
    """Another person asked for a pause while the agent is on a call."""
    return phrase("told-pausing", "{by} asked for a pause after this call", by=by)


def device_switched(device: str, *, on: bool, by: str) -> str:
    """Another person switched a device of the agent on or off."""
    if on:
        return phrase("told-phone-on", "{device} switched on by {by}", device=device, by=by)
    return phrase("told-phone-off", "{device} switched off by {by}", device=device, by=by)


def private_call_disregarded(device: str, channel: str, by: str) -> str:
    """Another person said that what is on the agent's phone is no call.

    `channel` is the channel that the PBX reported for the phone; empty if it is not known.
    """
    text = "{device} was taken as free by {by}, {channel} or not"
    return phrase("told-taken-as-free", text, device=device, by=by, channel=channel)


def written(text: str, by: str) -> str:
    """A person wrote to the agent. `by` may be empty: it is not known who."""
    return phrase("told-written", "{by}: {text}", by=by, text=text) if by else text


# ---------------------------------------------------------------- what the router did


def missed(limit: int, *, after_call: bool) -> str:
    """The router pauses the agent after `limit` missed calls in a row, or after the present call.

    With `after_call` the agent is on a call, and the pause waits for its end.
    """
    one, many = "a call was missed", "{count} calls in a row were missed"
    often = phrase("told-missed", one, many, count=limit)
    if after_call:
        text = "{often}: you are paused after this call; resume when you are back"
        return phrase("told-missed-and-pausing", text, often=often)
    text = "{often}: you are paused; resume when you are back"
    return phrase("told-missed-and-paused", text, often=often)


def pause_limit(spec: PauseSpec, then: PauseEnd) -> str:
    """A pause reached its limit. `then` is what the router did about it."""
    lasted = phrase(
        "told-pause-lasted",
        "the pause '{reason}' has lasted {longest_exact_s}",
        reason=spec.reason,
        longest_exact_s=spec.longest or 0.0,
    )
    match then:
        case PauseEnd.RESUME:
            text = "{lasted}: you are back, and calls ring again"
            return phrase("told-pause-over", text, lasted=lasted)
        case PauseEnd.SIGN_OUT:
            text = "{lasted}: you were signed out"
            return phrase("told-pause-signed-out", text, lasted=lasted)
        case PauseEnd.TELL:
            text = "{lasted}, the longest it may; resume when you are back"
            return phrase("told-pause-too-long", text, lasted=lasted)


def cooldown(device: str, streak: FailureStreak, seconds: float) -> str:
    """A device failed so often that it is not rung for minutes.

    `seconds` is the whole cooldown. The text gives it in minutes, rounded.
    """
    return phrase(
        "told-cooldown",
        "{device} {failed}: it is not rung for {rest_exact_s}",
        device=device,
        failed=streak.words(),
        rest_exact_s=60.0 * round(seconds / 60),
    )


# ---------------------------------------------------------------- a colleague who was asked


def colleague_absent(colleague: str, outcome: OfferOutcome) -> str:
    """The colleague did not join the conversation.

    `outcome` says how the offer to the colleague ended.
    """
    text = "{colleague} did not come: {why}"
    return phrase("told-colleague-absent", text, colleague=colleague, why=NAMES[outcome])


def colleague_left(colleague: str) -> str:
    """The colleague hung up without taking the caller."""
    return phrase("told-colleague-left", "{colleague} has hung up", colleague=colleague)


# ---------------------------------------------------------------- a caller who was passed on


def outside_not_reached(number: str) -> str:
    """The caller whom the agent passed on to a number outside comes back. `number` is masked."""
    text = "{number} was not reached: the caller is back"
    return phrase("told-outside-not-reached", text, number=number)
