"""Detects changes of the configuration by polling the folder.

Polling works the same on every file system and with every way in which editors, `git` and
configuration management replace a file: writing in place, renaming over it, pointing a symbolic
link to another file or folder, deleting and creating it again.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final, TypeAlias

from callrouter.config_source.config_sources import ConfigSource
from callrouter.files import read_file
from callrouter.settings.config_files import MOST_BYTES, ConfigSnapshot
from callrouter.store.location import StoreError

EVERY: Final = 0.4
"""Seconds between two polls."""
QUIET: Final = 2
"""Polls that must see no further change, so that a file is not read while it is being written. In
total, a change is applied after 0.8 to 1.2 s.
"""

Look: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""First the version in the database, then name, inode, size, mtime and ctime of each file. No user can
set the ctime back.
"""

_FILE_REFERENCE: Final = re.compile(rb"\$\{file:([^{}\n]*)\}")


def _seen(name: str, path: Path) -> tuple[str, int, int, int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return name, 0, 0, 0, 0  # missing, or no access: reading it will report that
    return name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _referenced(path: Path) -> bytes:
    """Return the content of a file or, if it cannot be read, the reason."""
    try:
        content = read_file(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        return b"error %d" % (getattr(error, "errno", None) or 0)
    return b"no file" if content is None else content


class ConfigWatch:
    """Remembers what was seen and reports when there is something new to read.

    Files referred to by ``${file:PATH}`` belong to the configuration and are watched too. A version in
    the database is stored at once, so it is read as soon as it is seen.

    Args:
        source: Where the configuration comes from.
        known: The files as last read, if they have been; otherwise those of this moment.
    """

    def __init__(self, source: ConfigSource, known: ConfigSnapshot | None = None) -> None:
        self._source = source
        self._folder = source.folder
        self._references: tuple[str, ...] = ()
        self._quiet = 0
        if known is None:
            self._seen, known = self._study()
            self._settled = self._seen
            self._digest = self._digest_of(known)
        else:
            # A change since then must be noticed too, so this counts as not settled yet.
            self._digest = self._digest_of(known)
            self._seen, self._settled = self._look(), ()

    def changed(self) -> ConfigSnapshot | None:
        """Poll the folder, or the folder and the database.

        Returns:
            The files, if their contents differ from those that were last returned or known.
        """
        now = self._look()
        if now != self._seen:
            stored = now[0] != self._seen[0] and now[1:] == self._seen[1:]
            self._seen, self._quiet = now, QUIET - 1 if stored else 0
            if not stored:
                return None
        if now == self._settled:
            return None
        self._quiet += 1
        if self._quiet < QUIET:
            return None
        references = self._references
        try:
            seen, snapshot = self._study()
        except StoreError:
            return None  # the source says so; the next look tries again
        if references == self._references and seen != now:  # being written at this very moment
            self._seen, self._quiet = seen, 0
            return None
        self._seen = self._settled = seen
        digest = self._digest_of(snapshot)
        different = digest != self._digest
        self._digest = digest
        return snapshot if different else None

    def _study(self) -> tuple[Look, ConfigSnapshot]:
        """Poll, then read. Repeat if the files refer to other files than those polled."""
        while True:
            references = self._references
            seen = self._look()
            snapshot = self._source.snapshot()
            self._references = _references(snapshot)
            if references == self._references:
                return seen, snapshot

    def _look(self) -> Look:
        """Return what can be seen of the files without reading them."""
        folder = self._folder
        return (
            ("version", self._source.version(), 0, 0, 0),
            (*_seen("", folder)[:2], 0, 0, 0),
            *(_seen(name, folder / name) for name in self._source.local_names()),
            *(_seen(name, folder / name) for name in self._references),
        )

    def _digest_of(self, snapshot: ConfigSnapshot) -> bytes:
        """Return a digest of the files and of those they refer to."""
        digest = hashlib.sha256(snapshot.digest())
        self._references = _references(snapshot)
        for name in self._references:
            content = _referenced(self._folder / name)
            digest.update(b"%s\0%d\0%s" % (os.fsencode(name), len(content), content))
        return digest.digest()


def _references(snapshot: ConfigSnapshot) -> tuple[str, ...]:
    """Return the files that are referred to by ``${file:PATH}``, each once."""
    texts = (snapshot.bootstrap, *snapshot.contents.values())
    contents = (content for content in texts if content is not None)
    found = [name for content in contents for name in _FILE_REFERENCE.findall(content)]
    return tuple(dict.fromkeys(map(os.fsdecode, found)))
