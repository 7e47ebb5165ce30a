"""Registered mobiles, the audit and the verification calls, as kept in the database.

`callrouter.model.registered.MobileStore` says what each method promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.model.registered import AuditRow, DialledRow, MobileRow
from callrouter.store.asking import asked
from callrouter.store.kinds import AUDIT, DIALLED, MOBILES
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


class MobileKeeper:
    """Behind the loop: what is put is written by the writer's thread when it can."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put_mobile(self, row: MobileRow) -> None:
        """Keep a mobile, in place of the one of the same agent and device."""
        self._writer.put(MOBILES, {MOBILES.key_of(row): row})

    def forget_mobile(self, agent: str, device: str) -> None:
        """Keep it no longer."""
        self._writer.put(MOBILES, {(agent, device): None})

    def add_audit(self, row: AuditRow) -> None:
        """Add a step; none is ever changed."""
        self._writer.add(AUDIT, row)

    def add_dialled(self, row: DialledRow) -> None:
        """Add a verification call."""
        self._writer.add(DIALLED, row)

    async def load_mobiles(self, since: float) -> tuple[list[MobileRow], list[DialledRow]]:
        """Every mobile, and the calls since `since`; waits until they can be read.

        Raises:
            StoreError: the daemon ends.
        """

        def read(database: Reader) -> tuple[list[MobileRow], list[DialledRow]]:
            return database.read(MOBILES), database.since(DIALLED, since)

        found: tuple[list[MobileRow], list[DialledRow]] = await asked(
            self._writer, read, patient=True
        )
        return found

    async def read_audit(self, agent: str, most: int) -> list[AuditRow]:
        """The last `most` steps, the newest first; of all agents if `agent` is empty.

        Raises:
            StoreError: they can't be read now.
        """
        where = {"agent": agent} if agent else {}
        found: list[AuditRow] = await asked(
            self._writer, lambda database: database.newest(AUDIT, most, where), patient=False
        )
        return found
