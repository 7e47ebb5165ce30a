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
from callrouter.model.text import Phrase, rough_duration


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
            by = _by(floor, agent)
            return [Phrase(f"signed out{_by_words(by)}", "signed-out", **by)]
        case Unavailable.PAUSED:
            why = f": {agent.pause}" if agent.pause else ""
            by = _by(floor, agent)
            given = {"reason": agent.pause} if agent.pause else {}
            return [Phrase(f"paused{_by_words(by)}{why}", "paused", **by, **given)]
        case Unavailable.SIGNING_OUT | Unavailable.PAUSING:
            code = "signing-out" if reason is Unavailable.SIGNING_OUT else "pausing"
            return [Phrase(f"{reason.value}{_asked(agent)}", code, **_asked_by(agent))]
        case Unavailable.WRAP_UP:
            until = agent.wrap_until or 0.0
            left = _left(floor, until, now)
            return [Phrase(f"in wrap-up for {left:.0f} s more", "wrap-up", left_s=round(left))]
        case Unavailable.ENGAGED | Unavailable.CLEARING:
            code = "engaged" if reason is Unavailable.ENGAGED else "clearing"
            return [Phrase(reason.value, code)]
        case Unavailable.PRIVATE_CALL:
            device = private_call(floor, agent)
            if device is None:
                return []
            return [Phrase(private_call_text(floor, device, now), "private-call", device=device.id)]
        case Unavailable.NO_PHONE:
            return device_lines(floor, agent, now)


def device_lines(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Why devices can't ring, one line per device and PBX. Devices that can ring are left out.

    For an agent without devices there is one line that says so. `now` is as in `why_not`.
    """
    if not agent.spec.devices:
        return [Phrase("no device", "no-device")]
    return [
        _device_line(floor, device, pbx, trouble, now)
        for device in agent.spec.devices
        for pbx in device.pbxes
        if (trouble := trouble_text(floor, device, pbx, now))
    ]


def _device_line(
    floor: Floor, device: DeviceSpec, pbx: str, trouble: str, now: float | None
) -> str:
    """One device that can't ring, with the code of its trouble."""
    values: dict[str, str | float] = {"device": device.id, "pbx": pbx}
    found = device_trouble(floor, device, pbx)
    agent = floor.agents.get(device.agent)
    if found is DeviceTrouble.SWITCHED_OFF and agent is not None:
        by, _ = agent.devices_off[device.id]
        values |= {"by": by} if by else {}
    elif found is DeviceTrouble.COOLDOWN:
        until = floor.cooldowns[device.agent, cooling(floor, device, pbx)]
        values["left_s"] = round(_left(floor, until, now))
    code = f"device-{found.name.lower().replace('_', '-')}" if found is not None else ""
    return Phrase(f"{device.id} ({pbx}): {trouble}", code, **values)


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


def _by(floor: Floor, agent: Agent) -> dict[str, str]:
    """Who put the agent in the present state and when; empty if it was the agent."""
    if agent.changed_by in {"", agent.id} or agent.changed_at is None:
        return {}
    at = datetime.fromtimestamp(agent.changed_at, floor.table.zone)
    return {"by": agent.changed_by, "at": f"{at:%H:%M}"}


def _by_words(by: dict[str, str]) -> str:
    return f" by {by['by']} at {by['at']}" if by else ""


def _asked_by(agent: Agent) -> dict[str, str]:
    by = agent.pending_by
    return {} if by in {"", agent.id} else {"by": by}


def _asked(agent: Agent) -> str:
    by = _asked_by(agent)
    return f", asked for by {by['by']}" if by else ""


def _left(floor: Floor, until: float, now: float | None) -> float:
    return max(0.0, until - (floor.now if now is None else now))
