"""Builds the answer to ``why CALL`` from the log, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.logged_call import LoggedCall, Step
from callrouter.api.explain import why_not
from callrouter.api.explain.explanation_text import NAMED, in_a_row
from callrouter.api.explain.offer_decisions import DecisionContext, explain_decision, grouped
from callrouter.api.explain.offer_outcomes import ExplainedOffer, offers_of, ringing_at
from callrouter.api.json_values import moment, phrase_json, seconds
from callrouter.api.schemas.why_answers import StepJson, WhyJson, WhyWaitingJson
from callrouter.core.floor import Floor
from callrouter.core.state import Call, CallState
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
    OfferDecided,
    OfferEnded,
    OfferShared,
    PlaceHandedOver,
    RuleApplied,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.notices import CallNotice
from callrouter.model.outcomes import NAMES, OfferOutcome, RequeueReason
from callrouter.model.routing_table import HangUp, target_text
from callrouter.model.text import first_few, joined, phrase


async def explain_call(log: Standings, floor: Floor, call: LoggedCall, now: float) -> WhyJson:
    """Return everything about a call for ``GET /api/calls/{id}/why``.

    Yields to the loop in between.
    """
    steps = call.steps()
    offers = offers_of(steps)
    outcomes: dict[str, OfferOutcome] = {}
    shown: list[StepJson] = []
    for step in steps:
        serial, notice, _ = step
        if isinstance(notice, OfferDecided):
            ringing = ringing_at(offers, serial)
            context = DecisionContext(log, step, notice, ringing, outcomes)
            shown.append(await explain_decision(context, offers[notice.offer], now))
        elif isinstance(notice, OfferEnded):
            outcomes[notice.agent] = notice.outcome
        else:
            if isinstance(notice, ConversationTransferred):
                outcomes[notice.agent] = RequeueReason.PASSED_ON
            text = _line(notice, offers)
            if text:
                shown.append(_step(call, notice, text))
    view = _head(call, steps)
    view["steps"] = shown
    view["now"] = await _now(floor, call.call, now)
    return view


def _head(call: LoggedCall, steps: Sequence[Step]) -> WhyJson:
    """Return the facts about the call itself.

    The result stays None while the call is active, even if it left another queue before.
    """
    talked_to = (
        notice.agent for _, notice, _ in reversed(steps) if isinstance(notice, ConversationStarted)
    )
    return {
        "call": call.call,
        "queue": call.last_queue(),
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "entered_at": moment(call.began),
        "ended_at": moment(call.ended_at),
        "result": None if call.ended_at is None else call.result or call.state,
        "agent": next(talked_to, None),
        "left_out": call.left_out,
        "steps": [],
        "now": None,
    }


def _step(call: LoggedCall, notice: CallNotice, text: str) -> StepJson:
    return {
        "at": moment(notice.at),
        "after_s": seconds(notice.at - call.began),
        "kind": notice.kind,
        "queue": notice.queue,
        "text": text,
        "phrase": phrase_json(text),
    }


# ---------------------------------------------------------------- everything else


def _line(notice: CallNotice, offers: dict[str, ExplainedOffer]) -> str:
    """Describe another event of a call; empty if an offer already covers it."""
    match notice:
        case RuleApplied():
            return phrase("rule-applies", "rule '{rule}' applies", rule=notice.rule)
        case CallEntered():
            return _entered(notice)
        case CallRequeued():
            text = "back in line in {queue}: {why}"
            return phrase("back-in-line", text, queue=notice.queue, why=NAMES[notice.why])
        case WaitingCallMoved():
            return _moved(notice)
        case CallAbandoned():
            text = "the caller hung up at place {place} after {waited_s} of waiting"
            place = notice.position
            return phrase("hung-up-at-place", text, place=place, waited_s=notice.wait_s)
        case CallMovedAway():
            text = "was taken out of the queue by another program after {waited_s}"
            return phrase("taken-out", text, waited_s=notice.wait_s)
        case CallLeftQueue():
            text, why = "left {queue} after {waited_s}: {why}", _why_left(notice)
            return phrase("left-queue", text, queue=notice.queue, waited_s=notice.wait_s, why=why)
        case CallCompleted() | ConversationTransferred() if notice.offer not in offers:
            # Adopted while connected, after a gap.
            if notice.agent:
                return phrase("talk-over", "talked with {agent}, over now", agent=notice.agent)
            return phrase("talk-over-unknown", "talked with an agent, over now")
        case _:
            return _seldom(notice)


_NOT_LET_IN: Final[Mapping[Result, str]] = {
    Result.FULL: phrase("queue-is-full", "the queue is full"),
    Result.NOBODY: phrase("queue-is-unstaffed", "no agent of the queue is there"),
    Result.CLOSED: phrase("queue-is-closed", "the queue is closed"),
}


def _entered(notice: CallEntered) -> str:
    if notice.position:
        text = "entered {queue} at place {place}"
        return phrase("entered", text, queue=notice.queue, place=notice.position)
    why = None if notice.refused is None else _NOT_LET_IN.get(notice.refused)
    if why is None:
        return phrase("not-let-in", "entered {queue} and was not let in", queue=notice.queue)
    text = "entered {queue} and was not let in: {why}"
    return phrase("not-let-in-because", text, queue=notice.queue, why=why)


def _seldom(notice: CallNotice) -> str:
    if isinstance(notice, OfferShared):
        text = "{agent}'s {device}: {why}; the call is offered to the next agent as well"
        why = NAMES[notice.why]
        return phrase("offer-shared", text, agent=notice.agent, device=notice.device, why=why)
    if isinstance(notice, PlaceHandedOver):
        if notice.agent:
            text = "another caller was transferred by {agent} to its place in line"
            return phrase("place-handed-over-by", text, agent=notice.agent)
        return phrase("place-handed-over", "another caller was transferred to its place in line")
    return ""


def _moved(notice: WaitingCallMoved) -> str:
    queue, agent, priority = notice.to_queue, notice.to_agent, notice.to_priority
    parts: list[str] = []
    if queue:
        parts.append(phrase("to-queue", "to {queue}", queue=queue))
    if agent:
        parts.append(phrase("to-agent-first", "to {agent} first", agent=agent))
    if priority:
        parts.append(phrase("to-priority", "to priority {priority}", priority=priority))
    moved = phrase("moved", "moved by a supervisor")
    if parts:
        where = in_a_row(parts)
        moved = phrase("moved-where", "moved by a supervisor {where}", where=where)
    if notice.by:
        moved = phrase("moved-by", "{moved} by {by}", moved=moved, by=notice.by)
    return moved


_LEFT: Final[Mapping[Result, str]] = {
    Result.TIMEOUT: phrase("left-max-wait", "it had waited for as long as max_wait allows"),
    Result.FULL: phrase("left-full", "the queue was full"),
    Result.NOBODY: phrase(
        "left-unstaffed",
        "no agent was there: signed in, unpaused, and with a phone that could ring for this call",
    ),
    Result.CLOSED: phrase("queue-is-closed", "the queue is closed"),
}


def _why_left(notice: CallLeftQueue) -> str:
    """Say why a call left its queue, and where it went."""
    if notice.by:
        return phrase("ended-by", "{by} ended the call", by=notice.by)
    target = notice.target
    if target is None:
        way = phrase("sent-back", "sent back the way it came")
    elif isinstance(target, HangUp):
        way = phrase("end-hung-up", "hung up")
    else:
        way = phrase("sent-to", "sent to {target}", target=target_text(target))
    return joined([_LEFT.get(notice.result, notice.result.value), way])


async def _now(floor: Floor, name: str, now: float) -> WhyWaitingJson | None:
    """Return why a waiting call is still waiting; None: it is not waiting.

    It looks at every member of the queue, in batches: between two of them the loop serves calls.
    """
    call = floor.calls.get(name)
    if call is None or call.state is not CallState.WAITING:
        return None
    members = list(call.queue.members.values())
    groups = await grouped(
        (
            member.agent.id,
            *(why_not.reason(floor, call, member, now) or ("later", why_not.ABOUT_TO_RING)),
        )
        for member in members
    )
    words = _waits(call, len(members), now)
    return {
        "text": words,
        "phrase": phrase_json(words),
        "position": call.queue.waiting.position(call),
        "ringing": sorted(call.offers),
        "passed_over": groups,
    }


def _waits(call: Call, members: int, now: float) -> str:
    """Say for how long a call has waited, at which place, and whether an agent is being rung.

    Args:
        call: a waiting call.
        members: how many agents its queue has.
        now: the time of the request.
    """
    queue = call.queue
    parts: list[str] = [
        phrase(
            "waits",
            "waits in {queue} for {waited_s}, place {place} of {waiting}",
            queue=queue.id,
            waited_s=now - call.queued_at,
            place=queue.waiting.position(call) or 0,
            waiting=len(queue.waiting),
        )
    ]
    if not members:
        parts.append(phrase("no-agents-now", "the queue has no agents at this hour"))
    rung = sorted(call.offers)
    if rung:
        one, many = "{agents} is being rung", "{agents} are being rung"
        parts.append(phrase("are-rung", one, many, agents=first_few(rung, NAMED), count=len(rung)))
    elif members:
        one, many = (
            "none of its {count} agent can be rung",
            "none of its {count} agents can be rung",
        )
        parts.append(phrase("none-can-be-rung", one, many, count=members))
    return joined(parts)
