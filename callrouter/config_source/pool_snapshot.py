"""The pool's part of the files of a folder: what goes into the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from callrouter.settings.config_files import ConfigFile, ConfigSnapshot, read_snapshot
from callrouter.settings.editing.text_edits import Edit, WrongEditError, apply_edits
from callrouter.settings.editing.text_tree import TextTree, UnreadableTextError
from callrouter.settings.yaml.pool_files import BOOTSTRAP, NODE_SECTIONS, OWN_HTTP, REST
from callrouter.store.location import StoreError


class UnseparatedError(StoreError):
    """The pool's part of a folder's files cannot be told from what is a router's own."""


def of_folder(folder: Path) -> ConfigSnapshot:
    """Return the files of a folder without what is each router's own.

    What ``callrouter.yaml`` says of the whole pool is in ``site.yaml`` then. Comments and layout stay.
    A file that cannot be read stays as it is, for the loader to report.

    Raises:
        UnseparatedError: the two cannot be separated.
    """
    found = read_snapshot(folder)
    contents = dict(found.contents)
    files = dict(found.files)
    for name, content in found.contents.items():
        text = None if content is None else _without_own(name, content)
        if text is not None:
            contents[name] = text.encode()
            old = files.get(name)
            files[name] = ConfigFile(
                text.encode(), old.mode if old else 0o640, old.owner if old else ""
            )
    if BOOTSTRAP in contents and BOOTSTRAP not in found.faults:
        _rename_rest(contents, files)
    return ConfigSnapshot(
        folder=folder,
        contents=dict(sorted(contents.items())),
        faults=found.faults,
        fault=found.fault,
        files=files,
    )


def _rename_rest(contents: dict[str, bytes | None], files: dict[str, ConfigFile]) -> None:
    rest = contents.pop(BOOTSTRAP)
    file = files.pop(BOOTSTRAP, None)
    if rest is None or not _says_something(rest):
        return
    if REST in contents:
        raise UnseparatedError(
            f"{BOOTSTRAP} has sections of the whole pool, which would be {REST} in the database, and "
            f"there is one already: move these sections into {REST}"
        )
    contents[REST] = rest
    files[REST] = file or ConfigFile(rest, 0o640, "")


def _says_something(content: bytes) -> bool:
    try:
        return bool(TextTree(content.decode("utf-8")).root.entries)
    except (UnicodeDecodeError, UnreadableTextError):
        return True


def _without_own(name: str, content: bytes) -> str | None:
    """Return a text without what is each router's own; None: it stays as it is."""
    try:
        text = content.decode("utf-8")
        root = TextTree(text).root.plain()
    except (UnicodeDecodeError, UnreadableTextError):
        return None
    edits = _edits(root) if isinstance(root, dict) else []
    if not edits:
        return None
    try:
        return apply_edits({name: text}, edits).get(name)
    except WrongEditError as error:
        raise UnseparatedError(
            f"{name}: {error}; take out by hand what is each router's own: "
            f"{', '.join(sorted(NODE_SECTIONS))}, and in http: {', '.join(sorted(OWN_HTTP))}"
        ) from error


def _edits(root: Mapping[str, object]) -> list[Edit]:
    edits = [Edit(kind="remove", path=(key,)) for key in root if key in NODE_SECTIONS]
    http = root.get("http")
    if isinstance(http, dict):
        own = [key for key in http if key in OWN_HTTP]
        if len(own) == len(http):
            edits.append(Edit(kind="remove", path=("http",)))
        else:
            edits += [Edit(kind="remove", path=("http", key)) for key in own]
    return edits
