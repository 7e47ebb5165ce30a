"""What a recorder beside a router has made, written into a real database."""

from __future__ import annotations

import sqlalchemy as sa

from callrouter.record import sql
from callrouter.record.row_codec import column_names
from callrouter.store.database import Database, server_at
from callrouter.store.location import Place
from tests.record.recording import Recording


def store(recording: Recording, place: Place) -> None:
    """Write all rows that there are so far, in place of those written before."""
    recording.write()
    server = server_at(place, lambda: 0.0)
    Database(server).close()
    link = server.open()
    with link.begin():
        for table, rows in recording.rows.items():
            at = sql.SQL_TABLES[table]
            link.execute(sa.delete(at))
            made = {table.values(row) for row in rows.values()}
            names = column_names(table.row)
            for values in made:
                link.execute(sa.insert(at), dict(zip(names, values, strict=True)))
    link.close()
