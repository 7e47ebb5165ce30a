"""Goes back to earlier files, as ``callrouter rollback`` does, and shows what a change did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from callrouter.api.change_json import change_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.config_answers import ChangeDetailJson
from callrouter.api.schemas.editor_answers import FileMistakeJson
from callrouter.config_source.config_sources import DatabaseSource
from callrouter.daemon.config_reading import ConfigReading
from callrouter.daemon.editing import file_changes, stored_versions
from callrouter.daemon.editing.folder_rights import why_not_writable
from callrouter.daemon.editing.folder_texts import FolderTexts, TreeCache, digest, root_of
from callrouter.daemon.editing.mistake_places import MistakePlaces
from callrouter.daemon.live_config import LiveConfig
from callrouter.files import FileChangedError
from callrouter.model.text import phrase
from callrouter.settings import ConfigError
from callrouter.settings.config_change import Change, rollback_words
from callrouter.settings.config_files import (
    FileDigests,
    content_digests,
    contents_only,
    is_link_outside,
    put_back,
    read_snapshot,
    remove_file,
    save_file,
)
from callrouter.settings.config_history import ConfigHistory
from callrouter.settings.editing.edit_rights import refused
from callrouter.settings.editing.text_tree import UnreadableTextError
from callrouter.settings.errors.hiding import difference

_LINES: Final = 1_000
"""Lines of a file's difference that are shown at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFiles:
    """Files to which the folder goes back.

    Attributes:
        reading: the folder with them.
        how: what is done, for the history.
        put_back: the files that get another content.
        removed: the files that were not there then.
        texts: the files as they are.
        etags: of the files that are put back.
        warnings: what is odd in them but accepted.
    """

    reading: ConfigReading
    how: str
    put_back: list[str]
    removed: list[str]
    texts: FolderTexts
    etags: dict[str, str]
    warnings: list[FileMistakeJson]


def earlier(
    texts: FolderTexts, number: int | None, config: LiveConfig, trees: TreeCache
) -> EarlierFiles:
    """Return the files as they were before a change, if the person may go back to them.

    Args:
        texts: the files as they are.
        number: the change; None: the files in force.
        config: the configuration in force.
        trees: reads texts.

    Raises:
        ApiProblem: see `ConfigEditor.rollback`.
    """
    wanted = _wanted(config.history, number)
    try:
        snapshot = config.history.snapshot(config.folder, wanted)
    except OSError as error:
        text = "the files of then are not on record any more: {error}"
        detail = phrase("files-not-on-record", text, error=str(error.strerror))
        raise ApiProblem(404, "unknown-change", detail) from error
    now = content_digests(texts.snapshot.files)
    if now == contents_only(wanted):
        raise ApiProblem(
            409,
            "nothing-to-do",
            phrase("files-alike", "nothing to restore: the files are already like that"),
        )
    then = FolderTexts(snapshot, texts.rights, trees)
    places = MistakePlaces(snapshot.names, then, {})
    if lines := refused(texts.root, root_of(then.texts, trees), texts.rights):
        raise file_changes.not_allowed(lines)
    try:
        reading = config.reading_of(snapshot)
    except ConfigError as error:
        raise file_changes.mistakes(places.json(error.problems, "error")) from error
    changed = [name for name in snapshot.names if now.get(name) != wanted[name][0]]
    return EarlierFiles(
        reading=reading,
        how=rollback_words(number),
        put_back=changed,
        removed=[name for name in texts.snapshot.files if name not in wanted],
        texts=texts,
        etags={name: wanted[name][0] for name in changed},
        warnings=places.json(reading.settings.warnings, "warning"),
    )


def _wanted(history: ConfigHistory, number: int | None) -> FileDigests:
    try:
        if number is not None:
            return _change(history, number).before
        head = history.head()
    except OSError as error:
        text = "the history cannot be read: {error}"
        detail = phrase("history-unreadable", text, error=str(error.strerror))
        raise ApiProblem(404, "unknown-change", detail) from error
    if not head:
        raise ApiProblem(
            404,
            "unknown-change",
            phrase("nothing-to-go-back-to", "there is nothing on record to go back to"),
        )
    return head


def _change(history: ConfigHistory, number: int) -> Change:
    change = history.change(number)
    if change is None:
        detail = phrase(
            "no-such-change",
            "there is no change {number}; GET /api/config/history lists them",
            number=number,
        )
        raise ApiProblem(404, "unknown-change", detail)
    return change


def put_back_all(config: LiveConfig, files: EarlierFiles, who: str, how: str) -> list[str]:
    """Put the files back, all or none.

    Args:
        config: the configuration in force.
        files: the earlier files.
        who: the person, for the history.
        how: how they did it, for the history.

    Returns:
        What was never in force and was kept elsewhere, in words.

    Raises:
        ApiProblem: 409 they cannot be written, 412 a file has changed in the meantime, 503 no database.
        OvertakenError: another version was stored in the meantime; nothing is written.
    """
    if isinstance(config.source, DatabaseSource):
        stored_versions.store(config.source, files.reading, files.texts.snapshot, who, how)
        return []
    return _put_back_in_folder(config, files, who, how)


def _put_back_in_folder(config: LiveConfig, files: EarlierFiles, who: str, how: str) -> list[str]:
    if why := why_not_writable(config.source):
        raise ApiProblem(409, "not-writable", why)
    touched = [*files.put_back, *files.removed]
    for name in touched:
        _check_not_linked(config, name)
    before = {name: files.texts.snapshot.contents.get(name) for name in touched}
    done: list[str] = []
    try:
        aside = file_changes.set_aside(config, before, files.texts)
        config.history.announce(who=who, how=how, files=files.reading.snapshot.files)
        for name in touched:
            _make_as_then(config.folder, files, name)
            done.append(name)
    except OSError as error:
        _undo(config.folder, files, done)
        config.history.withdraw()
        if isinstance(error, FileChangedError):
            texts = files.texts.again(read_snapshot(config.folder))
            name = touched[len(done)]
            old = before[name]
            raise file_changes.changed_since(
                texts, name, digest(old) if old is not None else "", config
            ) from error
        raise file_changes.cannot_write(error) from error
    return aside


def _check_not_linked(config: LiveConfig, name: str) -> None:
    """Check that a file is in the folder and not only linked from there.

    Raises:
        ApiProblem: 409.
    """
    if is_link_outside(config.folder, name):
        detail = phrase(
            "file-is-a-link",
            "{name} is a link to a file outside of the configuration folder",
            name=name,
        )
        raise ApiProblem(409, "is-a-link", detail)


def _make_as_then(folder: Path, files: EarlierFiles, name: str) -> None:
    """Give a file the content that it had then; remove one that was not there.

    Raises:
        FileChangedError: it has changed since the editor has read it.
        OSError: it cannot be written.
    """
    now = files.texts.snapshot.contents.get(name)
    then = files.reading.snapshot.files.get(name)
    if then is None:
        if read_snapshot(folder).contents.get(name) != now:
            raise FileChangedError(str(folder / name))
        remove_file(folder, name)
    elif now is None:
        put_back(folder, name, then.content, then.mode)
    else:
        save_file(folder, name, then.content, now)


def _undo(folder: Path, files: EarlierFiles, done: Sequence[str]) -> None:
    """Make files as they were again, with their permissions, because a later one could not be changed.

    One that another program has changed since stays as that left it.
    """
    then = files.reading.snapshot.files
    for name in done:
        old = files.texts.snapshot.files.get(name)
        with suppress(OSError):
            if old is None:
                remove_file(folder, name)
            elif name in then:
                save_file(folder, name, old.content, then[name].content)
            else:
                put_back(folder, name, old.content, old.mode)


def change_detail(history: ConfigHistory, number: int, texts: FolderTexts) -> ChangeDetailJson:
    """Return a change with its effect on the files, without possible secrets.

    Args:
        history: has the change.
        number: of the change.
        texts: the files as the person may see them; the files of then are shown alike.

    Raises:
        ApiProblem: 404 it is not on record.
    """
    change = _change(history, number)
    lines: list[str] = []
    for name in change.changed_files:
        before, after = (
            _text(history, files, name, texts) for files in (change.before, change.after)
        )
        lines += difference(name, before, after, _LINES)
    return {**change_json(change), "diff": lines}


def _text(history: ConfigHistory, files: FileDigests, name: str, texts: FolderTexts) -> list[str]:
    if name not in files:
        return []
    try:
        text = history.content(files[name][0]).decode("utf-8", "replace")
        if not texts.rights.everything:
            text = texts.shown_as(text)
    except OSError:
        return ["… is not on record any more"]
    except UnreadableTextError:
        return ["… cannot be read as YAML, so it is shown only to an admin"]
    return text.splitlines()
