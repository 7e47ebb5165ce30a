"""linear: in the order of the queue's table, always from the top."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Linear:
    """Ranks by the position in the queue's table, so the first agent in it who is free is rung."""

    name = "linear"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The position in the table."""
        return candidate.order
