"""The journal behind `why`: every decision on every call, and each agent's states at the time.

Recording must be cheap, since every offer pays for it. Who was passed over and why is worked out on
request (`callrouter.api.explain.why_call`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from callrouter.core.floor import Floor
from callrouter.core.state import Membership
from callrouter.model.commands import Decided, Happened, Record, Told
from callrouter.model.routing_table import SignIn

KEPT: Final = 5000
"""Number of ended calls kept."""
KEPT_FOR: Final = 24 * 3600.0
"""Seconds for which an ended call is kept."""
DECISIONS: Final = 100
"""Number of recent decisions kept for each call."""
STEPS: Final = 5 * DECISIONS
"""Recent steps kept for each call: an offer is decided, made, rings, is accepted and ends."""
STATES: Final = 300
"""Number of recent state changes kept for each agent."""
BUNCH: Final = 256
"""Items queued before they are sorted in as one batch: a quarter of a millisecond's work."""
ENOUGH: Final = "kept are the last 5,000 calls of the last 24 h, since the daemon was started"

Members: TypeAlias = Mapping[str, Membership]

_ENDS: Final = frozenset(
    {
        Happened.ABANDONED,
        Happened.TAKEN,
        Happened.COMPLETED,
        Happened.TRANSFERRED,
        Happened.LEFT,
    }
)
_MEMBERS_CHANGE: Final = frozenset({Happened.RELOADED, Happened.RELOADING, Happened.SHIFT})
_BEGINS: Final = frozenset({Happened.RULE, Happened.ENTERED})
_ABOUT_AGENTS: Final = frozenset({Happened.SIGNED_IN, Happened.SIGNED_OUT, Happened.PAUSED})
# Looking up an Enum member takes as long as storing a record, so do it once.
_STATE: Final = Happened.STATE
_OFFER_ENDED: Final = Happened.OFFER_ENDED
_MOST_WORDS: Final = 60_000
_CUT_AT: Final = STATES + STATES // 4
"""Trim rarely, so that trimming costs next to nothing."""
_NOBODY: Final[Members] = {}


Step: TypeAlias = tuple[int, Record | Decided, Members]
"""One item about a call: its serial number over all items, the item and, for a decision, the
members of the queue. The serial number is 0 if it is not kept.
"""


@dataclass(slots=True)
class Trail:
    """Everything recorded about a call; `ended_at` is None while it is active."""

    call: str
    began: float
    serial: int
    kept: list[Record | Step] = field(default_factory=list)
    """Records without a serial number are stored bare: every offer makes five."""
    left_out: int = 0
    """Number of steps no longer kept."""
    ended_at: float | None = None

    def shorten(self) -> None:
        """Drop the oldest steps beyond the limit."""
        self.left_out += len(self.kept) - STEPS
        del self.kept[:-STEPS]

    def steps(self) -> list[Step]:
        """Return all steps, oldest first."""
        return [(0, item, _NOBODY) if isinstance(item, Record) else item for item in self.kept]


class Standing(NamedTuple):
    """What an agent was doing: a value of `AgentState`, and its reason if it needs one."""

    state: str
    why: str


class Timeline:
    """An agent's recent state changes by serial number. Two arrays: 35 MB for 10,000 agents."""

    __slots__ = ("codes", "cut", "serials")

    def __init__(self) -> None:
        self.serials = array("q")
        self.codes = array("H")
        self.cut = False

    def shorten(self) -> None:
        """Drop the oldest changes beyond the limit."""
        del self.serials[:-STATES], self.codes[:-STATES]
        self.cut = True


class Ambiguous(Exception):  # noqa: N818 - named for what is wrong
    """A partial id that matches several calls; `trails` are some of them."""

    def __init__(self, part: str, trails: list[Trail]) -> None:
        super().__init__(part)
        self.trails = trails


class Journal:
    """Listens to the runtime and keeps what `why` needs, bounded in number and age.

    Args:
        floor: source of the members of queues.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._serial = 0
        self._live: dict[str, Trail] = {}
        self._ended: OrderedDict[str, Trail] = OrderedDict()
        self._timelines: dict[str, Timeline] = {}
        self._codes: dict[tuple[str | int | float, ...], int] = {}
        self._words: list[Standing] = []
        self._members: dict[str, Members] = {}
        self._laid_aside: list[Told] = []
        self._learn_members()

    def listen(self, item: Told) -> None:
        """Record an item.

        It is only queued here. Sorting in a batch, while its code is in the CPU's cache, costs a
        third.
        """
        self._laid_aside.append(item)
        if len(self._laid_aside) >= BUNCH:
            self.sort_in()
        elif item.__class__ is Record and item.kind in _MEMBERS_CHANGE:
            self.sort_in()
            self._learn_members()
        elif item.__class__ is Record and item.kind is Happened.RENAMED and item.agent:
            self.sort_in()
            was = self._timelines.pop(str(item.detail[0]), None)
            if was is not None:
                self._timelines[item.agent] = was

    def sort_in(self) -> None:
        """Process the queued items. Call this before reading."""
        items, self._laid_aside = self._laid_aside, []
        codes, stands = self._codes, self._stands
        for serial, item in enumerate(items, self._serial + 1):
            self._serial = serial
            if isinstance(item, Record):
                kind = item.kind
                if kind is _STATE:
                    code = codes.get(item.detail)
                    stands(item.agent, self._new_code(item) if code is None else code)
                    continue
                trail = self._live.get(item.call)
                if trail is None:
                    self._apart(item)
                    continue
                trail.kept.append((serial, item, _NOBODY) if kind is _OFFER_ENDED else item)
                if kind in _ENDS:
                    self._end(trail, item.at)
            elif isinstance(item, Decided):
                trail = self._live.get(item.call)
                if trail is None:
                    continue
                trail.kept.append((serial, item, self._members.get(item.queue, _NOBODY)))
            else:
                continue
            if len(trail.kept) > 2 * STEPS:
                trail.shorten()

    def _new_code(self, record: Record) -> int:
        return self._code(str(record.detail[0]), str(record.detail[1]))

    def _apart(self, record: Record) -> None:
        """Process a record that is not about an active call."""
        if record.call:
            self._unknown(record)
        elif record.kind in _ABOUT_AGENTS:
            self._about_agent(record)

    # ------------------------------------------------------------ reading

    def find(self, part: str) -> Trail | None:
        """Return the call with this id, or whose id starts or ends with it.

        ``last``: the latest call.

        Raises:
            Ambiguous: several calls match.
        """
        self.sort_in()
        if part == "last":
            return max(self._trails(), key=lambda trail: trail.serial, default=None)
        exact = self._live.get(part) or self._ended.get(part)
        if exact is not None or not part:
            return exact
        found = [
            trail
            for trail in self._trails()
            if trail.call.endswith(part) or trail.call.startswith(part)
        ]
        if len(found) > 1:
            raise Ambiguous(part, found[-5:])
        return found[0] if found else None

    def standing(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent was doing just before `serial`; None: no longer kept."""
        timeline = self._timelines.get(agent)
        if timeline is not None:
            place = bisect_left(timeline.serials, serial) - 1
            if place >= 0:
                return self._words[timeline.codes[place]]
            if timeline.cut:
                return None
        spec = self._floor.table.agents.get(agent)
        always = spec is not None and spec.sign_in is SignIn.ALWAYS
        return Standing("offline", "no phone can ring" if always else "signed out")

    def standing_after(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent did next; None: nothing else."""
        timeline = self._timelines.get(agent)
        if timeline is None:
            return None
        place = bisect_left(timeline.serials, serial + 1)
        return self._words[timeline.codes[place]] if place < len(timeline.codes) else None

    def _trails(self) -> Iterator[Trail]:
        yield from self._ended.values()
        yield from self._live.values()

    # ------------------------------------------------------------ recording

    def _learn_members(self) -> None:
        """Note the members of each queue.

        A reload makes new mappings; equal ones are stored once.
        """
        known = self._members
        self._members = {
            queue.id: known[queue.id] if known.get(queue.id) == queue.members else queue.members
            for queue in self._floor.queues.values()
        }

    def _code(self, state: str, why: str) -> int:
        """Return the number under which a state and its reason are stored."""
        standing = Standing(state, why)
        if len(self._words) >= _MOST_WORDS:  # reasons are free text, so there must be a limit
            standing = Standing(state, "")
        code = self._codes.setdefault(standing, len(self._words))
        if code == len(self._words):
            self._words.append(standing)
        return code

    def _stands(self, agent: str, code: int) -> None:
        timeline = self._timelines.get(agent)
        if timeline is None:
            timeline = self._timelines[agent] = Timeline()
        timeline.serials.append(self._serial)
        timeline.codes.append(code)
        if len(timeline.codes) >= _CUT_AT:
            timeline.shorten()

    def _about_agent(self, record: Record) -> None:
        """Note a new reason for an absence that continues: it is not reported as a state change."""
        now = self.standing(record.agent, self._serial)
        if now is None:
            return
        if record.kind is Happened.SIGNED_IN and now.state == "offline":
            self._stands(record.agent, self._code("offline", "no phone can ring"))
        elif record.kind is Happened.SIGNED_OUT and now.state == "offline":
            self._stands(record.agent, self._code("offline", "signed out"))
        elif record.kind is Happened.PAUSED and now.state == "paused":
            self._stands(record.agent, self._code("paused", str(record.detail[0])))

    def _unknown(self, record: Record) -> None:
        """Process a record about a call not in the journal: a new, requeued or ended one."""
        trail = self._ended.get(record.call)
        if record.kind in _BEGINS:
            trail = self._begin(record, trail)
        if trail is not None:
            trail.kept.append((self._serial, record, _NOBODY))

    def _begin(self, record: Record, trail: Trail | None) -> Trail:
        """Return a new trail, or the old one of a call that went on to another queue."""
        if trail is None:
            trail = Trail(record.call, record.at, self._serial)
        else:
            del self._ended[record.call]
            trail.ended_at = None
        self._live[record.call] = trail
        if len(self._live) > 2 * len(self._floor.calls) + KEPT:
            # Drop calls whose end was never reported: a fault in the core loses the records of its
            # step.
            self._live = {k: v for k, v in self._live.items() if k in self._floor.calls}
        return trail

    def _end(self, trail: Trail, at: float) -> None:
        trail.ended_at = at
        del self._live[trail.call]
        self._ended[trail.call] = trail
        while len(self._ended) > KEPT or self._oldest() < at - KEPT_FOR:
            self._ended.popitem(last=False)

    def _oldest(self) -> float:
        ended = next(iter(self._ended.values())).ended_at
        return 0.0 if ended is None else ended
