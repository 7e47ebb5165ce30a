"""The configuration files of a folder: read once as a snapshot, and put back by a rollback.

One `ConfigSnapshot` goes through everything that needs the files: the watch compares its digest,
the loader parses its contents, and the history stores its files. So what the history calls "in
force" is exactly what was loaded, even if an editor writes to the folder at that moment.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from callrouter import files as safely
from callrouter.files import Folder

MOST_BYTES: Final = 16 * 1024 * 1024
"""Size limit of a configuration file."""
_RIGHTS: Final = 0o644
"""Permissions allowed for a restored file: only its owner may write to it."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file that may be stored: its content, permissions and its owner's name.

    In a snapshot from the history, `owner` is empty.
    """

    content: bytes
    mode: int
    owner: str

    @property
    def digest(self) -> str:
        """The name under which the content is stored.

        It is the SHA-256 in hexadecimal digits, computed at every use.
        """
        return hashlib.sha256(self.content).hexdigest()


ConfigFiles: TypeAlias = Mapping[str, ConfigFile]
FileDigests: TypeAlias = dict[str, tuple[str, int]]
"""Digest and permissions of each file, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSnapshot:
    """The configuration files of a folder at one moment.

    Attributes:
        folder: Where they were.
        contents: The content of every readable file by name, in order, cut after `MOST_BYTES` + 1
            bytes; None: it is not a regular file.
        faults: Why the other files could not be read, by name.
        fault: Why the folder could not be read.
        files: The files that may be stored. As root, a file that another user has redirected
            outside their own folders is not among them.
        bootstrap: With ``config: database``, the router's own file, which is in none of the others
            (see `callrouter.settings.yaml.pool_files`); None: the files are those of the folder.
        version: The number that the files have in the database; 0: they are not from there.
        confirmed: Whether all that this version takes away was confirmed when it was stored.
    """

    folder: Path
    contents: Mapping[str, bytes | None]
    faults: Mapping[str, OSError]
    fault: OSError | ValueError | None = None
    files: ConfigFiles
    bootstrap: bytes | None = None
    version: int = 0
    confirmed: bool = False

    @property
    def names(self) -> list[str]:
        """The names of all files, readable or not, in order."""
        return sorted([*self.contents, *self.faults])

    def digest(self) -> bytes:
        """Return a digest of all contents. It stays the same if a file was only touched.

        Permissions and owners do not count. Of a file that cannot be read, the error's number
        counts.
        """
        digest = hashlib.sha256(b"" if self.fault is None else _why(self.fault))
        if self.bootstrap is not None:
            digest.update(b"%d\0%s" % (len(self.bootstrap), self.bootstrap))
        for name in self.names:
            content = self.contents.get(name)
            if name in self.faults:
                content = _why(self.faults[name])
            elif content is None:
                content = b"not a file"
            digest.update(b"%s\0%d\0%s" % (os.fsencode(name), len(content), content))
        return digest.digest()


def _why(error: OSError | ValueError) -> bytes:
    return b"error %d" % (getattr(error, "errno", None) or 0)


def is_config_file(path: Path) -> bool:
    """Return whether a name in the folder is that of a configuration file.

    Names that start with a dot (lock and swap files of editors) are not.
    """
    return path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")


def config_names(folder: Path) -> list[str]:
    """Return the names of the configuration files of a folder; none if it cannot be read.

    They are sorted. No file is opened.
    """
    try:
        return sorted(path.name for path in folder.iterdir() if is_config_file(path))
    except OSError:
        return []


def read_snapshot(folder: Path) -> ConfigSnapshot:
    """Read every configuration file of a folder. What cannot be read is in the snapshot too.

    OSError is never raised. At most `MOST_BYTES` + 1 bytes of a file are read: enough to see that
    it is too large.
    """
    try:
        paths = sorted(filter(is_config_file, folder.iterdir()))
    except (OSError, ValueError) as error:
        return ConfigSnapshot(folder=folder, contents={}, faults={}, fault=error, files={})
    contents: dict[str, bytes | None] = {}
    faults: dict[str, OSError] = {}
    files: dict[str, ConfigFile] = {}
    for path in paths:
        with suppress(OSError):
            content, status = safely.read(path, MOST_BYTES)
            mode, owner = stat.S_IMODE(status.st_mode), owner_name(status.st_uid)
            files[path.name] = ConfigFile(content, mode, owner)
            contents[path.name] = content
            continue
        # It may not be stored, but the loader reports what is wrong with it, or may use it.
        try:
            contents[path.name] = safely.read_file(path, MOST_BYTES + 1)
        except OSError as error:
            faults[path.name] = error
    return ConfigSnapshot(folder=folder, contents=contents, faults=faults, files=files)


def stored_snapshot(folder: Path, files: ConfigFiles) -> ConfigSnapshot:
    """Return the snapshot of a folder as it was when it held these files.

    Nothing is read from the folder, and there are no faults.
    """
    contents = {name: files[name].content for name in sorted(files)}
    return ConfigSnapshot(folder=folder, contents=contents, faults={}, files=files)


def owner_name(uid: int) -> str:
    """Return a user's name, or the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def file_digests(files: ConfigFiles) -> FileDigests:
    """Return the digest and permissions of each file.

    This is the form in which a `Change` has them.
    """
    return {name: (file.digest, file.mode) for name, file in files.items()}


def contents_only(files: FileDigests) -> dict[str, str]:
    """Return the digests without permissions: what decides whether two configurations are equal."""
    return {name: digest for name, (digest, _) in files.items()}


def content_digests(files: ConfigFiles) -> dict[str, str]:
    """Return the digest of each file.

    It equals `contents_only` of `file_digests`.
    """
    return {name: file.digest for name, file in files.items()}


def put_back(folder: Path, name: str, content: bytes, mode: int) -> None:
    """Put a configuration file in place atomically, with its permissions from the start.

    A symbolic link stays one, and its target is replaced. An existing file keeps its permissions
    and owner. A new file gets the folder's owner and those permissions of `mode` that are safe.

    Args:
        folder: The configuration folder.
        name: The file's name in it.
        content: The new content.
        mode: The permissions that the file had when it was stored.

    Raises:
        OSError: It cannot be written, or, as root, another user has redirected it elsewhere; the
            existing file is unchanged.
    """
    with safely.located(folder / name) as (place, real):
        owner = None
        mode &= _RIGHTS
        with suppress(FileNotFoundError):
            status = place.status(real)
            if stat.S_ISREG(status.st_mode):
                mode, owner = stat.S_IMODE(status.st_mode) & 0o777, (status.st_uid, status.st_gid)
        place.write(real, content, mode or 0o600, owner)


def is_link_outside(folder: Path, name: str) -> bool:
    """Return whether a name in the folder is a link to a file that is not in the folder."""
    path = folder / name
    return path.is_symlink() and path.resolve().parent != folder.resolve()


def save_file(folder: Path, name: str, content: bytes, expected: bytes | None) -> None:
    """Put a new content of a configuration file in place, if it is still the expected one.

    An existing file keeps its permissions and owner; a new one gets those of the folder's owner and
    can be read by the owner and the group.

    Args:
        folder: The configuration folder.
        name: The file's name in it. A link in the folder stays one, and its target is replaced.
        content: The new content.
        expected: The content that it has; None: there is no such file.

    Raises:
        FileChangedError: It has another content by now; nothing has changed.
        OSError: It cannot be written; nothing has changed.
    """
    with safely.located(folder / name) as (place, real):
        mode, owner = 0o640, None
        if expected is not None:
            with suppress(FileNotFoundError):
                status = place.status(real)
                mode, owner = stat.S_IMODE(status.st_mode) & 0o777, (status.st_uid, status.st_gid)
        place.replace(real, content, mode, owner, expected)


def remove_file(folder: Path, name: str) -> None:
    """Delete a configuration file; of a link, the link itself.

    Raises:
        OSError: It is not there, or cannot be deleted.
    """
    with Folder.open(folder) as place:
        place.remove(name)
