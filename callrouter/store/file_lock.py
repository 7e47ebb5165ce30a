"""One daemon per SQLite file: a lock file beside it, released when its process ends."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from callrouter.store.location import File, Place, StoreError

logger = logging.getLogger(__name__)


class DatabaseLock:
    """Holds the lock from creation to `close`, or to the end of the process, however it ends.

    PostgreSQL has its own lock (`store.postgres`). A folder in which no file can be created is left
    to the store, which reports it repeatedly; calls do not wait for it.
    """

    def __init__(self, place: Place, owner: str) -> None:
        """Take the lock. `owner` is how another daemon will be told about this one.

        Raises:
            StoreError: another daemon uses the file.
        """
        self._descriptor: int | None = None
        if isinstance(place, File):
            self._take(place.path, owner)

    def _take(self, database: Path, owner: str) -> None:
        database = database.resolve()  # the lock is the same under every name of the file
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
        ):  # disk full: the lock holds, but the file does not name us
            os.pwrite(descriptor, f"{owner}\n".encode(), 0)
        self._descriptor = descriptor

    def close(self) -> None:
        """Release the lock.

        The file stays: if it were deleted, two processes could each lock a file.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
