"""linear: in the order of the queue's table, always from the top.

The agents at the top take most of the calls; those below help out. `round_robin` shares the calls
evenly.
"""

from __future__ import annotations

from callrouter.policies.base import Candidate, Needs, Rank


class Linear:
    """Ranks by the position in the queue's table, so the first agent in it who is free is rung."""

    name = "linear"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> Rank:
        """The position in the table.

        It counts from 0. Agents that an escalation step adds follow those of the table.
        """
        return candidate.order
