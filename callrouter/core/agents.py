"""Agents: who is available, and how sign-in, pause, wrap-up and devices affect that.

What an agent asked for (`signed_in`, `pause`, `pending_…`) is stored. What is true of the agent
(`state`, `why_not`) is derived from it and never stored as a fact of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core.floor import Floor
from callrouter.core.state import Agent, OfferState
from callrouter.model.agent_status import AgentState, PendingRequest
from callrouter.model.events import DeviceState
from callrouter.model.routing_table import DeviceSpec
from callrouter.model.text import rough_duration

if TYPE_CHECKING:
    pass

# Enum members bound once, because looking them up is slow: see `callrouter.core.state`.
_ON_CALL: Final = AgentState.ON_CALL
_SHOWN_RINGING: Final = AgentState.RINGING
_RESERVED: Final = AgentState.RESERVED
_AVAILABLE: Final = AgentState.AVAILABLE
_OFFLINE: Final = AgentState.OFFLINE
_PAUSED: Final = AgentState.PAUSED
_WRAP_UP: Final = AgentState.WRAP_UP
_RINGING: Final = OfferState.RINGING
_IN_USE: Final = DeviceState.IN_USE
_UNREACHABLE: Final = DeviceState.UNREACHABLE
_IDLE: Final = DeviceState.IDLE
_BUSY: Final = DeviceState.BUSY

CLOSE_WITHIN = 2.0
"""Seconds after which a phone that was told to stop ringing, and did not, is treated as dead."""

OFF_HOOK = frozenset({OfferState.ACCEPTED, OfferState.TALKING})
"""Offer states in which the agent is connected to the caller, or about to be."""


# ---------------------------------------------------------------- what is true


def device_state(floor: Floor, device: DeviceSpec, pbx: str) -> DeviceState:
    """The device's state as seen by one PBX. An outside number always counts as reachable."""
    if device.number:
        return _IDLE
    return floor.device_states.get((pbx, device.endpoint), _UNREACHABLE)


def device_trouble(floor: Floor, device: DeviceSpec, pbx: str, now: float | None = None) -> str:
    """Why a device can't ring through `pbx` now, in words; empty if it can.

    Pass `now` when asking between events: `floor.now` is the time of the last event.
    """
    if not device.enabled:
        return "switched off in the configuration"
    own = (device.agent, device.id)
    agent = floor.agents.get(device.agent)
    if agent is not None and device.id in agent.devices_off:
        by, _ = agent.devices_off[device.id]
        return f"switched off by {by}" if by else "switched off"
    if own in floor.outside_hours:
        return "outside its hours"
    if pbx not in floor.up:
        return f"{pbx} is not connected"
    known = device_state(floor, device, pbx)
    if known is _UNREACHABLE:
        return "not reachable"
    if known is _BUSY:
        return f"takes no calls at present, says {', '.join(device.states)}"
    cooldown = floor.cooldowns.get(own)
    if cooldown is not None:
        streak = agent.failure_streaks.get(device.id) if agent is not None else None
        why = streak.words() if streak is not None else "failed"
        return f"{why}; rung again in {_left(floor, cooldown, now):.0f} s"
    return ""


def device(agent: Agent, name: str) -> DeviceSpec | None:
    """A device of an agent, as the current routing table has it; None if there is no such device."""
    return next((spec for spec in agent.spec.devices if spec.id == name), None)


def switched_off(floor: Floor, device: DeviceSpec) -> bool:
    """Whether the device was switched off at run time, by an agent or supervisor."""
    agent = floor.agents.get(device.agent)
    return agent is not None and device.id in agent.devices_off


def private_call(floor: Floor, agent: Agent) -> DeviceSpec | None:
    """The device on which the agent is in a call that is not ours; None if there is none."""
    for device in agent.spec.devices:
        if device.endpoint:
            for pbx in device.pbxes:
                if floor.device_states.get((pbx, device.endpoint)) is _IN_USE:
                    return device
    return None


def private_words(floor: Floor, device: DeviceSpec, now: float | None = None) -> str:
    """Describes a private call: ``in a private call on desk (PJSIP/1001-…, for 3 h)``."""
    words = f"in a private call on {device.id}"
    found = [
        floor.in_use[pbx, device.endpoint]
        for pbx in device.pbxes
        if (pbx, device.endpoint) in floor.in_use
    ]
    if not found:
        return words
    channel, since = min(found, key=lambda one: one[1])
    lasts = max(0.0, (floor.now if now is None else now) - since)
    return f"{words} ({channel}, for {rough_duration(lasts)})" if channel else words


def open_pbxes(floor: Floor, agent: Agent) -> tuple[str, ...]:
    """The PBXes that can ring at least one device of the agent now."""
    devices = agent.spec.devices
    if len(devices) == 1 and len(devices[0].pbxes) == 1:  # the usual case
        pbx = devices[0].pbxes[0]
        return () if device_trouble(floor, devices[0], pbx) else (pbx,)
    found = {
        pbx: None
        for device in devices
        for pbx in device.pbxes
        if not device_trouble(floor, device, pbx)
    }
    return tuple(found)


def willing(agent: Agent) -> bool:
    """Signed in, not paused, not in wrap-up, with no request pending, and with spare capacity."""
    return (
        len(agent.offers) < agent.spec.capacity
        and agent.signed_in
        and agent.pause is None
        and agent.wrap_until is None
        and agent.pending_pause is None
        and not agent.pending_sign_out
        and not agent.gone
    )


def pending_request(agent: Agent) -> PendingRequest | None:
    """What was requested during a call and takes effect after it. A sign-out ends a pause too."""
    if agent.pending_sign_out:
        return PendingRequest.SIGN_OUT
    return PendingRequest.PAUSE if agent.pending_pause is not None else None


def available_through(floor: Floor, agent: Agent) -> tuple[str, ...]:
    """The PBXes through which the agent is available. Empty unless willing and a device can ring."""
    if not willing(agent) or private_call(floor, agent) is not None:
        return ()
    return open_pbxes(floor, agent)


def look(floor: Floor, agent: Agent) -> tuple[tuple[str, ...], AgentState]:
    """`available_through` and `state` in one pass, since they share most of their work."""
    offers = agent.offers
    if len(offers) >= agent.spec.capacity:
        return (), engagement(agent) or state(floor, agent)
    through = available_through(floor, agent)
    return through, _AVAILABLE if through and not offers else state(floor, agent)


def state(floor: Floor, agent: Agent) -> AgentState:
    """The agent's status, derived from everything known about them."""
    engaged = engagement(agent)
    if engaged is not None:
        return engaged
    if not agent.signed_in:
        return _OFFLINE
    if agent.pause is not None:
        return _PAUSED
    if agent.wrap_until is not None:
        return _WRAP_UP
    if private_call(floor, agent) is not None:
        return _ON_CALL
    if not open_pbxes(floor, agent):
        return _OFFLINE
    if not willing(agent):  # a phone is still being told to stop ringing
        return _RESERVED
    return _AVAILABLE


def engagement(agent: Agent) -> AgentState | None:
    """The status that the agent's offers imply. Offers that are being cancelled imply none (None)."""
    engaged = None
    for offer in agent.offers.values():
        if offer.state in OFF_HOOK:
            return _ON_CALL
        if offer.state is _RINGING and engaged is not _SHOWN_RINGING:
            engaged = _SHOWN_RINGING if offer.rang else _RESERVED
    return engaged


def why_not(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Every reason why the agent is not available, in words; empty if they are."""
    reasons = []
    if not agent.signed_in:
        reasons.append(f"signed out{_by(floor, agent)}")
    if agent.pending_sign_out:
        reasons.append(f"signing out after this call{_asked(agent)}")
    if agent.pause is not None:
        why = f": {agent.pause}" if agent.pause else ""
        reasons.append(f"paused{_by(floor, agent)}{why}")
    if agent.pending_pause is not None:
        reasons.append(f"pausing after this call{_asked(agent)}")
    if agent.wrap_until is not None:
        reasons.append(f"in wrap-up for {_left(floor, agent.wrap_until, now):.0f} s more")
    if len(agent.offers) >= agent.spec.capacity:
        reasons.append("on a call or being rung for one")
    private = private_call(floor, agent)
    if private is not None:
        reasons.append(private_words(floor, private, now))
    if not open_pbxes(floor, agent):
        reasons.extend(device_reasons(floor, agent, now))
    return reasons


def _by(floor: Floor, agent: Agent) -> str:
    """Who put the agent in the present state and when; empty if it was the agent."""
    if agent.changed_by in {"", agent.id} or agent.changed_at is None:
        return ""
    at = datetime.fromtimestamp(agent.changed_at, floor.table.zone)
    return f" by {agent.changed_by} at {at:%H:%M}"


def _asked(agent: Agent) -> str:
    by = agent.pending_by
    return "" if by in {"", agent.id} else f", asked for by {by}"


def device_reasons(floor: Floor, agent: Agent, now: float | None = None) -> list[str]:
    """Why devices can't ring, one line per device and PBX. Devices that can ring are left out."""
    if not agent.spec.devices:
        return ["no device"]
    return [
        f"{device.id} ({pbx}): {trouble}"
        for device in agent.spec.devices
        for pbx in device.pbxes
        if (trouble := device_trouble(floor, device, pbx, now))
    ]


def _left(floor: Floor, until: float, now: float | None) -> float:
    return max(0.0, until - (floor.now if now is None else now))


# ---------------------------------------------------------------- changes


def mark_changed(floor: Floor, agent: Agent) -> None:
    """Something about the agent changed: re-evaluate them before this event is done."""
    floor.changed_agents[agent.id] = agent


def mark_devices_changed(floor: Floor, agent: Agent) -> None:
    """The state of a device changed: re-evaluate the agent and the staffing of their queues."""
    floor.changed_agents[agent.id] = agent
    floor.recount_presence[agent.id] = agent


def count_present(floor: Floor, agent: Agent, was: bool) -> None:
    """Update the queues' counts of present members after a sign-in, pause or their opposites."""
    here = present(agent)
    floor.recount_presence[agent.id] = agent
    if here == was:
        return
    for membership in agent.memberships.values():
        membership.queue.members_present += 1 if here else -1
        if membership.queue.members_present == 0:
            floor.unstaffed_queues[membership.queue.id] = membership.queue
    if not here:
        # Callers who waited for this agent now take any agent.
        for lane in agent.own_lanes.values():
            floor.unmatched_calls |= {call.id: call for *_, call in lane.line}
        return
    # Callers who prefer this agent wait for them again.
    for membership in agent.memberships.values():
        if membership.queue.spec.prefer_for > 0:
            waits = membership.queue.waiting.values()
            floor.unmatched_calls |= {
                call.id: call for call in waits if call.first_agent == agent.id
            }


def present(agent: Agent) -> bool:
    """Worth waiting for: signed in and not paused, whether busy or free."""
    return agent.signed_in and agent.pause is None and not agent.gone
