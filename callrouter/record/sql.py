"""The tables of the record for SQLAlchemy, and rows to and from the database's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_type_hints

import sqlalchemy as sa

from callrouter.record import record_tables
from callrouter.store.tables import RecordedTable

RowT = TypeVar("RowT")


def _columns(row: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(row))


SQL_TABLES: Final[dict[RecordedTable[Any], sa.TableClause]] = {
    item: sa.table(item.table, *map(sa.column, _columns(item.row)))
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


def _enum_of(hint: Any) -> type[Enum] | None:
    """Return the enum of a field's type, which may allow None."""
    for kind in get_args(hint) or (hint,):
        if kind is not NoneType and isinstance(kind, type) and issubclass(kind, Enum):
            return kind
    return None


_ENUMS: Final[dict[type[Any], tuple[tuple[str, type[Enum] | None], ...]]] = {
    item.row: tuple((name, _enum_of(get_type_hints(item.row)[name])) for name in _columns(item.row))
    for item in record_tables.RECORDED_TABLES
}


def row_values(row: Any) -> dict[str, Any]:
    """Return a row as database values by column.

    Text from outside may contain a lone surrogate, which no file can hold, or NUL, which PostgreSQL
    refuses.
    """
    values: dict[str, Any] = {}
    for name, enum in _ENUMS[type(row)]:
        value = getattr(row, name)
        if enum is not None:
            value = None if value is None else value.value
        elif type(value) is str and not (value.isascii() and value.isprintable()):
            value = value.encode("utf-8", "replace").decode().replace("\0", "?")
        values[name] = value
    return values


def row_reader(row: type[RowT]) -> Callable[[Sequence[Any]], RowT]:
    """Return a function that makes a row of database values in the order of the row's fields.

    An outcome that this version does not know, written by a later one or by hand, is read as None
    where that is possible.

    Raises (the function):
        ValueError: a value is not one of ours.
    """
    named = _ENUMS[row]

    def read(values: Sequence[Any]) -> RowT:
        taken = {}
        for (name, enum), value in zip(named, values, strict=True):
            known = value
            if enum is not None and value is not None:
                known = enum(value)
            elif isinstance(value, memoryview):
                known = bytes(value)
            taken[name] = known
        return row(**taken)

    return read
