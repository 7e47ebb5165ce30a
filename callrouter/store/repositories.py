"""Typed access to the tables for the rest of the program: mobiles, lockouts, ended calls.

Rows are written in the background by the writer's thread. Reads are done by the same thread while
the event loop goes on, and include every row that was put before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow
from callrouter.model.access_rows import LockRow
from callrouter.model.ended_calls import OverRow
from callrouter.store.database import Database
from callrouter.store.location import StoreError
from callrouter.store.tables import (
    AUDIT,
    DIALLED,
    ENDED_CALLS,
    LOCKOUTS,
    MOBILES,
    Key,
    RowT,
    StateTable,
)
from callrouter.store.write_queue import Question
from callrouter.store.writer import Writer

T = TypeVar("T")


async def read_from(writer: Writer, read: Callable[[Database], T], *, patient: bool) -> T:
    """Return what `read` finds in the database.

    Args:
        writer: its thread does the reading.
        read: called in that thread.
        patient: wait for a database that is unavailable.

    Raises:
        StoreError: it cannot be read now, or the daemon is stopping.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def settle(found: Any, error: StoreError | None) -> None:
        if answered.done():  # the task that asked was cancelled
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(found)

    def answer(found: Any, error: StoreError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found, error)

    writer.ask(Question(read, answer, patient))
    return await answered


async def unless_stopping(work: Awaitable[None]) -> None:
    """Do work that waits for the database. That it is still away when the daemon stops is no fault."""
    with contextlib.suppress(StoreError):
        await work


class MobileRepository:
    """Registered mobiles, their audit and the verification calls.

    `callrouter.mobiles.mobile_records.MobileStore` says what each method promises.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put_mobile(self, row: MobileRow) -> None:
        """Store a mobile, replacing the one with the same agent and device.

        It returns at once; the row is written soon.
        """
        self._writer.put(MOBILES, {MOBILES.key_of(row): row})

    def forget_mobile(self, agent: str, device: str) -> None:
        """Delete a mobile.

        Nothing happens if there is none. Its audit rows stay.
        """
        self._writer.put(MOBILES, {(agent, device): None})

    def add_audit(self, row: AuditRow) -> None:
        """Add an audit row. Rows are never changed.

        They are deleted after 366 days. While the database is unavailable, 10,000 rows wait at
        most; then the oldest are dropped, and a row of the audit says so.
        """
        self._writer.add(AUDIT, row)

    def add_dialled(self, row: DialledRow) -> None:
        """Add a verification call.

        It is deleted after two days. These rows limit how often numbers are called, also after a
        restart.
        """
        self._writer.add(DIALLED, row)

    async def load_mobiles(self, since: float) -> tuple[list[MobileRow], list[DialledRow]]:
        """Return all mobiles and the calls since `since`. Waits until they can be read.

        Raises:
            StoreError: the daemon is stopping.
        """
        return await read_from(
            self._writer,
            lambda database: (database.read(MOBILES), database.since(DIALLED, since)),
            patient=True,
        )

    async def read_audit(self, agent: str, most: int) -> list[AuditRow]:
        """Return the last `most` audit rows, newest first; of all agents if `agent` is empty.

        Raises:
            StoreError: they cannot be read now.
        """
        where = {"agent": agent} if agent else {}
        return await read_from(
            self._writer, lambda database: database.newest(AUDIT, most, where), patient=False
        )


class LockoutRepository:
    """PIN lockouts. Implements `callrouter.model.access_rows.LockStore`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put(self, row: LockRow) -> None:
        """Store a lockout, replacing the one with the same key."""
        self._writer.put(LOCKOUTS, {LOCKOUTS.key_of(row): row})

    def keep(self, row: LockRow) -> None:
        """Store a lockout that begins; delete one that is forgiven, whose `until` is 0."""
        if row.until:
            self.put(row)
        else:
            self.forget(row.key)

    def forget(self, key: str) -> None:
        """Delete a lockout.

        Nothing happens if there is none with this key.
        """
        self._writer.put(LOCKOUTS, {(key,): None})

    async def load(self) -> list[LockRow]:
        """Return every stored lockout. Waits for the database.

        Raises:
            StoreError: the daemon is stopping.
        """
        return await read_from(self._writer, lambda database: database.read(LOCKOUTS), patient=True)


class EndedCallRepository:
    """Ended calls, read once at the start.

    Rows are deleted after two days. They reach the drivers by
    `callrouter.daemon.ended_call_memory`.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def add(self, row: OverRow) -> None:
        """Record that a call has ended.

        It returns at once; the row is written soon.
        """
        self._writer.add(ENDED_CALLS, row)

    async def load(self, since: float) -> list[OverRow]:
        """Return the calls that ended at `since` or later, oldest first. Waits for the database.

        Raises:
            StoreError: the daemon is stopping.
        """
        return await read_from(
            self._writer, lambda database: database.since(ENDED_CALLS, since), patient=True
        )


class StateRepository(Generic[RowT]):
    """The rows of one state table: events to deliver, calls they are about, or alarms that are on.

    Args:
        writer: its thread reads and writes.
        table: the table.
    """

    def __init__(self, writer: Writer, table: StateTable[RowT]) -> None:
        self._writer = writer
        self._table = table

    def put(self, row: RowT) -> None:
        """Store a row, replacing the one with the same key.

        It returns at once; the row is written soon.
        """
        self._writer.put(self._table, {self._table.key_of(row): row})

    def together(self) -> AbstractContextManager[None]:
        """Return a context: what is put within it, into any table, is written whole or not at all.

        Nothing else may be done in it: it holds up the writing.
        """
        return self._writer.together()

    def forget(self, row: RowT) -> None:
        """Delete the row with the key of this one. Nothing happens if there is none."""
        self.forget_key(self._table.key_of(row))

    def forget_key(self, key: Key) -> None:
        """Delete a row. Nothing happens if there is none with this key."""
        self._writer.put(self._table, {key: None})

    async def load(self) -> list[RowT]:
        """Return every stored row. Waits for the database.

        Raises:
            StoreError: the daemon is stopping.
        """
        return await read_from(
            self._writer, lambda database: database.read(self._table), patient=True
        )
