"""The tables of the record for SQLAlchemy."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from callrouter.record import record_tables
from callrouter.record.row_codec import column_names
from callrouter.store.tables import RecordedTable

SQL_TABLES: Final[dict[RecordedTable[Any], sa.TableClause]] = {
    item: sa.table(item.table, *map(sa.column, column_names(item.row)))
    for item in record_tables.RECORDED_TABLES
}

CALLS: Final = SQL_TABLES[record_tables.CALLS]
STAYS: Final = SQL_TABLES[record_tables.STAYS]
OFFERS: Final = SQL_TABLES[record_tables.OFFERS]
CONVERSATIONS: Final = SQL_TABLES[record_tables.CONVERSATIONS]
HOLDS: Final = SQL_TABLES[record_tables.HOLDS]
CONSULTATIONS: Final = SQL_TABLES[record_tables.CONSULTATIONS]
AGENT_STATES: Final = SQL_TABLES[record_tables.AGENT_STATES]
DECISIONS: Final = SQL_TABLES[record_tables.DECISIONS]
MEMBER_LISTS: Final = SQL_TABLES[record_tables.MEMBER_LISTS]
RUNS: Final = SQL_TABLES[record_tables.RUNS]
RECORD_GAPS: Final = SQL_TABLES[record_tables.RECORD_GAPS]
