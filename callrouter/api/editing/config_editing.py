"""What the API asks of the part of the daemon that edits the configuration files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from callrouter.api.schemas.config_answers import ChangeDetailJson
from callrouter.api.schemas.editor_answers import (
    CompletionsJson,
    ConfigFileJson,
    ConfigFilesJson,
    DraftJson,
    RolledBackJson,
    SavedJson,
    TablesJson,
)
from callrouter.settings.editing.edit_rights import EditRights
from callrouter.settings.editing.text_edits import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class EditingPerson:
    """A person who edits the files.

    Attributes:
        name: as recorded with the change.
        address: where the request came from; empty: the command line.
        rights: what they may change.
    """

    name: str
    address: str
    rights: EditRights


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToSave:
    """The new text of a file; `etag` is that of the text it was made from, empty for a new file."""

    name: str
    text: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Texts that are not saved, and changes of single values in them.

    Attributes:
        texts: in place of those of the files; None: as if the file were deleted.
        edits: what to change in them.
        tables: answer with the values as well.
    """

    texts: Mapping[str, str | None]
    edits: Sequence[Edit] = ()
    tables: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCursor:
    """A place in the text of a file; line and column count from 1."""

    file: str
    line: int
    column: int


class ConfigEditing(Protocol):
    """Edits the configuration files.

    Every method raises `ApiProblem` if it refuses what is asked.
    """

    async def files(self, person: EditingPerson) -> ConfigFilesJson:
        """Return the files without their texts."""

    async def file(self, person: EditingPerson, name: str) -> ConfigFileJson:
        """Return a file with its text."""

    async def save(
        self, person: EditingPerson, files: Sequence[FileToSave], *, confirm: bool
    ) -> SavedJson:
        """Save files, all or none, and apply them."""

    async def draft(self, person: EditingPerson, draft: Draft) -> DraftJson:
        """Return what a draft would do."""

    async def complete(
        self, person: EditingPerson, draft: Draft, cursor: TextCursor
    ) -> CompletionsJson:
        """Return what may be written at a place."""

    async def tables(self, person: EditingPerson) -> TablesJson:
        """Return queues, agents and priorities as values."""

    async def change(self, person: EditingPerson, number: int) -> ChangeDetailJson:
        """Return a change of the history with its effect on the files, line by line."""

    async def rollback(
        self,
        person: EditingPerson,
        number: int | None,
        *,
        etags: Mapping[str, str],
        dry_run: bool,
        confirm: bool,
    ) -> RolledBackJson:
        """Restore the files as they were before a change."""
