"""least-talk-time: the agent who has talked least to this queue's callers today.

Today begins at midnight in the configured time zone. The number of calls does not matter (see
`fewest_calls`).
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LeastTalkTime:
    """Ranks by talk time, not by calls: one call of a minute outweighs three of five seconds."""

    name = "least-talk-time"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Seconds of conversation with this queue's callers today.

        0 for an agent who has not talked to any, who comes first.
        """
        return candidate.talk
