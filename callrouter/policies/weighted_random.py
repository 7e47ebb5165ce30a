"""weighted-random: a draw in which the level is a weight: 1 has a hundred chances, 100 has one."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class WeightedRandom:
    """Draws with chances of 101 minus the level."""

    name = "weighted-random"
    draws = True
    rings_all = False

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all."""
        return 0.0

    def chances(self, candidate: Candidate) -> int:
        """From 100 (level 1) to 1 (level 100)."""
        return 101 - candidate.level
