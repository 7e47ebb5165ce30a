"""priority: the supervisor's levels, 1 first and 100 last; equal levels go to the longest idle."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Priority:
    """Ranks by the level in the queue's `agents` table."""

    name = "priority"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The level.

        It is 1 to 100. Agents of a lower level are rung first, whatever they have done today.
        """
        return candidate.level
