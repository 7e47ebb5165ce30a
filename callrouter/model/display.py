"""The caller name that a desk phone shows, from a queue's `show`, such as ``{queue}: {name}``."""

from __future__ import annotations

import re
from typing import Final

from callrouter.model.text import phrase, stopwatch

FIELDS: Final = ("queue", "name", "number", "tag", "wait")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_NO_ONE: Final = "anonymous"


def fault(template: str) -> str:
    """What is wrong with a `show` template; empty if it is valid.

    It is a part of a sentence, without the template itself. Fields are those of `FIELDS`.
    """
    for name in _FIELD.findall(template):
        if name not in FIELDS:
            return phrase("no-field", "there is no field {field}", field=f"{{{name}}}")
    if "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
        return phrase("brace-alone", "a brace stands alone")
    return ""


def shown(template: str, *, queue: str, name: str, number: str, tag: str, waited: float) -> str:
    """The name to show on a phone. A caller without a name is shown by number.

    Values from the caller are inserted literally and are not templates: a caller named ``{tag}``
    stays ``{tag}``.

    Args:
        template: the queue's `show`.
        queue: the queue's name.
        name: the caller's name, or empty.
        number: the caller's number, or empty.
        tag: the call's tag.
        waited: seconds in this queue.
    """
    values = {
        "queue": queue,
        "name": name or number or _NO_ONE,
        "number": number or _NO_ONE,
        "tag": tag,
        "wait": stopwatch(waited),
    }
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), template)
