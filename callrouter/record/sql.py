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


def last_states(early: sa.ColumnElement[bool]) -> tuple[sa.CTE, sa.Select[tuple[int]]]:
    """Return the agents, and a query for the serial number of the last state of each.

    It takes a look-up in the index for each agent: millions of states need not be read.

    Args:
        early: a condition on `AGENT_STATES` that the state must meet.
    """
    known = _known_agents()
    last = (
        sa.select(AGENT_STATES.c.serial)
        .where(AGENT_STATES.c.agent == known.c.agent, early)
        .order_by(AGENT_STATES.c.at.desc(), AGENT_STATES.c.serial.desc())
        .limit(1)
        .correlate(known)
        .scalar_subquery()
    )
    return known, sa.select(last.label("serial")).where(known.c.agent.is_not(None))


def _known_agents() -> sa.CTE:
    """Return every agent with a state, and a null at the end, by one step in the index for each."""
    first, later = AGENT_STATES.alias(), AGENT_STATES.alias()
    known = sa.select(sa.func.min(first.c.agent).label("agent")).cte("known", recursive=True)
    following = sa.select(sa.func.min(later.c.agent)).where(later.c.agent > known.c.agent)
    return known.union_all(
        sa.select(following.correlate(known).scalar_subquery()).where(known.c.agent.is_not(None))
    )
