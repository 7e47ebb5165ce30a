"""How evenly offers went to agents, against what the queue's policy promises. Pure arithmetic.

A policy chooses among the agents who are available. So an agent is expected to get, of each offer made
while they were available, an equal part: one of `k` where `k` agents of the queue were available. Added
up over a period, that is what a policy which prefers no agent would give, with everything considered
that keeps an agent away: pauses, conversations, other queues, signing in late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from callrouter.model.text import phrase
from callrouter.reports.chi_square import compare

UNLIKELY: Final = 0.01
"""Below this probability, chance is no explanation."""
_LAST_CHANCE: Final = 101
"""What a level is taken from to give the number of chances in `weighted-random`."""


class Promise(Enum):
    """What a policy promises about how offers are spread."""

    EVEN = "each available agent is as likely as any other"
    WEIGHTED = "an available agent is drawn with 101 minus the level chances"
    CALLS = "the calls of a day become even, so agents who came later get more until then"
    TALK = "the talk time of a day becomes even, so agents with short calls get more of them"
    BUSY = "agents become equally busy, over all their queues"
    PREFERENCE = "some agents come before others, so offers are not meant to be even"

    __hash__ = object.__hash__


_PROMISED: Final[Mapping[Promise, str]] = {
    Promise.EVEN: phrase("promise-even", "each available agent is as likely as any other"),
    Promise.WEIGHTED: phrase(
        "promise-weighted", "an available agent is drawn with 101 minus the level chances"
    ),
    Promise.CALLS: phrase(
        "promise-calls",
        "the calls of a day become even, so agents who came later get more until then",
    ),
    Promise.TALK: phrase(
        "promise-talk",
        "the talk time of a day becomes even, so agents with short calls get more of them",
    ),
    Promise.BUSY: phrase("promise-busy", "agents become equally busy, over all their queues"),
    Promise.PREFERENCE: phrase(
        "promise-preference", "some agents come before others, so offers are not meant to be even"
    ),
}
"""What is promised as a sentence with a code. The words are the values."""
_PROMISES: Final[Mapping[str, Promise]] = {
    "longest-idle": Promise.EVEN,
    "round-robin": Promise.EVEN,
    "random": Promise.EVEN,
    "ring-all": Promise.EVEN,
    "weighted-random": Promise.WEIGHTED,
    "fewest-calls": Promise.CALLS,
    "least-talk-time": Promise.TALK,
    "average-utilization": Promise.BUSY,
}
_BY_LEVEL: Final = "priority"


def promise_of(policy: str) -> tuple[Promise, bool]:
    """Return what a policy promises, and whether within each level by itself.

    Args:
        policy: names joined by ``,``, as offers have them. Equal ranks go to the longest idle.
    """
    names = [name for name in policy.split(",") if name]
    levels = _BY_LEVEL in names
    rest = [name for name in names if name != _BY_LEVEL] or ["longest-idle"]
    return _PROMISES.get(rest[0], Promise.PREFERENCE), levels


class Group(NamedTuple):
    """Offers that are compared with each other. `level` is 0 unless each level stands alone."""

    queue: str
    policy: str
    level: int


@dataclass(slots=True)
class Shares:
    """The offers of a group by agent: those made, and those expected."""

    made: dict[str, int] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Seat:
    """What an agent takes part in.

    Attributes:
        groups: numbers of the groups; `weights` and `gained` are the agent's chances in each, and what a
            chance was worth while the agent was available.
        pools: numbers of the pools, with the agent's chances.
        since: what a chance in each group was worth when the agent became available; None: they are not.
        used: whether they ever were.
    """

    groups: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    gained: list[float] = field(default_factory=list)
    pools: list[tuple[int, float]] = field(default_factory=list)
    since: list[float] | None = None
    used: bool = False


class Expectation:
    """Adds up what each agent is expected to get, from what happened in order of time.

    Each offer is worth one divided by the number of available agents, to each of them. Instead of adding
    that to all of them, the total worth of a chance is kept, and an agent who stops being available gets
    the difference since they began. Groups of the same agents share the count of who is available.

    Args:
        members: the level of each agent in a queue, by queue and agent.
        policies: the policies under which each queue made offers.
    """

    def __init__(
        self, members: Mapping[str, Mapping[str, int]], policies: Mapping[str, frozenset[str]]
    ) -> None:
        self.groups: dict[Group, Shares] = {}
        self._slots: dict[tuple[str, str, int], tuple[int, float, Shares]] = {}
        self._numbers: dict[Group, int] = {}
        self._worth: list[float] = []
        """What a chance was worth so far, by the number of the group."""
        self._pool_of: list[int] = []
        """Which pool of agents a group has, by the number of the group."""
        self._chances: list[float] = []
        """The chances of the available agents, by the number of the pool."""
        self._seats: dict[str, _Seat] = {}
        drawn: dict[Group, dict[str, float]] = {}
        for queue, levels in members.items():
            for policy in policies.get(queue, frozenset()):
                for agent, level in levels.items():
                    group, weight = self._group(queue, policy, level)
                    drawn.setdefault(group, {})[agent] = weight
        self._seat(drawn)

    def _seat(self, drawn: Mapping[Group, Mapping[str, float]]) -> None:
        """Give each agent a seat: its groups, and once for groups of the same agents, its chances."""
        pools: dict[frozenset[tuple[str, float]], int] = {}
        for group, weights in drawn.items():
            same = frozenset(weights.items())
            new = same not in pools
            pool = pools.setdefault(same, len(pools))
            if new:
                self._chances.append(0.0)
            number = self._add(group, pool)
            for agent, weight in weights.items():
                seat = self._seats.setdefault(agent, _Seat())
                seat.groups.append(number)
                seat.weights.append(weight)
                seat.gained.append(0.0)
                if new:
                    seat.pools.append((pool, weight))

    def _add(self, group: Group, pool: int) -> int:
        number = self._numbers[group] = len(self._worth)
        self._worth.append(0.0)
        self._pool_of.append(pool)
        self.groups[group] = Shares()
        return number

    @staticmethod
    def _group(queue: str, policy: str, level: int) -> tuple[Group, float]:
        promise, levels = promise_of(policy)
        weight = float(_LAST_CHANCE - level) if promise is Promise.WEIGHTED else 1.0
        return Group(queue, policy, level if levels else 0), weight

    def available(self, agent: str) -> None:
        """An agent became available."""
        seat = self._seats.get(agent)
        if seat is None or seat.since is not None:
            return
        worth, chances = self._worth, self._chances
        seat.since = [worth[number] for number in seat.groups]
        for pool, weight in seat.pools:
            chances[pool] += weight

    def unavailable(self, agent: str) -> None:
        """An agent is no longer available, or never was."""
        seat = self._seats.get(agent)
        if seat is None or (since := seat.since) is None:
            return
        worth, chances = self._worth, self._chances
        for pool, weight in seat.pools:
            chances[pool] -= weight
        seat.gained = [
            gained + worth[number] - before
            for gained, number, before in zip(seat.gained, seat.groups, since, strict=True)
        ]
        seat.since, seat.used = None, True

    def offered(self, queue: str, policy: str, level: int, agent: str) -> None:
        """An agent was rung. They count as available at that moment, whatever is known of them."""
        slot = self._slots.get((queue, policy, level)) or self._slot(queue, policy, level)
        number, weight, shares = slot
        shares.made[agent] = shares.made.get(agent, 0) + 1
        chances = self._chances[self._pool_of[number]]
        seat = self._seats.get(agent)
        if seat is not None and seat.since is not None and number in seat.groups:
            self._worth[number] += 1 / chances
            return
        chances += weight
        self._worth[number] += 1 / chances
        shares.expected[agent] = shares.expected.get(agent, 0.0) + weight / chances

    def _slot(self, queue: str, policy: str, level: int) -> tuple[int, float, Shares]:
        group, weight = self._group(queue, policy, level)
        number = self._numbers.get(group)
        if number is None:
            self._chances.append(0.0)
            number = self._add(group, len(self._chances) - 1)
        slot = number, weight, self.groups[group]
        self._slots[queue, policy, level] = slot
        return slot

    def finish(self) -> None:
        """The period is over: the shares of the groups are complete."""
        groups = list(self._numbers)
        for agent, seat in self._seats.items():
            self.unavailable(agent)
            if not seat.used:
                continue
            for number, weight, gained in zip(seat.groups, seat.weights, seat.gained, strict=True):
                expected = self.groups[groups[number]].expected
                expected[agent] = expected.get(agent, 0.0) + weight * gained


def verdict(group: Group, shares: Shares, hidden: str = "") -> str:
    """Return in words whether the offers of a group were spread as its policy promises.

    Args:
        group: which offers.
        shares: those made and those expected.
        hidden: what to call the agent who is furthest off, if the reader may not see names; empty:
            the id.
    """
    promise, _ = promise_of(group.policy)
    made = sum(shares.made.values())
    agents = sorted(set(shares.made) | set(shares.expected))
    start = _offers_of(group, made, len(agents))
    if promise not in {Promise.EVEN, Promise.WEIGHTED}:
        text = "{offers}. Not tested: {promise}."
        return phrase("fair-not-tested", text, offers=start, promise=_PROMISED[promise])
    found = compare(
        [shares.made.get(agent, 0) for agent in agents],
        [shares.expected.get(agent, 0.0) for agent in agents],
    )
    if found is None:
        text = "{offers}. Too few to test: five offers must be expected for each of two agents."
        return phrase("fair-too-few", text, offers=start)
    figures = phrase(
        "fair-figures",
        "chi-square {statistic} with {degrees} of freedom, p = {chance}",
        statistic=f"{found.statistic:.1f}",
        degrees=phrase(
            "degrees",
            "{count_many} degree",
            "{count_many} degrees",
            count=found.degrees,
            count_many=found.degrees,
        ),
        chance=_probability(found.chance),
    )
    if found.chance >= UNLIKELY:
        text = "{offers}. They differ no more than chance explains ({figures})."
        return phrase("fair-even", text, offers=start, figures=figures)
    furthest = max(agents, key=lambda agent: abs(_excess(shares, agent)))
    return phrase(
        "fair-uneven",
        "{offers}. They differ more than chance explains ({figures}): {agent} had {had_many} where "
        "{expected_many} were to be expected of the time available. Skills, escalation, preferred "
        "agents and agents who had missed the call are not considered.",
        offers=start,
        figures=figures,
        agent=hidden or furthest,
        had_many=shares.made.get(furthest, 0),
        expected_many=round(shares.expected.get(furthest, 0.0)),
    )


def _offers_of(group: Group, made: int, agents: int) -> str:
    """Say which offers a verdict is about: how many of which queue, and to how many agents."""
    one, more = "{count_many} offer", "{count_many} offers"
    offers = phrase("fair-offers", one, more, count=made, count_many=made)
    one, more = "{count_many} agent", "{count_many} agents"
    to = phrase("fair-agents", one, more, count=agents, count_many=agents)
    if group.level:
        return phrase(
            "fair-of-level",
            "{queue} ({policy}, level {level}): {offers} to {agents}",
            queue=group.queue,
            policy=group.policy,
            level=group.level,
            offers=offers,
            agents=to,
        )
    text = "{queue} ({policy}): {offers} to {agents}"
    return phrase("fair-of", text, queue=group.queue, policy=group.policy, offers=offers, agents=to)


def _excess(shares: Shares, agent: str) -> float:
    return shares.made.get(agent, 0) - shares.expected.get(agent, 0.0)


def _probability(chance: float) -> str:
    if chance < 0.0001:
        return phrase("less-than", "less than {value}", value="0.0001")
    return f"{chance:.4f}".rstrip("0").rstrip(".")
