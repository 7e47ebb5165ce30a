"""How much room the record takes."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from callrouter.record.record_tables import RECORDED_TABLES

_ROW: Final = 28
"""Bytes of a row's header and pointer in PostgreSQL (see its manual, "Database Page Layout")."""
_KEYS: Final = 120
"""Bytes of a row's entries in the indexes, about: three of some 40 bytes."""
_LOOKED_AT: Final = 1000


def record_size(link: sa.Connection) -> int:
    """Return the bytes of the record, without room that deleted rows have left free for new ones.

    On SQLite it is the used part of the whole file. On PostgreSQL it is estimated from the number
    of rows, as the server's statistics have it, and their mean size: the size of its files does not
    shrink when rows are deleted.
    """
    if link.dialect.name == "sqlite":
        pages, free, size = (
            int(link.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    total = 0.0
    for item in RECORDED_TABLES:
        rows = link.execute(
            sa.text("SELECT n_live_tup FROM pg_stat_user_tables WHERE relid = to_regclass(:name)"),
            {"name": item.table},
        ).scalar_one_or_none()
        if rows:
            mean = link.exec_driver_sql(
                f"SELECT avg(pg_column_size(sample.*)) FROM (SELECT * FROM {item.table} "  # noqa: S608
                f"LIMIT {_LOOKED_AT}) AS sample"
            ).scalar_one_or_none()
            total += rows * (float(mean or 0.0) + _ROW + _KEYS)
    return int(total)
