"""Saves edited files: all or none, and only in the place of what their editor has seen."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from callrouter.api.editing.config_editing import FileToSave
from callrouter.api.json_values import moment, phrases_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.editor_answers import FileMistakeJson
from callrouter.config_source.config_sources import DatabaseSource, FolderSource
from callrouter.daemon.config_reading import ConfigReading
from callrouter.daemon.editing import draft_check, stored_versions
from callrouter.daemon.editing.folder_rights import why_not_writable
from callrouter.daemon.editing.folder_texts import (
    FolderTexts,
    TreeCache,
    digest,
    with_old_breaks,
)
from callrouter.daemon.live_config import LiveConfig
from callrouter.files import FileChangedError, UnsafeError
from callrouter.model.text import joined, phrase
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import (
    is_link_outside,
    owner_name,
    read_snapshot,
    remove_file,
    save_file,
)
from callrouter.settings.editing.text_tree import UnreadableTextError
from callrouter.settings.errors.hiding import difference

_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LINES: Final = 400
"""Lines of a difference that are shown at most."""
_WORDS: Final = 50
"""Changes that are told in words at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFiles:
    """Checked contents that are to be written.

    Attributes:
        reading: the folder with them.
        contents: the new contents; without files that stay as they are.
        before: the contents in their place; None: a new file.
        etags: of all files that were given.
        warnings: what is odd in them but accepted.
        texts: the files as they were.
    """

    reading: ConfigReading
    contents: Mapping[str, bytes]
    before: Mapping[str, bytes | None]
    etags: Mapping[str, str]
    warnings: list[FileMistakeJson]
    texts: FolderTexts


def edited(
    texts: FolderTexts, files: Sequence[FileToSave], config: LiveConfig, trees: TreeCache
) -> EditedFiles:
    """Check files that are to be saved.

    Args:
        texts: the files as they are.
        files: the new texts.
        config: the configuration in force.
        trees: reads texts.

    Raises:
        ApiProblem: see `ConfigEditor.save`.
    """
    given: dict[str, str | None] = {}
    if len({file.name for file in files}) < len(files):
        raise ApiProblem(422, "wrong-body", phrase("file-given-twice", "a file is given twice"))
    for file in files:
        draft_check.check_name(file.name)
        if isinstance(config.source, DatabaseSource):
            stored_versions.check_not_own_file(file.name)
        _check_base(texts, file, config)
        given[file.name] = with_old_breaks(file.text, texts.texts.get(file.name, ""))
    whole = draft_check.whole(given, texts, trees)
    found = draft_check.read(texts, whole, config, trees)
    if found.refused:
        raise not_allowed(found.refused)
    if found.reading is None:
        raise mistakes(found.problems)
    contents = {name: text.encode() for name, text in whole.texts.items() if text is not None}
    before = {name: texts.snapshot.contents.get(name) for name in contents}
    return EditedFiles(
        reading=found.reading,
        contents={name: new for name, new in contents.items() if new != before[name]},
        before=before,
        etags={name: digest(content) for name, content in contents.items()},
        warnings=found.warnings,
        texts=texts,
    )


def _check_base(texts: FolderTexts, file: FileToSave, config: LiveConfig) -> None:
    """Check that a text was made from the file as it is now."""
    name = file.name
    if isinstance(config.source, FolderSource) and is_link_outside(config.folder, name):
        detail = phrase(
            "file-is-link",
            "{name} is a link to a file outside of the configuration folder; edit that one",
            name=name,
        )
        raise ApiProblem(409, "is-a-link", detail)
    now = texts.etags.get(name, "")
    if not now and name in texts.snapshot.names:
        raise ApiProblem(
            409,
            "file-broken",
            phrase(
                "file-not-replaced", "{name} cannot be read, so it cannot be replaced", name=name
            ),
        )
    if not file.etag and not now and not texts.rights.everything:
        raise not_allowed(
            [
                phrase(
                    "admin-makes-files", "only an admin makes new files, such as {name}", name=name
                )
            ]
        )
    if file.etag != now:
        raise changed_since(texts, name, file.etag, config)


# ---------------------------------------------------------------- writing


def write(config: LiveConfig, files: EditedFiles, who: str, how: str) -> list[str]:
    """Write checked contents, all or none.

    Args:
        config: the configuration in force.
        files: the contents.
        who: the person, for the history, even if the daemon ends before it has recorded the change.
        how: how they did it, for the history.

    Returns:
        What was never in force and was kept elsewhere, in words.

    Raises:
        ApiProblem: 409 it is not allowed, 412 a file has changed in the meantime, 507 no space, 503 no
            database.
        OvertakenError: another version was stored in the meantime; nothing is written.
    """
    if isinstance(config.source, DatabaseSource):
        before = files.texts.snapshot
        stored_versions.store(config.source, files.reading, before, who, how)
        return []
    why = why_not_writable(config.source) if files.contents else ""
    if why:
        raise ApiProblem(409, "not-writable", why)
    done: list[str] = []
    try:
        aside = set_aside(
            config, {name: files.before[name] for name in files.contents}, files.texts
        )
        config.history.announce(who=who, how=how, files=files.reading.snapshot.files)
        for name, content in files.contents.items():
            save_file(config.folder, name, content, files.before[name])
            done.append(name)
    except OSError as error:
        _undo(config, files, done)
        config.history.withdraw()
        if isinstance(error, FileChangedError):
            texts = files.texts.again(read_snapshot(config.folder))
            name = next(iter(files.contents.keys() - set(done)))
            base = files.before[name]
            raise changed_since(texts, name, digest(base) if base else "", config) from error
        raise cannot_write(error) from error
    return aside


def _undo(config: LiveConfig, files: EditedFiles, done: Sequence[str]) -> None:
    """Put back what was written before a later file could not be."""
    for name in done:
        old = files.before[name]
        with suppress(OSError):
            if old is None:
                remove_file(config.folder, name)
            else:
                save_file(config.folder, name, old, files.contents[name])


def set_aside(
    config: LiveConfig, contents: Mapping[str, bytes | None], texts: FolderTexts
) -> list[str]:
    """Keep contents that were never in force, so that no work is lost.

    Raises:
        OSError: one cannot be kept.
    """
    lines: list[str] = []
    for name, content in contents.items():
        if content is not None and not config.history.has(digest(content)):
            place = config.history.set_aside(name, content)
            shown: str = phrase("history-folder", "the history's folder")
            if texts.rights.everything:
                shown = str(place)
            lines.append(
                phrase(
                    "kept-aside",
                    "what {name} said was never in force; it is kept in {place}",
                    name=name,
                    place=shown,
                )
            )
    return lines


# ---------------------------------------------------------------- refusals


def cannot_write(error: OSError) -> ApiProblem:
    """Return the answer for a file that cannot be written."""
    why = error.strerror or str(error)
    if error.errno in _FULL:
        return ApiProblem(
            507, "disk-full", phrase("nothing-saved", "nothing was saved: {why}", why=why)
        )
    if error.errno in _NOT_ALLOWED or isinstance(error, UnsafeError):
        detail = phrase(
            "nothing-saved-not-writable",
            "nothing was saved: the daemon may not write there ({why}); "
            "see docs/operator.md, “Editing on the page”",
            why=why,
        )
        return ApiProblem(409, "not-writable", detail)
    return ApiProblem(
        409, "not-writable", phrase("nothing-saved", "nothing was saved: {why}", why=why)
    )


def not_allowed(lines: Sequence[str]) -> ApiProblem:
    """Return the answer to a person who may not change something."""
    return ApiProblem(
        403,
        "not-allowed",
        phrase("nothing-saved", "nothing was saved: {why}", why=joined(lines)),
        members={"refused": lines, "refused_phrases": phrases_json(lines)},
    )


def removals(lost: Sequence[str]) -> ApiProblem:
    """Return the answer to a change that removes a lot and was not confirmed."""
    detail = phrase(
        "nothing-saved-removals",
        'nothing was saved: {lost}; save with "confirm": true if that is meant',
        lost=joined(lost),
    )
    members = {"held": list(lost), "held_phrases": phrases_json(lost)}
    return ApiProblem(409, "removals", detail, members=members)


def mistakes(problems: Sequence[FileMistakeJson]) -> ApiProblem:
    """Return the answer to files with mistakes."""
    first = problems[0]
    place = f"{first['file']}:{first['line']}:{first['column']}"
    what = phrase("mistake-at", "{place}: {message}", place=place, message=first["message"])
    if len(problems) > 1:
        what = phrase(
            "mistake-and-more", "{what}, and {more} more", what=what, more=len(problems) - 1
        )
    return ApiProblem(
        422,
        "config-mistakes",
        phrase("nothing-saved", "nothing was saved: {why}", why=what),
        members={"problems": problems},
    )


def changed_since(texts: FolderTexts, name: str, base: str, config: LiveConfig) -> ApiProblem:
    """Return the answer to an edit of a file that has changed since its editor has read it.

    Args:
        texts: the files as they are.
        name: the file.
        base: the digest of what the editor has read; empty: they meant to make a new file.
        config: the configuration in force.
    """
    now = texts.etags.get(name, "")
    with_history = _changes(config)
    last = next((each for each in with_history if each.after.get(name, ("",))[0] == now), None)
    if not now:
        what = phrase("file-deleted", "{name} was deleted", name=name)
        last = next((each for each in with_history if name not in each.after), None)
    elif not base:
        what = phrase("file-there-already", "{name} is there already", name=name)
    else:
        what = phrase("file-changed-since", "{name} has changed since you opened it", name=name)
    who, at = _last_editor(config, name, last)
    if who:
        what = phrase("changed-by", "{what}, by {who}", what=what, who=who)
    if at:
        what = phrase("changed-at", "{what} at {when}", what=what, when=moment(at))
    text = _shown(texts, name)
    since = _since(with_history, name, base) if not texts.rights.limited else []
    members = {
        "file": name,
        "etag": now,
        "text": text,
        "who": who,
        "at": moment(at) if at else None,
        "changes": since,
        "changes_phrases": phrases_json(since),
        "lines": _lines(texts, name, base, text, config),
    }
    detail = phrase("nothing-saved", "nothing was saved: {why}", why=what)
    return ApiProblem(412, "changed-since", detail, members=members)


def _changes(config: LiveConfig) -> list[Change]:
    try:
        return config.history.changes()
    except OSError:
        return []


def _last_editor(config: LiveConfig, name: str, last: Change | None) -> tuple[str, float]:
    """Return who has changed a file last and when; if not through us, the owner of the file."""
    if last is not None:
        return last.who, last.at
    if isinstance(config.source, DatabaseSource):
        return "", 0.0
    try:
        status = (config.folder / name).stat()
    except OSError:
        return "", 0.0
    return f"{owner_name(status.st_uid)} (on the server)", status.st_mtime


def _since(changes: Sequence[Change], name: str, base: str) -> list[str]:
    """Return what was changed, in words, since a file was as its editor has read it."""
    lines: list[str] = []
    for change in changes:
        if change.after.get(name, ("",))[0] == base:
            return lines[:_WORDS]
        lines += change.lines
        if change.before.get(name, ("",))[0] == base:
            return lines[:_WORDS]
    return []


def _shown(texts: FolderTexts, name: str) -> str | None:
    if name not in texts.texts:
        return None
    if texts.rights.everything:
        return texts.texts[name]
    try:
        return texts.hidden(name).text
    except UnreadableTextError:
        return None


def _lines(
    texts: FolderTexts, name: str, base: str, text: str | None, config: LiveConfig
) -> list[str]:
    """Return the difference between what an editor has read and the file as it is."""
    if not base or text is None:
        return []
    try:
        old = config.history.content(base).decode("utf-8")
        if not texts.rights.everything:
            old = texts.shown_as(old)
    except (OSError, UnicodeDecodeError, UnreadableTextError):
        return []
    return difference(name, old.splitlines(), text.splitlines(), _LINES)
