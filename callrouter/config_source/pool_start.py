"""The start of a daemon whose configuration is in the database, with or without that database.

What a router has in force is kept on its disk. That is what it starts with while the database cannot be
read, when the newest version cannot be used here (a secret is missing, for example), and when its
own file has a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from callrouter.config_source.config_sources import DatabaseSource
from callrouter.config_source.current_settings import no_config
from callrouter.config_source.start_config import StartConfig
from callrouter.config_source.version_history import VersionHistory
from callrouter.model.routing_table import QueueSpec
from callrouter.settings import ConfigError, Settings, load_snapshot
from callrouter.settings.bootstrap import bootstrap_of
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.config_history import find_history
from callrouter.settings.removals import gone_queues
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.store.location import StoreError


def start_from_database(source: DatabaseSource, environ: Mapping[str, str]) -> StartConfig:
    """Return what a daemon starts with: the newest version or, if it is of no use, the last good one.

    Raises:
        ConfigError: There is neither; a `ConfigAwayError` if the database cannot be asked.
    """
    good = _last_good(source.history, source.folder, environ)
    try:
        snapshot = source.snapshot()
    except StoreError as error:
        if good is None:
            raise no_config(error) from error
        return replace(_start(source, good), away=str(error))
    try:
        settings = load_snapshot(snapshot, environ=environ)
    except ConfigError as error:
        if good is None:
            raise
        return StartConfig(
            settings=good[0],
            files=good[1].files,
            snapshot=snapshot,
            source=source,
            problems=error.problems,
        )
    current = _start(source, (settings, snapshot))
    if good is None:
        return current
    # Each version was confirmed when it was stored, so nothing is held back here.
    return replace(current, removed=_removed(good[0], settings))


def start_without_own_file(
    folder: Path, environ: Mapping[str, str], error: ConfigError
) -> StartConfig:
    """Return what was last in force, for a router's own file that has mistakes.

    Raises:
        ConfigError: There is nothing of before; it is `error`.
    """
    past = find_history(folder, "postgresql://", environ)
    kept = past.head() if past is not None else None
    if past is None or kept is None or BOOTSTRAP not in kept:
        raise error
    try:
        own = past.content(kept[BOOTSTRAP][0])
        source = DatabaseSource(folder, bootstrap_of(folder, own, environ), environ)
    except (OSError, ConfigError):
        raise error from None
    good = _last_good(source.history, folder, environ)
    if good is None:
        raise error
    return replace(_start(source, good), problems=error.problems)


def _start(source: DatabaseSource, found: tuple[Settings, ConfigSnapshot]) -> StartConfig:
    settings, snapshot = found
    return StartConfig(settings=settings, files=snapshot.files, snapshot=snapshot, source=source)


def _last_good(
    history: VersionHistory, folder: Path, environ: Mapping[str, str]
) -> tuple[Settings, ConfigSnapshot] | None:
    snapshot = history.last_good(folder)
    if snapshot is None:
        return None
    try:
        return load_snapshot(snapshot, environ=environ), snapshot
    except ConfigError:
        return None


def _removed(before: Settings, now: Settings) -> dict[str, QueueSpec]:
    return {name: before.table.queues[name] for name in gone_queues(before.table, now.table)}
