"""One daemon per SQLite file: a lock beside it that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from callrouter.store.place import File, Place, StoreError

logger = logging.getLogger(__name__)


class DatabaseLock:
    """Holds the lock from its making until `close`, or until the process ends, however it ends.

    PostgreSQL has a lock of its own (`store.postgres`), and a folder in which no file can be made is
    left to the store, which says so again and again: calls are not kept waiting for it.
    """

    def __init__(self, place: Place, owner: str) -> None:
        """Take the lock; `owner` is what another daemon is told of us.

        Raises:
            StoreError: another daemon uses the file.
        """
        self._descriptor: int | None = None
        if isinstance(place, File):
            self._take(place.path, owner)

    def _take(self, database: Path, owner: str) -> None:
        database = database.resolve()  # by whatever name it is reached, the lock is the same
        path = database.with_name(database.name + ".lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(descriptor, 1000, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise StoreError(
                f"the database {database} is used by another callrouter{f' ({other})' if other else ''}; "
                "stop it, or give each configuration a `database` of its own"
            ) from None
        except OSError as error:  # a network file system without locks
            os.close(descriptor)
            logger.warning(
                "the database %s cannot be locked (%s): see that no second callrouter uses it",
                *(database, error.strerror),
            )
            return
        os.ftruncate(descriptor, 0)
        with contextlib.suppress(
            OSError
        ):  # a full disk: the lock holds, only who we are is not told
            os.pwrite(descriptor, f"{owner}\n".encode(), 0)
        self._descriptor = descriptor

    def close(self) -> None:
        """Let go of it. The file stays: one that is taken away could be locked by two."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
