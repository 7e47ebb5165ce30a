"""Texts on which a regular expression takes longer than it should, made from the expression itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tests.regex.found import Regex

LONG = 30_000
SIZES = (12, 18, 20, 22, 24, 26, 40, 300, 1_000, 3_000, 10_000, LONG)
"""Repetitions; in small steps, so that what doubles each time is noticed before it takes for ever."""
AT_MOST = 0.3
"""Seconds of the processor. What is linear takes a thousandth of that, what is quadratic several seconds."""
LOOKED_AT, PLAIN = 3_000, 0.001
"""What takes less than `PLAIN` at so many repetitions is linear: one that is quadratic and takes `AT_MOST` at `LONG` takes
three times as much here. Nearly all of them end here, with a tenth of the work."""
EVERY_KIND = "aA0 _-.:/\n"
ENDS = ("", "\0")
MOST_PUMPS = 24


def slow(regex: Regex, longest: int = LONG) -> str:
    """A text's description on which it is slow; empty: none was found."""
    compiled = re.compile(regex.pattern, regex.flags)
    asks = compiled.search if regex.anywhere else compiled.match
    for start, pump, end in texts(regex):
        for size in SIZES:
            text: Any = start + pump * min(size, longest // max(1, len(pump))) + end
            if isinstance(regex.pattern, bytes):
                text = text.encode("latin-1", "replace")
            began = time.process_time()
            asks(text)
            if not regex.anywhere:
                compiled.fullmatch(text)
            took = time.process_time() - began
            if took > AT_MOST:
                return f"{start!r} + {pump!r} * {size} + {end!r}"
            if size == LOOKED_AT and took < PLAIN:
                break
    return ""


def texts(regex: Regex) -> Iterator[tuple[str, str, str]]:
    """Beginnings, what is repeated, and ends."""
    pattern = regex.pattern
    parsed = parser.parse(
        pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern, regex.flags
    )
    repeats = list(dict.fromkeys(_repeats(list(parsed), "")))
    literals = dict.fromkeys(chr(each) for each in _literals(list(parsed)) if each < 0x10000)
    pumps = list(dict.fromkeys([*EVERY_KIND, *list(literals)[:8]]))
    for start, body in repeats or [("", "a")]:
        for pump in dict.fromkeys([body, *pumps]):
            if pump:
                for end in ENDS:
                    yield start, pump, end
    # Two kinds in turn, for what begins anew at every other place.
    for pump in [a + b for a in pumps[:5] for b in list(literals)[:5] if a != b][:MOST_PUMPS]:
        yield "", pump, "\0"


def _repeats(items: list[Any], before: str) -> Iterator[tuple[str, str]]:
    """For each repetition: a text that leads up to it, and one that it repeats."""
    for kind, value in items:
        if kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
            _, most, inner = value
            body = _sample(list(inner))
            if most > 20:
                yield before, body
            yield from _repeats(list(inner), before)
        elif kind is op.SUBPATTERN:
            yield from _repeats(list(value[3]), before)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from _repeats(list(branch), before)
        elif kind in {op.ASSERT, op.ASSERT_NOT}:
            yield from _repeats(list(value[1]), before)
            continue
        elif kind is op.ATOMIC_GROUP:
            yield from _repeats(list(value), before)
        before += _sample([(kind, value)])


def _sample(items: list[Any]) -> str:
    """A text that fits."""
    made = ""
    for kind, value in items:
        if kind is op.LITERAL:
            made += chr(value)
        elif kind is op.NOT_LITERAL:
            made += "a" if value != ord("a") else "b"
        elif kind is op.ANY:
            made += "a"
        elif kind is op.IN:
            made += _one_of(value)
        elif kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
            made += _sample(list(value[2])) * max(1, min(value[0], 40))
        elif kind is op.SUBPATTERN:
            made += _sample(list(value[3]))
        elif kind is op.BRANCH:
            made += _sample(list(value[1][0]))
        elif kind is op.ATOMIC_GROUP:
            made += _sample(list(value))
    return made


def _one_of(items: list[Any]) -> str:
    test = [item for item in items if item[0] is not op.NEGATE]
    negated = len(test) < len(items)
    for char in (*EVERY_KIND, *map(chr, range(33, 127)), "\x01", "é"):
        if any(_is_in(char, item) for item in test) is not negated:
            return str(char)
    kind, value = test[0]
    return chr(int(value if kind is op.LITERAL else value[0]))


def _is_in(char: str, item: tuple[Any, Any]) -> bool:
    kind, value = item
    if kind is op.LITERAL:
        return bool(ord(char) == value)
    if kind is op.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    classes = {
        op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_WORD: r"\w",
        op.CATEGORY_NOT_WORD: r"\W", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    }  # fmt: skip
    return re.fullmatch(classes[value], char) is not None


def _literals(items: list[Any]) -> Iterator[int]:
    for kind, value in items:
        if kind is op.LITERAL:
            yield value
        elif kind is op.IN:
            yield from (each for name, each in value if name is op.LITERAL)
        elif kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
            yield from _literals(list(value[2]))
        elif kind is op.SUBPATTERN:
            yield from _literals(list(value[3]))
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from _literals(list(branch))
        elif kind in {op.ASSERT, op.ASSERT_NOT}:
            yield from _literals(list(value[1]))
