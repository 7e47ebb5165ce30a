"""SQLite as the store's database: opened, checked, copied, set aside. For the thread."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.pool import NullPool

from callrouter.files import located
from callrouter.store import file_permissions
from callrouter.store.location import StoreError
from callrouter.store.tables import JOURNAL_TABLES, STATE_TABLES
from callrouter.store.upgrade_progress import CopyProgress

logger = logging.getLogger(__name__)

BUSY: Final = 1.0
"""Seconds to wait for another program's lock."""
COPIED_AT_ONCE: Final = 5000
"""Pages of a copy between two looks at its progress: 20 MB."""
_CHECKED_PAGES: Final = 4096
"""A file of this size (16 MB) is checked as a whole, in some 20 ms."""
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(StoreError):
    """The file is no longer a valid SQLite database.

    `Sqlite.open` then sets it aside and begins a new one.
    """


class Sqlite:
    """A SQLite file.

    Args:
        path: the file.
        now: returns the time, for the names of copies.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._file = (0, 0)
        self._damaged: Path | None = None
        """A damaged file that the last `open` set aside."""
        self._engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        sa.event.listen(self._engine, "begin", _begin)

    def __str__(self) -> str:
        return str(self._path)

    def open(self) -> sa.Connection:
        """Open or create the file. A damaged file is renamed and replaced by a new one.

        Raises:
            DamagedError: the new one is damaged too.
            StoreError: it cannot be opened, or is locked by another program.
            OSError: the damaged one cannot be renamed.
        """
        self._damaged = None
        try:
            link = self._open()
        except DamagedError as error:
            self._damaged = aside = set_aside(self._path, self._now())
            text = "%s is damaged (%s): renamed to %s, and a new one was begun"
            logger.error(text, self._path, error, aside.name)  # noqa: TRY400
            link = self._open()
        status = self._path.stat()
        self._file = (status.st_dev, status.st_ino)
        return link

    def _open(self) -> sa.Connection:
        try:
            link = self._engine.connect()
        except sa.exc.DatabaseError as error:
            raise self.explain(error) from error
        try:
            said = _check(link)
            link.rollback()
        except sa.exc.DatabaseError as error:
            link.close()
            raise self.explain(error) from error
        if said != "ok":
            link.close()
            raise DamagedError(str(said))
        _make_shrinkable(link)
        return link

    def _connect(self) -> sqlite3.Connection:
        with contextlib.suppress(OSError):  # SQLite will report why it cannot be created
            file_permissions.make(self._path)
        link = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)
        try:
            link.text_factory = lambda raw: raw.decode("utf-8", "replace")
            # Room of deleted rows can be given back. Only a file without tables can be told so.
            link.execute("PRAGMA auto_vacuum = INCREMENTAL")
            # WAL: a write is an append, so a killed router does no harm and a reader does not block
            # it.
            link.execute("PRAGMA journal_mode = WAL").fetchone()
            link.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            link.close()
            raise
        return link

    def there(self) -> bool:
        """Return whether the open file is still in place: SQLite keeps writing to a deleted one."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file

    def salvage(self, table: str, columns: Sequence[str]) -> Sequence[Sequence[object]]:
        """Return the rows of a table that can still be read from a damaged file.

        Most damage is to single pages, so a table that has none of them is complete.
        """
        if self._damaged is None:
            return []
        address = f"file:{quote(str(self._damaged))}?mode=rw"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY)) as link:
                link.text_factory = lambda raw: raw.decode("utf-8", "replace")
                return link.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608
        except sqlite3.Error:
            return []

    def seal(self) -> None:
        """Do nothing: a file has one router, which a lock sees to."""

    def keep_copy(self, link: sa.Connection, version: str) -> None:
        """Copy the file beside itself before it is upgraded.

        Args:
            link: the open database.
            version: its present version, for the copy's name.

        Raises:
            StoreError: there is no room, or the folder cannot be written to.
        """
        copy = _unused(self._path, f"version-{version}", self._now())
        inner: Any = link.connection.driver_connection
        try:
            with located(copy) as (folder, name):
                os.close(folder.create(name))
        except OSError as error:
            raise StoreError(f"no copy of it could be made before an upgrade: {error}") from error
        try:
            with contextlib.closing(sqlite3.connect(copy)) as target:
                inner.backup(
                    target, pages=COPIED_AT_ONCE, progress=CopyProgress(self._path, self._now)
                )
        except (OSError, sqlite3.Error) as error:
            copy.unlink(missing_ok=True)
            raise StoreError(f"no copy of it could be made before an upgrade: {error}") from error
        logger.info("%s was copied to %s before the upgrade", self._path, copy.name)

    def patience(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: a file answers at once or reports that it is locked.

        SQLite itself waits `BUSY` seconds for a lock.
        """
        return contextlib.nullcontext()

    def upgrading(self, _link: sa.Connection) -> contextlib.AbstractContextManager[None]:
        """Do nothing: there are no limits."""
        return contextlib.nullcontext()

    def insert(self, table: sa.TableClause) -> Insert:
        """Return an ``INSERT`` with SQLite's ``ON CONFLICT``."""
        return insert(table)

    @staticmethod
    def explain(error: sa.exc.DatabaseError) -> StoreError:
        """Return the error in SQLite's words.

        `DamagedError` if the file is broken and not just locked.
        """
        code = getattr(error.orig, "sqlite_errorcode", None)
        damaged = code is not None and code & 0xFF in _DAMAGED
        return (DamagedError if damaged else StoreError)(str(error.orig))


def _check(link: sa.Connection) -> str:
    """Return ``ok``, or what is wrong with the file: with all of it, or with its small tables.

    Reading a record of gigabytes would take longer than callers wait for a router. Damage in it is
    noticed where it is read or written.
    """
    pages = link.exec_driver_sql("PRAGMA page_count").scalar_one()
    if pages <= _CHECKED_PAGES:
        return str(link.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    tables = [*(one.table for one in STATE_TABLES), *(one.table for one in JOURNAL_TABLES)]
    for table in tables:
        if link.dialect.has_table(link, table):
            said = str(link.exec_driver_sql(f"PRAGMA quick_check({table})").scalar_one())
            if said != "ok":
                return said
    return "ok"


def _make_shrinkable(link: sa.Connection) -> None:
    """Let a file of an earlier version give back the room of deleted rows: it is written once more.

    That is left out if the file is large, or cannot be written now.
    """
    with contextlib.suppress(sa.exc.DatabaseError, sqlite3.Error):
        mode, pages = (
            link.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("auto_vacuum", "page_count")
        )
        link.rollback()
        if not mode and 0 < pages <= _CHECKED_PAGES:
            inner: Any = link.connection.driver_connection
            inner.execute("PRAGMA auto_vacuum = INCREMENTAL")
            inner.execute("VACUUM")


def _begin(link: sa.Connection) -> None:
    link.exec_driver_sql("BEGIN")  # the driver itself would begin only at the first change


def set_aside(path: Path, now: float) -> Path:
    """Rename a database together with its log. The new name contains the time.

    Returns the new path, which is in the same folder.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = _unused(path, "damaged", now)
    path.rename(aside)
    for end in ("-wal", "-shm"):  # a log must never be applied to another file
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside


def _unused(path: Path, word: str, now: float) -> Path:
    """Return a name beside `path` that is not in use.

    It contains `word` and the time in UTC, and a number if that is taken.
    """
    when = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    base = f"{path.name}.{word}-{when}"
    number = 1
    while (unused := path.with_name(base if number == 1 else f"{base}-{number}")).exists():
        number += 1
    return unused
