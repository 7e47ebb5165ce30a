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
from callrouter.model.text import rough_duration


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
            return [f"signed out{_by(floor, agent)}"]
        case Unavailable.PAUSED:
            why = f": {agent.pause}" if agent.pause else ""
            return [f"paused{_by(floor, agent)}{why}"]
        case Unavailable.SIGNING_OUT | Unavailable.PAUSING:
            return [f"{reason.value}{_asked(agent)}"]
        case Unavailable.WRAP_UP:
            until = agent.wrap_until or 0.0
            return [f"in wrap-up for {_left(floor, until, now):.0f} s more"]
        case Unavailable.ENGAGED | Unavailable.CLEARING:
            return [reason.value]
        case Unavailable.PRIVATE_CALL:
            device = private_call(floor, agent)
            return [private_call_text(floor, device, now)] if device is not None else []
        case Unavailable.NO_PHONE:
            return device_lines(floor, agent, now)


def device_lines(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Why devices can't ring, one line per device and PBX. Devices that can ring are left out.

    For an agent without devices there is one line that says so. `now` is as in `why_not`.
    """
    if not agent.spec.devices:
        return ["no device"]
    return [
        f"{device.id} ({pbx}): {trouble}"
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
            return "switched off in the configuration"
        case DeviceTrouble.SWITCHED_OFF:
            by, _ = agent.devices_off[device.id] if agent is not None else ("", 0.0)
            return f"switched off by {by}" if by else "switched off"
        case DeviceTrouble.OUTSIDE_HOURS:
            return "outside its hours"
        case DeviceTrouble.UNREACHABLE:
            return "not reachable"
        case DeviceTrouble.PBX_AWAY:
            return f"{pbx} is not connected"
        case DeviceTrouble.BUSY:
            return f"takes no calls at present, says {', '.join(device.states)}"
        case DeviceTrouble.COOLDOWN:
            name = cooling(floor, device, pbx)
            streak = agent.failure_streaks.get(name) if agent is not None else None
            why = streak.words() if streak is not None else "failed"
            until = floor.cooldowns[device.agent, name]
            return f"{why}; rung again in {_left(floor, until, now):.0f} s"


def left_out(floor: Floor, agent: Agent, rung: Sequence[DeviceSpec], pbx: str) -> str:
    """The agent's devices that are not rung, each with the reason; empty if all of them are.

    `rung` are the devices that ring through `pbx`.
    """
    if len(rung) == len(agent.spec.devices):
        return ""
    others = [device for device in agent.spec.devices if device not in rung]
    troubles = (
        f"{device.id} {trouble_text(floor, device, pbx)}"
        if pbx in device.pbxes
        else f"{device.id} not a phone of {pbx}"
        for device in others
    )
    return "; ".join(troubles)


def private_call_text(floor: Floor, device: DeviceSpec, now: float | None = None) -> str:
    """Describes a private call: ``in a private call on desk (PJSIP/1001-…, for 3 h)``.

    The part in brackets is left out if the channel is not known. Of several calls the oldest is
    named.
    """
    words = f"in a private call on {device.id}"
    found = [
        floor.in_use[key]
        for key in ((pbx, device.endpoint_on(pbx)) for pbx in device.pbxes)
        if key in floor.in_use
    ]
    if not found:
        return words
    channel, since = min(found, key=lambda one: one[1])
    lasts = max(0.0, (floor.now if now is None else now) - since)
    return f"{words} ({channel}, for {rough_duration(lasts)})" if channel else words


def _by(floor: Floor, agent: Agent) -> str:
    """Who put the agent in the present state and when; empty if it was the agent."""
    if agent.changed_by in {"", agent.id} or agent.changed_at is None:
        return ""
    at = datetime.fromtimestamp(agent.changed_at, floor.table.zone)
    return f" by {agent.changed_by} at {at:%H:%M}"


def _asked(agent: Agent) -> str:
    by = agent.pending_by
    return "" if by in {"", agent.id} else f", asked for by {by}"


def _left(floor: Floor, until: float, now: float | None) -> float:
    return max(0.0, until - (floor.now if now is None else now))
