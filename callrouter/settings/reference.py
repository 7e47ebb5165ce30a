"""The reference page of all keys, ``docs/reference.md``, made from the declared options.

``python -m callrouter.settings.reference docs/reference.md`` writes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo

from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.fields import NAME_IS, Expected
from callrouter.settings.schema.options import (
    KeyPattern,
    OptionGroup,
    groups_in,
    key_of,
    options_of,
    walk,
)
from callrouter.settings.schema.root_options import RootOptions

_HEAD: Final = """\
# Reference of all keys

Made from the declarations in `callrouter/settings/schema` by `python -m callrouter.settings.reference
docs/reference.md`; a test holds it equal. [supervisor.md](supervisor.md) and [operator.md](operator.md) explain
how the keys work together.

Durations are written `20s`, `5m`, `1h30m`, `7d` or `250ms`; a bare number is seconds. A name consists
of small letters, digits, `-` and `_`: 64 at most, a letter or digit first. A change takes effect within 2 s, except where
**restart** stands.
"""
_NAMES: Final = {
    "pbx": "PBX",
    "users": "USER",
    "agents": "AGENT",
    "devices": "DEVICE",
    "pauses": "REASON",
    "queues": "QUEUE",
    "destinations": "DESTINATION",
}
"""What stands for a name in the heading of a section, by the key above it."""


def reference() -> str:
    """Return the text of the page.

    A group comes before those inside it. Its docstring is the text of its section, so it must suit
    the readers of the page.
    """
    parts = [_HEAD]
    for path, group in walk(RootOptions):
        parts.append("\n".join(_section(path, group)))
    return "\n".join(parts)


def _section(path: KeyPattern, group: type[OptionGroup]) -> Iterator[str]:
    yield f"## {_heading(path, group)}"
    yield ""
    yield " ".join((group.__doc__ or "").split())
    yield ""
    yield "| key | value | default | example | meaning |"
    yield "|---|---|---|---|---|"
    for name, declared in options_of(group).items():
        field = group.model_fields[name]
        key = key_of(name, field)
        inner = list(groups_in(field.annotation, (*path, key)))
        cells = (
            f"`{key}`",
            value_text(field)
            + "".join(f"; see [{_heading(*one)}](#{_anchor(*one)})" for one in inner),
            default_text(field),
            f"`{declared.example}`",
            (field.description or "") + (" **restart**" if declared.restart else ""),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _heading(path: KeyPattern, group: type[OptionGroup]) -> str:
    """Return the title of a section: ``agents: AGENT: devices: DEVICE``."""
    words: list[str] = []
    for before, part in zip(("", *path), path, strict=False):
        if part != "*":
            words.append(part)
        elif before in _NAMES:
            words.append(_NAMES[before])
    driver = group.model_fields.get("driver")
    if driver is not None:
        words.append(f"driver {get_args(driver.annotation)[0]}")
    return ": ".join(words) or "Sections"


def _anchor(path: KeyPattern, group: type[OptionGroup]) -> str:
    """Return the anchor that GitHub gives to the heading."""
    plain = re.sub(r"[^\w -]", "", _heading(path, group).lower())
    return plain.replace(" ", "-")


def value_text(field: FieldInfo) -> str:
    """Say which values are allowed, in the words of the error messages."""
    own = next((item.phrase for item in field.metadata if isinstance(item, Expected)), "")
    return ("a name" if own == NAME_IS else own) or _allowed(field.annotation)


def _allowed(annotation: Any) -> str:
    """Say which values a type allows."""
    args = get_args(annotation)
    phrase = next((arg.phrase for arg in args if isinstance(arg, Expected)), "")
    if phrase:
        return "a name" if phrase == NAME_IS else phrase
    if isinstance(annotation, type) and issubclass(annotation, OptionGroup):
        return "a mapping"
    if hasattr(annotation, "__metadata__"):
        return _allowed(args[0])
    origin = get_origin(annotation)
    if origin is dict:
        return f"a mapping; key: {_allowed(args[0])}; value: {_allowed(args[1])}"
    if origin is list:
        return f"a list; item: {_allowed(args[0])}"
    if origin is not None and not args:
        return ""
    others = [arg for arg in args if arg is not NoneType]
    if origin is not None and all(isinstance(arg, str) for arg in others):
        return " or ".join(others)  # Literal
    return ", or ".join(dict.fromkeys(_allowed(arg) for arg in others))


def default_text(field: FieldInfo) -> str:
    """Return the default of a field in backticks; ``required``; or empty: it has none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=False)
    is_duration = "a duration" in value_text(field)
    match value:
        case None | [] | {} | OptionGroup():
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case float() if is_duration:
            return f"`{format_duration(value)}`"
        case float():
            return f"`{value:g}`"
        case list():
            return f"`{', '.join(map(str, value))}`"
        case _:
            return f"`{value}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), "utf-8")
