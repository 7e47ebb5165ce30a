"""Checks texts that are not saved: their mistakes, what they would change, and who may do so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.api.editing.config_editing import Draft
from callrouter.api.json_values import phrases_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.editor_answers import DraftJson, FileMistakeJson
from callrouter.config_source.config_sources import DatabaseSource
from callrouter.daemon.config_reading import ConfigReading
from callrouter.daemon.editing.folder_texts import FolderTexts, TreeCache, root_of
from callrouter.daemon.editing.mistake_places import MistakePlaces, plain_mistake, unreadable
from callrouter.daemon.editing.stored_versions import check_not_own_file
from callrouter.daemon.editing.table_views import tables_json
from callrouter.daemon.live_config import LiveConfig
from callrouter.files import is_plain
from callrouter.model.text import phrase, sentence_of
from callrouter.settings import ConfigError, Problem
from callrouter.settings.config_files import is_config_file
from callrouter.settings.editing.edit_rights import refused
from callrouter.settings.editing.hidden_text import MovedMarkError, RestoredText
from callrouter.settings.editing.text_edits import WrongEditError, apply_edits
from callrouter.settings.editing.text_tree import (
    TooManyValuesError,
    UnreadableTextError,
)
from callrouter.settings.errors.problems import Findings, Source, quoted
from callrouter.settings.yaml.reader import YamlReader

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
    present = _with_draft(texts, draft, config)
    changed: dict[str, str] = {}
    try:
        changed = apply_edits(present, draft.edits)
    except WrongEditError as error:
        members = {"edit": error.index}
        raise ApiProblem(422, "wrong-edit", sentence_of(error), members=members) from error
    present |= changed
    found = read(texts, whole({**draft.texts, **changed}, texts, trees), config, trees)
    reading = found.reading
    diff = list(reading.lines) if reading is not None else []
    held = list(config.lost(reading)) if reading is not None else []
    restart = list(reading.restart) if reading is not None else []
    answer: DraftJson = {
        "ok": reading is not None and not found.refused,
        "files": changed,
        "problems": found.problems,
        "warnings": found.warnings,
        "diff": diff,
        "diff_phrases": phrases_json(diff),
        "held": held,
        "held_phrases": phrases_json(held),
        "needs_restart": restart,
        "needs_restart_phrases": phrases_json(restart),
        "refused": found.refused,
        "refused_phrases": phrases_json(found.refused),
        "etags": texts.etags,
    }
    if draft.tables:
        answer["tables"] = tables_json(present, texts, trees, found.problems)
    return answer


def _with_draft(texts: FolderTexts, draft: Draft, config: LiveConfig) -> dict[str, str]:
    """Return the texts that the person sees, with those of a draft in their place.

    Raises:
        ApiProblem: 422 a name is wrong, or there are too many files.
    """
    shown: dict[str, str | None] = {**texts.shown(), **draft.texts}
    if len(shown) > MOST_FILES:
        raise ApiProblem(
            422, "wrong-body", phrase("most-files", "more than {most} files", most=MOST_FILES)
        )
    for name in draft.texts:
        check_name(name)
        if isinstance(config.source, DatabaseSource):
            check_not_own_file(name)
    return {name: text for name, text in shown.items() if text is not None}


def check_name(name: str) -> None:
    """Check that a name is that of a configuration file.

    Raises:
        ApiProblem: 422.
    """
    plain = name.isprintable() and is_plain(name) and is_config_file(Path(name))
    if not plain or len(name) > 100:
        detail = phrase(
            "config-file-name",
            "a configuration file has a plain name that ends in .yaml or .yml",
        )
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
            said = phrase("in-file", "{file}: {error}", file=name, error=sentence_of(error))
            found.refused.append(said)
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
    if not texts.rights.everything and not _may_be_read(texts, edited, found, trees):
        return found
    snapshot = texts.with_texts(edited.texts)
    seen = {name: edited.restored.get(name) for name in edited.texts}
    places = MistakePlaces(snapshot.names, texts, seen)
    try:
        found.reading = config.reading_of(snapshot)
        found.warnings = places.json(found.reading.settings.warnings, "warning")
    except ConfigError as error:
        found.problems = places.json(error.problems, "error")
    if found.reading is not None and edited.unreadable:
        # The strict reader and the one of the editor agree on what is YAML, or nothing is saved.
        found.reading, found.problems = None, edited.unreadable
    return found


def _may_be_read(
    texts: FolderTexts, edited: WholeTexts, found: CheckedDraft, trees: TreeCache
) -> bool:
    """Return whether the texts of a person who may not change everything may be read as settings.

    Reading settings replaces ``${file:PATH}``, and the difference in words shows some of the values.
    So a person who could write such a reference could read the files that the daemon can. What keeps the
    texts from being read is added to `found`.
    """
    for name, text in edited.texts.items():
        if text is not None and name not in edited.restored:
            found.problems += _syntax(name, text) or edited.unreadable
    kept = {
        name: text for name, text in {**texts.texts, **edited.texts}.items() if text is not None
    }
    if not found.problems:
        found.problems = _twice(kept, trees)
    if not found.problems:
        found.refused += refused(texts.root, root_of(kept, trees), texts.rights)
    return not found.problems and not found.refused


def _syntax(name: str, text: str) -> list[FileMistakeJson]:
    """Return what is wrong with a text that is not YAML; no reference in it is followed."""
    findings = Findings()
    source = Source(name, re.split("\r\n|\r|\n", text))
    YamlReader(source, lambda written, _: written, findings).read(text)
    return [plain_mistake(problem) for problem in findings.errors]


def _twice(kept: Mapping[str, str], trees: TreeCache) -> list[FileMistakeJson]:
    """Return the sections that stand in two files: only one of them was looked at."""
    first: dict[str, str] = {}
    found = []
    for name in sorted(kept):
        try:
            tree = trees.tree(kept[name])
        except UnreadableTextError:
            continue
        for section, entry in tree.root.entries.items():
            if section in first:
                text = phrase("section-twice", "section {name} appears twice", name=quoted(section))
                hint = phrase("first-in", "first in {place}", place=first[section])
                line, column = tree.place(entry.start)
                found.append(plain_mistake(Problem(name, line, column, text, hint)))
            first.setdefault(section, name)
    return found
