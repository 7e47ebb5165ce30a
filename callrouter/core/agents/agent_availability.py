"""What an agent is doing, and through which PBXes they can be offered a call.

What an agent asked for (`signed_in`, `pause`, `pending_…`) is stored with them. What is true of them
is derived here from that, their devices and their offers. API, explanations, matching and the
agents' own requests all go by `status_of` and `available_through`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from callrouter.core.agents import shared_phones
from callrouter.core.floor import Floor
from callrouter.core.state import OFFER_ACCEPTED, OFFER_RINGING, OFFER_TALKING, Agent
from callrouter.model.agent_status import (
    AGENT_AVAILABLE,
    AGENT_ON_CALL,
    AGENT_RESERVED,
    AGENT_RINGING,
    AGENT_WRAP_UP,
    AgentStatus,
    PendingRequest,
)
from callrouter.model.events import DEVICE_BUSY, DEVICE_IN_USE, DEVICE_UNREACHABLE, DeviceState
from callrouter.model.routing_table import DeviceSpec

OFF_HOOK: Final = frozenset({OFFER_ACCEPTED, OFFER_TALKING})
"""Offer states in which the agent is connected to the caller, or about to be."""


# ---------------------------------------------------------------- devices


class DeviceTrouble(Enum):
    """Why a device can't ring now. `callrouter.core.agents.unavailability_text` has the words."""

    DISABLED = "disabled"
    """Switched off in the configuration."""
    SWITCHED_OFF = "switched off"
    """Switched off at run time, by an agent or supervisor."""
    OUTSIDE_HOURS = "outside its hours"
    PBX_AWAY = "PBX not connected"
    UNREACHABLE = "not reachable"
    BUSY = "takes no calls"
    """A state configured for the phone says that it takes no calls, such as do-not-disturb."""
    COOLDOWN = "cooldown"
    """It failed, and is not rung again for a while."""


def device_of(agent: Agent, name: str) -> DeviceSpec | None:
    """A device of an agent, as the current routing table has it; None if there is no such device."""
    return next((spec for spec in agent.spec.devices if spec.id == name), None)


def switched_off(floor: Floor, device: DeviceSpec) -> bool:
    """Whether the device was switched off at run time, by an agent or supervisor.

    The setting `enabled` of the configuration is not looked at. False if the agent is not known.
    """
    agent = floor.agents.get(device.agent)
    return agent is not None and device.id in agent.devices_off


def device_state(floor: Floor, device: DeviceSpec, pbx: str) -> DeviceState:
    """The device's state as seen by one PBX. An outside number always counts as reachable.

    A phone of which the PBX has reported nothing counts as unreachable.
    """
    if device.number:
        return DeviceState.IDLE
    if device.addresses:
        return shared_phones.state_through(floor, device, pbx)
    return floor.device_states.get((pbx, device.endpoint), DEVICE_UNREACHABLE)


def device_trouble(floor: Floor, device: DeviceSpec, pbx: str) -> DeviceTrouble | None:
    """Why a device can't ring through `pbx` now; None if it can.

    Of several reasons the first in the order of `DeviceTrouble` is given: what people have decided
    comes before what the PBX reports. A phone that is `IN_USE` can ring: a private call makes the
    agent unavailable, not the device.
    """
    if not device.enabled:
        return DeviceTrouble.DISABLED
    own = (device.agent, device.id)
    agent = floor.agents.get(device.agent)
    if agent is not None and device.id in agent.devices_off:
        return DeviceTrouble.SWITCHED_OFF
    if own in floor.outside_hours:
        return DeviceTrouble.OUTSIDE_HOURS
    if pbx not in floor.up:
        return DeviceTrouble.PBX_AWAY
    known = device_state(floor, device, pbx)
    if known is DEVICE_UNREACHABLE:
        return DeviceTrouble.UNREACHABLE
    if known is DEVICE_BUSY:
        return DeviceTrouble.BUSY
    if own in floor.cooldowns or (device.addresses and cooling(floor, device, pbx)):
        return DeviceTrouble.COOLDOWN
    return None


def cooling(floor: Floor, device: DeviceSpec, pbx: str) -> str:
    """What is in cooldown: the device, or the way to it through `pbx`; empty if neither is.

    The name is that in `Agent.failure_streaks` and, with the agent's, in `Floor.cooldowns`.
    """
    if (device.agent, device.id) in floor.cooldowns:
        return device.id
    if device.addresses:
        way = shared_phones.way(device, pbx)
        if (device.agent, way) in floor.cooldowns:
            return way
    return ""


def private_call(floor: Floor, agent: Agent) -> DeviceSpec | None:
    """The device on which the agent is in a call that is not ours; None if there is none.

    The first such device in the order of the configuration. While the link to a PBX is down, its
    last report counts. An outside number is never seen in a call.
    """
    for device in agent.spec.devices:
        if device.addresses:
            if shared_phones.in_private_call(floor, agent, device):
                return device
        elif device.endpoint:
            for pbx in device.pbxes:
                if floor.device_states.get((pbx, device.endpoint)) is DEVICE_IN_USE:
                    return device
    return None


def open_pbxes(floor: Floor, agent: Agent) -> tuple[str, ...]:
    """The PBXes that can ring at least one device of the agent now, in the order of the devices.

    Empty if there are none. A private call is no obstacle here; `available_through` looks at it.
    """
    devices = agent.spec.devices
    if len(devices) == 1 and len(devices[0].pbxes) == 1:  # the usual case
        pbx = devices[0].pbxes[0]
        return () if device_trouble(floor, devices[0], pbx) is not None else (pbx,)
    found = {
        pbx: None
        for device in devices
        for pbx in device.pbxes
        if device_trouble(floor, device, pbx) is None
    }
    return tuple(found)


# ---------------------------------------------------------------- the agent


def willing(agent: Agent) -> bool:
    """Signed in, not paused, not in wrap-up, with no request pending, and with spare capacity.

    Their devices are not looked at. An offer that is closing still takes capacity.
    """
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
    """What was requested during a call and takes effect after it. A sign-out ends a pause too.

    None if nothing is pending.
    """
    if agent.pending_sign_out:
        return PendingRequest.SIGN_OUT
    return PendingRequest.PAUSE if agent.pending_pause is not None else None


def off_hook(agent: Agent) -> bool:
    """Whether the agent is connected to a caller of ours, or about to be.

    A phone that rings, or that was picked up and asks for key 1, does not count.
    """
    return any(offer.state in OFF_HOOK for offer in agent.offers.values())


def available_through(floor: Floor, agent: Agent) -> tuple[str, ...]:
    """The PBXes through which the agent is available. Empty unless willing and a device can ring.

    A private call on any device closes all of them. The order is that of the devices.
    """
    if not willing(agent) or private_call(floor, agent) is not None:
        return ()
    if floor.clearing and shared_phones.clears(floor, agent):
        return ()
    return open_pbxes(floor, agent)


def status_of(floor: Floor, agent: Agent) -> AgentStatus:
    """What the agent is doing.

    Their offers come first, then what they asked for, then their devices. An agent who may have
    several calls at a time is `ON_CALL` with the first of them, and may still be available: that is
    what `available_through` says.
    """
    engaged = _engagement(agent)
    if engaged is not None:
        return engaged
    if not agent.signed_in:
        return AgentStatus.SIGNED_OUT
    if agent.pause is not None:
        return AgentStatus.PAUSED
    if agent.wrap_until is not None:
        return AGENT_WRAP_UP
    if private_call(floor, agent) is not None:
        return AgentStatus.PRIVATE_CALL
    if floor.clearing and shared_phones.clears(floor, agent):
        return AgentStatus.CLOSING
    if not open_pbxes(floor, agent):
        return AgentStatus.NO_PHONE
    return AGENT_AVAILABLE if willing(agent) else AgentStatus.CLOSING


def _engagement(agent: Agent) -> AgentStatus | None:
    """The status that the agent's offers imply. Offers that are being stopped imply none (None)."""
    engaged = None
    for offer in agent.offers.values():
        if offer.state in OFF_HOOK:
            return AGENT_ON_CALL
        if offer.state is OFFER_RINGING and engaged is not AGENT_RINGING:
            engaged = AGENT_RINGING if offer.rang else AGENT_RESERVED
    return engaged


def evaluate(floor: Floor, agent: Agent) -> tuple[tuple[str, ...], AgentStatus]:
    """`available_through` and `status_of` in one pass, since they share most of their work."""
    offers = agent.offers
    if len(offers) >= agent.spec.capacity:
        return (), _engagement(agent) or status_of(floor, agent)
    through = available_through(floor, agent)
    return through, AGENT_AVAILABLE if through and not offers else status_of(floor, agent)


# ---------------------------------------------------------------- why not


class Unavailable(Enum):
    """One of the reasons why an agent is not available. Several may hold at a time."""

    SIGNED_OUT = "signed out"
    SIGNING_OUT = "signing out after this call"
    PAUSED = "paused"
    PAUSING = "pausing after this call"
    WRAP_UP = "in wrap-up"
    ENGAGED = "on a call or being rung for one"
    """They have as many calls and offers as they take at a time."""
    PRIVATE_CALL = "in a private call"
    CLEARING = "the phone is still clearing the last call"
    NO_PHONE = "no phone can ring"


def unavailable_because(floor: Floor, agent: Agent) -> list[Unavailable]:
    """Every reason why the agent is not available; empty if they are.

    They come in the order of `Unavailable`.
    """
    reasons = {
        Unavailable.SIGNED_OUT: not agent.signed_in,
        Unavailable.SIGNING_OUT: agent.pending_sign_out,
        Unavailable.PAUSED: agent.pause is not None,
        Unavailable.PAUSING: agent.pending_pause is not None,
        Unavailable.WRAP_UP: agent.wrap_until is not None,
        Unavailable.ENGAGED: len(agent.offers) >= agent.spec.capacity,
        Unavailable.PRIVATE_CALL: private_call(floor, agent) is not None,
        Unavailable.CLEARING: shared_phones.clears(floor, agent),
        Unavailable.NO_PHONE: not open_pbxes(floor, agent),
    }
    return [reason for reason, holds in reasons.items() if holds]
