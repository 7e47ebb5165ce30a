"""least-talk-time: who has talked the least to this queue's callers today."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LeastTalkTime:
    """Ranks by seconds of talk, not by calls: one call of a minute outweighs three of five seconds."""

    name = "least-talk-time"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Seconds of talk with this queue's callers today."""
        return candidate.talk
