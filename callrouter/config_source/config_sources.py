"""The two places that a configuration comes from, behind one protocol. Blocks: for threads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

from callrouter.config_source.pool_snapshot import of_folder
from callrouter.config_source.version_history import OwnFile, VersionHistory
from callrouter.config_source.version_table import OvertakenError, VersionTable, made_of
from callrouter.settings.bootstrap import Bootstrap, read_bootstrap
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import (
    ConfigFile,
    ConfigFiles,
    ConfigSnapshot,
    config_names,
    read_snapshot,
)
from callrouter.settings.config_history import HISTORY_FOLDER, ConfigHistory
from callrouter.settings.state_location import state_folder
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.store.location import Address, StoreError

T = TypeVar("T")

_SKIPPED: Final = 4
"""Looks that are left out after one that failed, so that a dead server is not asked all the time."""


class ConfigSource(Protocol):
    """Where a configuration comes from."""

    @property
    def folder(self) -> Path:
        """The configuration folder; paths in the configuration are relative to it."""

    def snapshot(self) -> ConfigSnapshot:
        """Return the configuration as it is there now.

        Raises:
            StoreError: the database cannot be read.
        """

    def as_if(self, folder: Path) -> ConfigSnapshot:
        """Return the configuration as it would be with the files of another folder."""

    def local_names(self) -> list[str]:
        """Return the names of the files in the folder that belong to the configuration."""

    def version(self) -> int:
        """Return the number of the newest version in the database; 0: it is not from there.

        While the database cannot be read, it is the number that was last seen.
        """


class FolderSource:
    """The files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def snapshot(self) -> ConfigSnapshot:
        """See `ConfigSource`; no `StoreError` is raised."""
        return read_snapshot(self.folder)

    def as_if(self, folder: Path) -> ConfigSnapshot:
        """See `ConfigSource`."""
        return read_snapshot(folder)

    def local_names(self) -> list[str]:
        """See `ConfigSource`."""
        return config_names(self.folder)

    def version(self) -> int:
        """Return 0: a folder has no versions."""
        return 0


class DatabaseSource:
    """The versions of a pool's files in its database, with the router's own file in the folder.

    Args:
        folder: the configuration folder.
        bootstrap: what the router's own file says.
        environ: the environment.
        fixed: whether `bootstrap` holds for good, whatever the file in the folder says.

    Attributes:
        table: the versions.
        history: the same as a history, with the last good files on the disk.
        trouble: why the database could not be read at the last attempt; empty: it could.
    """

    def __init__(
        self,
        folder: Path,
        bootstrap: Bootstrap,
        environ: Mapping[str, str],
        *,
        fixed: bool = False,
    ) -> None:
        self.folder = folder
        self.fixed = fixed
        self._own = OwnFile(folder, bootstrap.content, fixed=fixed)
        self.address = Address(bootstrap.database, bootstrap.pool)
        self.table = VersionTable(self.address)
        place = state_folder(folder, bootstrap.database, environ) / HISTORY_FOLDER
        self.history = VersionHistory(place, self.table, self._own)
        self.trouble = ""
        self._seen = 0
        self._skip = 0
        self._contents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def snapshot(self) -> ConfigSnapshot:
        """See `ConfigSource`."""
        version = self._told(self.table.newest)
        change = version.change
        with self._lock:
            known = self._contents
        wanted = {digest for digest, _ in change.after.values()}
        found = self._told(lambda: self.table.contents(wanted - known.keys()))
        contents = {digest: content for digest, content in (known | found).items()
                    if digest in wanted}  # fmt: skip
        for digest, content in contents.items():
            if hashlib.sha256(content).hexdigest() != digest:
                raise StoreError("the database holds a file that is not what was put there")
        with self._lock:
            self._contents = contents
        files = {
            name: ConfigFile(content, change.after[name][1], change.who)
            for name, content in made_of(change.after, contents).items()
        }
        return self._with(files, version=change.number, confirmed=version.confirmed)

    def as_if(self, folder: Path) -> ConfigSnapshot:
        """See `ConfigSource`; what is each router's own in these files is left out.

        Raises:
            StoreError: that cannot be separated from the rest of a file.
        """
        return replace(of_folder(folder), folder=self.folder, bootstrap=self._own.content())

    def local_names(self) -> list[str]:
        """See `ConfigSource`."""
        return [BOOTSTRAP]

    def version(self) -> int:
        """See `ConfigSource`."""
        if self._skip:
            self._skip -= 1
            return self._seen
        try:
            self._seen = self._told(self.table.newest_number)
        except StoreError:
            self._skip = _SKIPPED
        return self._seen

    def unread_files(self) -> list[str]:
        """Return the configuration files in the folder that are not read."""
        return [name for name in config_names(self.folder) if name != BOOTSTRAP]

    def why_not_writable(self) -> str:
        """Return why no version can be stored now; empty: it can."""
        if not self.trouble:
            return ""
        return f"the configuration is in the database, which cannot be reached: {self.trouble}"

    def store(
        self,
        files: ConfigFiles,
        *,
        after: int,
        who: str,
        how: str,
        lines: tuple[str, ...],
        removed_queues: tuple[str, ...],
        confirmed: bool,
    ) -> Change:
        """Store a new version; see `VersionTable.store`."""
        return self._told(
            lambda: self.table.store(
                files,
                after=after,
                who=who,
                how=how,
                lines=lines,
                removed_queues=removed_queues,
                confirmed=confirmed,
            )
        )

    def _with(self, files: ConfigFiles, *, version: int, confirmed: bool) -> ConfigSnapshot:
        return ConfigSnapshot(
            folder=self.folder,
            contents={name: files[name].content for name in sorted(files)},
            faults={},
            files=files,
            bootstrap=self._own.content(),
            version=version,
            confirmed=confirmed,
        )

    def _told(self, work: Callable[[], T]) -> T:
        try:
            found = work()
        except OvertakenError:
            raise
        except StoreError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
        return found


def source_of(folder: Path, environ: Mapping[str, str]) -> FolderSource | DatabaseSource:
    """Return where the configuration of a folder comes from. Nothing is connected yet.

    Raises:
        ConfigError: it comes from the database, and the router's own file has mistakes.
    """
    bootstrap = read_bootstrap(folder, environ)
    return FolderSource(folder) if bootstrap is None else DatabaseSource(folder, bootstrap, environ)


def history_of(
    source: FolderSource | DatabaseSource, database: str, environ: Mapping[str, str]
) -> ConfigHistory:
    """Return the history of a configuration.

    Args:
        source: where it comes from.
        database: the configured database.
        environ: the environment.
    """
    if isinstance(source, DatabaseSource):
        return source.history
    return ConfigHistory(state_folder(source.folder, database, environ) / HISTORY_FOLDER)
