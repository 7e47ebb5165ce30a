"""least-talk-time: the agent who has talked least to this queue's callers today."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LeastTalkTime:
    """Ranks by talk time, not by calls: one call of a minute outweighs three of five seconds."""

    name = "least-talk-time"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Seconds of conversation with this queue's callers today."""
        return candidate.talk
