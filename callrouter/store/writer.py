"""The thread that reads and writes the database, and retries until it works.

Only this thread touches the database. The loop and the thread share the inbox and the questions,
and both take `_wake` to change them. That lock is held only while dictionaries are updated, so the
loop never waits for a disk or a server.

No change is lost while the process lives, unless a bounded queue overflows: rows move from `_inbox`
to `_unsaved`, and `_unsaved` is emptied only after a write has succeeded. If the outcome of a write
is unknown, the same rows are written again, which `Database` allows.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from callrouter.clock import Clock
from callrouter.cooperative import short_turns
from callrouter.mobiles.mobile_records import AuditRow
from callrouter.store.glance import Glance, Reader, glance
from callrouter.store.location import Place, StoreError
from callrouter.store.tables import JOURNALS, KEPT, Journal, Kept, Key
from callrouter.store.write_queue import Lost, Outbox

if TYPE_CHECKING:
    from callrouter.store.database import Database, Server

logger = logging.getLogger(__name__)

RETRY: Final = 1.0
"""Seconds before a failed write is tried again. Doubled after each further failure, up to …"""
SLOWEST: Final = 16.0
"""… this factor."""
TELL_EVERY: Final = 60.0
"""Seconds between two log lines about the same problem."""
STUCK: Final = 10.0
"""Seconds of one attempt after which the database counts as not answering."""
EXPIRE_EVERY: Final = 6 * 3600.0

Found: TypeAlias = "Mapping[Kept, list[Any]]"
Answer: TypeAlias = "Callable[[Any, StoreError | None], None]"


@dataclass(frozen=True, slots=True)
class Question:
    """A pending read.

    The answer is delivered in the thread; a patient question waits for the database.
    """

    ask: Callable[[Reader], Any]
    answer: Answer
    patient: bool


class Writer:
    """Accepts changes at any time and writes them when it can. No caller waits for a disk.

    The queue is bounded: for each agent and device only the latest row is kept, and for each
    journal the last `Journal.most`.

    Args:
        on_read: called in the thread with what the database held, once it could be read. If the
            first attempt fails, it is called with None first.
    """

    def __init__(
        self,
        place: Place,
        clock: Clock,
        on_read: Callable[[Found | None], None],
        *,
        retry: float = RETRY,
    ) -> None:
        self.place = place
        self.lost = 0
        """Number of journal rows that were dropped."""
        self._trouble = ""
        self._busy_since: float | None = None
        self._clock = clock
        self._on_read = on_read
        self._retry = retry
        self._pause = retry
        self._run = secrets.token_hex(6)
        self._entries = 0
        self._wake = threading.Condition()
        self._inbox = Outbox()
        self._lost: dict[Journal, Lost] = {journal: Lost() for journal in JOURNALS}
        self._questions: list[Question] = []
        self._held = False
        self._closing = False
        self._ended = False
        # The attributes below belong to the thread alone.
        self._server: Server | None = None
        self._database: Database | None = None
        self._glance: Glance | None = None
        self._was_read = False
        self._known: dict[Kept, dict[Key, Any]] = {kind: {} for kind in KEPT}
        self._unsaved = Outbox()
        self._asked: list[Question] = []
        self._told_at: float | None = None
        self._expired_at: float | None = None
        self._tried_last = False
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)

    def start(self, *, held: bool = False) -> None:
        """Open the database and read it, in the thread.

        `held`: if a quick read is enough, the full open and all writes wait for `go_on`.
        """
        self._held = held
        self._thread.start()

    def go_on(self) -> None:
        """Allow writes from now on."""
        with self._wake:
            self._held = False
            self._wake.notify()

    def put(self, kind: Kept, changes: Mapping[Key, Any]) -> None:
        """Write these rows soon (None: delete them)."""
        with self._wake:
            self._inbox.put(kind, changes)
            self._wake.notify()

    def add(self, journal: Journal, row: Any) -> None:
        """Add a row to a journal soon."""
        with self._wake:
            self._add(self._inbox, journal, [(self._entry(), row)])
            self._wake.notify()

    def ask(self, ask: Callable[[Reader], Any], answer: Answer, *, patient: bool = False) -> None:
        """Read something after everything queued so far is written.

        `answer` gets the result or an error: in the thread, or at once if the database is known to
        be unavailable.
        """
        with self._wake:
            ended = self._ended or self._closing
            if not ended and (patient or not self._trouble):
                self._questions.append(Question(ask, answer, patient))
                self._wake.notify()
                return
        answer(None, StoreError("callrouter is stopping" if ended else self._trouble))

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; empty if all is well."""
        since = self._busy_since
        if not self._trouble and since is not None and self._clock.now() - since >= STUCK:
            return f"it has not answered for {self._clock.now() - since:.0f} s"
        return self._trouble

    @property
    def unsaved(self) -> int:
        """Number of rows waiting to be written."""
        return len(self._inbox) + len(self._unsaved)

    def close(self, within: float) -> bool:
        """Try once more to write what is queued, then stop.

        Returns False if that took longer than `within`.
        """
        with self._wake:
            self._closing = True
            self._held = False
            self._wake.notify()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _entry(self) -> str:
        """Return a unique id for a journal row, so that writing it twice adds it once."""
        self._entries += 1
        return f"{self._run}-{self._entries}"

    def _add(self, outbox: Outbox, journal: Journal, rows: Iterable[tuple[str, Any]]) -> None:
        lost = self._lost[journal]
        before = lost.count
        outbox.add(journal, rows, lost)
        self.lost += lost.count - before

    # ------------------------------------------------------------ in the thread

    def _work(self) -> None:
        last = False
        while not last:
            self._busy_since = self._clock.now()
            try:
                self._open()
                self._save()
                self._well()
                self._reply()
            except (OSError, StoreError) as error:
                self._failed(error)
            except Exception as error:
                logger.exception("a fault in keeping agents' states")
                self._failed(error)
            self._busy_since = None
            last = self._wait()
        if self._unsaved:
            text = "agents' states were not saved (%d rows): %s"
            logger.error(text, len(self._unsaved), self._trouble)
        with self._wake:
            self._ended = True
        for question in (*self._asked, *self._questions):
            question.answer(None, StoreError("callrouter is stopping"))
        self._drop_glance()
        if self._database is not None:
            self._database.close()

    def _wait(self) -> bool:
        """Wait for work and take it; True if there is nothing left to do."""
        with self._wake:
            if self._trouble:  # do not wake for each change: the problem will last a while
                self._wake.wait_for(lambda: self._closing, self._pause)
            else:
                self._wake.wait_for(self._wanted)
            self._take()
            # After `close` there is one more attempt. If it fails too, `_work` logs the loss
            # instead of delaying the shutdown.
            done = self._closing and (not self._unsaved or self._tried_last)
            self._tried_last = self._closing
        return done

    def _wanted(self) -> bool:
        """Return whether there is work, while all is well."""
        if self._closing or self._questions:
            return True
        return not self._held and (bool(self._inbox) or self._database is None)

    def _take(self) -> None:
        # Take both under one lock. `_work` saves before it replies, so an answer reflects every
        # change that was queued before its question.
        self._asked.extend(self._questions)
        self._questions = []
        inbox, self._inbox = self._inbox, Outbox()
        for kind, changes in inbox.kept.items():
            known = self._known[kind]
            for key, row in changes.items():
                if row is None:
                    known.pop(key, None)
                elif known.get(key) == row:
                    continue  # most events leave an agent's stored row as it was
                else:
                    known[key] = row
                self._unsaved.kept[kind][key] = row
        for journal, rows in inbox.added.items():
            self._add(self._unsaved, journal, rows)

    def _open(self) -> None:
        if self._held and self._database is None and self._glanced():
            return
        # Imported here: loading takes a third of a second, and no caller should wait for it.
        with short_turns():
            from callrouter.store.database import Database, server_at  # noqa: PLC0415

        if self._database is not None:
            if not self._unsaved or self._database.there():
                return
            logger.error("%s was taken away; making it anew", self.place)
            self._database.close()
            self._database = None
        if self._server is None:
            self._server = server_at(self.place, self._clock.now)
        self._drop_glance()
        database = Database(self._server)
        try:
            found = {kind: database.read(kind) for kind in KEPT}
        except BaseException:
            database.close()
            raise
        self._database = database
        if self._was_read:
            self._make_equal(found)
        else:
            self._read_first(found)

    def _glanced(self) -> bool:
        """Try a quick read of the database; False if that is not enough."""
        if self._glance is None:
            found = None
            try:
                self._glance = glance(self.place)
                if self._glance is not None:
                    found = {kind: self._glance.read(kind) for kind in KEPT}
            except sqlite3.Error:
                self._drop_glance()
            if found is None:
                return False
            self._read_first(found)
        return True

    def _drop_glance(self) -> None:
        if self._glance is not None:
            self._glance.close()
            self._glance = None

    def _read_first(self, found: Found) -> None:
        self._was_read = True
        self._learn(found)
        self._on_read(found)

    def _learn(self, found: Found) -> None:
        """Take what the database holds as known, except where something has happened since."""
        for kind, rows in found.items():
            known = {kind.key_of(row): row for row in rows} | self._known[kind]
            for key, row in self._unsaved.kept[kind].items():
                if row is None:
                    known.pop(key, None)
            self._known[kind] = known

    def _make_equal(self, found: Found) -> None:
        """Correct a database that may now be another file or an older copy.

        After the first read, `_known` is the truth: it holds every row read or put since. Rows the
        database lacks or has differently are written again, and rows that only the database has are
        deleted.
        """
        for kind, rows in found.items():
            there = {kind.key_of(row): row for row in rows}
            known = self._known[kind]
            waiting = self._unsaved.kept[kind]
            waiting.update({key: None for key in there if key not in known})
            waiting.update({key: row for key, row in known.items() if there.get(key) != row})

    def _save(self) -> None:
        database = self._database
        if database is None:
            return
        while self._unsaved:
            # If this raises, the rows stay for the next attempt. A row may then be written twice,
            # which changes nothing: see `Database._statements`.
            database.write(self._unsaved)
            self._unsaved = Outbox()
            self._note_losses()
        now = self._clock.now()
        if self._expired_at is None or now - self._expired_at >= EXPIRE_EVERY:
            database.expire(now)
            self._expired_at = now

    def _note_losses(self) -> None:
        """Record in a journal what it has lost, in place of the lost rows."""
        with self._wake:
            losses = {journal: lost for journal, lost in self._lost.items() if lost.count}
            for journal in losses:
                self._lost[journal] = Lost()
        for journal, lost in losses.items():
            text = f"{lost.count} entries of {_moment(lost.first)} to {_moment(lost.last)}"
            why = "could not be kept while the database was away"
            logger.error("%s of the table %s are lost: they %s", text, journal.table, why)
            if journal.telling:
                row = AuditRow(
                    at=self._clock.now(), agent="", device="", who="callrouter", via="",
                    what="lost", detail=f"{text} are lost: they {why}",
                )  # fmt: skip
                with self._wake:  # the loop's thread numbers entries too
                    entry = self._entry()
                self._add(self._unsaved, journal, [(entry, row)])

    def _reply(self) -> None:
        """Answer the pending questions.

        One whose read fails stays queued for the retry or `_refuse`.
        """
        reader: Reader | None = self._database or self._glance
        while self._asked and reader is not None:
            question = self._asked[0]
            answer = question.ask(reader)
            del self._asked[0]
            question.answer(answer, None)

    def _refuse(self) -> None:
        """Answer impatient questions with the error; patient ones wait for the database."""
        with self._wake:
            asked, self._asked = [*self._asked, *self._questions], []
            self._questions = [question for question in asked if question.patient]
        for question in asked:
            if not question.patient:
                question.answer(None, StoreError(self._trouble))

    def _well(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._told_at = None
            self._pause = self._retry
            logger.info("agents' states are kept again in %s", self.place)

    def _failed(self, error: Exception) -> None:
        if self._trouble:
            self._pause = min(self._pause * 2, self._retry * SLOWEST)
        self._trouble = str(error) or type(error).__name__
        now = self._clock.now()
        if self._told_at is None or now - self._told_at >= TELL_EVERY:
            self._told_at = now
            logger.error(
                "agents' states can't be kept in %s: %s (calls go on; trying again, %d wait)",
                *(self.place, self._trouble, len(self._unsaved)),
            )
        # After an error the state of the connection is unknown, so the next attempt opens a new
        # one and compares it with what is known (`_make_equal`).
        if self._database is not None:
            self._database.close()
            self._database = None
        if not self._was_read:
            self._on_read(None)
        self._refuse()


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
