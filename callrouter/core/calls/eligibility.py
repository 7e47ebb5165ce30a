"""To which agents a waiting call may be offered by now: escalation, skills, preferred agent."""

from __future__ import annotations

from callrouter.core import lane_membership
from callrouter.core.floor import Floor
from callrouter.core.index.lanes import NO_NEEDS, NeedsKey
from callrouter.core.state import Call, CallLane, Membership, Queue
from callrouter.model.routing_table import ALL_AT_ONCE

REMEMBERED = 100_000
"""Number of callers whose last agent is remembered. The oldest are forgotten first."""


def open_up(floor: Floor, call: Call) -> None:
    """Determine what the wait has opened so far, and arm the next escalation step.

    Times count from the entry into the queue.
    """
    spec = call.queue.spec
    at_once = ALL_AT_ONCE if spec.at_once is None else spec.at_once
    needs = {**spec.skills, **call.skills} if spec.skills or call.skills else {}
    call.escalation_step = 0
    for step in spec.widen:
        if call.queued_at + step.after > floor.now:
            floor.timers.widen.set(call.id, call.queued_at + step.after)
            break
        call.escalation_step += 1
        at_once = at_once if step.at_once is None else step.at_once
        needs.update(step.skills or {})
    else:
        floor.timers.widen.cancel(call.id)
    call.at_once = min(at_once, _reach(floor, call))
    call.needs = needs_key(needs)


def _reach(floor: Floor, call: Call) -> int:
    """How many phones the PBX can start to ring before the first one rings out.

    More offers than that would hold agents for a call that others take in the meantime. Each agent
    is rung when their turn has come.
    """
    pace = floor.paces.get(call.pbx)
    if pace is None or call.queue.spec.dial:
        return ALL_AT_ONCE
    return max(1, int(pace * call.queue.spec.ring_for))


def needs_key(needs: dict[str, int]) -> NeedsKey:
    """Skills as part of a lane's key. A level of 0 requires nothing."""
    if not needs:
        return NO_NEEDS
    return frozenset([(skill, level) for skill, level in needs.items() if level > 0])


def lanes_of(floor: Floor, call: Call) -> tuple[CallLane, ...]:
    """The lanes a call belongs in now.

    That is the preferred agent's own lane while the call waits for that agent. Otherwise it is one lane
    for each escalation step reached: agents who were there from the start come in the lane of step 0.
    """
    if call.first_agent:
        preferred = preference(floor, call)
        if preferred is not None:
            return (lane_membership.own_lane(floor, preferred, call.pbx),)
    queue = call.queue
    if not call.escalation_step:
        return (lane_membership.queue_lane(floor, queue, (call.pbx, 0, call.needs)),)
    return tuple(
        lane_membership.queue_lane(floor, queue, (call.pbx, escalation_step, call.needs))
        for escalation_step in range(call.escalation_step + 1)
    )


def preference(floor: Floor, call: Call) -> Membership | None:
    """The one agent a call is reserved for: signed in, not tried, for at most `prefer_for` seconds.

    An agent whose offer is shared is no longer waited for.
    """
    if not call.first_agent or call.first_agent in call.tried:
        return None
    if call.has_shared_offers:
        offer = call.offers.get(call.first_agent)
        if offer is not None and offer.shared:
            return None
    if floor.now >= call.queued_at + call.queue.spec.prefer_for:
        return None
    member = call.queue.members.get(call.first_agent)
    if member is None or not member.agent.signed_in or member.agent.pause is not None:
        return None
    return member


def prefer(floor: Floor, call: Call) -> None:
    """A call joins a queue: determine the agent it prefers, and arm the end of that preference.

    An agent named by the dialplan or a rule comes before the one the caller last talked to.
    """
    spec = call.queue.spec
    if not call.first_agent and spec.last_agent is not None and call.caller_number:
        agent, until = floor.last_talks.get((call.queue.id, call.caller_number), ("", 0.0))
        if agent and floor.now <= until + spec.last_agent:
            call.first_agent = agent
    if call.first_agent and spec.prefer_for > 0:
        floor.timers.prefer.set(call.id, call.queued_at + spec.prefer_for)


def remember(floor: Floor, queue: Queue, number: str, agent: str) -> None:
    """Remember the agent a caller talked to, for queues with `last_agent`.

    Args:
      floor: the state of the core.
      queue: the queue of the call.
      number: the caller's number in canonical form; a withheld number is not remembered.
      agent: the agent's id.
    """
    if queue.spec.last_agent is None or not number:
        return
    key = (queue.id, number)
    floor.last_talks.pop(key, None)
    floor.last_talks[key] = (agent, floor.now)
    if len(floor.last_talks) > REMEMBERED:
        floor.last_talks.popitem(last=False)
