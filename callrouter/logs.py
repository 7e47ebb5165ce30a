"""The log: one readable line per event, on stderr, written by a thread of its own.

Also the two ways in which a text from outside is made fit to be shown to people.
"""

from __future__ import annotations

import logging
import os
import queue
from logging.handlers import QueueHandler, QueueListener
from typing import Final

STDERR: Final = 2
MOST_WAITING: Final = 20_000
"""Lines that wait for a slow stderr before further ones are dropped (and counted)."""

_SHOWN_AT_THE_END = 3
_TALKATIVE: Final = ("aiohttp.access", "alembic")
"""Loggers of libraries, of whom operators want to hear no more than warnings."""
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""Python's levels and those of syslog(3)."""


def mask(number: str) -> str:
    """A phone number for people who need not know it: ``+44…123``, ``…123``."""
    number = clean(number)
    if len(number) <= _SHOWN_AT_THE_END or not any(c.isdigit() for c in number):
        return number  # such as "anonymous"
    start = number[:3] if number.startswith("+") and len(number) > 8 else ""
    return f"{start}…{number[-_SHOWN_AT_THE_END:]}"


def clean(text: str) -> str:
    """`text` with U+FFFD for all that moves the cursor or turns the direction of writing.

    Caller names come from strangers: no line feed, escape sequence or right-to-left mark of theirs
    reaches a terminal or a log.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class _Formatter(logging.Formatter):
    """``2026-11-21 21:53:07.123 WARNING text``; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        text = clean(record.getMessage())
        when = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        line = f"{when}.{int(record.msecs):03} {record.levelname:<7} {text}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JournalFormatter(logging.Formatter):
    """As journald takes it (sd-daemon(3)): each line with how bad it is; the time it knows itself."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one, all of one priority."""
        text = clean(record.getMessage())
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        level = next((n for least, n in _PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in text.split("\n"))


class _Fd(logging.Handler):
    """Writes to a file descriptor with no buffer and no lock that could stop the program's end."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Have none: one thread writes, and `logging.shutdown` would wait for it at the very end."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; where nobody can read it, there is nobody to tell."""
        data = f"{record.msg}\n".encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            return


class _Drop(QueueHandler):
    """Formats a record and hands it to the writing thread; never waits."""

    def __init__(self, lines: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__(lines)
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put the record in line, or count it as dropped."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class Log:
    """The program's log from its making until `close`.

    `journal`: journald reads it (systemd says so in ``JOURNAL_STREAM``).
    """

    def __init__(
        self, level: int = logging.INFO, fd: int = STDERR, *, journal: bool = False
    ) -> None:
        lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_WAITING)
        self._lines = lines
        self._closed = False
        self._handler = _Drop(lines)
        self._handler.setFormatter(_JournalFormatter() if journal else _Formatter())
        self._listener = QueueListener(lines, _Fd(fd))
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(level)
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """Lines that a slow stderr has cost so far."""
        return self._handler.dropped

    def close(self, within: float = 1.0) -> None:
        """Write what waits, for `within` seconds at most, and stop.

        A stderr that nobody reads must not keep the daemon from ending.
        """
        if self._closed:
            return
        self._closed = True
        logging.getLogger().removeHandler(self._handler)
        thread = self._listener._thread
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        if thread is not None:
            thread.join(within)
