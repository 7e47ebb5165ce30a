"""average-utilization and max-utilization: how much of an agent's capacity and time calls take.

Utilisation is calls in progress first (as a share of the agent's capacity), then the share of the
last 60 minutes spent on calls, updated at whole minutes of the clock.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class AverageUtilization:
    """The least utilised agent first: spreads the work evenly."""

    name = "average-utilization"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Share of capacity in use, then share of the last hour on calls.

        Both are 0 to 1. The share of time decides only between agents with the same share of
        capacity.
        """
        return (candidate.load, candidate.busy_share)


class MaxUtilization:
    """The most utilised agent with spare capacity first: keeps the others free for other work."""

    name = "max-utilization"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The same, negated.

        The highest shares give the lowest rank, so that these agents are called first.
        """
        return (-candidate.load, -candidate.busy_share)
