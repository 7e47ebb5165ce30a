"""What may be written at a place of a text: keys, words and names, with what they mean.

A text is incomplete while a person types, so this goes by lines and indentation and not by a
parsed text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from callrouter.api.schemas.editor_answers import (
    AboutOptionJson,
    CompletionJson,
    CompletionsJson,
)
from callrouter.policies import sentences
from callrouter.settings.editing.option_catalog import (
    CatalogOption,
    catalog,
    keys_at,
    pattern_of,
)
from callrouter.settings.editing.text_spot import LONGEST_LINE, Spot, in_comment, spot_at

MOST: Final = 200
"""Most suggestions."""
_LETTER: Final = re.compile(r"[A-Za-z0-9_*./@+:-]")
_LONGEST_WORD: Final = 200
_REST: Final = re.compile(r"[A-Za-z0-9_*./@+-]*(?::[A-Za-z0-9_*./@+-]+)*")


def _word_before(text: str) -> str:
    """Return the word at the end of a text. A colon in a word stands between letters, or ends it."""
    start = len(text)
    while start > max(0, len(text) - _LONGEST_WORD) and _LETTER.match(text[start - 1]):
        start -= 1
    return text[start:][text[start:].rfind("::") + 1 :]


def completions(
    text: str, line: int, column: int, names: Mapping[str, Sequence[str]]
) -> CompletionsJson:
    """Return what may be written at a place.

    Args:
        text: the whole file.
        line: the line, from 1. A place behind the end is moved to the last line.
        column: the column, from 1.
        names: the names in each section of the draft.
    """
    lines = [*re.split("\r\n|\r|\n", text)]
    number = max(1, min(line, len(lines)))
    full = lines[number - 1]
    before = full[: max(0, column - 1)]
    word, after = _word_before(before), _REST.match(full, len(before))
    start, end = len(before) - len(word), after.end() if after is not None else len(before)
    spot = None
    found: list[CompletionJson] = []
    if len(full) <= LONGEST_LINE and not in_comment(before):
        spot = spot_at(lines, number, before[:start])
        found = list(_suggestions(spot, names, full[end:]))
    path = () if spot is None else (*spot.owner, *((spot.key,) if spot.key else ()))
    return {
        "from": {"line": number, "column": start + 1},
        "to": {"line": number, "column": end + 1},
        "path": list(path),
        "options": [one for one in found if word.lower() in one["label"].lower()][:MOST],
        "about": _about(spot, full[start:end]),
    }


# ---------------------------------------------------------------- what may stand there


def _suggestions(
    spot: Spot, names: Mapping[str, Sequence[str]], rest: str
) -> Iterator[CompletionJson]:
    if spot.key is not None:
        yield from _values((*spot.owner, spot.key), names)
        return
    pattern = pattern_of(spot.owner)
    if spot.owner and isinstance(spot.owner[-1], int):  # an item of a list: a value, or a key
        yield from _values(spot.owner[:-1], names)
    colon = "" if rest.lstrip().startswith(":") else ": "
    for one in keys_at(pattern):
        if one.key not in spot.present:
            yield _key_json(one, colon)
    above = catalog().get(pattern)
    if above is not None and above.names_of:
        for name in names.get(above.names_of, ()):
            if name not in spot.present:
                yield _name_json(name, above.names_of, colon)


def _key_json(one: CatalogOption, colon: str) -> CompletionJson:
    return {
        "label": one.key,
        "insert": one.key + colon,
        "kind": "key",
        "detail": one.expects,
        "description": one.description,
        "default": one.default,
        "required": one.required,
    }


def _name_json(name: str, section: str, after: str = "") -> CompletionJson:
    return _value_json(name, name + after, "name", section.removesuffix("s"), "")


def _value_json(
    label: str, insert: str, kind: str, detail: str, description: str
) -> CompletionJson:
    return {
        "label": label,
        "insert": insert,
        "kind": "name" if kind == "name" else "value",
        "detail": detail,
        "description": description,
        "default": None,
        "required": False,
    }


def _values(
    path: Sequence[str | int], names: Mapping[str, Sequence[str]]
) -> Iterator[CompletionJson]:
    one = catalog().get(pattern_of(path))
    if one is None:
        return
    for choice in one.choices:
        default = "default" if choice == one.default else ""
        yield _value_json(choice, choice, "value", default, "")
    for name in names.get(one.names_of, ()) if one.names_of else ():
        yield _name_json(name, one.names_of)
    match one.type:
        case "policy":
            for name, sentence in sentences().items():
                yield _value_json(name, name, "value", "policy", sentence)
        case "target":
            for queue in names.get("queues", ()):
                yield _value_json(f"queue:{queue}", f"queue:{queue}", "name", "queue", "")
            for word in ("dialplan:", "hangup", *(("wait",) if "wait" in one.expects else ())):
                yield _value_json(word, word, "value", "", "")
        case "duration" | "hours" | "number" | "text" | "phone" if not one.choices:
            yield from _examples(one)


def _examples(one: CatalogOption) -> Iterator[CompletionJson]:
    for example in dict.fromkeys(filter(None, (one.default, one.example))):
        detail = "default" if example == one.default else "example"
        yield _value_json(example, example, "value", detail, one.expects)


def _about(spot: Spot | None, word: str) -> AboutOptionJson | None:
    """Return what is declared of the key at the cursor."""
    if spot is None:
        return None
    known = catalog()
    one = known.get(pattern_of((*spot.owner, spot.key or word)))
    if one is None:
        return None
    return {
        "key": one.key,
        "description": one.description,
        "type": one.type,
        "default": one.default,
        "example": one.example,
        "expects": one.expects,
    }
