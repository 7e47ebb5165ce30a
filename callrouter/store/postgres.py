"""PostgreSQL as the store's database: connection, lock and time limits. For the thread."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.pool import NullPool

from callrouter.clock import since_boot
from callrouter.store.location import REFUSED, Address, EpochFence, FencedError, StoreError
from callrouter.store.schemas import enter_to_write

CONNECT_WITHIN: Final = 5
"""Seconds to connect and log in."""
ANSWER_WITHIN: Final = 5.0
"""Seconds for a statement, enforced by the server. `HANGS` covers a server that cannot."""
HANGS: Final = 8.0
"""Seconds of silence during an operation after which the connection is dropped."""
UPGRADE_WITHIN: Final = 3600.0
"""Both limits during an upgrade, which may have to rewrite every row."""

_LINK: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_WITHIN,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "callrouter",
}
"""Detects a half-open connection. The address's own options take precedence."""
LEAVES_WITHIN: Final = 2.0
"""Seconds to wait for an earlier callrouter to disappear. A killed one is gone, but the server
needs a moment to notice.
"""
_LOCK: Final = "SELECT pg_advisory_lock(hashtext('callrouter'), hashtext(current_schema()))"

_SHARED_LOCK: Final = _LOCK.replace("pg_advisory_lock", "pg_advisory_lock_shared")
"""Routers of a cluster keep each other out by their epoch: one that stands still keeps its session."""


class Postgres:
    """The part of a pool in the database at an address.

    Nothing is connected before `open`. An advisory lock, held by the session, keeps a second
    callrouter out of the same schema.
    """

    def __init__(self, address: Address, fence: EpochFence | None = None) -> None:
        self._address = address
        self._fence = fence
        self._link: psycopg.Connection[Any] | None = None
        self._patience: Patience | None = None
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=self._connect, poolclass=NullPool
        )

    def __str__(self) -> str:
        return str(self._address)

    def open(self) -> sa.Connection:
        """Connect, and make sure that no other callrouter writes here.

        Raises:
            StoreError: another callrouter does, or the database cannot store every text.
        """
        try:
            link = self._engine.connect()
        except sa.exc.DatabaseError as error:
            raise self.explain(error) from error
        try:
            with self.patience(), link.begin():
                self._claim(link)
        except BaseException:
            link.close()
            raise
        return link

    def _claim(self, link: sa.Connection) -> None:
        if link.exec_driver_sql("SHOW server_encoding").scalar_one() != "UTF8":
            raise StoreError("its encoding is not UTF8; make a new one with ENCODING 'UTF8'")
        link.exec_driver_sql(_set("LOCAL lock_timeout", LEAVES_WITHIN).decode())
        try:
            link.exec_driver_sql(_LOCK if self._fence is None else _SHARED_LOCK)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            raise StoreError(
                "another callrouter keeps its states in this database; give each its own"
            ) from error

    def _connect(self) -> psycopg.Connection[Any]:
        given = make_conninfo(**{**_LINK, **conninfo_to_dict(self._address.url)})
        # No prepared statements: a connection pooler in between may not support them.
        self._link = psycopg.connect(given, prepare_threshold=None)
        for setting, seconds in (
            ("statement_timeout", ANSWER_WITHIN),
            # Shorter, so that a wait for a lock is reported as one.
            ("lock_timeout", 0.8 * ANSWER_WITHIN),
            # A router that stands still in the middle must not keep the next one of a cluster waiting.
            ("idle_in_transaction_session_timeout", 30 if self._fence is None else 2),
        ):
            self._link.execute(_set(setting, seconds))
        self._link.commit()
        try:
            enter_to_write(self._link, self._address)
        except BaseException:
            self._link.close()
            raise
        return self._link

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """Drop the connection if the block takes too long.

        A server that was suspended or has lost its disk keeps the connection open and never
        answers.
        """
        link = self._link
        if link is None or link.closed:
            yield
            return
        before, self._patience = self._patience, Patience(link)
        mine = self._patience
        mine.ends_in(HANGS)
        try:
            yield
        finally:
            mine.close()
            self._patience = before

    @contextlib.contextmanager
    def upgrading(self, link: sa.Connection) -> Iterator[None]:
        """Inside this block, only the wait for another session's lock has a time limit.

        After an error the longer limits stay: close the connection.
        """
        if self._patience is not None:
            self._patience.ends_in(UPGRADE_WITHIN)
        with link.begin():
            link.exec_driver_sql(_set("statement_timeout", UPGRADE_WITHIN).decode())
        yield
        with link.begin():
            link.exec_driver_sql(_set("statement_timeout", ANSWER_WITHIN).decode())
        if self._patience is not None:
            self._patience.ends_in(HANGS)

    def seal(self) -> None:
        """Commit what was written, if this router is the active one of its pool.

        Without a cluster it does nothing, and the caller's own commit follows.

        Raises:
            FencedError: another router is; nothing was written.
            StoreError: the outcome is unknown.
        """
        if self._fence is None or self._link is None:
            return
        try:
            self._link.execute(f"{self._fence.check()}; COMMIT".encode())
        except psycopg.Error as error:
            if error.sqlstate == REFUSED:
                text = "another router of the pool is active"
                raise FencedError(text) from error
            raise StoreError(
                self._address.without_password(" ".join(str(error).split()))
            ) from error

    def there(self) -> bool:
        """Return True: a connection always leads to the database it was opened to.

        A SQLite file can be deleted or replaced while it is open (see `Sqlite.there`).
        """
        return True

    def salvage(self, _table: str, _columns: Sequence[str]) -> Sequence[Sequence[object]]:
        """Return nothing: the server looks after its own files.

        `open` never puts an empty database in the place of a damaged one.
        """
        return []

    def keep_copy(self, link: sa.Connection, version: str) -> None:
        """Do nothing: the upgrade is one transaction; backups are the operator's (``pg_dump``)."""

    def insert(self, table: sa.TableClause) -> Insert:
        """Return an ``INSERT`` with PostgreSQL's ``ON CONFLICT``."""
        return insert(table)

    def explain(self, error: sa.exc.DatabaseError) -> StoreError:
        """Return the server's own words, on one line and without the password.

        If the server said nothing, it is the name of the error.
        """
        text = " ".join(str(error.orig).split()) or type(error.orig).__name__
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            text += "; see docs/operator.md, “Many pools in one database”, for what to grant"
        return StoreError(self._address.without_password(text))


class Patience:
    """Shuts a connection's socket down after a given time, so that a driver that waits for an answer gets an error.

    A store opens one of these for each transaction, dozens in a second. So all of them share a thread.
    """

    def __init__(self, link: psycopg.Connection[Any]) -> None:
        # Uses its own duplicate of the descriptor: the driver may close the original at any moment.
        self._own = socket.socket(fileno=os.dup(link.fileno()))

    def ends_in(self, seconds: float) -> None:
        """Cut it in `seconds` from now, not earlier.

        An earlier limit no longer counts.
        """
        _watchdog.expect(self, since_boot() + seconds)

    def close(self) -> None:
        """Cancel the cut.

        The connection itself stays open. Only the duplicate of its descriptor is closed.
        """
        _watchdog.forget(self)
        self._own.close()

    def cut(self) -> None:
        """Shut the connection down now. Only the thread does, and never after `close`."""
        with contextlib.suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)


class _Watchdog:
    """The thread. It sleeps until the earliest limit and ends when there was none to wait for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limits: dict[Patience, float] = {}
        self._sleeps_until: float | None = None
        """None: there is no thread."""

    def expect(self, one: Patience, limit: float) -> None:
        with self._changed:
            self._limits[one] = limit
            if self._sleeps_until is None:
                self._sleeps_until = limit
                threading.Thread(target=self._run, name="patience", daemon=True).start()
            elif limit < self._sleeps_until:
                self._changed.notify()

    def forget(self, one: Patience) -> None:
        # The thread is not woken: it finds nothing to cut, and waits for the next limit then.
        with self._changed:
            self._limits.pop(one, None)

    def _run(self) -> None:
        with self._changed:
            while self._limits:
                now = since_boot()
                for one in [one for one, limit in self._limits.items() if limit <= now]:
                    del self._limits[one]
                    one.cut()
                if self._limits:
                    self._sleeps_until = min(self._limits.values())
                    self._changed.wait(max(0.0, self._sleeps_until - now))
            self._sleeps_until = None


_watchdog: Final = _Watchdog()


def _set(setting: str, seconds: float) -> bytes:
    return f"SET {setting} = '{seconds * 1000:.0f}ms'".encode()
