"""Rows of the record to and from the database's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

RowT = TypeVar("RowT")


def _enum_of(hint: Any) -> type[Enum] | None:
    """Return the enum of a field's type, which may allow None."""
    for kind in get_args(hint) or (hint,):
        if kind is not NoneType and isinstance(kind, type) and issubclass(kind, Enum):
            return kind
    return None


_Fields: TypeAlias = tuple[tuple[str, type[Enum] | None], ...]
_FIELDS: Final[dict[type[Any], _Fields]] = {}


def column_names(row: type[Any]) -> tuple[str, ...]:
    """Return the columns of a class of rows, in the order of its fields."""
    return tuple(item.name for item in fields(row))


def _fields(row: type[Any]) -> _Fields:
    known = _FIELDS.get(row)
    if known is None:
        hints = get_type_hints(row)
        known = _FIELDS[row] = tuple((name, _enum_of(hints[name])) for name in column_names(row))
    return known


def row_values(row: Any) -> dict[str, Any]:
    """Return a row as database values by column.

    Text from outside may contain a lone surrogate, which no file can hold, or NUL, which PostgreSQL
    refuses.
    """
    values: dict[str, Any] = {}
    for name, enum in _fields(type(row)):
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
    named = _fields(row)

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
