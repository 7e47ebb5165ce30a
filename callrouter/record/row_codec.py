"""Rows of the record to and from the database's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from enum import Enum
from operator import attrgetter
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


def row_packer(row: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that makes database values, by column, of a row or of the values of its fields.

    Text from outside may contain a lone surrogate, which no file can hold, or NUL, which PostgreSQL
    refuses.
    """
    known = _fields(row)
    get = attrgetter(*(name for name, _ in known))
    hints = get_type_hints(row)
    enums = [place for place, (_, enum) in enumerate(known) if enum is not None]
    texts = [place for place, (name, _) in enumerate(known) if hints[name] is str]

    def pack(item: Any) -> tuple[Any, ...]:
        values = list(item if type(item) is tuple else get(item))
        for place in enums:
            value = values[place]
            if value is not None:
                values[place] = value.value
        for place in texts:
            text = values[place]
            if not text.isascii() or "\0" in text:
                values[place] = text.encode("utf-8", "replace").decode().replace("\0", "?")
        return tuple(values)

    return pack


def row_values(row: Any) -> dict[str, Any]:
    """Return a row as database values by the names of the columns."""
    kind = type(row)
    return dict(zip(column_names(kind), row_packer(kind)(row), strict=True))


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
