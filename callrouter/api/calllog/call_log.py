"""One log of everything reported: the calls, what agents were doing meanwhile, and totals.

The answers about ended calls, `why`, the totals of queues and the metrics come from it. Recording
must be cheap, since every offer pays for it. So notices are only queued at first, and processed in
batches; and who was passed over and why is worked out on request (`callrouter.api.explain`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, get_args

from callrouter.api.calllog.agent_timelines import NO_PHONE, SIGNED_OUT, AgentTimelines, Standing
from callrouter.api.calllog.logged_call import NO_MEMBERS, STEPS, LoggedCall, Members
from callrouter.api.calllog.totals import CallTotals, DayTotals, TodayBefore
from callrouter.core.floor import Floor
from callrouter.model.agent_status import AgentState, AgentStatus
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
from callrouter.reports.service_level import Target

KEPT: Final = 5000
"""Number of ended calls kept."""
KEPT_FOR: Final = 24 * 3600.0
"""Seconds for which an ended call is explained."""
LISTED: Final = 1000
"""Number of ended calls that are listed. They are kept however old they are."""
BATCH: Final = 256
"""Notices queued before they are processed together: a quarter of a millisecond's work."""
ENOUGH: Final = "kept are the last 5,000 calls of the last 24 h, since the daemon was started"

# Looked up for every notice. A test with `isinstance` for several classes takes four times as long.
_ENDS: Final = frozenset(get_args(CallEnd))
_MEMBERS_CHANGE: Final = frozenset({TableReloaded, TablePartlyReloaded, ShiftChanged})


class AmbiguousIdError(Exception):
    """A partial id that matches several calls; `calls` are some of them.

    Attributes:
        calls: five of them at most.
    """

    def __init__(self, part: str, calls: list[LoggedCall]) -> None:
        super().__init__(part)
        self.calls = calls


class CallLog:
    """Listens to the runtime. What it keeps is bounded in number and age.

    Args:
        floor: source of the members of queues, of the priorities of calls and of the time zone.
        target: returns what a queue aims at, by its id.
    """

    def __init__(
        self, floor: Floor, target: Callable[[str], Target] = lambda _queue: Target()
    ) -> None:
        self._floor = floor
        self.target = target
        self._serial = 0
        self._active: dict[str, LoggedCall] = {}
        self._ended: OrderedDict[str, LoggedCall] = OrderedDict()
        self._explained_from = 0.0
        """Calls that ended before this time are too old for `find`."""
        self._timelines = AgentTimelines(self._is_always_signed_in)
        self._totals = CallTotals(lambda: floor.table.zone, target)
        self._members: dict[str, Members] = {}
        self._queued: list[Notice] = []
        self._entries: deque[tuple[int | None, float | None]] = deque()
        """Priority and first entry of the call of each queued `CallEntered`, in order."""
        self._learn_members()

    def listen(self, notice: Notice) -> None:
        """Keep a notice.

        It is only queued here, with what the floor will not know any more when it is processed.
        Processing a batch at once, while the code for it is in the processor's cache, costs a third
        less.
        """
        self._queued.append(notice)
        if type(notice) is CallEntered:
            call = self._floor.calls.get(notice.call)
            entry = (None, None) if call is None else (call.priority, call.entered_at)
            self._entries.append(entry)
        if type(notice) in _MEMBERS_CHANGE:
            self.catch_up()
            self._learn_members()
        elif len(self._queued) >= BATCH:
            self.catch_up()

    def catch_up(self) -> None:
        """Process the queued notices.

        Every reader of calls and totals calls it first. Notices get their serial numbers here, in
        the order in which they were reported.
        """
        notices, self._queued = self._queued, []
        count, add_standing = self._totals.count, self._timelines.add
        for serial, notice in enumerate(notices, self._serial + 1):
            self._serial = serial
            if isinstance(notice, AgentStatusChanged):
                add_standing(notice.agent, serial, notice.status, notice.pause_reason)
                continue
            count(notice)
            if isinstance(notice, CallNotice):
                self._follow_call(notice)
            elif isinstance(notice, OfferDecided):
                call = self._active.get(notice.call)
                if call is not None:
                    members = self._members.get(notice.queue, NO_MEMBERS)
                    call.kept.append((serial, notice, members))
            else:
                self._follow_agent(notice)

    def restore(self, ended: Sequence[LoggedCall], today: TodayBefore | None) -> None:
        """Take over what the record has of earlier runs. What happened in this run is newer.

        Args:
            ended: calls that have ended, the first to end first. Their steps are in the record.
            today: what was counted today before this run; None: not known.
        """
        self.catch_up()
        known = self._ended
        self._ended = OrderedDict(
            (call.call, call)
            for call in ended[-LISTED:]
            if call.call not in self._active and call.call not in known
        )
        self._ended.update(known)
        if today is not None:
            names = self._floor.former_queues
            queues = {names.get(queue, queue): day for queue, day in today.queues.items()}
            self._totals.restore(replace(today, queues=queues))

    # ------------------------------------------------------------ reading

    def find(self, part: str) -> LoggedCall | None:
        """Return the call with this id, or whose id starts or ends with it; None: there is none.

        Calls that ended more than `KEPT_FOR` before the last one are not found. ``last`` is the
        latest call.

        Raises:
            AmbiguousIdError: several calls match.
        """
        self.catch_up()
        if part == "last":
            return max(self._explained(), key=lambda call: call.serial, default=None)
        exact = self._active.get(part) or self._ended.get(part)
        if exact is not None and not self._is_explained(exact):
            exact = None
        if exact is not None or not part:
            return exact
        found = [
            call
            for call in self._explained()
            if call.call.endswith(part) or call.call.startswith(part)
        ]
        if len(found) > 1:
            raise AmbiguousIdError(part, found[-5:])
        return found[0] if found else None

    def call(self, name: str) -> LoggedCall | None:
        """Return an active or ended call that has entered a queue; None: there is none.

        Args:
            name: the whole id. `find` also takes a part of it, and calls to which only rules have
                applied.
        """
        self.catch_up()
        found = self._active.get(name) or self._ended.get(name)
        return found if found is not None and found.entered else None

    def ended(self) -> list[LoggedCall]:
        """Return the last ended calls, latest first.

        Looks at the last `LISTED` ones, however old. Calls that never entered a queue are left out.
        """
        self.catch_up()
        latest = islice(reversed(self._ended.values()), LISTED)
        return [call for call in latest if call.entered]

    def standing(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent was doing just before `serial`; None: no longer kept.

        Unlike most readers it does not catch up: serial numbers come from calls that were read with
        `find` or `call`, which do. See `AgentTimelines.before` for an agent without any
        reports.
        """
        return self._timelines.before(agent, serial)

    def standing_after(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent did next after `serial`; None: nothing else.

        Explains an offer that was withdrawn: the agent paused or signed out right after it.
        """
        return self._timelines.after(agent, serial)

    def queue_today(self, queue: str, now: float) -> DayTotals:
        """Return a queue's totals since midnight.

        Args:
            queue: the id of the queue. One of which nothing was counted today has zeros.
            now: epoch seconds. The first time at or after midnight clears the totals of all queues.
        """
        return self.totals().queue_today(queue, now)

    def totals(self) -> CallTotals:
        """Return the totals, with everything counted that was reported.

        It is the object that goes on counting, not a copy.
        """
        self.catch_up()
        return self._totals

    def _explained(self) -> Iterator[LoggedCall]:
        yield from filter(self._is_explained, self._ended.values())
        yield from self._active.values()

    def _is_explained(self, call: LoggedCall) -> bool:
        return call.ended_at is None or call.ended_at >= self._explained_from

    # ------------------------------------------------------------ recording: agents

    def _is_always_signed_in(self, agent: str) -> bool:
        spec = self._floor.table.agents.get(agent)
        return spec is not None and spec.sign_in is SignIn.ALWAYS

    def _learn_members(self) -> None:
        """Note the members of each queue.

        A reload makes new mappings; equal ones are stored once.
        """
        known = self._members
        self._members = {
            queue.id: known[queue.id] if known.get(queue.id) == queue.members else queue.members
            for queue in self._floor.queues.values()
        }

    def _follow_agent(self, notice: Notice) -> None:
        """Note a new reason for an absence that continues: it is not reported as a state change."""
        match notice:
            case AgentSignedIn():
                was, standing = AgentState.OFFLINE, NO_PHONE
            case AgentSignedOut():
                was, standing = AgentState.OFFLINE, SIGNED_OUT
            case AgentPaused():
                was = AgentState.PAUSED
                standing = Standing(AgentStatus.PAUSED, notice.reason)
            case AgentRenamed():
                self._timelines.rename(notice.former_id, notice.agent)
                return
            case _:
                return
        now = self._timelines.before(notice.agent, self._serial)
        if now is not None and now.status.state is was:
            self._timelines.add(notice.agent, self._serial, *standing)

    # ------------------------------------------------------------ recording: calls

    def _follow_call(self, notice: CallNotice) -> None:
        kind = type(notice)
        call = self._active.get(notice.call)
        if call is None:
            if kind is not CallEntered and kind is not RuleApplied:
                # A notice after the end, such as of a phone that stops ringing late.
                ended = self._ended.get(notice.call)
                if ended is not None:
                    ended.kept.append((self._serial, notice, NO_MEMBERS))
                return
            call = self._begin(notice)
        # What agents did before and after an offer ended is looked up by its serial number.
        call.kept.append((self._serial, notice, NO_MEMBERS) if kind is OfferEnded else notice)
        if type(notice) is CallEntered:
            priority, entered_at = self._entries.popleft()
            call.enter(notice, priority, entered_at)
        else:
            call.follow(notice)
        if kind in _ENDS:
            self._end(call, notice.at)
        elif len(call.kept) > 2 * STEPS:
            call.shorten()

    def _begin(self, notice: CallNotice) -> LoggedCall:
        """Return a new call, or one that had ended and went on to another queue."""
        call = self._ended.pop(notice.call, None)
        if call is None:
            call = LoggedCall(notice.call, notice.at, self._serial)
        else:
            call.ended_at = None
        self._active[notice.call] = call
        if len(self._active) > 2 * len(self._floor.calls) + KEPT:
            # Drop calls whose end was never reported: a fault in the core loses the notices of its
            # step.
            active = self._floor.calls
            self._active = {name: call for name, call in self._active.items() if name in active}
        return call

    def _end(self, call: LoggedCall, at: float) -> None:
        del self._active[call.call]
        self._ended[call.call] = call
        self._explained_from = at - KEPT_FOR
        while len(self._ended) > KEPT or self._has_one_too_old():
            self._ended.popitem(last=False)

    def _has_one_too_old(self) -> bool:
        oldest = next(iter(self._ended.values()))
        return len(self._ended) > LISTED and not self._is_explained(oldest)
