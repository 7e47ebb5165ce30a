"""ring-all: every available agent at once, the first to accept takes the call."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class RingAll:
    """Ranks everyone alike; means `at_once: all`."""

    name = "ring-all"
    draws = False
    rings_all = True

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all."""
        return 0.0
