"""The thread that reads and writes the database, and retries until it works.

Only this thread touches the database, and the loop never waits for it. Why no change is lost while
the process lives (unless a bounded queue overflows, which is counted and recorded):

1. The loop puts rows into `WriteQueue`; the thread moves them to `KnownRows.unsaved` in one step.
2. `unsaved` is emptied only after a write has succeeded. A write is a transaction.
3. If the outcome of a write is unknown, the same rows are written again. `Database` writes rows by
   key or by unique id, so that repeating a write changes nothing.
4. After an error the connection is closed. The next one may lead to another database, such as a
   restored copy, so its content is compared with what is known (`KnownRows.compare`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from callrouter.clock import Clock
from callrouter.mobiles.mobile_records import AuditRow
from callrouter.store.availability import RETRY, Availability
from callrouter.store.database import Database, Server, server_at
from callrouter.store.known_rows import KnownRows
from callrouter.store.location import EpochFence, FencedError, Place, StoreError
from callrouter.store.pending_rows import PendingRows
from callrouter.store.recorded_queue import Recorded, RecordedQueue
from callrouter.store.tables import (
    STATE_TABLES,
    JournalTable,
    Key,
    Loss,
    RecordedTable,
    RowT,
    StateRows,
    StateTable,
    TimedRowT,
)
from callrouter.store.write_queue import Question, WriteQueue

if TYPE_CHECKING:
    import sqlalchemy as sa

logger = logging.getLogger(__name__)

PORTION: Final = 2000
"""Rows of the record written in one transaction."""
EXPIRE_EVERY: Final = 6 * 3600.0
"""Seconds between two deletions of old journal rows."""


class Upkeep(Protocol):
    """Work on the database that can wait, such as deleting old rows. For the thread."""

    def due_in(self) -> float:
        """Return the seconds until there is something to do; 0.0: now."""

    def work(self, link: sa.Connection) -> None:
        """Do a small part of it, for some milliseconds: rows that come in wait for its end.

        Args:
            link: the open database, without a transaction.
        """


class Writer:
    """Accepts changes at any time and writes them when it can. No caller waits for a disk.

    Args:
        place: the database.
        clock: the time.
        on_read: called in the thread with what the database held, once it could be read. If the
            first attempt fails, it is called with None first.
        retry: seconds before a failed attempt is repeated the first time.
        upkeep: what is done with the database when nothing else is to be done; None: nothing.
        fence: keeps a router of a cluster from writing that is not the active one; None: no cluster.
    """

    def __init__(
        self,
        place: Place,
        clock: Clock,
        on_read: Callable[[StateRows | None], None],
        *,
        retry: float = RETRY,
        upkeep: Upkeep | None = None,
        fence: EpochFence | None = None,
    ) -> None:
        self.place = place
        self._fence = fence
        self._overtaken = False
        self._clock = clock
        self._on_read = on_read
        self._recorded = RecordedQueue()
        self._queue = WriteQueue(lambda: len(self._recorded) > 0)
        self._availability = Availability(place, clock, retry)
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        # The attributes below belong to the thread alone.
        self._server: Server | None = None
        self._database: Database | None = None
        self._rows = KnownRows()
        self._questions: list[Question] = []
        self._expired_at: float | None = None
        self._upkeep = upkeep

    def start(self) -> None:
        """Open the database and read it, in the thread.

        Call it once. Rows may be put and added before.
        """
        self._thread.start()

    def put(self, table: StateTable[RowT], changes: Mapping[Key, RowT | None]) -> None:
        """Write these rows soon (None: delete them).

        A row that is already known is not written again.
        """
        self._queue.put(table, changes)

    def together(self) -> AbstractContextManager[None]:
        """Return a context: what is put within it is written in one transaction. It must be short."""
        return self._queue.together()

    def add(self, journal: JournalTable[TimedRowT], row: TimedRowT) -> None:
        """Add a row to a journal soon.

        While the database is unavailable, the table's `most` rows wait; older ones are dropped and
        counted in `lost`.
        """
        self._queue.add(journal, row)

    def record(self, changes: Iterable[Recorded]) -> None:
        """Write rows of the record soon, each table's by key.

        While the database is unavailable, `recorded_queue.MOST` rows wait; older ones are dropped, and
        `take_record_losses` tells how many.
        """
        self._recorded.put(changes, self._clock.now())
        self._queue.wake()

    @property
    def record_waiting(self) -> int:
        """Number of rows of the record that wait to be written."""
        return len(self._recorded)

    @property
    def record_lost(self) -> int:
        """Number of rows of the record that were dropped since the start."""
        return self._recorded.dropped

    def take_record_losses(self) -> dict[RecordedTable[Any], Loss]:
        """Return what each table of the record has lost since the last call."""
        return self._recorded.take_losses()

    def ask(self, question: Question) -> None:
        """Read something after everything queued so far is written.

        The answer comes in the thread, or at once if the database is known to be unavailable.
        """
        self._queue.ask(question)

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; empty if all is well.

        It is for people: ``/api/status`` shows it.
        """
        return self._availability.trouble

    @property
    def unsaved(self) -> int:
        """Number of rows waiting to be written.

        Changes of agents that the loop has not copied yet are not among them.
        """
        return len(self._queue) + len(self._rows.unsaved)

    @property
    def lost(self) -> int:
        """Number of journal rows that were dropped since the start.

        Rows of state tables are never dropped.
        """
        return self._queue.dropped

    def close(self, within: float) -> bool:
        """Try once more to write what is queued, then stop.

        Returns False if that took longer than `within` seconds.
        """
        self._queue.close()
        self._thread.join(within)
        return not self._thread.is_alive()

    # ------------------------------------------------------------ in the thread

    def _work(self) -> None:
        closing = False
        while True:
            self._attempt()
            # After `close` there is exactly one more attempt. If it fails, the loss is logged
            # instead of delaying the shutdown.
            tried_last = closing
            idle = None if self._upkeep is None else self._upkeep.due_in()
            closing = self._queue.wait(self._availability.pause, idle)
            self._questions += self._queue.take(self._accept)
            if closing and (tried_last or not (self._rows.unsaved or len(self._recorded))):
                break
        if self._rows.unsaved:
            text = "agents' states were not saved (%d rows): %s"
            logger.error(text, len(self._rows.unsaved), self._availability.failure)
        if len(self._recorded):
            text = "calls and states of the record were not saved (%d rows): %s"
            logger.error(text, len(self._recorded), self._availability.failure)
        for question in (*self._questions, *self._queue.end()):
            question.refuse("callrouter is stopping")
        self._close_database()

    def _attempt(self) -> None:
        """Open the database if necessary, write what is unsaved, then answer the questions."""
        if self._overtaken:
            self._drop(FencedError("another router of the pool is active"))
            return
        self._availability.begin()
        try:
            self._open()
            self._save()
            self._save_recorded()
            self._availability.succeeded()
            self._queue.work_again()
            self._answer()
            self._keep_up()
        except FencedError as error:
            self._drop(error)
        except (OSError, StoreError) as error:
            self._failed(error)
        except Exception as error:
            logger.exception("a fault in keeping agents' states")
            self._failed(error)
        self._availability.end()

    def _accept(self, rows: PendingRows) -> None:
        for journal, dropped in self._rows.accept(rows):
            self._queue.count_dropped(journal, dropped)

    def _open(self) -> None:
        if self._database is not None:
            waiting = self._rows.unsaved or len(self._recorded)
            if not waiting or self._database.there():
                return
            logger.error("%s was taken away; creating it again", self.place)
            self._close_database()
        if self._server is None:
            self._server = server_at(self.place, self._clock.now, self._fence)
        database = Database(self._server)
        try:
            found = StateRows({table: database.read(table) for table in STATE_TABLES})
        except BaseException:
            database.close()
            raise
        self._database = database
        first = not self._rows.was_read
        self._rows.compare(found)
        if first:
            self._on_read(found)

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _save(self) -> None:
        database = self._database
        assert database is not None  # noqa: S101 - `_open` returned
        while self._rows.unsaved:
            database.write(self._rows.unsaved)
            self._rows.saved()
            self._record_losses()  # may add a row
        now = self._clock.now()
        if self._expired_at is None or now - self._expired_at >= EXPIRE_EVERY:
            database.expire(now)
            self._expired_at = now

    def _save_recorded(self) -> None:
        """Write what waits of the record, in portions; states that come in meanwhile go first.

        Questions that come in get their answers after all of it, so they find it.
        """
        while taken := self._recorded.take(PORTION):
            database = self._database
            assert database is not None  # noqa: S101 - `_open` returned
            try:
                database.write_recorded([change for change, _ in taken])
            except BaseException:
                self._recorded.put_back(taken)
                raise
            self._recorded.written()
            if len(self._queue):
                self._questions += self._queue.take(self._accept)
                self._save()

    def _record_losses(self) -> None:
        """Log what the journals have lost, and record it in a journal that does so."""
        for journal, loss in self._queue.take_losses().items():
            text = f"{loss.count} entries of {_moment(loss.first)} to {_moment(loss.last)}"
            why = "could not be kept while the database was away"
            logger.error("%s of the table %s are lost: they %s", text, journal.table, why)
            if journal.records_losses:
                row = AuditRow(
                    at=self._clock.now(), agent="", device="", who="callrouter", via="",
                    what="lost", detail=f"{text} are lost: they {why}",
                )  # fmt: skip
                dropped = self._rows.add(journal, self._queue.entry(row))
                self._queue.count_dropped(journal, dropped)

    def _answer(self) -> None:
        """Answer the pending questions. One whose read fails stays, and `_failed` sorts it out."""
        database = self._database
        while self._questions and database is not None:
            result = self._questions[0].read(database)
            self._questions.pop(0).answer(result, None)

    def _keep_up(self) -> None:
        """Take a step of the upkeep, unless rows or questions have come in: those go first."""
        if self._upkeep is not None and self._database is not None and not self._queue.busy:
            self._database.use(self._upkeep.work)

    def _drop(self, error: FencedError) -> None:
        """Another router is active: what waits belongs to a past that it has corrected."""
        states, recorded = len(self._rows.unsaved), len(self._recorded)
        self._rows.saved()
        while self._recorded.take(PORTION):
            self._recorded.written()
        if not self._overtaken:
            self._overtaken = True
            logger.warning(
                "%s: nothing more is written (%d agents' states and others and %d rows of the record "
                "are dropped): %s",
                *(self.place, states, recorded, error),
            )
            if self._fence is not None:
                self._fence.overtaken(str(error))
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._availability.failed(error, len(self._rows.unsaved))
        self._close_database()
        if not self._rows.was_read:
            self._on_read(None)
        # Impatient questions are refused; patient ones wait for the database.
        why = self._availability.failure
        refused = [question for question in self._questions if not question.patient]
        self._questions = [question for question in self._questions if question.patient]
        for question in (*refused, *self._queue.fail(why)):
            question.refuse(why)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
