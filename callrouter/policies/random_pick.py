"""random: any available agent, each as likely as the other."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Random:
    """Ranks everyone alike and asks for a draw."""

    name = "random"
    draws = True
    rings_all = False

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all."""
        return 0.0
