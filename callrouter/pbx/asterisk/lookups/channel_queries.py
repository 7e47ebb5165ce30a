"""Queries about single channels, for cases in which events do not say what happened.

An event may have been lost, or there may be none, as when another program moves a caller. Events go
on arriving while an answer is on its way, so each query checks afterwards that the tracker still
shows what prompted it. If not, an event was newer than the answer, and the answer is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from callrouter.model.commands import Leave, Result, StopReason
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiRejected, ListRows
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.executor import Executor
from callrouter.pbx.asterisk.tracking import channel_lists
from callrouter.pbx.asterisk.tracking.channels import CallerChannel, CallerState
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.tasks import Tasks

LOOK_AFTER = 0.3
"""Seconds to wait for an event that explains what happened to a caller."""

CONNECTED_AFTER = (1.0, 3.0)
"""Seconds after which an unconfirmed connect is checked. The core gives up after ten."""

FORWARDED_AFTER = (0.0, 0.05, 0.3)
"""Delays in seconds before each check for a channel created by a 302.

The fields that identify such a channel are set a moment after it appears.
"""


class ChannelQueries:
    """Finds out where callers are, and finds the channels that redirected calls create."""

    def __init__(
        self, session: AmiClient, tracker: Tracker, executor: Executor, *, tasks: Tasks
    ) -> None:
        self._session = session
        self._tracker = tracker
        self._executor = executor
        self._tasks = tasks
        self._due: set[str] = set()

    def look_at(self, caller: CallerChannel) -> None:
        """Query where a caller is, unless an event explains it within `LOOK_AFTER`."""
        uid = caller.uid
        if uid in self._due:
            return
        self._due.add(uid)
        asyncio.get_running_loop().call_later(LOOK_AFTER, self._look, caller, uid)

    def _look(self, caller: CallerChannel, uid: str) -> None:
        self._due.discard(uid)
        # A call that another channel has taken over since is explained.
        if self._tracker.callers.get(uid) is caller:
            self._spawn(lambda: self._look_where(caller), f"look at {caller.uid}")

    def _spawn(self, make: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        if self._session.up:
            self._tasks.spawn(make(), f"{self._tracker.pbx}: {what}")

    async def _look_where(self, caller: CallerChannel) -> None:
        before = caller.where, caller.leg
        try:
            rows = await self._session.list({**channel_lists.STATUS, "Channel": caller.uid})
        except AmiRejected:
            rows = ListRows()  # it is gone, and its Hangup is on the way
        except AmiError:
            return
        if not rows.whole:
            return  # its row is unreadable, so nothing can be concluded
        unchanged = before == (caller.where, caller.leg)
        if self._tracker.callers.get(caller.uid) is not caller or not unchanged:
            return
        found = channel_lists.row(rows[0]) if rows else None
        where = found.where if found is not None else None
        bridged = found is not None and found.bridge != ""
        if where is None or (caller.where is CallerState.WAITING and bridged):
            self._tracker.gone_elsewhere(caller)
        elif caller.where is CallerState.RELEASED and where is CallerState.RELEASED:
            # Released, while the agent's leg lives on elsewhere: for the caller, the conversation
            # is over.
            self._tracker.gone_elsewhere(caller)
            call = self._tracker.call_id(caller.uid)
            answered = Leave(pbx=self._tracker.pbx, call=call, result=Result.ANSWERED)
            self._executor.write([*self._executor.leave(caller.uid, caller.queue, answered)])

    def connecting(self, caller: CallerChannel) -> None:
        """Schedule checks of a connect, in case its outcome is never reported."""
        for again, seconds in enumerate(CONNECTED_AFTER):
            asyncio.get_running_loop().call_later(
                seconds, self._still_connecting, caller, caller.leg, bool(again)
            )

    def _still_connecting(self, caller: CallerChannel, leg: str, again: bool) -> None:
        known = self._tracker.callers.get(caller.uid) is caller
        if known and caller.where is CallerState.CONNECTING and caller.leg == leg:
            self._spawn(
                lambda: self._look_connected(caller, leg, again), f"is {caller.uid} connected"
            )

    async def _rows_of(self, *uids: str) -> dict[str, channel_lists.ChannelRow] | None:
        """The rows of the channels that exist; None if that cannot be determined."""
        rows: dict[str, channel_lists.ChannelRow] = {}
        for uid in uids:
            try:
                found = await self._session.list({**channel_lists.STATUS, "Channel": uid})
            except AmiRejected:
                continue  # the channel is gone
            except AmiError:
                return None  # the link is down
            if not found.whole:
                return None  # a row is unreadable
            rows.update((uid, channel_lists.row(message)) for message in found)
        return rows

    async def _look_connected(self, caller: CallerChannel, leg: str, again: bool) -> None:
        rows = await self._rows_of(caller.uid, leg)
        if rows is None:
            return
        if caller.where is not CallerState.CONNECTING or caller.leg != leg:
            return
        here, there = rows.get(caller.uid), rows.get(leg)
        if here is None:
            self._tracker.gone_elsewhere(caller)
        elif there is not None and here.bridge and here.bridge == there.bridge:
            self._tracker.bridged(caller, here.bridge)
        elif here.where is CallerState.WAITING and there is not None and not again:
            self._executor.connect_again(caller)
        elif here.where is CallerState.WAITING:
            self._tracker.unbridged(caller)
        elif here.where is CallerState.RELEASED:
            self._tracker.hardly_bridged(caller)

    async def keep_those_there(self, rows: ListRows, people: frozenset[str]) -> None:
        """Query every known channel that is missing from a list with unreadable rows.

        The channels that still exist are left as they are: a number with line breaks hides its
        channel's row, and must not end a call. The answers contain no text from any caller.
        `people` are the channels on which people use feature codes.

        Raises:
            AmiError: the link is down.
        """
        tracker = self._tracker
        listed = {message.get("Uniqueid") for message in rows}
        known = tracker.callers.keys() | tracker.legs.keys() | tracker.phones.channels() | people
        unseen = known - listed
        asked = {
            uid: {"Action": "Getvar", "Channel": uid, "Variable": "CHANNEL(state)"}
            for uid in unseen
        }
        there = set()
        futures = self._session.send(list(asked.values()))
        for uid, future in zip(asked, futures, strict=True):
            try:
                await future
            except AmiRejected:
                continue  # the channel is gone
            there.add(uid)
        tracker.moved |= there
        tracker.unreadable = frozenset(there)

    def stray(self, uid: str) -> None:
        """Hang up a channel that was picked up as if it were one of our legs."""
        self._executor.send(actions.hang_up(uid, StopReason.WITHDRAWN))

    def forwarded(self, uid: str) -> None:
        """Hang up the channel that Asterisk creates for a 302. It rings a phone unknown to us.

        If it is picked up before that, `stray` hangs it up. No caller is ever connected to it.
        """
        self._spawn(lambda: self._end_forwarded(uid), f"was {uid} sent elsewhere")

    async def _end_forwarded(self, uid: str) -> None:
        for pause in FORWARDED_AFTER:
            await asyncio.sleep(pause)
            try:
                rows = await self._session.list({**channel_lists.STATUS, "Channel": uid})
            except AmiError:
                return  # the channel is gone, or the link is down
            for row in rows:
                seen = (row.get("Channel"), row.get("CallerIDNum"), row.get("Application"))
                if contract.forwarded(*seen):
                    self.stray(uid)
                    return
