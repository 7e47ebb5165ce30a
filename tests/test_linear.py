"""Every regular expression of the product takes time in proportion to what it reads.

Each is tried on long texts made of the characters that stand in it: one of them over and over, two in turn,
with an end that fits nothing. One that goes back over what it has read takes seconds for these.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import MappingProxyType
from typing import Any

import pytest

import callrouter

LONG = 20_000
SECONDS = 0.25
"""A linear one takes a millisecond or two; a quadratic one half a second and more."""
_WAYS = ("search", "match", "fullmatch")
_COMMON = " a0-"
_MOST = 7
_BOUNDED = {
    "callrouter.mobiles.policy._EXTENSION": "numbers as typed have 40 characters at most",
    "callrouter.settings.durations._PART": "durations have 40 characters at most",
    "callrouter.settings.hiding._ENTRY": "only the first LONGEST characters of a line are looked at",
}
"""Those that may take longer, each with what limits its text."""


def _modules() -> Iterator[str]:
    others = ("callrouter.lab", "callrouter.demo", "callrouter.store.migr", "callrouter.__main__")
    for found in pkgutil.walk_packages(callrouter.__path__, "callrouter."):
        if not found.name.startswith(others):
            yield found.name


def _patterns(value: object, name: str, depth: int = 0) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif depth < 2 and isinstance(value, dict | MappingProxyType):
        for key, item in value.items():
            yield from _patterns(item, f"{name}[{key!r}]", depth + 1)
    elif depth < 2 and isinstance(value, tuple | list | set | frozenset):
        for n, item in enumerate(value):
            yield from _patterns(item, f"{name}[{n}]", depth + 1)


def _all() -> dict[str, re.Pattern[Any]]:
    found: dict[str, re.Pattern[Any]] = {}
    seen: set[tuple[object, int]] = set()
    for module in _modules():
        for key, value in vars(importlib.import_module(module)).items():
            for name, pattern in _patterns(value, f"{module}.{key}"):
                if (pattern.pattern, pattern.flags) not in seen:
                    seen.add((pattern.pattern, pattern.flags))
                    found[name] = pattern
    return found


PATTERNS = _all()


def _characters(parsed: Any) -> Iterator[str]:
    """Characters that some part of a pattern takes."""
    for op, given in parsed:
        if op in {c.LITERAL, c.NOT_LITERAL}:
            yield chr(given)
        elif op is c.RANGE:
            yield chr(given[0])
        elif op is c.CATEGORY:
            yield {c.CATEGORY_DIGIT: "7", c.CATEGORY_SPACE: "\t", c.CATEGORY_WORD: "w"}.get(
                given, "."
            )
        elif op is c.IN:
            yield from itertools.islice(_characters(given), 3)
        elif op is c.ANY:
            yield "x"
        elif op in {c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT}:
            yield from _characters(given[2])
        elif op is c.SUBPATTERN:
            yield from _characters(given[3])
        elif op is c.BRANCH:
            for branch in given[1]:
                yield from itertools.islice(_characters(branch), 2)
        elif op in {c.ASSERT, c.ASSERT_NOT}:
            yield from _characters(given[1])
        elif op is c.ATOMIC_GROUP:
            yield from _characters(given)


def _texts(pattern: re.Pattern[Any]) -> Iterator[str]:
    parsed = _parser.parse(pattern.pattern, pattern.flags & ~re.LOCALE)
    found = dict.fromkeys(itertools.chain(_characters(parsed), _COMMON))
    some = list(found)[:_MOST] + [one for one in _COMMON if one not in list(found)[:_MOST]]
    starts = dict.fromkeys(("", "".join(list(found)[:2])))
    for one, other in itertools.product(some, some):
        body = one * LONG if one == other else (one + other) * (LONG // 2)
        for start in starts:
            yield start + body + "\x01"


def _ways(name: str) -> Iterator[str]:
    """The ways in which a pattern is used where it stands; all of them if that cannot be seen."""
    module, _, variable = name.partition("[")[0].rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    used = set(re.findall(rf"\b{variable}\.(\w+)\(", source))
    for way in _WAYS:
        searches = way == "search" and used & {"findall", "finditer", "sub", "split", "subn"}
        if not used or way in used or searches:
            yield way


@pytest.mark.parametrize("name", [name for name in PATTERNS if name not in _BOUNDED])
def test_it_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    for text in _texts(pattern):
        given: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
        for way in _ways(name):
            began = time.process_time()
            getattr(pattern, way)(given)
            took = time.process_time() - began
            assert took < SECONDS, f"{took:.2f} s for {text[:6]!r} … by {way}"


def test_there_are_many_and_a_bad_one_is_noticed() -> None:
    assert len(PATTERNS) > 50
    bad = re.compile(r"\s*secret\s*=")
    text = next(text for text in _texts(bad) if text.startswith("\t" * 50))
    began = time.process_time()
    bad.search(text)
    assert time.process_time() - began > SECONDS, "or the limit does not tell them apart"
