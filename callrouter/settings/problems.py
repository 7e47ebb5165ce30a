"""What can be wrong with a configuration, in words for the person who wrote it."""

from __future__ import annotations

import difflib
import heapq
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

SECRET_KEYS = frozenset(
    {
        "secret",
        "password",
        "pin",
        "token",
        "auth_token",
        "other_auth_token",
        "api_secret",
        "database",
    }
)
"""Keys whose values never appear in a message, a repr or a quoted line."""

Names: TypeAlias = frozenset[str] | tuple[str, ...]

_KEY = re.compile(r"""([A-Za-z_][\w-]*)["']?\s*:""")
_SHOWN_MOST = 60
_LOOK_BACK = 20
_FEW = 200
"""Names that difflib looks through in a few milliseconds."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, or legal but foolish, and where.

    `line` and `column` count from 1; line 0 means the file (or folder) as a whole. `source_line` is
    the line as written, cut off where a secret begins.
    """

    file: str
    line: int
    column: int
    text: str
    hint: str = ""
    source_line: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.text}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` is all that is wrong, by file and line."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Source:
    """A file as read: its name for messages, and its lines."""

    name: str
    lines: list[str]

    def line(self, number: int) -> str:
        """Line `number` (from 1) without any secret; empty when there is no such line."""
        if not 1 <= number <= len(self.lines):
            return ""
        line = self.lines[number - 1]
        # A secret written below its key ("secret: |") belongs to the nearest line further left.
        for above in reversed(self.lines[max(0, number - 1 - _LOOK_BACK) : number - 1]):
            if above.strip() and _indent(above) < _indent(line):
                if _before_secret(above) is not None:
                    return "…"
                break
        kept = _before_secret(line)
        return line if kept is None else f"{kept} …"


class Findings:
    """Collects problems and warnings while a configuration is read."""

    def __init__(self) -> None:
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(self, source: Source, line: int, column: int, text: str, hint: str = "") -> None:
        """Note an error at a place (from 1; line 0: the whole file)."""
        self.errors.append(Problem(source.name, line, column, text, hint, source.line(line)))

    def warning(self, source: Source, line: int, column: int, text: str, hint: str = "") -> None:
        """Note something legal but foolish."""
        self.warnings.append(Problem(source.name, line, column, text, hint, source.line(line)))


class Nearest:
    """Finds the right name for a mistyped one, within a bounded amount of work.

    A file that misses its whole `agents` section has as many dangling names as memberships; looking
    through ten thousand names for each of them would take minutes.
    """

    def __init__(self, budget: int = 200_000) -> None:
        self._budget = budget
        self._found: dict[tuple[str, Names], str] = {}
        self._pairs: dict[Names, dict[str, list[str]]] = {}

    def hint(self, word: str, names: Names) -> str:
        """Give ``did you mean 'x'?``, or nothing when no name comes near."""
        found = self._nearest(word, names)
        return f"did you mean {quoted(found)}?" if found else ""

    def _nearest(self, word: str, names: Names) -> str:
        known = self._found.get((word, names))
        if known is not None:
            return known
        if len(word) > 100 or self._budget < len(names):
            return ""
        self._budget -= len(names)
        close = difflib.get_close_matches(word.lower(), self._alike(word, names), n=1, cutoff=0.6)
        found = close[0] if close else ""
        self._found[(word, names)] = found
        return found

    def _alike(self, word: str, names: Names) -> Collection[str]:
        """The names worth a close look: of very many, those that share the most pairs of letters."""
        if len(names) <= _FEW:
            return names
        if names not in self._pairs:
            pairs: dict[str, list[str]] = {}
            for name in names:
                for pair in _pairs(name):
                    pairs.setdefault(pair, []).append(name)
            self._pairs[names] = pairs
        shared = Counter(
            name for pair in _pairs(word.lower()) for name in self._pairs[names].get(pair, ())
        )
        # The shorter of two that share as much has less that is different.
        return heapq.nsmallest(_FEW, shared, key=lambda name: (-shared[name], len(name)))


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(len(word) - 1)}


def quoted(text: str) -> str:
    """A text of the user's for use in a message: in quotes, on one line, not too long."""
    short = text if len(text) <= _SHOWN_MOST else text[: _SHOWN_MOST - 1] + "…"
    return f"'{short}'" if short.isprintable() else ascii(short)


def listed(names: Collection[str], last: str = "and") -> str:
    """``a, b and c``."""
    first = list(names)
    return f"{', '.join(first[:-1])} {last} {first[-1]}" if len(first) > 1 else "".join(first)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _before_secret(line: str) -> str | None:
    """Give the part of a line up to the colon of a key that is, or was meant to be, a secret's."""
    for match in _KEY.finditer(line):
        if _is_secret(match[1].lower()):
            return line[: match.end()]
    return None


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return bool(difflib.get_close_matches(key[:40], SECRET_KEYS, n=1, cutoff=0.7))
