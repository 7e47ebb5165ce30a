"""Connections that only read, beside that of the writing thread, so that a slow report delays no write."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from operator import methodcaller
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from callrouter.store.codec import columns
from callrouter.store.database import server_at
from callrouter.store.location import Address, File, Place
from callrouter.store.tables import STATE_TABLES

BUSY: Final = 5.0
"""Seconds to wait for a lock on a file: that of an upgrade, for example."""
ANSWER_WITHIN: Final = 300
"""Seconds for a statement on a server: a report over years takes its time."""


def reading_engine(place: Place) -> sa.Engine:
    """Return an engine whose connections see what was committed and can write nothing.

    Nothing is opened yet, and nothing is created or upgraded: the daemon does that. An error of the
    database comes as SQLAlchemy's, from the first use; that there is nothing of the pool, or that it
    may not be read, as a `StoreError`.
    """
    if isinstance(place, File):
        return sa.create_engine("sqlite://", creator=lambda: _open(place), poolclass=NullPool)
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: _connect(place), poolclass=NullPool
    )


def warm_up(place: Place) -> None:
    """Load the modules that the store needs, and connect once. Writes nothing, and never fails."""
    server_at(place, lambda: 0.0)
    engine = reading_engine(place)
    # An error of ours is logged by the start itself, which does the same in earnest.
    with suppress(Exception), engine.connect() as link:
        for table in STATE_TABLES:
            names: list[sa.ColumnClause[Any]] = [sa.column(name) for name in columns(table.row)]
            link.execute(sa.select(*names).select_from(sa.table(table.table)).limit(1)).all()


def _open(place: File) -> sqlite3.Connection:
    # Not `mode=ro`: with that, SQLite cannot read the log of a file that no other program has open.
    address = f"file:{quote(str(place.path))}?mode=rw"
    link = sqlite3.connect(address, uri=True, timeout=BUSY, check_same_thread=False)
    # Called for each text of each row; this one takes a third of the time of a function.
    link.text_factory = methodcaller("decode", "utf-8", "replace")
    link.execute("PRAGMA query_only = on")
    return link


def _connect(place: Address) -> Any:
    # Imported here: it is an optional extra and slow to load.
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    from callrouter.store.schemas import enter_to_read  # noqa: PLC0415

    own: dict[str, Any] = {"connect_timeout": 5, "application_name": "callrouter reports"}
    link = psycopg.connect(
        make_conninfo(**{**own, **conninfo_to_dict(place.url)}), prepare_threshold=None
    )
    link.execute(f"SET statement_timeout = '{ANSWER_WITHIN}s'".encode())
    link.execute(b"SET default_transaction_read_only = on")
    link.commit()
    try:
        enter_to_read(link, place)
    except BaseException:
        link.close()
        raise
    return link
