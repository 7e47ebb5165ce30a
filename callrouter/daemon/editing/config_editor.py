"""Edits the configuration files for the people at the page and for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from callrouter.api.editing.config_editing import Draft, EditingPerson, FileToSave, TextCursor
from callrouter.api.json_values import moment, phrases_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.config_answers import ChangeDetailJson
from callrouter.api.schemas.editor_answers import (
    CompletionsJson,
    ConfigFileItemJson,
    ConfigFileJson,
    ConfigFilesJson,
    DraftJson,
    RolledBackJson,
    SavedJson,
    TablesJson,
)
from callrouter.background import beside_calls
from callrouter.config_source.config_sources import DatabaseSource
from callrouter.config_source.version_table import OvertakenError
from callrouter.daemon.config_reading import ConfigReading
from callrouter.daemon.editing import draft_check, file_changes, rollbacks, stored_versions
from callrouter.daemon.editing.completions import completions
from callrouter.daemon.editing.folder_rights import why_not_writable
from callrouter.daemon.editing.folder_texts import FolderTexts, TreeCache, names_in
from callrouter.daemon.editing.mistake_places import MistakePlaces, unreadable
from callrouter.daemon.editing.table_views import tables_json
from callrouter.daemon.live_config import LiveConfig
from callrouter.model.text import phrase
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.editing.edit_rights import OPEN_SECTIONS
from callrouter.settings.editing.text_tree import UnreadableTextError
from callrouter.store.location import StoreError

_TRIES: Final = 3
"""Attempts to save in the database while others save there too."""
_NO_FILE: Final = "there is no configuration file of this name; GET /api/config/files lists them"


class ConfigEditor:
    """Edits the configuration files (`callrouter.api.editing.config_editing.ConfigEditing`).

    Args:
        config: the configuration in force.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._folder = config.folder
        self._trees = TreeCache()

    # ------------------------------------------------------------ looking

    async def files(self, person: EditingPerson) -> ConfigFilesJson:
        """Return the files without their texts."""
        return await asyncio.to_thread(self._files, person)

    async def file(self, person: EditingPerson, name: str) -> ConfigFileJson:
        """Return a file with its text.

        Raises:
            ApiProblem: 404 there is no such file, 409 the person may not see it while it is broken.
        """
        return await asyncio.to_thread(self._file, person, name)

    def _texts(self, person: EditingPerson) -> FolderTexts:
        return FolderTexts(self._snapshot(), person.rights, self._trees)

    def _snapshot(self) -> ConfigSnapshot:
        try:
            return self._config.source.snapshot()
        except StoreError as error:
            raise stored_versions.no_database(error) from error

    def _files(self, person: EditingPerson) -> ConfigFilesJson:
        with beside_calls():
            texts = self._texts(person)
            why = why_not_writable(self._config.source)
            mistakes = [problem.file for problem in self._config.state.problems]
            rights = person.rights
            return {
                "files": [
                    self._item(texts, name, mistakes.count(name), writable=not why)
                    for name in texts.snapshot.names
                ],
                "state": self._config.state.word,
                "writable": not why,
                "why_not_writable": why,
                "may": {
                    "create": rights.everything,
                    "sections": None if rights.everything else sorted(OPEN_SECTIONS),
                    "queues": list(rights.queues) if rights.limited else None,
                },
            }

    def _item(
        self, texts: FolderTexts, name: str, mistakes: int, *, writable: bool
    ) -> ConfigFileItemJson:
        content = texts.snapshot.contents.get(name) or b""
        return {
            "name": name,
            "size": len(content),
            "etag": texts.etags.get(name, ""),
            "modified": self._modified(name),
            "sections": self._sections(texts, name),
            "lines": content.count(b"\n") + (not content.endswith(b"\n") and content != b""),
            "writable": writable and name in texts.texts,
            "problems": mistakes,
        }

    def _modified(self, name: str) -> str | None:
        if isinstance(self._config.source, DatabaseSource):
            at = self._config.source.history.changed_at(name)
            return None if at is None else moment(at)
        try:
            return moment((self._folder / name).stat().st_mtime)
        except OSError:
            return None

    def _sections(self, texts: FolderTexts, name: str) -> list[str]:
        try:
            return list(texts.tree(name).root.entries) if name in texts.texts else []
        except UnreadableTextError:
            return []

    def _file(self, person: EditingPerson, name: str) -> ConfigFileJson:
        with beside_calls():
            texts = self._texts(person)
            if name not in texts.snapshot.contents:
                raise ApiProblem(404, "unknown-file", _NO_FILE)
            if name not in texts.texts:
                raise ApiProblem(
                    409,
                    "file-broken",
                    phrase("file-no-utf8", "{name} is not UTF-8 text", name=name),
                )
            text, hidden = texts.texts[name], 0
            if not person.rights.everything:
                try:
                    shown = texts.hidden(name)
                except UnreadableTextError as error:
                    raise ApiProblem(
                        409,
                        "file-broken",
                        phrase(
                            "file-unreadable-yaml",
                            "{name} cannot be read as YAML, so it can be shown only to an "
                            "admin until it is fixed",
                            name=name,
                        ),
                        members={"problems": [unreadable(name, error)]},
                    ) from error
                text, hidden = shown.text, shown.count
            item = self._item(texts, name, 0, writable=not why_not_writable(self._config.source))
            return {
                "name": name,
                "text": text,
                "etag": item["etag"],
                "size": item["size"],
                "modified": item["modified"],
                "sections": item["sections"],
                "hidden": hidden,
                "writable": item["writable"],
            }

    # ------------------------------------------------------------ drafts

    async def draft(self, person: EditingPerson, draft: Draft) -> DraftJson:
        """Return what a draft would do.

        Raises:
            ApiProblem: 422 a name or an edit is wrong.
        """
        return await asyncio.to_thread(self._draft, person, draft)

    def _draft(self, person: EditingPerson, draft: Draft) -> DraftJson:
        with beside_calls():
            texts = self._texts(person)
            return draft_check.check(texts, draft, self._config, self._trees)

    async def complete(
        self, person: EditingPerson, draft: Draft, cursor: TextCursor
    ) -> CompletionsJson:
        """Return what may be written at a place.

        Raises:
            ApiProblem: 404 there is no such file and no text of it.
        """
        return await asyncio.to_thread(self._complete, person, draft, cursor)

    def _complete(self, person: EditingPerson, draft: Draft, cursor: TextCursor) -> CompletionsJson:
        with beside_calls():
            shown: dict[str, str | None] = {**self._texts(person).shown(), **draft.texts}
            text = shown.get(cursor.file)
            if text is None:
                raise ApiProblem(404, "unknown-file", _NO_FILE)
            present = [each for each in shown.values() if each is not None]
            return completions(text, cursor.line, cursor.column, names_in(present, self._trees))

    async def tables(self, person: EditingPerson) -> TablesJson:
        """Return queues, agents and priorities as values."""
        return await asyncio.to_thread(self._tables, person)

    def _tables(self, person: EditingPerson) -> TablesJson:
        with beside_calls():
            texts = self._texts(person)
            places = MistakePlaces(texts.snapshot.names, texts, {})
            problems = places.json(self._config.state.problems, "error")
            return tables_json(texts.shown(), texts, self._trees, problems)

    # ------------------------------------------------------------ saving

    async def save(
        self, person: EditingPerson, files: Sequence[FileToSave], *, confirm: bool
    ) -> SavedJson:
        """Save files, all or none, and apply them.

        Raises:
            ApiProblem: 403 the person may not, 404 a file is gone, 409 it removes a lot, or the
                folder cannot be written, 412 another person was quicker, 422 there are mistakes.
        """
        how = phrase("how-save", "save")
        if person.address:
            how = phrase("how-save-from", "save from {address}", address=person.address)
        async with self._config.editing() as take_up:
            for _ in range(_TRIES):
                edited = await asyncio.to_thread(self._edited, person, files)
                if not edited.reading.lines and not edited.contents:
                    return self._saved(edited, None, [])
                lost = self._check_lost(person, edited.reading, confirm=confirm)
                try:
                    aside, reading = await asyncio.to_thread(self._write, edited, person.name, how)
                except OvertakenError:
                    continue  # by files that may have nothing to do with these
                change = await take_up(reading, person.name, how, lost)
                return self._saved(edited, change, aside)
        raise stored_versions.overtaken()

    def _check_lost(
        self, person: EditingPerson, reading: ConfigReading, *, confirm: bool
    ) -> tuple[str, ...]:
        """Return the losses of a change, which the person has confirmed.

        What was taken away on the server and is held back there may belong to another queue, so a
        supervisor of some queues cannot confirm it along with a change of their own.

        Raises:
            ApiProblem: 409, they are not confirmed.
        """
        lost = self._config.lost(reading)
        if lost and (not confirm or (person.rights.limited and self._config.state.held)):
            raise file_changes.removals(lost)
        return lost

    def _write(
        self, edited: file_changes.EditedFiles, who: str, how: str
    ) -> tuple[list[str], ConfigReading]:
        """Write the files; return what was set aside, and the reading with owners as on the disk."""
        aside = file_changes.write(self._config, edited, who, how)
        found = self._snapshot().files
        checked = edited.reading.snapshot
        kept = {name: found.get(name, file) for name, file in checked.files.items()}
        same = all(kept[name].content == file.content for name, file in checked.files.items())
        snapshot = replace(checked, files=kept) if same else checked
        return aside, replace(edited.reading, snapshot=snapshot)

    def _edited(
        self, person: EditingPerson, files: Sequence[FileToSave]
    ) -> file_changes.EditedFiles:
        with beside_calls():
            texts = self._texts(person)
            return file_changes.edited(texts, files, self._config, self._trees)

    @staticmethod
    def _saved(
        files: file_changes.EditedFiles | rollbacks.EarlierFiles,
        change: Change | None,
        aside: Sequence[str],
    ) -> SavedJson:
        return {
            "ok": True,
            "etags": dict(files.etags),
            "changes": list(files.reading.lines),
            "changes_phrases": phrases_json(files.reading.lines),
            "warnings": files.warnings,
            "needs_restart": list(files.reading.restart),
            "needs_restart_phrases": phrases_json(files.reading.restart),
            "number": change.number if change is not None else None,
            "set_aside": list(aside),
            "set_aside_phrases": phrases_json(aside),
        }

    # ------------------------------------------------------------ earlier changes

    async def change(self, person: EditingPerson, number: int) -> ChangeDetailJson:
        """Return a change of the history with its effect on the files, line by line.

        Raises:
            ApiProblem: 404 it is not on record.
        """
        return await asyncio.to_thread(self._change, person, number)

    def _change(self, person: EditingPerson, number: int) -> ChangeDetailJson:
        with beside_calls():
            try:
                return rollbacks.change_detail(self._config.history, number, self._texts(person))
            except OSError as error:
                if isinstance(self._config.source, DatabaseSource):
                    raise stored_versions.no_database(error) from error
                raise

    async def rollback(
        self,
        person: EditingPerson,
        number: int | None,
        *,
        etags: Mapping[str, str],
        dry_run: bool,
        confirm: bool,
    ) -> RolledBackJson:
        """Restore the files as they were before a change.

        Args:
            person: who asks for it.
            number: the change; None: the files in force, for files that have a mistake.
            etags: the files as the person knows them; one that is no longer so stops it.
            dry_run: only say what would change.
            confirm: also what removes a lot.

        Raises:
            ApiProblem: as for `save`; 404 the change is not on record, 409 nothing is to be done.
        """
        async with self._config.editing() as take_up:
            found = await asyncio.to_thread(self._earlier, person, number, etags)
            lost = self._config.lost(found.reading)
            aside: list[str] = []
            change = None
            if not dry_run:
                self._check_lost(person, found.reading, confirm=confirm)
                how = found.how
                if person.address:
                    how = phrase(
                        "how-from", "{how} from {address}", how=how, address=person.address
                    )
                try:
                    aside = await asyncio.to_thread(
                        rollbacks.put_back_all, self._config, found, person.name, how
                    )
                except OvertakenError as error:
                    raise stored_versions.overtaken() from error
                change = await take_up(found.reading, person.name, how, lost)
        return {
            **self._saved(found, change, aside),
            "dry_run": dry_run,
            "held": list(lost),
            "held_phrases": phrases_json(lost),
            "put_back": found.put_back,
            "removed": found.removed,
        }

    def _earlier(
        self, person: EditingPerson, number: int | None, etags: Mapping[str, str]
    ) -> rollbacks.EarlierFiles:
        with beside_calls():
            texts = self._texts(person)
            for name, etag in etags.items():
                if name not in texts.snapshot.names:
                    draft_check.check_name(name)
                if texts.etags.get(name, "") != etag:
                    raise file_changes.changed_since(texts, name, etag, self._config)
            return rollbacks.earlier(texts, number, self._config, self._trees)
