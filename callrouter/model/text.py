"""Text for people: phone numbers masked, text from outside cleaned, counts, lists and durations; sentences with codes.

Pure. The only place for these, so that a number is masked alike in the log, an answer of the API
and a description of changes. Durations as the files write them (``1m30s``) are in
`callrouter.settings.schema.durations`, next to their parser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from itertools import islice
from typing import Any, Final, Self, TypeAlias

_ENDING: Final = 3
"""Digits at the end of a masked number that stay visible."""
_COUNTRY_FROM: Final = 10
"""Length from which the start of the country code is shown too. Of a shorter number, both ends
would give away too much.
"""
_TIMER_TOLERANCE: Final = 0.01
"""Seconds by which a timer may be early: 2.998 s of ringing are 3 s."""
_DAYS_FROM: Final = 72
"""Hours from which a duration is given in days."""


_LONGEST_NAME: Final = 64
"""Longest name in characters for which a similar one is searched."""
_COMPARED: Final = 200
"""Number of names compared with a mistyped one. This keeps the search within a few milliseconds."""


# ---------------------------------------------------------------- text from outside


def clean(text: str) -> str:
    """Return `text` with U+FFFD in place of characters that move the cursor or change direction.

    Caller names come from strangers. None of their line feeds, escape sequences or right-to-left
    marks may reach a terminal or a log.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def mask(number: str, *, whole: int = _ENDING, words: bool = True) -> str:
    """Return a phone number masked for display: ``+44…123``, ``…123``.

    Args:
        number: The number. It may be invalid, as typed by a person or sent by a trunk.
        whole: Up to this length it is not a person's number but an extension or a prefix, and is
            shown as it is.
        words: Whether text without any digit, such as ``anonymous``, is shown as it is.
    """
    number = clean(number)
    if len(number) <= whole or (words and not any(c.isdigit() for c in number)):
        return number
    start = number[:3] if number.startswith("+") and len(number) >= _COUNTRY_FROM else ""
    return f"{start}…{number[-_ENDING:]}"


def in_quotes(text: str, longest: int = 60) -> str:
    """Return `text` in quotes on one line, cut to `longest` characters.

    If one of them cannot be printed, the text is escaped as by `ascii()`. The quotes and escapes do
    not count.
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return f"'{short}'" if short.isprintable() else ascii(short)


# ---------------------------------------------------------------- counts and lists


def nearest_name(wrong: str, names: Iterable[str]) -> str:
    """The name that is most like a wrong one, and that its writer may have meant; empty if none is.

    Of many names those come first that begin or end alike. At most `_COMPARED` are compared, and
    none if the wrong one is longer than any name can be.
    """
    if not wrong or len(wrong) > _LONGEST_NAME:
        return ""
    small, known = wrong.lower(), list(names)
    if len(known) > _COMPARED:
        known.sort(key=lambda name: name[:2] != small[:2] and name[-2:] != small[-2:])
    close = get_close_matches(small, islice(known, _COMPARED), n=1, cutoff=0.6)
    return close[0] if close else ""


def counted(count: int | str, one: str, more: str = "", *, zero: str = "no") -> str:
    """Return ``no calls``, ``1 call``, ``2 calls``.

    Args:
        count: The number, also as text.
        one: What is counted, in the singular.
        more: The plural; default: `one` with an ``s``.
        zero: The word for 0.
    """
    return f"{count or zero} {one if str(count) == '1' else more or one + 's'}"


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``11th``."""
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in {11, 12, 13} else last}"


def listed(names: Collection[str], last: str = "and") -> str:
    """Return ``a, b and c``; `last` is the word before the last one.

    Empty if there are no names.
    """
    first = list(names)
    return f"{', '.join(first[:-1])} {last} {first[-1]}" if len(first) > 1 else "".join(first)


def first_few(names: Sequence[str], most: int, total: int | None = None) -> str:
    """Return ``alice, bob and 12 more``.

    Args:
        names: The names, or the first of them.
        most: Maximum number of names shown.
        total: How many there are; default: all of `names`.
    """
    shown = names[:most]
    more = (len(names) if total is None else total) - len(shown)
    if more <= 0:
        return ", ".join(shown)
    return phrase("names-and-more", "{names} and {count} more", names=shown, count=more)


# ---------------------------------------------------------------- durations, from seconds


def exact_duration(seconds: float) -> str:
    """Return a duration in words, to the second: ``45 min``, ``1 h 30 min``, ``20 s``.

    It is rounded to the nearest second and leaves out parts that are 0. `rough_duration` is for
    waits and talks, of which only the first two units matter.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def rough_duration(seconds: float) -> str:
    """Return a duration in words, with two units at most: ``0.4 s``, ``3 min 10 s``, ``1 h 5 min``.

    It is rounded down from 1 s on, as in tables and queue_log, so that one wait has one figure
    everywhere.
    """
    seconds = max(0.0, seconds)
    if seconds < 0.95:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "0 s"
    whole = max(1, int(seconds + _TIMER_TOLERANCE))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def clock_duration(seconds: float | None, *, digits: int = 0, unknown: str = "") -> str:
    """Return a duration for a column of a table: ``7 s``, ``2:05``, ``1:02:03``, ``3 days``.

    Args:
        seconds: The duration; None: it is not known.
        digits: Decimal places below a minute. Without any, it is rounded down.
        unknown: The text for None.
    """
    if seconds is None:
        return unknown
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.{digits}f} s" if digits else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _DAYS_FROM:
        return f"{hours // 24} days"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def stopwatch(seconds: float) -> str:
    """Return minutes and seconds, rounded down: ``0:07``, ``2:05``, ``75:10``.

    Hours are given as minutes. A negative duration counts as 0.
    """
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02}"


# ---------------------------------------------------------------- sentences that have codes

# A sentence is written once, in English, where it is said. The catalogues in `callrouter/web/lang/says`
# have it in the other languages by its code. The code and the text are always written out, so that
# `release.sentences` finds them.

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

    def __reduce__(self) -> tuple[object, tuple[str, str, dict[str, PhraseValue]]]:
        """Return what copies it."""
        return _copy, (str(self), self.code, dict(self.values))


def _copy(text: str, code: str, values: dict[str, PhraseValue]) -> Phrase:
    return Phrase(text, code, **values)


def unless_cut(sentence: str, left: str) -> str:
    """Return a sentence with its code if nothing had to be cut from it, otherwise what is left.

    What is left has no code: its values would give away what was cut.
    """
    return sentence if left == sentence else left


def phrase(code: str, text: str, /, many: str = "", **values: PhraseValue) -> Phrase:
    """Return an English sentence with its code.

    Args:
        code: a stable word for the kind of sentence.
        text: the sentence, with ``{name}`` for each of its values.
        many: the sentence for any `count` but 1, if it differs.
        values: names as they are, also several; numbers; seconds in keys that end in ``_s`` (in
            ``_exact_s`` if every unit counts, in ``_whole_s`` if there are no units but seconds);
            shares of 1 in keys that end in ``_share``; places in keys that end in ``_th``; large
            numbers in keys that end in ``_many``;
            alternatives in keys that end in ``_or``; what counts together in keys that end in
            ``_and``; and phrases.
    """
    form = many if many and values["count"] != 1 else text
    shown = {name: _shown(name, value) for name, value in values.items()}
    return Phrase(form.format_map(shown), code, **values)


def sentence_of(error: Exception) -> str:
    """Return the sentence of an error, which has a code if it was made with one. `str` has none."""
    match error.args:
        case [str(sentence)]:
            return sentence
        case _:
            return str(error)


def coded(sentence: str) -> dict[str, Any]:
    """Return a sentence as JSON has it, a code with values; one without a code has none."""
    if not isinstance(sentence, Phrase):
        return {"code": "", "values": {}}
    values = {name: _data(value) for name, value in sentence.values.items()}
    return {"code": sentence.code, "values": values}


def phrase_data(sentence: str) -> dict[str, Any] | None:
    """Return a sentence as JSON stores it, with code, values and text; None: it has no code."""
    return {**coded(sentence), "text": str(sentence)} if isinstance(sentence, Phrase) else None


def _data(value: PhraseValue) -> object:
    if isinstance(value, str):
        return phrase_data(value) or value
    return value if isinstance(value, int | float) else list(value)


def stored_phrase(text: str, data: object) -> str:
    """Return a sentence with the code and the values that were stored with it.

    Args:
        text: the sentence as it was stored.
        data: what `phrase_data` made of it. If it is anything else, the sentence has no code.
    """
    match data:
        case {"code": str(code), "text": str(whole), "values": dict(values)} if whole == text:
            try:
                return Phrase(text, code, **{name: _value(value) for name, value in values.items()})
            except (TypeError, ValueError, RecursionError):
                return text
        case _:
            return text


def _value(data: object) -> PhraseValue:
    match data:
        case {"text": str(text)}:
            return stored_phrase(text, data)
        case str() | int() | float():
            return data
        case [*names]:
            return [str(name) for name in names]
        case _:
            raise ValueError(data)


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
        if name.endswith(("_or", "_and")):
            return listed(value, name.rpartition("_")[2])
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
    if name.endswith("_many"):
        return f"{value:,}"
    return str(value) if isinstance(value, int) else f"{value:g}"
