"""PIN lockouts in the database. Implements `callrouter.model.lockouts.LockStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.model.lockouts import LockRow
from callrouter.store.queries import asked
from callrouter.store.tables import LOCKS
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


class LockKeeper:
    """Rows are written by the writer's thread when it can."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put(self, row: LockRow) -> None:
        """Store a lockout, replacing the one with the same key."""
        self._writer.put(LOCKS, {LOCKS.key_of(row): row})

    def forget(self, key: str) -> None:
        """Delete a lockout."""
        self._writer.put(LOCKS, {(key,): None})

    async def load(self) -> list[LockRow]:
        """Return every stored lockout. Waits for the database.

        Raises:
            StoreError: the daemon is stopping.
        """

        def read(database: Reader) -> list[LockRow]:
            return database.read(LOCKS)

        found: list[LockRow] = await asked(self._writer, read, patient=True)
        return found
