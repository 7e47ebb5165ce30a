"""Turns every notice into rows of the record. Pure: it knows no database and no clock.

Recording must be cheap, since every offer pays for it. So a notice is only queued at first, and queued
notices are processed in batches; a row is made when it is taken to be written, however often it has
changed by then. In memory are the calls that are live and those that ended a moment ago.

The record may know a call that the recorder does not: the router was restarted, or the call comes back
after hours elsewhere. So each one is looked up, many together (`take_wanted`). Until the answer (`recall`)
its notices wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from callrouter.model.call_notices import CallEntered, OfferDecided, RuleApplied, WrapUpStarted
from callrouter.model.notices import (
    AgentNotice,
    CallNotice,
    Notice,
    ShiftChanged,
    TablePartlyReloaded,
    TableReloaded,
)
from callrouter.record import record_tables
from callrouter.record.agent_recording import AgentRecording
from callrouter.record.call_recording import CallRecording
from callrouter.record.call_steps import MemberFacts, MemberList, StepItem
from callrouter.record.live_rows import STEPS_OF_A_PART, LiveCall, as_row
from callrouter.record.recalled import RecalledCall, live_again
from callrouter.record.record_tables import LiveSteps
from callrouter.store.tables import Key, RecordedTable

BATCH: Final = 256
"""Notices queued before they are processed together."""
REMEMBERED: Final = 2000
"""Number of ended calls kept in memory, in case they come back."""

_NOTED_FOR: Final = 86_400.0
"""Seconds after which the members of a queue are written again: a list that was not used for long may
have been deleted."""
_MEMBERS_CHANGE: Final = frozenset({TableReloaded, TablePartlyReloaded, ShiftChanged})

Change: TypeAlias = tuple[RecordedTable[Any], Key, Any]
"""A row to write, its table and its key."""


class Recorder:
    """A listener of the runtime.

    Args:
        members: returns the members of a queue now.
        first_serial: higher than the serial number of every notice of earlier runs.
    """

    def __init__(
        self,
        members: Callable[[str], Mapping[str, MemberFacts]],
        first_serial: int,
    ) -> None:
        self._members_now = members
        self._serial = first_serial
        self._queued: list[Notice] = []
        self._members: dict[str, MemberList] = {}
        self._lists = 0
        self._live: dict[str, LiveCall] = {}
        self._ended: OrderedDict[str, LiveCall] = OrderedDict()
        self._before_entry: OrderedDict[str, StepItem] = OrderedDict()
        self._wanted: dict[str, None] = {}
        self._touched: dict[tuple[RecordedTable[Any], Key], Any] = {}
        self._calls = CallRecording(self._touch)
        self._agents = AgentRecording(self._touch)

    # ------------------------------------------------------------ from the runtime

    def listen(self, notice: Notice) -> None:
        """Keep a notice. Of the state, only what will have changed later is asked for at once."""
        kind = type(notice)
        if kind is OfferDecided and notice.queue not in self._members:  # type: ignore[attr-defined]
            queue: str = notice.queue  # type: ignore[attr-defined]  # it is a decision
            self._members[queue] = MemberList(queue, self._members_now(queue))
        self._queued.append(notice)
        if kind in _MEMBERS_CHANGE:
            self.catch_up()
            self._members.clear()
        elif len(self._queued) >= BATCH:
            self.catch_up()

    def catch_up(self) -> None:
        """Process the queued notices."""
        notices, self._queued = self._queued, []
        for serial, notice in enumerate(notices, self._serial):
            if isinstance(notice, CallNotice):
                self._follow(serial, notice)
            elif isinstance(notice, AgentNotice):
                self._agents.follow(serial, notice)
            elif isinstance(notice, OfferDecided):
                self._decided(serial, notice)
        self._serial += len(notices)

    # ------------------------------------------------------------ to be written

    def take(self, most: int) -> list[Change]:
        """Return what has changed since the last time, as rows that will not change any more.

        Steps come as `LiveSteps` and members as `MemberList`: the writing thread packs them.

        Args:
            most: number of rows: 500 take a millisecond. If so many come, there are more.
        """
        self.catch_up()
        touched = self._touched
        if len(touched) <= most:
            self._touched = {}
        else:
            places = list(islice(touched, most))
            touched = {place: touched.pop(place) for place in places}
        return [(table, key, as_row(live)) for (table, key), live in touched.items()]

    def _touch(self, table: RecordedTable[Any], key: Key, live: object) -> None:
        self._touched[table, key] = live

    # ------------------------------------------------------------ calls of before

    def take_wanted(self) -> list[str]:
        """Return the calls to be looked up in the record. Each is named once; answer with `recall`."""
        wanted, self._wanted = list(self._wanted), {}
        return wanted

    def recall(self, call: str, found: RecalledCall | None) -> None:
        """Go on with a call that was looked up.

        Args:
            call: its id.
            found: what the record has of it; None: nothing, or it cannot be read.
        """
        live = self._live.get(call)
        waiting = None if live is None else live.waiting_for_recall
        if live is None or waiting is None:
            return
        if found is not None:
            live = self._live[call] = live_again(found)
        live.waiting_for_recall = None
        for item in waiting:
            self._follow_known(live, item)

    def stop_waiting(self) -> None:
        """Go on with all calls that wait for an answer, because there will be none."""
        self.catch_up()
        for call in [
            call.call for call in self._live.values() if call.waiting_for_recall is not None
        ]:
            self.recall(call, None)

    def close_lost(self, found: Iterable[RecalledCall], at: float) -> int:
        """End calls that were live before this run and were not found again.

        Args:
            found: calls without an end in the record.
            at: the end of what is known of them, in epoch seconds; not before anything that is known.

        Returns how many were ended: those that are live now go on.
        """
        ended = 0
        for item in found:
            if item.call.call not in self._live and item.call.call not in self._ended:
                call = live_again(item)
                self._calls.lost(call, max(at, _last_known(item)))
                ended += 1
        return ended

    def end_forgotten(self, is_live: Callable[[str], bool], at: float) -> None:
        """End calls whose end was never reported: a fault in the core loses the notices of its step.

        Args:
            is_live: whether a call is still on the floor.
            at: the time in epoch seconds.
        """
        self.catch_up()
        for call in list(self._live.values()):
            if call.waiting_for_recall is None and not is_live(call.call):
                self._calls.lost(call, at)
                self._put_aside(call)

    def serial_is_above(self, serial: int) -> None:
        """Note a serial number that the record has, in case the clock was set back since."""
        self._serial = max(self._serial, serial + 1)

    # ------------------------------------------------------------ following

    def _follow(self, serial: int, notice: CallNotice) -> None:
        item = StepItem(serial, notice, None)
        call = self._live.get(notice.call)
        if call is None:
            if type(notice) is RuleApplied:
                self._before_entry[notice.call] = item
                if len(self._before_entry) > REMEMBERED:
                    self._before_entry.popitem(last=False)
                return
            if type(notice) is not CallEntered:
                ended = self._ended.get(notice.call)
                if ended is not None:
                    self._late(ended, item)
                return
            call = self._begin(notice)
            rule = self._before_entry.pop(notice.call, None)
            if rule is not None:
                self._take_up(call, rule)
        self._take_up(call, item)

    def _take_up(self, call: LiveCall, item: StepItem) -> None:
        if call.waiting_for_recall is None:
            self._follow_known(call, item)
        else:
            call.waiting_for_recall.append(item)

    def _begin(self, notice: CallEntered) -> LiveCall:
        """Return the call of an entry: one that ended a moment ago, or one to look up."""
        call = self._ended.pop(notice.call, None)
        if call is None:
            facts = notice.facts
            entered_at = notice.at if facts is None else facts.first_entered_at
            call = LiveCall(
                call=notice.call,
                pbx="" if facts is None else facts.pbx,
                entered_at=entered_at,
                priority=0 if facts is None else facts.priority,
                queue=notice.queue,
                last_queue=notice.queue,
                called_number="" if facts is None else facts.called_number,
                tag="" if facts is None else facts.tag,
            )
            call.waiting_for_recall = []
            self._wanted[notice.call] = None
        self._live[notice.call] = call
        return call

    def _follow_known(self, call: LiveCall, item: StepItem) -> None:
        notice = item.notice
        self._add_step(call, item)
        if isinstance(notice, OfferDecided):
            return
        self._calls.follow(call, notice)
        if isinstance(notice, WrapUpStarted):
            self._agents.wrap_up_began(call, notice)
        if call.over:
            self._put_aside(call)
        elif type(notice) is CallEntered and call.call not in self._live:
            # It ended and came back while its notices waited.
            self._live[call.call] = self._ended.pop(call.call)

    def _put_aside(self, call: LiveCall) -> None:
        self._live.pop(call.call, None)
        self._ended[call.call] = call
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _late(self, call: LiveCall, item: StepItem) -> None:
        """Take up what is reported of a call after its end: after-call work, a phone that stops."""
        self._add_step(call, item)
        if isinstance(item.notice, WrapUpStarted):
            self._agents.wrap_up_began(call, item.notice)
        elif isinstance(item.notice, CallNotice):
            self._calls.follow(call, item.notice)

    def _decided(self, serial: int, notice: OfferDecided) -> None:
        call, members = self._live.get(notice.call), self._members.get(notice.queue)
        if members is not None and notice.at - members.noted_at > _NOTED_FOR:
            members.noted_at = notice.at
            self._lists += 1
            self._touch(record_tables.MEMBER_LISTS, (str(self._lists),), members)
        if call is not None:
            self._take_up(call, StepItem(serial, notice, members))

    def _add_step(self, call: LiveCall, item: StepItem) -> None:
        if len(call.steps) >= STEPS_OF_A_PART:
            call.steps = []
            call.part += 1
        call.steps.append(item)
        where = (record_tables.DECISIONS, (call.call, str(call.part)))
        if where not in self._touched:
            self._touched[where] = LiveSteps(call.call, call.part, call.steps)


def _last_known(found: RecalledCall) -> float:
    """Return the last time at which something is known of a call."""
    stay, talk = found.stay, found.conversation
    times = [found.call.entered_at]
    times += [offer.made_at for offer in found.offers]
    times += [] if stay is None else [stay.entered_at, stay.left_at or 0.0]
    times += [] if talk is None else [talk.started_at, talk.ended_at or 0.0]
    return max(times)
