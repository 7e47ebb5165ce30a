"""Converts rows (dataclasses of texts, numbers and flags) to and from database values.

A field that is anything else is written as text, by a `Packing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from callrouter.model.agent_row import AgentRow
from callrouter.store.agent_columns import AGENT_COLUMNS, Packing

T = TypeVar("T")

_BAD: Final = object()
_PACKED: Final[Mapping[type[Any], Mapping[str, Packing]]] = {AgentRow: AGENT_COLUMNS}
"""By type of row and field."""
_NONE_PACKED: Final[Mapping[str, Packing]] = {}
_TYPES: Final[dict[type[Any], tuple[tuple[type[Any], bool], ...]]] = {}


def columns(kind: type[Any]) -> tuple[str, ...]:
    """Return the columns of a dataclass, in the order of its fields.

    A field with a `Packing` has the column that it names. `parse` expects values in this order.
    """
    packed = _PACKED.get(kind, _NONE_PACKED)
    return tuple(packed[name].column if name in packed else name for name in _names(kind))


def values(row: Any) -> dict[str, Any]:
    """Return a row as database values.

    Text from outside may contain a lone surrogate, which no file can hold, or NUL, which PostgreSQL
    refuses.
    """
    packed = _PACKED.get(type(row), _NONE_PACKED)
    found = {}
    for item in fields(row):
        how, value = packed.get(item.name), getattr(row, item.name)
        if how is None:
            found[item.name] = _clean(value)
        else:
            found[how.column] = _clean(how.pack(value))
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    return value


def parse(kind: type[T], found: Sequence[object]) -> T | None:
    """Return a row from database values.

    None if it cannot be ours (SQLite stores any type anywhere).

    Whole numbers are counts: a negative one is read as zero.
    """
    taken = [_take(value, *expected) for value, expected in zip(found, _types(kind), strict=True)]
    if any(value is _BAD for value in taken):
        return None
    packed = _PACKED.get(kind, _NONE_PACKED)
    given = dict(zip(_names(kind), taken, strict=True))
    given |= {name: how.unpack(str(given[name])) for name, how in packed.items()}
    return kind(**given)


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def _types(kind: type[Any]) -> tuple[tuple[type[Any], bool], ...]:
    known = _TYPES.get(kind)
    if known is None:
        known = _TYPES[kind] = _study(kind)
    return known


def _study(kind: type[Any]) -> tuple[tuple[type[Any], bool], ...]:
    """Return the type of each column, and whether it may be null."""
    hints = get_type_hints(kind)
    packed = _PACKED.get(kind, _NONE_PACKED)
    return tuple((str, False) if name in packed else _plain(hints[name]) for name in _names(kind))


def _plain(hint: Any) -> tuple[type[Any], bool]:
    if get_origin(hint) is not UnionType:
        return hint, False
    (inner,) = [item for item in get_args(hint) if item is not NoneType]
    return inner, True


def _take(value: object, expected: type[Any], empty: bool) -> object:
    if value is None:
        return None if empty else _BAD
    if expected is bool:
        return bool(value) if isinstance(value, int) and value in (0, 1) else _BAD
    if expected is int:
        return max(0, value) if isinstance(value, int) else _BAD
    if expected is float:
        good = isinstance(value, int | float) and math.isfinite(value)
        return float(value) if good else _BAD  # type: ignore[arg-type]
    return value if isinstance(value, expected) else _BAD
