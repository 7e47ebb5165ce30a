"""ring-all: every available agent at once; the first to accept takes the call."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class RingAll:
    """Ranks all agents the same; implies `at_once: all`."""

    name = "ring-all"
    draws = False
    rings_all = True

    def rank(self, _candidate: Candidate, _needs: Needs) -> Rank:
        """The same for all agents.

        Nothing has to be decided, because all of them ring.
        """
        return 0.0
