"""The answer to ``why-not AGENT [QUEUE]`` for a time or a call that is on record.

Durations in the words count from the moment asked about, so they are true in every time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.calllog.past_calls import PastCall
from callrouter.api.explain.explanation_text import NAMED, lacking
from callrouter.api.explain.offer_decisions import DecisionContext
from callrouter.api.explain.offer_outcomes import offers_of, outcome, ringing_at
from callrouter.api.explain.past_moment import PastMoment, WaitingThen
from callrouter.api.json_values import moment, phrases_json
from callrouter.api.schemas.vocabulary import AgentStateName
from callrouter.api.schemas.why_answers import (
    AgentDecisionJson,
    AgentSpanJson,
    QueueReasonsJson,
    WhyNotJson,
)
from callrouter.api.views.sight import Sight
from callrouter.model.call_notices import (
    ConversationStarted,
    ConversationTransferred,
    OfferDecided,
    OfferEnded,
)
from callrouter.model.outcomes import OfferOutcome, RequeueReason
from callrouter.model.text import counted, exact_duration, first_few, ordinal, rough_duration
from callrouter.record.rows import AgentStateRow, GapKind, OfferResult, OfferRow, StayOutcome
from callrouter.settings.loaded import HistorySettings

_AVAILABLE: Final = "available"
_STATUS_WORDS: Final = {
    "signed-out": "signed out",
    "no-phone": "no phone that could ring; which phone lacked what is not on record",
    "reserved": "being rung",
    "ringing": "being rung",
    "on-call": "on a call",
    "private-call": "in a private call",
    "closing": "a phone was still being stopped",
    "wrap-up": "in wrap-up",
    "paused": "paused",
}
_STATES: Final[Mapping[str, AgentStateName]] = {
    "offline": "offline",
    "available": "available",
    "reserved": "reserved",
    "ringing": "ringing",
    "on-call": "on-call",
    "wrap-up": "wrap-up",
    "paused": "paused",
}
_MISSED: Final = frozenset(
    {OfferResult.NO_ANSWER, OfferResult.NO_REPLY, OfferResult.NOT_ACCEPTED, OfferResult.HUNG_UP}
)
_REFUSED: Final = frozenset({OfferResult.DECLINED, OfferResult.WRONG_KEY, OfferResult.BUSY})
_NOT_TRIED: Final = frozenset(
    {
        OfferResult.LOST, OfferResult.WITHDRAWN, OfferResult.CALLER_GONE, OfferResult.ROUTER_DOWN,
        OfferResult.FOUND_TALKING, OfferResult.NOT_BROUGHT_IN, OfferResult.ACCEPTED,
    }
)  # fmt: skip
"""An offer that ended so does not count as the agent's turn."""
_LEFT: Final = {
    StayOutcome.ABANDONED: "the caller hung up",
    StayOutcome.TIMEOUT: "it left, having waited for max_wait",
    StayOutcome.CLOSED: "it left, because the queue closed",
    StayOutcome.NOBODY: "it left, because no agent was there",
    StayOutcome.ENDED: "a supervisor ended it",
    StayOutcome.MOVED: "a supervisor moved it to another queue",
    StayOutcome.MOVED_AWAY: "another program took it away",
    StayOutcome.LOST: "it was gone after a time without a router",
}


class Asked(NamedTuple):
    """What is asked, by whom, and what is known beside the record.

    Attributes:
        agent: the agent.
        queue: only this queue; empty: all.
        queues: those in which the agent is now.
        sight: what the asker may see.
        history: how long the record is kept.
        now: the time of the request.
    """

    agent: str
    queue: str
    queues: frozenset[str]
    sight: Sight
    history: HistorySettings
    now: float


# ---------------------------------------------------------------- a time


def explain_moment(asked: Asked, then: PastMoment) -> WhyNotJson:
    """Return why an agent was not rung at a time.

    An agent's own token is told what others did, but not who they are.
    """
    state = then.state
    available = state is not None and state.status == _AVAILABLE
    reasons = [] if state is None or available else [_own_words(asked, then, state)]
    names = sorted(asked.queues | then.waiting.keys()) if not asked.queue else [asked.queue]
    queues = [
        view
        for name in names
        if asked.sight.sees_queue(name) and (view := _in_queue(asked, then, name)) is not None
    ]
    if state is None:
        text = f"what {asked.agent} was doing then is not on record"
    else:
        text = f"{asked.agent} was {'' if available else 'not '}available"
    return {
        "agent": asked.agent,
        "at": moment(then.at),
        "call": None,
        "state": None if state is None else _STATES[state.state],
        "available": available,
        "reasons": reasons,
        "reasons_phrases": phrases_json(reasons),
        "queues": queues,
        "states": [] if state is None else [_span(state)],
        "decisions": [],
        "missing": list(_missing(asked, then)),
        "text": text,
    }


def _own_words(asked: Asked, then: PastMoment, state: AgentStateRow) -> str:
    """Say what kept the agent from every call, for how long, and who brought it about."""
    words = _state_words(state)
    held = then.talks if state.status == "on-call" else then.offers
    shown = [one for one in held if asked.sight.sees_queue(one.queue)]
    if shown and state.status == "on-call":
        words = f"on call {shown[-1].call} in {shown[-1].queue}"
    elif shown and state.status in {"reserved", "ringing"}:
        words = f"being rung for call {shown[-1].call} in {shown[-1].queue}"
    words += f", for {rough_duration(then.at - state.at)} then"
    if state.until is not None:
        words += f" and for {rough_duration(state.until - then.at)} more"
    return f"{words}, by {state.by}" if state.by else words


def _state_words(state: AgentStateRow) -> str:
    words = _STATUS_WORDS.get(state.status, state.status)
    return f"{words}: {state.reason}" if state.reason else words


def _span(state: AgentStateRow) -> AgentSpanJson:
    words = _state_words(state)
    return {
        "since": moment(state.at),
        "until": moment(state.until),
        "state": _STATES[state.state],
        "text": f"{words}, by {state.by}" if state.by else words,
    }


def _missing(asked: Asked, then: PastMoment) -> Iterator[str]:
    """Yield what is not on record, and why."""
    at, history = then.at, asked.history
    for gap in then.gaps:
        if gap.kind is GapKind.ROUTER_DOWN:
            took = rough_duration(gap.ended_at - gap.began_at)
            yield f"no router was running then, for {took} in all"
        else:
            lost = counted(gap.rows_lost, "row")
            yield f"{lost} of {gap.table_name} of that time were lost while the database was away"
    if then.state is None and not then.gaps:
        if at < asked.now - history.keep:
            yield f"states are kept for {_days(history.keep)} (keep of history)"
        elif then.first_run is None or at < then.first_run:
            yield "the record begins later"
        else:
            yield f"nothing had been reported of {asked.agent} until then"
    waiting = [one for calls in then.waiting.values() for one in calls]
    if any(not one.has_steps for one in waiting):
        yield from _no_decisions(asked, at)


def _no_decisions(asked: Asked, at: float) -> Iterator[str]:
    if at < asked.now - asked.history.decisions:
        kept = _days(asked.history.decisions)
        yield f"decisions are kept for {kept} (decisions of history): who was a member is not known"


def _days(seconds: float) -> str:
    days = round(seconds / 86_400)
    return counted(days, "day") if days >= 1 else exact_duration(seconds)


# ---------------------------------------------------------------- a queue at that time


def _in_queue(asked: Asked, then: PastMoment, queue: str) -> QueueReasonsJson | None:
    """Return why the callers of a queue did not ring the agent; None: not the agent's queue."""
    waiting, count = then.waiting.get(queue, ()), then.counts.get(queue, 0)
    known = [one.members for one in waiting if one.members is not None]
    member = any(asked.agent in members for members in known) if known else queue in asked.queues
    if not member and queue != asked.queue:
        return None
    lines: list[str] = []
    if not member:
        lines.append(f"not an agent of {queue}{' then' if known else ''}")
    elif not count:
        lines.append("no caller waited")
    elif then.state is not None and then.state.status == _AVAILABLE:
        lines += [_waited(asked, then.at, one) for one in waiting]
        if count > len(waiting):
            lines.append(f"and {counted(count - len(waiting), 'more caller')}")
    else:
        lines.append(f"{counted(count, 'caller')} waited")
    return {"id": queue, "member": member, "waiting": count, "reasons": lines}


def _waited(asked: Asked, at: float, one: WaitingThen) -> str:
    stay = one.stay
    wait = f"{stay.call} had waited for {rough_duration(at - stay.entered_at)}"
    return f"{wait}: {_reason(asked, at, one)}"


def _reason(asked: Asked, at: float, one: WaitingThen) -> str:
    """Say why a waiting call did not ring an available agent at that time."""
    agent = asked.agent
    ringing = [offer for offer in one.offers if _goes_on(offer, at)]
    if any(offer.agent == agent for offer in ringing):
        return "being rung for this call"
    facts = None if one.members is None else one.members.get(agent)
    if one.members is not None and facts is None:
        return "not an agent of the queue then"
    tried = _tried(one, agent, at)
    if tried:
        return tried
    if facts is not None and one.decided is not None:
        # Steps only open more, and needs only become fewer: a later decision will do as well.
        step, skills = facts
        if step > one.decided.escalation_step:
            return "not open to this call yet: a later step of widen"
        lack = lacking(one.decided.needs, skills)
        if lack:
            return lack
    if ringing:
        rung = [offer.agent for offer in ringing]
        who = f": {first_few(rung, NAMED)}" if not asked.sight.masked else ""
        return f"{counted(len(rung), 'agent was', 'agents were')} being rung for it{who}"
    return _next(asked, at, one)


def _goes_on(offer: OfferRow, at: float) -> bool:
    return offer.made_at <= at and (offer.ended_at is None or offer.ended_at > at)


def _tried(one: WaitingThen, agent: str, at: float) -> str:
    """Say what the agent did with this call earlier, if that still counted; else nothing.

    A round is over when an agent is rung again who was tried in it.
    """
    tried: dict[str, OfferRow] = {}
    for offer in one.offers:
        if offer.made_at > at:
            break
        if offer.agent in tried:
            tried.clear()
        over = offer.ended_at is not None and offer.ended_at <= at
        if over and offer.result is not None and offer.result not in _NOT_TRIED:
            tried[offer.taker or offer.agent] = offer
    last = tried.get(agent)
    if last is None or last.result is None:
        return ""
    what = last.result.value.replace("-", " ")
    if last.result in _MISSED:
        what = "missed it"
    elif last.result in _REFUSED:
        what = "refused it"
    elif last.result is OfferResult.PASSED_ON:
        what = "passed it on"
    return f"tried already: {what} {rough_duration(at - (last.ended_at or at))} before"


def _next(asked: Asked, at: float, one: WaitingThen) -> str:
    """Say what happened to the call next, for want of a reason."""
    later = next((offer for offer in one.offers if offer.made_at > at), None)
    if later is not None:
        after = f"{rough_duration(later.made_at - at)} later"
        if later.agent == asked.agent:
            return f"was rung for it {after}"
        who = "another agent" if asked.sight.masked else later.agent
        if one.decided is not None and one.decided.offer == later.offer and one.decided.preferred:
            return f"kept for {who}, who was rung for it {after}"
        return f"{who} was rung for it {after}; no reason is on record"
    stay = one.stay
    if stay.left_at is not None and stay.outcome in _LEFT:
        return f"{_LEFT[stay.outcome]} {rough_duration(stay.left_at - at)} later"
    return "no reason is on record"


# ---------------------------------------------------------------- a call


def explain_call_for(asked: Asked, found: PastCall, states: Sequence[AgentStateRow]) -> WhyNotJson:
    """Return why an agent was not rung for a call, decision by decision.

    Args:
        asked: by whom and about which agent.
        found: the call.
        states: what the agent was doing while it waited, in order; see `wait_of`.
    """
    call = found.call
    decisions = list(_decisions(asked, found))
    rung = sum(one["reason"] == "rung" for one in decisions)
    begin, _ = wait_of(call, asked.now)
    states = [row for row in states if row.until is None or row.until > max(begin, row.at)]
    first = states[0] if states else None
    if not decisions:
        text = f"no agent was rung for call {call.call}"
    elif rung:
        times = f"{rung} of {counted(len(decisions), 'time')}"
        text = f"{asked.agent} was rung for call {call.call}, {times}"
    else:
        text = f"{asked.agent} was not rung for call {call.call}"
    missing = [] if states else [f"what {asked.agent} was doing then is not on record"]
    if call.left_out:
        missing.append(f"{counted(call.left_out, 'earlier step')} of the call no longer kept")
    return {
        "agent": asked.agent,
        "at": None,
        "call": call.call,
        "state": None if first is None else _STATES[first.state],
        "available": first is not None and first.status == _AVAILABLE,
        "reasons": [],
        "reasons_phrases": [],
        "queues": [],
        "states": [_span(row) for row in states],
        "decisions": decisions,
        "missing": missing,
        "text": text,
    }


def wait_of(call: LoggedCall, now: float) -> tuple[float, float]:
    """Return from when until when a call waited: its end is that of the last wait."""
    steps = call.steps()
    ends = [
        notice.at
        for _, notice, _ in steps
        if isinstance(notice, (ConversationStarted, OfferDecided))
    ]
    ended = call.ended_at if call.ended_at is not None else now
    waited = call.talk is None and call.state != "completed"
    return call.began, ended if waited or not ends else max(ends)


def _decisions(asked: Asked, found: PastCall) -> Iterator[AgentDecisionJson]:
    steps = found.call.steps()
    offers = offers_of(steps)
    outcomes: dict[str, OfferOutcome] = {}
    for step in steps:
        serial, notice, _ = step
        if isinstance(notice, OfferEnded):
            outcomes[notice.agent] = notice.outcome
        elif isinstance(notice, ConversationTransferred):
            outcomes[notice.agent] = RequeueReason.PASSED_ON
        if not isinstance(notice, OfferDecided) or not asked.sight.sees_queue(notice.queue):
            continue
        if notice.agent == asked.agent:
            result, words = outcome(found.standings, offers[notice.offer], asked.now)
            said = result.replace("-", " ") if asked.sight.masked else words  # they name others
            reason, text = "rung", f"was rung: {said}"
        else:
            ringing = ringing_at(offers, serial)
            context = DecisionContext(found.standings, step, notice, ringing, outcomes)
            reason, text = _passed_over(asked, context)
        known = not asked.sight.masked or notice.agent == asked.agent
        yield {
            "at": moment(notice.at),
            "call": found.call.call,
            "queue": notice.queue,
            "rung": notice.agent if known else None,
            "reason": reason,
            "text": text,
        }


def _passed_over(asked: Asked, context: DecisionContext) -> tuple[str, str]:
    made, (_, _, members) = context.made, context.step
    if not members:
        return "unknown", f"the agents of {made.queue} at that time are not on record"
    said = context.reason_for(asked.agent)
    if said is None:
        return "not-member", f"not an agent of {made.queue} then"
    reason, text = said
    if reason == "preferred" and asked.sight.masked:
        text = "available, but this call prefers another agent"
    if reason == "later":
        text += _place(asked, made)
    return reason, text


def _place(asked: Asked, made: OfferDecided) -> str:
    """Say how many were before the agent, if the decision kept its rank."""
    order = [agent for _, _, agent in sorted(made.ranked)]
    if asked.agent not in order:
        return ""
    return f" ({ordinal(order.index(asked.agent) + 1)} of {made.available} available)"
