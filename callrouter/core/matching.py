"""Matches waiting calls with available agents at the end of every event.

The work per event grows with the number of queues of the agents involved, and with the logarithm of
idle agents and waiting calls. Only the front of each line is examined.

Why no call waits beside an agent who may take it, although most calls and agents are not looked at:
between two events no lane has both a call and an idle agent who may be rung for it. Such a pair can
only come about if one of the two changes. Whatever changes an agent names them in
`Floor.changed_agents`, whatever changes a call names it in `Floor.unmatched_calls`, and what changes
with time alone (an escalation step, a shift, a cooldown, the end of a wrap-up) has a deadline that
does the same. So it is enough to look at the lanes of what is named: a pair of an agent and a call
that are both unnamed was impossible before, and is still. `invariants.served` checks this after
every event of the tests, from scratch and without the lanes.

Why the front of a line is enough: a line is sorted by rank, over all lanes alike. The first call of a
lane for which an agent is idle comes before every other call that this agent could take there. So
the lowest rank among the fronts belongs to the call that is next by the rules (weight of the queue,
priority, first entry), and no later call overtakes it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from heapq import heappop, heappush

from callrouter.core import clock_changes, lane_membership
from callrouter.core.agents import agent_availability, presence
from callrouter.core.calls import eligibility, queueing
from callrouter.core.floor import Floor
from callrouter.core.index import pools
from callrouter.core.index.exclusions import RankedCall
from callrouter.core.offers import ringing
from callrouter.core.state import CALL_WAITING, Agent, Call, CallLane, Membership, Queue
from callrouter.model.agent_status import AGENT_AVAILABLE, AgentStatus
from callrouter.model.call_notices import OfferDecided
from callrouter.model.commands import Result
from callrouter.model.notices import AgentStatusChanged

LONGEST_PAUSE = 60.0
"""Longest pause in seconds between rounds for a caller whose conversations end at once.

The pause doubles with each failure up to this limit.
"""

SHOWN = 5
"""Number of candidates recorded with a decision when a call stands in several lanes."""


def settle(floor: Floor) -> None:
    """Act on everything this event has changed, until nothing more follows from it.

    This terminates. Another pass is caused either by a new offer, which uses one of finitely many
    units of free capacity and releases none, or by a call that moved on to a queue it had not been
    in.
    """
    waits: dict[str, Call] = {}
    while (
        floor.changed_agents
        or floor.unmatched_calls
        or floor.unstaffed_queues
        or floor.recount_presence
    ):
        if floor.recount_presence:
            presence.recount(floor)
        callers = _callers(floor, waits) if floor.unmatched_calls or floor.unstaffed_queues else []
        freed = floor.changed_agents
        if not freed:
            for call in sorted(callers, key=_rank) if len(callers) > 1 else callers:
                _ring_for(floor, call)
        elif len(freed) == 1 and not callers:
            _one_agent(floor, freed.popitem()[1])
        else:
            floor.changed_agents = {}
            _many(floor, freed.values(), callers)
    for call in waits.values():
        _start_retry_pause(floor, call)


def _callers(floor: Floor, waits: dict[str, Call]) -> list[Call]:
    """The touched calls that now stand in a lane. All touched calls are added to `waits`."""
    if floor.unstaffed_queues:
        for queue in floor.unstaffed_queues.values():
            floor.unmatched_calls |= {call.id: call for call in queue.waiting.values()}
        floor.unstaffed_queues = {}
    unmatched_calls, floor.unmatched_calls = floor.unmatched_calls, {}
    waits |= unmatched_calls
    return [call for call in unmatched_calls.values() if _update_lanes(floor, call)]


def _rank(call: Call) -> tuple[float, float, float, int]:
    return call.rank


def wanted(call: Call) -> int:
    """How many more agents should ring for a call.

    A large number means all of them; 0 or less, none.
    """
    return call.at_once - holding_back(call)


def holding_back(call: Call) -> int:
    """How many of a call's offers keep it from other agents. Shared offers do not count."""
    offers = call.offers
    if not call.has_shared_offers or not offers:
        return len(offers)
    return sum([not offer.shared for offer in offers.values()])


def abandoned(queue: Queue) -> bool:
    """Whether a queue was removed with all of its agents, so that its calls would wait forever."""
    return queue.gone and not queue.members


def _update_lanes(floor: Floor, call: Call) -> bool:
    """Put a call into its lanes or take it out, as its state requires. Returns True if it is in.

    A caller also leaves the queue here, once nothing rings for them and a limit is reached. The place
    is right because every way in which an offer ends names its call in `Floor.unmatched_calls`: a limit
    that was reached while a phone rang is noticed in the event that ends the last offer.
    """
    if call.state is not CALL_WAITING:
        return False
    if call.pbx not in floor.up:
        lane_membership.take_call_out(call)
        return False
    spec = call.queue.spec
    if not call.offers:  # a ringing phone may still be answered, so no limit applies yet
        if call.expired:
            queueing.leave_queue(floor, call, spec.on_max_wait, Result.TIMEOUT)
            return False
        if presence.unstaffed(floor, call):
            queueing.leave_queue(floor, call, spec.on_nobody, Result.NOBODY)
            return False
        if abandoned(call.queue):
            queueing.leave_queue(floor, call, spec.on_closed, Result.CLOSED)
            return False
    if call.expired or wanted(call) <= 0:
        lane_membership.take_call_out(call)
        return False
    lanes = eligibility.lanes_of(floor, call)
    if call.lanes == lanes:
        lane_membership.update_exclusions(call)  # the agents excluded for it may have changed
        return True
    lane_membership.take_call_out(call)
    lane_membership.put_call_in(call, lanes)
    return True


def _one_agent(floor: Floor, agent: Agent) -> None:
    """The common case: one agent has become free and takes the best call over all their queues."""
    _reevaluate(floor, agent)
    if not agent.open:
        return
    # No other agent has changed and no call has, so nothing else can have become possible: the best
    # call for this agent is all that has to be found. An agent with capacity left for a second call
    # comes back here, because `ringing.reserve` marks them as changed.
    lanes = lane_membership.lanes_through(agent, agent.open)
    best: RankedCall[Call] | None = None
    for lane in lanes:
        first = lane.line.first_for(agent.id)
        if first is not None and (best is None or first < best):
            best = first
    if best is None or not _make_offer(floor, best[-1], agent, lanes):
        lane_membership.put_agent_in(agent, lanes)
    elif best[-1].lanes:
        lane_membership.update_exclusions(best[-1])


def _many(floor: Floor, freed: Iterable[Agent], callers: Iterable[Call]) -> None:
    """Several at once: the first call over all touched lanes chooses its agent, then the next one.

    The heap is ordered by the rank that each lane's first call had when the lane was pushed. As
    agents are taken, a lane's first call can only get a later rank, never an earlier one. So a lane
    that still has the rank it was pushed with is really first; any other is pushed again.
    """
    touched: dict[int, CallLane] = {}
    for agent in freed:
        _reevaluate(floor, agent)
        lane_membership.put_agent_in(agent, lane_membership.lanes_through(agent, agent.open))
        touched |= {id(lane): lane for lane in agent.lanes}
    touched |= {id(lane): lane for call in callers for lane in call.lanes}
    heads: list[tuple[RankedCall[Call], int, CallLane]] = []
    for number, lane in enumerate(touched.values()):
        _push(heads, number, lane)
    while heads:
        put_in, number, lane = heappop(heads)
        head = _head(lane)
        # If no phone could be rung after all, the lane is dropped: the same call would come up again.
        if head is not None and (head > put_in or _ring_for(floor, head[-1])):
            _push(heads, number, lane)


def _push(heads: list[tuple[RankedCall[Call], int, CallLane]], number: int, lane: CallLane) -> None:
    head = _head(lane)
    if head is not None:
        heappush(heads, (head, number, lane))


def _head(lane: CallLane) -> RankedCall[Call] | None:
    """The first call in the lane for which an agent is idle."""
    return lane.line.first_of(lane.idle) if lane.idle else None


def _ring_for(floor: Floor, call: Call) -> bool:
    """Ring as many agents as a call wants and can have. Returns True if any ring."""
    if not call.first_agent and not _anyone(call.lanes):
        return False
    # The lines keep calls by their excluded agents, and are told of the new ones only at the end, in
    # one step. Until then this copy has them, so no agent is chosen twice.
    excluded = set(call.excluded())
    rang = False
    while call.lanes and wanted(call) > 0:
        member = _first_choice(call, excluded) or _choose(floor, call, excluded)
        if member is None or not _make_offer(floor, call, member.agent):
            break
        excluded.add(member.agent.id)
        rang = True
    if rang and call.lanes:
        lane_membership.update_exclusions(call)
    return rang


def _anyone(lanes: tuple[CallLane, ...]) -> bool:
    for lane in lanes:  # noqa: SIM110 - for the one lane that most calls stand in, faster than `any`
        if lane.idle:
            return True
    return False


def _first_choice(call: Call, excluded: Collection[str]) -> Membership | None:
    """The agent the call prefers, if available."""
    if not call.first_agent:
        return None
    member = call.queue.members.get(call.first_agent)
    if member is None or call.pbx not in member.agent.open or member.agent.id in excluded:
        return None
    return member


def _choose(floor: Floor, call: Call, excluded: Collection[str]) -> Membership | None:
    """The best agent over all lanes of a call. Equal ones are drawn, weighted by their chances.

    The draw first picks a lane by the chances of its front and then an agent within it. Each agent
    is thus drawn with the same probability as from one merged lane.
    """
    if len(call.lanes) == 1:
        return call.lanes[0].idle.first(excluded)
    fronts = [
        (front, lane) for lane in call.lanes if (front := lane.idle.front(excluded)) is not None
    ]
    if not fronts:
        return None
    best = min(front.key for front, _ in fronts)
    equal = [(front.chances, lane) for front, lane in fronts if front.key == best]
    at = floor.rng.randrange(sum(chances for chances, _ in equal)) if len(equal) > 1 else 0
    for chances, lane in equal:
        if at < chances:
            return lane.idle.first(excluded)
        at -= chances
    return None


def _make_offer(floor: Floor, call: Call, agent: Agent, lanes: Collection[CallLane] = ()) -> bool:
    """Ring an agent for a call, and take the call out of its lanes if it wants no more.

    `lanes` holds the lanes of an agent who became free and takes the call. It is empty if the call
    chose the agent.
    """
    waiting_there = available = drawn = 0
    for lane in lanes or call.lanes:
        waiting_there += len(lane.line)
        available += len(lane.idle)
    preferred = agent.id == call.first_agent
    ranked: tuple[pools.RankedAgent, ...] = ()
    if not lanes:
        ranked = _ranked(call)
        drawn = 0 if preferred else _drawn(call)
    member = call.queue.members[agent.id]
    offer = ringing.make_offer(floor, call, member)
    if offer is not None:
        floor.publish(
            OfferDecided(
                at=floor.now,
                call=call.id,
                queue=call.queue.id,
                agent=agent.id,
                offer=offer.id,
                policy=call.queue.spec.policy,
                available=1 if lanes else available,
                ranked=ranked,
                waiting=waiting_there,
                waited_s=floor.now - call.queued_at,
                tried=tuple(call.tried),
                by_agent=bool(lanes),
                preferred=preferred,
                drawn=drawn,
                needs=call.needs,
                escalation_step=call.escalation_step,
            )
        )
    if wanted(call) <= 0:
        lane_membership.take_call_out(call)
    return offer is not None


def _ranked(call: Call) -> tuple[pools.RankedAgent, ...]:
    """The first few candidates of the call, as recorded in the decision. Readers sort them."""
    if len(call.lanes) == 1:
        return call.lanes[0].idle.glance()
    return tuple(sorted(place for lane in call.lanes for place in lane.idle.top(SHOWN))[:SHOWN])


def _drawn(call: Call) -> int:
    """The number of chances in the draw; 0 if the policy leaves nothing to chance."""
    excluded = call.excluded()
    if len(call.lanes) == 1:
        return call.lanes[0].idle.chances(excluded)
    if not any(lane.idle.chances(excluded) for lane in call.lanes):
        return 0
    fronts = [front for lane in call.lanes if (front := lane.idle.front(excluded)) is not None]
    best = min(front.key for front in fronts)
    return sum(front.chances for front in fronts if front.key == best)


def _reevaluate(floor: Floor, agent: Agent) -> None:
    """Take an agent out of the lanes and determine whether they are available now."""
    if agent.open:
        lane_membership.take_agent_out(agent)
    agent.busy_share = clock_changes.share(floor, agent) if agent.busy else 0.0
    agent.open, status = agent_availability.evaluate(floor, agent)
    before, agent.status = agent.status, status
    if floor.paces:
        paces = [floor.paces[pbx] for pbx in agent.open if pbx in floor.paces]
        agent.offers_per_second = min(paces, default=math.inf)
    if status.state is not before.state:
        floor.changed_rows[agent.id] = None
        agent.since = floor.now if agent.before is None else _since(floor, agent)
        reason = agent.pause or "" if status is AgentStatus.PAUSED else ""
        floor.publish(
            AgentStatusChanged(at=floor.now, agent=agent.id, status=status, pause_reason=reason)
        )


def _since(floor: Floor, agent: Agent) -> float:
    """The time since which the agent has had this state, shortly after a restart."""
    before, agent.before = agent.before, None
    if before is not None and before[0] is agent.status.state:
        return before[1]
    if agent.status is not AGENT_AVAILABLE:  # the earlier state may still come back
        agent.before = before
    return floor.now


def _start_retry_pause(floor: Floor, call: Call) -> None:
    """Every agent who could be rung has been: wait `retry_after`, then start another round."""
    if not call.tried or not call.lanes or holding_back(call):
        return
    if floor.timers.retry.at(call.id) is None:
        pause = call.queue.spec.retry_after
        # The fault is on the caller's line: do not keep ringing agents for it.
        if len(call.dropped_by) > 1:
            pause = max(pause, min(LONGEST_PAUSE, 2.0 ** min(call.drops, 10)))
        again = call.failed_at + pause
        floor.timers.retry.set(call.id, again)


def reevaluate_all(floor: Floor) -> None:
    """Re-evaluate every agent and every call at the end of this event.

    After a fault the indexes may miss a change. This finds it again, at the cost of one slow event.
    """
    floor.changed_agents |= floor.agents
    floor.unmatched_calls |= floor.calls
