"""What the database should hold, as the database thread knows it."""

from __future__ import annotations

from typing import Any

from callrouter.store.pending_rows import JournalEntry, PendingRows
from callrouter.store.tables import (
    STATE_TABLES,
    JournalTable,
    Key,
    StateRows,
    StateTable,
    TimedRowT,
)


class KnownRows:
    """Every state row that was read or accepted so far, and all rows that are not written yet.

    Belongs to the thread. After the first read, what is known here is the truth, and the database
    follows it. That makes an error simple to handle: after it, it is unknown which rows of a write
    arrived, and whether the next connection leads to the same database. `compare` then works out
    from the content which rows have to be written.

    Attributes:
        unsaved: the rows to write.
    """

    def __init__(self) -> None:
        self.unsaved = PendingRows()
        self._known: dict[StateTable[Any], dict[Key, Any]] = {table: {} for table in STATE_TABLES}
        self._new: dict[StateTable[Any], set[Key]] = {table: set() for table in STATE_TABLES}
        """Keys that no database has had: rows that came since the last write."""
        self._was_read = False

    @property
    def was_read(self) -> bool:
        """Whether the database could be read since the start.

        It stays True if the database becomes unavailable later.
        """
        return self._was_read

    def accept(self, rows: PendingRows) -> list[tuple[JournalTable[Any], list[Any]]]:
        """Add rows from the queue. Returns the journal rows that had to be dropped.

        A state row that is already known is left out: most events change nothing that is stored. So
        is one that comes and goes while the database is away, of which there may be many.
        """
        for table, changes in rows.states.items():
            known, new, unsaved = self._known[table], self._new[table], self.unsaved.states[table]
            for key, row in changes.items():
                if row is None:
                    known.pop(key, None)
                    if key in new:
                        new.discard(key)
                        unsaved.pop(key, None)
                        continue
                elif known.get(key) == row:
                    continue
                else:
                    if self._was_read and key not in known and key not in unsaved:
                        new.add(key)
                    known[key] = row
                unsaved[key] = row
        return [
            (journal, self.unsaved.add(journal, entries))
            for journal, entries in rows.entries.items()
        ]

    def add(
        self, journal: JournalTable[TimedRowT], entry: JournalEntry[TimedRowT]
    ) -> list[TimedRowT]:
        """Add a journal row. Returns the rows that had to be dropped for it.

        This is for rows that the thread makes itself. Those of the loop come through `accept`.
        """
        return self.unsaved.add(journal, [entry])

    def saved(self) -> None:
        """All unsaved rows were written.

        Call it only after the transaction has succeeded.
        """
        self.unsaved = PendingRows()
        for keys in self._new.values():
            keys.clear()

    def compare(self, found: StateRows) -> None:
        """Take account of what a newly opened database holds.

        The first time, its content is learned. Later it is corrected, by rows in `unsaved`.

        Args:
            found: every state row in it.
        """
        if self._was_read:
            self._correct(found)
        else:
            self._was_read = True
            self._learn(found)

    def _learn(self, found: StateRows) -> None:
        """Take over the content of the first read, except where something has happened since."""
        for table in STATE_TABLES:
            known = {table.key_of(row): row for row in found.of(table)} | self._known[table]
            for key, row in self.unsaved.states[table].items():
                if row is None:
                    known.pop(key, None)
            self._known[table] = known

    def _correct(self, found: StateRows) -> None:
        """Correct a database that may be another file now, or an older copy.

        Rows that it lacks or has differently are written again. Rows that only it has are deleted.
        """
        for table in STATE_TABLES:
            there = {table.key_of(row): row for row in found.of(table)}
            known = self._known[table]
            waiting = self.unsaved.states[table]
            waiting.update({key: None for key in there if key not in known})
            waiting.update({key: row for key, row in known.items() if there.get(key) != row})
