"""What recording costs: processor time of the loop and of the writing thread, and bytes in the database.

    python -m bench.record                     # both, two minutes
    python -m bench.record --calls 20000 --only size

The core routes whole calls as in `bench.core`: a call arrives, is offered, rings, is accepted, talks, ends,
and its wrap-up ends. For the time, three runs take turns: the core alone, with the recorder listening and its
rows taken every quarter of a second of the calls' time, and with a store that writes them into a SQLite file.
For the size, the same rows go into a SQLite file and a PostgreSQL database, all indexes included.

How long reports of a month of a million calls take is measured by `bench.million_calls`.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from bench.floor import Floor, make_table
from callrouter.core.router import Router
from callrouter.model.notices import Notice
from callrouter.record import record_service
from callrouter.record.recorder import Change, Recorder
from callrouter.store.database import Database, server_at
from callrouter.store.location import Address, File, Place
from callrouter.store.record_writing import RecordWriter
from callrouter.store.writer import Writer

AGENTS, QUEUES = 500, 12
CALLS = 1_500
RATE = 100.0
"""Calls a second. Between two calls the processor is given away, so that its caches are cold again."""
ROUNDS = 3
DAEMON_MS = 9.6
"""Milliseconds of the daemon's processor time for a whole call on Asterisk, without the record: `make bench`, (d)."""


class Clock:
    """The real time: the writing thread waits by it."""

    def now(self) -> float:
        return time.time()


class Recorded:
    """A recorder on a floor. Rows are taken as the daemon takes them, and handed to `write`."""

    def __init__(self, router: Router, write: Callable[[Iterable[Change]], None]) -> None:
        self.recorder = Recorder(router.board.queue_members, 1)
        self._write = write
        self._next = 0.0
        self.rows = 0

    def listen(self, notice: Notice) -> None:
        self.recorder.listen(notice)
        if notice.at < self._next:
            return
        self._next = notice.at + record_service.EVERY
        self.flush()

    def flush(self) -> None:
        for call in self.recorder.take_wanted():
            self.recorder.recall(call, None)
        while changes := self.recorder.take(record_service.AT_ONCE):
            self.rows += len(changes)
            self._write(changes)
            if len(changes) < record_service.AT_ONCE:
                break


def _busy_floor() -> Floor:
    floor = Floor(make_table(AGENTS, QUEUES, "longest-idle"), busy=AGENTS // 2)
    for _ in range(AGENTS):
        floor.step()
    return floor


@dataclass(frozen=True)
class Cost:
    """Microseconds for each call: of the loop's thread, and of all threads; and rows for each call."""

    loop: float
    all: float
    rows: float


def _cost(write: Callable[[Iterable[Change]], None] | None) -> Cost:
    floor = _busy_floor()
    recorded = None
    if write is not None:
        recorded = Recorded(floor.router, write)
        floor.listen = recorded.listen
    gc.collect()
    loop, every = time.thread_time(), time.process_time()
    for _ in range(CALLS):
        floor.step()
        time.sleep(1 / RATE)
    rows = 0
    if recorded is not None:
        recorded.flush()
        rows = recorded.rows
    loop = time.thread_time() - loop
    return Cost(loop / CALLS * 1e6, (time.process_time() - every) / CALLS * 1e6, rows / CALLS)


def _written() -> Cost:
    """Cost with a store. The thread's share counts until everything is in the file."""
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as folder:
        writer = Writer(File(Path(folder) / "callrouter.db"), Clock(), lambda _rows: None)
        writer.start()
        while writer.trouble:
            time.sleep(0.01)
        before = time.process_time()
        cost = _cost(RecordWriter(writer).record)
        while writer.record_waiting:
            time.sleep(0.01)
        writer.close(60.0)
        every = (time.process_time() - before) / CALLS * 1e6
    return Cost(cost.loop, every, cost.rows)


def show_time() -> None:
    """Print what recording a call costs."""
    print(
        f"\nrecording, {AGENTS} agents, {CALLS:,} calls, medians of {ROUNDS}; µs of processor time a call"
    )
    runs = [(_cost(None), _cost(lambda _changes: None), _written()) for _ in range(ROUNDS)]
    alone = median(run[0].loop for run in runs)
    listening = median(run[1].loop - run[0].loop for run in runs)
    writing = median(run[2].loop - run[0].loop for run in runs)
    thread = median(run[2].all - run[2].loop for run in runs)
    rows = runs[0][1].rows
    print(f"the core alone                            {alone:8.0f}")
    print(f"the recorder, on the loop                 {listening:8.0f}   {rows:.1f} rows a call")
    print(f"the same while the thread writes          {writing:8.0f}")
    print(f"the writing thread, SQLite                {thread:8.0f}")
    whole = DAEMON_MS * 1000
    print(
        f"of the daemon's {DAEMON_MS:g} ms a call           {100 * writing / whole:7.1f} %; "
        f"with the thread {100 * (writing + thread) / whole:.1f} %"
    )
    for rate in (1, 10, 20):
        print(f"of a second at {rate:>2} calls/s                 {rate * writing / 1e4:8.2f} %")


# ---------------------------------------------------------------- size


def _size(place: Place, link: sa.Connection) -> int:
    if isinstance(place, File):
        link.exec_driver_sql("PRAGMA wal_checkpoint(truncate)")
        return place.path.stat().st_size
    return int(link.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)


def bytes_of_a_call(place: Place, calls: int) -> tuple[float, float]:
    """Return how many bytes and rows a call takes in a database that is made and filled for it."""
    server = server_at(place, time.time)
    Database(server).close()
    with closing(server.open()) as link:
        before = _size(place, link)
    writer = Writer(place, Clock(), lambda _rows: None)
    writer.start()
    floor = _busy_floor()
    recorded = Recorded(floor.router, RecordWriter(writer).record)
    floor.listen = recorded.listen
    for number in range(calls):
        floor.step()
        while number % 1000 == 0 and writer.record_waiting > 20_000:
            time.sleep(0.01)  # the store gives rows up that it cannot write fast enough
    recorded.flush()
    while writer.record_waiting:
        time.sleep(0.01)
    writer.close(60.0)
    assert writer.record_lost == 0
    with closing(server.open()) as link:
        return (_size(place, link) - before) / calls, recorded.rows / calls


def show_size(calls: int) -> None:
    """Print the bytes of a call in both databases."""
    from tests.store.server import PostgresServer  # noqa: PLC0415 - needs the test requirements

    with tempfile.TemporaryDirectory(prefix="cr-bench-") as folder:
        size, rows = bytes_of_a_call(File(Path(folder) / "callrouter.db"), calls)
    print(f"\nSQLite:     {size:,.0f} bytes a call ({calls:,} calls, {rows:.1f} rows each)")
    server = PostgresServer()
    try:
        server.start()
        size, rows = bytes_of_a_call(Address(server.database()), calls)
    finally:
        server.close()
    print(f"PostgreSQL: {size:,.0f} bytes a call ({calls:,} calls, {rows:.1f} rows each)")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.record", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--calls", type=int, default=20_000, help="for the size")
    parser.add_argument("--only", choices=["time", "size"])
    chosen = parser.parse_args()
    if chosen.only != "size":
        show_time()
    if chosen.only != "time":
        show_size(chosen.calls)


if __name__ == "__main__":
    main()
