"""Lanes: where available agents and waiting calls meet.

A lane is a set of agents and a line of calls any of which may be matched with any, but for the agents
a call has tried already. There is one for each queue, PBX, step of widening and set of skills that
calls ask for, and one for an agent whom calls prefer. Both sides are kept in the order in which they
are to be taken, so that a match looks at the front and not at everyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sortedcontainers import SortedList

from callrouter.core.pools import Pool

if TYPE_CHECKING:
    from callrouter.core.state import Call, Membership

NeedsKey: TypeAlias = frozenset[tuple[str, int]]


class LaneKey(NamedTuple):
    """Whom a lane of a queue is for: `tier` 0 are its agents, n those of the nth step of widening."""

    pbx: str
    tier: int
    needs: NeedsKey = frozenset()


class Lane:
    """The idle agents and the hungry calls that may meet.

    Hungry means: waiting, and wanting more agents rung than are. `line` is sorted by priority, then
    by first entry.
    """

    __slots__ = ("idle", "key", "line", "needs", "queue")

    def __init__(self, queue: str, key: LaneKey, idle: Pool) -> None:
        self.queue = queue
        self.key = key
        self.needs: Mapping[str, int] = dict(key.needs)
        self.idle = idle
        self.line: SortedList[tuple[tuple[float, float, int], Call]] = SortedList()

    def admits(self, member: Membership) -> bool:
        """Whether a member of the queue belongs here."""
        if member.tier != self.key.tier:
            return False
        if not self.needs:
            return True
        skills = member.agent.spec.skills
        return all(skills.get(skill, 0) >= level for skill, level in self.needs.items())

    def best_call(self, agent: str) -> Call | None:
        """The first call in line that has not tried this agent.

        Calls passed over were each tried by an offer to this agent since they last went round, so
        the walk is as short as the agent's list of refusals.
        """
        for _, call in self.line:
            if agent not in call.tried and agent not in call.offers:
                return call
        return None
