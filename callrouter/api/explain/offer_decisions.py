"""Describes one decision: the candidates, the agent rung, and why others were passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from callrouter.api.json_values import moment, seconds
from callrouter.api.schemas.why_answers import CandidateJson, PassedOverJson, StepJson
from callrouter.core.index.pools import NO_SAY
from callrouter.core.state import Membership
from callrouter.model.call_notices import OfferDecided
from callrouter.model.outcomes import OfferOutcome
from callrouter.model.text import rough_duration
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
        "outcome": {"result": result, "text": words},
        "text": _decided_words(made, offer)
        + (f" (not rung: {offer.left_out})" if offer.left_out else ""),
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
            text += f"; {tried_words(outcomes.get(agent))}"
        shown.append(
            {"agent": agent, "idle_s": None if idle is None else seconds(idle), "text": text}
        )
    if not shown and offer.idle is not None:
        text = f"level {offer.level}, idle {rough_duration(offer.idle)}"
        shown.append({"agent": made.agent, "idle_s": seconds(offer.idle), "text": text})
    return shown


def _decided_words(made: OfferDecided, offer: ExplainedOffer) -> str:
    """Say in a sentence why this agent was chosen."""
    who = made.agent
    if made.by_agent:
        others = made.waiting
        line = (
            "the only one waiting"
            if others <= 1
            else f"the first of {others} who waited for agents like {who}"
        )
        if offer.idle is not None and offer.idle >= 1.0:
            return f"{who} could be rung again and took this call, {line}"
        return f"{who} became free and took this call, {line}"
    if made.preferred:
        return f"{who} was rung: the agent whom this call prefers"
    policy = ", then ".join(made.policy)
    out_of = f"{made.available} available"
    if any(_rings_all(name) for name in made.policy):
        return f"{who} was rung: all available agents are, by {policy}"
    if made.available == 1:
        return f"{who} was rung: the only one available"
    if made.drawn:
        last = next((REGISTRY.get(name) for name in made.policy if _draws(name)), None)
        if hasattr(last, "chances"):
            return f"{who} was rung: drawn by weight ({policy}) out of {out_of}"
        if made.drawn == 1:
            return f"{who} was rung: alone at the top by {policy}, {out_of}"
        return f"{who} was rung: drawn from {made.drawn} equals ({policy}), {out_of}"
    first = min(made.ranked)[2] if made.ranked else who
    place = "first" if first == who else "first not tried yet"
    return f"{who} was rung: {place} of {out_of} by {policy}"


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
            return "ringing", "being rung for this call"
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
            return "preferred", f"available, but this call prefers {made.agent}"
        if made.drawn > 1:
            return "not-drawn", "available, not drawn"
        if agent in candidates or made.available > len(made.ranked):
            return "later", "available, comes after"
        return "other-pbx", "has no phone where this call is"


def opens_words(member: Membership) -> str:
    """Say from when a member is open to calls, by the queue's escalation steps.

    Args:
        member: of a later escalation step than the call. Must not be of step 0.
    """
    widen = member.queue.spec.widen
    if member.escalation_step <= len(widen):
        after = rough_duration(widen[member.escalation_step - 1].after)
        return f"not open to a call until it has waited {after}"
    return "not open to this call yet"


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
            group = {"reason": kind, "text": text, "agents": [], "count": 0}
            groups[kind, text] = group
        group["count"] += 1
        if len(group["agents"]) < SHOWN:
            group["agents"].append(agent)
        if number % BUNCH == 0:
            await asyncio.sleep(0)
    return sorted(groups.values(), key=lambda group: ORDER.index(group["reason"]))
