"""weighted-random: a draw weighted by level, from 100 chances (level 1) to one (level 100)."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class WeightedRandom:
    """Draws with chances of 101 minus the level.

    An agent of level 1 is drawn a hundred times as often as one of level 100.
    """

    name = "weighted-random"
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
