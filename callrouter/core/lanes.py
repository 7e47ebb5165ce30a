"""Lanes: where available agents and waiting calls meet.

A lane is a set of agents and a line of calls any of which may be matched with any, but for the agents
a call has tried already. There is one for each queue, PBX, step of widening and set of skills that
calls ask for, and one for an agent whom calls prefer. Both sides are kept in the order in which they
are to be taken, so that a match looks at the front and not at everyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from callrouter.core.lines import LaneLine
from callrouter.core.pools import Pool

if TYPE_CHECKING:
    from callrouter.core.state import Membership

NeedsKey: TypeAlias = frozenset[tuple[str, int]]
Where: TypeAlias = tuple[str, int, NeedsKey]
"""A `LaneKey` or a tuple like it, which is made faster."""

NO_NEEDS: NeedsKey = frozenset()
"""Nearly every call's; one and the same, so that it is found at once."""


class LaneKey(NamedTuple):
    """Whom a lane of a queue is for: `tier` 0 are its agents, n those of the nth step of widening."""

    pbx: str
    tier: int
    needs: NeedsKey = frozenset()


class Lane:
    """The idle agents and the hungry calls that may meet.

    Hungry means: waiting, and wanting more agents rung than are.
    """

    __slots__ = ("idle", "key", "line", "needs", "queue")

    def __init__(self, queue: str, key: LaneKey, idle: Pool) -> None:
        self.queue = queue
        self.key = key
        self.needs: Mapping[str, int] = dict(key.needs)
        self.idle = idle
        self.line = LaneLine()

    def admits(self, member: Membership) -> bool:
        """Whether a member of the queue belongs here."""
        if member.tier != self.key.tier:
            return False
        if not self.needs:
            return True
        skills = member.agent.spec.skills
        return all(skills.get(skill, 0) >= level for skill, level in self.needs.items())
