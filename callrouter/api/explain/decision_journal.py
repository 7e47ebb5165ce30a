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
from typing import Final, NamedTuple, TypeAlias, get_args

from callrouter.core.floor import Floor
from callrouter.core.state import Membership
from callrouter.model.agent_status import AgentState, StatusReason
from callrouter.model.call_notices import (
    CallEnd,
    CallEntered,
    OfferDecided,
    OfferEnded,
    RuleApplied,
)
from callrouter.model.notices import (
    AgentPaused,
    AgentRenamed,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    CallNotice,
    Notice,
    ShiftChanged,
    TablePartlyReloaded,
    TableReloaded,
)
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

# Looked up for every notice. A test with `isinstance` for several classes takes four times as long.
_ENDS: Final = frozenset(get_args(CallEnd))
_MEMBERS_CHANGE: Final = frozenset({TableReloaded, TablePartlyReloaded, ShiftChanged})
_MOST_WORDS: Final = 60_000
_CUT_AT: Final = STATES + STATES // 4
"""Trim rarely, so that trimming costs next to nothing."""
_NOBODY: Final[Members] = {}


Step: TypeAlias = tuple[int, CallNotice | OfferDecided, Members]
"""One item about a call: its serial number over all items, the item and, for a decision, the
members of the queue. The serial number is 0 if it is not kept.
"""


@dataclass(slots=True)
class Trail:
    """Everything recorded about a call; `ended_at` is None while it is active."""

    call: str
    began: float
    serial: int
    kept: list[CallNotice | Step] = field(default_factory=list)
    """Notices without a serial number are stored bare: every offer makes five."""
    left_out: int = 0
    """Number of steps no longer kept."""
    ended_at: float | None = None

    def shorten(self) -> None:
        """Drop the oldest steps beyond the limit."""
        self.left_out += len(self.kept) - STEPS
        del self.kept[:-STEPS]

    def steps(self) -> list[Step]:
        """Return all steps, oldest first."""
        return [item if isinstance(item, tuple) else (0, item, _NOBODY) for item in self.kept]


class Standing(NamedTuple):
    """What an agent was doing. The fields are those of `AgentStatusChanged`."""

    state: AgentState
    why: StatusReason | str


_NO_PHONE: Final = Standing(AgentState.OFFLINE, StatusReason.NO_PHONE)
_SIGNED_OUT: Final = Standing(AgentState.OFFLINE, StatusReason.SIGNED_OUT)


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
        self._codes: dict[tuple[AgentState, StatusReason | str], int] = {}
        self._words: list[Standing] = []
        self._members: dict[str, Members] = {}
        self._laid_aside: list[Notice] = []
        self._learn_members()

    def listen(self, notice: Notice) -> None:
        """Record a notice.

        It is only queued here. Sorting in a batch, while its code is in the CPU's cache, costs a
        third.
        """
        self._laid_aside.append(notice)
        if len(self._laid_aside) >= BUNCH:
            self.sort_in()
        elif type(notice) in _MEMBERS_CHANGE:
            self.sort_in()
            self._learn_members()
        elif type(notice) is AgentRenamed:
            self.sort_in()
            was = self._timelines.pop(notice.former_id, None)
            if was is not None:
                self._timelines[notice.agent] = was

    def sort_in(self) -> None:
        """Process the queued items. Call this before reading."""
        items, self._laid_aside = self._laid_aside, []
        codes, stands = self._codes, self._stands
        for serial, item in enumerate(items, self._serial + 1):
            self._serial = serial
            if isinstance(item, CallNotice):
                trail = self._live.get(item.call)
                if trail is None:
                    self._unknown(item)
                    continue
                ended = type(item) is OfferEnded
                trail.kept.append((serial, item, _NOBODY) if ended else item)
                if type(item) in _ENDS:
                    self._end(trail, item.at)
            elif isinstance(item, AgentStatusChanged):
                code = codes.get((item.state, item.why))
                if code is None:
                    code = self._code(Standing(item.state, item.why))
                stands(item.agent, code)
                continue
            elif isinstance(item, OfferDecided):
                trail = self._live.get(item.call)
                if trail is None:
                    continue
                trail.kept.append((serial, item, self._members.get(item.queue, _NOBODY)))
            else:
                self._about_agent(item)
                continue
            if len(trail.kept) > 2 * STEPS:
                trail.shorten()

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
        return _NO_PHONE if always else _SIGNED_OUT

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

    def _code(self, standing: Standing) -> int:
        """Return the number under which a state and its reason are stored."""
        if len(self._words) >= _MOST_WORDS:  # reasons are free text, so there must be a limit
            standing = Standing(standing.state, "")
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

    def _about_agent(self, notice: Notice) -> None:
        """Note a new reason for an absence that continues: it is not reported as a state change."""
        match notice:
            case AgentSignedIn():
                was, standing = AgentState.OFFLINE, _NO_PHONE
            case AgentSignedOut():
                was, standing = AgentState.OFFLINE, _SIGNED_OUT
            case AgentPaused():
                was = AgentState.PAUSED
                standing = Standing(AgentState.PAUSED, notice.reason)
            case _:
                return
        now = self.standing(notice.agent, self._serial)
        if now is not None and now.state is was:
            self._stands(notice.agent, self._code(standing))

    def _unknown(self, notice: CallNotice) -> None:
        """Process a notice about a call not in the journal: a new, requeued or ended one."""
        trail = self._ended.get(notice.call)
        if isinstance(notice, RuleApplied | CallEntered):
            trail = self._begin(notice, trail)
        if trail is not None:
            trail.kept.append((self._serial, notice, _NOBODY))

    def _begin(self, notice: CallNotice, trail: Trail | None) -> Trail:
        """Return a new trail, or the old one of a call that went on to another queue."""
        if trail is None:
            trail = Trail(notice.call, notice.at, self._serial)
        else:
            del self._ended[notice.call]
            trail.ended_at = None
        self._live[notice.call] = trail
        if len(self._live) > 2 * len(self._floor.calls) + KEPT:
            # Drop calls whose end was never reported: a fault in the core loses the notices of its
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
