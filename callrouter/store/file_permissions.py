"""Permissions of a SQLite file: owner only, since it has agents' private numbers and actions."""

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
    """Create the file with its permissions before it has any content; tighten an existing one.

    SQLite gives its log and index files the permissions of the database file.

    Raises:
        OSError: the file cannot be created there.
    """
    with located(path) as (folder, name):
        try:
            os.close(folder.create(name, _OWN))
        except FileExistsError:
            _tighten(folder, name)


def loose(path: Path) -> list[Path]:
    """Return the files (database, log, copies) that other users may read or write.

    Empty if the folder cannot be read.
    """
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
    """Return the names of the file, ``-wal``, ``-shm``, and copies (before upgrades, of damage)."""
    copies = (f"{name}-", f"{name}.version-", f"{name}.damaged-")
    return [each for each in folder.names() if each == name or each.startswith(copies)]


def _mode(folder: Folder, name: str) -> int:
    with suppress(OSError):
        status = folder.status(name)
        if stat.S_ISREG(status.st_mode):
            return status.st_mode
    return 0
