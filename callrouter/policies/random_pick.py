"""random: any available agent, all with the same probability.

For chances that depend on the level, see `weighted_random`.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Random:
    """Ranks all agents the same and asks for a draw."""

    name = "random"
    draws = True
    rings_all = False

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all agents.

        The draw decides, because `draws` is set.
        """
        return 0.0
