"""Builds the answer to ``why CALL`` from the log, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.logged_call import LoggedCall, Step
from callrouter.api.explain import why_not
from callrouter.api.explain.explanation_text import NAMED
from callrouter.api.explain.offer_decisions import DecisionContext, explain_decision, grouped
from callrouter.api.explain.offer_outcomes import ExplainedOffer, offers_of, ringing_at
from callrouter.api.json_values import moment, seconds
from callrouter.api.schemas.why_answers import StepJson, WhyJson, WhyWaitingJson
from callrouter.core.floor import Floor
from callrouter.core.state import CallState
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
from callrouter.model.outcomes import OfferOutcome, RequeueReason
from callrouter.model.routing_table import HangUp, target_text
from callrouter.model.text import counted, first_few, rough_duration


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
    }


# ---------------------------------------------------------------- everything else


def _line(notice: CallNotice, offers: dict[str, ExplainedOffer]) -> str:
    """Describe another event of a call; empty if an offer already covers it."""
    match notice:
        case RuleApplied():
            return f"rule '{notice.rule}' applies"
        case CallEntered():
            return f"entered {notice.queue} {_let_in(notice)}"
        case CallRequeued():
            return f"back in line in {notice.queue}: {notice.why.value}"
        case WaitingCallMoved():
            return f"moved by a supervisor{_moved_to(notice)}"
        case CallAbandoned():
            waited = rough_duration(notice.wait_s)
            return f"the caller hung up at place {notice.position} after {waited} of waiting"
        case CallMovedAway():
            return f"was taken out of the queue by another program after {rough_duration(notice.wait_s)}"
        case CallLeftQueue():
            return f"left {notice.queue} after {rough_duration(notice.wait_s)}: {_why_left(notice)}"
        case CallCompleted() | ConversationTransferred() if notice.offer not in offers:
            # Adopted while connected, after a gap.
            return f"talked with {notice.agent or 'an agent'}, over now"
        case _:
            return _seldom(notice)


def _let_in(notice: CallEntered) -> str:
    if notice.position:
        return f"at place {notice.position}"
    refused = f": the queue is {notice.refused.value}" if notice.refused is not None else ""
    return f"and was not let in{refused}"


def _seldom(notice: CallNotice) -> str:
    if isinstance(notice, OfferShared):
        phone = f"{notice.agent}'s {notice.device}: {notice.why.value}"
        return f"{phone}; the call is offered to the next agent as well"
    if isinstance(notice, PlaceHandedOver):
        by = f" by {notice.agent}" if notice.agent else ""
        return f"another caller was transferred{by} to its place in line"
    return ""


def _moved_to(notice: WaitingCallMoved) -> str:
    parts = [f"to {notice.to_queue}"] if notice.to_queue else []
    parts += [f"to {notice.to_agent} first"] if notice.to_agent else []
    parts += [f"to priority {notice.to_priority}"] if notice.to_priority else []
    where = f" {', '.join(parts)}" if parts else ""
    return f"{where} by {notice.by}" if notice.by else where


_LEFT: Final[Mapping[Result, str]] = {
    Result.TIMEOUT: "it had waited for as long as max_wait allows",
    Result.FULL: "the queue was full",
    Result.NOBODY: "no agent was there: signed in, unpaused, and with a phone that could ring for this call",
    Result.CLOSED: "the queue is closed",
}


def _why_left(notice: CallLeftQueue) -> str:
    """Say why a call left its queue, and where it went."""
    if notice.by:
        return f"{notice.by} ended the call"
    target = notice.target
    way = "sent back the way it came" if target is None else f"sent to {target_text(target)}"
    way = "hung up" if isinstance(target, HangUp) else way
    return f"{_LEFT.get(notice.result, notice.result.value)}; {way}"


async def _now(floor: Floor, name: str, now: float) -> WhyWaitingJson | None:
    """Return why a waiting call is still waiting; None: it is not waiting.

    It looks at every member of the queue, in batches: between two of them the loop serves calls.
    """
    call = floor.calls.get(name)
    if call is None or call.state is not CallState.WAITING:
        return None
    queue = call.queue
    place = queue.waiting.position(call)
    members = list(queue.members.values())
    groups = await grouped(
        (
            member.agent.id,
            *(why_not.reason(floor, call, member, now) or ("later", "about to be rung")),
        )
        for member in members
    )
    text = f"waits in {queue.id} for {rough_duration(now - call.queued_at)}, place {place}"
    text += f" of {len(queue.waiting)}"
    if not members:
        text += "; the queue has no agents at this hour"
    rung = sorted(call.offers)
    if rung:
        text += f"; {first_few(rung, NAMED)} {'is' if len(rung) == 1 else 'are'} being rung"
    elif members:
        text += f"; none of its {counted(len(members), 'agent')} can be rung"
    return {"text": text, "position": place, "ringing": rung, "passed_over": groups}
