"""A YAML text as a tree that knows where each key and value stands, for edits of the text itself.

The strict reader (`callrouter.settings.yaml.reader`) says what is wrong with a file. This one reads
the same language without judging it, and keeps what an editor needs: the place of every key and
value as offsets into the text, whether it is written in blocks or in braces, and comments.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import yaml

from callrouter.background import without_collection
from callrouter.model.text import phrase
from callrouter.settings.errors.problems import quoted
from callrouter.settings.yaml.reader import MAX_DEPTH, plain_value
from callrouter.settings.yaml.source import KeyPath

MOST_NODES: Final = 300_000
"""Most keys and values of a text. Ten thousand agents have half of that."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK: Final = re.compile("\r\n|\r|\n")
_ODD_BREAK: Final = re.compile("[\x85\u2028\u2029]")
"""Line breaks for YAML and for no editor."""

Kind: TypeAlias = Literal["scalar", "mapping", "list"]


class UnreadableTextError(Exception):
    """A text that is not YAML, or not of the kind that the files are written in.

    Attributes:
        line: where, from 1.
        column: where, from 1.
    """

    def __init__(self, text: str, line: int = 1, column: int = 1) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


class TooManyValuesError(UnreadableTextError):
    """A text with more than `MOST_NODES` keys and values."""


@dataclass(slots=True)
class Node:
    """A value as written.

    Attributes:
        kind: what it is.
        start: the offset of its first character.
        end: the offset behind its last character. Comments and empty lines behind it do not count.
        flow: written in braces or brackets.
        value: of a scalar, what it means: a text, a number, true, false or None.
        style: of a scalar, its quote, ``|`` or ``>``; empty: it is plain.
        entries: of a mapping, its keys in order.
        items: of a list, its items.
    """

    kind: Kind
    start: int
    end: int
    flow: bool = False
    value: object = None
    style: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)

    def plain(self) -> object:
        """Return the value in plain Python: dicts, lists, texts, numbers, true, false and None."""
        if self.kind == "mapping":
            return {key: entry.node.plain() for key, entry in self.entries.items()}
        if self.kind == "list":
            return [item.plain() for item in self.items]
        return self.value

    def at(self, path: Sequence[str | int]) -> Node | None:
        """Return the value at a path below this one; None: there is none."""
        node = self
        for part in path:
            if node.kind == "mapping" and str(part) in node.entries:
                node = node.entries[str(part)].node
            elif node.kind == "list" and isinstance(part, int) and 0 <= part < len(node.items):
                node = node.items[part]
            else:
                return None
        return node

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Yield this value and all below it with their paths, outer ones first."""
        yield path, self
        for key, entry in self.entries.items():
            yield from entry.node.walk((*path, key))
        for n, item in enumerate(self.items):
            yield from item.walk((*path, n))


@dataclass(slots=True)
class Entry:
    """A key of a mapping, and its value."""

    start: int
    end: int
    node: Node


class TextPlaces:
    """A text and the lines in it.

    Args:
        text: the text. A byte order mark counts as a character of it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(match.end() for match in _BREAK.finditer(text))]
        self._skipped = 1 if text.startswith("\ufeff") else 0

    @property
    def line_break(self) -> str:
        """The line break that the text uses: that of its first line."""
        found = _BREAK.search(self.text)
        return found[0] if found else "\n"

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, from 1.

        The byte order mark has no column.
        """
        line = bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[line] + 1
        return line + 1, column - (self._skipped if line == 0 else 0)

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and a column, from 1.

        Places outside of the text are moved to its nearest end.
        """
        if line < 1:
            return 0
        if line > len(self._line_starts):
            return len(self.text)
        first = self._skipped if line == 1 else 0
        return min(self._line_starts[line - 1] + first + max(0, column - 1), self._line_end(line))

    def line_start(self, offset: int) -> int:
        """Return where the line of an offset begins."""
        return self._line_starts[bisect_right(self._line_starts, offset) - 1]

    def next_line(self, offset: int) -> int:
        """Return where the line after that of an offset begins; the length of the text if none."""
        line = bisect_right(self._line_starts, offset)
        return self._line_starts[line] if line < len(self._line_starts) else len(self.text)

    def indent(self, offset: int) -> int:
        """Return how many characters stand before an offset in its line."""
        return self.place(offset)[1] - 1

    def _line_end(self, line: int) -> int:
        if line >= len(self._line_starts):
            return len(self.text)
        end = self._line_starts[line]
        return end - (2 if self.text[end - 2 : end] == "\r\n" else 1)


class TextTree(TextPlaces):
    """A text and what stands where in it.

    Args:
        text: the text.

    Raises:
        UnreadableTextError: it is not YAML, has aliases, tags or several documents, is nested too
            deeply or has too many values.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0
        self._scalars: list[tuple[int, int]] = []
        with without_collection():  # many objects, none of which is garbage
            self.root = self._read()

    def node(self, path: Sequence[str | int]) -> Node:
        """Return the value at a path.

        Raises:
            KeyError: there is none.
        """
        found = self.root.at(path)
        if found is None:
            raise KeyError(tuple(path))
        return found

    def comments(self) -> Iterator[tuple[int, int]]:
        """Yield where each comment begins and ends: from its ``#`` to the end of its line."""
        starts = [start for start, _ in self._scalars]
        for line in range(1, len(self._line_starts) + 1):
            begin, end = self._line_starts[line - 1], self._line_end(line)
            at = self.text.find("#", begin, end)
            while at >= 0:
                n = bisect_right(starts, at) - 1
                inside = n >= 0 and at < self._scalars[n][1]
                if not inside and (at == begin or self.text[at - 1] in " \t\ufeff"):
                    yield at, end
                    break
                at = self.text.find("#", at + 1, end)

    # ------------------------------------------------------------ reading

    def _read(self) -> Node:
        root: Node | None = None
        if (odd := _ODD_BREAK.search(self.text)) is not None:
            line, column = self.place(odd.start())
            code = f"U+{ord(odd[0]):04X}"
            why = phrase("control-character", "control character {character}", character=code)
            raise UnreadableTextError(why, line, column)
        try:
            events = iter(yaml.parse(self.text[self._skipped :], Loader=_LOADER))
            for event in events:
                if isinstance(event, yaml.NodeEvent):
                    if root is not None:
                        second = phrase("yaml-second-document", "a second document begins here")
                        raise self._wrong(event, second)
                    root = self._node(event, events)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            problem = str(getattr(error, "problem", None) or "unreadable")
            line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            not_yaml = phrase("yaml-none", "not YAML: {problem}", problem=problem)
            raise UnreadableTextError(not_yaml, line, column) from error
        if root is None or (root.kind == "scalar" and root.value is None):
            return Node("mapping", len(self.text), len(self.text))
        if root.kind != "mapping":
            raise UnreadableTextError(phrase("yaml-sections", "the file must consist of sections"))
        return root

    def _wrong(self, event: Any, why: str) -> UnreadableTextError:
        return UnreadableTextError(why, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any]) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            text = phrase("too-many-values", "more than {most_many} values", most_many=MOST_NODES)
            raise TooManyValuesError(text, line, column)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            said = "anchors (&) and aliases (*) are not supported"
            raise self._wrong(event, phrase("anchors-and-aliases", said))
        if event.tag is not None:
            raise self._wrong(event, phrase("yaml-tags", "tags (!) are not supported"))
        start, end = (mark.index + self._skipped for mark in (event.start_mark, event.end_mark))
        if isinstance(event, yaml.ScalarEvent):
            if event.style in {"|", ">"}:
                end = start + len(self.text[start:end].rstrip())
            if end > start:
                self._scalars.append((start, end))
            value = plain_value(event.value) if event.implicit[0] else event.value
            return Node("scalar", start, end, value=value, style=event.style or "")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            text = phrase("yaml-too-deep", "nested more than {most} deep", most=MAX_DEPTH)
            raise self._wrong(event, text)
        read = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list
        node = read(start, events, flow=bool(event.flow_style))
        self._depth -= 1
        return node

    def _mapping(self, start: int, events: Iterator[Any], *, flow: bool) -> Node:
        node = Node("mapping", start, start, flow=flow)
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events)
            value = self._node(next(events), events)
            if key.kind != "scalar":
                raise self._wrong(event, phrase("key-plain-name", "a key must be a plain name"))
            if value.start == value.end:  # an empty value is reported where the next key begins
                value.start = value.end = self.text.find(":", key.end) + 1
            node.end = max(value.end, key.end)
            if event.value in node.entries:
                text = "duplicate key {key}"
                raise self._wrong(
                    event, phrase("yaml-duplicate-key", text, key=quoted(event.value))
                )
            node.entries[event.value] = Entry(key.start, key.end, value)
        if flow:
            node.end = event.end_mark.index + self._skipped
        return node

    def _list(self, start: int, events: Iterator[Any], *, flow: bool) -> Node:
        node = Node("list", start, start, flow=flow)
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item = self._node(event, events)
            node.items.append(item)
            node.end = max(node.end, item.end)
        if flow:
            node.end = event.end_mark.index + self._skipped
        return node
