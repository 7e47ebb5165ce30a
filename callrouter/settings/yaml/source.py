"""Parses the configuration files into one document that knows the place of every value."""

from __future__ import annotations

import grp
import pwd
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from callrouter.model.text import phrase, unless_cut
from callrouter.settings.config_files import MOST_BYTES, ConfigSnapshot
from callrouter.settings.errors.problems import Findings, Source, quoted
from callrouter.settings.schema.fields import NAME_PATTERN
from callrouter.settings.yaml.pool_files import BOOTSTRAP, check_bootstrap, check_pool_file
from callrouter.settings.yaml.reader import Items, Section, YamlReader
from callrouter.settings.yaml.substitution import Substituted, Substituter

_MAY_BE_EMPTY: dict[str, type[Section | Items]] = {
    "agents": Section,
    "pauses": Section,
    "queues": Section,
    "users": Section,
    "rules": Items,
}
_NAME = re.compile(NAME_PATTERN)
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_BREAK = re.compile("\r\n|\r|\n")

KeyPath: TypeAlias = tuple[str | int, ...]
"""The path to a value: ``("queues", "support", "agents", "bob")``."""


@dataclass(slots=True)
class Document:
    """All sections of all files.

    `complete` is False if a file could not be read: names may then seem to be missing.
    """

    findings: Findings
    root: Section = field(default_factory=Section)
    sources: dict[str, Source] = field(default_factory=dict)
    first: Source = field(default_factory=lambda: Source("", []))
    files: tuple[Path, ...] = ()
    complete: bool = True
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _second: dict[str, Source] = field(default_factory=dict)
    """The file of the keys of ``http`` that stand in the second of two files."""

    def error(self, path: KeyPath, text: str, hint: str = "", *, key: bool = False) -> None:
        """Report an error.

        Args:
            path: Where: the path to a value.
            text: What is wrong. A value that came from outside the files is replaced in it.
            hint: What would be right.
            key: Whether the place is that of the key and not of the value.
        """
        self.findings.error(*self._place(path, key), *self._without_substituted(path, text, hint))

    def warning(self, path: KeyPath, text: str, hint: str = "", *, key: bool = False) -> None:
        """Report something legal but unwise. Args like `error`."""
        self.findings.warning(*self._place(path, key), *self._without_substituted(path, text, hint))

    def line(self, path: KeyPath) -> str:
        """Return the place of the key of `path`: ``agents.yaml:12``.

        If less of the path is written, it is the place of the last part that is.
        """
        source, line, _ = self._place(path, key=True)
        return f"{source.name}:{line}"

    def rest_of_line(self, path: KeyPath) -> str:
        """Return the rest of the line from the start of the value of `path`.

        It may contain a secret. It is empty if the place is not known.
        """
        source, line, column = self._place(path, key=False)
        return source.lines[line - 1][column - 1 :] if 0 < line <= len(source.lines) else ""

    def written(self, *path: str | int) -> object:
        """Return the value at a path as it was written.

        Args:
            path: Keys, and indexes in lists.

        Returns:
            The value; None: it is not there, or was invalid and has been removed.
        """
        value: object = self.root
        for part in path:
            if isinstance(value, Section):
                value = value.get(str(part))
            elif isinstance(value, Items) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def names(self, section: str) -> frozenset[str]:
        """Return all names written in a section, including those with unusable values.

        Names that are not valid are left out. The first result is kept, whatever is removed later.
        """
        if section not in self._names:
            found = self.root.get(section)
            written = found.at if isinstance(found, Section) else ()
            # An invalid name cannot be the one that was meant.
            self._names[section] = frozenset(filter(_NAME.fullmatch, written))
        return self._names[section]

    def knows_all_names(self, section: str) -> bool:
        """Return whether `names` of a section is complete.

        It is not if a file or the section could not be read. A name that seems to be missing may
        then be there, and must not be reported.
        """
        return self.complete and (section in self.root or section not in self.root.at)

    def add_http(self, source: Source, sections: Section) -> None:
        """Take what a file of the pool says of ``http`` to what the router's own file says of it.

        A key that both have is an error. The section is taken out of `sections`.
        """
        own, more = self.root.get("http"), sections.get("http")
        first = self.sources.get("http")
        if not (isinstance(own, Section) and isinstance(more, Section)) or self._second:
            return
        if first is None or first.name != BOOTSTRAP:
            return
        for key, at in more.at.items():
            if key in own.at:
                place = (source, at[0].line + 1, at[0].column + 1)
                text = phrase("stands-twice", "{key} appears twice", key=quoted(f"http: {key}"))
                hint = phrase("first-in", "first in {place}", place=self.line(("http", key)))
                self.findings.error(*place, text, hint)
                continue
            self._second[key] = source
            own.at[key] = at
            if key in more:
                own[key] = more[key]
        del sections["http"], sections.at["http"]

    def free_piecewise(self) -> None:
        """Free the document piece by piece: see `loader._free_piecewise`. Places are lost."""
        for section in (*self.root.values(), self.root):
            if isinstance(section, Section):
                while section:
                    section.popitem()
                while section.at:
                    section.at.popitem()

    def _place(self, path: KeyPath, key: bool) -> tuple[Source, int, int]:
        source = self.sources.get(str(path[0]), self.first) if path else self.first
        if len(path) > 1 and path[0] == "http":
            source = self._second.get(str(path[1]), source)
        line, column = 0, 0
        value: object = self.root
        for part in path:
            if isinstance(value, Section) and str(part) in value.at:
                mark = value.at[str(part)][0 if key else 1]
                value = value.get(str(part))
            elif isinstance(value, Items) and isinstance(part, int) and part < len(value):
                mark = value.at[part]
                value = value[part]
            else:
                break
            line, column = mark.line, mark.column
        return source, line + 1, column + 1

    def _without_substituted(self, path: KeyPath, text: str, hint: str) -> tuple[str, str]:
        value = self.written(*path)
        if isinstance(value, Substituted) and value:
            parts = [(quoted(value), quoted(value.written)), (value, value.written)]
            # "queue:sales" may also be mentioned as "sales".
            rest, written = value.partition(":")[2], value.written.partition(":")[2]
            parts += [(quoted(rest), quoted(written or value.written))] if rest else []
            was = text, hint
            for secret, shown in parts:
                text, hint = text.replace(secret, shown), hint.replace(secret, shown)
            return unless_cut(was[0], text), unless_cut(was[1], hint)
        return text, hint


def read_document(
    snapshot: ConfigSnapshot, substitute: Substituter, findings: Findings
) -> Document:
    """Parse all files of a snapshot into one document.

    Args:
        snapshot: The files.
        substitute: Replaces ``${NAME}`` and ``${file:PATH}``.
        findings: Receives the mistakes, also of files that cannot be read.
    """
    document = Document(findings)
    folder, fault = snapshot.folder, snapshot.fault
    whole = Source(str(folder), [])
    if fault is not None:
        text = phrase(
            "configuration-folder-cannot-be-read",
            "the configuration folder cannot be read: {why}",
            why=_why(fault),
        )
        findings.error(whole, 0, 0, text, readers(folder, fault))
        document.complete = False
        return document
    if snapshot.bootstrap is not None:
        own, sections = _parse(BOOTSTRAP, snapshot.bootstrap, substitute, findings)
        document.first = own
        if sections is None:
            document.complete = False
        else:
            check_bootstrap(own, sections, findings)
            _add(document, own, sections)
    if not snapshot.names and snapshot.bootstrap is None:
        findings.error(
            whole,
            0,
            0,
            phrase("no-configuration", "no configuration here"),
            phrase(
                "one-yaml-file",
                "expected at least one *.yaml file; `callrouter init DIR` writes samples",
            ),
        )
        document.complete = False
    document.files = tuple(folder / name for name in snapshot.names)
    for name in snapshot.names:
        source, sections = _read_file(name, snapshot, substitute, findings)
        if not document.first.name or name == BOOTSTRAP:
            document.first = source
        if sections is None:
            document.complete = False
            continue
        if snapshot.bootstrap is not None:
            check_pool_file(source, sections, findings)
            document.add_http(source, sections)
        _add(document, source, sections)
    return document


def _add(document: Document, source: Source, sections: Section) -> None:
    for key, at in sections.at.items():
        if key in document.sources:
            mark = at[0]
            document.findings.error(
                source,
                mark.line + 1,
                mark.column + 1,
                phrase("section-twice", "section {name} appears twice", name=quoted(key)),
                phrase("first-in", "first in {place}", place=document.line((key,))),
            )
            continue
        document.sources[key] = source
        document.root.at[key] = at
        if key in sections:
            document.root[key] = sections[key]


def _read_file(
    name: str, snapshot: ConfigSnapshot, substitute: Substituter, findings: Findings
) -> tuple[Source, Section | None]:
    source = Source(name, [])
    if (error := snapshot.faults.get(name)) is not None:
        hint = readers(snapshot.folder / name, error)
        findings.error(
            source, 0, 0, phrase("cannot-be-read", "cannot be read: {why}", why=_why(error)), hint
        )
        return source, None
    raw = snapshot.contents[name]
    if raw is None:
        findings.error(source, 0, 0, phrase("not-a-file", "is not a file"))
        return source, None
    return _parse(name, raw, substitute, findings)


def _parse(
    name: str, raw: bytes, substitute: Substituter, findings: Findings
) -> tuple[Source, Section | None]:
    source = Source(name, [])
    if len(raw) > MOST_BYTES:
        findings.error(source, 0, 0, phrase("file-too-large", "is larger than 16 MiB"))
        return source, None
    text = _decode(raw.removeprefix(b"\xef\xbb\xbf"), source, findings)
    if text is None:
        return source, None
    return source, YamlReader(source, substitute, findings, _MAY_BE_EMPTY).read(text)


def _decode(raw: bytes, source: Source, findings: Findings) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = _BREAK.split(raw[: error.start].decode("utf-8"))
        source.lines = _BREAK.split(raw.decode("utf-8", "replace"))
        wrong = f"0x{raw[error.start]:02x}"
        text_ = phrase("not-utf-8", "not UTF-8 text (byte {byte})", byte=wrong)
        findings.error(
            source,
            len(before),
            len(before[-1]) + 1,
            text_,
            phrase("save-file-as-utf-8", "save the file as UTF-8"),
        )
        return None
    source.lines = _BREAK.split(text)
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        before = _BREAK.split(text[: odd.start()])
        code = f"U+{ord(odd[0]):04X}"
        text_ = phrase("control-character", "control character {character}", character=code)
        findings.error(
            source, len(before), len(before[-1]) + 1, text_, phrase("take-out", "take it out")
        )
        return None
    return text


def readers(path: Path, error: Exception) -> str:
    """Say who may read a file or folder that we may not.

    Args:
        path: The file or folder.
        error: Why it could not be read.

    Returns:
        A hint; empty if permissions are not the reason.
    """
    if not isinstance(error, PermissionError):
        return ""
    try:
        status = path.stat()
        users = list(dict.fromkeys(("root", pwd.getpwuid(status.st_uid).pw_name)))
        group = grp.getgrgid(status.st_gid).gr_name if status.st_mode & stat.S_IRGRP else ""
    except (OSError, KeyError):
        return phrase("run-as-root", "run this as root or as the user the daemon runs as")
    if not group:
        return phrase("may-read", "{users} may read it", users=" and ".join(users))
    text = "{users} and the members of group {group} may read it"
    return phrase("may-read-or-group", text, users=" and ".join(users), group=group)


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return phrase("os-not-found", "No such file or directory")
    if isinstance(error, PermissionError):
        return phrase("os-not-permitted", "Permission denied")
    unusable = phrase("os-not-a-name", "not a usable name")
    return (isinstance(error, OSError) and error.strerror) or unusable
