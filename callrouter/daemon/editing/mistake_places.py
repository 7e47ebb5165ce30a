"""Mistakes in texts as the API tells them: with their extent, in the text that the person sees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from callrouter.api.schemas.editor_answers import FileMistakeJson
from callrouter.settings import Problem
from callrouter.settings.editing.hidden_text import RestoredText
from callrouter.settings.editing.text_tree import TextTree, UnreadableTextError
from callrouter.settings.yaml.source import KeyPath


class MistakePlaces:
    """Finds what mistakes are about.

    Args:
        names: the files whose names may be told.
        restored: what the whole texts of edited files were made of.
        trees: the whole texts that can be read.
    """

    def __init__(
        self,
        names: Collection[str],
        restored: Mapping[str, RestoredText],
        trees: Mapping[str, TextTree],
    ) -> None:
        self._names = names
        self._restored = restored
        self._trees = trees
        self._known: dict[str, dict[int, tuple[int, KeyPath]]] = {}

    def json(
        self, problems: Collection[Problem], severity: Literal["error", "warning"]
    ) -> list[FileMistakeJson]:
        """Return mistakes for an answer."""
        return [self._one(problem, severity) for problem in problems]

    def _one(self, problem: Problem, severity: Literal["error", "warning"]) -> FileMistakeJson:
        line, column = problem.line, problem.column
        end_line, end_column = line, column
        path: KeyPath | None = None
        tree = self._trees.get(problem.file)
        if tree is not None and line > 0:
            offset = tree.offset(line, column)
            end, path = self._extents(problem.file, tree).get(offset, (offset, None))
            restored = self._restored.get(problem.file)
            if restored is not None:
                shown = restored.shown
                line, column = shown.place(restored.shown_offset(offset))
                end_line, end_column = shown.place(restored.shown_offset(end))
            else:
                end_line, end_column = tree.place(end)
        return {
            "file": problem.file if problem.file in self._names else "",
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": max(end_column, column) if end_line == line else end_column,
            "message": problem.text,
            "hint": problem.hint,
            "path": list(path) if path is not None else None,
            "severity": severity,
        }

    def _extents(self, name: str, tree: TextTree) -> dict[int, tuple[int, KeyPath]]:
        """Return what begins at each offset: where it ends, and its path."""
        if name not in self._known:
            found: dict[int, tuple[int, KeyPath]] = {}
            for path, node in tree.root.walk():
                for key, entry in node.entries.items():
                    found[entry.start] = (entry.end, (*path, key))
                if path and node.kind == "scalar":
                    found.setdefault(node.start, (node.end, path))
            self._known[name] = found
        return self._known[name]


def unreadable(name: str, error: UnreadableTextError) -> FileMistakeJson:
    """Return the mistake that keeps a text from being read."""
    return {
        "file": name,
        "line": error.line,
        "column": error.column,
        "end_line": error.line,
        "end_column": error.column,
        "message": str(error),
        "hint": "",
        "path": None,
        "severity": "error",
    }
