"""The open database: upgraded to the newest version, read and written. Blocks; for the thread.

Every method may raise `StoreError`, whose text says what is wrong.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa

from callrouter.store.codec import columns, parse, values
from callrouter.store.location import EpochFence, File, Place, StoreError
from callrouter.store.pending_rows import PendingRows
from callrouter.store.recorded_queue import Recorded
from callrouter.store.sqlite import Sqlite
from callrouter.store.tables import (
    JOURNAL_TABLES,
    STATE_TABLES,
    AnyTable,
    JournalTable,
    RecordedTable,
    RowT,
    StateTable,
    TimedRowT,
)
from callrouter.store.upgrade import bring_up

logger = logging.getLogger(__name__)

T = TypeVar("T")

DAY: Final = 86_400.0

# Errors caused by one row, not by the database.
_REFUSED: Final = (sa.exc.DataError, sa.exc.IntegrityError, OverflowError)
_TABLES: Final[dict[AnyTable, sa.TableClause]] = {
    **{kind: sa.table(kind.table, *map(sa.column, columns(kind.row))) for kind in STATE_TABLES},
    **{
        journal: sa.table(journal.table, *map(sa.column, ("id", "entry", *columns(journal.row))))
        for journal in JOURNAL_TABLES
    },
}


class Server(Protocol):
    """A kind of database: how to open it, and its specific operations."""

    def open(self) -> sa.Connection:
        """Connect without starting a transaction.

        Raises:
            StoreError: it cannot be reached.
        """

    def there(self) -> bool:
        """Return whether opening again would lead to the same database.

        False: for example, the file was deleted. The writer then opens the database again.
        """

    def salvage(self, table: str, columns: Sequence[str]) -> Sequence[Sequence[object]]:
        """Return rows of a damaged database in whose place `open` created an empty one.

        Args:
            table: the table's name.
            columns: the columns to return, in this order.

        Returns what can still be read; nothing if there was no damage.
        """

    def seal(self) -> None:
        """Called at the end of each transaction that writes; it may commit it.

        Raises:
            FencedError: another router of the pool is active; nothing was written.
            StoreError: the outcome is unknown.
        """

    def keep_copy(self, link: sa.Connection, version: str) -> None:
        """Keep a copy of the old version before an upgrade, so that the operator can go back.

        Args:
            link: the open database.
            version: the old version, for the copy's name.

        Raises:
            StoreError: no copy could be made. The upgrade must not begin.
        """

    def patience(self) -> contextlib.AbstractContextManager[None]:
        """Inside this block, an answer that never arrives becomes an error after a while."""

    def upgrading(self, link: sa.Connection) -> contextlib.AbstractContextManager[None]:
        """Inside this block, a statement over `link` may take as long as an upgrade needs."""

    def insert(self, table: sa.TableClause) -> Any:
        """Return an ``INSERT`` with this database's conflict handling.

        It has SQLAlchemy's `on_conflict_do_update` and `on_conflict_do_nothing`.
        """

    def explain(self, error: sa.exc.DatabaseError) -> StoreError:
        """Return the error in words that may be shown.

        They contain no password.
        """


def server_at(place: Place, now: Callable[[], float], fence: EpochFence | None = None) -> Server:
    """Return the database at a place. Nothing is opened yet.

    For PostgreSQL, `choose` has checked that the client library is installed.

    Args:
        place: the place.
        now: returns the time.
        fence: keeps a router of a cluster from writing that is not the active one.
    """
    if isinstance(place, File):
        return Sqlite(place.path, now)
    # Imported here: it is an optional extra and slow to load.
    from callrouter.store.postgres import Postgres  # noqa: PLC0415

    return Postgres(place, fence)


class Database:
    """An open database, upgraded to the newest version.

    Args:
        server: the kind of database, which knows how to open it.

    Raises:
        StoreError: it cannot be opened or upgraded.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._recorded: dict[RecordedTable[Any], str] = {}
        # Built once: building one takes as long as its execution, and leaves cycles for the garbage collector.
        self._upserts = {kind: self._upsert(kind) for kind in STATE_TABLES}
        self._deletes = {kind: _delete(kind) for kind in STATE_TABLES}
        self._additions = {
            journal: server.insert(_TABLES[journal]).on_conflict_do_nothing(
                index_elements=["entry"]
            )
            for journal in JOURNAL_TABLES
        }
        with self._explained():
            self._link = server.open()
        try:
            with self._explained():
                bring_up(self._link, server)
            self._salvage()
        except BaseException:
            self.close()
            raise

    def _salvage(self) -> None:
        """Fill a database that replaces a damaged one with the states that could be read from it."""
        salvaged = PendingRows()
        for table in STATE_TABLES:
            for item in self._server.salvage(table.table, columns(table.row)):
                if (row := parse(table.row, item)) is not None:
                    salvaged.put(table, {table.key_of(row): row})
        if salvaged:
            self.write(salvaged)

    def there(self) -> bool:
        """Return whether this is still the database that was opened.

        See `Server.there`.
        """
        return self._server.there()

    def close(self) -> None:
        """Close it. Everything written stays.

        An error while closing is ignored.
        """
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            self._link.close()

    # ------------------------------------------------------------ reading

    def read(self, kind: StateTable[RowT]) -> list[RowT]:
        """Return every row of a table.

        Rows that cannot be ours are logged and left out: other programs can write to the database.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._rows(kind, sa.select(*self._columns(kind)))

    def since(self, journal: JournalTable[TimedRowT], at: float) -> list[TimedRowT]:
        """Return the newer rows of a journal, oldest first.

        Args:
            journal: the table.
            at: epoch seconds of the oldest row to return.

        Raises:
            StoreError: the database cannot be read.
        """
        table = _TABLES[journal]
        chosen = sa.select(*self._columns(journal)).where(table.c.at >= at).order_by(table.c.id)
        return self._rows(journal, chosen)

    def newest(
        self, journal: JournalTable[TimedRowT], most: int, where: Mapping[str, Any]
    ) -> list[TimedRowT]:
        """Return the last rows of a journal, newest first.

        Args:
            journal: the table.
            most: number of rows.
            where: values by column that a row must have; empty: any row.

        Raises:
            StoreError: the database cannot be read.
        """
        table = _TABLES[journal]
        chosen = sa.select(*self._columns(journal)).order_by(table.c.id.desc()).limit(most)
        for name, value in where.items():
            chosen = chosen.where(table.c[name] == value)
        return self._rows(journal, chosen)

    @staticmethod
    def _columns(kind: AnyTable) -> list[sa.ColumnElement[Any]]:
        return [_TABLES[kind].c[name] for name in columns(kind.row)]

    def _rows(self, kind: AnyTable, chosen: sa.Select[Any]) -> list[Any]:
        with self._explained(), self._link.begin():
            found = self._link.execute(chosen).all()
        rows = [row for item in found if (row := parse(kind.row, item)) is not None]
        if len(rows) < len(found):
            left = len(found) - len(rows)
            where = f"{self._server}, table {kind.table}"
            logger.error("%s: %d rows make no sense; left out", where, left)
        return rows

    # ------------------------------------------------------------ writing

    def write(self, rows: PendingRows) -> None:
        """Write everything that is waiting, in one transaction.

        If the database refuses a row, each row is written by itself, and those that it refuses are
        logged and left out: one bad row must not keep all others from being stored.

        Raises:
            StoreError: the outcome is unknown. Writing the same rows again is safe.
        """
        with self._explained():
            try:
                with self._writing():
                    for statement, values_ in self._statements(rows):
                        self._link.execute(statement, values_)
            except _REFUSED:
                self._write_each(self._statements(rows))

    def _write_each(self, work: Iterable[tuple[Any, list[dict[str, Any]]]]) -> None:
        with self._writing():
            for statement, values_ in work:
                for row in values_:
                    try:
                        with self._link.begin_nested():
                            self._link.execute(statement, row)
                    except _REFUSED as error:
                        why = getattr(error, "orig", error)
                        logger.error("%s refuses %r: %s; left out", self._server, row, why)  # noqa: TRY400

    def _statements(self, rows: PendingRows) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
        """Yield statements that are safe to repeat, since a write with unknown outcome is repeated.

        A state row is an upsert or a delete by key, so the second run leaves the same rows. A
        journal row has a unique `entry`, and a conflict on it does nothing.
        """
        for kind, changes in rows.states.items():
            if put := [values(row) for row in changes.values() if row is not None]:
                yield self._upserts[kind], put
            if gone := [key for key, row in changes.items() if row is None]:
                names = [f"key_{name}" for name in kind.key]
                yield self._deletes[kind], [dict(zip(names, key, strict=True)) for key in gone]
        for journal, entries in rows.entries.items():
            if entries:
                added = [{"entry": entry, **values(row)} for entry, row in entries]
                yield self._additions[journal], added

    def _upsert(self, kind: StateTable[Any]) -> Any:
        statement = self._server.insert(_TABLES[kind])
        rest = [name for name in columns(kind.row) if name not in kind.key]
        return statement.on_conflict_do_update(
            index_elements=list(kind.key),
            set_={name: statement.excluded[name] for name in rest},
        )

    def use(self, work: Callable[[sa.Connection], None]) -> None:
        """Let `work` use the connection, in transactions of its own.

        Raises:
            StoreError: the database failed.
        """
        with self._explained():
            work(self._link)

    def write_recorded(self, changes: Sequence[Recorded]) -> None:
        """Write rows of the record in one transaction. Those that are refused are logged and left out.

        Raises:
            StoreError: the outcome is unknown. Writing the same rows again is safe.
        """
        by_table: dict[RecordedTable[Any], list[tuple[Any, ...]]] = {}
        for table, _, row in changes:
            by_table.setdefault(table, []).append(table.values(row))
        work = [(self._upsert_recorded(table), rows) for table, rows in by_table.items()]
        with self._explained():
            try:
                with self._writing():
                    for statement, rows in work:
                        self._link.exec_driver_sql(statement, rows)
            except _REFUSED:
                with self._writing():
                    for statement, rows in work:
                        self._write_recorded_each(statement, rows)

    def _write_recorded_each(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            try:
                with self._link.begin_nested():
                    self._link.exec_driver_sql(statement, row)
            except _REFUSED as error:
                why = getattr(error, "orig", error)
                logger.error("%s refuses %r: %s; left out", self._server, row, why)  # noqa: TRY400

    def _upsert_recorded(self, kind: RecordedTable[Any]) -> str:
        """Return the driver's own statement: SQLAlchemy would take longer than the database does."""
        statement = self._recorded.get(kind)
        if statement is None:
            names = [item.name for item in fields(kind.row)]
            mark = "?" if self._link.dialect.paramstyle == "qmark" else "%s"
            columns = ", ".join(f'"{name}"' for name in names)
            rest = ", ".join(f'"{n}" = excluded."{n}"' for n in names if n not in kind.key)
            keys = ", ".join(f'"{name}"' for name in kind.key)
            statement = self._recorded[kind] = (
                f"INSERT INTO {kind.table} ({columns}) VALUES ({', '.join([mark] * len(names))}) "  # noqa: S608
                f"ON CONFLICT ({keys}) DO UPDATE SET {rest}"
            )
        return statement

    def query(self, work: Callable[[sa.Connection], T]) -> T:
        """Return what `work` finds or does, in one transaction.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._explained(), self._link.begin():
            return work(self._link)

    def expire(self, now: float) -> None:
        """Delete journal rows that are older than their table's `days`.

        Args:
            now: epoch seconds.

        Raises:
            StoreError: the database cannot be written.
        """
        with self._explained(), self._writing():
            for journal in JOURNAL_TABLES:
                table = _TABLES[journal]
                old = now - journal.days * DAY
                self._link.execute(sa.delete(table).where(table.c.at < old))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._link.begin():
            yield
            self._server.seal()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn database errors into words."""
        try:
            with self._server.patience():
                yield
        except sa.exc.DatabaseError as error:
            raise self._server.explain(error) from error
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(str(error)) from error


def _delete(kind: StateTable[Any]) -> sa.Delete:
    """Return the statement that deletes rows by ``key_NAME`` for each column of the key."""
    table = _TABLES[kind]
    return sa.delete(table).where(
        *(table.c[name] == sa.bindparam(f"key_{name}") for name in kind.key)
    )
