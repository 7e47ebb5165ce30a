"""Queries about single channels, for cases in which events do not say what happened.

An event may have been lost, or there may be none, as when another program moves a caller. Events go
on arriving while an answer is on its way. So each query checks afterwards that the tracker still
shows what prompted it. If not, an event was newer than the answer, and the answer is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from callrouter.model.commands import Leave, Result, StopReason
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiRejected, ListRows
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.pbx.asterisk.execution.executor import Executor
from callrouter.pbx.asterisk.tracking.channel_lists import LIST_CHANNELS, ChannelRow, channel_row
from callrouter.pbx.asterisk.tracking.channels import CallerChannel, CallerState
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.tasks import Tasks

EXPLAINED_WITHIN: Final = 0.3
"""Seconds to wait for an event that explains what happened to a caller."""

CONNECTED_AFTER: Final = (1.0, 3.0)
"""Seconds after which an unconfirmed connect is checked. The core gives up after ten."""

FORWARDED_AFTER: Final = (0.0, 0.05, 0.3)
"""Delays in seconds before each check for a channel created by a 302.

The fields that identify such a channel are set a moment after it appears.
"""


DIALPLAN_ANSWERS_WITHIN: Final = 2.0
"""Seconds in which Asterisk says whether a part of the dialplan is there."""


async def why_no_outside_call(client: AmiClient, *, dials: bool) -> str:
    """Why no caller can be connected with a number outside, in words; empty if they can.

    Args:
        client: asks for the part of the dialplan that does it.
        dials: whether this PBX has a dial_number.
    """
    if not dials:
        return "it has no dial_number"
    try:
        reply = await client.request(
            actions.getvar("", contract.OUTSIDE_EXISTS), timeout=DIALPLAN_ANSWERS_WITHIN
        )
    except AmiError as error:
        return f"Asterisk does not say whether its dialplan can do it ({error})"
    if reply.get("Value") == "1":
        return ""
    return "its dialplan is of an earlier version (`callrouter dialplan` writes the present one)"


class ChannelQueries:
    """Finds out where callers are, and finds the channels that redirected calls create."""

    def __init__(
        self,
        client: AmiClient,
        tracker: Tracker,
        executor: Executor,
        writer: ActionWriter,
        tasks: Tasks,
    ) -> None:
        self._client = client
        self._tracker = tracker
        self._executor = executor
        self._writer = writer
        self._tasks = tasks
        self._scheduled: set[str] = set()

    def _spawn(self, make: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        if self._client.up:
            self._tasks.spawn(make(), f"{self._tracker.pbx}: {what}")

    async def _rows(self, uid: str) -> ListRows | None:
        """The row of a channel in a list, none if it is gone; None if that cannot be determined."""
        try:
            rows = await self._client.list({**LIST_CHANNELS, "Channel": uid})
        except AmiRejected:
            return ListRows()  # it is gone, and its Hangup is on the way
        except AmiError:
            return None  # the link is down
        return rows if rows.whole else None  # its row is unreadable, so nothing can be concluded

    # ------------------------------------------------------------ where a caller is

    def find_caller(self, caller: CallerChannel) -> None:
        """Query where a caller is, unless an event explains it within `EXPLAINED_WITHIN`."""
        uid = caller.uid
        if uid in self._scheduled:
            return
        self._scheduled.add(uid)
        asyncio.get_running_loop().call_later(EXPLAINED_WITHIN, self._find_if_ours, caller, uid)

    def _find_if_ours(self, caller: CallerChannel, uid: str) -> None:
        self._scheduled.discard(uid)
        # A call that another channel has taken over since is explained.
        if self._tracker.callers.get(uid) is caller:
            self._spawn(lambda: self._find(caller), f"where is {caller.uid}")

    async def _find(self, caller: CallerChannel) -> None:
        before = caller.uid, caller.state, caller.leg
        rows = await self._rows(caller.uid)
        if rows is None:
            return
        # An attended transfer that completed in the meantime put the call on another channel: the row
        # is that of the channel before, which says nothing about the caller.
        unchanged = before == (caller.uid, caller.state, caller.leg)
        if self._tracker.callers.get(caller.uid) is not caller or not unchanged:
            return
        row = channel_row(rows[0]) if rows else None
        state = row.caller_state if row is not None else None
        bridged = row is not None and row.bridge != ""
        if state is None or (caller.state is CallerState.WAITING and bridged):
            self._tracker.caller_tracker.moved_away(caller)
        elif caller.state is CallerState.RELEASED and state is CallerState.RELEASED:
            # Released, while the agent's leg lives on elsewhere: for the caller, the conversation
            # is over.
            self._tracker.caller_tracker.moved_away(caller)
            call = self._tracker.call_id(caller.uid)
            over = Leave(pbx=self._tracker.pbx, call=call, result=Result.ANSWERED)
            self._executor.leave_now(caller.uid, caller.queue, over)

    # ------------------------------------------------------------ whether a connect was executed

    def check_connect(self, caller: CallerChannel) -> None:
        """Schedule checks of a connect, in case its outcome is never reported."""
        for attempt, seconds in enumerate(CONNECTED_AFTER):
            asyncio.get_running_loop().call_later(
                seconds, self._check_if_connecting, caller, caller.leg, bool(attempt)
            )

    def _check_if_connecting(self, caller: CallerChannel, leg: str, again: bool) -> None:
        if self._tracker.caller_tracker.is_connecting(caller, leg):
            self._spawn(
                lambda: self._check_connected(caller, leg, again), f"is {caller.uid} connected"
            )

    async def _check_connected(self, caller: CallerChannel, leg: str, again: bool) -> None:
        uid = caller.uid
        rows = await self._rows_of(uid, leg)
        if rows is None:
            return
        # The rows are those of the channel that the caller had when they were requested; see `_find`.
        if caller.uid != uid or not self._tracker.caller_tracker.is_connecting(caller, leg):
            return
        here, there = rows.get(uid), rows.get(leg)
        if here is None:
            self._tracker.caller_tracker.moved_away(caller)
        elif there is not None and here.bridge and here.bridge == there.bridge:
            self._tracker.caller_tracker.found_connected(caller, here.bridge)
        elif here.caller_state is CallerState.WAITING and there is not None and not again:
            self._executor.connect_again(caller)
        elif here.caller_state is CallerState.WAITING:
            self._tracker.caller_tracker.connect_failed(caller)
        elif here.caller_state is CallerState.RELEASED:
            self._tracker.caller_tracker.released_at_once(caller)

    async def _rows_of(self, *uids: str) -> dict[str, ChannelRow] | None:
        """The rows of the channels that exist; None if that cannot be determined."""
        rows: dict[str, ChannelRow] = {}
        for uid in uids:
            found = await self._rows(uid)
            if found is None:
                return None
            rows.update((uid, channel_row(message)) for message in found)
        return rows

    # ------------------------------------------------------------ channels without a readable row

    async def keep_existing(self, rows: ListRows, dialogues: frozenset[str]) -> None:
        """Query every known channel that is missing from a list with unreadable rows.

        The channels that still exist are left as they are: a number with line breaks hides its
        channel's row, and must not end a call. The answers contain no text from any caller.

        Args:
            rows: the list.
            dialogues: the channels on which people use feature codes.

        Raises:
            AmiError: the link is down.
        """
        tracker = self._tracker
        listed = {message.get("Uniqueid") for message in rows}
        known = tracker.callers.keys() | tracker.legs.keys() | tracker.phones.channels() | dialogues
        unseen = sorted(known - listed)
        futures = self._client.send([actions.getvar(uid, "CHANNEL(state)") for uid in unseen])
        existing = []
        for uid, future in zip(unseen, futures, strict=True):
            try:
                await future
            except AmiRejected:
                continue  # the channel is gone
            existing.append(uid)
        tracker.keep(existing)

    # ------------------------------------------------------------ channels that must not live

    def hang_up_stray(self, uid: str) -> None:
        """Hang up a channel that was picked up as if it were one of our legs."""
        self._writer.send(actions.hang_up(uid, StopReason.WITHDRAWN))

    def hang_up_if_forwarded(self, uid: str) -> None:
        """Hang up the channel that Asterisk creates for a 302. It rings a phone unknown to us.

        If it is picked up before that, `hang_up_stray` hangs it up. No caller is ever connected to
        it.
        """
        self._spawn(lambda: self._hang_up_forwarded(uid), f"was {uid} sent elsewhere")

    async def _hang_up_forwarded(self, uid: str) -> None:
        for pause in FORWARDED_AFTER:
            await asyncio.sleep(pause)
            try:
                rows = await self._client.list({**LIST_CHANNELS, "Channel": uid})
            except AmiError:
                return  # the channel is gone, or the link is down
            for row in rows:
                name, number = row.get("Channel"), row.get("CallerIDNum")
                if contract.is_forwarded(name, number, row.get("Application")):
                    self.hang_up_stray(uid)
                    return
