"""Questions to Asterisk about single channels, where events alone do not say what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from callrouter.model.commands import Leave, Result, StopReason
from callrouter.pbx.asterisk import orders, survey, words
from callrouter.pbx.asterisk.channels import Caller, Where
from callrouter.pbx.asterisk.errors import AmiError, AmiRejected
from callrouter.pbx.asterisk.mirror import Mirror
from callrouter.pbx.asterisk.outbox import Outbox
from callrouter.pbx.asterisk.pending import Rows
from callrouter.pbx.asterisk.session import AmiSession
from callrouter.tasks import Tasks

LOOK_AFTER = 0.3
"""Seconds in which an event may still explain what happened to a caller."""

CONNECTED_AFTER = (1.0, 3.0)
"""Seconds after which a connect of which nothing was heard is looked at: the core gives up after ten."""

FORWARDED_AFTER = (0.0, 0.05, 0.3)
"""Pauses, in seconds, before looking whether a 302 made a channel: what tells so comes a moment later."""


class Lookout:
    """Looks where a caller is, and for what a phone made of a call that it sent elsewhere."""

    def __init__(
        self, session: AmiSession, mirror: Mirror, outbox: Outbox, *, tasks: Tasks
    ) -> None:
        self._session = session
        self._mirror = mirror
        self._outbox = outbox
        self._tasks = tasks
        self._due: set[str] = set()

    def look_at(self, caller: Caller) -> None:
        """Look where a caller is, unless something explains it within a moment."""
        if caller.uid in self._due:
            return
        self._due.add(caller.uid)
        asyncio.get_running_loop().call_later(LOOK_AFTER, self._look, caller)

    def _look(self, caller: Caller) -> None:
        self._due.discard(caller.uid)
        if self._mirror.callers.get(caller.uid) is caller:
            self._spawn(lambda: self._look_where(caller), f"look at {caller.uid}")

    def _spawn(self, make: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        if self._session.up:
            self._tasks.spawn(make(), f"{self._mirror.pbx}: {what}")

    async def _look_where(self, caller: Caller) -> None:
        before = caller.where, caller.leg
        try:
            rows = await self._session.list({**survey.STATUS, "Channel": caller.uid})
        except AmiRejected:
            rows = Rows()  # it is gone; its Hangup is on the way
        except AmiError:
            return
        if not rows.whole:
            return  # its row cannot be read: nothing follows from that
        unchanged = before == (caller.where, caller.leg)
        if self._mirror.callers.get(caller.uid) is not caller or not unchanged:
            return
        found = survey.row(rows[0]) if rows else None
        where = found.where if found is not None else None
        bridged = found is not None and found.bridge != ""
        if where is None or (caller.where is Where.WAITING and bridged):
            self._mirror.gone_elsewhere(caller)
        elif caller.where is Where.RELEASED and where is Where.RELEASED:
            # Released, and the agent's leg lives on elsewhere: the talk is over for the caller.
            self._mirror.gone_elsewhere(caller)
            call = self._mirror.call_id(caller.uid)
            answered = Leave(pbx=self._mirror.pbx, call=call, result=Result.ANSWERED)
            self._outbox.write([*self._outbox.leave(caller.uid, caller.queue, answered)])

    def connecting(self, caller: Caller) -> None:
        """Look later what became of a connect, should nobody tell."""
        for again, seconds in enumerate(CONNECTED_AFTER):
            asyncio.get_running_loop().call_later(
                seconds, self._still_connecting, caller, caller.leg, bool(again)
            )

    def _still_connecting(self, caller: Caller, leg: str, again: bool) -> None:
        known = self._mirror.callers.get(caller.uid) is caller
        if known and caller.where is Where.CONNECTING and caller.leg == leg:
            self._spawn(
                lambda: self._look_connected(caller, leg, again), f"is {caller.uid} connected"
            )

    async def _rows_of(self, *uids: str) -> dict[str, survey.Row] | None:
        """How channels are, those that are there; None if that cannot be known."""
        rows: dict[str, survey.Row] = {}
        for uid in uids:
            try:
                found = await self._session.list({**survey.STATUS, "Channel": uid})
            except AmiRejected:
                continue  # it is gone
            except AmiError:
                return None  # the link is
            if not found.whole:
                return None  # it cannot be read
            rows.update((uid, survey.row(message)) for message in found)
        return rows

    async def _look_connected(self, caller: Caller, leg: str, again: bool) -> None:
        rows = await self._rows_of(caller.uid, leg)
        if rows is None:
            return
        if caller.where is not Where.CONNECTING or caller.leg != leg:
            return
        here, there = rows.get(caller.uid), rows.get(leg)
        if here is None:
            self._mirror.gone_elsewhere(caller)
        elif there is not None and here.bridge and here.bridge == there.bridge:
            self._mirror.bridged(caller, here.bridge)
        elif here.where is Where.WAITING and there is not None and not again:
            self._outbox.connect_again(caller)
        elif here.where is Where.WAITING:
            self._mirror.unbridged(caller)
        elif here.where is Where.RELEASED:
            self._mirror.hardly_bridged(caller)

    async def keep_those_there(self, rows: Rows, people: frozenset[str]) -> None:
        """Ask after every channel that we know and that a list with unreadable rows does not have.

        Those that are still there are left as they are: a number with line ends hides its channel's row, and
        must not end a call. The answers hold no text of any caller's. `people` are the channels on which people
        talk with the router.

        Raises:
            AmiError: the link is gone.
        """
        mirror = self._mirror
        listed = {message.get("Uniqueid") for message in rows}
        known = mirror.callers.keys() | mirror.legs.keys() | mirror.phones.channels() | people
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
                continue  # it is gone
            there.add(uid)
        mirror.moved |= there
        mirror.unreadable = frozenset(there)

    def stray(self, uid: str) -> None:
        """End a channel that was picked up as a leg of ours and is none."""
        self._outbox.send(orders.hang_up(uid, StopReason.WITHDRAWN))

    def forwarded(self, uid: str) -> None:
        """End what Asterisk makes of a 302: it would ring someone of whom the router knows nothing.

        Should it be picked up before, it is ended by `stray`; no caller is ever connected to it.
        """
        self._spawn(lambda: self._end_forwarded(uid), f"was {uid} sent elsewhere")

    async def _end_forwarded(self, uid: str) -> None:
        for pause in FORWARDED_AFTER:
            await asyncio.sleep(pause)
            try:
                rows = await self._session.list({**survey.STATUS, "Channel": uid})
            except AmiError:
                return  # it is gone, or the link is
            for row in rows:
                seen = (row.get("Channel"), row.get("CallerIDNum"), row.get("Application"))
                if words.forwarded(*seen):
                    self.stray(uid)
                    return
