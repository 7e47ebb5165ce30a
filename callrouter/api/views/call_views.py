"""Queues and calls as JSON types."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, cast

from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.calllog.totals import DayTotals
from callrouter.api.json_values import moment, seconds
from callrouter.api.schemas.call_answers import (
    CallJson,
    DayJson,
    OfferJson,
    QueueJson,
    ServiceLevelJson,
    WaitingJson,
)
from callrouter.api.schemas.vocabulary import AgentStateName, CallStateName
from callrouter.api.views.agent_views import state_name
from callrouter.core.calls.waiting import position
from callrouter.core.state import Call, CallState, Offer, OfferState, Queue
from callrouter.model.agent_status import AgentState
from callrouter.reports.service_level import Definition, LevelCounts, Target

_STATE_NAMES: Final = tuple(state_name(state) for state in AgentState)


def queue_json(queue: Queue, today: DayTotals, target: Target, now: float) -> QueueJson:
    """Return a queue as in ``GET /api/queues/{id}``.

    Args:
        queue: the queue.
        today: its totals since midnight.
        target: what it aims at.
        now: the time of the request.
    """
    grouped: dict[AgentStateName, list[str]] = {name: [] for name in _STATE_NAMES}
    there = {call.pbx for call in queue.waiting.values()}
    talking = free = 0
    # One look at each member: pages are sent most of the queues ten times a second.
    for member in queue.members.values():
        agent = member.agent
        grouped[agent.status.state._value_].append(agent.id)  # `value` takes five times as long
        for offer in agent.offers.values():
            talking += offer.talked_since is not None and offer.call.queue is queue
        if agent.open:
            # Not through another PBX than that of the callers, if there are any.
            free += not there or not there.isdisjoint(agent.open)
    waiting = [
        waiting_json(call, place, now) for place, call in enumerate(queue.waiting.values(), 1)
    ]
    return {
        "id": queue.id,
        "name": queue.spec.name,
        "policy": list(queue.spec.policy),
        "waiting": waiting,
        "free": free,
        "longest_wait_s": max((call["wait_s"] for call in waiting), default=0.0),
        "talking": talking,
        "agents": grouped,
        "today": day_json(today),
        "service_level": service_level_json(today, target),
    }


def service_level_json(day: DayTotals, target: Target) -> ServiceLevelJson:
    """Return a queue's service level since midnight, by the definition that targets are held against.

    Args:
        day: the totals.
        target: what the queue aims at.
    """
    counts = LevelCounts(day.answered, day.in_time, day.abandoned)
    level = counts.level(Definition.STRICT)
    return {
        "within_s": target.within,
        "target": target.percent,
        "percent": None if level is None else round(level, 1),
    }


def waiting_json(call: Call, place: int, now: float) -> WaitingJson:
    """Return a waiting caller. `place` counts from 1."""
    return {
        "call": call.id,
        "position": place,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "priority": call.priority,
        "wait_s": seconds(now - call.queued_at),
        "state": cast("Literal['waiting', 'ringing']", _call_state(call)),
        "ringing": [offer.agent.id for offer in call.offers.values()],
    }


def day_json(day: DayTotals) -> DayJson:
    """Return a queue's totals since midnight.

    Args:
        day: the totals. A call counts as `left` only if a rule or a person ended its waiting.
    """
    return {
        "entered": day.entered,
        "answered": day.answered,
        "abandoned": day.abandoned,
        "left": day.left,
        "longest_wait_s": seconds(day.longest_wait),
    }


def _call_state(call: Call) -> CallStateName:
    """Return the displayed state: a waiting call for which a phone rings is ``ringing``."""
    if call.state is CallState.WAITING and call.offers:
        return "ringing"
    return cast("CallStateName", call.state.value)


def _consulting_state(call: Call) -> Literal["ringing", "talking"] | None:
    if call.consult is None:
        return None
    return "talking" if call.consult.state is OfferState.TALKING else "ringing"


def call_json(call: Call, now: float, hold_pbxes: Collection[str]) -> CallJson:
    """Return an active call as in ``GET /api/calls``.

    Its offers are those still ringing, then the one that is connected, then the colleague being
    consulted.

    Args:
        call: the call.
        now: the time of the request.
        hold_pbxes: the PBXes that can put a caller on hold.
    """
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
        "can_hold": talking is not None and call.can_hold and call.pbx in hold_pbxes,
        "consulting": call.consult.agent.id if call.consult is not None else None,
        "consulting_state": _consulting_state(call),
        "entered_at": moment(call.entered_at),
        "wait_s": seconds((talking if talking is not None else now) - call.queued_at),
        "talk_s": None if talking is None else seconds(now - talking),
        "priority": call.priority,
        "position": position(call) or None,
        "offers": [offer_json(offer, now) for offer in offers],
        "ended_at": None,
        "result": None,
    }


def offer_json(offer: Offer, now: float) -> OfferJson:
    """Return an agent who is being rung for a call or connected to it.

    `since_s` counts from the start of the offer, also once the call is connected.
    """
    return {
        "id": offer.id,
        "agent": offer.agent.id,
        "state": offer.state.value,
        "rang": offer.rang,
        "since_s": seconds(now - offer.placed_at),
        "devices": {leg.device.id: leg.state.value for leg in offer.legs.values()},
    }


def ended_json(call: LoggedCall) -> CallJson:
    """Return an ended call, with the same keys as `call_json`.

    What only an active call has is null, false or empty. `talk_s` is the length of the
    conversation.
    """
    return {
        "id": call.call,
        "pbx": None,
        "queue": call.queue,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "called_number": None,
        "tag": None,
        "state": cast("CallStateName", call.state),
        "agent": call.agent or None,
        "held": False,
        "can_hold": False,
        "consulting": None,
        "consulting_state": None,
        "entered_at": moment(call.entered_at),
        "wait_s": None if call.wait is None else seconds(call.wait),
        "talk_s": None if call.talk is None else seconds(call.talk),
        "priority": call.priority,
        "position": None,
        "offers": [],
        "ended_at": moment(call.ended_at),
        "result": call.result or None,
    }
