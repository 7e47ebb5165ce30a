"""fewest-calls: the agent who has taken the fewest calls of this queue today.

Today begins at midnight in the configured time zone. The length of the calls does not matter (see
`least_talk_time`).
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class FewestCalls:
    """Ranks by the number of calls connected today. Offers that failed do not count."""

    name = "fewest-calls"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Calls of this queue today.

        0 for an agent who has taken none, who comes first.
        """
        return candidate.calls
