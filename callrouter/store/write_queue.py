"""What the event loop hands to the database thread: rows to write and questions to answer."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callrouter.store.location import StoreError
from callrouter.store.pending_rows import JournalEntry, PendingRows
from callrouter.store.tables import (
    JournalTable,
    Key,
    Loss,
    RowT,
    StateTable,
    TimedRowT,
)

if TYPE_CHECKING:
    from callrouter.store.database import Database


@dataclass(frozen=True, slots=True)
class Question:
    """A pending read of the database.

    Attributes:
        read: called in the thread.
        answer: called with the result or with an error, in the thread that learns it.
        patient: waits for a database that is unavailable, instead of an error at once.
    """

    read: Callable[[Database], Any]
    answer: Callable[[Any, StoreError | None], None]
    patient: bool

    def refuse(self, why: str) -> None:
        """Answer with an error.

        The error is a `StoreError` with the text `why`. It is passed to `answer`, not raised.
        """
        self.answer(None, StoreError(why))


class WriteQueue:
    """The only object that the loop and the database thread share.

    One lock guards all of it. It is held only while dictionaries and lists are updated, never
    during a read or write of the database, so the loop never waits for a disk or a server. For the
    same reason no answer is delivered while it is held.

    Args:
        more: says whether there is other work for the thread. Call `wake` when there is.
    """

    def __init__(self, more: Callable[[], bool] = lambda: False) -> None:
        self._more = more
        self._changed = threading.Condition()
        self._rows = PendingRows()
        self._questions: list[Question] = []
        self._unavailable = ""
        self._closing = False
        self._ended = False
        self._losses: dict[JournalTable[Any], Loss] = {}
        self._dropped = 0
        self._run = secrets.token_hex(6)
        self._numbered = 0

    # ------------------------------------------------------------ from the loop

    def put(self, table: StateTable[RowT], changes: Mapping[Key, RowT | None]) -> None:
        """Queue rows of a state table.

        Args:
            table: the table.
            changes: the new rows by key; None deletes the row.
        """
        with self._changed:
            self._rows.put(table, changes)
            self._changed.notify()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let the thread take what is put within this either whole, in one transaction, or not yet."""
        with self._changed:  # reentrant
            yield

    def add(self, journal: JournalTable[TimedRowT], row: TimedRowT) -> None:
        """Queue a row of a journal. If too many wait, the oldest is dropped and counted.

        Too many are more than the table's `most`.
        """
        with self._changed:
            entry = (self._new_id(), row)
            self._count_dropped(journal, self._rows.add(journal, [entry]))
            self._changed.notify()

    def ask(self, question: Question) -> None:
        """Queue a question. It is refused at once if the database is known to be unavailable.

        Checking and queueing are one step under the lock, and so is `fail`. So a question is
        either refused here or seen by the next `fail`: none is left waiting for an answer.
        """
        with self._changed:
            ended = self._ended or self._closing
            why = "callrouter is stopping" if ended else self._unavailable
            if not ended and (question.patient or not why):
                self._questions.append(question)
                self._changed.notify()
                return
        question.refuse(why)

    def wake(self) -> None:
        """Wake the thread: there is other work. See `more`."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Accept no more questions and wake the thread, which writes once more and ends.

        From now on every question is refused, a patient one too.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()

    @property
    def busy(self) -> bool:
        """Whether there is something for the thread to do, or to stop."""
        return bool(self._closing or self._rows or self._questions or self._more())

    def __len__(self) -> int:
        """Number of rows that the thread has not taken yet.

        Rows that it has taken and not yet written are counted in `KnownRows.unsaved`.
        """
        return len(self._rows)

    @property
    def dropped(self) -> int:
        """Number of journal rows that were dropped since the start.

        It includes those that the thread had to drop.
        """
        return self._dropped

    # ------------------------------------------------------------ from the thread

    def wait(self, pause: float | None, idle: float | None = None) -> bool:
        """Wait for work.

        Args:
            pause: wait this many seconds whatever arrives, because the database is unavailable;
                None: until there is work.
            idle: then, the seconds after which there is other work to do; None: there is none.

        Returns whether `close` was called, which ends every wait.
        """
        with self._changed:
            if pause is None:
                self._changed.wait_for(lambda: self.busy, idle)
            else:
                self._changed.wait_for(lambda: self._closing, pause)
            return self._closing

    def take(self, accept: Callable[[PendingRows], None]) -> list[Question]:
        """Take all rows and questions. Returns the questions.

        Both are taken under one lock, and the thread writes the rows before it answers. So an
        answer includes every row that was queued before its question. `accept` gets the rows while
        the lock is held, so that at no moment a row is missing from both counts of unsaved rows.
        """
        with self._changed:
            rows, self._rows = self._rows, PendingRows()
            questions, self._questions = self._questions, []
            accept(rows)
        return questions

    def fail(self, why: str) -> list[Question]:
        """Refuse questions from now on, because the database is unavailable.

        Args:
            why: the reason, for those who ask.

        Returns the queued questions that do not wait for it. The caller refuses them.
        """
        with self._changed:
            self._unavailable = why
            refused = [question for question in self._questions if not question.patient]
            self._questions = [question for question in self._questions if question.patient]
        return refused

    def work_again(self) -> None:
        """Take questions again: the database is available.

        Questions that were refused before are not asked again.
        """
        with self._changed:
            self._unavailable = ""

    def end(self) -> list[Question]:
        """Accept nothing more, because the thread ends.

        Returns the questions that are left. The caller refuses them.
        """
        with self._changed:
            self._ended = True
            left, self._questions = self._questions, []
        return left

    def entry(self, row: TimedRowT) -> JournalEntry[TimedRowT]:
        """Return a row of the thread's own as a journal entry.

        Its id is unique over all runs, so that writing it twice adds it once.
        """
        with self._changed:
            return self._new_id(), row

    def count_dropped(self, journal: JournalTable[TimedRowT], rows: Iterable[TimedRowT]) -> None:
        """Count rows that the thread had to drop.

        They count in `dropped` and, once, in `take_losses`.
        """
        with self._changed:
            self._count_dropped(journal, rows)

    def take_losses(self) -> dict[JournalTable[Any], Loss]:
        """Return what each journal has lost since the last call.

        A journal that lost nothing is not listed.
        """
        with self._changed:
            losses, self._losses = self._losses, {}
        return losses

    # ------------------------------------------------------------ under the lock

    def _new_id(self) -> str:
        self._numbered += 1
        return f"{self._run}-{self._numbered}"

    def _count_dropped(self, journal: JournalTable[TimedRowT], rows: Iterable[TimedRowT]) -> None:
        for row in rows:
            self._losses.setdefault(journal, Loss()).add(row.at)
            self._dropped += 1
