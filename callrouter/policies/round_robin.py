"""round-robin: each agent in turn.

The agent whose last turn in this queue is longest ago is next; those who never had one come in the
order of the file. An offer that was missed or refused was a turn; one that another agent won, or that
was withdrawn, was not.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class RoundRobin:
    """Ranks by the last turn, then by the order of the file."""

    name = "round-robin"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The number of the last turn; before the first, the place in the file, which is less."""
        return candidate.turn or candidate.order - 1_000_000
