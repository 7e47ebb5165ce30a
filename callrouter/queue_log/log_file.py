"""Writes queue_log into a file of our own, by a thread, so that no call waits for a disk."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections import deque
from pathlib import Path
from typing import Final

from callrouter.model.text import counted
from callrouter.queue_log.log_lines import QueueLogLine

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 50_000
"""Maximum number of buffered lines: a full disk for an hour at 14 lines a second."""

RETRY: Final = 2.0
"""Seconds before a failed write is repeated."""

_MODE: Final = 0o640
"""Reports run as other users, who read the file through its group."""


class QueueLogFile:
    """Appends lines to a file in order, each once, and reports losses.

    The file is opened for appending, and whole lines are written in one call. So another program,
    such as an Asterisk, may write to the same file.

    **Rotation.** Before each write the file's name is compared with what is open. If it was moved
    or deleted, a new one is created under the name. `reopen` compares at once. If it was truncated
    in place, the next line begins at its new end.

    **A full disk**, or any other error: the lines wait, and the write is repeated every `RETRY`
    seconds and on `reopen`. At most `MAX_WAITING` wait. The oldest is given up when one more comes,
    and counted. The rest of a line that was written in part is written first. If an earlier run
    left a line in part, the first line of this run begins on a new one.
    """

    def __init__(self, path: Path) -> None:
        """Write to `path`. Nothing is opened before `start`; lines may be added."""
        self._path = path
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._check = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="queue_log", daemon=True)
        # The attributes below belong to the thread alone; `_problem` is read elsewhere.
        self._problem = ""
        self._descriptor = -1
        self._torn = False
        self._batch = b""
        self._written = 0
        """Bytes of the first line of the batch that are in the file."""
        self._batch_lines = 0

    def __str__(self) -> str:
        return str(self._path)

    @property
    def problem(self) -> str:
        """Why lines cannot be written now; empty if they can."""
        return self._problem

    @property
    def lost(self) -> int:
        """Number of lines given up since the start."""
        return self._lost

    @property
    def waiting(self) -> int:
        """Number of lines that are not in the file yet."""
        return len(self._waiting) + self._batch_lines

    def start(self) -> None:
        """Open the file and write, in the thread. Call it once."""
        self._thread.start()

    def add(self, line: QueueLogLine, at: float) -> None:
        """Write a line soon.

        Args:
            line: the line.
            at: time of its event, in epoch seconds.
        """
        with self._changed:
            if self.waiting >= MAX_WAITING and self._waiting:
                self._waiting.popleft()
                self._lose(1, self._problem or f"more than {MAX_WAITING} lines wait for the disk")
            self._waiting.append(line.text(at))
            self._changed.notify()

    def reopen(self) -> None:
        """Look now whether the file was moved, and try again to write what waits."""
        with self._changed:
            self._check = True
            self._changed.notify()

    def close(self, within: float) -> None:
        """Write what waits, then stop. What cannot be written is reported as lost.

        Args:
            within: seconds after which a disk that does not answer is left alone.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(within)
        if left := self.waiting:
            self._lose(left, self._problem or "the disk does not answer, and the router stops")

    def _lose(self, count: int, why: str) -> None:
        """Count lost lines. Log the first loss, and then whenever the total has doubled."""
        before, self._lost = self._lost, self._lost + count
        if before.bit_length() != self._lost.bit_length():
            logger.error("queue_log: %s missing in %s: %s", counted(self._lost, "line"), self, why)

    # ------------------------------------------------------------ in the thread

    def _work(self) -> None:
        closing = False
        while True:
            tried = self._attempt()
            if closing:
                break
            with self._changed:
                idle = tried and not self._waiting
                if not (self._closing or self._check) and (idle or not tried):
                    self._changed.wait(None if idle else RETRY)
                closing, self._check = self._closing, False
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _attempt(self) -> bool:
        """Write everything that waits. Returns False if that failed, for now."""
        try:
            self._use_named_file()
            while self._next_batch():
                self._write_batch()
        except OSError as error:
            self._report(error.strerror or str(error))
            return False
        self._report("")
        return True

    def _report(self, problem: str) -> None:
        """Log a problem once, and its end."""
        if problem == self._problem:
            return
        if problem:
            logger.error("queue_log: cannot write %s: %s; the lines wait", self, problem)
        else:
            logger.info("queue_log: %s can be written again", self)
        self._problem = problem

    def _use_named_file(self) -> None:
        """Open the file, if it is not the one that is open."""
        if self._descriptor >= 0:
            ours = os.fstat(self._descriptor)
            try:
                there = self._path.stat()
            except FileNotFoundError:
                pass
            else:
                if os.path.samestat(ours, there):
                    return
            os.close(self._descriptor)
            self._descriptor, self._written = -1, 0
        self._descriptor, self._torn = _open(self._path)

    def _next_batch(self) -> bool:
        """Take the lines that wait, unless some that were taken are not written yet."""
        if not self._batch:
            with self._changed:
                self._batch = "".join(self._waiting).encode()
                self._batch_lines = len(self._waiting)
                self._waiting.clear()
        return bool(self._batch)

    def _write_batch(self) -> None:
        if self._torn:
            os.write(self._descriptor, b"\n")
            self._torn = False
        done = self._written + os.write(self._descriptor, self._batch[self._written :])
        whole = self._batch.rfind(b"\n", 0, done) + 1
        self._batch_lines -= self._batch.count(b"\n", 0, whole)
        self._batch, self._written = self._batch[whole:], done - whole


def _open(path: Path) -> tuple[int, bool]:
    """Open a file for appending, and create it if necessary.

    Returns:
        The descriptor, and whether the last line in the file is incomplete.
    """
    # Not blocking, because a pipe without a reader would stop the thread for good.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    created = not path.exists()
    descriptor = os.open(path, flags, _MODE)
    try:
        if created:
            os.fchmod(descriptor, _MODE)  # the umask of the daemon lets no group read
        about = os.fstat(descriptor)
        torn = False
        if stat.S_ISREG(about.st_mode) and about.st_size:
            torn = os.pread(descriptor, 1, about.st_size - 1) != b"\n"
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, torn
