"""Why an agent or a device is not available, in words for people.

`callrouter.core.agents.agent_availability` decides; here it is only said. Pass `now` when asking between events,
as `Floor.now` is the time of the last event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from callrouter.core.agents.agent_availability import (
    DeviceTrouble,
    Unavailable,
    cooling,
    device_trouble,
    private_call,
    unavailable_because,
)
from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.model.routing_table import DeviceSpec
from callrouter.model.text import joined, phrase


def why_not(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Every reason why the agent is not available, in words; empty if they are.

    `now` is in epoch seconds; None means the time of the last event.
    """
    return [
        line
        for reason in unavailable_because(floor, agent)
        for line in reason_lines(floor, agent, reason, now)
    ]


def reason_lines(
    floor: Floor, agent: Agent, reason: Unavailable, now: float | None = None
) -> list[str]:
    """One reason in words. `NO_PHONE` takes a line for each device and PBX.

    `now` is as in `why_not`. For a reason that does not hold, the words are of no use.
    """
    match reason:
        case Unavailable.SIGNED_OUT:
            return [_signed_out(floor, agent)]
        case Unavailable.PAUSED:
            return [_paused(floor, agent)]
        case Unavailable.SIGNING_OUT:
            words = phrase("signing-out", "signing out after this call")
            return [_asked_for(agent, words)]
        case Unavailable.PAUSING:
            return [_asked_for(agent, phrase("pausing", "pausing after this call"))]
        case Unavailable.WRAP_UP:
            left = _left(floor, agent.wrap_until or 0.0, now)
            return [phrase("wrap-up", "in wrap-up for {left_whole_s} more", left_whole_s=left)]
        case Unavailable.ENGAGED:
            return [phrase("engaged", "on a call or being rung for one")]
        case Unavailable.CLEARING:
            return [phrase("clearing", "the phone is still clearing the last call")]
        case Unavailable.PRIVATE_CALL:
            device = private_call(floor, agent)
            return [] if device is None else [private_call_text(floor, device, now)]
        case Unavailable.NO_PHONE:
            return device_lines(floor, agent, now)


def device_lines(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Why devices can't ring, one line per device and PBX. Devices that can ring are left out.

    For an agent without devices there is one line that says so. `now` is as in `why_not`.
    """
    if not agent.spec.devices:
        return [phrase("no-device", "no device")]
    text = "{device} ({pbx}): {trouble}"
    return [
        phrase("device-on-pbx", text, device=device.id, pbx=pbx, trouble=trouble)
        for device in agent.spec.devices
        for pbx in device.pbxes
        if (trouble := trouble_text(floor, device, pbx, now))
    ]


def trouble_text(floor: Floor, device: DeviceSpec, pbx: str, now: float | None = None) -> str:
    """Why a device can't ring through `pbx` now, in words; empty if it can.

    `now` is as in `why_not`; what remains of a cooldown counts from it.
    """
    agent = floor.agents.get(device.agent)
    match device_trouble(floor, device, pbx):
        case None:
            return ""
        case DeviceTrouble.DISABLED:
            return phrase("phone-disabled", "switched off in the configuration")
        case DeviceTrouble.SWITCHED_OFF:
            by, _ = agent.devices_off[device.id] if agent is not None else ("", 0.0)
            if by:
                return phrase("phone-switched-off-by", "switched off by {by}", by=by)
            return phrase("phone-switched-off", "switched off")
        case DeviceTrouble.OUTSIDE_HOURS:
            return phrase("phone-outside-hours", "outside its hours")
        case DeviceTrouble.UNREACHABLE:
            return phrase("phone-unreachable", "not reachable")
        case DeviceTrouble.PBX_AWAY:
            return phrase("pbx-away", "{pbx} is not connected", pbx=pbx)
        case DeviceTrouble.BUSY:
            text = "takes no calls at present, says {states}"
            return phrase("phone-busy", text, states=list(device.states))
        case DeviceTrouble.COOLDOWN:
            name = cooling(floor, device, pbx)
            streak = agent.failure_streaks.get(name) if agent is not None else None
            why = streak.words() if streak is not None else phrase("phone-failed", "failed")
            left = _left(floor, floor.cooldowns[device.agent, name], now)
            text = "{why}; rung again in {left_whole_s}"
            return phrase("phone-cooldown", text, why=why, left_whole_s=left)


def left_out(floor: Floor, agent: Agent, rung: Sequence[DeviceSpec], pbx: str) -> str:
    """The agent's devices that are not rung, each with the reason; empty if all of them are.

    `rung` are the devices that ring through `pbx`.
    """
    if len(rung) == len(agent.spec.devices):
        return ""
    others = [device for device in agent.spec.devices if device not in rung]
    return joined([_not_rung(floor, device, pbx) for device in others])


def _not_rung(floor: Floor, device: DeviceSpec, pbx: str) -> str:
    if pbx not in device.pbxes:
        return phrase("not-a-phone-of", "{device} not a phone of {pbx}", device=device.id, pbx=pbx)
    trouble = trouble_text(floor, device, pbx)
    return phrase("device-trouble", "{device} {trouble}", device=device.id, trouble=trouble)


def private_call_text(floor: Floor, device: DeviceSpec, now: float | None = None) -> str:
    """Describes a private call: ``in a private call on desk (PJSIP/1001-…, for 3 h)``.

    The part in brackets is left out if the channel is not known. Of several calls the oldest is
    named.
    """
    words = phrase("private-call", "in a private call on {device}", device=device.id)
    found = [
        floor.in_use[key]
        for key in ((pbx, device.endpoint_on(pbx)) for pbx in device.pbxes)
        if key in floor.in_use
    ]
    if not found:
        return words
    channel, since = min(found, key=lambda one: one[1])
    if not channel:
        return words
    text, lasts = "{call} ({channel}, for {lasts_s})", (floor.now if now is None else now) - since
    return phrase(
        "private-call-channel", text, call=words, channel=channel, lasts_s=max(0.0, lasts)
    )


def _signed_out(floor: Floor, agent: Agent) -> str:
    found = _by(floor, agent)
    if found is None:
        return phrase("signed-out", "signed out")
    by, at = found
    return phrase("signed-out-by", "signed out by {by} at {at}", by=by, at=at)


def _paused(floor: Floor, agent: Agent) -> str:
    found, reason = _by(floor, agent), agent.pause
    if found is None:
        if not reason:
            return phrase("paused", "paused")
        return phrase("paused-for", "paused: {reason}", reason=reason)
    by, at = found
    if not reason:
        return phrase("paused-by", "paused by {by} at {at}", by=by, at=at)
    text = "paused by {by} at {at}: {reason}"
    return phrase("paused-by-for", text, by=by, at=at, reason=reason)


def _by(floor: Floor, agent: Agent) -> tuple[str, str] | None:
    """Who put the agent in the present state and when; None if it was the agent."""
    if agent.changed_by in {"", agent.id} or agent.changed_at is None:
        return None
    at = datetime.fromtimestamp(agent.changed_at, floor.table.zone)
    return agent.changed_by, f"{at:%H:%M}"


def _asked_for(agent: Agent, words: str) -> str:
    """Add who asked for it, if that was not the agent."""
    by = agent.pending_by
    if by in {"", agent.id}:
        return words
    return phrase("asked-for-by", "{what}, asked for by {by}", what=words, by=by)


def _left(floor: Floor, until: float, now: float | None) -> float:
    return max(0.0, until - (floor.now if now is None else now))
