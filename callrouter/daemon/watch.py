"""Noticing that the configuration was changed: the folder is looked at, not listened to.

Polling works the same on every file system and for every way in which editors, `git` and
configuration management put a file in its place: in place, renamed over, by a symbolic link that is
turned to another file or folder, deleted and made anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final, TypeAlias

from callrouter.settings.past import is_ours

EVERY: Final = 0.4
"""Seconds between two looks."""
QUIET: Final = 2
"""Looks that must see the same after the last change: a file that is being written is not read half
way. Together a change is taken up after 0.8 to 1.2 s."""
MOST_BYTES: Final = 16 * 1024 * 1024

Look: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Name, inode, size, time of writing and time of any change (which nobody can set back) of each file."""

_FILE_REFERENCE: Final = re.compile(rb"\$\{file:([^{}\n]*)\}")


def _seen(name: str, path: Path) -> tuple[str, int, int, int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return name, 0, 0, 0, 0  # gone, or not for us to see: the reading will tell
    return name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def names(folder: Path) -> list[str]:
    """The configuration files of a folder."""
    try:
        return sorted(path.name for path in folder.iterdir() if is_ours(path))
    except OSError:
        return []


def read(path: Path) -> bytes:
    """What a file says; of one that cannot be read, why not."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe would hang us
                return b"no file"
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        return b"error %d" % (getattr(error, "errno", None) or 0)


class Watch:
    """Remembers what was seen, and says when there is something new to read.

    What ``${file:PATH}`` leads to belongs to the configuration and is watched like the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._references: tuple[str, ...] = ()
        self._quiet = 0
        self._seen, self._digest = self._study()
        self._settled = self._seen

    def changed(self) -> bool:
        """Look at the folder; True when its content is another than when it was last True."""
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
        if references == self._references and seen != now:  # written to in this very moment
            self._seen, self._quiet = seen, 0
            return False
        self._seen = self._settled = seen
        different = digest != self._digest
        self._digest = digest
        return different

    def _study(self) -> tuple[Look, bytes]:
        """Look, then read; again where other files are referred to than were looked at."""
        while True:
            references = self._references
            seen = self._look()
            digest = self._read()
            if references == self._references:
                return seen, digest

    def _look(self) -> Look:
        """What can be seen of the files without reading them."""
        folder = self._folder
        return (
            (*_seen("", folder)[:2], 0, 0, 0),
            *(_seen(name, folder / name) for name in names(folder)),
            *(_seen(name, folder / name) for name in self._references),
        )

    def _read(self) -> bytes:
        """A digest of what the files say; the same when a file was only touched."""
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
