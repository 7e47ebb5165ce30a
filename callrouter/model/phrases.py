"""Sentences for people that are also codes with values, so that a page can say them in another language.

Pure. A sentence is written once, in English, where it is said: `phrase` takes its code, its text and the
values of it. Catalogues (`callrouter/web/lang`) have the text of each code in their language; a test holds
that none is missing. The code is always written out, never put together, so that the test finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Self, TypeAlias

from callrouter.model.text import exact_duration, ordinal, rough_duration

PhraseValue: TypeAlias = "str | float | Sequence[str]"
"""A name, a number, a part of the sentence with a code of its own, or names in a row."""


class Phrase(str):
    """An English sentence that is also a `code` with `values`. It is used like any text.

    A sentence without a code is plain text: pages show it as it is.
    """

    __slots__ = ("code", "values")

    code: str
    values: Mapping[str, PhraseValue]

    def __new__(cls, text: str, code: str, /, **values: PhraseValue) -> Self:
        """Return the sentence. Values are as for `phrase`."""
        made = super().__new__(cls, text)
        made.code = code
        made.values = values
        return made


def phrase(code: str, text: str, /, many: str = "", **values: PhraseValue) -> Phrase:
    """Return an English sentence with its code.

    Args:
        code: a stable word for the kind of sentence.
        text: the sentence, with ``{name}`` for each of its values.
        many: the sentence for any `count` but 1, if it differs.
        values: names as they are, also several; numbers; seconds in keys that end in ``_s`` (in
            ``_exact_s`` if every unit counts, in ``_whole_s`` if there are no units but seconds);
            shares of 1 in keys that end in ``_share``; places in keys that end in ``_th``; and
            phrases.
    """
    form = many if many and values["count"] != 1 else text
    shown = {name: _shown(name, value) for name, value in values.items()}
    return Phrase(form.format_map(shown), code, **values)


def joined(parts: Sequence[str]) -> str:
    """Return phrases in one line, separated by semicolons; empty if there are none."""
    return reduce(_both, parts) if parts else ""


def _both(first: str, second: str) -> str:
    return phrase("both", "{first}; {second}", first=first, second=second)


def _shown(name: str, value: PhraseValue) -> str:
    """Return a value as English has it."""
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        return ", ".join(value)
    if name.endswith("_exact_s"):
        return exact_duration(value)
    if name.endswith("_whole_s"):
        return f"{value:.0f} s"
    if name.endswith("_s"):
        return rough_duration(value)
    if name.endswith("_th"):
        return ordinal(int(value))
    if name.endswith("_share"):
        return f"{value:.0%}"
    return str(value) if isinstance(value, int) else f"{value:g}"
