"""What a daemon starts with: the current files or, if unusable, the last good ones.

The history of changes (`callrouter.settings.config_history`) keeps the files that were last in force,
addressed by the digests of their contents. They are used when the files in the folder have a
mistake, are missing or cannot be read, and when the folder has lost something without confirmation:
a restart must not do to callers what a reload does not.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from callrouter.model.routing_table import QueueSpec
from callrouter.settings import ConfigError, Problem, Settings, load
from callrouter.settings.config_history import (
    FOLDER,
    ConfigFile,
    ConfigHistory,
    FileDigests,
    listing,
    places,
    says,
    take,
)
from callrouter.settings.diff.settings_diff import changes
from callrouter.settings.removals import gone_queues, losses, only_cut

logger = logging.getLogger(__name__)

_DATABASE: Final = re.compile(rb"^database:[ \t]*[\"']?([^\"'#\r\n]+)", re.MULTILINE)
_GONE: Final = re.compile(r"queue ([a-z0-9_-]+) is gone\b")
_LATELY: Final = 24 * 3600.0
"""Seconds for which callers may still be waiting in a removed queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a daemon starts with.

    `settings` were read from `files`. `problems` lists what is wrong with the files in the folder,
    `held` what they have lost. If either is not empty, `settings` are the last good ones. `removed`
    holds recently removed queues, in which callers may still be waiting.
    """

    settings: Settings
    files: Mapping[str, ConfigFile]
    problems: tuple[Problem, ...] = ()
    held: tuple[str, ...] = ()
    removed: Mapping[str, QueueSpec] = field(default_factory=dict)


def start(folder: Path, environ: Mapping[str, str], now: float) -> Start:
    """Read the files and check that they can be used.

    Raises:
        ConfigError: the files have mistakes and there are no last good ones.
    """
    files = take(folder)
    try:
        settings = load(folder, environ=environ)
    except ConfigError as error:
        past = _history(folder, _database(files), environ)
        good = _in_force(past, folder, environ) if past is not None else None
        if good is None:
            raise
        return Start(settings=good[0], files=good[1], problems=error.problems)
    past = _history(folder, settings.database, environ)
    head = past.head() if past is not None else None
    if past is None or head is None:
        return Start(settings=settings, files=files)
    if says(head) == says(listing(files)):
        return Start(
            settings=settings, files=files, removed=_removed(past, settings, folder, environ, now)
        )
    good = _in_force(past, folder, environ)
    if good is None:
        return Start(settings=settings, files=files)
    before = good[0]
    held: tuple[str, ...] = ()
    if not before.removals_at_once:
        if only_cut(good[1], files):  # otherwise they were edited while no daemon was running
            lines = changes(before, settings)
            held = losses(before.table, settings.table, before=good[1], after=files, lines=lines)
        if not held and past.held() == says(listing(files)):
            held = past.held_lines()
    if held:
        return Start(settings=before, files=good[1], held=held)
    gone = gone_queues(before.table, settings.table)
    removed = {name: before.table.queues[name] for name in gone}
    return Start(settings=settings, files=files, removed=removed)


def _database(files: Mapping[str, ConfigFile]) -> str:
    """Return the database that the files seem to name although they are invalid."""
    for file in files.values():
        found = _DATABASE.search(file.content)
        if found is not None:
            return found[1].decode("utf-8", "replace").strip()
    return "callrouter.db"


def _history(folder: Path, database: str, environ: Mapping[str, str]) -> ConfigHistory | None:
    """Return the history left by an earlier run."""
    for place in places(folder, database, environ):
        try:
            if (place / FOLDER / "head.json").is_file():
                return ConfigHistory(place / FOLDER)
        except OSError:
            continue
    return None


def _in_force(
    past: ConfigHistory, folder: Path, environ: Mapping[str, str]
) -> tuple[Settings, dict[str, ConfigFile]] | None:
    """Return the last files in force with their settings; None if they are not intact."""
    head = past.head()
    return _read(past, head, folder, environ) if head else None


def _read(
    past: ConfigHistory, files: FileDigests, folder: Path, environ: Mapping[str, str]
) -> tuple[Settings, dict[str, ConfigFile]] | None:
    kept: dict[str, ConfigFile] = {}
    try:
        for name, (digest, mode) in files.items():
            content = past.content(digest)
            if hashlib.sha256(content).hexdigest() != digest:
                logger.error("%s in %s is not what it was", name, past.place)
                return None
            kept[name] = ConfigFile(content, mode, "")
        with past.laid_out(files) as place:
            return load(place, environ=environ, base=folder), kept
    except (ConfigError, OSError):
        return None


def _removed(
    past: ConfigHistory, settings: Settings, folder: Path, environ: Mapping[str, str], now: float
) -> dict[str, QueueSpec]:
    """Return the queues removed by the last change, if it was recent."""
    last = next(iter(past.changes()), None)
    if last is None or now - last.at > _LATELY:
        return {}
    names = {found[1] for line in last.lines if (found := _GONE.match(line))}
    names -= settings.table.queues.keys()
    good = _read(past, last.before, folder, environ) if names else None
    queues = good[0].table.queues if good is not None else {}
    return {name: queues[name] for name in names if name in queues}
