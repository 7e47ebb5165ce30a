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

from callrouter.pbx.asterisk.ami.counters import AmiCounters
from callrouter.pbx.asterisk.ami.errors import (
    AmiBadValue,
    AmiDown,
    AmiError,
    AmiRejected,
    AmiTimeout,
)
from callrouter.pbx.asterisk.ami.event_shapes import whole_row
from callrouter.pbx.asterisk.ami.messages import AmiMessage, AmiReply, parse
from callrouter.pbx.asterisk.ami.panoramisk_parts import new_action_id
from callrouter.pbx.asterisk.ami.wire import Action, encode, guard

logger = logging.getLogger(__name__)

PING_ID = "ami-ping"
"""ActionID of the watchdog's Ping. Its answer is ignored."""

_ACCEPTED = frozenset({"success", "follows", "goodbye", "pong"})
# How PJSIP lists report that they are empty: "No Contacts found", "No endpoints found".
_EMPTY_LIST = re.compile(r"No \S+( \S+)? found\.?", re.IGNORECASE)
_REMEMBERED = 32
_WARN_EVERY = 60.0
"""Minimum number of seconds between two log lines about unexpected answers.

An attacker who can write into the stream can produce any number of them.
"""


class ListRows(list[AmiMessage]):
    """The events of a list.

    Attributes:
        whole: False if a row is missing or is not as Asterisk writes it. Such rows are left out, so
            the absence of a row proves nothing.
    """

    whole: bool = True


@dataclass(slots=True, eq=False)
class PendingAction:
    """An action that was written and not answered yet. Its future always ends."""

    name: str
    action_id: str
    future: asyncio.Future[Any]  # of AmiReply, or of ListRows
    timer: asyncio.TimerHandle
    is_list: bool
    messages: ListRows

    def fail(self, error: AmiError) -> None:
        """End with `error`, unless it has already ended or was cancelled.

        The error may be ignored by the requester without a warning of asyncio's.
        """
        self.timer.cancel()
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # marks it as retrieved, so that asyncio does not warn


class PendingActions:
    """The table of unanswered actions of one connection. It does no I/O.

    Attributes:
        open: unanswered actions by ActionID.
        lists: lists being collected, by ActionID. None marks a list that was given up and whose
            late events must be dropped.
    """

    def __init__(
        self,
        counters: AmiCounters,
        on_timeout: Callable[[], None] = lambda: None,
        *,
        strict: bool = False,
    ) -> None:
        """Start with an empty table. With `strict`, only genuine rows of lists are accepted."""
        self._strict = strict
        self._warned_at = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._counters = counters
        self._on_timeout = on_timeout
        self.open: dict[str, PendingAction] = {}
        self.lists: dict[bytes, PendingAction | None] = {}

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
            action_id = str(given) or new_action_id()
            if action_id in self.open or action_id in ready or action_id == PING_ID:
                raise AmiBadValue(f"ActionID {action_id} is in use")
            ready[action_id] = next(str(safe[key]) for key in safe if key.lower() == "action")
            texts.append(encode(safe, "" if given else action_id))
        data = "".join(texts).encode()
        return data, [
            self._register(action_id, name, timeout, is_list=is_list)
            for action_id, name in ready.items()
        ]

    def _register(
        self, action_id: str, name: str, timeout: float, *, is_list: bool
    ) -> asyncio.Future[Any]:
        pending = PendingAction(
            name=name,
            action_id=action_id,
            future=self._loop.create_future(),
            timer=self._loop.call_later(timeout, self._expire, action_id, timeout),
            is_list=is_list,
            messages=ListRows(),
        )
        self.open[action_id] = pending
        if is_list:
            self.lists[action_id.encode()] = pending
        return pending.future

    def withdraw(self, futures: Sequence[asyncio.Future[Any]]) -> None:
        """Forget actions that were registered last and have not been written."""
        for action_id in list(self.open)[-len(futures) :] if futures else ():
            pending = self.open.pop(action_id)
            pending.timer.cancel()
            pending.future.cancel()

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
            self._counters.timeouts += 1
            pending.fail(AmiTimeout(f"no answer to {pending.name} within {timeout:g} s"))
        self._on_timeout()

    def _forget_list(self, pending: PendingAction) -> None:
        """Remember a list that was given up.

        Its events may still arrive and must not be taken for news. Only the last few are
        remembered.
        """
        self.lists[pending.action_id.encode()] = None
        stale = [key for key, value in self.lists.items() if value is None]
        for key in stale[:-_REMEMBERED]:
            del self.lists[key]

    def take_list_event(self, raw: bytes) -> bool:
        """Keep an event that belongs to a list.

        Returns:
            Whether it belongs to one, be it a list that was given up.
        """
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
            self._counters.late_replies += 1
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

    def take_reply(self, reply: AmiReply) -> None:
        """Deliver a reply to its requester. A late reply is counted and dropped."""
        action_id = reply.get("ActionID")
        pending = self.open.get(action_id)
        if pending is None:
            self._take_unrequested(reply, action_id)
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

    def _take_unrequested(self, reply: AmiReply, action_id: str) -> None:
        if action_id == PING_ID:
            return
        if action_id:
            self._counters.late_replies += 1
            return
        self._counters.unmatched_messages += 1
        now = self._loop.time()
        if reply.get("Response").lower() not in _ACCEPTED and now - self._warned_at >= _WARN_EVERY:
            self._warned_at = now
            said = "".join(c if c.isprintable() else "." for c in reply.get("Message")[:100])
            logger.warning("Asterisk complains about no action of ours: %s", said)

    def _refuse(self, pending: PendingAction, text: str, reply: AmiReply) -> None:
        self._counters.rejected_actions += 1
        self._forget(pending)
        pending.fail(AmiRejected(text, reply))

    def _finish(self, pending: PendingAction, reply: AmiReply | None = None) -> None:
        self._forget(pending)
        pending.timer.cancel()
        if pending.future.done():  # the requester cancelled it
            self._counters.late_replies += 1
            return
        self._counters.replies += 1
        pending.future.set_result(pending.messages if pending.is_list else reply)

    def _forget(self, pending: PendingAction) -> None:
        self.open.pop(pending.action_id, None)
        self.lists.pop(pending.action_id.encode(), None)
