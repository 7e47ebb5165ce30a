"""A recorded change of the configuration, and its stored form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from callrouter.files import is_plain
from callrouter.model.text import phrase, phrase_data, stored_phrase
from callrouter.settings.config_files import FileDigests, contents_only, is_config_file

_MOST_FILES: Final = 1_000
"""Maximum number of files in a stored configuration."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An applied change.

    Attributes:
        number: Counts from 1.
        at: When, in epoch seconds.
        who: Who changed it: a name for people, or the owners of the changed files.
        how: ``file``, ``reload``, ``start``, ``save from ADDRESS`` or ``rollback to before N``.
        lines: What has changed, in words.
        before: The files before it.
        after: The files in force since.
        removed_queues: The queues that it removed; None: recorded by a version that did not say.
    """

    number: int
    at: float
    who: str
    how: str
    lines: tuple[str, ...]
    before: FileDigests
    after: FileDigests
    removed_queues: tuple[str, ...] | None = None

    @property
    def changed_files(self) -> list[str]:
        """The names of the files whose contents differ before and after, sorted."""
        before, after = contents_only(self.before), contents_only(self.after)
        return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def rollback_words(number: int | None) -> str:
    """Return `Change.how` of going back to before a change; None: to what is in force."""
    if number is None:
        return phrase("how-rollback-to-last", "rollback to what is in force")
    return phrase("how-rollback", "rollback to before {number}", number=number)


def read_digests(view: Any) -> FileDigests:
    """Return digests of files from their stored form.

    Raises:
        ValueError: It contains what we never store, such as a path in place of a name.
    """
    if not isinstance(view, dict) or len(view) > _MOST_FILES:
        raise ValueError("not a list of files")
    found: FileDigests = {}
    for name, (digest, mode) in view.items():
        if not (is_plain(name) and is_config_file(Path(name))):
            raise ValueError(f"not the name of a configuration file: {name!r}")
        if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise ValueError("not a digest")
        if not (isinstance(mode, int) and 0 <= mode <= 0o7777):
            raise ValueError("not the rights of a file")
        found[name] = (digest, mode)
    return found


def change_view(change: Change) -> dict[str, Any]:
    """Return the form in which a change is stored as JSON.

    `read_change` is the reverse. JSON turns the tuples into lists.
    """
    return {
        "number": change.number,
        "at": change.at,
        "who": change.who,
        "how": change.how,
        "how_phrase": phrase_data(change.how),
        "lines": change.lines,
        "line_phrases": [phrase_data(line) for line in change.lines],
        "before": change.before,
        "after": change.after,
        "removed_queues": change.removed_queues,
    }


def stored_lines(lines: Any, phrases: Any) -> tuple[str, ...]:
    """Return sentences from their stored form.

    Args:
        lines: the texts.
        phrases: the codes and values of each, if they were stored.
    """
    texts = list(map(str, lines))
    codes = (
        phrases if isinstance(phrases, list) and len(phrases) == len(texts) else [None] * len(texts)
    )
    return tuple(map(stored_phrase, texts, codes))


def read_change(view: Any) -> Change:
    """Return a change from its stored form.

    Raises:
        ValueError: It is not one.
        KeyError: Something is missing in it.
        TypeError: Something in it has another type.
    """
    removed = view.get("removed_queues")
    return Change(
        number=int(view["number"]),
        at=float(view["at"]),
        who=str(view["who"]),
        how=stored_phrase(str(view["how"]), view.get("how_phrase")),
        lines=stored_lines(view["lines"], view.get("line_phrases")),
        before=read_digests(view["before"]),
        after=read_digests(view["after"]),
        removed_queues=None if removed is None else tuple(map(str, removed)),
    )
