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


class Expectation:
    """Adds up what each agent is expected to get, from what happened in order of time.

    Each offer is worth one divided by the number of available agents, to each of them. Instead of adding
    that to all of them, the total worth of a chance is kept, and an agent who stops being available gets
    the difference since they began.

    Args:
        members: the level of each agent in a queue, by queue and agent.
        policies: the policies under which each queue made offers.
    """

    def __init__(
        self, members: Mapping[str, Mapping[str, int]], policies: Mapping[str, frozenset[str]]
    ) -> None:
        self._members = members
        self.groups: dict[Group, Shares] = {}
        self._since: dict[str, dict[Group, float]] = {}
        self._of: dict[str, list[tuple[Group, float]]] = {}
        for queue, levels in members.items():
            for policy in policies.get(queue, frozenset()):
                for agent, level in levels.items():
                    group, weight = self._group(queue, policy, level)
                    self._of.setdefault(agent, []).append((group, weight))
                    self.groups.setdefault(group, Shares())
        self._chances: dict[Group, float] = dict.fromkeys(self.groups, 0.0)
        self._worth: dict[Group, float] = dict.fromkeys(self.groups, 0.0)

    @staticmethod
    def _group(queue: str, policy: str, level: int) -> tuple[Group, float]:
        promise, levels = promise_of(policy)
        weight = float(_LAST_CHANCE - level) if promise is Promise.WEIGHTED else 1.0
        return Group(queue, policy, level if levels else 0), weight

    def available(self, agent: str) -> None:
        """An agent became available."""
        if agent in self._since or agent not in self._of:
            return
        self._since[agent] = {group: self._worth[group] for group, _ in self._of[agent]}
        for group, weight in self._of[agent]:
            self._chances[group] += weight

    def unavailable(self, agent: str) -> None:
        """An agent is no longer available, or never was."""
        since = self._since.pop(agent, None)
        if since is None:
            return
        for group, weight in self._of[agent]:
            self._chances[group] -= weight
            self._give(group, agent, weight * (self._worth[group] - since[group]))

    def _give(self, group: Group, agent: str, worth: float) -> None:
        shares = self.groups[group].expected
        shares[agent] = shares.get(agent, 0.0) + worth

    def offered(self, queue: str, policy: str, level: int, agent: str) -> None:
        """An agent was rung. They count as available at that moment, whatever is known of them."""
        group, weight = self._group(queue, policy, level)
        shares = self.groups.setdefault(group, Shares())
        shares.made[agent] = shares.made.get(agent, 0) + 1
        there = agent in self._since and group in self._since[agent]
        chances = self._chances.get(group, 0.0) + (0.0 if there else weight)
        self._worth[group] = self._worth.get(group, 0.0) + 1 / chances
        if not there:
            self._give(group, agent, weight / chances)

    def finish(self) -> None:
        """The period is over."""
        for agent in list(self._since):
            self.unavailable(agent)


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
    level = f", level {group.level}" if group.level else ""
    start = f"{group.queue} ({group.policy}{level}): {_counted(made, 'offer')} to {_counted(len(agents), 'agent')}"
    if promise not in {Promise.EVEN, Promise.WEIGHTED}:
        return f"{start}. Not tested: {promise.value}."
    found = compare(
        [shares.made.get(agent, 0) for agent in agents],
        [shares.expected.get(agent, 0.0) for agent in agents],
    )
    if found is None:
        return f"{start}. Too few to test: five offers must be expected for each of two agents."
    figures = (
        f"chi-square {found.statistic:.1f} with {_counted(found.degrees, 'degree')} of freedom, "
        f"p = {_probability(found.chance)}"
    )
    if found.chance >= UNLIKELY:
        return f"{start}. They differ no more than chance explains ({figures})."
    furthest = max(agents, key=lambda agent: abs(_excess(shares, agent)))
    return (
        f"{start}. They differ more than chance explains ({figures}): {hidden or furthest} had "
        f"{shares.made.get(furthest, 0):,} where {shares.expected.get(furthest, 0.0):,.0f} were to be "
        "expected of the time available. Skills, escalation, preferred agents and agents who had "
        "missed the call are not considered."
    )


def _excess(shares: Shares, agent: str) -> float:
    return shares.made.get(agent, 0) - shares.expected.get(agent, 0.0)


def _probability(chance: float) -> str:
    return "less than 0.0001" if chance < 0.0001 else f"{chance:.4f}".rstrip("0").rstrip(".")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
