"""Devices that are not rung for a while: cooldown after failures, and hours.

A cooldown belongs to one device. The agent's other devices still ring, and no caller waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from callrouter.core.agents import agent_availability, agent_messages, shared_phones
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Leg, Offer
from callrouter.model.call_notices import DeviceFailed
from callrouter.model.device_failures import DeviceFailure, FailureStreak
from callrouter.model.endpoints import leads_on
from callrouter.model.events import LegEnd
from callrouter.model.outcomes import RequeueReason
from callrouter.model.routing_table import AgentSpec, DeviceSpec

COOLDOWN_UNREACHABLE: Final = 5.0
"""Seconds of cooldown after a device could not be reached. A registration ends it early."""

COOLDOWN_REFUSED: Final = 30.0
"""Longest cooldown, in seconds, of a device that refuses call after call.

It begins at 2 s with the second refusal and doubles from there.
"""

COOLDOWN_NUMBER: Final = (60.0, 900.0)
"""Cooldown in seconds of an outside number that failed twice in a row.

It was not reached, or was picked up without a press of key 1. The first value is the shortest,
doubled on each further failure; the second is the longest.
"""

COOLDOWN_BROKEN: Final = (5.0, 300.0)
"""Cooldown in seconds of a device that is broken: the shortest and the longest.

It never answers, or twice in a row hung up right after it was picked up. The cooldown doubles on
each further failure.
"""

COOLDOWN_WAY: Final = (5.0, 60.0)
"""Cooldown in seconds of the way to a phone through a PBX where it is not registered.

The first value is the shortest, doubled on each further failure; the second is the longest. The
phone is rung by its other ways in the meantime.
"""

COOLDOWN_TRUNK: Final = 1.0
"""Seconds for which other phones of the same home rest on that way.

A trunk that has not got there to one of them may get to none: the next caller in line is offered an
agent who can be reached. A second costs little if only that one phone is at fault.
"""

_FAILURES: Final = {
    LegEnd.BUSY: DeviceFailure.REFUSED,
    LegEnd.DECLINED: DeviceFailure.REFUSED,
    LegEnd.WRONG_KEY: DeviceFailure.REFUSED,
    LegEnd.UNAVAILABLE: DeviceFailure.REFUSED,
    LegEnd.UNREACHABLE: DeviceFailure.NOT_REACHED,
    LegEnd.FAILED: DeviceFailure.NOT_REACHED,
    LegEnd.NOT_ACCEPTED: DeviceFailure.NOT_ACCEPTED,
    LegEnd.HUNG_UP: DeviceFailure.REFUSED,
    LegEnd.SILENT: DeviceFailure.SILENT,
}
"""Leg ends that count as device failures. Ringing out does not: the agent missed the call."""

_NUMBER_FAILURES: Final = _FAILURES | {
    LegEnd.UNAVAILABLE: DeviceFailure.NOT_REACHED,
    LegEnd.HUNG_UP: DeviceFailure.NOT_ACCEPTED,
}
"""The same for an outside number that did not ring.

A network that plays "not available" (480) did not reach it. One that was picked up and hung up
without key 1 was a voicemail.
"""

_STREAKS: Final = {DeviceFailure.REFUSED: 0, DeviceFailure.SILENT: 2, DeviceFailure.DROPPED: 3}
"""Which kinds of failure continue the same streak.

Kinds not listed form one streak: for a mobile, being out of reach and having a voicemail are the
same.
"""


def count_failure(floor: Floor, offer: Offer, leg: Leg, why: LegEnd, *, was_up: bool) -> None:
    """A leg ended by itself before it was accepted: count the failure and start a cooldown if due.

    A desk phone that was picked up and then lost is blamed only for a refusal. An outside number
    that rang was reached, so a call it did not take counts as refused.

    Args:
        floor: the state of the core.
        offer: the offer that the device was rung for.
        leg: the leg that ended.
        why: what its end really means; see `offer_failures.meaning`.
        was_up: whether the phone was off-hook, without the agent having accepted.
    """
    kind = _kind(leg, why, was_up=was_up)
    if kind is None or (was_up and kind is DeviceFailure.NOT_REACHED):
        return
    _count(floor, offer, leg, why, kind)


def count_immediate_hangup(floor: Floor, offer: Offer) -> RequeueReason:
    """The phone that took the call hung up before a word was said: a broken headset or codec.

    A person may hang up by mistake, so the first time costs nothing. From the second on the
    cooldown grows until a conversation succeeds. If it happens to different agents, the cause is on
    the caller's side (a codec no phone supports) and no device is blamed. Otherwise one such caller
    would put every phone into cooldown.

    Returns:
      why the call waits again.
    """
    call, agent = offer.call, offer.agent.id
    call.drops += 1
    call.dropped_by[agent] = None
    if len(call.dropped_by) > 1:
        return RequeueReason.FAULTY_LINE
    if offer.winner is not None:
        _count(floor, offer, offer.winner, DeviceFailure.DROPPED, DeviceFailure.DROPPED)
    return RequeueReason.HUNG_UP_AT_ONCE


def leads_out(device: DeviceSpec) -> bool:
    """Whether a device other than a phone of this PBX may answer: a number, or a trunk endpoint.

    Only such a device can be a voicemail, and only of such a device is it unknown whether it is in use.
    """
    return bool(device.number) or (device.confirm and leads_on(device.endpoint))


def _kind(leg: Leg, why: LegEnd, *, was_up: bool) -> DeviceFailure | None:
    if not leads_out(leg.device):
        return _FAILURES.get(why)
    if was_up:
        return _NUMBER_FAILURES.get(why)
    if leg.rang_at is not None:
        return _FAILURES.get(why)
    return DeviceFailure.NOT_REACHED if why is LegEnd.HUNG_UP else _NUMBER_FAILURES.get(why)


def _count(
    floor: Floor, offer: Offer, leg: Leg, why: LegEnd | DeviceFailure, kind: DeviceFailure
) -> None:
    device = leg.device
    agent = floor.agents.get(device.agent)
    now = agent_availability.device_of(agent, device.id) if agent is not None else None
    name = shared_phones.failed_way(device, leg.pbx, kind)
    address = shared_phones.address_of_way(device, name)
    if agent is None or now is None or shared_phones.address_of_way(now, name) != address:
        return  # the id now belongs to another phone, or to none
    before = agent.failure_streaks.get(name)
    count = before.count + 1 if before is not None and _alike(before.kind, kind) else 1
    seconds = _cooldown_after(device, name, kind, count)
    streak = FailureStreak(kind, count, address, floor.now + seconds)
    _hold_against(floor, offer, leg, why, streak)
    if name != device.id:
        _rest_others(floor, device, leg.pbx)
    elif seconds >= COOLDOWN_NUMBER[0]:
        # The agent may not know that their mobile is switched off.
        text = agent_messages.cooldown(device.id, streak, seconds)
        agent_messages.send_message(floor, agent, text)


def _rest_others(floor: Floor, device: DeviceSpec, pbx: str) -> None:
    """The way to a device through a PBX has failed: those to other phones of its homes rest for a moment."""
    until = floor.now + COOLDOWN_TRUNK
    for agent in floor.agents.values():
        for other in agent.spec.devices:
            if pbx not in other.addresses or pbx in other.homes or other.homes != device.homes:
                continue
            own = agent.id, shared_phones.way(other, pbx)
            if floor.cooldowns.get(own, 0.0) < until:
                floor.cooldowns[own] = until
                floor.timers.cooldown.set(own, until)
                floor.mark_devices_changed(agent)


def _cooldown_after(device: DeviceSpec, name: str, kind: DeviceFailure, count: int) -> float:
    """Cooldown in seconds of a device, or of the way to it of that name."""
    if name != device.id:
        shortest, longest = COOLDOWN_WAY
        return min(longest, shortest * 2.0 ** min(count - 1, 10))
    if kind is DeviceFailure.REFUSED:
        return min(COOLDOWN_REFUSED, 2.0 ** min(count - 1, 5)) if count > 1 else 0.0
    if kind in {DeviceFailure.SILENT, DeviceFailure.DROPPED}:
        shortest, longest = COOLDOWN_BROKEN
        further = count - 1 if kind is DeviceFailure.SILENT else count - 2
        return min(longest, shortest * 2.0 ** min(further, 10)) if further >= 0 else 0.0
    if leads_out(device) and count > 1:
        shortest, longest = COOLDOWN_NUMBER
        return min(longest, shortest * 2.0 ** min(count - 2, 10))
    return COOLDOWN_UNREACHABLE if kind is DeviceFailure.NOT_REACHED else 0.0


def _hold_against(
    floor: Floor,
    offer: Offer,
    leg: Leg,
    why: LegEnd | DeviceFailure,
    streak: FailureStreak,
) -> None:
    """Record a failure and start the cooldown. A longer one that already runs is kept."""
    device = leg.device
    name = shared_phones.failed_way(device, leg.pbx, streak.kind)
    seconds = max(0.0, streak.until - floor.now)
    if seconds:
        begun = floor.cooldowns.get((device.agent, name), 0.0)
        streak = replace(streak, until=max(streak.until, begun))
    _keep(floor, floor.agents[device.agent], name, streak)
    floor.publish(
        DeviceFailed(
            at=floor.now,
            call=offer.call.id,
            queue=offer.call.queue.id,
            agent=device.agent,
            offer=offer.id,
            device=device.id,
            why=why,
            in_a_row=streak.count,
            cooldown_s=seconds,
        )
    )


def _keep(floor: Floor, agent: Agent, device: str, streak: FailureStreak) -> None:
    agent.failure_streaks[device] = streak
    floor.changed_rows[agent.id] = None
    if streak.until > floor.now:
        floor.cooldowns[agent.id, device] = streak.until
        floor.timers.cooldown.set((agent.id, device), streak.until)
    if (agent.id, device) in floor.cooldowns:  # one that runs may have another reason now
        floor.mark_devices_changed(agent)


def restore_failures(floor: Floor, agent: Agent, known: Mapping[str, FailureStreak]) -> None:
    """Restore the failures from before a restart, with what remains of each cooldown.

    Args:
      floor: the state of the core.
      agent: the agent as restored. Failures counted since the start are kept.
      known: the stored failures by device. A kind that this version does not know is left out.
    """
    for device, was in known.items():
        if device not in agent.failure_streaks:
            count = max(1, was.count)
            # The clock may have been set back, or be another machine's: no cooldown outlasts the one
            # that such a failure begins. Most begin none.
            until = min(was.until, floor.now + _longest(agent, device, was, count))
            _keep(floor, agent, device, replace(was, count=count, until=until))
    drop_others(floor, agent, agent.spec)


def _longest(agent: Agent, name: str, was: FailureStreak, count: int) -> float:
    """The longest cooldown in seconds that a failure can have begun.

    If the device is not known yet, that is the longest of its kind.
    """
    device = agent_availability.device_of(agent, name.partition("@")[0])
    if device is not None:
        return _cooldown_after(device, name, was.kind, count)
    if was.kind in {DeviceFailure.SILENT, DeviceFailure.DROPPED}:
        return COOLDOWN_BROKEN[1]
    outside = was.address.startswith("+") or leads_on(was.address)
    return COOLDOWN_NUMBER[1] if outside else COOLDOWN_REFUSED


def drop_others(floor: Floor, agent: Agent, spec: AgentSpec) -> None:
    """Forget the failures of devices that now ring another phone.

    A device that is missing may still appear: registered mobiles are read after the agents.
    """
    known = {device.id: device for device in spec.devices}
    for name, streak in list(agent.failure_streaks.items()):
        device = known.get(name.partition("@")[0])
        if device is not None and streak.address != shared_phones.address_of_way(device, name):
            forget(floor, agent.id, name)


def _alike(one: DeviceFailure, other: DeviceFailure) -> bool:
    """Whether two failures belong to the same streak."""
    return _STREAKS.get(one, 1) == _STREAKS.get(other, 1)


def clear_failures_on_acceptance(floor: Floor, leg: Leg) -> None:
    """A call was accepted on the leg: forget the failures of its device, and of the way to it.

    Immediate hangups are kept. A phone with a broken headset accepts every call, so only a conversation
    proves it.
    """
    device = leg.device
    agent = floor.agents.get(device.agent)
    if agent is None or not agent.failure_streaks:
        return
    if device.addresses:
        forget(floor, device.agent, shared_phones.way(device, leg.pbx))
    streak = agent.failure_streaks.get(device.id)
    if streak is not None and streak.kind is not DeviceFailure.DROPPED:
        forget(floor, device.agent, device.id)


def clear_failures(floor: Floor, device: DeviceSpec) -> None:
    """The device has just carried a conversation or registered: forget its failures.

    Immediate hangups are forgotten, too, unlike in `clear_failures_on_acceptance`.
    """
    forget(floor, device.agent, device.id)
    for pbx in device.addresses:
        forget(floor, device.agent, shared_phones.way(device, pbx))


def registered(floor: Floor, agent: Agent, pbx: str, endpoint: str) -> None:
    """An endpoint that was unreachable can be rung again: earlier failures no longer count.

    Where a device is not registered, the endpoint is only a way to it.
    """
    for device in agent.spec.devices:
        if pbx in device.pbxes and device.endpoint_on(pbx) == endpoint:
            if device.addresses and pbx not in device.homes:
                forget(floor, agent.id, shared_phones.way(device, pbx))
            else:
                clear_failures(floor, device)


def did_not_stop(floor: Floor, offer: Offer, leg: Leg, seconds: float) -> None:
    """The device of a leg keeps ringing after it was told to stop.

    Args:
      floor: the state of the core.
      offer: the offer it rang for.
      leg: the leg.
      seconds: its cooldown.
    """
    device = leg.device
    if device.agent in floor.agents:
        name = shared_phones.failed_way(device, leg.pbx, DeviceFailure.DEAD)
        address = shared_phones.address_of_way(device, name)
        streak = FailureStreak(DeviceFailure.DEAD, 1, address, floor.now + seconds)
        _hold_against(floor, offer, leg, DeviceFailure.DEAD, streak)


def end_cooldown(floor: Floor, agent: str, device: str) -> None:
    """End the cooldown: the device may be rung again.

    Its failures stay counted, so the next one continues the streak. Does nothing if there is no
    cooldown.
    """
    if floor.cooldowns.pop((agent, device), None) is not None:
        floor.timers.cooldown.cancel((agent, device))
        if agent in floor.agents:
            floor.mark_devices_changed(floor.agents[agent])


def forget(floor: Floor, agent: str, device: str) -> None:
    """Forget the failures of a device and end its cooldown.

    The agent's row is marked for storing if there were any failures.
    """
    known = floor.agents.get(agent)
    if known is not None and known.failure_streaks.pop(device, None) is not None:
        floor.changed_rows[agent] = None
    end_cooldown(floor, agent, device)


def forget_refusals(floor: Floor, agent: Agent) -> None:
    """The agent signed out: refusals from before do not count when they come back.

    Other failures are kept: a phone that is unreachable is so whether or not its agent is signed in.
    """
    for device, streak in list(agent.failure_streaks.items()):
        if streak.kind is DeviceFailure.REFUSED:
            forget(floor, agent.id, device)


# ---------------------------------------------------------------- hours


def arm_hours(floor: Floor, agent: Agent) -> None:
    """Evaluate the hours of every device and set the timers for their next change.

    The agent is not marked as changed here; the caller of this function does that.
    """
    for device in agent.spec.devices:
        hours_change(floor, device)


def hours_change(floor: Floor, device: DeviceSpec) -> None:
    """Evaluate a device's hours and set the timer for their next change.

    A call that rings or talks on the device goes on.
    """
    own = device.agent, device.id
    change = device.hours.next_change(floor.now) if device.hours is not None else None
    if change is None:
        floor.timers.hours.cancel(own)
    else:
        floor.timers.hours.set(own, change)
    if device.hours is None or device.hours.on(floor.now):
        floor.outside_hours.discard(own)
    else:
        floor.outside_hours.add(own)


def hours_due(floor: Floor, agent: Agent, device: str) -> None:
    """The hours of a device begin or end now.

    The agent and their presence are evaluated again. A call that rings or talks on the device goes
    on.
    """
    for spec in agent.spec.devices:
        if spec.id == device:
            hours_change(floor, spec)
    floor.mark_devices_changed(agent)


# ---------------------------------------------------------------- devices that come and go


def add_owner(floor: Floor, agent: Agent) -> None:
    """Register the agent as an owner of their endpoints.

    An endpoint may belong to several agents. Outside numbers belong to none.
    """
    for device in agent.spec.devices:
        floor.shares_phones = floor.shares_phones or bool(device.addresses)
        if device.endpoint:
            for pbx in device.pbxes:
                floor.owners.setdefault((pbx, device.endpoint_on(pbx)), []).append(agent)


def remove_owner(floor: Floor, agent: Agent) -> None:
    """Remove the agent as an owner of their endpoints.

    Call this while `agent.spec` still has the devices that `add_owner` registered.
    """
    for device in agent.spec.devices:
        if device.endpoint:
            for pbx in device.pbxes:
                key = (pbx, device.endpoint_on(pbx))
                owners = floor.owners.get(key, [])
                while agent in owners:
                    owners.remove(agent)
                if not owners:
                    floor.owners.pop(key, None)


def forget_device(floor: Floor, agent: str, device: str) -> None:
    """Forget a device removed from the table. An active leg is left alone.

    That is its failures, its cooldown and its hours.
    """
    known = floor.agents.get(agent)
    failed = known.failure_streaks if known is not None else ()
    resting = [name for owner, name in floor.cooldowns if owner == agent]
    ways = [name for name in (*failed, *resting) if name.startswith(f"{device}@")]
    for name in (device, *ways):
        forget(floor, agent, name)
    floor.outside_hours.discard((agent, device))
    floor.timers.hours.cancel((agent, device))


def forget_devices(floor: Floor, agent: Agent) -> None:
    """Forget all devices of an agent, including devices removed earlier."""
    gone = [device for owner, device in floor.cooldowns if owner == agent.id]
    for device in (*gone, *agent.failure_streaks, *(spec.id for spec in agent.spec.devices)):
        forget_device(floor, agent.id, device)
