"""Where a cursor is in a text that a person is typing: the path of the mapping around it.

Such a text is rarely YAML yet, so this goes by lines, indentation and brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from callrouter.settings.yaml.source import KeyPath

LONGEST_LINE: Final = 2_000
"""Longer lines are not looked at."""
_LONGEST_FLOW: Final = 100_000
"""Longer texts in brackets are given up."""
_DEEPEST: Final = 40
"""Brackets within brackets of which paths are told. A path has a part for each, so they must be few."""
_NEAR: Final = 2_000
"""Lines below that are searched for keys of the same mapping."""
_KEY: Final = re.compile(
    r"""(?:"([^"]*)"|'([^']*)'|([^\s:#"'{}\[\],-][^\s:#{}\[\],]*))[ ]*:(?=[ ]|$)"""
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a cursor is.

    Attributes:
        owner: the path of the mapping or the list around it.
        key: the key whose value it is in; None: a key, or an item of a list, may stand there.
        present: the keys that the mapping has already.
    """

    owner: KeyPath
    key: str | None
    present: frozenset[str]


@dataclass(slots=True)
class _Frame:
    """A key or an item of a list that has begun and may go on below."""

    column: int
    part: str | int
    siblings: set[str] = field(default_factory=set)


def in_comment(before: str) -> bool:
    """Return whether the end of the beginning of a line is in a comment."""
    quote = ""
    for n, char in enumerate(before):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (n == 0 or before[n - 1] in " [{,:"):
            quote = char
        elif char == "#" and (n == 0 or before[n - 1] in " \t"):
            return True
    return False


def spot_at(lines: Sequence[str], number: int, before: str) -> Spot:
    """Return where a cursor is.

    Args:
        lines: the lines of the text.
        number: the line of the cursor, from 1.
        before: what stands in this line before the word at the cursor.
    """
    blocks = _Blocks()
    for line in lines[: number - 1]:
        blocks.take(line[:LONGEST_LINE])
    if blocks.open:
        return _in_flow(blocks.open + " " + before, blocks.path)
    rest, column, key = blocks.last(before)
    if "{" in rest or "[" in rest:
        return _in_flow(rest, blocks.path)
    owner = blocks.path
    if key is not None:
        return Spot(owner[:-1], key, frozenset())
    below = _keys_below(lines[number : number + _NEAR], column)
    return Spot(owner, None, frozenset({*blocks.siblings(column), *below}))


class _Blocks:
    """The keys and items around the lines that were taken so far.

    Attributes:
        open: the text of brackets that are open, since they began.
    """

    def __init__(self) -> None:
        self._frames: list[_Frame] = []
        self._done: dict[int, set[str]] = {}
        self._depth = 0
        self.open = ""

    @property
    def path(self) -> KeyPath:
        return tuple(frame.part for frame in self._frames)

    def siblings(self, column: int) -> set[str]:
        """Return the keys that stood at a column, in the mapping that is still open there."""
        return self._done.get(column, set())

    def take(self, line: str) -> None:
        """Take a whole line."""
        rest = line
        if not self.open:
            if not line.strip() or line.lstrip().startswith("#"):
                return
            rest, _, _ = self.last(line)
        self._depth += sum((char in "{[") - (char in "}]") for char in rest)
        if self._depth > 0 and len(self.open) < _LONGEST_FLOW:
            self.open += " " + rest
        else:
            self.open, self._depth = "", 0

    def last(self, line: str) -> tuple[str, int, str | None]:
        """Take a line up to a cursor; return what follows its key, the key's column and the key."""
        at = len(line) - len(line.lstrip(" "))
        while line[at : at + 2] in {"- ", "-"}:
            self._close(at + 1)
            index = 0
            if self._frames and self._frames[-1].column == at and self._is_item():
                index = int(self._frames.pop().part) + 1
            self._frames.append(_Frame(at, index))
            self._forget(at + 1)
            at += 2
            at += len(line[at:]) - len(line[at:].lstrip(" "))
        found = _KEY.match(line, at)
        self._close(at)
        if found is None:
            return line[at:], at, None
        key = next(group for group in found.groups() if group is not None)
        self._frames.append(_Frame(at, key))
        self._done.setdefault(at, set()).add(key)
        self._forget(at + 1)
        return line[found.end() :], at, key

    def _is_item(self) -> bool:
        return isinstance(self._frames[-1].part, int)

    def _close(self, column: int) -> None:
        """End all that begins at a column or behind it."""
        while self._frames and self._frames[-1].column >= column:
            self._frames.pop()

    def _forget(self, column: int) -> None:
        for known in [at for at in self._done if at >= column]:
            del self._done[known]


def _keys_below(lines: Sequence[str], column: int) -> Iterator[str]:
    for line in lines:
        at = len(line) - len(line.lstrip(" "))
        if not line.strip() or line[at] == "#":
            continue
        if at < column:
            return
        found = _KEY.match(line[:LONGEST_LINE], at)
        if at == column and found is not None:
            yield next(group for group in found.groups() if group is not None)


def _in_flow(text: str, owner: KeyPath) -> Spot:
    """Return where the end of a text in braces and brackets is; `owner` is the key before it."""
    flow = _Flow(owner)
    for char in text:
        flow.take(char)
    return flow.spot()


class _Flow:
    """The braces and brackets that are open."""

    def __init__(self, owner: KeyPath) -> None:
        self._path = owner
        self._stack: list[tuple[str, KeyPath, set[str]]] = []
        self._present: set[str] = set()
        self._key: str | None = None
        self._word = ""

    def take(self, char: str) -> None:
        """Take the next character."""
        if char in "{[":
            self._open(char)
        elif char in "}]":
            if self._stack:
                _, self._path, self._present = self._stack.pop()
            self._key, self._word = None, ""
        elif char == ":" and self._key is None:
            self._key, self._word = self._word.strip().strip("\"'"), ""
            self._present.add(self._key)
        elif char == ",":
            self._key, self._word = None, ""
        else:
            self._word += char

    def _open(self, char: str) -> None:
        self._stack.append((char, self._path, self._present))
        if len(self._stack) <= _DEEPEST:
            if self._key is not None:
                self._path = (*self._path, self._key)
            elif len(self._stack) > 1:
                self._path = (*self._path, 0)
        self._key, self._word, self._present = None, "", set()

    def spot(self) -> Spot:
        """Return where the characters that were taken end."""
        if not self._stack:
            path = self._path
            return Spot(path[:-1], str(path[-1]) if path else None, frozenset())
        if self._stack[-1][0] == "[":
            return Spot((*self._path, 0), None, frozenset())
        return Spot(self._path, self._key, frozenset(self._present))
