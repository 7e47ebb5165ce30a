"""skills: of the agents who have what the call needs, the best first.

An agent without the required levels is never rung, whatever the policy; this policy ranks the rest.
If nothing is required, all agents rank the same.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Skills:
    """Ranks by the sum of the levels in the skills that the call needs, the highest first."""

    name = "skills"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, needs: Needs) -> Rank:
        """The negated sum, because the lowest rank is called first.

        A level above the required one counts in full. The rank is 0 if the call needs no skill.
        """
        return -sum(candidate.skills.get(skill, 0) for skill in needs)
