"""Problems of a configuration, in words for its author."""

from __future__ import annotations

import difflib
import heapq
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from callrouter.model.text import in_quotes, phrase, unless_cut
from callrouter.settings.errors import hiding

MOST: Final = 100
"""Maximum number of problems listed; any more are only counted."""
Names: TypeAlias = frozenset[str] | tuple[str, ...]

_SHOWN_MOST = 60
_TEXT_MOST: Final = 600
"""Maximum length of a message, and of a hint, in characters."""
_FEW = 200
"""Number of names that difflib can search in a few milliseconds."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake or warning, and its place.

    `line` and `column` count from 1; line 0 means the whole file (or folder). `source_line` is the
    line as written around that column, cut off where a secret may begin. It is only for readers of
    the file, not for logs or the API.
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
    """The configuration cannot be used.

    `problems` lists the first `MOST` mistakes by file and line, and a last entry says how many more
    there are. `count` is the total.
    """

    def __init__(self, problems: Collection[Problem], count: int | None = None) -> None:
        self.count = len(problems) if count is None else count
        self.problems: tuple[Problem, ...] = in_order(problems, self.count)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(
    problems: Collection[Problem], count: int, *, mistakes: bool = True
) -> tuple[Problem, ...]:
    """Sort problems, and limit them to `MOST`.

    Args:
        problems: The problems that were kept.
        count: How many there were.
        mistakes: Whether they are mistakes, and not warnings, for the line that counts the others.

    Returns:
        The problems by file and line, and a last one that says how many are not listed.
    """
    kept = sorted(problems)[:MOST]
    more = count - len(kept)
    if not more or not kept:
        return tuple(kept)
    text = _not_listed(more) if mistakes else _warnings_not_listed(more)
    last = kept[-1]
    return (*kept, Problem(last.file, last.line, last.column, text))


def _not_listed(more: int) -> str:
    one = "{count} more mistake, which is not listed"
    many = "{count} more mistakes, which are not listed"
    return phrase("more-mistakes", one, many, count=more)


def _warnings_not_listed(more: int) -> str:
    one = "{count} more warning, which is not listed"
    many = "{count} more warnings, which are not listed"
    return phrase("more-warnings", one, many, count=more)


@dataclass(slots=True)
class Source:
    """A file as read: its name for messages, and its lines.

    `name` is that of a file in the configuration folder, or the path of the folder itself, which
    has no lines.
    """

    name: str
    lines: list[str]

    def line(self, number: int, column: int = 1) -> str:
        """Return a line for display, without anything that may be a secret.

        Args:
            number: The line, from 1.
            column: The column, from 1; of a long line, the part around it is returned.

        Returns:
            The text, with ``…`` for what is hidden; empty: there is no such line, or it is blank.
        """
        return hiding.excerpt(self.lines, number, column)


class Findings:
    """Collects errors and warnings while a configuration is read; beyond `MOST` it only counts."""

    def __init__(self) -> None:
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.error_count = 0
        self.warning_count = 0

    def error(self, source: Source, line: int, column: int, text: str, hint: str = "") -> None:
        """Add an error at a place (from 1; line 0: the whole file).

        Possible secrets of that line are taken out of the text and the hint.
        """
        self.error_count += 1
        if len(self.errors) < MOST:
            self.errors.append(_problem(source, line, column, text, hint))

    def warning(self, source: Source, line: int, column: int, text: str, hint: str = "") -> None:
        """Add a warning: legal but unwise.

        The arguments are like those of `error`. Warnings have a count of their own.
        """
        self.warning_count += 1
        if len(self.warnings) < MOST:
            self.warnings.append(_problem(source, line, column, text, hint))


def _problem(source: Source, line: int, column: int, text: str, hint: str) -> Problem:
    text, hint = (
        unless_cut(part, hiding.without_secrets_near(part, source.lines, line))
        for part in (text, hint)
    )
    shown = source.line(line, column)
    return Problem(
        file=source.name,
        line=line,
        column=column,
        text=_bounded(text),
        hint=_bounded(hint),
        source_line=shown,
    )


def _bounded(text: str) -> str:
    return text if len(text) <= _TEXT_MOST else text[: _TEXT_MOST - 1] + "…"


class Nearest:
    """Finds the right name for a mistyped one, with a bounded amount of work.

    A file without its `agents` section has as many unknown names as memberships, and searching ten
    thousand names for each would take minutes.
    """

    def __init__(self, budget: int = 200_000) -> None:
        self._budget = budget
        self._found: dict[tuple[str, Names], str] = {}
        self._pairs: dict[Names, dict[str, list[str]]] = {}

    def hint(self, word: str, names: Names) -> str:
        """Suggest a name.

        Args:
            word: The name as written.
            names: The names that are possible here.

        Returns:
            ``did you mean 'x'?``; empty: no name is close, or the budget is used up.
        """
        found = self.name(word, names)
        return did_you_mean(in_quotes(found)) if found else ""

    def name(self, word: str, names: Names) -> str:
        """Return the name that is nearest to `word`; empty: none is close, or the budget is used up."""
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
        """Return the names worth comparing: of many, those that share the most letter pairs.

        At most `_FEW` of them; if there are no more than that, all.
        """
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
        # If two share equally many, the shorter one differs less.
        return heapq.nsmallest(_FEW, shared, key=lambda name: (-shared[name], len(name)))


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(len(word) - 1)}


def odd_blank(text: str) -> str:
    """Say that a text has a space which YAML takes for a letter; empty: it has none.

    Editors and web pages write such ones, and they look like any other.
    """
    odd = next((c for c in text if c.isspace() and c != " "), "")
    if not odd:
        return ""
    sentence = "it has a space that is not a plain one ({character}); write plain spaces"
    return phrase("odd-blank", sentence, character=f"U+{ord(odd):04X}")


def did_you_mean(name: str) -> str:
    """Return the question whether this name, as it is shown, was meant."""
    return phrase("did-you-mean", "did you mean {name}?", name=name)


def quoted(text: str) -> str:
    """Return user text for a message: quoted, on one line, not too long, without secrets.

    Only its first 240 characters are looked at. Every text that a file contains must pass here:
    after a mistyped key it may be a secret.
    """
    return in_quotes(hiding.without_secret(text[: 4 * _SHOWN_MOST]))
