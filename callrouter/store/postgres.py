"""A PostgreSQL database as the store's: connected to, locked, given time limits. For the thread."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.pool import NullPool

from callrouter.store.place import Address, StoreError

CONNECT_WITHIN: Final = 5
"""Seconds to connect and log in."""
ANSWER_WITHIN: Final = 5.0
"""Seconds for a statement. The server keeps to it; `HANGS` is for one that can't."""
HANGS: Final = 8.0
"""Seconds of silence, in the middle of something, after which the connection is given up."""
UPGRADE_WITHIN: Final = 3600.0
"""The same two for an upgrade, which may have to write every row anew."""

_LINK: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_WITHIN,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "callrouter",
}
"""A half-open link is noticed. Whatever the address says itself goes before these."""
LEAVES_WITHIN: Final = 2.0
"""Seconds for a callrouter that was here before to be gone: one that was killed is, but the server needs a
moment to see it."""
_LOCK: Final = "SELECT pg_advisory_lock(hashtext('callrouter'), hashtext(current_schema()))"


class Postgres:
    """The database at an address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._link: psycopg.Connection[Any] | None = None
        self._patience: _Patience | None = None
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=self._connect, poolclass=NullPool
        )

    def __str__(self) -> str:
        return str(self._address)

    def open(self) -> sa.Connection:
        """Connect, and make sure that nobody else writes here.

        Raises:
            StoreError: another callrouter does, or the database does not take every text.
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

    @staticmethod
    def _claim(link: sa.Connection) -> None:
        if link.exec_driver_sql("SHOW server_encoding").scalar_one() != "UTF8":
            raise StoreError("its encoding is not UTF8; make it anew with ENCODING 'UTF8'")
        link.exec_driver_sql(_set("LOCAL lock_timeout", LEAVES_WITHIN).decode())
        try:
            link.exec_driver_sql(_LOCK)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            raise StoreError(
                "another callrouter keeps its states in this database; give each its own"
            ) from error

    def _connect(self) -> psycopg.Connection[Any]:
        given = make_conninfo(**{**_LINK, **conninfo_to_dict(self._address.url)})
        # No prepared statements: a pooler in between may not know them.
        self._link = psycopg.connect(given, prepare_threshold=None)
        for setting, seconds in (
            ("statement_timeout", ANSWER_WITHIN),
            ("lock_timeout", 0.8 * ANSWER_WITHIN),  # first, so that it is said what was waited for
            ("idle_in_transaction_session_timeout", 30),
        ):
            self._link.execute(_set(setting, seconds))
        self._link.commit()
        return self._link

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """Give the connection up if what is done meanwhile takes too long.

        A server that was stopped, or has lost its disk, keeps the link alive and says nothing for ever.
        """
        link = self._link
        if link is None or link.closed:
            yield
            return
        before, self._patience = self._patience, _Patience(link)
        mine = self._patience
        mine.ends_in(HANGS)
        try:
            yield
        finally:
            mine.close()
            self._patience = before

    @contextlib.contextmanager
    def upgrading(self, link: sa.Connection) -> Iterator[None]:
        """What is done meanwhile may take long. Waiting for somebody's lock may not."""
        if self._patience is not None:
            self._patience.ends_in(UPGRADE_WITHIN)
        with link.begin():
            link.exec_driver_sql(_set("statement_timeout", UPGRADE_WITHIN).decode())
        yield
        with link.begin():
            link.exec_driver_sql(_set("statement_timeout", ANSWER_WITHIN).decode())
        if self._patience is not None:
            self._patience.ends_in(HANGS)

    def there(self) -> bool:
        """A connection leads to what it was opened to."""
        return True

    def keep_copy(self, link: sa.Connection, version: str) -> None:
        """Nothing: the upgrade is one transaction, and copies are the operator's (``pg_dump``)."""

    def insert(self, table: sa.TableClause) -> Insert:
        """``INSERT`` with PostgreSQL's ``ON CONFLICT``."""
        return insert(table)

    def explain(self, error: sa.exc.DatabaseError) -> StoreError:
        """The server's own words, in one line and without the password."""
        text = " ".join(str(error.orig).split()) or type(error.orig).__name__
        return StoreError(self._address.without_password(text))


class _Patience:
    """Cuts a connection some time from now."""

    def __init__(self, link: psycopg.Connection[Any]) -> None:
        # Of the socket by a number of our own: the link may close its own at any moment.
        self._own = socket.socket(fileno=os.dup(link.fileno()))
        self._timer: threading.Timer | None = None

    def ends_in(self, seconds: float) -> None:
        """Cut it in so many seconds, and not earlier."""
        self._stop()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Never cut it."""
        self._stop()
        self._own.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)


def _set(setting: str, seconds: float) -> bytes:
    return f"SET {setting} = '{seconds * 1000:.0f}ms'".encode()
