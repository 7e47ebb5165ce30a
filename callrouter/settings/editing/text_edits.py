"""Edits of the configuration's texts by paths: set, remove, insert and rename single values.

After every edit the text is read again, and what it says must be what the edit asked for. So an
unusual layout can make an edit fail, but never do another thing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal, TypeAlias

from callrouter.model.text import phrase, sentence_of
from callrouter.settings.editing import text_changes
from callrouter.settings.editing.text_tree import Entry, Node, TextTree, UnreadableTextError
from callrouter.settings.errors.problems import quoted
from callrouter.settings.yaml.source import KeyPath

MOST_EDITS: Final = 200
_FIRST: Final = "callrouter.yaml"
_MOST_READ: Final = 20_000_000
"""Characters that are read again for the edits of one request: some twenty seconds. Each edit reads its file
once, and a mapping that is set one key at a time reads it once for each key.
"""
_MOST_COMPARED: Final = 1_000_000
"""Pairs of items of two lists that are compared; beyond it the whole list is written."""

EditKind: TypeAlias = Literal["value", "remove", "insert", "rename"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one value.

    Attributes:
        kind: what to do.
        path: where.
        value: the new value; of ``rename``, the new key.
        file: the file for a section that stands in none yet; empty: any.
    """

    kind: EditKind
    path: KeyPath
    value: Any = None
    file: str = ""


class WrongEditError(Exception):
    """An edit that cannot be made; `index` counts the edits from 0."""

    def __init__(self, text: str, index: int = 0) -> None:
        super().__init__(text)
        self.index = index


def apply_edits(texts: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    """Return the texts that edits change.

    Args:
        texts: the texts of all files.
        edits: what to change, in this order.

    Raises:
        WrongEditError: one of them cannot be made.
    """
    editor = _Editor(dict(texts))
    for n, edit in enumerate(edits):
        try:
            editor.apply(edit)
        except WrongEditError as error:
            raise WrongEditError(sentence_of(error), n) from error
    return {name: text for name, text in editor.texts.items() if texts.get(name) != text}


def dotted(path: Sequence[str | int]) -> str:
    """Return a path for people: ``queues.support.ring_for``."""
    return ".".join(map(str, path))


class _Editor:
    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self._trees: dict[str, TextTree] = {}
        self._read = 0

    def apply(self, edit: Edit) -> None:
        if not edit.path:
            raise WrongEditError(phrase("edit-no-path", "the path is empty"))
        name = self._file_of(edit)
        edit = self._special(name, edit)
        self._one(name, edit)

    def _file_of(self, edit: Edit) -> str:
        section = str(edit.path[0])
        for name in sorted(self.texts):
            if section in self._tree(name).root.entries:
                return name
        if edit.file:
            if edit.file not in self.texts:
                self.texts[edit.file] = ""
            return edit.file
        if not self.texts:
            raise WrongEditError(phrase("edit-no-file", "there is no file yet"))
        return _FIRST if _FIRST in self.texts else min(self.texts)

    def _tree(self, name: str) -> TextTree:
        if name not in self._trees:
            try:
                self._trees[name] = TextTree(self.texts[name])
            except UnreadableTextError as error:
                text = "{name} must be fixed first, in line {line}: {error}"
                why, line = sentence_of(error), error.line
                raise WrongEditError(
                    phrase("mend-first", text, name=name, line=line, error=why)
                ) from error
        return self._trees[name]

    def _use(self, name: str, text: str, path: KeyPath, expected: object) -> None:
        """Take up a changed text if it says what is expected, and nothing else has changed."""
        self._read += len(text)
        if self._read > _MOST_READ:
            said = "these are too many changes of {name} at once; edit its text"
            raise WrongEditError(phrase("too-many-edits", said, name=name))
        try:
            tree = TextTree(text)
        except UnreadableTextError as error:
            raise WrongEditError(_cannot(name, path)) from error
        if tree.root.plain() != expected:
            raise WrongEditError(_cannot(name, path))
        self.texts[name], self._trees[name] = text, tree

    # ------------------------------------------------------------ forms with a shorter writing

    def _special(self, name: str, edit: Edit) -> Edit:
        """Bring a list of members, or a device in its short form, into the form that is needed."""
        root = self._tree(name).root
        *above, last = edit.path
        members = root.at(above)
        if _is_members(above) and members is not None and members.kind == "list":
            return self._members(name, edit, members)
        if len(above) == 4 and (above[0], above[2]) == ("agents", "devices"):
            device = root.at(above)
            if device is not None and device.kind == "scalar" and edit.kind != "remove":
                long = {"endpoint": device.value}
                self._one(name, Edit(kind="value", path=tuple(above), value=long))
                if last == "endpoint":
                    return Edit(kind="value", path=edit.path, value=edit.value)
        return edit

    def _members(self, name: str, edit: Edit, members: Node) -> Edit:
        *above, agent = edit.path
        names = [str(item.value) for item in members.items]
        if isinstance(agent, int) and (edit.kind != "rename" and str(agent) not in names):
            return edit  # an index
        found = names.index(str(agent)) if str(agent) in names else None
        if edit.kind == "remove" and found is not None:
            return Edit(kind="remove", path=(*above, found))
        if edit.kind == "rename" and found is not None:
            return Edit(kind="value", path=(*above, found), value=edit.value)
        if edit.kind in {"value", "insert"} and edit.value == 1:
            if found is None:
                return Edit(kind="insert", path=(*above, len(names)), value=str(agent))
            return Edit(kind="value", path=(*above, found), value=members.items[found].value)
        tree = self._tree(name)
        as_dict = dict.fromkeys(names, 1)
        expected = _changed(tree.root.plain(), tuple(above), as_dict)
        if members.items:
            self._use(name, text_changes.as_mapping(tree, members), edit.path, expected)
        else:
            self._one(name, Edit(kind="value", path=tuple(above), value={}))
        return edit

    # ------------------------------------------------------------ one edit

    def _one(self, name: str, edit: Edit) -> None:
        root = self._tree(name).root
        *above, last = edit.path
        owner = root.at(above)
        match edit.kind:
            case "value" if owner is not None and _holds(owner, last):
                self._set(name, edit.path, edit.value)
            case "value" | "insert" if owner is None or not _takes(owner, last):
                self._make_way(name, edit)
            case "value":
                self._add(name, edit)
            case "insert":
                self._insert(name, edit, owner)
            case "remove":
                self._remove(name, edit, owner)
            case "rename":
                self._rename(name, edit, owner)

    def _make_way(self, name: str, edit: Edit) -> None:
        """Add the first key of a path that is missing, with the rest of the path as its value."""
        root = self._tree(name).root
        depth = 0
        while depth < len(edit.path) and root.at(edit.path[: depth + 1]) is not None:
            depth += 1
        owner = root.at(edit.path[:depth])
        value: Any = edit.value
        for part in reversed(edit.path[depth + 1 :]):
            value = [value] if part == 0 and isinstance(part, int) else {str(part): value}
        if owner is None or depth >= len(edit.path) or not _takes(owner, edit.path[depth]):
            part = quoted(str(edit.path[min(depth, len(edit.path) - 1)]))
            place = dotted(edit.path[:depth]) or phrase("the-file", "the file")
            said = "{place} cannot have {part} in it"
            raise WrongEditError(phrase("cannot-have-in-it", said, place=place, part=part))
        self._add(name, Edit(kind="value", path=edit.path[: depth + 1], value=value))

    def _add(self, name: str, edit: Edit) -> None:
        tree = self._tree(name)
        *above, last = edit.path
        owner = tree.node(above)
        expected = _changed(tree.root.plain(), edit.path, edit.value)
        key = _entry(tree, above)
        if owner.kind == "list":
            text = (
                text_changes.with_item(tree, owner, len(owner.items), edit.value)
                if owner.items or owner.flow
                else text_changes.replaced(tree, owner, [edit.value], key)
            )
        else:
            text = text_changes.with_key(tree, owner, str(last), edit.value, key)
        self._use(name, text, edit.path, expected)

    def _insert(self, name: str, edit: Edit, owner: Node | None) -> None:
        tree = self._tree(name)
        *above, last = edit.path
        if owner is None or owner.kind != "list":
            if owner is not None and _holds(owner, last):
                raise WrongEditError(_there_already(edit.path))
            self._add(name, edit)
            return
        expected = copy.deepcopy(tree.root.plain())
        _list_at(expected, above).insert(int(last), edit.value)
        self._use(
            name, text_changes.with_item(tree, owner, int(last), edit.value), edit.path, expected
        )

    def _remove(self, name: str, edit: Edit, owner: Node | None) -> None:
        tree = self._tree(name)
        *above, last = edit.path
        if owner is None or not _holds(owner, last):
            raise WrongEditError(_not_there(edit.path))
        expected = copy.deepcopy(tree.root.plain())
        inner: Any = _list_at(expected, above)
        del inner[last if owner.kind == "list" else str(last)]
        key = _entry(tree, above)
        text = (
            text_changes.without_item(tree, owner, int(last), key)
            if owner.kind == "list"
            else text_changes.without_key(tree, owner, str(last), key)
        )
        self._use(name, text, edit.path, expected)

    def _rename(self, name: str, edit: Edit, owner: Node | None) -> None:
        tree = self._tree(name)
        *above, last = edit.path
        new = str(edit.value)
        if owner is None or owner.kind != "mapping" or not _holds(owner, last):
            raise WrongEditError(_not_there(edit.path))
        if new == str(last):
            return
        if new in owner.entries:
            raise WrongEditError(_there_already((*above, new)))
        expected = copy.deepcopy(tree.root.plain())
        inner: Any = _list_at(expected, above)
        kept = {(new if key == str(last) else key): value for key, value in inner.items()}
        inner.clear()
        inner.update(kept)
        self._use(
            name, text_changes.renamed(tree, owner.entries[str(last)], new), edit.path, expected
        )

    # ------------------------------------------------------------ a new value, in small steps

    def _set(self, name: str, path: KeyPath, value: Any) -> None:
        """Set a value that is there: of a mapping or a list, only the parts that differ."""
        tree = self._tree(name)
        node = tree.node(path)
        old: Any = node.plain()
        if type(old) is type(value) and old == value:
            return
        if isinstance(old, dict) and isinstance(value, dict) and old and value:
            self._set_mapping(name, path, old, value)
        elif (
            isinstance(old, list) and isinstance(value, list)
            and 0 < len(old) * len(value) <= _MOST_COMPARED
        ):  # fmt: skip
            self._set_list(name, path, old, value)
        else:
            expected = _changed(tree.root.plain(), path, value)
            text = text_changes.replaced(tree, node, value, _entry(tree, path))
            self._use(name, text, path, expected)

    def _set_mapping(self, name: str, path: KeyPath, old: dict[str, Any], new: Any) -> None:
        for key, value in new.items():
            kind: EditKind = "value"
            if key in old:
                self._set(name, (*path, key), value)
            else:
                self._one(name, Edit(kind=kind, path=(*path, key), value=value))
        for key in old:
            if key not in new:
                self._one(name, Edit(kind="remove", path=(*path, key)))

    def _set_list(self, name: str, path: KeyPath, old: list[Any], new: list[Any]) -> None:
        before, after = ([json.dumps(item, sort_keys=True) for item in each] for each in (old, new))
        codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        for _, i1, i2, j1, j2 in reversed([code for code in codes if code[0] != "equal"]):
            same = min(i2 - i1, j2 - j1)
            for n in range(j1 + same, j2):
                at = (*path, i1 + same + n - j1 - same)
                self._one(name, Edit(kind="insert", path=at, value=new[n]))
            for n in reversed(range(i1 + same, i2)):
                self._one(name, Edit(kind="remove", path=(*path, n)))
            for n in range(same):
                self._set(name, (*path, i1 + n), new[j1 + n])


# ---------------------------------------------------------------- helpers


def _cannot(name: str, path: KeyPath) -> str:
    text = "{path} is written in {name} in a way that only the text itself can be changed"
    return phrase("only-text-can-change", text, path=dotted(path), name=name)


def _there_already(path: Sequence[str | int]) -> str:
    return phrase("there-already", "{path} is there already", path=dotted(path))


def _not_there(path: Sequence[str | int]) -> str:
    return phrase("edit-not-there", "there is no {path}", path=dotted(path))


def _is_members(path: Sequence[str | int]) -> bool:
    """Return whether a path leads to the members of a queue, a shift or an escalation step."""
    if len(path) < 3 or path[0] != "queues" or path[-1] != "agents":
        return False
    return len(path) == 3 or (len(path) == 5 and path[2] in {"shifts", "widen"})


def _holds(owner: Node, part: str | int) -> bool:
    return owner.at((part,)) is not None


def _takes(owner: Node, part: str | int) -> bool:
    """Return whether a value may be added at a key or an index."""
    if owner.kind == "list":
        return isinstance(part, int) and 0 <= part <= len(owner.items)
    return isinstance(part, str) and (owner.kind == "mapping" or owner.value is None)


def _entry(tree: TextTree, path: Sequence[str | int]) -> Entry | None:
    """Return the key whose value stands at a path; None: it is the file, or an item of a list."""
    owner = tree.root.at(path[:-1]) if path else None
    return owner.entries.get(str(path[-1])) if owner is not None and path else None


def _list_at(plain: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        plain = plain[part if isinstance(plain, list) else str(part)]
    return plain


def _changed(plain: object, path: KeyPath, value: object) -> object:
    """Return plain values with another one at a path whose owner is there."""
    made = copy.deepcopy(plain)
    *above, last = path
    owner: Any = made
    for n, part in enumerate(above):
        inner = owner[part if isinstance(owner, list) else str(part)]
        if inner is None and n == len(above) - 1:  # a section without a value
            inner = owner[str(part)] = {}
        owner = inner
    if isinstance(owner, list) and last == len(owner):
        owner.append(value)
    else:
        owner[last if isinstance(owner, list) else str(last)] = value
    return made
