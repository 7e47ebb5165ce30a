"""Devices that are left alone for a while: rests after failures, and hours outside which none rings.

A rest belongs to one device: the agent's others ring on, and a caller waits for none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from callrouter.core import agents
from callrouter.core.agents import refit
from callrouter.core.state import Agent, Floor, Leg, Offer, Strike, Strikes
from callrouter.model.commands import Happened
from callrouter.model.endpoints import leads_on
from callrouter.model.events import LegEnd, StruckBefore
from callrouter.model.table import AgentSpec, DeviceSpec

REST_UNREACHABLE: Final = 5.0
"""Seconds for which a device that could not be reached is left alone, unless it registers before."""

REST_REFUSED: Final = 30.0
"""The longest rest of a device that refuses call after call; it starts at 2 s with the second."""

REST_NUMBER: Final = (60.0, 900.0)
"""The rest of an outside number that was twice in a row not reached, or answered by nobody who pressed
1: the shortest, which doubles each further time, and the longest."""

REST_BROKEN: Final = (5.0, 300.0)
"""The rest of a device that does not answer at all, or that twice in a row hung up right after it was
picked up: the shortest, which doubles each further time, and the longest."""

_STRIKES: Final = {
    LegEnd.BUSY: Strike.REFUSED,
    LegEnd.DECLINED: Strike.REFUSED,
    LegEnd.WRONG_KEY: Strike.REFUSED,
    LegEnd.UNAVAILABLE: Strike.REFUSED,
    LegEnd.UNREACHABLE: Strike.NOT_REACHED,
    LegEnd.FAILED: Strike.NOT_REACHED,
    LegEnd.NOT_ACCEPTED: Strike.NOT_ACCEPTED,
    LegEnd.HUNG_UP: Strike.REFUSED,
    LegEnd.SILENT: Strike.SILENT,
}
"""Ends that speak against a device. One that rang out says nothing about it: the agent missed it."""

_NUMBER_STRIKES: Final = _STRIKES | {
    LegEnd.UNAVAILABLE: Strike.NOT_REACHED,
    LegEnd.HUNG_UP: Strike.NOT_ACCEPTED,
}
"""The same for an outside number that did not ring: a network that plays "not available" (480) has not
reached it, and what was picked up and hangs up without key 1 was a voicemail."""

_ROWS: Final = {Strike.REFUSED: 0, Strike.SILENT: 2, Strike.DROPPED: 3}
"""Which strikes count as a row. All others are one: to be out of reach and to have a voicemail is the
same."""


def struck(floor: Floor, offer: Offer, leg: Leg, why: LegEnd, *, was_up: bool) -> None:
    """A leg ended by itself without having been accepted: its device may have to be left alone.

    Of a desk phone that was picked up and then lost, nothing is held against it but a refusal. An outside
    number that rang was reached: if the call was not taken, it was refused.
    """
    kind = _kind(leg, why, was_up=was_up)
    if kind is None or (was_up and kind is Strike.NOT_REACHED):
        return
    _count(floor, offer, leg.device, why.value, kind)


def dropped(floor: Floor, offer: Offer) -> str:
    """The phone that took the call was gone before a word was said: a headset or a codec that fails.

    A person may hang up by mistake, so the first time costs nothing; from the second on the rests grow
    until a talk comes about. Where it happens to different agents it is the caller's line (a codec that no
    phone has), and is held against none of them: else one such caller would rest every phone there is.

    Returns:
        what happened, in words.
    """
    call, agent = offer.call, offer.agent.id
    call.drops += 1
    call.dropped_by[agent] = None
    if len(call.dropped_by) > 1:
        return "talks with different agents end at once: look at the caller's line and its codecs"
    if offer.winner is not None:
        _count(floor, offer, offer.winner.device, "hung up at once", Strike.DROPPED)
    return "the agent hung up at once"


def leads_out(device: DeviceSpec) -> bool:
    """Whether something other than a phone of the PBX may answer: an outside number, or what may forward."""
    return bool(device.number) or (device.confirm and leads_on(device.endpoint))


def _kind(leg: Leg, why: LegEnd, *, was_up: bool) -> Strike | None:
    if not leads_out(leg.device):
        return _STRIKES.get(why)
    if was_up:
        return _NUMBER_STRIKES.get(why)
    if leg.rang_at is not None:
        return _STRIKES.get(why)
    return Strike.NOT_REACHED if why is LegEnd.HUNG_UP else _NUMBER_STRIKES.get(why)


def _count(floor: Floor, offer: Offer, device: DeviceSpec, why: str, kind: Strike) -> None:
    agent = floor.agents.get(device.agent)
    now = agents.device(agent, device.id) if agent is not None else None
    if agent is None or now is None or now.address != device.address:
        return  # it is another phone by now, or none
    before = agent.strikes.get(device.id)
    count = before.count + 1 if before is not None and _alike(before.kind, kind) else 1
    seconds = _rest_after(device, kind, count)
    strikes = Strikes(kind, count, device.address, floor.now + seconds)
    _hold_against(floor, offer, device, why, strikes)
    if seconds >= REST_NUMBER[0]:  # the agent may not know that their mobile is off
        text = f"{device.id} {strikes.words()}: it is not rung for {seconds / 60:.0f} min"
        agent.messages.append((floor.now, text))
        floor.record(Happened.TOLD, agent=agent.id, detail=(text,))


def _rest_after(device: DeviceSpec, kind: Strike, count: int) -> float:
    """How long a device is left alone, in seconds."""
    if kind is Strike.REFUSED:
        return min(REST_REFUSED, 2.0 ** min(count - 1, 5)) if count > 1 else 0.0
    if kind in {Strike.SILENT, Strike.DROPPED}:
        shortest, longest = REST_BROKEN
        further = count - 1 if kind is Strike.SILENT else count - 2
        return min(longest, shortest * 2.0 ** min(further, 10)) if further >= 0 else 0.0
    if leads_out(device) and count > 1:
        shortest, longest = REST_NUMBER
        return min(longest, shortest * 2.0 ** min(count - 2, 10))
    return REST_UNREACHABLE if kind is Strike.NOT_REACHED else 0.0


def _hold_against(
    floor: Floor, offer: Offer, device: DeviceSpec, why: str, strikes: Strikes
) -> None:
    """Keep what a device did, and leave it alone for a while; a longer rest that has begun goes on."""
    seconds = max(0.0, strikes.until - floor.now)
    if seconds:
        begun = floor.resting.get((device.agent, device.id), 0.0)
        strikes = replace(strikes, until=max(strikes.until, begun))
    _keep(floor, floor.agents[device.agent], device.id, strikes)
    floor.record(
        Happened.DEVICE_FAILED,
        call=offer.call,
        agent=device.agent,
        offer=offer.id,
        detail=(device.id, why, strikes.count, seconds),
    )


def _keep(floor: Floor, agent: Agent, device: str, strikes: Strikes) -> None:
    agent.strikes[device] = strikes
    if strikes.until > floor.now:
        floor.resting[agent.id, device] = strikes.until
        floor.timers.rest.set((agent.id, device), strikes.until)
        refit(floor, agent)


def put_back(floor: Floor, agent: Agent, known: Mapping[str, StruckBefore]) -> None:
    """What devices had done before a restart; of a rest what is left of it."""
    for device, was in known.items():
        kind = Strike.__members__.get(was.kind)
        if kind is not None and device not in agent.strikes:
            # A clock may have been put back: nothing rests for longer than its kind ever does.
            longest = (
                REST_NUMBER[1]
                if was.address.startswith("+") or leads_on(was.address)
                else REST_REFUSED
            )
            if kind in {Strike.SILENT, Strike.DROPPED}:
                longest = REST_BROKEN[1]
            until = min(was.until, floor.now + longest)
            _keep(floor, agent, device, Strikes(kind, max(1, was.times), was.address, until))
    drop_others(floor, agent, agent.spec)


def drop_others(floor: Floor, agent: Agent, spec: AgentSpec) -> None:
    """Forget what devices did that ring another phone by now.

    One that is not there may yet come: registered mobiles are read after the agents.
    """
    for device in spec.devices:
        strikes = agent.strikes.get(device.id)
        if strikes is not None and strikes.address != device.address:
            forget(floor, agent.id, device.id)


def _alike(one: Strike, other: Strike) -> bool:
    """Whether two strikes count as a row."""
    return _ROWS.get(one, 1) == _ROWS.get(other, 1)


def accepted(floor: Floor, device: DeviceSpec) -> None:
    """A call was accepted on the device: all is forgotten but that talks on it end at once."""
    agent = floor.agents.get(device.agent)
    strikes = agent.strikes.get(device.id) if agent is not None else None
    if strikes is not None and strikes.kind is not Strike.DROPPED:
        forget(floor, device.agent, device.id)


def proved(floor: Floor, device: DeviceSpec) -> None:
    """There was a talk on the device, or it has just registered: what was before is forgotten."""
    forget(floor, device.agent, device.id)


def dead(floor: Floor, offer: Offer, device: DeviceSpec, seconds: float) -> None:
    """The device does not stop ringing when told to."""
    if device.agent in floor.agents:
        strikes = Strikes(Strike.DEAD, 1, device.address, floor.now + seconds)
        _hold_against(floor, offer, device, strikes.words(), strikes)


def end_rest(floor: Floor, agent: str, device: str) -> None:
    """The device may be rung again."""
    if floor.resting.pop((agent, device), None) is not None:
        floor.timers.rest.cancel((agent, device))
        if agent in floor.agents:
            refit(floor, floor.agents[agent])


def forget(floor: Floor, agent: str, device: str) -> None:
    """What a device did says nothing any more."""
    known = floor.agents.get(agent)
    if known is not None:
        known.strikes.pop(device, None)
    end_rest(floor, agent, device)


def forget_refusals(floor: Floor, agent: Agent) -> None:
    """The agent signed out: what they refused before they come back says nothing then."""
    for device, strikes in list(agent.strikes.items()):
        if strikes.kind is Strike.REFUSED:
            forget(floor, agent.id, device)


# ---------------------------------------------------------------- hours


def arm_hours(floor: Floor, agent: Agent) -> None:
    """See which devices ring at this hour, and look again when that changes."""
    for device in agent.spec.devices:
        hours_change(floor, device)


def hours_change(floor: Floor, device: DeviceSpec) -> None:
    """A device's hours may have begun or ended; whatever rings or talks on it goes on."""
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
    """The clock has come to the beginning or end of a device's hours."""
    for spec in agent.spec.devices:
        if spec.id == device:
            hours_change(floor, spec)
    refit(floor, agent)


# ---------------------------------------------------------------- devices that come and go


def own(floor: Floor, agent: Agent) -> None:
    """Keep in mind whose phones these are."""
    for device in agent.spec.devices:
        if device.endpoint:
            for pbx in device.pbxes:
                floor.owners.setdefault((pbx, device.endpoint), []).append(agent)


def disown(floor: Floor, agent: Agent) -> None:
    """The phones of an agent are theirs no more; they are about to have others, or to go."""
    for device in agent.spec.devices:
        if device.endpoint:
            for pbx in device.pbxes:
                owners = floor.owners.get((pbx, device.endpoint), [])
                while agent in owners:
                    owners.remove(agent)
                if not owners:
                    floor.owners.pop((pbx, device.endpoint), None)


def forget_device(floor: Floor, agent: str, device: str) -> None:
    """A device is taken out of the table; a leg to it that is on goes on."""
    forget(floor, agent, device)
    floor.outside_hours.discard((agent, device))
    floor.timers.hours.cancel((agent, device))


def forget_devices(floor: Floor, agent: Agent) -> None:
    """All of an agent's devices go, those that went earlier too."""
    gone = [device for owner, device in floor.resting if owner == agent.id]
    for device in (*gone, *agent.strikes, *(spec.id for spec in agent.spec.devices)):
        forget_device(floor, agent.id, device)
