"""The configuration files as texts that a person may see and edit."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from callrouter.settings.config_files import ConfigFile, ConfigSnapshot
from callrouter.settings.editing.edit_rights import EditRights, serving
from callrouter.settings.editing.hidden_text import HiddenText, RestoredText
from callrouter.settings.editing.text_tree import TextTree, UnreadableTextError

_KEY_LINE: Final = re.compile("( *)([a-z0-9][a-z0-9_-]{0,63}):")
_NEW_MODE: Final = 0o640
"""Permissions of a new file."""
_MOST_TREES: Final = 32
"""Texts whose trees are remembered."""
_MOST_CHARACTERS: Final = 2_000_000
"""Of all texts whose trees are remembered. A tree needs some fifty bytes for a character."""


class TreeCache:
    """The trees of texts that were read lately, since most files stay the same between two looks.

    It may be used by several threads.
    """

    def __init__(self) -> None:
        self._trees: OrderedDict[str, TextTree] = OrderedDict()
        self._lock = threading.Lock()

    def tree(self, text: str) -> TextTree:
        """Return the tree of a text.

        Raises:
            UnreadableTextError: see `TextTree`.
        """
        found = self._trees.get(text)
        if found is None:
            found = TextTree(text)
            with self._lock:
                self._trees[text] = found
                while self._trees and (
                    len(self._trees) > _MOST_TREES or sum(map(len, self._trees)) > _MOST_CHARACTERS
                ):
                    self._trees.popitem(last=False)
        return found


class FolderTexts:
    """The files of a folder at one moment, for one person.

    Args:
        snapshot: the files.
        rights: what the person may see and change.
        trees: reads texts.
    """

    def __init__(self, snapshot: ConfigSnapshot, rights: EditRights, trees: TreeCache) -> None:
        self.snapshot = snapshot
        self.rights = rights
        self._trees = trees
        self._hidden: dict[str, HiddenText] = {}

    @cached_property
    def texts(self) -> dict[str, str]:
        """The whole text of every file that is one."""
        found = {}
        for name, content in self.snapshot.contents.items():
            if content is not None:
                try:
                    found[name] = content.decode("utf-8")
                except UnicodeDecodeError:
                    continue
        return found

    @cached_property
    def etags(self) -> dict[str, str]:
        """The digest of every file."""
        return {
            name: digest(content)
            for name, content in self.snapshot.contents.items()
            if content is not None
        }

    def tree(self, name: str) -> TextTree:
        """Return the tree of a file's whole text.

        Raises:
            UnreadableTextError: it is not YAML.
        """
        return self._trees.tree(self.texts[name])

    def tree_of(self, text: str) -> TextTree:
        """Return the tree of any text.

        Raises:
            UnreadableTextError: it is not YAML.
        """
        return self._trees.tree(text)

    def as_seen(self, name: str) -> RestoredText | None:
        """Return a file's whole text with the places of its parts in the text that is seen.

        None: there is no such file.

        Raises:
            UnreadableTextError: it is not YAML.
        """
        if name not in self.texts:
            return None
        self.tree(name)
        if self.rights.everything:
            return RestoredText(self.texts[name], [])
        return self.restored(name, self.hidden(name).text)

    @cached_property
    def root(self) -> dict[str, Any]:
        """All sections of all files that can be read, as plain values."""
        return root_of(self.texts, self._trees)

    @cached_property
    def _serving(self) -> Mapping[str, frozenset[str]]:
        return serving(self.root)

    def hidden(self, name: str) -> HiddenText:
        """Return a file's text as the person may see it.

        Raises:
            UnreadableTextError: it cannot be read, so it is not known what to hide.
        """
        if name not in self._hidden:
            self._hidden[name] = HiddenText(
                self.tree(name), lambda path: self.rights.sees(path, self._serving)
            )
        return self._hidden[name]

    def again(self, snapshot: ConfigSnapshot) -> FolderTexts:
        """Return the files at another moment, for the same person."""
        return FolderTexts(snapshot, self.rights, self._trees)

    def shown_as(self, text: str) -> str:
        """Return an earlier text of a file as the person may see it.

        Raises:
            UnreadableTextError: it is not YAML.
        """
        tree = self._trees.tree(text)
        return HiddenText(tree, lambda path: self.rights.sees(path, self._serving)).text

    def shown(self) -> dict[str, str]:
        """Return the texts as the person may see them, without files that cannot be shown."""
        if self.rights.everything:
            return dict(self.texts)
        found = {}
        for name in self.texts:
            try:
                found[name] = self.hidden(name).text
            except UnreadableTextError:
                continue
        return found

    def restored(self, name: str, text: str) -> RestoredText:
        """Return the whole text for one that a person has edited.

        Raises:
            UnreadableTextError: it is not YAML, or the file is not.
            MovedMarkError: something hidden is not where it was.
        """
        if self.rights.everything:
            return RestoredText(text, [])
        if name in self.texts:
            return self.hidden(name).restored(text)
        return HiddenText(self._trees.tree(""), lambda _: True).restored(text)

    def with_texts(self, texts: Mapping[str, str | None]) -> ConfigSnapshot:
        """Return the folder as it would be with other whole texts; None: without the file."""
        contents, files = dict(self.snapshot.contents), dict(self.snapshot.files)
        faults = dict(self.snapshot.faults)
        for name, text in texts.items():
            faults.pop(name, None)
            contents.pop(name, None)
            old = files.pop(name, None)
            if text is not None:
                content = text.encode()
                contents[name] = content
                mode, owner = (old.mode, old.owner) if old else (_NEW_MODE, "")
                files[name] = ConfigFile(content, mode, owner)
        return replace(
            self.snapshot,
            contents=dict(sorted(contents.items())),
            faults=faults,
            files=files,
            confirmed=False,
        )


def root_of(texts: Mapping[str, str], trees: TreeCache) -> dict[str, Any]:
    """Return all sections of texts as plain values; what cannot be read is left out."""
    found: dict[str, Any] = {}
    for name in sorted(texts):
        try:
            plain = trees.tree(texts[name]).root.plain()
        except UnreadableTextError:
            continue
        if isinstance(plain, dict):
            found = {**plain, **found}
    return found


def names_in(texts: Iterable[str], trees: TreeCache) -> dict[str, list[str]]:
    """Return the names in each section, also of texts that are being typed."""
    found: dict[str, dict[str, None]] = {}
    for text in texts:
        try:
            entries = trees.tree(text).root.entries
            sections = {key: list(entry.node.entries) for key, entry in entries.items()}
        except UnreadableTextError:
            sections = _names_by_lines(text)
        for section, names in sections.items():
            found.setdefault(section, {}).update(dict.fromkeys(names))
    return {section: list(names) for section, names in found.items()}


def _names_by_lines(text: str) -> dict[str, list[str]]:
    """Return the keys of the first two levels, by their indentation."""
    found: dict[str, list[str]] = {}
    section, indent = "", 0
    for line in text.splitlines():
        match = _KEY_LINE.match(line[:200])
        if match is None:
            continue
        column = len(match[1])
        if column == 0:
            section, indent = match[2], 0
            found.setdefault(section, [])
        elif section and indent in {0, column}:
            indent = column
            found[section].append(match[2])
    return found


def digest(content: bytes) -> str:
    """Return the ETag of a content."""
    return hashlib.sha256(content).hexdigest()


def with_old_breaks(text: str, old: str) -> str:
    """Return a text with the line breaks of the old one: browsers turn all of them into LF."""
    windows = "\r\n" in old and "\n" not in old.replace("\r\n", "")
    return text.replace("\n", "\r\n") if windows and "\r" not in text else text
