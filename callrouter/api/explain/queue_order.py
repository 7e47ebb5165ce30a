"""Where an available agent stands in the order in which a queue rings its agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from callrouter.api.explain.explanation_text import in_a_row, values
from callrouter.core.index.pools import RankedAgent
from callrouter.core.state import Membership, Queue
from callrouter.model.text import phrase
from callrouter.policies import REGISTRY
from callrouter.policies.base import Rank

AHEAD: Final = 3
"""Number of agents ahead of this one that are named."""


class QueueOrder(NamedTuple):
    """An agent among those of the queue who could be rung for the same call at this moment.

    Attributes:
        ranks: the agent's own, most significant first; those of policies after one that draws are left out.
        size: how many agents there are, this one included.
        ahead: those who are rung before, in their order.
        equals: those between whom a draw decides, this one included; 0: no policy of the queue draws.
    """

    ranks: tuple[Rank, ...]
    size: int
    ahead: Sequence[RankedAgent]
    equals: int


def place_words(member: Membership, now: float, *, names: bool) -> str:
    """Say where an available agent stands in the queue's order, and who or how many are ahead.

    Args:
        member: of an available agent: at least one PBX can ring it.
        now: the time of the request.
        names: whether other agents may be named.
    """
    order = _order_of(member)
    total = _available(member, order.size)
    if order.size == 1:
        text = "{available}: would be rung for the next call"
        return phrase("next-of-all", text, available=total)
    if order.ahead:
        return _behind(member, order, total, now, names=names)
    if order.equals:
        text = "one of {equals} equals of {available}: chance decides"
        return phrase("one-of-equals", text, equals=order.equals, available=total)
    text = "1st of {available}: would be rung for the next call"
    return phrase("next-of", text, available=total)


def _order_of(member: Membership) -> QueueOrder:
    """Compare the agents of the same escalation step who can be rung on the same PBX.

    That PBX is the first of the agent's. If a policy draws, only those with a better rank are ahead: chance
    decides among equals.
    """
    queue, pbx = member.queue, member.agent.open[0]
    there = [
        one
        for one in queue.members.values()
        if pbx in one.agent.open and one.escalation_step == member.escalation_step
    ]
    policies = [REGISTRY[name] for name in queue.spec.policy]
    draws = next((n for n, policy in enumerate(policies) if policy.draws), None)
    ranked = policies if draws is None else policies[: draws + 1]

    def place(one: Membership) -> RankedAgent:
        ranks = tuple(policy.rank(one, queue.spec.skills) for policy in ranked)
        return (ranks, one.idle_since if draws is None else 0.0, one.agent.id)

    places = sorted(place(one) for one in there)
    mine = place(member)
    if draws is None:
        return QueueOrder(mine[0], len(there), places[: places.index(mine)], 0)
    ahead = [one for one in places if one[0] < mine[0]]
    return QueueOrder(mine[0], len(there), ahead, sum(one[0] == mine[0] for one in places))


def _available(member: Membership, size: int) -> str:
    """Say how many agents can be rung, and from when on if their escalation step is a later one."""
    queue = member.queue
    total = phrase("available-in", "{count} available in {queue}", count=size, queue=queue.id)
    if size == 1:
        text = "the only one available in {queue}"
        total = phrase("only-available-in", text, queue=queue.id)
    if member.escalation_step:
        text = "{available} (open to calls that have waited {after_s})"
        after = queue.spec.widen[member.escalation_step - 1].after
        total = phrase("available-later", text, available=total, after_s=after)
    return total


def _behind(member: Membership, order: QueueOrder, total: str, now: float, *, names: bool) -> str:
    """Say who, or how many, are ahead of an agent."""
    queue, before = member.queue, len(order.ahead)
    if not names:
        one = "{place_th} of {available}: {count} other is before"
        many = "{place_th} of {available}: {count} others are before"
        place = before + 1
        return phrase("others-before", one, many, place_th=place, available=total, count=before)
    named = in_a_row([_ranked(queue, one, now) for one in order.ahead[-AHEAD:]])
    if before > AHEAD:
        text = "{names} and {count} more"
        named = phrase("names-and-more", text, names=named, count=before - AHEAD)
    one = "{place_th} of {available} ({own}): {agents} is before"
    many = "{place_th} of {available} ({own}): {agents} are before"
    return phrase(
        "agents-before",
        one,
        many,
        place_th=before + 1,
        available=total,
        own=values(queue.spec.policy, order.ranks, now - member.idle_since),
        agents=named,
        count=before,
    )


def _ranked(queue: Queue, ranked: RankedAgent, now: float) -> str:
    """Name an agent with the values that rank it."""
    ranks, _, name = ranked
    found = values(queue.spec.policy, ranks, now - queue.members[name].idle_since)
    return phrase("agent-ranked", "{agent} ({values})", agent=name, values=found)
