"""The built-in policies, one class each; each can be used without the others.

What tells two of them apart is their `rank`: the lowest is called first. The agent who has been free
for the longest time comes first among equals, unless `draws` says otherwise.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LongestIdle:
    """longest-idle: ranks by the time the agent last became free for work.

    This is the policy of a queue that names none, and it breaks the ties of most others.
    """

    name = "longest-idle"
    sentence = "The agent who has been free for the longest time."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Start of the idle time: the earlier, the sooner.

        It is in epoch seconds. A call of any queue ends the idle time.
        """
        return candidate.idle_since


class Linear:
    """linear: ranks by the position in the queue's table, so the first free agent in it is rung.

    The agents at the top take most of the calls; those below help out. `RoundRobin` shares the calls
    evenly.
    """

    name = "linear"
    sentence = "Always the first free agent in the order of the table; those below help out."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The position in the table.

        It counts from 0. Agents that an escalation step adds follow those of the table.
        """
        return candidate.order


class RoundRobin:
    """round-robin: each agent in turn; ranks by the last turn, then by the order of the file.

    The agent whose last turn in this queue is longest ago is next. Agents who have not had a turn
    come first, in the order of the file. A missed or refused offer was a turn; one that another
    agent won, or that was withdrawn, was not.
    """

    name = "round-robin"
    sentence = "The agents in turn: after one had a turn, all others come first."
    draws = False
    rings_all = False
    reads_turn = True

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The number of the last turn; before the first, the position in the file, which is lower."""
        return candidate.turn or candidate.order - 1_000_000


class Priority:
    """priority: ranks by the level in the queue's `agents` table, 1 first and 100 last."""

    name = "priority"
    sentence = "The agent with the best priority in the table: 1 is first, 100 is last."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The level.

        It is 1 to 100. Agents of a lower level are rung first, whatever they have done today.
        """
        return candidate.level


class Skills:
    """skills: ranks by the sum of the levels in the skills that the call needs, the highest first.

    An agent without the required levels is never rung, whatever the policy; this policy ranks the
    rest. If nothing is required, all agents rank the same.
    """

    name = "skills"
    sentence = "The agent with the highest levels in the skills that the call needs."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, needs: Needs) -> Rank:
        """The negated sum, because the lowest rank is called first.

        A level above the required one counts in full. The rank is 0 if the call needs no skill.
        """
        return -sum(candidate.skills.get(skill, 0) for skill in needs)


class FewestCalls:
    """fewest-calls: ranks by the number of calls of this queue connected today.

    Today begins at midnight in the configured time zone. Offers that failed do not count. The length
    of the calls does not matter (see `LeastTalkTime`).
    """

    name = "fewest-calls"
    sentence = "The agent who has had the fewest calls of this queue today."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Calls of this queue today.

        0 for an agent who has taken none, who comes first.
        """
        return candidate.calls


class LeastTalkTime:
    """least-talk-time: ranks by the time spent talking to this queue's callers today.

    One call of a minute outweighs three of five seconds. Today begins at midnight in the configured
    time zone. The number of calls does not matter (see `FewestCalls`).
    """

    name = "least-talk-time"
    sentence = "The agent who has talked the least to callers of this queue today."
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Seconds of conversation with this queue's callers today.

        0 for an agent who has not talked to any, who comes first.
        """
        return candidate.talk


class AverageUtilization:
    """average-utilization: the least utilised agent first, which spreads the work evenly.

    Utilisation is calls in progress first (as a share of the agent's capacity), then the share of
    the last 60 minutes spent on calls, updated at whole minutes of the clock.
    """

    name = "average-utilization"
    sentence = (
        "The agent who was on calls for the smallest part "
        "of the last hour, so that work is spread evenly."
    )
    draws = False
    rings_all = False
    reads_busy_share = True

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Share of capacity in use, then share of the last hour on calls.

        Both are 0 to 1. The share of time decides only between agents with the same share of
        capacity.
        """
        return (candidate.load, candidate.busy_share)


class MaxUtilization:
    """max-utilization: the most utilised agent with spare capacity first.

    It keeps the others free for other work. `AverageUtilization` says what utilisation is.
    """

    name = "max-utilization"
    sentence = (
        "The agent who was on calls for the largest part "
        "of the last hour, so that the others stay free."
    )
    draws = False
    rings_all = False
    reads_busy_share = True

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The same, negated.

        The highest shares give the lowest rank, so that these agents are called first.
        """
        return (-candidate.load, -candidate.busy_share)


class Random:
    """random: any available agent, all with the same probability.

    For chances that depend on the level, see `WeightedRandom`.
    """

    name = "random"
    sentence = "Any free agent, by chance."
    draws = True
    rings_all = False

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all agents.

        The draw decides, because `draws` is set.
        """
        return 0.0


class WeightedRandom:
    """weighted-random: draws with chances of 101 minus the level.

    An agent of level 1 is drawn a hundred times as often as one of level 100.
    """

    name = "weighted-random"
    sentence = "By chance, and more often the better an agent's priority is."
    draws = True
    rings_all = False

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all agents.

        The draw decides among all of them, with the weights of `chances`.
        """
        return 0.0

    def chances(self, candidate: Candidate) -> int:
        """From 100 (level 1) to 1 (level 100)."""
        return 101 - candidate.level


class RingAll:
    """ring-all: every available agent at once; implies `at_once: all`.

    The first to accept takes the call.
    """

    name = "ring-all"
    sentence = "All free agents at once; the first to accept takes the call."
    draws = False
    rings_all = True

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all agents.

        Nothing has to be decided, because all of them ring.
        """
        return 0.0
