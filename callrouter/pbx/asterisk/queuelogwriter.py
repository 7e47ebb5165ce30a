"""Writes queue_log through Asterisk: at its pace, and afterwards what happened while it was away."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from callrouter.clock import Clock
from callrouter.logs import many
from callrouter.pbx.asterisk.errors import AmiDown, AmiError, AmiRejected, AmiTimeout
from callrouter.pbx.asterisk.orders import Action
from callrouter.pbx.asterisk.queuelog import Line
from callrouter.pbx.asterisk.session import AmiReply

logger = logging.getLogger(__name__)

MOST_ON_THE_WAY: Final = 200
"""Lines that Asterisk has been sent and has not confirmed. More would delay the actions of calls."""

MOST_WAITING: Final = 50_000
"""Lines kept while Asterisk is away or slow: an outage of an hour at 14 lines a second."""

LATE: Final = 2.0
"""Seconds after which a line bears the time of its event, since Asterisk stamps it with the time of writing."""

Send = Callable[[Action, Callable[[AmiReply | AmiError], None]], None]


class QueueLogWriter:
    """Keeps the order of lines, writes each once, and reports what may be missing.

    A line that was sent when the link broke may have been written or not. It is not sent again: a report
    counts a second line as a second call.

    Attributes:
        lost: lines that were not written, or that may not have been.
    """

    def __init__(self, name: str, send: Send, up: Callable[[], bool], clock: Clock) -> None:
        """Write with `send` while `up` says that the link is there; `name` is the PBX's, for the log."""
        self.lost = 0
        self._name = name
        self._send = send
        self._up = up
        self._clock = clock
        self._waiting: deque[tuple[Line, float]] = deque()
        self._on_the_way = 0
        self._there = True

    def __len__(self) -> int:
        """Lines that are not confirmed yet."""
        return len(self._waiting) + self._on_the_way

    def use(self, there: bool) -> None:
        """Say whether Asterisk can write queue_log at all: without app_queue it has no such action."""
        self._there = there
        if not there:
            self.lost += len(self._waiting)
            self._waiting.clear()

    def add(self, line: Line, at: float | None) -> None:
        """Write a line about an event as soon as Asterisk takes it; `at` is its time, epoch seconds, or now."""
        if not self._there:
            self.lost += 1
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._report(1, f"more than {MOST_WAITING} lines wait for Asterisk")
        self._waiting.append((line, self._clock.now() if at is None else at))
        self.write()

    def write(self) -> None:
        """Send what waits, as far as Asterisk keeps up. Call it when the link is up again."""
        now = self._clock.now()
        while self._waiting and self._on_the_way < MOST_ON_THE_WAY and self._up():
            line, at = self._waiting.popleft()
            self._on_the_way += 1
            self._send(line.action(at if now - at > LATE else None), self._answered)

    def close(self) -> None:
        """Report what waits in vain: the daemon ends."""
        if self._waiting:
            self._report(len(self._waiting), "Asterisk is away and the router stops")
            self._waiting.clear()

    def _answered(self, reply: AmiReply | AmiError) -> None:
        self._on_the_way -= 1
        if isinstance(reply, AmiDown):
            self._report(1, "the link broke before Asterisk confirmed them")
        elif isinstance(reply, AmiTimeout):
            self._report(1, "Asterisk did not confirm them")
        elif isinstance(reply, AmiRejected) and "unknown command" in str(reply):
            self.lost += 1  # sent before the check after the login was over, which says it
        elif isinstance(reply, AmiError):
            self._report(1, str(reply))
        self.write()

    def _report(self, count: int, why: str) -> None:
        """Log the first loss, and then each time their number has doubled."""
        before, self.lost = self.lost, self.lost + count
        if before.bit_length() != self.lost.bit_length():
            lines = many(self.lost, "line")
            logger.error("%s: %s of queue_log missing, or perhaps so: %s", self._name, lines, why)
