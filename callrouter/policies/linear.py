"""linear: in the order of the table, always from the top; whoever is free first in it is rung."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Linear:
    """Ranks by the place in the queue's table."""

    name = "linear"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The place in the table."""
        return candidate.order
