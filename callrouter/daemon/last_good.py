"""What a daemon starts with: the current files or, if unusable, the last good ones.

The history of changes (`callrouter.settings.config_history`) keeps the files that were last in force,
addressed by the digests of their contents. They are used when the files in the folder have a
mistake, are missing or cannot be read, and when the folder has lost something without confirmation:
a restart must not do to callers what a reload does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from callrouter.config_source.config_sources import DatabaseSource, FolderSource, source_of
from callrouter.config_source.pool_start import start_from_database, start_without_own_file
from callrouter.config_source.start_config import StartConfig
from callrouter.model.routing_table import QueueSpec
from callrouter.settings import ConfigError, Settings, load_snapshot
from callrouter.settings.config_files import (
    ConfigFiles,
    FileDigests,
    content_digests,
    contents_only,
)
from callrouter.settings.config_history import HISTORY_FOLDER, ConfigHistory
from callrouter.settings.diff.settings_diff import changes
from callrouter.settings.removals import gone_queues, is_only_cut, losses
from callrouter.settings.state_location import state_candidates

_DATABASE: Final = re.compile(rb"^database:[ \t]*[\"']?([^\"'#\r\n]+)", re.MULTILINE)
_LATELY: Final = 24 * 3600.0
"""Seconds for which callers may still be waiting in a removed queue."""


def choose_start(folder: Path, environ: Mapping[str, str], now: float) -> StartConfig:
    """Read the configuration and check that it can be used.

    Raises:
        ConfigError: it has mistakes, or cannot be read, and there is no last good one.
    """
    try:
        source = source_of(folder, environ)
    except ConfigError as error:
        return start_without_own_file(folder, environ, error)
    if isinstance(source, DatabaseSource):
        return start_from_database(source, environ)
    return _start_from_files(source, environ, now)


def _start_from_files(source: FolderSource, environ: Mapping[str, str], now: float) -> StartConfig:
    folder = source.folder
    snapshot = source.snapshot()
    files = snapshot.files
    try:
        settings = load_snapshot(snapshot, environ=environ)
    except ConfigError as error:
        past = _history(folder, _database(files), environ)
        good = _in_force(past, folder, environ) if past is not None else None
        if good is None:
            raise
        return StartConfig(
            settings=good[0],
            files=good[1],
            snapshot=snapshot,
            source=source,
            problems=error.problems,
        )
    current = StartConfig(settings=settings, files=files, snapshot=snapshot, source=source)
    past = _history(folder, settings.database, environ)
    head = past.head() if past is not None else None
    if past is None or head is None:
        return current
    if contents_only(head) == content_digests(files):
        return replace(current, removed=_removed(past, settings, folder, environ, now))
    good = _in_force(past, folder, environ)
    if good is None:
        return current
    before = good[0]
    held: tuple[str, ...] = ()
    if not before.removals_at_once:
        if is_only_cut(good[1], files):  # otherwise they were edited while no daemon was running
            lines = changes(before, settings)
            held = losses(before.table, settings.table, before=good[1], after=files, lines=lines)
        if not held and past.held() == content_digests(files):
            held = past.held_lines()
    if held:
        return StartConfig(
            settings=before, files=good[1], snapshot=snapshot, source=source, held=held
        )
    gone = gone_queues(before.table, settings.table)
    return replace(current, removed={name: before.table.queues[name] for name in gone})


def _database(files: ConfigFiles) -> str:
    """Return the database that the files seem to name although they are invalid."""
    for file in files.values():
        found = _DATABASE.search(file.content)
        if found is not None:
            return found[1].decode("utf-8", "replace").strip()
    return "callrouter.db"


def _history(folder: Path, database: str, environ: Mapping[str, str]) -> ConfigHistory | None:
    """Return the history left by an earlier run.

    None: there is none that can be read.
    """
    for place in state_candidates(folder, database, environ):
        try:
            if (place / HISTORY_FOLDER / "head.json").is_file():
                return ConfigHistory(place / HISTORY_FOLDER)
        except OSError:
            continue
    return None


def _in_force(
    past: ConfigHistory, folder: Path, environ: Mapping[str, str]
) -> tuple[Settings, ConfigFiles] | None:
    """Return the last files in force with their settings; None if they are not intact."""
    head = past.head()
    return _read(past, head, folder, environ) if head else None


def _read(
    past: ConfigHistory, files: FileDigests, folder: Path, environ: Mapping[str, str]
) -> tuple[Settings, ConfigFiles] | None:
    try:
        snapshot = past.snapshot(folder, files)
        return load_snapshot(snapshot, environ=environ), snapshot.files
    except (ConfigError, OSError):
        return None


def _removed(
    past: ConfigHistory, settings: Settings, folder: Path, environ: Mapping[str, str], now: float
) -> dict[str, QueueSpec]:
    """Return the queues removed by the last change, if it was recent."""
    last = next(iter(past.changes()), None)
    if last is None or now - last.at > _LATELY or last.removed_queues == ():
        return {}
    good = _read(past, last.before, folder, environ)
    if good is None:
        return {}
    before = good[0].table
    return {name: before.queues[name] for name in gone_queues(before, settings.table)}
