"""Reads a SQLite file of our own version with the standard library, for the first moments.

The full path (`callrouter.store.database`) takes a third of a second to load while callers wait.
Like that one, this runs in the writer's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

from callrouter.store import file_permissions
from callrouter.store.codec import columns, parse
from callrouter.store.location import File, Place
from callrouter.store.tables import Journal, Kept

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Versions of the database, oldest first: the files in ``migrations/versions``."""
VERSION_TABLE: Final = "callrouter_version"
"""Our own name: a PostgreSQL database may contain the tables of other programs."""
_BUSY: Final = 0.1
"""Seconds to wait for another program's lock. If that is not enough, the full path takes over."""


class Reader(Protocol):
    """Reads tables."""

    def read(self, kind: Kept) -> list[Any]:
        """Return every row of a table. Rows that cannot be ours are left out."""

    def since(self, journal: Journal, at: float) -> list[Any]:
        """Return the rows of a journal since `at`, oldest first."""

    def newest(self, journal: Journal, most: int, where: Mapping[str, Any]) -> list[Any]:
        """Return the last `most` rows of a journal with these values, newest first."""


class Glance:
    """A file that proved good as far as it was read."""

    def __init__(self, link: sqlite3.Connection) -> None:
        self._link = link

    def read(self, kind: Kept) -> list[Any]:
        """See `Reader`."""
        return self._rows(kind, "")

    def since(self, journal: Journal, at: float) -> list[Any]:
        """See `Reader`."""
        return self._rows(journal, "WHERE at >= ? ORDER BY id", at)

    def newest(self, journal: Journal, most: int, where: Mapping[str, Any]) -> list[Any]:
        """See `Reader`."""
        same = " AND ".join(f"{name} = ?" for name in where) or "true"
        return self._rows(journal, f"WHERE {same} ORDER BY id DESC LIMIT ?", *where.values(), most)

    def close(self) -> None:
        """Close the file."""
        self._link.close()

    def _rows(self, kind: Kept | Journal, rest: str, *given: Any) -> list[Any]:
        names = ", ".join(columns(kind.row))
        found = self._link.execute(f"SELECT {names} FROM {kind.table} {rest}", given)  # noqa: S608
        return [row for item in found if (row := parse(kind.row, item)) is not None]


def glance(place: Place) -> Glance | None:
    """Open a database for a quick read; None: it needs the full path.

    That is so if there is no file of our version, or if it is locked or damaged.
    """
    if not isinstance(place, File):
        return None
    link = None
    file_permissions.tighten(place.path)
    try:
        # Must not create a file. Needs write access, to recover the log a killed router left
        # behind.
        link = sqlite3.connect(
            f"file:{quote(str(place.path))}?mode=rw", uri=True, timeout=_BUSY, isolation_level=None
        )
        link.text_factory = lambda raw: raw.decode("utf-8", "replace")
        version = link.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()  # noqa: S608
        if version == [(REVISIONS[-1],)]:
            return Glance(link)
    except sqlite3.Error:
        pass
    if link is not None:
        link.close()
    return None
