"""The log: one readable line per event on stderr, written by a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from logging.handlers import QueueHandler
from typing import Final

from callrouter.model.text import clean

STDERR: Final = 2
MOST_WAITING: Final = 20_000
"""Lines that may wait for a slow stderr. Further ones are dropped and counted."""

_TALKATIVE: Final = ("aiohttp.access", "alembic")
"""Loggers of libraries that are limited to warnings."""
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""Python's levels and those of syslog(3)."""


class _Formatter(logging.Formatter):
    """``2026-11-21 21:53:07.123 WARNING text``. A traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback if there is one."""
        text = clean(record.getMessage())
        when = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        line = f"{when}.{int(record.msecs):03} {record.levelname:<7} {text}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JournalFormatter(logging.Formatter):
    """The format of journald (sd-daemon(3)): lines with a priority. journald adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback if there is one, all of the same priority."""
        text = clean(record.getMessage())
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        level = next((n for least, n in _PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in text.split("\n"))


class _Writer(threading.Thread):
    """Writes finished lines from the queue to a file descriptor; None ends it.

    It is not a `logging.Handler`, because `logging.shutdown` takes the lock of every handler at
    exit. It would wait forever for one held by a write to a stderr that no process reads.
    """

    def __init__(self, lines: queue.Queue[logging.LogRecord | None], fd: int) -> None:
        super().__init__(name="log", daemon=True)
        self._lines = lines
        self._fd = fd

    def run(self) -> None:
        """Write until told to stop.

        Runs on the thread ``log``. Lines that the descriptor refuses are lost.
        """
        while (record := self._lines.get()) is not None:
            data = f"{record.msg}\n".encode("utf-8", "replace")
            with contextlib.suppress(OSError):  # there is no other place to complain
                while data:
                    data = data[os.write(self._fd, data) :]


class _Drop(QueueHandler):
    """Formats a record and passes it to the writing thread. Never blocks."""

    def __init__(self, lines: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__(lines)
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, or count it as dropped.

        Called by `QueueHandler.emit` on the thread that logs, with the record already formatted.
        """
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class Log:
    """The program's log, from its creation until `close`.

    `journal`: journald reads it (systemd sets ``JOURNAL_STREAM``).
    """

    def __init__(
        self, level: int = logging.INFO, fd: int = STDERR, *, journal: bool = False
    ) -> None:
        lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_WAITING)
        self._lines = lines
        self._closed = False
        self._handler = _Drop(lines)
        self._handler.setFormatter(_JournalFormatter() if journal else _Formatter())
        self._writer = _Writer(lines, fd)
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(level)
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._writer.start()

    @property
    def dropped(self) -> int:
        """Number of lines dropped because stderr was slow.

        It counts since the creation of this log and never falls.
        """
        return self._handler.dropped

    def close(self, within: float = 1.0) -> None:
        """Write the waiting lines, for at most `within` seconds, and stop.

        A stderr that no process reads must not keep the daemon from ending.
        """
        if self._closed:
            return
        self._closed = True
        logging.getLogger().removeHandler(self._handler)
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._writer.join(within)
