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
_SESSION: Final = (
    f"SET statement_timeout = '{ANSWER_WITHIN:.0f}s'; "
    f"SET lock_timeout = '{ANSWER_WITHIN:.0f}s'; "
    "SET idle_in_transaction_session_timeout = '30s'"
)
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('callrouter'), hashtext(current_schema()))"


class Postgres:
    """The database at an address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._link: psycopg.Connection[Any] | None = None
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
        if not link.exec_driver_sql(_LOCK).scalar_one():
            raise StoreError(
                "another callrouter keeps its states in this database; give each its own"
            )

    def _connect(self) -> psycopg.Connection[Any]:
        given = make_conninfo(**{**_LINK, **conninfo_to_dict(self._address.url)})
        # No prepared statements: a pooler in between may not know them.
        self._link = psycopg.connect(given, prepare_threshold=None)
        self._link.execute(_SESSION)
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
        # Of the socket by a number of our own: the link may close its own at any moment.
        own = socket.socket(fileno=os.dup(link.fileno()))
        timer = threading.Timer(HANGS, _cut, (own,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            own.close()

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


def _cut(own: socket.socket) -> None:
    with contextlib.suppress(OSError):
        own.shutdown(socket.SHUT_RDWR)
