"""Applies a routing table, at start and while calls are in progress.

Nothing in progress is disturbed: calls keep their positions and clocks, agents their states, and
round-robin its turns. What is removed from the table finishes first. An agent finishes their call.
A queue drains: no new call enters it, and its agents serve the callers who wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from callrouter.core import clock_changes, lane_membership, renaming
from callrouter.core.agents import devices, presence, requested_state
from callrouter.core.calls import announcements, eligibility, waiting
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Membership, Queue
from callrouter.model.notices import QueueDrained, ShiftChanged, TablePartlyReloaded, TableReloaded
from callrouter.model.routing_table import AgentSpec, QueueSpec, SignIn, Table
from callrouter.policies import reads_busy_share


def apply(floor: Floor, table: Table, *, more: bool = False) -> None:
    """Make `table` the one in force. `more` means it is one part of a large change.

    Only what differs is touched: calls must not wait while ten thousand agents are checked because
    one of them has a new phone. Specs that are the same object are equal (`Table.reusing` ensures
    that the equal ones are shared).
    """
    before, floor.table = floor.table, table
    renaming.apply(floor, before, table)
    changed: list[Agent] = []
    came_or_went: set[str] = set()
    if table.agents is not before.agents:
        changed, came_or_went = _apply_agents(floor, table)
    queues = _apply_queues(floor, table, came_or_went)
    # After the queues, because an agent's lanes follow from their memberships.
    for agent in changed:
        lane_membership.take_agent_out(agent)
        agent.lanes_on.clear()
        devices.arm_hours(floor, agent)
        floor.mark_devices_changed(agent)
        requested_state.settle_pending(floor, agent)
    if before.pauses != table.pauses:
        for agent in floor.agents.values():
            requested_state.limit_pause(floor, agent)
    for queue in queues:
        _update_waiting_calls(floor, queue)
    floor.drifting = any(
        reads_busy_share(name) for spec in table.queues.values() for name in spec.policy
    )
    clock_changes.arm_day(floor)
    reloaded = TablePartlyReloaded if more else TableReloaded
    floor.publish(reloaded(at=floor.now, agents=len(table.agents), queues=len(table.queues)))


def _apply_agents(floor: Floor, table: Table) -> tuple[list[Agent], set[str]]:
    """The agents that changed, and the names of those who were added or removed."""
    changed: list[Agent] = []
    came_or_went: set[str] = set()
    for name, agent in floor.agents.items():
        gone = name not in table.agents
        if gone is not agent.gone:
            was = presence.is_present(agent)
            agent.gone = gone
            floor.changed_rows[agent.id] = None
            presence.count_present(floor, agent, was)
            came_or_went.add(agent.id)
            changed.append(agent)
    for name, spec in table.agents.items():
        known = floor.agents.get(name)
        if known is None:
            known = floor.agents[name] = Agent(spec=spec, since=floor.now)
            devices.add_owner(floor, known)
            came_or_went.add(name)
            changed.append(known)
        elif known.spec is not spec:
            if known.spec != spec and name not in came_or_went:
                changed.append(known)
            _drop_devices(floor, known, spec)
            devices.remove_owner(floor, known)
            known.spec = spec
            devices.add_owner(floor, known)
    for agent in changed:
        if agent.spec.sign_in is SignIn.ALWAYS and not agent.gone:
            _sign_in_always(floor, agent)
    return changed, came_or_went


def _drop_devices(floor: Floor, agent: Agent, spec: AgentSpec) -> None:
    """Forget what is known of devices that are removed or now ring another phone."""
    after = {device.id: device.address for device in spec.devices}
    for device in agent.spec.devices:
        if after.get(device.id) != device.address:
            devices.forget_device(floor, agent.id, device.id)
            if device.id not in after and agent.devices_off.pop(device.id, None) is not None:
                floor.changed_rows[agent.id] = None
    devices.drop_others(floor, agent, spec)


def _sign_in_always(floor: Floor, agent: Agent) -> None:
    agent.pending_sign_out = False
    floor.changed_rows[agent.id] = None
    if not agent.signed_in:
        was = presence.is_present(agent)
        agent.signed_in = True
        agent.signed_in_at = agent.idle_since = floor.now
        presence.count_present(floor, agent, was)


def _apply_queues(floor: Floor, table: Table, came_or_went: set[str]) -> list[Queue]:
    """The queues that changed."""
    changed: dict[str, Queue] = {}
    remade: dict[str, Queue] = {}
    for queue in _begin_draining(floor, table):
        changed[queue.id] = queue
        if not came_or_went.isdisjoint(_agents_named(queue.spec)):
            remade[queue.id] = queue
    for spec in table.queues.values():
        known = floor.queues.get(spec.id)
        if known is None:
            known = floor.queues[spec.id] = Queue(spec=spec, created_at=floor.now)
            changed[spec.id] = remade[spec.id] = known
            continue
        before, known.spec = known.spec, spec
        if before is not spec and before != spec:
            changed[spec.id] = known
            if _needs_new_lanes(before, spec):
                _remove_lanes(floor, known)
            if _membership_tables(before) != _membership_tables(spec):
                remade[spec.id] = known
        if came_or_went and not came_or_went.isdisjoint(_agents_named(spec)):
            changed[spec.id] = remade[spec.id] = known
    for queue in remade.values():
        _apply_members(floor, queue)
    return list(changed.values())


def _begin_draining(floor: Floor, table: Table) -> list[Queue]:
    """Remove the queues that are not in the table. Returns those that stay and drain."""
    for queue in list(floor.queues.values()):
        queue.gone = queue.id not in table.queues
        if not queue.gone:
            floor.draining.pop(queue.id, None)
        elif _drains(floor, queue):
            floor.draining[queue.id] = queue
        else:
            _remove_queue(floor, queue)
    return list(floor.draining.values())


def _needs_new_lanes(before: QueueSpec, after: QueueSpec) -> bool:
    """Whether a queue needs new lanes, because their order or who may stand in them has changed."""
    return (
        before.policy != after.policy
        or before.skills != after.skills
        or before.widen != after.widen
    )


def _membership_tables(spec: QueueSpec) -> tuple[object, ...]:
    """Everything that determines who the members are."""
    return (spec.members, spec.shifts, spec.widen)


def _agents_named(spec: QueueSpec) -> Iterator[str]:
    """Every agent that a queue's configuration names."""
    more = [item.members for item in spec.shifts] + [item.members for item in spec.widen]
    for group in (spec.members, *more):
        for member in group:
            yield member.agent


def _remove_lanes(floor: Floor, queue: Queue) -> None:
    """Remove all lanes of a queue, with the calls and agents in them.

    The members stay available. They enter the new lanes as soon as calls create those.
    """
    for call in queue.waiting.values():
        lane_membership.take_call_out(call)
    for member in queue.members.values():
        _leave_lanes_of(floor, member.agent, queue)
    queue.lanes.clear()


def _leave_lanes_of(floor: Floor, agent: Agent, queue: Queue) -> None:
    """Take an agent out of the lanes of a queue, and remove their own lanes there.

    They stay available, and stay in the lanes of other queues.
    """
    agent.lanes_on.clear()
    if agent.lanes:
        for lane in agent.lanes:
            if lane.queue == queue.id:
                lane.idle.discard(agent.id)
        agent.lanes = tuple([lane for lane in agent.lanes if lane.queue != queue.id])
    if agent.own_lanes:
        for key in [key for key in agent.own_lanes if key[0] == queue.id]:
            for *_, call in agent.own_lanes[key].line:
                lane_membership.take_call_out(call)
                floor.unmatched_calls[call.id] = call
            del agent.own_lanes[key]


def _apply_members(floor: Floor, queue: Queue) -> None:
    """Set the members to those configured for this hour, and add or remove them in the lanes."""
    before, queue.members = queue.members, {}
    over = queue.gone and queue.id not in floor.draining
    for spec, escalation_step in () if over else clock_changes.members_now(floor, queue):
        agent = floor.agents.get(spec.agent)
        if agent is None or agent.gone:
            if not queue.gone:  # otherwise they were removed together with the queue
                floor.report_oddity(f"queue {queue.id} names '{spec.agent}', who is not an agent")
            continue
        membership = queue.known.get(spec.agent)
        if membership is None or membership.agent is not agent:
            membership = queue.known[spec.agent] = Membership(agent, queue, spec)
        if (
            before.get(spec.agent) is not membership
            or membership.escalation_step != escalation_step
        ):
            _leave_lanes_of(floor, agent, queue)
            membership.spec = spec
            membership.escalation_step = escalation_step
            floor.changed_rows[agent.id] = None
            _enter_lanes(membership)
        elif membership.spec is not spec and membership.spec != spec:
            membership.spec = spec
            _update_rank(membership)
        queue.members[spec.agent] = membership
        agent.memberships[queue.id] = membership
    for name, member in before.items():
        if name not in queue.members:
            _leave_lanes_of(floor, member.agent, queue)
            if member.agent.memberships.get(queue.id) is member:
                del member.agent.memberships[queue.id]
                floor.changed_rows[member.agent.id] = None
    presence.count_members(floor, queue)
    clock_changes.arm_shift(floor, queue)


def _enter_lanes(member: Membership) -> None:
    """Add an available agent to the existing lanes. The calls in them are matched separately."""
    agent = member.agent
    for lane in member.queue.lanes.values() if agent.open else ():
        if lane.key.pbx in agent.open and lane_membership.admits(lane, member):
            lane.idle.add(member)
            agent.lanes += (lane,)


def _update_rank(member: Membership) -> None:
    """Move the agent to their new place in the same lanes. Their availability does not change."""
    for lane in member.agent.lanes:
        if lane.queue == member.queue.id:
            lane.idle.add(member)


def _update_waiting_calls(floor: Floor, queue: Queue) -> None:
    """Apply a changed queue to its waiting calls: limits, lanes and announcements."""
    for call in queue.waiting.values():
        lane_membership.take_call_out(call)
        waiting.limit_wait(floor, call)
        eligibility.open_up(floor, call)
        eligibility.prefer(floor, call)
        announcements.arm(floor, call)
        floor.unmatched_calls[call.id] = call


def expect_callers_of_removed_queues(
    floor: Floor, removed: Mapping[str, QueueSpec], until: float
) -> None:
    """At start, keep queues removed while no router ran, for callers still found in them.

    Args:
        floor: the state of the core, with a table in force that does not have these queues.
        removed: the last configuration of each removed queue.
        until: the time in epoch seconds by which every PBX has certainly sent a snapshot.
    """
    table = floor.table
    lost = {name: spec for name, spec in removed.items() if name not in table.queues}
    if lost:
        floor.expecting_until = until
        apply(floor, replace(table, queues={**table.queues, **lost}))
        apply(floor, table)


def finish_draining(floor: Floor) -> None:
    """Remove the queues whose last call has ended.

    `Router.handle` calls it after each event while a queue drains. Each removal is published.
    """
    for queue in [queue for queue in floor.draining.values() if not _drains(floor, queue)]:
        _remove_queue(floor, queue)
        floor.publish(QueueDrained(at=floor.now, queue=queue.id))


def _drains(floor: Floor, queue: Queue) -> bool:
    """Whether a removed queue still has calls, or a PBX may still show some."""
    return (
        bool(queue.waiting)
        or floor.now < floor.expecting_until
        or any(call.queue is queue for call in floor.calls.values())
    )


def _remove_queue(floor: Floor, queue: Queue) -> None:
    """Remove a queue for good, from every index."""
    floor.draining.pop(queue.id, None)
    _remove_lanes(floor, queue)
    _apply_members(floor, queue)
    floor.timers.shift.cancel(queue.id)
    del floor.queues[queue.id]
    for pbx in queue.unstaffed_since:
        floor.timers.nobody.cancel((queue.id, pbx))


def shift(floor: Floor, queue: Queue) -> None:
    """A shift of a queue begins or ends, so its members change.

    Called when the shift timer of the queue expires; the timer is set again. Waiting calls are
    matched with the new members at the end of the event.
    """
    _apply_members(floor, queue)
    for call in queue.waiting.values():
        lane_membership.take_call_out(call)
        floor.unmatched_calls[call.id] = call
    floor.publish(ShiftChanged(at=floor.now, queue=queue.id, members=len(queue.members)))
