"""Detects changes of the configuration by polling the folder.

Polling works the same on every file system and with every way in which editors, `git` and
configuration management replace a file: writing in place, renaming over it, pointing a symbolic
link to another file or folder, deleting and creating it again.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final, TypeAlias

from callrouter.settings.config_history import is_ours

EVERY: Final = 0.4
"""Seconds between two polls."""
QUIET: Final = 2
"""Polls that must see no further change, so that a file is not read while it is being written. In
total, a change is applied after 0.8 to 1.2 s.
"""
MOST_BYTES: Final = 16 * 1024 * 1024

Look: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Name, inode, size, mtime and ctime of each file. No user can set the ctime back."""

_FILE_REFERENCE: Final = re.compile(rb"\$\{file:([^{}\n]*)\}")


def _seen(name: str, path: Path) -> tuple[str, int, int, int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return name, 0, 0, 0, 0  # missing, or no access: reading it will report that
    return name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def names(folder: Path) -> list[str]:
    """Return the names of the configuration files in a folder."""
    try:
        return sorted(path.name for path in folder.iterdir() if is_ours(path))
    except OSError:
        return []


def read(path: Path) -> bytes:
    """Return the content of a file or, if it cannot be read, the reason."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe would block us
                return b"no file"
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        return b"error %d" % (getattr(error, "errno", None) or 0)


class Watch:
    """Remembers what was seen and reports when there is something new to read.

    Files referred to by ``${file:PATH}`` belong to the configuration and are watched too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._references: tuple[str, ...] = ()
        self._quiet = 0
        self._seen, self._digest = self._study()
        self._settled = self._seen

    def changed(self) -> bool:
        """Poll the folder; True when its content differs from that of the last True."""
        now = self._look()
        if now != self._seen:
            self._seen, self._quiet = now, 0
            return False
        if now == self._settled:
            return False
        self._quiet += 1
        if self._quiet < QUIET:
            return False
        references = self._references
        seen, digest = self._study()
        if references == self._references and seen != now:  # being written at this very moment
            self._seen, self._quiet = seen, 0
            return False
        self._seen = self._settled = seen
        different = digest != self._digest
        self._digest = digest
        return different

    def _study(self) -> tuple[Look, bytes]:
        """Poll, then read. Repeat if the files refer to other files than those polled."""
        while True:
            references = self._references
            seen = self._look()
            digest = self._read()
            if references == self._references:
                return seen, digest

    def _look(self) -> Look:
        """Return what can be seen of the files without reading them."""
        folder = self._folder
        return (
            (*_seen("", folder)[:2], 0, 0, 0),
            *(_seen(name, folder / name) for name in names(folder)),
            *(_seen(name, folder / name) for name in self._references),
        )

    def _read(self) -> bytes:
        """Return a digest of the contents. It stays the same when a file was only touched."""
        digest = hashlib.sha256()
        found: dict[str, None] = {}
        for name in names(self._folder):
            content = read(self._folder / name)
            digest.update(b"%s\0%d\0%s" % (os.fsencode(name), len(content), content))
            for reference in _FILE_REFERENCE.findall(content):
                found[os.fsdecode(reference)] = None
        self._references = tuple(found)
        for name in self._references:
            content = read(self._folder / name)
            digest.update(b"%s\0%d\0%s" % (os.fsencode(name), len(content), content))
        return digest.digest()
