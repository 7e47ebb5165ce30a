"""What is declared of every key, for forms and for completion: see `callrouter.settings.schema.options`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from callrouter.settings.reference import default_text, value_text
from callrouter.settings.schema.fields import Expected
from callrouter.settings.schema.options import (
    KeyPattern,
    OptionGroup,
    groups_in,
    key_of,
    options_of,
    walk,
)
from callrouter.settings.schema.root_options import RootOptions

_BY_KIND: Final = {
    "duration": "duration",
    "stored-for": "duration",
    "bool": "boolean",
    "off": "boolean",
    "int": "number",
    "holiday": "holiday",
    "target": "target",
    "phone": "phone",
    "size": "text",
}
"""Types of values by the kind in their `Expected`."""
_BY_KEY: Final = {
    ("queues", "*", "policy"): "policy",
    ("queues", "*", "agents"): "members",
    ("queues", "*", "shifts", "*", "agents"): "members",
    ("queues", "*", "widen", "*", "agents"): "members",
    ("queues", "*", "last_agent"): "duration",
}
_BY_SCHEMA: Final = {
    "array": "list",
    "object": "mapping",
    "integer": "number",
    "number": "number",
}
_HOURS: Final = frozenset({"hours"})
_NAMES_OF: Final = {
    ("queues", "*", "agents"): "agents",
    ("queues", "*", "shifts", "*", "agents"): "agents",
    ("queues", "*", "widen", "*", "agents"): "agents",
    ("agents", "*", "devices", "*", "pbx"): "pbx",
    ("users", "*", "queues"): "queues",
    ("http", "api_tokens", "*", "queues"): "queues",
    ("http", "api_tokens", "*", "agent"): "agents",
    ("rules", "*", "when", "queue"): "queues",
    ("rules", "*", "then", "queue"): "queues",
    ("rules", "*", "then", "agent"): "agents",
    ("alerts", "*", "queues"): "queues",
    ("alerts", "*", "to"): "destinations",
    ("webhooks", "*", "to"): "destinations",
    ("pbx", "*", "numbers", "*"): "queues",
}
"""The section whose names a key takes."""
_EXTRA_CHOICES: Final = {
    ("queues", "*", "last_agent"): ("never",),
    ("queues", "*", "at_once"): ("all",),
    ("queues", "*", "widen", "*", "at_once"): ("all",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogOption:
    """A key that may be written.

    Attributes:
        key: the key.
        type: what a form shows for it.
        description: what it means.
        default: the value if it is not written, as text; None: there is none.
        example: a value as written in a file.
        expects: what its value must be, in words.
        required: whether it must be written.
        choices: the words that it takes, if there are only some.
        minimum: of a number; None: not limited.
        maximum: of a number; None: not limited.
        pattern: of a text; empty: not limited.
        names_of: the section whose names it takes; empty: none.
        secret: whether it is shown to no one who may not edit it.
        restart: whether a change takes effect only after a restart.
        order: its place in the reference.
    """

    key: str
    type: str
    description: str
    default: str | None
    example: str
    expects: str
    required: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    pattern: str
    names_of: str
    secret: bool
    restart: bool
    order: int


@cache
def catalog() -> Mapping[KeyPattern, CatalogOption]:
    """Return all keys by their paths, with ``*`` for names and indexes.

    The first call takes some hundredths of a second: make it in a thread.
    """
    found: dict[KeyPattern, CatalogOption] = {}
    for path, group in walk(RootOptions):
        for name in options_of(group):
            pattern = (*path, key_of(name, group.model_fields[name]))
            # The drivers of a PBX have keys in common; the first one stands for all.
            if pattern not in found:
                found[pattern] = _option(pattern, name, group, len(found))
    return found


@cache
def keys_at(group: KeyPattern) -> tuple[CatalogOption, ...]:
    """Return the keys of a mapping, required ones first, then as in the reference."""
    inner = [one for path, one in catalog().items() if path[:-1] == group]
    return tuple(sorted(inner, key=lambda one: (not one.required, one.order)))


def pattern_of(path: Sequence[str | int]) -> KeyPattern:
    """Return the pattern of a path: names and indexes become ``*``; what is unknown stays."""
    known = catalog()
    pattern: KeyPattern = ()
    for part in path:
        inner = (*pattern, str(part))
        is_key = inner in known and not isinstance(part, int)
        pattern = inner if is_key else (*pattern, "*")
    return pattern


def _option(pattern: KeyPattern, name: str, group: type[OptionGroup], order: int) -> CatalogOption:
    field, declared = group.model_fields[name], options_of(group)[name]
    schema = _schema(field)
    return CatalogOption(
        key=pattern[-1],
        type=_type(pattern, field, schema),
        description=field.description or "",
        default=default_text(field).strip("`") or None if not field.is_required() else None,
        example=declared.example,
        expects=value_text(field),
        required=field.is_required(),
        choices=_choices(pattern, field),
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        pattern=str(schema.get("pattern", "")),
        names_of=_NAMES_OF.get(pattern, ""),
        secret=declared.secret,
        restart=declared.restart,
        order=order,
    )


def _schema(field: FieldInfo) -> dict[str, Any]:
    """Return the JSON Schema of a field's single value; empty: it has none of its own."""
    annotation: Any = field.annotation
    if next(groups_in(annotation, ()), None) is not None:
        return {}
    made = TypeAdapter(field.rebuild_annotation() if field.metadata else annotation).json_schema()
    options = [one for one in made.get("anyOf", ()) if one != {"type": "null"}]
    return options[0] if len(options) == 1 else made


def _kind(field: FieldInfo) -> str:
    """Return the kind of a field's single value (see `Expected`); empty: it has none."""
    own = next((item for item in field.metadata if isinstance(item, Expected)), None)
    expected = own or next(_all_expected(field.annotation), None)
    return expected.kind if expected is not None else ""


def _all_expected(annotation: Any) -> Iterator[Expected]:
    for arg in getattr(annotation, "__metadata__", ()):
        if isinstance(arg, Expected):
            yield arg
    if get_origin(annotation) in {dict, list}:
        return
    for arg in get_args(annotation):
        if arg is not NoneType and not isinstance(arg, str):
            yield from _all_expected(arg)


def _choices(pattern: KeyPattern, field: FieldInfo) -> tuple[str, ...]:
    kind = _kind(field)
    if "|" in kind:
        return tuple(kind.split("|"))
    if kind == "off":
        return ("false",)
    if kind == "bool":
        return ("true", "false")
    return _EXTRA_CHOICES.get(pattern, ())


def _type(pattern: KeyPattern, field: FieldInfo, schema: Mapping[str, Any]) -> str:
    """Return what a form shows for a key."""
    if pattern in _BY_KEY:
        return _BY_KEY[pattern]
    if next(groups_in(field.annotation, ()), None) is not None:
        return _container(field.annotation) or "group"
    if pattern[-1] in _HOURS:
        return "hours"
    if pattern in _EXTRA_CHOICES:
        return "choice-or-number"
    return _type_of_value(_kind(field), schema) or ("name" if _NAMES_OF.get(pattern) else "text")


def _type_of_value(kind: str, schema: Mapping[str, Any]) -> str:
    """Return what a form shows for a single value; empty: a text."""
    if "|" in kind:
        return "choice"
    made = _BY_SCHEMA.get(str(schema.get("type")), "")
    if made in {"list", "mapping"}:
        return made
    if str(schema.get("pattern", "")).startswith(r"^\$argon2id"):
        return "hash"
    return _BY_KIND.get(kind, made)


def _container(annotation: Any) -> str:
    """Return whether a field holds a list or a mapping of groups; empty: one group."""
    origin = get_origin(annotation)
    if origin is list:
        return "list"
    if origin is dict:
        return "mapping"
    for arg in get_args(annotation):
        if arg is not NoneType and (found := _container(arg)):
            return found
    return ""
