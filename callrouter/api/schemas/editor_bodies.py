"""The bodies of requests with texts of configuration files."""

from __future__ import annotations

from typing import Any, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

_STRICT = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


@with_config(_STRICT)
class SaveFileBody(TypedDict, total=False):
    """The new text of a file."""

    text: str
    confirm: bool
    """True: also what removes a queue with callers, or much of the call centre."""


@with_config(_STRICT)
class FileToSaveBody(TypedDict):
    """A file among several that are saved together."""

    name: str
    text: str
    etag: str
    """Of the file that the text was made from; empty: a new file."""


@with_config(_STRICT)
class SaveFilesBody(TypedDict, total=False):
    """Files that are saved together, or not at all."""

    files: list[FileToSaveBody]
    confirm: bool
    """True: also what removes a queue with callers, or much of the call centre."""


@with_config(_STRICT)
class EditBody(TypedDict):
    """A change of one value, with exactly one of value, remove, insert and rename."""

    path: list[str | int]
    file: NotRequired[str]
    """For a section that stands in no file yet."""
    value: NotRequired[Any]
    remove: NotRequired[bool]
    insert: NotRequired[Any]
    rename: NotRequired[str]


@with_config(_STRICT)
class DraftBody(TypedDict, total=False):
    """Texts that are not saved yet, and changes of single values in them."""

    files: dict[str, str | None]
    """Texts in place of those of the files; null: as if the file were deleted."""
    edits: list[EditBody]
    tables: bool
    """Answer with the values of the draft as well."""


@with_config(_STRICT)
class CompleteBody(TypedDict, total=False):
    """A cursor in a text."""

    file: str
    text: str
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    files: dict[str, str | None]
    """Other texts that are not saved yet."""


@with_config(_STRICT)
class RollbackBody(TypedDict, total=False):
    """Which state of the files to restore."""

    number: int | None
    """Before this change; null: what is in force."""
    dry_run: bool
    confirm: bool
    etags: dict[str, str]
    """The files as the caller knows them."""
