"""Which calls and agents stand in which lanes.

`callrouter.core.index` keeps the order within a lane. Here lanes are made, and calls and agents are
put in and taken out, so that a call's `lanes`, an agent's `lanes` and the lanes themselves agree.
"""

from __future__ import annotations

from collections.abc import Iterator

from callrouter.core.floor import Floor
from callrouter.core.index.lanes import Lane, LaneKey, Where
from callrouter.core.index.pools import make_pool
from callrouter.core.state import Agent, Call, CallLane, Membership, Queue
from callrouter.policies import REGISTRY

# ---------------------------------------------------------------- lanes


def queue_lane(floor: Floor, queue: Queue, where: Where) -> CallLane:
    """Return a lane of a queue. It is made, with every available member, when first asked for."""
    lane = queue.lanes.get(where)
    if lane is None:
        key = LaneKey(*where)
        lane = queue.lanes[key] = _new_lane(floor, queue, key)
        for member in queue.members.values():
            member.agent.lanes_on.clear()
            if key.pbx in member.agent.open and admits(lane, member):
                lane.idle.add(member)
                member.agent.lanes += (lane,)
    return lane


def own_lane(floor: Floor, member: Membership, pbx: str) -> CallLane:
    """Return the lane of a queue's calls that prefer one agent.

    It is made when first asked for. The agent of `member` stands in it if they are available
    through `pbx`.
    """
    agent, where = member.agent, (member.queue.id, pbx)
    lane = agent.own_lanes.get(where)
    if lane is None:
        lane = _new_lane(floor, member.queue, LaneKey(pbx, member.escalation_step))
        agent.own_lanes[where] = lane
        agent.lanes_on.clear()
        if pbx in agent.open:
            lane.idle.add(member)
            agent.lanes += (lane,)
    return lane


def _new_lane(floor: Floor, queue: Queue, key: LaneKey) -> CallLane:
    policies = tuple(REGISTRY[name] for name in queue.spec.policy)
    return Lane(queue.id, key, make_pool(policies, dict(key.needs), floor.rng))


def all_lanes(floor: Floor) -> Iterator[CallLane]:
    """Every lane of every queue and agent.

    A lane exists only from the first call that needed it.
    """
    for queue in floor.queues.values():
        yield from queue.lanes.values()
    for agent in floor.agents.values():
        yield from agent.own_lanes.values()


def admits(lane: CallLane, member: Membership) -> bool:
    """Whether a member of the lane's queue belongs in it: by escalation step and by skills.

    The PBX of the lane is left to the caller of this function.
    """
    if member.escalation_step != lane.key.escalation_step:
        return False
    if not lane.needs:
        return True
    skills = member.agent.spec.skills
    return all(skills.get(skill, 0) >= level for skill, level in lane.needs.items())


# ---------------------------------------------------------------- agents


def lanes_through(agent: Agent, pbxes: tuple[str, ...]) -> tuple[CallLane, ...]:
    """The lanes of an agent who can be rung through these PBXes, among those made so far.

    The answer for one PBX is cached with the agent. `Agent.lanes_on` must be cleared when a lane is made
    or removed, or when the agent's memberships or skills change.
    """
    if len(pbxes) == 1:
        return _lanes_on(agent, pbxes[0])
    return tuple(lane for pbx in pbxes for lane in _lanes_on(agent, pbx))


def _lanes_on(agent: Agent, pbx: str) -> tuple[CallLane, ...]:
    """The agent's lanes on one PBX, among those that calls have created so far."""
    lanes = agent.lanes_on.get(pbx)
    if lanes is None:
        lanes = agent.lanes_on[pbx] = tuple(
            lane
            for membership in agent.memberships.values()
            for lane in membership.queue.lanes.values()
            if lane.key.pbx == pbx and admits(lane, membership)
        ) + tuple(lane for (_, where), lane in agent.own_lanes.items() if where == pbx)
    return lanes


def put_agent_in(agent: Agent, lanes: tuple[CallLane, ...]) -> None:
    """The agent, who stands in no lane, waits for a call in these.

    The lanes are those of `lanes_through`.

    Raises:
        KeyError: the agent is no member of the queue of one of the lanes.
    """
    agent.lanes = lanes
    memberships = agent.memberships
    for lane in lanes:
        lane.idle.add(memberships[lane.queue])


def take_agent_out(agent: Agent) -> None:
    """Remove the agent from every lane, because they are no longer available.

    Also clears `Agent.open`, so that both always agree.
    """
    for lane in agent.lanes:
        lane.idle.discard(agent.id)
    agent.lanes = ()
    agent.open = ()


# ---------------------------------------------------------------- calls


def put_call_in(call: Call, lanes: tuple[CallLane, ...]) -> None:
    """The call, which stands in no lane, wants agents of these.

    An agent who stands idle in one of them is not rung here; `matching` does that.
    """
    for lane in lanes:
        lane.line.add(call)
    call.lanes = lanes


def take_call_out(call: Call) -> None:
    """Remove the call from every lane: no more agents should be rung for it now.

    Phones that ring go on ringing, and the call keeps its place in the queue.
    """
    for lane in call.lanes:
        lane.line.remove(call)
    call.lanes = ()


def update_exclusions(call: Call) -> None:
    """Re-insert the call in its lanes after its excluded agents changed. Its position stays.

    A line keeps its calls by their excluded agents and reads them only on insertion, so every change of
    `Call.tried` or `Call.offers` of a call that stands in lanes must be followed by this.
    """
    for lane in call.lanes:
        lane.line.remove(call)
        lane.line.add(call)
