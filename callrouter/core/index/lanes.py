"""Lanes: where available agents and waiting calls meet.

A lane is a set of idle agents and a line of calls. Any agent may be matched with any call, except
with calls that have already tried that agent. There is one lane per queue, PBX, escalation step and
set of required skills, and one for each agent that calls prefer. Both sides are kept in the order
in which they are taken, so a match looks only at the front of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeAlias

from callrouter.core.index.lines import CallT, LaneLine
from callrouter.core.index.pools import MemberT, Pool

NeedsKey: TypeAlias = frozenset[tuple[str, int]]
Where: TypeAlias = tuple[str, int, NeedsKey]
"""A `LaneKey` or an equal plain tuple, which is faster to create."""

NO_NEEDS: NeedsKey = frozenset()
"""The value for nearly every call. One shared object, so dictionary look-ups match by identity."""


class LaneKey(NamedTuple):
    """Identifies a lane within its queue. `escalation_step` 0 is the queue's agents, n escalation step n."""

    pbx: str
    escalation_step: int
    needs: NeedsKey = frozenset()


class Lane(Generic[CallT, MemberT]):
    """Idle agents and unmatched calls that may be matched with each other.

    Unmatched means: waiting, and wanting more agents rung than are ringing.
    """

    __slots__ = ("idle", "key", "line", "needs", "queue")

    def __init__(self, queue: str, key: LaneKey, idle: Pool[MemberT]) -> None:
        self.queue = queue
        self.key = key
        self.needs: Mapping[str, int] = dict(key.needs)
        self.idle = idle
        self.line: LaneLine[CallT] = LaneLine()
