"""The history of a configuration that is in the database, with its last good files on the disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from callrouter.config_source.version_table import NoVersionError, VersionTable
from callrouter.files import read_file
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import (
    MOST_BYTES,
    ConfigFile,
    ConfigFiles,
    ConfigSnapshot,
    FileDigests,
    content_digests,
    contents_only,
    file_digests,
)
from callrouter.settings.config_history import ConfigHistory
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.store.location import StoreError

_MODE = 0o640
"""Permissions of the router's own file when it is put back: the owner writes it, the group reads it."""


class VersionsUnreadError(OSError):
    """The versions in the database cannot be read. Readers of a history expect an error of a file.

    Attributes:
        reason: why, in words.
        none_stored: whether the pool has no version yet; False: the database cannot be used.
    """

    def __init__(self, error: StoreError) -> None:
        super().__init__(errno.EIO, str(error))
        self.reason = str(error)
        self.none_stored = isinstance(error, NoVersionError)


class OwnFile:
    """The router's own file.

    Args:
        folder: the configuration folder.
        content: the file as it was last read.
        fixed: whether that holds for good, whatever the file in the folder says.
    """

    def __init__(self, folder: Path, content: bytes, *, fixed: bool = False) -> None:
        self._path = folder / BOOTSTRAP
        self._content = content
        self._fixed = fixed

    def content(self) -> bytes:
        """Return what the file says; while it cannot be read, what it said before."""
        if not self._fixed:
            with suppress(OSError):
                self._content = read_file(self._path, MOST_BYTES) or self._content
        return self._content


class VersionHistory(ConfigHistory):
    """The versions in the database as a history.

    A version is recorded where it is stored, not where it is taken up. The folder `place` has what this
    router has in force, with its own file, for a start without the database; and what is held back here.

    Args:
        place: the folder.
        table: the versions.
        own: the router's own file.
    """

    def __init__(self, place: Path, table: VersionTable, own: OwnFile) -> None:
        super().__init__(place)
        self._table = table
        self._own = own

    def changes(self) -> list[Change]:
        """Return the versions, newest first.

        Raises:
            OSError: The database cannot be read.
        """
        with _as_file_error():
            return [version.change for version in self._table.versions()]

    def changed_at(self, name: str) -> float | None:
        """Return when a file was changed last, in epoch seconds; None: not known."""
        try:
            found = self.changes()
        except OSError:
            return None
        return next(
            (each.at for each in found if each.before.get(name) != each.after.get(name)), None
        )

    def head(self) -> FileDigests | None:
        """Return the pool's files that this router has in force."""
        head = super().head()
        if head is None:
            return None
        return {name: file for name, file in head.items() if name != BOOTSTRAP}

    def content(self, digest: str) -> bytes:
        """Return the content of a file, from the disk or from the database.

        Raises:
            OSError: It is in neither of them.
        """
        try:
            return super().content(digest)
        except OSError as error:
            with _as_file_error():
                found = self._table.contents([digest]).get(digest)
            if found is None:
                raise OSError(errno.ENOENT, "is not stored", digest) from error
            return found

    def has(self, digest: str) -> bool:
        """Return whether this content is on the disk and intact."""
        try:
            super().content(digest)
        except OSError:
            return False
        return True

    def snapshot(self, folder: Path, files: FileDigests) -> ConfigSnapshot:
        """Return the configuration as it was with these files, and the router's own file of now."""
        return replace(super().snapshot(folder, files), bootstrap=self._own.content())

    def last_good(self, folder: Path) -> ConfigSnapshot | None:
        """Return what this router had last in force, its own file included; None: not intact.

        Nothing is read from the database.
        """
        try:
            head = ConfigHistory.head(self)
            if not head:
                return None
            kept = {name: ConfigHistory.content(self, digest) for name, (digest, _) in head.items()}
        except OSError:
            return None
        own = kept.pop(BOOTSTRAP, self._own.content())
        files = {name: ConfigFile(content, head[name][1], "") for name, content in kept.items()}
        return ConfigSnapshot(
            folder=folder,
            contents=dict(sorted(kept.items())),
            faults={},
            files=files,
            bootstrap=own,
        )

    def begin(self, files: ConfigFiles) -> FileDigests | None:
        """Keep the files as the last good ones. There is never a change to record: see the class."""
        super().begin(files)
        self._keep_good(files)
        return None

    def add(
        self,
        *,
        at: float,
        who: str,
        how: str,
        lines: tuple[str, ...],
        files: ConfigFiles,
        removed_queues: tuple[str, ...],
    ) -> Change | None:
        """Keep the files as the last good ones.

        Returns:
            The newest version with these files; None: there is none, or it cannot be read now.
        """
        del at, who, how, lines, removed_queues  # the version says so, as it was stored
        self._keep_good(files)
        wanted = content_digests(files)
        try:
            found = self.changes()
        except OSError:
            return None
        return next((each for each in found if contents_only(each.after) == wanted), None)

    def announce(self, *, who: str, how: str, files: ConfigFiles) -> None:
        """Do nothing: a version names who has stored it."""

    def withdraw(self) -> None:
        """Do nothing: see `announce`."""

    def _keep_good(self, files: ConfigFiles) -> None:
        good = {**files, BOOTSTRAP: ConfigFile(self._own.content(), _MODE, "")}
        self._keep(good)
        self._write_head(file_digests(good))
        needed = {file.digest for file in good.values()}
        with self._opened("files") as folder:
            for name in folder.names():
                if name not in needed:
                    with suppress(OSError):
                        folder.remove(name)


@contextmanager
def _as_file_error() -> Iterator[None]:
    """Raise errors of the database as those of a file."""
    try:
        yield
    except StoreError as error:
        raise VersionsUnreadError(error) from error
