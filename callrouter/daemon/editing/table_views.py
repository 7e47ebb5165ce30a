"""Queues, agents and priorities as values with their places in the texts, for forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from callrouter.api.schemas.editor_answers import (
    FileMistakeJson,
    OptionJson,
    PolicyJson,
    TableEntryJson,
    TableMemberJson,
    TablesJson,
)
from callrouter.daemon.editing.folder_texts import FolderTexts, TreeCache, root_of
from callrouter.policies import BUILT_IN, sentences
from callrouter.settings.editing.edit_rights import serving
from callrouter.settings.editing.hidden_text import MARK
from callrouter.settings.editing.option_catalog import CatalogOption, catalog
from callrouter.settings.editing.text_tree import Entry, Node, TextTree, UnreadableTextError

_SECTIONS: Final = frozenset({"agents", "queues", "pauses"})
"""Whose keys are described to forms."""


def tables_json(
    shown: Mapping[str, str],
    texts: FolderTexts,
    trees: TreeCache,
    problems: list[FileMistakeJson],
) -> TablesJson:
    """Return the tables in texts.

    Args:
        shown: the texts as the person sees them.
        texts: the files as they are.
        trees: reads texts.
        problems: the mistakes in the texts.
    """
    view = _Tables(shown, texts, trees)
    return {
        "etags": texts.etags,
        "options": options_json(),
        "policies": policies_json(),
        "queues": list(view.entries("queues")),
        "agents": list(view.entries("agents")),
        "memberships": list(view.members()),
        "problems": problems,
    }


def options_json() -> dict[str, OptionJson]:
    """Return the keys of agents, queues and reasons for pauses."""
    return {
        ".".join(pattern): _option_json(one)
        for pattern, one in catalog().items()
        if pattern[0] in _SECTIONS
    }


def _option_json(one: CatalogOption) -> OptionJson:
    view: OptionJson = {
        "type": one.type,
        "description": one.description,
        "default": one.default,
        "example": one.example,
        "expects": one.expects,
        "required": one.required,
        "choices": list(one.choices),
        "names_of": one.names_of,
        "secret": one.secret,
        "restart": one.restart,
        "order": one.order,
    }
    if one.minimum is not None:
        view["minimum"] = one.minimum
    if one.maximum is not None:
        view["maximum"] = one.maximum
    if one.pattern:
        view["pattern"] = one.pattern
    return view


def policies_json() -> list[PolicyJson]:
    """Return the ways to distribute calls, the built-in ones first."""
    found: list[PolicyJson] = [
        {"name": name, "sentence": sentence, "own": name not in BUILT_IN}
        for name, sentence in sentences().items()
    ]
    return sorted(found, key=lambda policy: policy["own"])


class _Tables:
    def __init__(self, shown: Mapping[str, str], texts: FolderTexts, trees: TreeCache) -> None:
        self._trees: dict[str, TextTree] = {}
        for name in sorted(shown):
            try:
                self._trees[name] = trees.tree(shown[name])
            except UnreadableTextError:
                continue
        self._rights = texts.rights
        # Which queues an agent serves may show only in parts that the person does not see.
        self._serving = serving(texts.root if self._rights.limited else root_of(shown, trees))

    def _sections(self, section: str) -> Iterator[tuple[str, TextTree, str, Entry]]:
        for name, tree in self._trees.items():
            found = tree.root.entries.get(section)
            for key, entry in found.node.entries.items() if found is not None else ():
                yield name, tree, key, entry

    def entries(self, section: str) -> Iterator[TableEntryJson]:
        """Yield the entries of a section as written."""
        for file, tree, key, entry in self._sections(section):
            value: Any = entry.node.plain()
            line, column = tree.place(entry.start)
            named = value.get("name") if isinstance(value, dict) else None
            why = self._why_not(section, key) if value != MARK else "it is not one of yours"
            yield {
                "id": key,
                "name": named if isinstance(named, str) and named != MARK else key,
                "file": file,
                "line": line,
                "column": column,
                "may_edit": not why,
                "why_not": why,
                "value": value,
                "places": dict(_places(tree, entry)),
            }

    def _why_not(self, section: str, key: str) -> str:
        if not self._rights.limited:
            return ""
        if section == "queues":
            return "" if self._rights.may_queue(key) else "it is not one of your queues"
        others = sorted(self._serving.get(key, frozenset()) - set(self._rights.queues))
        return f"{key} also serves {', '.join(others)}" if others else ""

    def members(self) -> Iterator[TableMemberJson]:
        """Yield the place of each agent in each queue, in its shifts and escalation steps."""
        for file, tree, queue, entry in self._sections("queues"):
            found: list[tuple[Literal["agents", "shift", "widen"], int | None, Node]] = []
            places: list[tuple[Literal["shift", "widen"], str]] = [
                ("shift", "shifts"),
                ("widen", "widen"),
            ]
            if (table := entry.node.at(("agents",))) is not None:
                found.append(("agents", None, table))
            for where, key in places:
                steps = entry.node.at((key,))
                for n, step in enumerate(steps.items if steps is not None else ()):
                    if (table := step.at(("agents",))) is not None:
                        found.append((where, n, table))
            for place, index, table in found:
                above: list[str | int] = ["queues", queue]
                if index is not None:
                    above += ["shifts" if place == "shift" else "widen", index]
                for agent, priority, start, plain in _of_table(table):
                    line, column = tree.place(start)
                    yield {
                        "agent": agent,
                        "queue": queue,
                        "priority": priority,
                        "path": [*above, "agents", agent],
                        "file": file,
                        "line": line,
                        "column": column,
                        "where": place,
                        "index": index,
                        "plain": plain,
                    }


def _of_table(table: Node) -> Iterator[tuple[str, int, int, bool]]:
    """Yield agent, priority, place and form of each member of a table."""
    for item in table.items:
        if item.kind == "scalar":
            yield str(item.value), 1, item.start, True
    for agent, entry in table.entries.items():
        level = entry.node.value
        is_level = isinstance(level, int) and not isinstance(level, bool)
        yield agent, level if is_level and isinstance(level, int) else 1, entry.start, False


def _places(tree: TextTree, entry: Entry) -> Iterator[tuple[str, list[int]]]:
    for path, node in entry.node.walk():
        yield ".".join(map(str, path)), [*tree.place(node.start), *tree.place(node.end)]
