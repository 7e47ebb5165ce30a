"""Describes one decision: the candidates, the agent rung, and why others were passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final

from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.logged_call import Step
from callrouter.api.explain.explanation_text import (
    ORDER,
    lacking,
    standing_words,
    tried_words,
    values,
)
from callrouter.api.explain.offer_outcomes import ExplainedOffer, outcome
from callrouter.api.json_values import moment, phrase_json, seconds
from callrouter.api.schemas.why_answers import CandidateJson, PassedOverJson, StepJson
from callrouter.core.index.pools import NO_SAY
from callrouter.core.state import Membership
from callrouter.model.call_notices import OfferDecided
from callrouter.model.outcomes import OfferOutcome
from callrouter.model.text import joined, phrase
from callrouter.policies import REGISTRY

SHOWN: Final = 20
"""Names listed for each reason; the others are only counted."""
BUNCH: Final = 500
"""Members examined in one batch; between two batches the loop serves calls."""


async def explain_decision(context: DecisionContext, offer: ExplainedOffer, now: float) -> StepJson:
    """Describe one decision: who was rung and why, who was not and why, and the outcome.

    Yields to the loop between batches of the queue's members.

    Args:
        context: the moment of the decision.
        offer: what became of it.
        now: the time of the request, for an outcome that goes on.
    """
    made = context.made
    result, words = outcome(context.log, offer, now)
    text = _decided_words(made, offer)
    if offer.left_out:
        left_out = "{rung} (not rung: {phones})"
        text = phrase("decided-without", left_out, rung=text, phones=offer.left_out)
    return {
        "at": moment(made.at),
        "after_s": seconds(made.waited_s),
        "kind": "offer",
        "queue": made.queue,
        "agent": made.agent,
        "offer": made.offer,
        "policy": list(made.policy),
        "by_agent": made.by_agent,
        "preferred": made.preferred,
        "drawn": made.drawn,
        "available": made.available,
        "waiting": made.waiting,
        "candidates": _candidates(made, offer, context.outcomes),
        "passed_over": await grouped(context.reasons()),
        "outcome": {"result": result, "text": words, "phrase": phrase_json(words)},
        "text": text,
        "phrase": phrase_json(text),
    }


def _candidates(
    made: OfferDecided, offer: ExplainedOffer, outcomes: dict[str, OfferOutcome]
) -> list[CandidateJson]:
    """Return the candidates in order, with the values that ranked them.

    If the decision kept no ranks, only the agent rung is listed, with the level and idle time of
    the offer.
    """
    shown: list[CandidateJson] = []
    for ranks, idle_since, agent in sorted(made.ranked):
        idle = None if idle_since == NO_SAY else made.at - idle_since
        text = values(made.policy, ranks, idle)
        if agent in made.tried:
            text = joined([text, tried_words(outcomes.get(agent))])
        shown.append(_candidate(agent, idle, text))
    if not shown and offer.idle is not None:
        text = "level {level}, idle {idle_s}"
        words = phrase("level-and-idle", text, level=offer.level or 0, idle_s=offer.idle)
        shown.append(_candidate(made.agent, offer.idle, words))
    return shown


def _candidate(agent: str, idle: float | None, text: str) -> CandidateJson:
    return {
        "agent": agent,
        "idle_s": None if idle is None else seconds(idle),
        "text": text,
        "phrase": phrase_json(text),
    }


def _decided_words(made: OfferDecided, offer: ExplainedOffer) -> str:
    """Say in a sentence why this agent was chosen."""
    who = made.agent
    if made.by_agent:
        line = phrase("only-one-waiting", "the only one waiting")
        if made.waiting > 1:
            text = "the first of {count} who waited for agents like {agent}"
            line = phrase("first-of-waiting", text, count=made.waiting, agent=who)
        if offer.idle is not None and offer.idle >= 1.0:
            text = "{agent} could be rung again and took this call, {line}"
            return phrase("decided-again-free", text, agent=who, line=line)
        text = "{agent} became free and took this call, {line}"
        return phrase("decided-free", text, agent=who, line=line)
    return phrase("decided", "{agent} was rung: {why}", agent=who, why=_why_chosen(made))


def _why_chosen(made: OfferDecided) -> str:
    """Say why this agent and no other was rung for a call that waited."""
    if made.preferred:
        return phrase("chosen-preferred", "the agent whom this call prefers")
    policy = reduce(_policy_then, made.policy)
    free = made.available
    if any(_rings_all(name) for name in made.policy):
        return phrase("chosen-all", "all available agents are, by {policy}", policy=policy)
    if free == 1:
        return phrase("chosen-only", "the only one available")
    if made.drawn:
        last = next((REGISTRY.get(name) for name in made.policy if _draws(name)), None)
        if hasattr(last, "chances"):
            text = "drawn by weight ({policy}) out of {count} available"
            return phrase("chosen-by-weight", text, policy=policy, count=free)
        if made.drawn == 1:
            text = "alone at the top by {policy}, {count} available"
            return phrase("chosen-alone-at-top", text, policy=policy, count=free)
        text = "drawn from {drawn} equals ({policy}), {count} available"
        return phrase("chosen-drawn", text, drawn=made.drawn, policy=policy, count=free)
    first = min(made.ranked)[2] if made.ranked else made.agent
    if first == made.agent:
        text = "first of {count} available by {policy}"
        return phrase("chosen-first", text, count=free, policy=policy)
    text = "first not tried yet of {count} available by {policy}"
    return phrase("chosen-first-untried", text, count=free, policy=policy)


def _policy_then(first: str, second: str) -> str:
    return phrase("policy-then", "{first}, then {second}", first=first, second=second)


def _rings_all(name: str) -> bool:
    policy = REGISTRY.get(name)
    return policy is not None and policy.rings_all


def _draws(name: str) -> bool:
    policy = REGISTRY.get(name)
    return policy is not None and policy.draws


# ---------------------------------------------------------------- who was passed over


@dataclass(slots=True)
class DecisionContext:
    """The moment of a decision, with what the other agents were doing.

    Attributes:
        log: says what agents were doing at that moment.
        step: the step of the decision, with the members of the queue.
        made: the decision.
        ringing: ids of the agents already being rung for the same call.
        outcomes: how the latest earlier offer of this call to each agent ended.
    """

    log: Standings
    step: Step
    made: OfferDecided
    ringing: set[str]
    outcomes: dict[str, OfferOutcome]

    def reasons(self) -> Iterator[tuple[str, str, str]]:
        """Yield every other agent of the queue, with a stable keyword and a reason in words."""
        candidates = self._candidates()
        for agent, member in self.step[2].items():
            if agent != self.made.agent:
                kind, text = self._reason(agent, member, candidates)
                yield agent, kind, text

    def reason_for(self, agent: str) -> tuple[str, str] | None:
        """Return why an agent who was not rung was not; None: the agent was not in the queue."""
        member = self.step[2].get(agent)
        return None if member is None else self._reason(agent, member, self._candidates())

    def _candidates(self) -> set[str]:
        return {agent for _, _, agent in self.made.ranked}

    def _reason(self, agent: str, member: Membership, candidates: set[str]) -> tuple[str, str]:
        made = self.made
        if agent in self.ringing:
            return "ringing", phrase("rung-for-this-call", "being rung for this call")
        if agent in made.tried:
            return "tried", tried_words(self.outcomes.get(agent))
        if agent not in candidates:
            standing = self.log.standing(agent, self.step[0])
            kind, text = standing_words(standing)
            if kind:
                return kind, text
            if member.escalation_step > made.escalation_step:
                return "opens-later", opens_words(member)
            lack = lacking(made.needs, member.agent.spec.skills)
            if lack:
                return "skills", lack
        if made.preferred:
            text = "available, but this call prefers {agent}"
            return "preferred", phrase("prefers-agent", text, agent=made.agent)
        if made.drawn > 1:
            return "not-drawn", phrase("not-drawn", "available, not drawn")
        if agent in candidates or made.available > len(made.ranked):
            return "later", phrase("comes-after", "available, comes after")
        return "other-pbx", phrase("no-phone-there", "has no phone where this call is")


def opens_words(member: Membership) -> str:
    """Say from when a member is open to calls, by the queue's escalation steps.

    Args:
        member: of a later escalation step than the call. Must not be of step 0.
    """
    widen = member.queue.spec.widen
    if member.escalation_step <= len(widen):
        after = widen[member.escalation_step - 1].after
        text = "not open to a call until it has waited {after_s}"
        return phrase("opens-after", text, after_s=after)
    return phrase("opens-later", "not open to this call yet")


async def grouped(reasons: Iterable[tuple[str, str, str]]) -> list[PassedOverJson]:
    """Group by reason, with the first names of each: 10,000 signed-out agents are one line.

    Args:
        reasons: agents with a keyword of `ORDER` and words.

    Returns:
        The groups, most informative reason first. Each names `SHOWN` agents at most, and counts
            all.

    Raises:
        ValueError: a keyword is not in `ORDER`.
    """
    groups: dict[tuple[str, str], PassedOverJson] = {}
    for number, (agent, kind, text) in enumerate(reasons, 1):
        group = groups.get((kind, text))
        if group is None:
            group = {
                "reason": kind,
                "text": text,
                "phrase": phrase_json(text),
                "agents": [],
                "count": 0,
            }
            groups[kind, text] = group
        group["count"] += 1
        if len(group["agents"]) < SHOWN:
            group["agents"].append(agent)
        if number % BUNCH == 0:
            await asyncio.sleep(0)
    return sorted(groups.values(), key=lambda group: ORDER.index(group["reason"]))
