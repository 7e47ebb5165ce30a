"""Mistakes in texts as the API tells them: with their extent, in the text that the person sees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Literal

from callrouter.api.json_values import phrase_json
from callrouter.api.schemas.editor_answers import FileMistakeJson
from callrouter.daemon.editing.folder_texts import FolderTexts
from callrouter.model.text import sentence_of
from callrouter.settings import Problem
from callrouter.settings.editing.hidden_text import RestoredText
from callrouter.settings.editing.text_tree import TextTree, UnreadableTextError
from callrouter.settings.yaml.source import KeyPath


class MistakePlaces:
    """Finds what mistakes are about.

    Args:
        names: the files whose names may be told.
        texts: the files as they are.
        restored: of edited files, what their whole texts were made of; None: a text cannot be read.
    """

    def __init__(
        self,
        names: Collection[str],
        texts: FolderTexts,
        restored: Mapping[str, RestoredText | None],
    ) -> None:
        self._names = names
        self._texts = texts
        self._edited = restored
        self._restored = cache(self._restore)
        self._extents = cache(self._find_extents)

    def json(
        self, problems: Collection[Problem], severity: Literal["error", "warning"]
    ) -> list[FileMistakeJson]:
        """Return mistakes for an answer."""
        return [self._one(problem, severity) for problem in problems]

    def _one(self, problem: Problem, severity: Literal["error", "warning"]) -> FileMistakeJson:
        line, column = problem.line, problem.column
        end_line, end_column = line, column
        path: KeyPath | None = None
        restored = self._restored(problem.file) if line > 0 else None
        if restored is not None:
            tree, found = self._extents(problem.file)
            offset = tree.offset(line, column)
            end, path = found.get(offset, (offset, None))
            line, column = restored.shown.place(restored.shown_offset(offset))
            end_line, end_column = restored.shown.place(restored.shown_offset(end))
        return {
            "file": problem.file if problem.file in self._names else "",
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": max(end_column, column) if end_line == line else end_column,
            "message": problem.text,
            "message_phrase": phrase_json(problem.text),
            "hint": problem.hint,
            "hint_phrase": phrase_json(problem.hint),
            "path": list(path) if path is not None else None,
            "severity": severity,
        }

    def _restore(self, name: str) -> RestoredText | None:
        """Return a file's whole text and what of it is seen; None: it cannot be read."""
        if name in self._edited:
            return self._edited[name]
        try:
            return self._texts.as_seen(name)
        except UnreadableTextError:
            return None

    def _find_extents(self, name: str) -> tuple[TextTree, dict[int, tuple[int, KeyPath]]]:
        """Return the tree of a file, and what begins at each offset: where it ends, and its path."""
        restored = self._restored(name)
        tree = self._texts.tree_of(restored.text if restored is not None else "")
        found: dict[int, tuple[int, KeyPath]] = {}
        for path, node in tree.root.walk():
            for key, entry in node.entries.items():
                found[entry.start] = (entry.end, (*path, key))
            if path and node.kind == "scalar":
                found.setdefault(node.start, (node.end, path))
        return tree, found


def unreadable(name: str, error: UnreadableTextError) -> FileMistakeJson:
    """Return the mistake that keeps a text from being read."""
    return plain_mistake(Problem(name, error.line, error.column, sentence_of(error)))


def plain_mistake(problem: Problem) -> FileMistakeJson:
    """Return a mistake whose extent is not known, in a text that is seen as it is."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "end_line": problem.line,
        "end_column": problem.column,
        "message": problem.text,
        "message_phrase": phrase_json(problem.text),
        "hint": problem.hint,
        "hint_phrase": phrase_json(problem.hint),
        "path": None,
        "severity": "error",
    }
