"""Who may read a SQLite file: it has agents' private numbers and who did what, so its owner alone."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from callrouter.files import Folder, located

logger = logging.getLogger(__name__)

OTHERS: Final = 0o077
_OWN: Final = 0o600


def make(path: Path) -> None:
    """Make the file with its rights before there is a byte in it; tighten one that is there.

    SQLite gives its log and its index the rights of the file.

    Raises:
        OSError: it cannot be made there.
    """
    with located(path) as (folder, name):
        try:
            os.close(folder.create(name, _OWN))
        except FileExistsError:
            _tighten(folder, name)


def tighten(path: Path) -> None:
    """Take the rights of others away from the file, from its log and from copies of it."""
    with suppress(OSError), located(path) as (folder, name):
        _tighten(folder, name)


def loose(path: Path) -> list[Path]:
    """What of the file, its log and its copies others may read or write to."""
    try:
        with located(path) as (folder, name):
            return [
                folder.path / each for each in _parts(folder, name) if _mode(folder, each) & OTHERS
            ]
    except OSError:
        return []


def _tighten(folder: Folder, name: str) -> None:
    for each in _parts(folder, name):
        if not _mode(folder, each) & OTHERS:
            continue
        try:
            folder.chmod_of(each, _OWN)
        except OSError as error:
            text = "others may read %s, and its rights cannot be changed: %s"
            logger.warning(text, folder.path / each, error.strerror)
        else:
            logger.warning("others could read %s; they no longer can", folder.path / each)


def _parts(folder: Folder, name: str) -> list[str]:
    """The file, ``-wal``, ``-shm``, and copies from before an upgrade or of a damaged one."""
    copies = (f"{name}-", f"{name}.version-", f"{name}.damaged-")
    return [each for each in folder.names() if each == name or each.startswith(copies)]


def _mode(folder: Folder, name: str) -> int:
    with suppress(OSError):
        status = folder.status(name)
        if stat.S_ISREG(status.st_mode):
            return status.st_mode
    return 0
