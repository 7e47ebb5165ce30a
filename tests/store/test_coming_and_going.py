"""Rows that come and go while the database is away leave nothing behind, in memory and in it."""

from __future__ import annotations

import random

import pytest

from callrouter.outbox.outbox_rows import OutboxRow
from callrouter.store.known_rows import KnownRows
from callrouter.store.pending_rows import PendingRows
from callrouter.store.tables import OUTBOX, STATE_TABLES, Key, StateRows


def row(n: int, attempts: int = 0) -> OutboxRow:
    return OutboxRow(
        event=f"e{n}", destination="d", serial=n, order_key="k", name="n", at=1.0,
        attempts=attempts, body="{}",
    )  # fmt: skip


def change(changes: dict[Key, OutboxRow | None]) -> PendingRows:
    made = PendingRows()
    made.put(OUTBOX, changes)
    return made


def found(rows: dict[Key, OutboxRow]) -> StateRows:
    return StateRows({table: list(rows.values()) if table is OUTBOX else [] for table in STATE_TABLES})  # fmt: skip


def test_a_row_that_was_never_written_needs_no_deletion() -> None:
    known = KnownRows()
    known.compare(found({}))
    for n in range(1000):
        known.accept(change({(f"e{n}", "d"): row(n)}))
        known.accept(change({(f"e{n}", "d"): row(n, attempts=1)}))
        known.accept(change({(f"e{n}", "d"): None}))
    assert len(known.unsaved) == 0


def test_before_the_first_read_nothing_is_known_to_be_new() -> None:
    known = KnownRows()
    known.accept(change({("e1", "d"): row(1)}))
    known.accept(change({("e1", "d"): None}))
    known.compare(found({("e1", "d"): row(1)}))
    assert known.unsaved.states[OUTBOX] == {("e1", "d"): None}


def test_a_row_that_is_deleted_and_comes_again_is_not_new() -> None:
    known = KnownRows()
    known.compare(found({("e1", "d"): row(1)}))
    known.accept(change({("e1", "d"): None}))
    known.accept(change({("e1", "d"): row(1, attempts=3)}))
    known.accept(change({("e1", "d"): None}))
    assert known.unsaved.states[OUTBOX] == {("e1", "d"): None}


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_the_database_follows(seed: int) -> None:
    """Writes succeed, fail, or succeed without an answer; the database may be another one."""
    rng = random.Random(seed)
    known = KnownRows()
    database: dict[Key, OutboxRow] = {(f"e{n}", "d"): row(n) for n in range(rng.randrange(4))}
    wanted = dict(database)
    is_open = False
    for _ in range(80):
        what = rng.random()
        key = (f"e{rng.randrange(6)}", "d")
        if what < 0.6 and (known.was_read or key not in database):
            new = row(int(key[0][1:]), rng.randrange(3)) if rng.random() < 0.6 else None
            known.accept(change({key: new}))
            if new is None:
                wanted.pop(key, None)
            else:
                wanted[key] = new
        elif what < 0.75:
            is_open = False
            if rng.random() < 0.2 and known.was_read:
                database = {}
        else:
            if not is_open:
                known.compare(found(database))
                is_open = True
            if rng.random() < 0.8:
                write(known, database)
                if rng.random() < 0.7:
                    known.saved()
                else:
                    is_open = False  # it arrived, and that is not known
    known.compare(found(database))
    write(known, database)
    assert database == wanted


def write(known: KnownRows, database: dict[Key, OutboxRow]) -> None:
    for key, value in known.unsaved.states[OUTBOX].items():
        if value is None:
            database.pop(key, None)
        else:
            database[key] = value
