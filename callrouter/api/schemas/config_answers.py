"""Answers about the configuration files and their changes."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment, PhraseJson


class MistakeJson(TypedDict):
    """A mistake in the configuration, or a warning."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    column: int
    text: str
    hint: str
    """What would be right; empty: no suggestion."""
    source_line: NotRequired[str]
    """The line as written. Only `callrouter check --json` shows it: it may contain secrets."""


class ConfigStatusJson(TypedDict):
    """How the configuration in force relates to the files."""

    state: Literal["good", "bad", "held"]
    """``bad``: the files have mistakes; ``held``: what they remove must be confirmed."""
    held: list[str]
    last_good: bool
    """Whether the daemon runs with the last good configuration since its start."""
    folder: str | None
    """Null except for admins."""
    loaded_at: Moment
    """When the configuration in force was loaded."""
    source: Literal["files", "database"]
    """Where the configuration is."""
    version: int | None
    """The number of the version in force; null: it is in files, or the number is not known."""
    away: str | None
    """Why the database with the configuration cannot be read now; null: it can, or there is none."""
    differs_from: str | None
    """The active router of the pool, if it has another configuration in force than this one."""
    problems: list[MistakeJson]
    warnings: list[MistakeJson]
    needs_restart: list[str]
    """Changes that take effect after a restart."""


class OutcomeJson(TypedDict):
    """The result of reading the configuration files."""

    ok: bool
    """Whether the files have no mistakes."""
    changes: list[str]
    """What changes, in words."""
    problems: list[MistakeJson]
    warnings: list[MistakeJson]
    held: NotRequired[list[str]]
    """What the files remove. It must be confirmed, and nothing was applied."""


class ChangeJson(TypedDict):
    """A change of the configuration that the daemon applied."""

    number: int
    at: Moment
    who: str
    how: str
    """``file``, ``reload``, ``start``, ``save from …`` or ``rollback …``."""
    how_phrase: PhraseJson
    """The same as a code with values; ``file``, ``reload`` and ``start`` have none."""
    changes: list[str]
    """What changed, in words."""
    changes_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    files: list[str]


class ChangeDetailJson(ChangeJson):
    """A change, and what it did to the files."""

    diff: list[str]
    """Line by line, without possible secrets."""


class HistoryJson(TypedDict):
    """The changes of the configuration, newest first."""

    changes: list[ChangeJson]
