"""The answer to ``why-not AGENT [QUEUE]``: why an agent is not being offered calls right now.

Only reads the floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from callrouter.api.calllog.agent_timelines import Standing
from callrouter.api.explain.explanation_text import lacking, standing_words
from callrouter.api.explain.outcome_names import RESULTS
from callrouter.api.explain.queue_order import place_words
from callrouter.api.json_values import phrase_json, phrases_json
from callrouter.api.schemas.why_answers import QueueReasonsJson, WhyNotJson
from callrouter.api.views.sight import EVERYTHING, Sight
from callrouter.core.agents import agent_availability, presence, unavailability_text
from callrouter.core.agents.agent_availability import Unavailable
from callrouter.core.calls.eligibility import preference
from callrouter.core.floor import Floor
from callrouter.core.matching import wanted
from callrouter.core.state import Agent, Call, CallState, Membership, Queue
from callrouter.model.agent_status import AgentStatus
from callrouter.model.text import joined, phrase

CALLS: Final = 8
"""Waiting calls explained individually; the others are only counted."""
PBXES: Final = 5
"""PBXes named of which none can ring the agent; the others are only counted."""
ABOUT_TO_RING: Final = phrase("about-to-be-rung", "about to be rung")


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
        own.append(_in_no_queue(floor, agent))
    summary = phrase("is-available", "{agent} is available", agent=agent.id)
    if own:
        summary = phrase("is-not-available", "{agent} is not available", agent=agent.id)
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
        "missing_phrases": [],
        "text": summary,
        "phrase": phrase_json(summary),
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
        call, queue = offer.call.id, offer.call.queue.id
        if offer.talked_since is not None:
            text, talks = "on call {call} in {queue} for {talks_s}", now - offer.talked_since
            yield phrase("on-call-in", text, call=call, queue=queue, talks_s=talks)
        elif offer.winner is not None:
            text = "has taken call {call} in {queue}, which is being connected or ended"
            yield phrase("has-taken", text, call=call, queue=queue)
        else:
            text, rings = (
                "being rung for call {call} in {queue}, for {rings_s}",
                now - offer.placed_at,
            )
            yield phrase("rung-for-call", text, call=call, queue=queue, rings_s=rings)
    if agent.spec.capacity > 1:
        text = "takes {count} calls at once and has as many"
        yield phrase("at-capacity", text, count=agent.spec.capacity)


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
            lines.append(
                joined([_closed(queue, now), phrase("no-caller-waits", "no caller waits")])
            )
        else:
            place = place_words(member, now, names=names)
            lines.append(joined([phrase("no-caller-waits", "no caller waits"), place]))
    elif waiting:
        one, many = "{count} caller waiting", "{count} callers waiting"
        lines.append(phrase("callers-waiting", one, many, count=len(waiting)))
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
        text = "no phone of {agent} can be rung from {pbx}: none has an address there"
        yield phrase("no-address-there", text, agent=agent.id, pbx=pbx)
    if len(never) > PBXES:
        one, many = "nor from {count} more PBX", "nor from {count} more PBXes"
        yield phrase("nor-from-others", one, many, count=len(never) - PBXES)
    for pbx in sorted(floor.up.difference(agent.open, never))[:PBXES] if agent.open else ():
        troubles = [
            phrase("device-trouble", "{device} {trouble}", device=device.id, trouble=trouble)
            for device in spec.devices
            if pbx in device.pbxes
            and (trouble := unavailability_text.trouble_text(floor, device, pbx, now))
        ]
        if troubles:
            text = "no phone of {agent} can be rung from {pbx} now: {troubles}"
            yield phrase(
                "no-phone-now-because", text, agent=agent.id, pbx=pbx, troubles=joined(troubles)
            )
        else:
            text = "no phone of {agent} can be rung from {pbx} now"
            yield phrase("no-phone-now", text, agent=agent.id, pbx=pbx)


def _closed(queue: Queue, now: float) -> str:
    """Say that a queue is closed, and when it opens if that is known."""
    hours = queue.spec.hours
    at = hours.next_change(now) if hours is not None else None
    if at is None:
        return phrase("queue-is-closed", "the queue is closed")
    text = "the queue is closed, and opens in {opens_s}"
    return phrase("queue-is-closed-until", text, opens_s=at - now)


def _does_not_count(floor: Floor, agent: Agent, queue: Queue, now: float) -> Iterator[str]:
    """Yield the PBXes whose callers leave by `on_nobody` despite this signed-in, unpaused agent."""
    if not presence.is_present(agent):
        return
    for pbx in sorted(floor.up):
        at = presence.unstaffed_at(queue, pbx)
        if at is not None:
            when = phrase("at-once", "at once")
            if at > now:
                when = phrase("in-a-while", "in {in_s}", in_s=at - now)
            text = (
                "callers on {pbx} leave {when} (on_nobody): no phone of {agent} or of another agent"
                " who is there can ring for them"
            )
            yield phrase("callers-leave", text, pbx=pbx, when=when, agent=agent.id)


def _view(queue: Queue, lines: list[str], *, member: bool) -> QueueReasonsJson:
    shown = [line for line in lines if line]
    return {
        "id": queue.id,
        "member": member,
        "waiting": len(queue.waiting),
        "reasons": shown,
        "reasons_phrases": phrases_json(shown),
    }


def _in_no_queue(floor: Floor, agent: Agent) -> str:
    """Say that an agent is a member of no queue, or of none now but at other hours."""
    specs = [queue.spec for queue in floor.queues.values()]
    members = [item for spec in specs for item in spec.members]
    members += [item for spec in specs for shift in spec.shifts for item in shift.members]
    members += [item for spec in specs for step in spec.widen for item in step.members]
    if any(item.agent == agent.id for item in members):
        text = "{agent} is in no queue at this hour"
        return phrase("in-no-queue-now", text, agent=agent.id)
    return phrase("in-no-queue", "{agent} is in no queue", agent=agent.id)


def _no_member(agent: Agent, queue: Queue, now: float) -> str:
    """Say that the agent is not a member of the queue, or not at this hour."""
    spec = queue.spec
    usual = any(item.agent == agent.id for item in spec.members)
    shifts = [s for s in spec.shifts if any(item.agent == agent.id for item in s.members)]
    if usual:
        text = "not in {queue} at this hour: a shift has taken the place of its agents"
        return phrase("replaced-by-shift", text, queue=queue.id)
    if shifts:
        at = min((t for s in shifts if (t := s.hours.next_change(now))), default=None)
        if at is None:
            text = "in {queue} only during a shift that is not on"
            return phrase("only-in-shift", text, queue=queue.id)
        text = "in {queue} only during a shift that is not on, in {begins_s} at the earliest"
        return phrase("only-in-shift-from", text, queue=queue.id, begins_s=at - now)
    return phrase("not-agent-of", "not an agent of {queue}", queue=queue.id)


def _why_none(
    floor: Floor, member: Membership, waiting: list[Call], now: float, *, names: bool
) -> list[str]:
    lines: list[str] = []
    for call in waiting[:CALLS]:
        found = reason(floor, call, member, now, names=names)
        why = found[1] if found else ABOUT_TO_RING
        lines.append(phrase("call-waits", "{call} waits: {why}", call=call.id, why=why))
    more = len(waiting) - CALLS
    if more > 0:
        one, many = "and {count} more caller", "and {count} more callers"
        lines.append(phrase("more-callers", one, many, count=more))
    return lines


# ---------------------------------------------------------------- an agent and a call


def reason(
    floor: Floor, call: Call, member: Membership, now: float, *, names: bool = True
) -> tuple[str, str] | None:
    """Return why a waiting call does not ring a member now: a stable keyword, and words.

    None: there is no reason, so it is about to ring. `names`: other agents may be named.
    """
    agent = member.agent
    if agent.id in call.offers:
        return "ringing", phrase("rung-for-this-call", "being rung for this call")
    if not agent.open:
        return _away(floor, agent, now)
    both = _of_both(floor, call, member, now)
    return both or _of_the_call(floor, call, member, now, names=names)


def _away(floor: Floor, agent: Agent, now: float) -> tuple[str, str]:
    status = agent_availability.status_of(floor, agent)
    if status is AgentStatus.WRAP_UP and agent.wrap_until is not None:
        text = "in wrap-up for {left_s} more"
        return "wrap-up", phrase("wrap-up-for", text, left_s=max(0.0, agent.wrap_until - now))
    if status is AgentStatus.AVAILABLE:
        return "unknown", phrase("changing-now", "changing just now")
    return standing_words(Standing(status, agent.pause or ""))


def _of_the_call(
    floor: Floor, call: Call, member: Membership, now: float, *, names: bool
) -> tuple[str, str] | None:
    """Return a reason that applies to every agent alike."""
    if call.state is not CallState.WAITING:
        state = RESULTS.get(call.state.value, call.state.value)
        return "later", phrase("call-is", "this call is {state}", state=state)
    if call.pbx not in floor.up:
        return "other-pbx", phrase("pbx-away", "{pbx} is not connected", pbx=call.pbx)
    if call.expired:
        text = "this call has waited for its time and is about to leave"
        return "later", phrase("about-to-leave", text)
    kept = preference(floor, call)
    if kept is not None and kept.agent is not member.agent:
        until = floor.timers.prefer.at(call.id)
        words = phrase("kept-for-another", "kept for another agent")
        if names:
            words = phrase("kept-for", "kept for {agent}", agent=kept.agent.id)
        if until is not None:
            words = phrase(
                "kept-longer", "{kept} for {left_s} more", kept=words, left_s=until - now
            )
        return "preferred", words
    if wanted(call) <= 0:
        one = "{count} agent is being rung, and at_once is {at_once}"
        many = "{count} agents are being rung, and at_once is {at_once}"
        return "later", phrase(
            "rung-at-once", one, many, count=len(call.offers), at_once=call.at_once
        )
    return None


def _of_both(floor: Floor, call: Call, member: Membership, now: float) -> tuple[str, str] | None:
    """Return a reason that applies to this call and this agent."""
    agent = member.agent
    if call.pbx not in agent.open:
        text = "no phone of {agent} can be rung from {pbx}"
        return "other-pbx", phrase("no-phone-from", text, agent=agent.id, pbx=call.pbx)
    if agent.id in call.tried:
        again = floor.timers.retry.at(call.id)
        if again is None:
            text = "tried already (goes round again when all others have been tried)"
            return "tried", phrase("tried-until-all", text)
        text = "tried already (goes round again in {again_s})"
        return "tried", phrase("tried-until", text, again_s=again - now)
    if member.escalation_step > call.escalation_step:
        after = member.queue.spec.widen[member.escalation_step - 1].after
        text, left = (
            "opens to {agent} after {after_s} of waiting (in {in_s})",
            call.queued_at + after,
        )
        return "opens-later", phrase(
            "opens-to", text, agent=agent.id, after_s=after, in_s=left - now
        )
    lack = lacking(call.needs, agent.spec.skills)
    return ("skills", lack) if lack else None
