"""The thread that reads and writes the database, and goes on trying when it can't."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from callrouter.clock import Clock
from callrouter.store.database import Database, open_or_replace
from callrouter.store.place import StoreError
from callrouter.store.row import Row

logger = logging.getLogger(__name__)

RETRY: Final = 1.0
"""Seconds until a write that failed is tried again."""
TELL_EVERY: Final = 60.0
"""Seconds between two complaints about the same trouble."""


class Writer:
    """Takes changes at any time and writes them when it can; `put` never waits for a disk.

    What waits is bounded by the number of agents: only the latest of each is kept.

    Args:
        on_read: told, in the thread, what the file held once it could be read, and first of all None
            if that did not work at once.

    Attributes:
        trouble: why nothing can be written now; empty if all is well.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        on_read: Callable[[list[Row] | None], None],
        *,
        retry: float = RETRY,
    ) -> None:
        self.path = path
        self.trouble = ""
        self._clock = clock
        self._on_read = on_read
        self._retry = retry
        self._wake = threading.Condition()
        self._inbox: dict[str, Row | None] = {}
        self._closing = False
        # From here on only the thread's.
        self._database: Database | None = None
        self._was_read = False
        self._known: dict[str, Row] = {}
        self._unsaved: dict[str, Row | None] = {}
        self._told_at: float | None = None
        self._tried_last = False
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)

    def start(self) -> None:
        """Open the file and read it, in the thread."""
        self._thread.start()

    def put(self, changes: Mapping[str, Row | None]) -> None:
        """Write these agents soon (None: forget them)."""
        with self._wake:
            self._inbox.update(changes)
            self._wake.notify()

    @property
    def unsaved(self) -> int:
        """How many agents wait to be written."""
        return len(self._inbox) + len(self._unsaved)

    def close(self, within: float) -> bool:
        """Try once more to write what waits, and end; False if that took longer than `within`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(within)
        return not self._thread.is_alive()

    # ------------------------------------------------------------ in the thread

    def _work(self) -> None:
        last = False
        while not last:
            try:
                self._open()
                self._save()
                self._well()
            except (sqlite3.Error, OSError, StoreError) as error:
                self._failed(error)
            except Exception as error:
                logger.exception("a fault in keeping agents' states")
                self._failed(error)
            last = self._wait()
        if self._unsaved:
            logger.error("%d agents' states were not saved: %s", len(self._unsaved), self.trouble)
        if self._database is not None:
            self._database.close()

    def _wait(self) -> bool:
        """Wait for something to do, and take it; True if there is nothing more to come."""
        with self._wake:
            if self.trouble:  # not woken by each change: the trouble will last a while
                self._wake.wait_for(lambda: self._closing, self._retry)
            else:
                self._wake.wait_for(lambda: self._closing or self._inbox)
            self._take(self._inbox)
            self._inbox = {}
            done = self._closing and (not self._unsaved or self._tried_last)
            self._tried_last = self._closing
        return done

    def _take(self, changes: Mapping[str, Row | None]) -> None:
        for agent, row in changes.items():
            if row is None:
                self._known.pop(agent, None)
            elif self._known.get(agent) == row:
                continue  # most of what happens to an agent leaves nothing behind
            else:
                self._known[agent] = row
            self._unsaved[agent] = row

    def _open(self) -> None:
        if self._database is not None:
            if not self._unsaved or self._database.there():
                return
            logger.error("%s was taken away; making it anew", self.path)
            self._database.close()
            self._database = None
        database = open_or_replace(self.path, self._clock.now())
        try:
            rows = database.read()
        except BaseException:
            database.close()
            raise
        self._database = database
        if not self._was_read:
            self._was_read = True
            self._known = {row.agent: row for row in rows} | self._known
            for agent in [agent for agent, row in self._unsaved.items() if row is None]:
                self._known.pop(agent, None)
            self._on_read(rows)
        else:  # it may be another file, or an older copy
            self._unsaved = {**{row.agent: None for row in rows}, **self._unsaved, **self._known}

    def _save(self) -> None:
        if self._unsaved and self._database is not None:
            self._database.write(self._unsaved)
            self._unsaved = {}

    def _well(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._told_at = None
            logger.info("agents' states are kept again in %s", self.path)

    def _failed(self, error: Exception) -> None:
        self.trouble = str(error) or type(error).__name__
        now = self._clock.now()
        if self._told_at is None or now - self._told_at >= TELL_EVERY:
            self._told_at = now
            logger.error(
                "agents' states can't be kept in %s: %s (calls go on; trying again, %d agents wait)",
                *(self.path, self.trouble, len(self._unsaved)),
            )
        if self._database is not None:
            self._database.close()
            self._database = None
        if not self._was_read:
            self._on_read(None)
