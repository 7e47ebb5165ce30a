"""skills: of those who have what the call needs, the best at it first.

Who does not have the levels needed is not rung at all, whatever the policy; this one ranks the rest.
Where nothing is needed, everyone is equal.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Skills:
    """Ranks by the sum of the levels in the skills that the call needs, the highest first."""

    name = "skills"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, needs: Needs) -> Rank:
        """Minus the sum, since the lowest rank is called first."""
        return -sum(candidate.skills.get(skill, 0) for skill in needs)
