"""Checks texts that are not saved: their mistakes, what they would change, and who may do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.api.editing.config_editing import Draft
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.editor_answers import DraftJson, FileMistakeJson
from callrouter.daemon.config_reading import ConfigReading
from callrouter.daemon.editing.folder_texts import FolderTexts, TreeCache, root_of
from callrouter.daemon.editing.mistake_places import MistakePlaces, unreadable
from callrouter.daemon.editing.table_views import tables_json
from callrouter.daemon.live_config import LiveConfig
from callrouter.files import is_plain
from callrouter.settings import ConfigError, Problem
from callrouter.settings.config_files import is_config_file
from callrouter.settings.editing.edit_rights import refused
from callrouter.settings.editing.hidden_text import MovedMarkError, RestoredText
from callrouter.settings.editing.text_edits import WrongEditError, apply_edits
from callrouter.settings.editing.text_tree import (
    TooManyValuesError,
    UnreadableTextError,
)

MOST_FILES = 1_000
"""Files in a folder with a draft's new ones."""


@dataclass(slots=True, kw_only=True)
class WholeTexts:
    """Edited texts with what was hidden in them, and what kept some of them from being read.

    Attributes:
        texts: the whole texts; None: the file is deleted. One that cannot be read is as it came.
        restored: of the readable ones, where their parts stand in the texts that the person sees.
        too_large: the mistakes of texts that are too large to be looked at further.
        unreadable: the mistakes of texts that are not YAML.
        refused: what the person may not change, in words.
    """

    texts: dict[str, str | None] = field(default_factory=dict)
    restored: dict[str, RestoredText] = field(default_factory=dict)
    too_large: list[FileMistakeJson] = field(default_factory=list)
    unreadable: list[FileMistakeJson] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CheckedDraft:
    """The result of reading the folder with other texts in it.

    Attributes:
        reading: the settings; None: there are mistakes.
        problems: the mistakes.
        warnings: what is odd but accepted.
        refused: what the person may not change, in words.
    """

    reading: ConfigReading | None = None
    problems: list[FileMistakeJson] = field(default_factory=list)
    warnings: list[FileMistakeJson] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def check(texts: FolderTexts, draft: Draft, config: LiveConfig, trees: TreeCache) -> DraftJson:
    """Return what a draft would do.

    Args:
        texts: the files as they are.
        draft: the texts in their place, and what to change in them.
        config: the configuration in force.
        trees: reads texts.

    Raises:
        ApiProblem: 422 a name or an edit is wrong.
    """
    shown: dict[str, str | None] = {**texts.shown(), **draft.texts}
    if len(shown) > MOST_FILES:
        raise ApiProblem(422, "wrong-body", f"more than {MOST_FILES} files")
    for name in draft.texts:
        check_name(name)
    present = {name: text for name, text in shown.items() if text is not None}
    changed: dict[str, str] = {}
    try:
        changed = apply_edits(present, draft.edits)
    except WrongEditError as error:
        members = {"edit": error.index}
        raise ApiProblem(422, "wrong-edit", str(error), members=members) from error
    present |= changed
    found = read(texts, whole({**draft.texts, **changed}, texts, trees), config, trees)
    reading = found.reading
    answer: DraftJson = {
        "ok": reading is not None and not found.refused,
        "files": changed,
        "problems": found.problems,
        "warnings": found.warnings,
        "diff": list(reading.lines) if reading is not None else [],
        "held": list(config.lost(reading)) if reading is not None else [],
        "needs_restart": list(reading.restart) if reading is not None else [],
        "refused": found.refused,
        "etags": texts.etags,
    }
    if draft.tables:
        answer["tables"] = tables_json(present, texts, trees, found.problems)
    return answer


def check_name(name: str) -> None:
    """Check that a name is that of a configuration file.

    Raises:
        ApiProblem: 422.
    """
    plain = name.isprintable() and is_plain(name) and is_config_file(Path(name))
    if not plain or len(name) > 100:
        detail = "a configuration file has a plain name that ends in .yaml or .yml"
        raise ApiProblem(422, "wrong-name", detail)


def whole(edited: Mapping[str, str | None], texts: FolderTexts, trees: TreeCache) -> WholeTexts:
    """Return whole texts for edited ones, which have marks for what is hidden."""
    found = WholeTexts()
    for name, text in edited.items():
        found.texts[name] = text
        if text is None:
            continue
        try:
            restored = texts.restored(name, text)
            found.texts[name] = restored.text
            trees.tree(restored.text)
            found.restored[name] = restored
        except MovedMarkError as error:
            found.refused.append(f"{name}: {error}")
        except TooManyValuesError as error:
            found.too_large.append(unreadable(name, error))
        except UnreadableTextError as error:
            found.unreadable.append(unreadable(name, error))
    return found


def read(
    texts: FolderTexts, edited: WholeTexts, config: LiveConfig, trees: TreeCache
) -> CheckedDraft:
    """Return what the folder would be with edited texts."""
    found = CheckedDraft(refused=edited.refused)
    if edited.too_large or edited.refused:
        found.problems = edited.too_large
        return found
    if not texts.rights.everything:
        kept = {**texts.texts, **edited.texts}
        after = root_of({name: text for name, text in kept.items() if text is not None}, trees)
        found.refused += refused(texts.root, after, texts.rights)
    snapshot = texts.with_texts(edited.texts)
    seen = {name: edited.restored.get(name) for name in edited.texts}
    places = MistakePlaces(snapshot.names, texts, seen)
    try:
        found.reading = config.reading_of(snapshot)
        found.warnings = places.json(found.reading.settings.warnings, "warning")
    except ConfigError as error:
        problems = _seen(error.problems, edited) if edited.unreadable else error.problems
        found.problems = places.json(problems, "error")
        if not found.problems:
            found.problems = edited.unreadable
    if found.reading is not None and edited.unreadable:
        # The strict reader and the one of the editor agree on what is YAML, or nothing is saved.
        found.reading, found.problems = None, edited.unreadable
    return found


def _seen(problems: tuple[Problem, ...], edited: WholeTexts) -> tuple[Problem, ...]:
    """Return the mistakes of texts that cannot be read: others may follow from them."""
    names = {mistake["file"] for mistake in edited.unreadable}
    return tuple(problem for problem in problems if problem.file in names)
