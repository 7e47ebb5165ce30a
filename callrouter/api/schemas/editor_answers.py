"""Answers about the texts of the configuration files, for an editor and for forms."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment, PhraseJson, ProblemJson


class FileMistakeJson(TypedDict):
    """A mistake in a text, or a warning, with its extent."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    column: int
    """From 1, in characters."""
    end_line: int
    end_column: int
    """The column behind the last character. The end equals the start if there is no extent."""
    message: str
    message_phrase: PhraseJson
    """The message as a code with values."""
    hint: str
    """What would be right; empty: no suggestion."""
    hint_phrase: PhraseJson
    """The hint as a code with values."""
    path: list[str | int] | None
    """The keys and indexes that lead to it; null: it is not about a value."""
    severity: Literal["error", "warning"]


class ConfigFileItemJson(TypedDict):
    """A configuration file."""

    name: str
    size: int
    """In bytes."""
    etag: str
    """SHA-256 of its content."""
    modified: Moment | None
    sections: list[str]
    lines: int
    writable: bool
    problems: int
    """How many mistakes it has now."""


class MayEditJson(TypedDict):
    """What the caller may change."""

    create: bool
    """Whether new files may be made."""
    sections: list[str] | None
    """Null: all."""
    queues: list[str] | None
    """Null: all."""


class ConfigFilesJson(TypedDict):
    """The configuration files."""

    files: list[ConfigFileItemJson]
    state: Literal["good", "bad", "held"]
    """``bad``: the files have mistakes; ``held``: what they remove must be confirmed."""
    writable: bool
    """Whether the daemon may write in the folder."""
    why_not_writable: str
    may: MayEditJson


class ConfigFileJson(TypedDict):
    """A configuration file with its text. What the caller may not see is ``•••`` in it."""

    name: str
    text: str
    etag: str
    size: int
    modified: Moment | None
    sections: list[str]
    hidden: int
    """How many parts are hidden."""
    writable: bool


class SavedJson(TypedDict):
    """Files that were saved and are in force."""

    ok: Literal[True]
    etags: dict[str, str]
    """Of every file that was saved."""
    changes: list[str]
    """What has changed, in words."""
    changes_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    warnings: list[FileMistakeJson]
    needs_restart: list[str]
    """What takes effect after a restart."""
    needs_restart_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    number: int | None
    """The change in the history; null: nothing has changed."""
    set_aside: list[str]
    """Texts that were never in force and were kept elsewhere, in words."""
    set_aside_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""


class RolledBackJson(SavedJson):
    """Files as they were before a change."""

    dry_run: bool
    """Nothing was written."""
    held: list[str]
    """What it removes, which has to be confirmed."""
    held_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    put_back: list[str]
    removed: list[str]


class TableEntryJson(TypedDict):
    """A queue or an agent as written."""

    id: str
    name: str
    file: str
    line: int
    column: int
    may_edit: bool
    why_not: str
    value: Any
    """The entry as written; hidden values are ``•••``."""
    places: dict[str, list[int]]
    """Line, column, end line and end column of each value, by the rest of its path, with dots."""


class TableMemberJson(TypedDict):
    """An agent's place in a queue."""

    agent: str
    queue: str
    priority: int
    path: list[str | int]
    file: str
    line: int
    column: int
    where: Literal["agents", "shift", "widen"]
    index: int | None
    """Of the shift or the step."""
    plain: bool
    """Written in a list, in which every agent has priority 1."""


class OptionJson(TypedDict):
    """A key that may be written."""

    type: str
    description: str
    default: str | None
    example: str
    expects: str
    """What its value must be, in words."""
    required: bool
    choices: list[str]
    minimum: NotRequired[float]
    maximum: NotRequired[float]
    pattern: NotRequired[str]
    names_of: str
    """The section whose names it takes; empty: none."""
    secret: bool
    restart: bool
    order: int


class PolicyJson(TypedDict):
    """A way to distribute calls."""

    name: str
    sentence: str
    own: bool
    """Added by the site."""


class TablesJson(TypedDict):
    """Queues, agents and priorities as values with their places in the texts."""

    etags: dict[str, str]
    options: dict[str, OptionJson]
    policies: list[PolicyJson]
    queues: list[TableEntryJson]
    agents: list[TableEntryJson]
    memberships: list[TableMemberJson]
    problems: list[FileMistakeJson]


class DraftJson(TypedDict):
    """What a draft would do. Nothing was saved."""

    ok: bool
    """It has no mistakes, and the caller may change all of this."""
    files: dict[str, str]
    """The texts that edits have changed."""
    problems: list[FileMistakeJson]
    warnings: list[FileMistakeJson]
    diff: list[str]
    """What it changes compared with what is in force, in words."""
    diff_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    held: list[str]
    """What it removes, which a save has to confirm."""
    held_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    needs_restart: list[str]
    needs_restart_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    refused: list[str]
    """What the caller may not change."""
    refused_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    etags: dict[str, str]
    """Of the files as they are now."""
    tables: NotRequired[TablesJson]


class SpotJson(TypedDict):
    """A place in a text, from 1."""

    line: int
    column: int


class CompletionJson(TypedDict):
    """Something that may be written."""

    label: str
    insert: str
    kind: Literal["key", "value", "name"]
    detail: str
    description: str
    default: str | None
    required: bool


class AboutOptionJson(TypedDict):
    """The key at the cursor."""

    key: str
    description: str
    type: str
    default: str | None
    example: str
    expects: str


_Range = TypedDict("_Range", {"from": SpotJson, "to": SpotJson})


class CompletionsJson(_Range):
    """What may be written at the cursor. A text to insert replaces what is between the spots."""

    path: list[str | int]
    options: list[CompletionJson]
    about: AboutOptionJson | None


class ConfigProblemJson(ProblemJson):
    """Why files were not saved."""

    problems: NotRequired[list[FileMistakeJson]]
    warnings: NotRequired[list[FileMistakeJson]]
    held: NotRequired[list[str]]
    """What would be removed and must be confirmed."""
    held_phrases: NotRequired[list[PhraseJson]]
    """The same as codes with values, in the same order."""
    refused: NotRequired[list[str]]
    """What the caller may not change."""
    refused_phrases: NotRequired[list[PhraseJson]]
    """The same as codes with values, in the same order."""
    edit: NotRequired[int]
    """Which of the edits is wrong, from 0."""
    file: NotRequired[str]
    etag: NotRequired[str]
    """Of the file as it is now; empty: it is gone."""
    text: NotRequired[str | None]
    """The file as it is now."""
    who: NotRequired[str]
    at: NotRequired[Moment | None]
    changes: NotRequired[list[str]]
    """What others have changed, in words."""
    changes_phrases: NotRequired[list[PhraseJson]]
    """The same as codes with values, in the same order."""
    lines: NotRequired[list[str]]
    """The same, line by line, without secrets."""
