"""Writes queue_log through Asterisk, at its pace, and catches up after an outage."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from callrouter.clock import Clock
from callrouter.model.text import counted
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiDown,
    AmiError,
    AmiNotPermitted,
    AmiRejected,
    AmiReply,
    AmiTimeout,
)
from callrouter.queue_log.log_lines import QueueLogLine

logger = logging.getLogger(__name__)

MAX_UNCONFIRMED: Final = 200
"""Maximum number of unconfirmed lines. More would delay the actions that calls need."""

MAX_WAITING: Final = 50_000
"""Maximum number of buffered lines: an outage of one hour at 14 lines a second."""

LATE: Final = 2.0
"""Seconds after which a line carries the time of its event.

Asterisk stamps each line with the time of writing.
"""

SendAction = Callable[[Action, Callable[[AmiReply | AmiError], None]], None]


class QueueLogWriter:
    """Keeps lines in order, writes each at most once, and reports losses.

    Why at most once, and not at least once: if the link breaks after a line was sent, the line may
    or may not have been written, and Asterisk cannot be asked. A report counts a second line as a
    second call, which no reader can undo. A missing line is counted and logged instead. A line that
    this router was not permitted to send was certainly not written, and goes back to its place.

    Why the order holds although lines wait here: there is one queue, a line leaves it only at the
    front, and AMI executes the actions of a session in the order in which they were written.
    Asterisk stamps each line with the time of writing, so a line that is late carries the time of
    its event as well.

    Why memory is bounded: at most `MAX_UNCONFIRMED` lines are written and not confirmed, at most
    `MAX_WAITING` wait. The oldest is given up when one more comes.

    Attributes:
        lost: number of lines that were not written, or may not have been.
    """

    def __init__(self, name: str, send: SendAction, up: Callable[[], bool], clock: Clock) -> None:
        """Write through a PBX.

        Args:
            name: the PBX's name, for log messages.
            send: writes an action, and calls back with its reply or error.
            up: whether the link is up.
            clock: tells how late a line is written.
        """
        self.lost = 0
        self._name = name
        self._send = send
        self._up = up
        self._clock = clock
        self._waiting: deque[tuple[QueueLogLine, float]] = deque()
        self._unconfirmed = 0
        self._returned = 0
        """Lines at the front that were not permitted and are to be sent again."""
        self._has_app_queue = True

    def __len__(self) -> int:
        """The number of unconfirmed lines."""
        return len(self._waiting) + self._unconfirmed

    def use(self, has_app_queue: bool) -> None:
        """Set whether Asterisk can write queue_log. Without app_queue the action does not exist.

        Lines that wait are lost then, as all further ones; callers are served all the same.
        """
        self._has_app_queue = has_app_queue
        if not has_app_queue:
            self.lost += len(self._waiting)
            self._waiting.clear()

    def add(self, line: QueueLogLine, at: float | None) -> None:
        """Write a line as soon as Asterisk accepts it.

        Args:
            line: the line.
            at: time of its event in epoch seconds; None for now.
        """
        if not self._has_app_queue:
            self.lost += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._report(1, f"more than {MAX_WAITING} lines wait for Asterisk")
        self._waiting.append((line, self._clock.now() if at is None else at))
        self.write()

    def write(self) -> None:
        """Send buffered lines as fast as Asterisk confirms them.

        Call this when the link is up again.
        """
        now = self._clock.now()
        while self._waiting and self._unconfirmed < MAX_UNCONFIRMED and self._up():
            line, at = self._waiting.popleft()
            self._returned = max(0, self._returned - 1)
            self._unconfirmed += 1
            on_reply = partial(self._on_reply, line, at)
            self._send(line.action(at if now - at > LATE else None), on_reply)

    def close(self) -> None:
        """Report the lines that remain unwritten because the daemon is stopping."""
        if self._waiting:
            self._report(len(self._waiting), "the router stops, and Asterisk has not taken them")
            self._waiting.clear()

    def _on_reply(self, line: QueueLogLine, at: float, reply: AmiReply | AmiError) -> None:
        self._unconfirmed -= 1
        if isinstance(reply, AmiNotPermitted):
            self._waiting.insert(self._returned, (line, at))  # they come back in their order
            self._returned += 1
        elif isinstance(reply, AmiDown):
            self._report(1, "the link broke before Asterisk confirmed them")
        elif isinstance(reply, AmiTimeout):
            self._report(1, "Asterisk did not confirm them")
        elif isinstance(reply, AmiRejected) and "unknown command" in str(reply):
            self.lost += 1  # sent before the check after login had finished; that check reports it
        elif isinstance(reply, AmiError):
            self._report(1, str(reply))
        self.write()

    def _report(self, count: int, why: str) -> None:
        """Log the first loss, and then whenever the total has doubled."""
        before, self.lost = self.lost, self.lost + count
        if before.bit_length() != self.lost.bit_length():
            lines = counted(self.lost, "line")
            logger.error("%s: %s of queue_log missing, or perhaps so: %s", self._name, lines, why)
