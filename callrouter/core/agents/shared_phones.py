"""Phones that several PBXes can ring, each at an address of its own.

Such a phone is one phone with one state, whichever PBX rings it. Who says what of it:

- Its *home*, the PBX where it is registered, knows whether it is there, whether it takes calls, and
  whether it is in use. While a home is in step, that holds on every PBX.
- Another PBX knows whether the trunk to the home works. While no home is in step, because only our link to it
  is down, that is all there is to go by, so the phone may be rung: a trunk that does not get there fails
  within seconds, and is then left alone for longer each time. A home that is known not to run rings no phone.
- A leg through another PBX reaches the phone as a call of its home's own, which the home reports as a
  foreign channel. While such a leg rings or talks, that report is no private call. Once the leg is
  over, the report may last for a moment: the phone is *clearing*, and is not rung until it is free.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from callrouter.core.floor import Floor
from callrouter.core.state import LEG_ENDED, LEG_PLANNED, Agent, Leg, Offer
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import DEVICE_BUSY, DEVICE_IN_USE, DEVICE_UNREACHABLE, DeviceState
from callrouter.model.routing_table import DeviceSpec

CLEARS_WITHIN: Final = 2.0
"""Seconds after a leg during which its phone, still in use at its home, counts as clearing.

After that, the phone is in a private call.
"""

SEEN_WITHIN: Final = 0.3
"""Seconds after a leg was stopped whose phone its home has not seen in use, during which that may be on its way.

The INVITE and its CANCEL pass the home one after the other, and another PBX might ring the phone in between.
"""

LAST_REPORT_COUNTS: Final = 60.0
"""Seconds for which a phone counts as in use after the link to the home that said so was lost.

Only for a phone that another PBX can ring. An interruption is usually over by then, and a busy agent
is not rung during it. After that, the agent is not kept from calls by a report that no event can
correct.
"""

UNSEEN_FOR: Final = 2.0
"""Seconds after an answer during which the home of a phone may still say that the phone is in use."""

_OF_THE_WAY: Final = frozenset(
    {DeviceFailure.NOT_REACHED, DeviceFailure.SILENT, DeviceFailure.DEAD}
)
"""Failures that may lie on the way to the phone. The others are what the phone or its user did."""


def state_through(floor: Floor, device: DeviceSpec, pbx: str) -> DeviceState:
    """The state of a phone, as it matters to a PBX that can ring it. See the module."""
    here = floor.device_states.get((pbx, device.addresses[pbx]), DEVICE_UNREACHABLE)
    if here is DEVICE_UNREACHABLE:
        return here
    at_homes = _at_homes(floor, device)
    if DEVICE_BUSY in at_homes:
        return DEVICE_BUSY
    if pbx in device.homes:
        return here
    if not at_homes:
        return DEVICE_UNREACHABLE if _homes_stopped(floor, device) else here
    return (
        here if any(state is not DEVICE_UNREACHABLE for state in at_homes) else DEVICE_UNREACHABLE
    )


def in_private_call(floor: Floor, agent: Agent, device: DeviceSpec) -> bool:
    """Whether a phone is in a call that is not ours, as any of its PBXes reports."""
    return any(
        floor.device_states.get(key) is DEVICE_IN_USE
        and key not in floor.clearing
        and not _rings_from_elsewhere(agent, device, key[0])
        for key in device.addresses.items()
    )


def clears(floor: Floor, agent: Agent) -> bool:
    """Whether a phone of the agent is still clearing the last call of ours."""
    return any(
        key in floor.clearing for device in agent.spec.devices for key in device.addresses.items()
    )


def _rings_from_elsewhere(agent: Agent, device: DeviceSpec, pbx: str) -> bool:
    """Whether another PBX rings the phone for the agent, or connects them on it."""
    for offer in agent.offers.values():
        leg = offer.legs.get(device.id)
        if leg is not None and leg.pbx != pbx and leg.state not in {LEG_PLANNED, LEG_ENDED}:
            return True
    return False


def leg_over(floor: Floor, offer: Offer) -> None:
    """An offer is over: those of its phones that their homes still see in use are clearing.

    So are those that their homes have not seen yet, for a moment.
    """
    for leg in offer.legs.values():
        floor.timers.left.cancel((offer.id, leg.device.id))
        for key in leg.device.addresses.items():
            if key[0] != leg.pbx and floor.device_states.get(key) is DEVICE_IN_USE:
                _clears(floor, key, CLEARS_WITHIN)
            elif leg.stopping and _is_unseen_at(floor, leg, key[0]):
                _clears(floor, key, SEEN_WITHIN)


def _is_unseen_at(floor: Floor, leg: Leg, pbx: str) -> bool:
    """Whether a PBX in step is a home of a leg's phone that another PBX has rung."""
    homes = leg.device.homes
    return pbx in homes and leg.pbx not in homes and pbx in floor.up


def _clears(floor: Floor, key: tuple[str, str], within: float) -> None:
    floor.clearing[key] = None
    floor.timers.clearing.set(key, floor.clock_now + within)
    for agent in floor.owners.get(key, ()):
        floor.mark_changed(agent)


def seen_clearing(floor: Floor, key: tuple[str, str]) -> None:
    """A phone is in use that is clearing: so its home has only seen by now what is to clear."""
    if key in floor.clearing:
        _clears(floor, key, CLEARS_WITHIN)


def cleared(floor: Floor, key: tuple[str, str]) -> None:
    """A phone is free again, or has been clearing for too long to be believed.

    `key` is a PBX, and the phone's endpoint there. Nothing happens if it is not clearing.
    """
    if key in floor.clearing:
        del floor.clearing[key]
        floor.timers.clearing.cancel(key)
        for agent in floor.owners.get(key, ()):
            floor.mark_changed(agent)


def link_changed(floor: Floor, pbx: str) -> None:
    """A PBX is in step again, or no longer: what is true of the phones at home there changes."""
    for agent in floor.agents.values():
        if any(pbx in device.addresses for device in agent.spec.devices):
            floor.mark_devices_changed(agent)
    if pbx in floor.up:
        floor.timers.unseen.cancel(pbx)
    elif no_longer_seen(floor, pbx):
        floor.timers.unseen.set(pbx, floor.clock_now + LAST_REPORT_COUNTS)


def no_longer_seen(floor: Floor, pbx: str) -> list[str]:
    """The endpoints on a PBX out of step whose last report of being in use counts for so long only.

    Those that another PBX can ring; see `LAST_REPORT_COUNTS`.
    """
    return [
        endpoint
        for where, endpoint in floor.in_use
        if where == pbx
        and any(
            len(device.addresses) > 1 and device.addresses.get(pbx) == endpoint
            for agent in floor.owners.get((pbx, endpoint), ())
            for device in agent.spec.devices
        )
    ]


# ---------------------------------------------------------------- who answers


def as_rung(floor: Floor, device: DeviceSpec, pbx: str) -> DeviceSpec:
    """The device as it is rung through a PBX: asked for key 1 if none of its homes can be asked.

    With `watch_answer` only. Otherwise it is the device itself.
    """
    if not device.watch_answer or pbx in device.homes or _home_in_step(floor, device):
        return device
    return replace(device, confirm=True, watch_answer=False)


def may_be_asked(device: DeviceSpec, pbx: str) -> bool:
    """Whether a phone that a PBX found off-hook may be one that is asked for key 1 there."""
    return device.confirm or (device.watch_answer and pbx not in device.homes)


def is_the_phone(floor: Floor, leg: Leg) -> bool:
    """Whether what accepted on a leg is the agent's phone, as far as a home can be asked.

    A home that is in step must see the phone in use. If it does not, a voicemail has answered, or a
    phone that the call was forwarded to.
    """
    if not leg.device.watch_answer or leg.pbx in leg.device.homes:
        return True
    at_homes = _at_homes(floor, leg.device)
    return not at_homes or DEVICE_IN_USE in at_homes


def has_left(floor: Floor, leg: Leg) -> bool:
    """Whether the phone that talks on a leg through another PBX is in no call any more.

    Only a home that is in step can say so.
    """
    at_homes = _at_homes(floor, leg.device)
    return leg.pbx not in leg.device.homes and bool(at_homes) and DEVICE_IN_USE not in at_homes


def is_reached(floor: Floor, offer: Offer) -> bool:
    """Whether a trunk has brought an offer to the home of its phone, by what the home says.

    The phone is silent then, and not the trunk.
    """
    return any(
        leg.pbx not in leg.device.homes and DEVICE_IN_USE in _at_homes(floor, leg.device)
        for leg in offer.legs.values()
    )


def is_dead_way(floor: Floor, leg: Leg) -> bool:
    """Whether a leg leads through a trunk to a home that is known not to run."""
    return leg.pbx not in leg.device.homes and _homes_stopped(floor, leg.device)


def _at_homes(floor: Floor, device: DeviceSpec) -> list[DeviceState]:
    """What the homes that are in step say of a phone; empty if none is."""
    return [
        floor.device_states.get((home, device.addresses[home]), DEVICE_UNREACHABLE)
        for home in device.homes
        if home in floor.up
    ]


def _homes_stopped(floor: Floor, device: DeviceSpec) -> bool:
    return bool(device.homes) and all(home in floor.stopped for home in device.homes)


def _home_in_step(floor: Floor, device: DeviceSpec) -> bool:
    return any(home in floor.up for home in device.homes)


# ---------------------------------------------------------------- failures


def failed_way(device: DeviceSpec, pbx: str, kind: DeviceFailure) -> str:
    """The name under which a failure is counted: the device, or the way to it through one PBX.

    A trunk that does not get there says nothing of the phone where it is registered.
    """
    if device.addresses and pbx not in device.homes and kind in _OF_THE_WAY:
        return way(device, pbx)
    return device.id


def way(device: DeviceSpec, pbx: str) -> str:
    """The name of the way to a device through a PBX. No device has such a name."""
    return f"{device.id}@{pbx}"


def address_of_way(device: DeviceSpec, name: str) -> str:
    """The address that a device, or the way to it of this name, has; empty if there is no such way."""
    _, at, pbx = name.partition("@")
    return device.addresses.get(pbx, "") if at else device.address
