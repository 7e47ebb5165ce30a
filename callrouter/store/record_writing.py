"""How the record reaches the writing thread. See `callrouter.record.record_service`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from callrouter.store.recorded_queue import Recorded
from callrouter.store.repositories import read_from
from callrouter.store.tables import Loss, RecordedTable
from callrouter.store.writer import Writer

T = TypeVar("T")


class RecordWriter:
    """The part of the store that the record uses."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(self, changes: Iterable[Recorded]) -> None:
        """Write rows soon; see `Writer.record`. It returns at once."""
        self._writer.record(changes)

    @property
    def waiting(self) -> int:
        """Number of rows that wait to be written."""
        return self._writer.record_waiting

    @property
    def lost(self) -> int:
        """Number of rows that were dropped since the start."""
        return self._writer.record_lost

    def take_losses(self) -> dict[RecordedTable[Any], Loss]:
        """Return what each table has lost since the last call."""
        return self._writer.take_record_losses()

    async def query(self, work: Callable[[sa.Connection], T], *, patient: bool) -> T:
        """Return what `work` finds or does in one transaction, after what was recorded so far.

        Args:
            work: called in the writing thread, so it must be quick.
            patient: wait for a database that is unavailable.

        Raises:
            StoreError: it cannot be used now, or the daemon is stopping.
        """
        return await read_from(self._writer, lambda database: database.query(work), patient=patient)
