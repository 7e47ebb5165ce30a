"""Ended calls in the database: written in the background, read once at start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.model.ended_calls import OverRow
from callrouter.store.queries import asked
from callrouter.store.tables import CALLS_OVER
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


class CallKeeper:
    """Rows are written by the writer's thread when it can."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def add(self, row: OverRow) -> None:
        """Record that a call has ended."""
        self._writer.add(CALLS_OVER, row)

    async def load(self, since: float) -> list[OverRow]:
        """Return the calls that ended at `since` or later, oldest first. Waits for the database.

        Raises:
            StoreError: the daemon is stopping.
        """

        def read(database: Reader) -> list[OverRow]:
            return database.since(CALLS_OVER, since)

        found: list[OverRow] = await asked(self._writer, read, patient=True)
        return found
