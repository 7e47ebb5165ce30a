"""Registered mobiles, their audit and the verification calls in the database.

`callrouter.mobiles.mobile_records.MobileStore` says what each method promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow
from callrouter.store.queries import asked
from callrouter.store.tables import AUDIT, DIALLED, MOBILES
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


class MobileKeeper:
    """Rows are written in the background, by the writer's thread when it can."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put_mobile(self, row: MobileRow) -> None:
        """Store a mobile, replacing the one with the same agent and device."""
        self._writer.put(MOBILES, {MOBILES.key_of(row): row})

    def forget_mobile(self, agent: str, device: str) -> None:
        """Delete a mobile."""
        self._writer.put(MOBILES, {(agent, device): None})

    def add_audit(self, row: AuditRow) -> None:
        """Add an audit row. Rows are never changed."""
        self._writer.add(AUDIT, row)

    def add_dialled(self, row: DialledRow) -> None:
        """Add a verification call."""
        self._writer.add(DIALLED, row)

    async def load_mobiles(self, since: float) -> tuple[list[MobileRow], list[DialledRow]]:
        """Return all mobiles and the calls since `since`. Waits until they can be read.

        Raises:
            StoreError: the daemon is stopping.
        """

        def read(database: Reader) -> tuple[list[MobileRow], list[DialledRow]]:
            return database.read(MOBILES), database.since(DIALLED, since)

        found: tuple[list[MobileRow], list[DialledRow]] = await asked(
            self._writer, read, patient=True
        )
        return found

    async def read_audit(self, agent: str, most: int) -> list[AuditRow]:
        """Return the last `most` audit rows, newest first; of all agents if `agent` is empty.

        Raises:
            StoreError: they cannot be read now.
        """
        where = {"agent": agent} if agent else {}
        found: list[AuditRow] = await asked(
            self._writer, lambda database: database.newest(AUDIT, most, where), patient=False
        )
        return found
