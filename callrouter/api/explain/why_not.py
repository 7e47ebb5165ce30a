"""The answer to ``why-not AGENT [QUEUE]``: why an agent is not being offered calls right now.

Only reads the floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from callrouter.api.calllog.agent_timelines import Standing
from callrouter.api.explain.explanation_text import lacking, standing_words, tried_words, values
from callrouter.api.json_values import phrases_json
from callrouter.api.schemas.why_answers import QueueReasonsJson, WhyNotJson
from callrouter.api.views.sight import EVERYTHING, Sight
from callrouter.core.agents import agent_availability, presence, unavailability_text
from callrouter.core.agents.agent_availability import Unavailable
from callrouter.core.calls.eligibility import preference
from callrouter.core.floor import Floor
from callrouter.core.index.pools import RankedAgent
from callrouter.core.matching import wanted
from callrouter.core.state import Agent, Call, CallState, Membership, Queue
from callrouter.model.agent_status import AgentStatus
from callrouter.model.text import counted, ordinal, rough_duration
from callrouter.policies import REGISTRY

CALLS: Final = 8
"""Waiting calls explained individually; the others are only counted."""
PBXES: Final = 5
"""PBXes named of which none can ring the agent; the others are only counted."""
AHEAD: Final = 3
"""Number of agents ahead of this one that are named."""


def explain_agent(
    floor: Floor, agent: Agent, queue: Queue | None, now: float, sight: Sight = EVERYTHING
) -> WhyNotJson:
    """Return why an agent is not rung, in all their visible queues or in one of them.

    An agent's token is told how many agents are ahead of its own, but not who they are.
    """
    own = list(_own(floor, agent, now))
    queues = [queue] if queue is not None else [m.queue for m in agent.memberships.values()]
    names = not sight.masked
    found = [
        _in_queue(floor, agent, item, now, names=names)
        for item in queues
        if sight.sees_queue(item.id)
    ]
    if not queues:
        own.append(f"{agent.id} is in no queue{_at_this_hour(floor, agent)}")
    summary = f"{agent.id} is not available" if own else f"{agent.id} is available"
    return {
        "agent": agent.id,
        "at": None,
        "call": None,
        "state": agent.status.state.value,
        "available": not own,
        "reasons": own,
        "reasons_phrases": phrases_json(own),
        "queues": found,
        "states": [],
        "decisions": [],
        "missing": [],
        "text": summary,
    }


# ---------------------------------------------------------------- the agent alone


def _own(floor: Floor, agent: Agent, now: float) -> Iterator[str]:
    """Yield the reasons unrelated to any call; none for an available agent."""
    reasons = agent_availability.unavailable_because(floor, agent)
    for reason in reasons:
        if reason is Unavailable.ENGAGED:
            yield from _held(agent, now)
        else:
            yield from unavailability_text.reason_lines(floor, agent, reason, now)
    if reasons and Unavailable.NO_PHONE not in reasons:
        # Some device could ring; also say why the others could not.
        yield from unavailability_text.device_lines(floor, agent, now)


def _held(agent: Agent, now: float) -> Iterator[str]:
    for offer in agent.offers.values():
        where = f"{offer.call.id} in {offer.call.queue.id}"
        if offer.talked_since is not None:
            yield f"on call {where} for {rough_duration(now - offer.talked_since)}"
        elif offer.winner is not None:
            yield f"has taken call {where}, which is being connected or ended"
        else:
            yield f"being rung for call {where}, for {rough_duration(now - offer.placed_at)}"
    if agent.spec.capacity > 1:
        yield f"takes {agent.spec.capacity} calls at once and has as many"


# ---------------------------------------------------------------- the agent in a queue


def _in_queue(
    floor: Floor, agent: Agent, queue: Queue, now: float, *, names: bool
) -> QueueReasonsJson:
    member = queue.members.get(agent.id)
    if member is None:
        return _view(queue, [_no_member(agent, queue, now)], member=False)
    waiting = queue.waiting.values()
    lines = list(_does_not_count(floor, agent, queue, now))
    lines += _not_from(floor, agent, now)
    if agent.open:
        if waiting:
            lines += _why_none(floor, member, waiting, now, names=names)
        elif queue.spec.hours is not None and not queue.spec.hours.on(now):
            lines.append(f"the queue is closed{_opens(queue, now)}; no caller waits")
        else:
            lines.append(f"no caller waits; {_place(member, now, names=names)}")
    elif waiting:
        lines.append(f"{counted(len(waiting), 'caller')} waiting")
    return _view(queue, lines, member=True)


def _not_from(floor: Floor, agent: Agent, now: float) -> Iterator[str]:
    """Yield the PBXes from which no phone of an agent can be rung: never, or not at present.

    What stands in the way at present is said of an available agent only; others have it among their
    own reasons.
    """
    spec = agent.spec
    if not spec.devices:
        return
    never = [pbx for pbx in sorted(floor.up) if next(spec.devices_on(pbx), None) is None]
    for pbx in never[:PBXES]:
        yield f"no phone of {agent.id} can be rung from {pbx}: none has an address there"
    if len(never) > PBXES:
        yield f"nor from {counted(len(never) - PBXES, 'more PBX', 'more PBXes')}"
    for pbx in sorted(floor.up.difference(agent.open, never))[:PBXES] if agent.open else ():
        troubles = [
            f"{device.id} {trouble}"
            for device in spec.devices
            if pbx in device.pbxes
            and (trouble := unavailability_text.trouble_text(floor, device, pbx, now))
        ]
        why = f": {'; '.join(troubles)}" if troubles else ""
        yield f"no phone of {agent.id} can be rung from {pbx} now{why}"


def _opens(queue: Queue, now: float) -> str:
    """Say when a closed queue opens; empty if unknown."""
    hours = queue.spec.hours
    at = hours.next_change(now) if hours is not None else None
    return f", and opens in {rough_duration(at - now)}" if at is not None else ""


def _does_not_count(floor: Floor, agent: Agent, queue: Queue, now: float) -> Iterator[str]:
    """Yield the PBXes whose callers leave by `on_nobody` despite this signed-in, unpaused agent."""
    if not presence.is_present(agent):
        return
    for pbx in sorted(floor.up):
        at = presence.unstaffed_at(queue, pbx)
        if at is not None:
            when = f"in {rough_duration(at - now)}" if at > now else "at once"
            why = f"no phone of {agent.id} or of another agent who is there can ring for them"
            yield f"callers on {pbx} leave {when} (on_nobody): {why}"


def _view(queue: Queue, lines: list[str], *, member: bool) -> QueueReasonsJson:
    return {
        "id": queue.id,
        "member": member,
        "waiting": len(queue.waiting),
        "reasons": [line for line in lines if line],
    }


def _at_this_hour(floor: Floor, agent: Agent) -> str:
    """Say that an agent who is a member of no queue now is one at other hours."""
    specs = [queue.spec for queue in floor.queues.values()]
    members = [item for spec in specs for item in spec.members]
    members += [item for spec in specs for shift in spec.shifts for item in shift.members]
    members += [item for spec in specs for step in spec.widen for item in step.members]
    return " at this hour" if any(item.agent == agent.id for item in members) else ""


def _no_member(agent: Agent, queue: Queue, now: float) -> str:
    """Say that the agent is not a member of the queue, or not at this hour."""
    spec = queue.spec
    usual = any(item.agent == agent.id for item in spec.members)
    shifts = [s for s in spec.shifts if any(item.agent == agent.id for item in s.members)]
    if usual:
        return f"not in {queue.id} at this hour: a shift has taken the place of its agents"
    if shifts:
        at = min((t for s in shifts if (t := s.hours.next_change(now))), default=None)
        when = f", in {rough_duration(at - now)} at the earliest" if at is not None else ""
        return f"in {queue.id} only during a shift that is not on{when}"
    return f"not an agent of {queue.id}"


def _why_none(
    floor: Floor, member: Membership, waiting: list[Call], now: float, *, names: bool
) -> list[str]:
    lines = []
    for call in waiting[:CALLS]:
        found = reason(floor, call, member, now, names=names)
        lines.append(f"{call.id} waits: {found[1] if found else 'about to be rung'}")
    more = len(waiting) - CALLS
    return [*lines, f"and {counted(more, 'more caller')}"] if more > 0 else lines


def _place(member: Membership, now: float, *, names: bool) -> str:
    """Say where an available agent stands in the queue's order, and who or how many are ahead.

    Agents of the same escalation step who can be rung on the same PBX (the first of the agent's)
    are compared. If a policy draws, only those with a better rank are ahead: chance decides among
    equals.

    Args:
        member: of an available agent: at least one PBX can ring it.
        now: the time of the request.
        names: whether other agents may be named.
    """
    agent, queue = member.agent, member.queue
    pbx = agent.open[0]
    there = [
        m
        for m in queue.members.values()
        if pbx in m.agent.open and m.escalation_step == member.escalation_step
    ]
    policies = [REGISTRY[name] for name in queue.spec.policy]
    draws = next((n for n, policy in enumerate(policies) if policy.draws), None)
    ranked = policies if draws is None else policies[: draws + 1]

    def place(one: Membership) -> RankedAgent:
        ranks = tuple(policy.rank(one, queue.spec.skills) for policy in ranked)
        return (ranks, one.idle_since if draws is None else 0.0, one.agent.id)

    places = sorted(place(one) for one in there)
    mine = place(member)
    total = f"{len(there)} available in {queue.id}"
    later = ""
    if member.escalation_step:
        after = rough_duration(queue.spec.widen[member.escalation_step - 1].after)
        later = f" (open to calls that have waited {after})"
    if len(there) == 1:
        return f"the only one available in {queue.id}{later}: would be rung for the next call"
    ahead = [one for one in places if (one[0], one[1]) < (mine[0], mine[1])]
    if draws is not None:
        equals = sum(one[0] == mine[0] for one in places)
        if not ahead:
            return f"one of {equals} equals of {total}{later}: chance decides"
    else:
        ahead = places[: places.index(mine)]
    if not ahead:
        return f"1st of {total}{later}: would be rung for the next call"
    verb = "is" if len(ahead) == 1 else "are"
    if not names:
        return f"{ordinal(len(ahead) + 1)} of {total}{later}: {counted(len(ahead), 'other')} {verb} before"
    before = ", ".join(
        f"{name} ({values(queue.spec.policy, ranks, now - queue.members[name].idle_since)})"
        for ranks, _, name in ahead[-AHEAD:]
    )
    and_more = f" and {len(ahead) - AHEAD} more" if len(ahead) > AHEAD else ""
    own = values(queue.spec.policy, mine[0], now - member.idle_since)
    return f"{ordinal(len(ahead) + 1)} of {total}{later} ({own}): {before}{and_more} {verb} before"


# ---------------------------------------------------------------- an agent and a call


def reason(
    floor: Floor, call: Call, member: Membership, now: float, *, names: bool = True
) -> tuple[str, str] | None:
    """Return why a waiting call does not ring a member now: a stable keyword, and words.

    None: there is no reason, so it is about to ring. `names`: other agents may be named.
    """
    agent = member.agent
    if agent.id in call.offers:
        return "ringing", "being rung for this call"
    if not agent.open:
        return _away(floor, agent, now)
    both = _of_both(floor, call, member, now)
    return both or _of_the_call(floor, call, member, now, names=names)


def _away(floor: Floor, agent: Agent, now: float) -> tuple[str, str]:
    status = agent_availability.status_of(floor, agent)
    if status is AgentStatus.WRAP_UP and agent.wrap_until is not None:
        return "wrap-up", f"in wrap-up for {rough_duration(agent.wrap_until - now)} more"
    if status is AgentStatus.AVAILABLE:
        return "unknown", "changing just now"
    return standing_words(Standing(status, agent.pause or ""))


def _of_the_call(
    floor: Floor, call: Call, member: Membership, now: float, *, names: bool
) -> tuple[str, str] | None:
    """Return a reason that applies to every agent alike."""
    if call.state is not CallState.WAITING:
        return "later", f"this call is {call.state.value}"
    if call.pbx not in floor.up:
        return "other-pbx", f"{call.pbx} is not connected"
    if call.expired:
        return "later", "this call has waited for its time and is about to leave"
    kept = preference(floor, call)
    if kept is not None and kept.agent is not member.agent:
        until = floor.timers.prefer.at(call.id)
        more = f" for {rough_duration(until - now)} more" if until is not None else ""
        return "preferred", f"kept for {kept.agent.id if names else 'another agent'}{more}"
    if wanted(call) <= 0:
        phones = counted(len(call.offers), "agent is", "agents are")
        return "later", f"{phones} being rung, and at_once is {call.at_once}"
    return None


def _of_both(floor: Floor, call: Call, member: Membership, now: float) -> tuple[str, str] | None:
    """Return a reason that applies to this call and this agent."""
    agent = member.agent
    if call.pbx not in agent.open:
        return "other-pbx", f"no phone of {agent.id} can be rung from {call.pbx}"
    if agent.id in call.tried:
        again = floor.timers.retry.at(call.id)
        when = f" (goes round again in {rough_duration(again - now)})" if again is not None else ""
        if not when:
            when = " (goes round again when all others have been tried)"
        return "tried", tried_words(None) + when
    if member.escalation_step > call.escalation_step:
        after = member.queue.spec.widen[member.escalation_step - 1].after
        left = rough_duration(call.queued_at + after - now)
        return (
            "opens-later",
            f"opens to {agent.id} after {rough_duration(after)} of waiting (in {left})",
        )
    lack = lacking(call.needs, agent.spec.skills)
    return ("skills", lack) if lack else None
