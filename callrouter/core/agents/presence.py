"""Which agents count as present for the calls of a PBX, so that waiting makes sense.

An agent counts as present when they are signed in, not paused, and have a device that could ring
through that PBX. They may be busy or ringing for another call. A device that is unregistered,
outside its hours, switched off or unreachable for now does not count.

A queue keeps the number of present agents for each PBX. Whatever may change it marks the agent in
`Floor.recount_presence`; `settle` recounts at the end of the event.
"""

from __future__ import annotations

from callrouter.core.agents import agent_availability
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Call, Queue
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import DeviceState
from callrouter.model.routing_table import DeviceSpec, KeepWaiting


def is_present(agent: Agent) -> bool:
    """Worth waiting for: signed in and not paused, whether busy or free.

    Their devices are not looked at; `present_on` does that. A removed agent is never present.
    """
    return agent.signed_in and agent.pause is None and not agent.gone


def present_on(floor: Floor, agent: Agent) -> tuple[str, ...]:
    """The PBXes for whose calls an agent counts as present, in the order of their devices.

    Empty if they are not present at all.
    """
    if not is_present(agent):
        return ()
    devices = agent.spec.devices
    if len(devices) == 1 and len(devices[0].pbxes) == 1:  # the usual case
        pbx = devices[0].pbxes[0]
        return (pbx,) if could_ring(floor, agent, devices[0], pbx) else ()
    found = {
        pbx: None
        for device in devices
        for pbx in device.pbxes
        if could_ring(floor, agent, device, pbx)
    }
    return tuple(found)


def could_ring(floor: Floor, agent: Agent, device: DeviceSpec, pbx: str) -> bool:
    """Whether a device could ring through `pbx` if it were free.

    A lost link to the PBX does not count against the device.
    """
    own = (agent.id, device.id)
    if not device.enabled or device.id in agent.devices_off or own in floor.outside_hours:
        return False
    if agent_availability.device_state(floor, device, pbx) is DeviceState.UNREACHABLE:
        return False
    if own not in floor.cooldowns and not device.addresses:
        return True
    failed = agent_availability.cooling(floor, device, pbx)
    streak = agent.failure_streaks.get(failed) if failed else None
    return streak is None or streak.kind is DeviceFailure.REFUSED


def count_present(floor: Floor, agent: Agent, was: bool) -> None:
    """Update the queues' counts of present members after a sign-in, pause or their opposites.

    Args:
      floor: the state of the core.
      agent: the agent, as they are now.
      was: whether they counted as present before the change (`is_present`).
    """
    here = is_present(agent)
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


def recount(floor: Floor) -> None:
    """Update the queues' counts from the agents that were marked during this event.

    A queue that lost its last present agent on a PBX is marked as unstaffed, and its callers there
    leave once `nobody_after` has passed.
    """
    marked, floor.recount_presence = floor.recount_presence, {}
    for agent in marked.values():
        before, now = agent.present_on, present_on(floor, agent)
        if before == now:
            continue
        agent.present_on = now
        for membership in agent.memberships.values():
            for pbx in before:
                if pbx not in now:
                    _one_less(floor, membership.queue, pbx)
            for pbx in now:
                if pbx not in before:
                    _one_more(floor, membership.queue, pbx)


def _one_less(floor: Floor, queue: Queue, pbx: str) -> None:
    queue.members_present_on[pbx] -= 1
    if not queue.members_present_on[pbx]:
        queue.unstaffed_since[pbx] = floor.now
        floor.unstaffed_queues[queue.id] = queue


def _one_more(floor: Floor, queue: Queue, pbx: str) -> None:
    queue.members_present_on[pbx] = queue.members_present_on.get(pbx, 0) + 1
    queue.unstaffed_since.pop(pbx, None)
    floor.timers.nobody.cancel((queue.id, pbx))


def count_members(floor: Floor, queue: Queue) -> None:
    """Count all members of a queue again, after its members have changed.

    A PBX that has lost its last present member is unstaffed from now on.
    """
    queue.members_present = sum(is_present(member.agent) for member in queue.members.values())
    there: dict[str, int] = {}
    for member in queue.members.values():
        for pbx in member.agent.present_on:
            there[pbx] = there.get(pbx, 0) + 1
    for pbx, count in queue.members_present_on.items():
        if count and pbx not in there:
            queue.unstaffed_since[pbx] = floor.now
    for pbx in there:
        queue.unstaffed_since.pop(pbx, None)
        floor.timers.nobody.cancel((queue.id, pbx))
    queue.members_present_on = there


def unstaffed_at(queue: Queue, pbx: str) -> float | None:
    """When a queue's calls on a PBX leave for want of agents; None if they do not.

    That is at once (0.0) if no member is signed in and unpaused. Otherwise it is after
    `nobody_after` seconds, to allow for a phone that restarts or a network that comes back.
    """
    if queue.members_present_on.get(pbx) or isinstance(queue.spec.on_nobody, KeepWaiting):
        return None
    if queue.members_present == 0:
        return 0.0
    return queue.unstaffed_since.get(pbx, queue.created_at) + queue.spec.nobody_after


def unstaffed(floor: Floor, call: Call) -> bool:
    """Whether a call leaves now because no agent is present.

    If it is not time yet, the timer for it is armed. That timer belongs to the queue and the PBX, so one
    is enough for all their calls.
    """
    queue = call.queue
    if queue.members_present_on.get(call.pbx):
        return False
    at = unstaffed_at(queue, call.pbx)
    if at is None:
        return False
    if floor.now >= at:
        return True
    queue.unstaffed_since.setdefault(call.pbx, queue.created_at)
    floor.timers.nobody.set((queue.id, call.pbx), at)
    return False
