"""longest-idle: the agent who has been free for the longest time."""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LongestIdle:
    """Ranks by the time the agent last became free for work."""

    name = "longest-idle"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Start of the idle time: the earlier, the sooner."""
        return candidate.idle_since
