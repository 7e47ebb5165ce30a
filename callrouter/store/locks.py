"""Locks after wrong PINs, as kept in the database. `callrouter.model.locks.LockStore` says what is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.model.locks import LockRow
from callrouter.store.asking import asked
from callrouter.store.kinds import LOCKS
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


class LockKeeper:
    """What is put is written by the writer's thread when it can."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put(self, row: LockRow) -> None:
        """Keep a lock, in place of the one of the same key."""
        self._writer.put(LOCKS, {LOCKS.key_of(row): row})

    def forget(self, key: str) -> None:
        """Keep it no longer."""
        self._writer.put(LOCKS, {(key,): None})

    async def load(self) -> list[LockRow]:
        """Every lock that is kept; waits for the database.

        Raises:
            StoreError: the daemon ends.
        """

        def read(database: Reader) -> list[LockRow]:
            return database.read(LOCKS)

        found: list[LockRow] = await asked(self._writer, read, patient=True)
        return found
