"""longest-idle: the agent who has been free for the longest time.

This is the policy of a queue that names none, and it breaks the ties of most others.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class LongestIdle:
    """Ranks by the time the agent last became free for work."""

    name = "longest-idle"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """Start of the idle time: the earlier, the sooner.

        It is in epoch seconds. A call of any queue ends the idle time.
        """
        return candidate.idle_since
