"""The answer to ``why-not AGENT [QUEUE]`` for a time or a call that is on record.

Durations in the words count from the moment asked about, so they are true in every time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.calllog.past_calls import PastCall
from callrouter.api.explain.explanation_text import NAMED, lacking, pause_words
from callrouter.api.explain.offer_decisions import DecisionContext
from callrouter.api.explain.offer_outcomes import offers_of, outcome, ringing_at
from callrouter.api.explain.outcome_names import RESULTS
from callrouter.api.explain.past_moment import PastMoment, WaitingThen
from callrouter.api.json_values import moment, phrase_json, phrases_json
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
from callrouter.model.text import first_few, phrase
from callrouter.record.rows import AgentStateRow, GapKind, OfferResult, OfferRow, StayOutcome
from callrouter.settings.loaded import HistorySettings

_AVAILABLE: Final = "available"
_STATUS_WORDS: Final = {
    "signed-out": phrase("signed-out", "signed out"),
    "no-phone": phrase(
        "no-phone-then", "no phone that could ring; which phone lacked what is not on record"
    ),
    "reserved": phrase("was-rung", "being rung"),
    "ringing": phrase("was-rung", "being rung"),
    "on-call": phrase("on-a-call", "on a call"),
    "private-call": phrase("in-private-call", "in a private call"),
    "closing": phrase("phone-stopping", "a phone was still being stopped"),
    "wrap-up": phrase("in-wrap-up", "in wrap-up"),
    "paused": phrase("paused", "paused"),
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
    StayOutcome.ABANDONED: phrase("caller-hung-up", "the caller hung up"),
    StayOutcome.TIMEOUT: phrase("it-left-max-wait", "it left, having waited for max_wait"),
    StayOutcome.CLOSED: phrase("it-left-closed", "it left, because the queue closed"),
    StayOutcome.NOBODY: phrase("it-left-unstaffed", "it left, because no agent was there"),
    StayOutcome.ENDED: phrase("it-was-ended", "a supervisor ended it"),
    StayOutcome.MOVED: phrase("it-was-moved", "a supervisor moved it to another queue"),
    StayOutcome.MOVED_AWAY: phrase("it-was-taken", "another program took it away"),
    StayOutcome.LOST: phrase("it-was-lost", "it was gone after a time without a router"),
}


class Asked(NamedTuple):
    """A question about the past, what its asker may see, and what is known beside the record.

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
        text = _not_on_record(asked)
    elif available:
        text = phrase("was-available", "{agent} was available", agent=asked.agent)
    else:
        text = phrase("was-not-available", "{agent} was not available", agent=asked.agent)
    missing = list(_missing(asked, then))
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
        "missing": missing,
        "missing_phrases": phrases_json(missing),
        "text": text,
        "phrase": phrase_json(text),
    }


def _not_on_record(asked: Asked) -> str:
    text = "what {agent} was doing then is not on record"
    return phrase("doing-not-on-record", text, agent=asked.agent)


def _own_words(asked: Asked, then: PastMoment, state: AgentStateRow) -> str:
    """Say what kept the agent from every call, for how long, and who brought it about."""
    words = _state_words(state)
    held = then.talks if state.status == "on-call" else then.offers
    shown = [one for one in held if asked.sight.sees_queue(one.queue)]
    if shown and state.status == "on-call":
        text, last = "on call {call} in {queue}", shown[-1]
        words = phrase("was-on-call", text, call=last.call, queue=last.queue)
    elif shown and state.status in {"reserved", "ringing"}:
        text, last = "being rung for call {call} in {queue}", shown[-1]
        words = phrase("was-rung-for-call", text, call=last.call, queue=last.queue)
    text, since = "{doing}, for {since_s} then", then.at - state.at
    words = phrase("doing-then", text, doing=words, since_s=since)
    if state.until is not None:
        text, more = "{doing} and for {more_s} more", state.until - then.at
        words = phrase("doing-longer", text, doing=words, more_s=more)
    return _by(words, state)


def _by(words: str, state: AgentStateRow) -> str:
    """Add who brought a state about, if that is known."""
    return phrase("doing-by", "{doing}, by {by}", doing=words, by=state.by) if state.by else words


def _state_words(state: AgentStateRow) -> str:
    if state.status == "paused":
        return pause_words(state.reason)
    words = _STATUS_WORDS.get(state.status, state.status)
    if not state.reason:
        return words
    return phrase("doing-because", "{doing}: {reason}", doing=words, reason=state.reason)


def _span(state: AgentStateRow) -> AgentSpanJson:
    words = _by(_state_words(state), state)
    return {
        "since": moment(state.at),
        "until": moment(state.until),
        "state": _STATES[state.state],
        "text": words,
        "phrase": phrase_json(words),
    }


def _missing(asked: Asked, then: PastMoment) -> Iterator[str]:
    """Yield what is not on record, and why."""
    at, history = then.at, asked.history
    for gap in then.gaps:
        if gap.kind is GapKind.ROUTER_DOWN:
            text, took = (
                "no router was running then, for {took_s} in all",
                gap.ended_at - gap.began_at,
            )
            yield phrase("no-router-then", text, took_s=took)
        else:
            one = "{count} row of {table} of that time were lost while the database was away"
            many = "{count} rows of {table} of that time were lost while the database was away"
            yield phrase("rows-lost", one, many, count=gap.rows_lost, table=gap.table_name)
    if then.state is None and not then.gaps:
        if at < asked.now - history.keep:
            text = "states are kept for {kept} (keep of history)"
            yield phrase("states-kept", text, kept=_days(history.keep))
        elif then.first_run is None or at < then.first_run:
            yield phrase("record-begins-later", "the record begins later")
        else:
            text = "nothing had been reported of {agent} until then"
            yield phrase("nothing-reported", text, agent=asked.agent)
    waiting = [one for calls in then.waiting.values() for one in calls]
    if any(not one.has_steps for one in waiting):
        yield from _no_decisions(asked, at)


def _no_decisions(asked: Asked, at: float) -> Iterator[str]:
    if at < asked.now - asked.history.decisions:
        kept = _days(asked.history.decisions)
        text = "decisions are kept for {kept} (decisions of history): who was a member is not known"
        yield phrase("decisions-kept", text, kept=kept)


def _days(seconds: float) -> str:
    days = round(seconds / 86_400)
    if days >= 1:
        return phrase("days", "{count} day", "{count} days", count=days)
    return phrase("duration", "{duration_exact_s}", duration_exact_s=seconds)


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
        text = "not an agent of {queue} then"
        lines.append(
            phrase("was-not-agent-of", text, queue=queue)
            if known
            else phrase("not-agent-of", "not an agent of {queue}", queue=queue)
        )
    elif not count:
        lines.append(phrase("no-caller-waited", "no caller waited"))
    elif then.state is not None and then.state.status == _AVAILABLE:
        lines += [_waited(asked, then.at, one) for one in waiting]
        if count > len(waiting):
            one, many = "and {count} more caller", "and {count} more callers"
            lines.append(phrase("more-callers", one, many, count=count - len(waiting)))
    else:
        one, many = "{count} caller waited", "{count} callers waited"
        lines.append(phrase("callers-waited", one, many, count=count))
    return {
        "id": queue,
        "member": member,
        "waiting": count,
        "reasons": lines,
        "reasons_phrases": phrases_json(lines),
    }


def _waited(asked: Asked, at: float, one: WaitingThen) -> str:
    stay, text = one.stay, "{call} had waited for {waited_s}: {why}"
    waited, why = at - stay.entered_at, _reason(asked, at, one)
    return phrase("call-had-waited", text, call=stay.call, waited_s=waited, why=why)


def _reason(asked: Asked, at: float, one: WaitingThen) -> str:
    """Say why a waiting call did not ring an available agent at that time."""
    agent = asked.agent
    ringing = [offer for offer in one.offers if _goes_on(offer, at)]
    if any(offer.agent == agent for offer in ringing):
        return phrase("rung-for-this-call", "being rung for this call")
    facts = None if one.members is None else one.members.get(agent)
    if one.members is not None and facts is None:
        return phrase("not-agent-then", "not an agent of the queue then")
    tried = _tried(one, agent, at)
    if tried:
        return tried
    if facts is not None and one.decided is not None:
        # Steps only open more, and needs only become fewer: a later decision will do as well.
        step, skills = facts
        if step > one.decided.escalation_step:
            text = "not open to this call yet: a later step of widen"
            return phrase("opens-with-widen", text)
        lack = lacking(one.decided.needs, skills)
        if lack:
            return lack
    if ringing:
        rung = [offer.agent for offer in ringing]
        one_rung, many = (
            "{count} agent was being rung for it",
            "{count} agents were being rung for it",
        )
        words = phrase("were-rung", one_rung, many, count=len(rung))
        if asked.sight.masked:
            return words
        return phrase(
            "were-rung-named", "{rung}: {names}", rung=words, names=first_few(rung, NAMED)
        )
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
        what = phrase("missed-it", "missed it")
    elif last.result in _REFUSED:
        what = phrase("refused-it", "refused it")
    elif last.result is OfferResult.PASSED_ON:
        what = phrase("passed-it-on", "passed it on")
    text, before = "tried already: {what} {before_s} before", at - (last.ended_at or at)
    return phrase("tried-before", text, what=what, before_s=before)


def _next(asked: Asked, at: float, one: WaitingThen) -> str:
    """Say what happened to the call next, for want of a reason."""
    later = next((offer for offer in one.offers if offer.made_at > at), None)
    if later is not None:
        after = later.made_at - at
        if later.agent == asked.agent:
            return phrase("rung-later", "was rung for it {after_s} later", after_s=after)
        who = later.agent
        if asked.sight.masked:
            who = phrase("another-agent", "another agent")
        if one.decided is not None and one.decided.offer == later.offer and one.decided.preferred:
            text = "kept for {agent}, who was rung for it {after_s} later"
            return phrase("kept-and-rung-later", text, agent=who, after_s=after)
        text = "{agent} was rung for it {after_s} later; no reason is on record"
        return phrase("other-rung-later", text, agent=who, after_s=after)
    stay = one.stay
    if stay.left_at is not None and stay.outcome in _LEFT:
        text, end = "{what} {after_s} later", _LEFT[stay.outcome]
        return phrase("happened-later", text, what=end, after_s=stay.left_at - at)
    return phrase("no-reason-on-record", "no reason is on record")


# ---------------------------------------------------------------- a call


def explain_call_for(asked: Asked, found: PastCall, states: Sequence[AgentStateRow]) -> WhyNotJson:
    """Return why an agent was not rung for a call, decision by decision.

    Args:
        asked: the agent, and what the asker may see.
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
        text = phrase("none-rung-for-call", "no agent was rung for call {call}", call=call.call)
    elif rung:
        one = "{agent} was rung for call {call}, {rung} of {count} time"
        many = "{agent} was rung for call {call}, {rung} of {count} times"
        agent, times = asked.agent, len(decisions)
        text = phrase("rung-times", one, many, agent=agent, call=call.call, rung=rung, count=times)
    else:
        words = "{agent} was not rung for call {call}"
        text = phrase("not-rung-for-call", words, agent=asked.agent, call=call.call)
    missing = [] if states else [_not_on_record(asked)]
    if call.left_out:
        one = "{count} earlier step of the call no longer kept"
        many = "{count} earlier steps of the call no longer kept"
        missing.append(phrase("earlier-steps", one, many, count=call.left_out))
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
        "missing_phrases": phrases_json(missing),
        "text": text,
        "phrase": phrase_json(text),
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
    text: str
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
            said = RESULTS.get(result, result) if asked.sight.masked else words  # they name others
            reason, text = "rung", phrase("was-rung-and", "was rung: {what}", what=said)
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
            "phrase": phrase_json(text),
        }


def _passed_over(asked: Asked, context: DecisionContext) -> tuple[str, str]:
    made, (_, _, members) = context.made, context.step
    if not members:
        text = "the agents of {queue} at that time are not on record"
        return "unknown", phrase("members-not-on-record", text, queue=made.queue)
    said = context.reason_for(asked.agent)
    if said is None:
        text = "not an agent of {queue} then"
        return "not-member", phrase("was-not-agent-of", text, queue=made.queue)
    reason, text = said
    if reason == "preferred" and asked.sight.masked:
        text = phrase("prefers-another", "available, but this call prefers another agent")
    return reason, _with_place(asked, made, text) if reason == "later" else text


def _with_place(asked: Asked, made: OfferDecided, words: str) -> str:
    """Say also how many were before the agent, if the decision kept its rank."""
    order = [agent for _, _, agent in sorted(made.ranked)]
    if asked.agent not in order:
        return words
    text, place = "{why} ({place_th} of {count} available)", order.index(asked.agent) + 1
    return phrase("with-place", text, why=words, place_th=place, count=made.available)
