"""Versions of a configuration in the database, for the commands: found, compared, stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from callrouter.cli.commands.check import mistakes, tell_problem, warning_text
from callrouter.cli.output_text import CommandFailed, print_text
from callrouter.clock import SystemClock
from callrouter.config_source.config_sources import DatabaseSource, FolderSource, source_of
from callrouter.config_source.pool_snapshot import UnseparatedError
from callrouter.config_source.version_table import NoVersionError, OvertakenError
from callrouter.model.text import counted
from callrouter.settings import ConfigError, Settings, changes, load, load_snapshot
from callrouter.settings.bootstrap import Bootstrap
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import ConfigSnapshot, content_digests, owner_name
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.removals import gone_queues, losses
from callrouter.store.database import Database, server_at
from callrouter.store.location import StoreError


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn errors of the database into words.

    Raises:
        CommandFailed: it cannot be used (exit status 3), another version was quicker (1), or it has
            none yet, or the files are not what can be stored (2).
    """
    try:
        yield
    except OvertakenError as error:
        raise CommandFailed(1, f"nothing was stored: {error}; look at it and try again") from error
    except (NoVersionError, UnseparatedError) as error:
        raise CommandFailed(2, str(error)) from error
    except StoreError as error:
        raise CommandFailed(3, str(error)) from error


def target_of(folder: Path) -> DatabaseSource:
    """Return the database in which the pool of a folder has its configuration, or is to have it.

    Raises:
        CommandFailed: the folder has mistakes, or names no PostgreSQL database.
    """
    try:
        source = source_of(folder, os.environ)
        if isinstance(source, DatabaseSource):
            return source
        settings = load(folder, environ=os.environ)
    except ConfigError as error:
        raise mistakes(folder, error) from error
    if not settings.database.startswith(POSTGRESQL):
        raise CommandFailed(
            2, f"{folder} names no PostgreSQL database, and only such a one keeps a configuration"
        )
    bootstrap = Bootstrap(
        content=b"config: database\ndatabase: postgresql:///callrouter\n",
        database=settings.database,
        pool=settings.pool,
    )
    return DatabaseSource(folder, bootstrap, os.environ, fixed=True)


def is_in_database(folder: Path) -> DatabaseSource | None:
    """Return the source of a configuration that is in the database; None: it is in files.

    Raises:
        CommandFailed: the router's own file has mistakes.
    """
    try:
        source = source_of(folder, os.environ)
    except ConfigError as error:
        raise mistakes(folder, error) from error
    return None if isinstance(source, FolderSource) else source


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """What new files would change in the newest version.

    Attributes:
        snapshot: the new files.
        after: the number of the newest version; 0: there is none.
        same: whether the newest version has these files.
        lines: what they change, in words.
        lost: what they take away that must be confirmed.
        removed_queues: the queues that go.
    """

    snapshot: ConfigSnapshot
    after: int
    same: bool
    lines: tuple[str, ...]
    lost: tuple[str, ...]
    removed_queues: tuple[str, ...]


def compared(source: DatabaseSource, snapshot: ConfigSnapshot) -> VersionComparison:
    """Check new files and compare them with the newest version. Warnings are printed.

    Raises:
        CommandFailed: they have mistakes, which were printed (exit status 1).
        StoreError: the database cannot be read.
    """
    new = _checked(source, snapshot)
    try:
        old_files = source.snapshot()
    except NoVersionError:
        what = (
            f"{counted(len(new.table.agents), 'agent')}, {counted(len(new.table.queues), 'queue')}"
        )
        return VersionComparison(
            snapshot=snapshot, after=0, same=False, lines=(f"the first version: {what}",),
            lost=(), removed_queues=(),
        )  # fmt: skip
    same = content_digests(old_files.files) == content_digests(snapshot.files)
    try:
        old = load_snapshot(old_files, environ=os.environ, stand_ins=True)
    except ConfigError:  # stored by a version of callrouter that knew other keys
        lines: tuple[str, ...] = ("the version of before has mistakes for this callrouter",)
        lost: tuple[str, ...] = ()
        removed: tuple[str, ...] = ()
    else:
        lines = tuple(changes(old, new))
        files = {"before": old_files.files, "after": snapshot.files}
        lost = () if old.removals_at_once else losses(old.table, new.table, **files, lines=lines)
        removed = tuple(gone_queues(old.table, new.table))
    return VersionComparison(
        snapshot=snapshot,
        after=old_files.version,
        same=same,
        lines=lines,
        lost=lost,
        removed_queues=removed,
    )


def _checked(source: DatabaseSource, snapshot: ConfigSnapshot) -> Settings:
    try:
        settings = load_snapshot(
            snapshot,
            environ=os.environ,
            now=SystemClock().now(),
            base=source.folder,
            stand_ins=True,
        )
    except ConfigError as error:
        for problem in error.problems:
            tell_problem(problem)
        raise CommandFailed(1, f"{counted(error.count, 'mistake')}; nothing was stored") from error
    for warning in settings.warnings:
        print_text(warning_text(warning), indent=4)
    return settings


def store(source: DatabaseSource, found: VersionComparison, how: str, *, confirmed: bool) -> Change:
    """Store new files as the next version, as the user who runs this command.

    Raises:
        OvertakenError: another version was quicker.
        StoreError: the database cannot be used.
    """
    if not source.table.has_tables():
        Database(server_at(source.address, SystemClock().now)).close()  # it creates them
    return source.store(
        found.snapshot.files,
        after=found.after,
        who=this_user(),
        how=how,
        lines=found.lines,
        removed_queues=found.removed_queues,
        confirmed=confirmed,
    )


def this_user() -> str:
    """Return who runs this command, for the history."""
    who = owner_name(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{behind} (as {who})" if behind and behind != who else who
