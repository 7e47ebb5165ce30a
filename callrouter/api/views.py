"""The JSON views of the floor.

Durations are numbers of seconds and end in ``_s``; times are ISO 8601 in UTC; what does not apply
is null. Views only read the floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callrouter.api.access.permissions import EVERYTHING, Sight
from callrouter.api.call_history import Day, History, Story
from callrouter.api.notice_text import Json, as_json, moment, seconds
from callrouter.core import agents, requested_state
from callrouter.core.floor import Floor
from callrouter.core.queueing import position
from callrouter.core.state import Agent, Call, CallState, Offer, Queue
from callrouter.model.agent_status import AgentState
from callrouter.model.events import DeviceState
from callrouter.model.routing_table import DeviceSpec, PauseSpec
from callrouter.model.text import mask

_NEAREST = (DeviceState.IDLE, DeviceState.IN_USE, DeviceState.BUSY, DeviceState.UNREACHABLE)
"""If several PBXes report different states of a phone, the first of these wins."""


# ---------------------------------------------------------------- agents


def agent_view(floor: Floor, agent: Agent, now: float) -> Json:
    """Return an agent as in ``GET /api/agents/{id}``."""
    state = agents.state(floor, agent)
    calls = [offer.call.id for offer in agent.offers.values()]
    return {
        "id": agent.id,
        "name": agent.spec.name,
        "state": state.value,
        "reason": _reason(floor, agent, state, now),
        "since": moment(agent.since),
        "by": agent.changed_by or None,
        "by_at": moment(agent.changed_at),
        **_until(floor, agent),
        "signed_in": agent.signed_in,
        "signed_in_at": moment(agent.signed_in_at if agent.signed_in else None),
        "pending": _pending(agent),
        "pending_by": (agent.pending_by or None) if _pending(agent) else None,
        "pause_reason": agent.pause,
        "wrap_up_s": None if agent.wrap_until is None else seconds(agent.wrap_until - now),
        "idle_s": seconds(now - agent.idle_since) if state is AgentState.AVAILABLE else None,
        "call": calls[0] if calls else None,
        "calls": calls,
        "calls_today": agent.calls,
        "missed_in_a_row": agent.misses,
        "capacity": agent.spec.capacity,
        "queues": [
            {"id": member.queue.id, "priority": member.level}
            for member in agent.memberships.values()
        ],
        "devices": [device_view(floor, device) for device in agent.spec.devices],
        "why_not": agents.why_not(floor, agent, now),
        "messages": [{"at": moment(at), "text": text} for at, text in agent.messages],
    }


def _until(floor: Floor, agent: Agent) -> Json:
    """Return when the pause or wrap-up ends by itself, and what follows."""
    if agent.pause is not None:
        ends = requested_state.pause_ends(floor, agent)
        then = floor.table.pauses[agent.pause].then.value if ends is not None else None
        return {"until": moment(ends), "then": then}
    return {"until": moment(agent.wrap_until), "then": "ready" if agent.wrap_until else None}


def device_view(floor: Floor, device: DeviceSpec) -> Json:
    """Return a phone of an agent. The number is private to its owner and is masked."""
    best = min(
        (agents.device_state(floor, device, pbx) for pbx in device.pbxes),
        key=_NEAREST.index,
        default=DeviceState.UNREACHABLE,
    )
    troubles = [agents.device_trouble(floor, device, pbx) for pbx in device.pbxes]
    return {
        "id": device.id,
        "kind": "number" if device.number else "endpoint",
        "address": mask(device.number) if device.number else device.endpoint,
        "state": best.value,
        "enabled": device.enabled and not agents.switched_off(floor, device),
        "confirm": device.confirm,
        "trouble": troubles[0] if troubles and all(troubles) else None,
    }


def _pending(agent: Agent) -> str | None:
    """Return what was requested and takes effect after the call."""
    if agent.pending_sign_out:
        return "sign-out"
    return "pause" if agent.pending_pause is not None else None


def _reason(floor: Floor, agent: Agent, state: AgentState, now: float) -> str | None:
    """Return the reason, for states that need one."""
    if state is AgentState.PAUSED:
        return agent.pause or None
    if state is AgentState.OFFLINE and agent.signed_in:
        return "; ".join(agents.device_reasons(floor, agent))
    if state is AgentState.ON_CALL and not agent.offers:
        device = agents.private_call(floor, agent)
        return agents.private_words(floor, device, now) if device is not None else None
    return None


# ---------------------------------------------------------------- queues


def queue_view(queue: Queue, history: History, now: float) -> Json:
    """Return a queue as in ``GET /api/queues/{id}``."""
    grouped: dict[str, list[str]] = {state.value: [] for state in AgentState}
    for member in queue.members.values():
        # `shown` is the state after the last step, so that ten thousand members cost a millisecond.
        grouped[member.agent.shown.value].append(member.agent.id)
    talking = sum(
        offer.talked_since is not None and offer.call.queue is queue
        for member in queue.members.values()
        for offer in member.agent.offers.values()
    )
    waiting = [
        waiting_view(call, place, now) for place, call in enumerate(queue.waiting.values(), 1)
    ]
    return {
        "id": queue.id,
        "name": queue.spec.name,
        "policy": list(queue.spec.policy),
        "waiting": waiting,
        "free": _free(queue),
        "longest_wait_s": max((call["wait_s"] for call in waiting), default=0.0),
        "talking": talking,
        "agents": grouped,
        "today": day_view(history.queue_today(queue.id, now)),
    }


def _free(queue: Queue) -> int:
    """Return the number of agents who could be rung now for a waiting call (any call if none).

    Agents available only through another PBX than the callers' are not counted.
    """
    there = {call.pbx for call in queue.waiting.values()}
    free = (member.agent for member in queue.members.values() if member.agent.open)
    return sum(not there or not there.isdisjoint(agent.open) for agent in free)


def waiting_view(call: Call, place: int, now: float) -> Json:
    """Return a waiting caller. `place` counts from 1."""
    return {
        "call": call.id,
        "position": place,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "priority": call.priority,
        "wait_s": seconds(now - call.queued_at),
        "state": _call_state(call),
        "ringing": [offer.agent.id for offer in call.offers.values()],
    }


def day_view(day: Day) -> Json:
    """Return a queue's totals since midnight."""
    return {
        "entered": day.entered,
        "answered": day.answered,
        "abandoned": day.abandoned,
        "left": day.left,
        "longest_wait_s": seconds(day.longest_wait),
    }


# ---------------------------------------------------------------- calls


def _call_state(call: Call) -> str:
    """Return the displayed state: a waiting call for which a phone rings is ``ringing``."""
    if call.state is CallState.WAITING and call.offers:
        return "ringing"
    return call.state.value


def call_view(call: Call, now: float) -> Json:
    """Return an active call as in ``GET /api/calls/{id}``."""
    offers = list(call.offers.values())
    offers += [offer for offer in (call.winner, call.consult) if offer is not None]
    talking = call.connected_at
    return {
        "id": call.id,
        "pbx": call.pbx,
        "queue": call.queue.id,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "called_number": call.called_number,
        "tag": call.tag,
        "state": _call_state(call),
        "agent": call.winner.agent.id if call.winner is not None else None,
        "held": call.held,
        "consulting": call.consult.agent.id if call.consult is not None else None,
        "entered_at": moment(call.entered_at),
        "wait_s": seconds((talking if talking is not None else now) - call.queued_at),
        "talk_s": None if talking is None else seconds(now - talking),
        "priority": call.priority,
        "position": position(call) or None,
        "offers": [offer_view(offer, now) for offer in offers],
        "ended_at": None,
        "result": None,
    }


def offer_view(offer: Offer, now: float) -> Json:
    """Return an agent who is being rung for a call or connected to it."""
    return {
        "id": offer.id,
        "agent": offer.agent.id,
        "state": offer.state.value,
        "rang": offer.rang,
        "since_s": seconds(now - offer.placed_at),
        "devices": {leg.device.id: leg.state.value for leg in offer.legs.values()},
    }


def ended_view(story: Story) -> Json:
    """Return an ended call, with the same keys as `call_view`."""
    return {
        "id": story.call,
        "pbx": None,
        "queue": story.queue,
        "caller_number": story.caller_number,
        "caller_name": story.caller_name,
        "called_number": None,
        "tag": None,
        "state": story.state,
        "agent": story.agent or None,
        "held": False,
        "consulting": None,
        "entered_at": moment(story.entered_at),
        "wait_s": None if story.wait is None else seconds(story.wait),
        "talk_s": None if story.talk is None else seconds(story.talk),
        "priority": story.priority,
        "position": None,
        "offers": [],
        "ended_at": moment(story.ended_at),
        "result": story.result or None,
    }


def pause_view(spec: PauseSpec) -> Json:
    """Return a configured pause reason."""
    return {
        "reason": spec.reason,
        "longest_s": spec.longest,
        "then": spec.then.value if spec.longest is not None else None,
        "default": spec.default,
    }


def decisions(story: Story | None) -> list[Json]:
    """Return what happened to a call, oldest first."""
    return [as_json(notice) for notice in story.notices] if story is not None else []


# ---------------------------------------------------------------- what is hidden


def seen_queue(view: Json, sight: Sight) -> Json:
    """Return a queue as the caller may see it: for an agent, no other names and no numbers."""
    if not sight.masked:
        return view
    own = {sight.agent} if sight.agent else set()
    return {
        **view,
        "waiting": [_seen_waiting(one, own) for one in view["waiting"]],
        "agents": {
            state: [name for name in names if name in own]
            for state, names in view["agents"].items()
        },
    }


def _seen_waiting(view: Json, own: set[str]) -> Json:
    if own & set(view["ringing"]):
        return {**view, "ringing": sorted(own & set(view["ringing"]))}
    return {**view, "caller_number": mask(view["caller_number"]), "caller_name": "", "ringing": []}


def seen_call(view: Json, sight: Sight, *, own: bool) -> Json:
    """Return a call as the caller may see it.

    `own`: it rings or is connected to the caller's agent.
    """
    if not sight.masked:
        return view
    offers = [offer for offer in view["offers"] if offer["agent"] == sight.agent]
    if own:
        return {**view, "offers": offers}
    hidden = {"caller_name": "", "tag": None, "agent": None, "consulting": None}
    return {**view, **hidden, "offers": [], "caller_number": mask(view["caller_number"])}


# ---------------------------------------------------------------- all of it


def every_agent(floor: Floor, now: float, sight: Sight = EVERYTHING) -> Iterator[Json]:
    """Yield all visible agents, by id."""
    return (
        agent_view(floor, floor.agents[i], now) for i in _there(floor.agents) if sight.sees_agent(i)
    )


def every_queue(
    floor: Floor, history: History, now: float, sight: Sight = EVERYTHING
) -> Iterator[Json]:
    """Yield all visible queues, by id."""
    return (
        seen_queue(queue_view(floor.queues[i], history, now), sight)
        for i in _there(floor.queues)
        if sight.sees_queue(i)
    )


def every_call(floor: Floor, now: float, sight: Sight = EVERYTHING) -> Iterator[Json]:
    """Yield all visible active calls, oldest first."""
    calls = sorted(floor.calls.values(), key=lambda call: (call.entered_at, call.seq))
    return (
        seen_call(call_view(call, now), sight, own=sight.owns_call(call))
        for call in calls
        if call.id in floor.calls and sight.sees_call(call)
    )


def every_ended(history: History, sight: Sight = EVERYTHING) -> Iterator[Json]:
    """Yield the visible calls that ended recently."""
    return (
        seen_call(ended_view(story), sight, own=True)
        for story in history.ended()
        if sight.sees_ended(story.queue, story.agent)
    )


def _there(items: dict[str, Agent] | dict[str, Queue]) -> Iterable[str]:
    """Yield ids that still exist when their turn comes: the floor changes while a view is built."""
    return (i for i in sorted(items) if i in items)


def counts(floor: Floor) -> Json:
    """Return the totals of everything."""
    by_agent = {state.value: 0 for state in AgentState}
    for agent in floor.agents.values():
        by_agent[agent.shown.value] += 1
    by_call = {state.value: 0 for state in CallState if state is not CallState.ENDED}
    for call in floor.calls.values():
        by_call[call.state.value] += 1
    return {"agents": by_agent, "calls": by_call, "queues": len(floor.queues)}
