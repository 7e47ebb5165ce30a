"""The unanswered actions of one connection: replies, lists and timeouts.

A list is recognised by the action that requested it, and ends with `EventList: Complete` and its
ActionID. Unlike panoramisk, this module does not guess from the names or texts of messages what a
list is.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from panoramisk.actions import Action as PanoramiskAction

from callrouter.pbx.asterisk.ami.errors import (
    AmiBadValue,
    AmiDown,
    AmiError,
    AmiRejected,
    AmiTimeout,
)
from callrouter.pbx.asterisk.ami.messages import Action, AmiMessage, guard, parse, written
from callrouter.pbx.asterisk.event_shapes import whole_row

logger = logging.getLogger(__name__)

PING_ID = "callrouter-ping"
"""ActionID of the watchdog's Ping. Its answer is ignored."""

_ACCEPTED = frozenset({"success", "follows", "goodbye", "pong"})
# How PJSIP lists report that they are empty: "No Contacts found", "No endpoints found".
_EMPTY_LIST = re.compile(r"No \S+( \S+)? found\.?", re.IGNORECASE)
_REMEMBERED = 32
_TELL_EVERY = 60.0
"""Minimum number of seconds between two log lines about unexpected answers.

An attacker who can write into the stream can produce any number of them.
"""
_new_id = PanoramiskAction.action_id_generator


@dataclass(slots=True)
class AmiStats:
    """Counters of one session, over all its connections.

    Attributes:
        received: bytes read.
        events: events passed to `on_event`.
        skipped: events that were not parsed: not wanted, or received before the session was up.
        replies: answers delivered.
        late_replies: answers and list events that arrived after their request had ended.
        unmatched: messages that are neither an event nor the answer to a request.
        timeouts: actions that were not answered in time.
        rejected: actions answered with `Response: Error`.
        connects: connections opened.
        reconnects: times the session came up again.
        refused_logins: logins that Asterisk refused.
        forged: events that were dropped because Asterisk does not write them like that.
        handler_errors: exceptions raised by `on_event`, `on_up` or `on_down`.
    """

    received: int = 0
    events: int = 0
    skipped: int = 0
    replies: int = 0
    late_replies: int = 0
    unmatched: int = 0
    timeouts: int = 0
    rejected: int = 0
    connects: int = 0
    reconnects: int = 0
    refused_logins: int = 0
    forged: int = 0
    handler_errors: int = 0


class Rows(list[AmiMessage]):
    """The events of a list.

    Attributes:
        whole: False if a row is missing or is not as Asterisk writes it. Such rows are left out, so
            the absence of a row proves nothing.
    """

    whole: bool = True


@dataclass(slots=True, eq=False)
class Pending:
    """An action that was written and not answered yet. Its future always ends."""

    name: str
    action_id: str
    future: asyncio.Future[Any]  # of AmiMessage, or of a list of them
    timer: asyncio.TimerHandle
    is_list: bool
    messages: Rows

    def fail(self, error: AmiError) -> None:
        """End with `error`, unless it has already ended or was cancelled."""
        self.timer.cancel()
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # marks it as retrieved, so that asyncio does not warn


class Answers:
    """The table of unanswered actions of one connection. It does no I/O.

    Attributes:
        open: unanswered actions by ActionID.
        lists: lists being collected, by ActionID. None marks a list that was given up and whose
            late events must be dropped.
    """

    def __init__(
        self,
        stats: AmiStats,
        on_timeout: Callable[[], None] = lambda: None,
        *,
        strict: bool = False,
    ) -> None:
        """Start with an empty table. With `strict`, only genuine rows of lists are accepted."""
        self._strict = strict
        self._told_at = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._stats = stats
        self._on_timeout = on_timeout
        self.open: dict[str, Pending] = {}
        self.lists: dict[bytes, Pending | None] = {}

    def expect(
        self, actions: Sequence[Action], timeout: float, *, is_list: bool = False
    ) -> tuple[bytes, list[asyncio.Future[Any]]]:
        """Register actions that are about to be written. Return their bytes and their futures.

        Raises:
            AmiBadValue: one of them cannot be sent. None was registered.
        """
        ready: dict[str, str] = {}
        texts = []
        for action in actions:
            safe = guard(action)
            given = next((safe[key] for key in safe if key.lower() == "actionid"), "")
            action_id = str(given) or _new_id()
            if action_id in self.open or action_id in ready or action_id == PING_ID:
                raise AmiBadValue(f"ActionID {action_id} is in use")
            ready[action_id] = next(str(safe[key]) for key in safe if key.lower() == "action")
            texts.append(written(safe, "" if given else action_id))
        data = "".join(texts).encode()
        return data, [
            self._enter(action_id, name, timeout, is_list=is_list)
            for action_id, name in ready.items()
        ]

    def _enter(
        self, action_id: str, name: str, timeout: float, *, is_list: bool
    ) -> asyncio.Future[Any]:
        pending = Pending(
            name=name,
            action_id=action_id,
            future=self._loop.create_future(),
            timer=self._loop.call_later(timeout, self._expire, action_id, timeout),
            is_list=is_list,
            messages=Rows(),
        )
        self.open[action_id] = pending
        if is_list:
            self.lists[action_id.encode()] = pending
        return pending.future

    def fail_all(self, reason: str) -> None:
        """The connection is lost: every unanswered action fails with AmiDown."""
        for pending in self.open.values():
            pending.fail(AmiDown(f"no answer to {pending.name}: {reason}"))
        self.open.clear()
        self.lists.clear()

    def _expire(self, action_id: str, timeout: float) -> None:
        pending = self.open.pop(action_id)
        if pending.is_list:
            self._forget_list(pending)
        if not pending.future.done():  # otherwise the requester cancelled it
            self._stats.timeouts += 1
            pending.fail(AmiTimeout(f"no answer to {pending.name} within {timeout:g} s"))
        self._on_timeout()

    def _forget_list(self, pending: Pending) -> None:
        """Remember a list that was given up.

        Its events may still arrive and must not be taken for news. Only the last few are
        remembered.
        """
        self.lists[pending.action_id.encode()] = None
        stale = [key for key, value in self.lists.items() if value is None]
        for key in stale[:-_REMEMBERED]:
            del self.lists[key]

    def take_list_event(self, raw: bytes) -> bool:
        """Keep an event that belongs to a list. Return False if it does not."""
        start = raw.find(b"\r\nActionID:")
        if start < 0:
            return False
        end = raw.find(b"\r\n", start + 2)
        key = (raw[start + 11 :] if end < 0 else raw[start + 11 : end]).strip()
        if key not in self.lists:
            return False
        message, pending = parse(raw), self.lists[key]
        state = message.get("EventList").lower()
        if pending is None:
            self._stats.late_replies += 1
            if state in {"complete", "cancelled"}:
                del self.lists[key]
        elif state == "complete":
            # Asterisk counts the rows it has sent. If one was swallowed by a forged event, the
            # counts differ.
            items = message.get("ListItems")
            if items.isascii() and items.isdigit() and int(items) != len(pending.messages):
                pending.messages.whole = False
            self._finish(pending)
        elif state == "cancelled":
            self._refuse(pending, "Asterisk cancelled the list", message)
        elif self._strict and pending.name == "Status" and not whole_row(raw):
            pending.messages.whole = False
        else:
            pending.messages.append(message)
        return True

    def take_reply(self, reply: AmiMessage) -> None:
        """Deliver a reply to its requester. A late reply is counted and dropped."""
        action_id = reply.get("ActionID")
        pending = self.open.get(action_id)
        if pending is None:
            self._take_stray(reply, action_id)
            return
        text = reply.get("Message").strip()  # PJSIP's messages end with a line feed
        if reply.get("Response").lower() not in _ACCEPTED:
            if pending.is_list and _EMPTY_LIST.fullmatch(text):
                self._finish(pending)
            else:
                self._refuse(pending, text or "Asterisk gave no reason", reply)
        elif not pending.is_list:
            self._finish(pending, reply)
        elif reply.get("EventList").lower() == "cancelled":
            self._refuse(pending, "Asterisk cancelled the list", reply)
        elif not ("EventList" in reply or "will follow" in text.lower()):
            self._refuse(pending, f"{pending.name} is no action that gives a list", reply)

    def _take_stray(self, reply: AmiMessage, action_id: str) -> None:
        if action_id == PING_ID:
            return
        if action_id:
            self._stats.late_replies += 1
            return
        self._stats.unmatched += 1
        now = self._loop.time()
        if reply.get("Response").lower() not in _ACCEPTED and now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            said = "".join(c if c.isprintable() else "." for c in reply.get("Message")[:100])
            logger.warning("Asterisk complains about no action of ours: %s", said)

    def _refuse(self, pending: Pending, text: str, reply: AmiMessage) -> None:
        self._stats.rejected += 1
        self._forget(pending)
        pending.fail(AmiRejected(text, reply))

    def _finish(self, pending: Pending, reply: AmiMessage | None = None) -> None:
        self._forget(pending)
        pending.timer.cancel()
        if pending.future.done():  # the requester cancelled it
            self._stats.late_replies += 1
            return
        self._stats.replies += 1
        pending.future.set_result(pending.messages if pending.is_list else reply)

    def _forget(self, pending: Pending) -> None:
        self.open.pop(pending.action_id, None)
        self.lists.pop(pending.action_id.encode(), None)
