"""Renames queues and agents, with everything that belongs to them.

The agent or queue remains the same object, so calls, conversations, states, clocks and counts need
no change. What is indexed by name is moved to the new name here. The former name still resolves for
as long as `renamed_from` is configured, because PBX channels and database rows carry it across a
restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from callrouter.core import lane_membership
from callrouter.core.deadlines import Deadlines
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Queue
from callrouter.model.notices import AgentRenamed, QueueRenamed
from callrouter.model.routing_table import Table
from callrouter.model.staged_reload import renamed

_Value = TypeVar("_Value")


def apply(floor: Floor, before: Table, table: Table) -> None:
    """Rename everything that has a new name in `table`, and remember the former names.

    A rename to a name that the floor already has is passed over. This comes before the rest of a
    new table is applied, so that a renamed agent is not taken for a removed one and a new one.
    """
    if table.agents is not before.agents:
        for old, new in renamed(before.agents, table.agents).items():
            if old in floor.agents and new not in floor.agents:
                _agent(floor, floor.agents[old], new)
        floor.former_agents = _former(table.agents)
    if table.queues is not before.queues:
        for old, new in renamed(before.queues, table.queues).items():
            if old in floor.queues and new not in floor.queues:
                _queue(floor, floor.queues[old], new)
        floor.former_queues = _former(table.queues)


def _former(specs: Mapping[str, object]) -> dict[str, str]:
    found = ((getattr(spec, "renamed_from", ""), name) for name, spec in specs.items())
    return {former: name for former, name in found if former}


def _agent(floor: Floor, agent: Agent, new: str) -> None:
    old = agent.id
    lane_membership.take_agent_out(agent)
    agent.lanes_on.clear()
    for lane in agent.own_lanes.values():
        for *_, call in list(lane.line):
            lane_membership.take_call_out(call)
            floor.unmatched_calls[call.id] = call
    agent.own_lanes.clear()
    # Out of the lanes first: a call's place there depends on the names in `tried`.
    for call in floor.calls.values():
        if old in call.tried or old in call.offers:
            lane_membership.take_call_out(call)
            floor.unmatched_calls[call.id] = call
    del floor.agents[old]
    agent.id = new
    floor.agents[new] = agent
    devices = tuple(replace(device, agent=new) for device in agent.spec.devices)
    agent.spec = replace(agent.spec, id=new, devices=devices)
    _agents_own(floor, agent, old)
    _agents_places(floor, agent, old)
    _agents_deadlines(floor, old, new)
    floor.mark_changed(agent)
    floor.changed_rows[old] = None  # is deleted
    floor.changed_rows[new] = None
    floor.publish(AgentRenamed(at=floor.now, agent=new, former_id=old))


def _agents_own(floor: Floor, agent: Agent, old: str) -> None:
    """Rename the agent in their own data."""
    new = agent.id
    if agent.changed_by == old:
        agent.changed_by = new
    if agent.pending_by == old:
        agent.pending_by = new
    agent.devices_off = {
        device: (new if by == old else by, at) for device, (by, at) in agent.devices_off.items()
    }
    for offer in agent.offers.values():
        for leg in offer.legs.values():
            leg.device = replace(leg.device, agent=new)
    floor.changed_agents.pop(old, None)
    floor.recount_presence.pop(old, None)


def _agents_places(floor: Floor, agent: Agent, old: str) -> None:
    """Rename the agent wherever others refer to them by name."""
    new, names = agent.id, {old: agent.id}
    for queue in floor.queues.values():
        queue.members = _keys(queue.members, names)
        queue.known = _keys(queue.known, names)
    for call in floor.calls.values():
        call.tried = _keys(call.tried, names)
        call.offers = _keys(call.offers, names)
        if call.first_agent == old:
            call.first_agent = new
    for call_id, giver in floor.transferred_by.items():
        if giver == old:
            floor.transferred_by[call_id] = new
    for key, (who, at) in floor.last_talks.items():
        if who == old:
            floor.last_talks[key] = (new, at)


def _agents_deadlines(floor: Floor, old: str, new: str) -> None:
    timers = floor.timers
    _rename_deadline(timers.wrap_up, old, new)
    _rename_deadline(timers.pause, old, new)
    for deadlines in (timers.cooldown, timers.hours):
        for owner, _ in deadlines.all():
            if isinstance(owner, tuple) and owner[0] == old:
                _rename_deadline(deadlines, owner, (new, owner[1]))
    floor.cooldowns = {
        (new if who == old else who, device): until
        for (who, device), until in floor.cooldowns.items()
    }
    floor.outside_hours = {
        (new if who == old else who, device) for who, device in floor.outside_hours
    }


def _queue(floor: Floor, queue: Queue, new: str) -> None:
    old = queue.id
    _out_of_lanes(floor, queue)
    del floor.queues[old]
    queue.id = new
    queue.spec = replace(queue.spec, id=new)
    floor.queues[new] = queue
    for agent in floor.agents.values():
        if old in agent.memberships or agent.wrap_queue == old:
            floor.changed_rows[agent.id] = None
        agent.memberships = _keys(agent.memberships, {old: new})
        if agent.wrap_queue == old:
            agent.wrap_queue = new
    for call in floor.calls.values():
        call.queues_entered = tuple(new if name == old else name for name in call.queues_entered)
    for key in [key for key in floor.last_talks if key[0] == old]:
        floor.last_talks[new, key[1]] = floor.last_talks.pop(key)
    floor.unstaffed_queues = _keys(floor.unstaffed_queues, {old: new})
    floor.draining = _keys(floor.draining, {old: new})
    _rename_deadline(floor.timers.shift, old, new)
    for owner, _ in floor.timers.nobody.all():
        if isinstance(owner, tuple) and owner[0] == old:
            _rename_deadline(floor.timers.nobody, owner, (new, owner[1]))
    floor.publish(QueueRenamed(at=floor.now, queue=new, former_id=old))


def _out_of_lanes(floor: Floor, queue: Queue) -> None:
    """Remove the lanes of a queue, which carry its name. Calls create them again as needed."""
    for call in queue.waiting.values():
        lane_membership.take_call_out(call)
        floor.unmatched_calls[call.id] = call
    for agent in floor.agents.values():
        mine = [key for key in agent.own_lanes if key[0] == queue.id]
        if queue.id in agent.memberships or mine:
            lane_membership.take_agent_out(agent)
            agent.lanes_on.clear()
            for key in mine:
                del agent.own_lanes[key]
            floor.mark_changed(agent)
    queue.lanes.clear()


def _keys(values: Mapping[str, _Value], names: Mapping[str, str]) -> dict[str, _Value]:
    """The same values in the same order, under new keys."""
    return {names.get(name, name): value for name, value in values.items()}


def _rename_deadline(
    deadlines: Deadlines, old: str | tuple[str, str], new: str | tuple[str, str]
) -> None:
    at = deadlines.at(old)
    if at is not None:
        deadlines.cancel(old)
        deadlines.set(new, at)
