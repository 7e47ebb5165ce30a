"""A file's text as a person may see it, with marks for what is hidden; and back again.

A value that may not be seen is shown as ``"•••"``, and a comment that may hold a secret as
``#••• 3``. Both can stay where they are while the rest is edited: `restored` puts the originals in
their place, and in no other. A mark at another place would let a person read what is behind it, for
instance as the name of a queue, so it is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from callrouter.model.text import phrase
from callrouter.settings.editing.text_tree import (
    Entry,
    Node,
    TextPlaces,
    TextTree,
    UnreadableTextError,
)
from callrouter.settings.errors.hiding import cut, part_shown
from callrouter.settings.yaml.source import KeyPath

MARK: Final = "•••"
_VALUE: Final = f' "{MARK}"'
_COMMENT: Final = re.compile(f"#{MARK} ([0-9]{{1,6}})")

Sees = Callable[[KeyPath], bool]


class MovedMarkError(Exception):
    """A mark stands where nothing was hidden, or its surroundings were changed too much."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part of the text that is hidden, and what is shown instead."""

    start: int
    end: int
    shown: str
    path: KeyPath | None


class HiddenText:
    """A text, and what of it is hidden.

    Args:
        tree: the text.
        sees: whether the value at a path may be shown.
    """

    def __init__(self, tree: TextTree, sees: Sees) -> None:
        self._tree = tree
        self._sees = sees
        values = list(_hidden_values(tree, tree.root, (), sees))
        starts = [each.start for each in values]
        comments: list[_Cut] = []
        for start, end in tree.comments():
            n = bisect_right(starts, start) - 1
            inside = n >= 0 and start < values[n].end
            if not inside and _hides(tree, start, end, sees):
                comments.append(_Cut(start, end, f"#{MARK} {len(comments) + 1}", None))
        self._cuts = sorted([*values, *comments], key=lambda each: each.start)
        self._values = {each.path: each for each in values}
        self._comments = comments
        parts, at = [], 0
        for each in self._cuts:
            parts += [tree.text[at : each.start], each.shown]
            at = each.end
        self.text = "".join([*parts, tree.text[at:]])

    @property
    def count(self) -> int:
        """How many parts are hidden."""
        return len(self._cuts)

    def restored(self, shown: str) -> RestoredText:
        """Return the whole text for a shown one that was edited.

        Args:
            shown: the text with marks.

        Raises:
            UnreadableTextError: the text is not YAML.
            MovedMarkError: a mark is not where it was.
        """
        tree = TextTree(shown)
        expected = tree.root.plain()
        swaps: list[tuple[int, int, str]] = []
        comments: set[int] = set()
        for path, node in tree.root.walk():
            if node.kind == "scalar" and isinstance(node.value, str) and MARK in node.value:
                found = self._values.get(path)
                key = _entry_of(tree, path)
                if found is None or key is None or node.value != MARK:
                    text = '"{mark}" in line {line} stands for nothing there'
                    line = tree.place(node.start)[0]
                    raise MovedMarkError(phrase("mark-for-nothing", text, mark=MARK, line=line))
                colon = tree.text.index(":", key.end) + 1
                swaps.append((colon, node.end, self._tree.text[found.start : found.end]))
                _set(expected, path, _plain_at(self._tree, path))
        for start, end in tree.comments():
            found_comment = _COMMENT.fullmatch(shown[start:end].rstrip())
            number = int(found_comment[1]) if found_comment is not None else 0
            if 0 < number <= len(self._comments):
                hidden = self._comments[number - 1]
                swaps.append((start, end, self._tree.text[hidden.start : hidden.end]))
                comments.add(start)
        made = RestoredText(shown, sorted(swaps))
        try:
            whole: TextTree | None = TextTree(made.text)
        except UnreadableTextError:
            whole = None
        if whole is None or whole.root.plain() != expected:
            said = "leave every {mark} on its line, as it was"
            raise MovedMarkError(phrase("leave-marks", said, mark=MARK))
        if comments:
            self._check_still_hidden(whole, made, comments)
        return made

    def _check_still_hidden(self, whole: TextTree, made: RestoredText, comments: set[int]) -> None:
        """Check that what was hidden of the comments would be hidden in the new text as well.

        A comment may be hidden for the section it stands in, or for the line above it.

        Raises:
            MovedMarkError: a comment could be read where it stands now.
        """
        hidden = {each.start for each in HiddenText(whole, self._sees)._comments}
        for start, at in made.swapped():
            if start in comments and at not in hidden:
                line = made.shown.place(start)[0]
                text = (
                    "{mark} in line {line} must stay where it was, and so must the lines above it"
                )
                raise MovedMarkError(phrase("mark-must-stay", text, mark=MARK, line=line))


class RestoredText:
    """A whole text made from a shown one, and where its parts stand in the latter.

    Args:
        shown: the text with marks.
        swaps: the start and the end of each mark there, in order, and what takes its place.
    """

    def __init__(self, shown: str, swaps: list[tuple[int, int, str]]) -> None:
        self.shown = TextPlaces(shown)
        parts, at, size = [], 0, 0
        self._segments: list[tuple[int, int, int]] = []
        for start, end, original in swaps:
            parts += [shown[at:start], original]
            size += start - at
            self._segments.append((size, size + len(original), start))
            size += len(original)
            at = end
        self._ends = [end for _, end, _ in swaps]
        self.text = "".join([*parts, shown[at:]])

    def swapped(self) -> Iterator[tuple[int, int]]:
        """Yield where each mark begins, and where in the whole text what has taken its place does."""
        for start, _, shown in self._segments:
            yield shown, start

    def shown_offset(self, offset: int) -> int:
        """Return where an offset of the whole text is in the shown one."""
        shift = 0
        for (start, end, shown), shown_end in zip(self._segments, self._ends, strict=True):
            if offset < start:
                break
            if offset < end:
                return shown + 1
            shift = shown_end - end
        return offset + shift


def _hidden_values(tree: TextTree, node: Node, path: KeyPath, sees: Sees) -> list[_Cut]:
    found: list[_Cut] = []
    for key, entry in node.entries.items():
        inner = (*path, key)
        if not sees(inner):
            colon = tree.text.index(":", entry.end) + 1
            found.append(_Cut(colon, max(colon, entry.node.end), _VALUE, inner))
        elif entry.node.kind == "mapping" and len(inner) < 3:
            found += _hidden_values(tree, entry.node, inner, sees)
    return found


def _hides(tree: TextTree, start: int, end: int, sees: Sees) -> bool:
    """Return whether a comment may hold a secret, or belongs to a hidden section."""
    text = tree.text[start:end]
    if cut(text) < len(text) or MARK in text:
        return True
    line, column = tree.place(start)
    if column > 1:
        above = [entry for entry in tree.root.entries.items() if entry[1].start < start]
        if above and not sees((above[-1][0],)):
            return True
    if tree.text[tree.line_start(start) : start].strip(" \t\ufeff"):
        return False
    lines = _uncommented(tree, line)
    shown = part_shown(lines, len(lines))
    return shown is None or shown < len(lines[-1])


def _uncommented(tree: TextTree, line: int) -> list[str]:
    """Return a block of comment lines up to a line, without their ``#``: a part taken out of use."""
    lines: list[str] = []
    while line > 0:
        start = tree.offset(line, 1)
        text = tree.text[start : tree.next_line(start)].rstrip()
        if not text.lstrip().startswith("#") or len(lines) > 50:
            break
        lines.append(text.replace("#", "", 1))
        line -= 1
    return lines[::-1]


def _entry_of(tree: TextTree, path: KeyPath) -> Entry | None:
    owner = tree.root.at(path[:-1])
    return owner.entries.get(str(path[-1])) if owner is not None else None


def _plain_at(tree: TextTree, path: KeyPath) -> object:
    node = tree.root.at(path)
    return node.plain() if node is not None else None


def _set(plain: object, path: KeyPath, value: object) -> None:
    owner = plain
    for part in path[:-1]:
        if isinstance(owner, dict):
            owner = owner[part]
    if isinstance(owner, dict):
        owner[path[-1]] = value
