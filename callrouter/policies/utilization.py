"""average-utilization and max-utilization: how much of an agent's hands and time calls take.

Utilisation is calls in hand first (as a share of the agent's capacity), then the share of the last 60
minutes spent on calls, counted in whole minutes of the clock.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class AverageUtilization:
    """The least utilised first: work is spread evenly."""

    name = "average-utilization"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Share of hands in use, then share of the last hour on calls."""
        return (candidate.load, candidate.busy_share)


class MaxUtilization:
    """The most utilised who has a hand free first: the others stay free for other work."""

    name = "max-utilization"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The same, turned round."""
        return (-candidate.load, -candidate.busy_share)
