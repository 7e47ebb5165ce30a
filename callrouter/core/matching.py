"""Bringing waiting calls and available agents together, at the end of every step.

Work per step grows with the number of the touched agents' queues and with the logarithm of idle
agents and waiting calls; nobody is looked at who is not at the front of a line.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from callrouter.core import agents, calendar, calls, legs, waiting
from callrouter.core.pools import Entry
from callrouter.core.state import Agent, AgentState, Call, CallState, Floor, Membership, Queue
from callrouter.core.timers import Key, Timer
from callrouter.model.commands import Decided, Happened, Result
from callrouter.model.table import KeepWaiting

if TYPE_CHECKING:
    from callrouter.core.lanes import Lane

Rank: TypeAlias = tuple[float, float, float, int]

SHOWN = 5
"""Candidates that a decision keeps for people to read where a call stands in several lanes."""


def settle(floor: Floor) -> None:
    """Act on all that this step has changed, until nothing more follows from it.

    It ends: a turn of the loop is caused by an offer placed, which uses up one of the finitely many
    free hands and frees none, or by a call that moved on to a queue it had not been in.
    """
    waits: dict[str, Call] = {}
    while floor.emptied or floor.hungry or floor.freed:
        if floor.emptied:
            for queue in floor.emptied.values():
                floor.hungry |= {call.id: call for call in queue.waiting.values()}
            floor.emptied = {}
        callers: list[Call] = []
        if floor.hungry:
            hungry, floor.hungry = floor.hungry, {}
            waits |= hungry
            callers = [call for call in hungry.values() if _stand_in_lane(floor, call)]
        freed, floor.freed = floor.freed, {}
        if len(freed) == 1 and not callers:
            (agent,) = freed.values()
            _one_agent(floor, agent)
        elif freed:
            _many(floor, freed.values(), callers)
        elif len(callers) == 1:
            _ring_for(floor, callers[0])
        else:
            for call in sorted(callers, key=lambda call: call.rank):
                _ring_for(floor, call)
    for call in waits.values():
        _start_retry_pause(floor, call)


def wanted(call: Call) -> int:
    """How many more agents should ring for a call; a large number for all of them."""
    return call.at_once - len(call.offers)


def nobody_serves(queue: Queue) -> bool:
    """Whether a queue sends its callers away because no agent is there to wait for."""
    return queue.present == 0 and not isinstance(queue.spec.on_nobody, KeepWaiting)


def _stand_in_lane(floor: Floor, call: Call) -> bool:
    """Put a call in line, or take it out, as it wants agents or not; True if it stands there."""
    if call.state is not CallState.WAITING:
        return False
    if call.pbx not in floor.up:
        calls.leave_lane(call)
        return False
    spec = call.queue.spec
    if not call.offers:
        if call.expired:
            calls.go(floor, call, spec.on_max_wait, Result.TIMEOUT)
            return False
        if nobody_serves(call.queue):
            calls.go(floor, call, spec.on_nobody, Result.NOBODY)
            return False
    if call.expired or wanted(call) <= 0:
        calls.leave_lane(call)
        return False
    lanes = waiting.lanes_of(floor, call)
    if call.lanes != lanes:
        calls.leave_lane(call)
        for lane in lanes:
            lane.line.add((call.key, call))
        call.lanes = lanes
    return True


def _one_agent(floor: Floor, agent: Agent) -> None:
    """The common case: one agent has become free, and takes the best call over all their queues."""
    _look_again(floor, agent)
    lanes = agents.lanes_through(agent, agent.open)
    best: Call | None = None
    for lane in lanes:
        if lane.line:
            call = lane.best_call(agent.id)
            if call is not None and (best is None or call.rank < best.rank):
                best = call
    if best is None or not _place(floor, best, agent, lanes):
        _stand_idle(agent, lanes)


def _many(floor: Floor, freed: Iterable[Agent], callers: Iterable[Call]) -> None:
    """Several at once: the first call over all touched lanes chooses its agent, then the next.

    The heap may hold a lane at an earlier rank than it has by now, as agents are taken; never at a
    later one. So a lane that still has the rank it was put in with is the first.
    """
    touched: dict[int, Lane] = {}
    for agent in freed:
        _look_again(floor, agent)
        _stand_idle(agent, agents.lanes_through(agent, agent.open))
        touched |= {id(lane): lane for lane in agent.lanes}
    touched |= {id(lane): lane for call in callers for lane in call.lanes}
    heads: list[tuple[Rank, int, Lane]] = []
    for number, lane in enumerate(touched.values()):
        _push(heads, number, lane)
    while heads:
        rank, number, lane = heappop(heads)
        call = _head(lane)
        if call is not None and (call.rank > rank or _ring_for(floor, call)):
            _push(heads, number, lane)


def _push(heads: list[tuple[Rank, int, Lane]], number: int, lane: Lane) -> None:
    head = _head(lane)
    if head is not None:
        heappush(heads, (head.rank, number, lane))


def _head(lane: Lane) -> Call | None:
    """The first call in line for which an agent stands idle."""
    if lane.idle:
        for _, call in lane.line:
            if lane.idle.has(_passed(call)):
                return call
    return None


def _passed(call: Call) -> set[str]:
    """The agents who are not to be rung for a call now: tried, or ringing already."""
    return call.tried | call.offers.keys() if call.offers else call.tried


def _ring_for(floor: Floor, call: Call) -> bool:
    """Ring as many agents as a call wants and can have; True if any."""
    passed = set(_passed(call))
    rang = False
    while call.lanes and wanted(call) > 0:
        member = _first_choice(call, passed) or _choose(floor, call, passed)
        if member is None or not _place(floor, call, member.agent):
            break
        passed.add(member.agent.id)
        rang = True
    return rang


def _first_choice(call: Call, passed: Collection[str]) -> Membership | None:
    """The agent that the call prefers, if available."""
    if not call.first_agent:
        return None
    member = call.queue.members.get(call.first_agent)
    if member is None or call.pbx not in member.agent.open or member.agent.id in passed:
        return None
    return member


def _choose(floor: Floor, call: Call, passed: Collection[str]) -> Membership | None:
    """The first agent over all the lanes that a call stands in; equals are drawn by their number."""
    if len(call.lanes) == 1:
        return call.lanes[0].idle.first(passed)
    fronts = [
        (front, lane) for lane in call.lanes if (front := lane.idle.front(passed)) is not None
    ]
    if not fronts:
        return None
    best = min(front.key for front, _ in fronts)
    equal = [(front.chances, lane) for front, lane in fronts if front.key == best]
    at = floor.dice.randrange(sum(chances for chances, _ in equal)) if len(equal) > 1 else 0
    for chances, lane in equal:
        if at < chances:
            return lane.idle.first(passed)
        at -= chances
    return None


def _place(floor: Floor, call: Call, agent: Agent, freed: Collection[Lane] = ()) -> bool:
    """Ring an agent for a call, and take the call out of line if it wants no one else.

    `freed` are the lanes of an agent who became free and takes the call; none if the call chose.
    """
    waiting_there = available = drawn = 0
    for lane in freed or call.lanes:
        waiting_there += len(lane.line)
        available += len(lane.idle)
    preferred = agent.id == call.first_agent
    ranked: tuple[Entry, ...] = ()
    if not freed:
        ranked = _ranked(call)
        drawn = 0 if preferred else _drawn(call)
    member = call.queue.members[agent.id]
    offer = legs.place(floor, call, member)
    if offer is not None:
        floor.out.append(
            Decided(
                at=floor.now,
                call=call.id,
                queue=call.queue.id,
                agent=agent.id,
                offer=offer.id,
                policy=call.queue.spec.policy,
                available=1 if freed else available,
                ranked=ranked,
                waiting=waiting_there,
                waited=floor.now - call.entered_at,
                tried=tuple(call.tried),
                by_agent=bool(freed),
                preferred=preferred,
                drawn=drawn,
                needs=call.needs,
                tier=call.tier,
            )
        )
    if wanted(call) <= 0:
        calls.leave_lane(call)
    return offer is not None


def _ranked(call: Call) -> tuple[Entry, ...]:
    """The first few that a call could choose from; sorted by who reads it."""
    if len(call.lanes) == 1:
        return call.lanes[0].idle.glance()
    return tuple(sorted(place for lane in call.lanes for place in lane.idle.top(SHOWN))[:SHOWN])


def _drawn(call: Call) -> int:
    """How many chances there are in the draw; 0 where the policy leaves nothing to chance."""
    passed = _passed(call)
    if len(call.lanes) == 1:
        return call.lanes[0].idle.chances(passed)
    if not any(lane.idle.chances(passed) for lane in call.lanes):
        return 0
    fronts = [front for lane in call.lanes if (front := lane.idle.front(passed)) is not None]
    best = min(front.key for front in fronts)
    return sum(front.chances for front in fronts if front.key == best)


def _look_again(floor: Floor, agent: Agent) -> None:
    """Take an agent out of where they stood and see whether they are available now."""
    if agent.open:
        agents.leave_lanes(agent)
    agent.open = agents.available_through(floor, agent)
    if floor.paces:
        paces = [floor.paces[pbx] for pbx in agent.open if pbx in floor.paces]
        agent.offers_per_second = min(paces, default=math.inf)
    agent.busy_share = calendar.share(floor, agent) if agent.busy else 0.0
    shown = AgentState.AVAILABLE if agent.open and not agent.offers else agents.state(floor, agent)
    if shown is not agent.shown:
        agent.shown = shown
        agent.since = floor.now if agent.before is None else _since(floor, agent)
        why = agent.pause if shown is AgentState.PAUSED else ""
        if shown is AgentState.OFFLINE:
            why = "no phone can ring" if agent.signed_in else "signed out"
        elif shown is AgentState.ON_CALL and not agent.offers:
            why = "private call"
        floor.record(Happened.STATE, agent=agent.id, detail=(shown.value, why or ""))


def _since(floor: Floor, agent: Agent) -> float:
    """Since when the agent is what they are, shortly after a restart."""
    before, agent.before = agent.before, None
    if before is not None and before[0] is agent.shown:
        return before[1]
    if agent.shown is not AgentState.AVAILABLE:  # it may yet turn out to be as before
        agent.before = before
    return floor.now


def _stand_idle(agent: Agent, lanes: tuple[Lane, ...]) -> None:
    """The agent waits for a call."""
    agent.lanes = lanes
    memberships = agent.memberships
    for lane in lanes:
        lane.idle.add(memberships[lane.queue])


def _start_retry_pause(floor: Floor, call: Call) -> None:
    """Everyone who could be rung has been: wait `retry_after`, then go round again."""
    if call.lanes and call.tried and not call.offers:
        key = Key(Timer.RETRY, call.id)
        if floor.timers.at(key) is None:
            floor.set_timer(key, call.failed_at + call.queue.spec.retry_after)


def look_at_everyone(floor: Floor) -> None:
    """Take nothing for granted: every agent and every call is gone over in the next step."""
    floor.freed |= floor.agents
    floor.hungry |= floor.calls
