"""round-robin: each agent in turn.

The agent whose last turn in this queue is longest ago is next. Agents who have not had a turn come
first, in the order of the file. A missed or refused offer was a turn; one that another agent won,
or that was withdrawn, was not.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class RoundRobin:
    """Ranks by the last turn, then by the order of the file."""

    name = "round-robin"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The number of the last turn; before the first, the position in the file, which is lower."""
        return candidate.turn or candidate.order - 1_000_000
