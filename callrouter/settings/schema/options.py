"""The declaration of an option: everything about a key of the configuration in one place.

A group of options is a pydantic model, and each of its fields is declared with `option`. From that
come the JSON Schema, the default, the value in the spec (`spec_values`), the words of
``callrouter diff`` (`Option.words`), and its line in ``docs/reference.md``. So a new key of a queue
is one declaration here and one field of `QueueSpec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.fields import FieldInfo

KeyPattern: TypeAlias = tuple[str, ...]
"""The path to a key, with ``*`` for any name or index: ``("queues", "*", "ring_for")``."""

# Tags of unions appear in the paths of pydantic's errors and must be distinguishable from keys.
LIST, MAPPING, SHORT, LONG = "<list>", "<mapping>", "<short>", "<long>"
DRIVERS: Final = {
    "asterisk": "<asterisk>",
    "twilio": "<twilio>",
    "simulated": "<simulated>",
}
TAGS: Final = frozenset({LIST, MAPPING, SHORT, LONG, *DRIVERS.values()})
"""All of these tags."""


class OptionGroup(BaseModel):
    """A mapping with known keys only and without type coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is declared of an option besides its type, default and description.

    Attributes:
        example: A value as written in a file, for the reference page.
        attribute: The attribute of the spec that holds it; None: its value ends up elsewhere.
        words: Formats the attribute for `diff`; None: the option has a description of its own there.
        restart: Whether a change takes effect only after a restart.
        secret: Whether `diff` only says that it has changed.
    """

    example: str
    attribute: str | None
    words: Callable[[Any], str] | None
    restart: bool
    secret: bool

    def __call__(self, schema: dict[str, Any]) -> None:
        """Add nothing to the JSON Schema (this is where pydantic lets a field carry data)."""


def option(
    default: Any = ...,
    description: str = "",
    *,
    example: str,
    attribute: str | None = "",
    words: Callable[[Any], str] | None = None,
    restart: bool = False,
    secret: bool = False,
    alias: str | None = None,
) -> Any:
    """Declare an option; see `Option` for the arguments that are not described here.

    Args:
        default: The value if the key is not written; ``...``: the key is required.
        description: What it means, for editors and the reference page.
        example: See `Option`.
        attribute: See `Option`; empty: it has the name of the key.
        words: See `Option`.
        restart: See `Option`.
        secret: See `Option`.
        alias: The key, if it cannot be the name of a field.
    """
    declared = Option(
        example=example, attribute=attribute, words=words, restart=restart, secret=secret
    )
    return Field(default, description=description, json_schema_extra=declared, alias=alias)


@cache
def options_of(group: type[OptionGroup]) -> dict[str, Option]:
    """Return the declared options of a group by field name, in the order of the reference page.

    Raises:
        TypeError: a field of the group is not declared with `option`.
    """
    found: dict[str, Option] = {}
    for name, field in group.model_fields.items():
        declared = field.json_schema_extra
        if not isinstance(declared, Option):
            raise TypeError(f"{group.__name__}.{name} is not declared with option()")
        found[name] = declared
    return found


def key_of(name: str, field: FieldInfo) -> str:
    """Return the key of a field as written in the files.

    It differs from the name only if the option has an alias.
    """
    return field.alias or name


@cache
def _attributes(group: type[OptionGroup]) -> tuple[tuple[str, str], ...]:
    """Return pairs of a field and the attribute of the spec that it becomes.

    An option whose value ends up elsewhere has none.
    """
    return tuple(
        (name, declared.attribute or name)
        for name, declared in options_of(group).items()
        if declared.attribute is not None
    )


def spec_values(group: OptionGroup, **built: Any) -> dict[str, Any]:
    """Return the values of a spec's attributes, by name.

    An option whose value is None has not been given and is left out, so that the default of the
    spec applies.

    Args:
        group: The options as read.
        built: The attributes that are not simply the value of an option.
    """
    values = {
        attribute: value
        for name, attribute in _attributes(type(group))
        if attribute not in built and (value := getattr(group, name)) is not None
    }
    return values | built


def walk(
    group: type[OptionGroup], at: KeyPattern = ()
) -> Iterator[tuple[KeyPattern, type[OptionGroup]]]:
    """Yield a group and all groups inside it, each with the path to it, outer ones first.

    The groups for the drivers of a PBX all have the same path.
    """
    yield at, group
    for name, field in group.model_fields.items():
        for path, inner in groups_in(field.annotation, (*at, key_of(name, field))):
            yield from walk(inner, path)


def groups_in(annotation: Any, at: KeyPattern) -> Iterator[tuple[KeyPattern, type[OptionGroup]]]:
    """Yield the groups that a type of a field contains, without those inside them.

    `at` is the path to the field. In the paths, ``*`` stands for the key of a mapping or the index
    of a list.
    """
    if isinstance(annotation, type) and issubclass(annotation, OptionGroup):
        yield at, annotation
        return
    origin = getattr(annotation, "__origin__", None)
    parts = get_args(annotation)
    if origin is dict:
        parts, at = parts[1:], (*at, "*")
    elif origin is list:
        at = (*at, "*")
    for part in parts:
        yield from groups_in(part, at)


def list_or_mapping(value: Any) -> str:
    """Return the tag that distinguishes ``[a, b]`` from ``{a: 1}``."""
    return LIST if isinstance(value, list) else MAPPING


def list_or_short(value: Any) -> str:
    """Return the tag that distinguishes ``[a, b]`` from ``a``."""
    return LIST if isinstance(value, list) else SHORT


One = TypeVar("One")
Listed = TypeVar("Listed")
OneOrList: TypeAlias = Annotated[
    Annotated[One, Tag(SHORT)] | Annotated[list[Listed], Tag(LIST)], Discriminator(list_or_short)
]
"""``a`` or ``[a, b]``: the type of ``a``, and that of each value in a list."""


def short_or_long(value: Any) -> str:
    """Return the tag that distinguishes ``a`` from ``{key: a}``."""
    return LONG if isinstance(value, dict | BaseModel) else SHORT


OneOrByName: TypeAlias = Annotated[
    Annotated[One, Tag(SHORT)] | Annotated[dict[Listed, One], Tag(LONG)],
    Discriminator(short_or_long),
]
"""``a`` or ``{name: a}``: the type of ``a``, and that of a name."""


def driver_tag(value: Any) -> str | None:
    """Return the tag of a PBX from its `driver`; None: it has none.

    An unknown driver is returned as it is, which pydantic reports.
    """
    driver = value.get("driver") if isinstance(value, dict) else None
    return None if driver is None else DRIVERS.get(str(driver), str(driver))
