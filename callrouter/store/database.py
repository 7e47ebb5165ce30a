"""The SQLite file: opened, brought to the newest version, read, written. Blocking; for the thread."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from callrouter.store.place import StoreError
from callrouter.store.row import COLUMNS, Row, parse, values

logger = logging.getLogger(__name__)

BUSY: Final = 1.0
"""Seconds to wait for another program's lock."""

MIGRATIONS: Final = (
    """CREATE TABLE agents (
        agent TEXT PRIMARY KEY,
        signed_in INTEGER NOT NULL,
        signed_in_at REAL,
        pause_reason TEXT,
        paused_at REAL,
        wrap_until REAL,
        wrap_queue TEXT NOT NULL,
        idle_since REAL,
        misses INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        day TEXT NOT NULL
    )""",
    "ALTER TABLE agents ADD COLUMN pending TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE agents ADD COLUMN changed_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE agents ADD COLUMN changed_at REAL",
    "ALTER TABLE agents ADD COLUMN devices_off TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE agents ADD COLUMN messages TEXT NOT NULL DEFAULT '[]'",
)
"""What leads from each version to the next. Only ever added to."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# Only names of columns of our own go into these texts.
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM agents"  # noqa: S608
_REPLACE: Final = (
    f"INSERT OR REPLACE INTO agents ({', '.join(COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(COLUMNS))})"
)


class DamagedError(StoreError):
    """The file is no SQLite database any more."""


class Database:
    """An open file. Any method may raise `sqlite3.Error` or `OSError`."""

    def __init__(self, path: Path, now: float) -> None:
        """Open `path`, or make it.

        Raises:
            DamagedError: it is not a database, or a broken one.
            StoreError: a later version of callrouter made it.
        """
        self._path = path
        self._link = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        try:
            self._prepare(now)
            status = path.stat()
        except BaseException as error:
            self._link.close()
            if is_damage(error):
                raise DamagedError(str(error)) from error
            raise
        self._file = (status.st_dev, status.st_ino)

    def _prepare(self, now: float) -> None:
        link = self._link
        link.text_factory = lambda raw: raw.decode("utf-8", "replace")
        # WAL: a write is an append, and neither a killed router nor a reader harms or holds it up.
        link.execute("PRAGMA journal_mode = WAL").fetchone()
        link.execute("PRAGMA synchronous = NORMAL")
        (said,) = link.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise DamagedError(str(said))
        if self._version() < len(MIGRATIONS):
            with _transaction(self._link):
                self._migrate(now)
        elif self._version() > len(MIGRATIONS):
            raise StoreError("a later version of callrouter made it")

    def _version(self) -> int:
        known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
        if not self._link.execute(known).fetchone()[0]:
            return 0
        newest = self._link.execute("SELECT max(version) FROM migrations").fetchone()[0]
        return int(newest or 0)

    def _migrate(self, now: float) -> None:
        link = self._link
        link.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at REAL)"
        )
        for version in range(self._version(), len(MIGRATIONS)):
            link.execute(MIGRATIONS[version])
            link.execute("INSERT INTO migrations VALUES (?, ?)", (version + 1, now))

    def there(self) -> bool:
        """Whether the file is still the one that was opened: SQLite writes on into a deleted one."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file

    def read(self) -> list[Row]:
        """Every agent; what can't be one of ours is told of and left out."""
        found = self._link.execute(_SELECT).fetchall()
        rows = [row for item in found if (row := parse(item)) is not None]
        if len(rows) < len(found):
            logger.error("%s: %d rows make no sense; left out", self._path, len(found) - len(rows))
        return rows

    def write(self, changes: Mapping[str, Row | None]) -> None:
        """Write agents (None: forget them), all or nothing."""
        with _transaction(self._link):
            self._link.executemany(_REPLACE, [values(row) for row in changes.values() if row])
            gone = [(agent,) for agent, row in changes.items() if row is None]
            self._link.executemany("DELETE FROM agents WHERE agent = ?", gone)

    def close(self) -> None:
        """Let go of the file; whatever was written stays."""
        with contextlib.suppress(sqlite3.Error):
            self._link.close()


@contextlib.contextmanager
def _transaction(link: sqlite3.Connection) -> Iterator[None]:
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
        link.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            link.execute("ROLLBACK")
        raise


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken, and not just out of reach."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def open_or_replace(path: Path, now: float) -> Database:
    """Open `path`; a damaged file is renamed, so that somebody may look at it, and a new one made."""
    try:
        return Database(path, now)
    except DamagedError as error:
        why = str(error)
    aside = set_aside(path, now)
    logger.error("%s is damaged (%s): renamed to %s, and begun anew", path, why, aside.name)
    return Database(path, now)


def set_aside(path: Path, now: float) -> Path:
    """Rename a database with its log; the new name says when."""
    when = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    base = f"{path.name}.damaged-{when}"
    number = 1
    while (aside := path.with_name(base if number == 1 else f"{base}-{number}")).exists():
        number += 1
    path.rename(aside)
    for end in ("-wal", "-shm"):  # a log must never be applied to another file
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside
