"""Work that can wait is done by the writing thread when nothing else is to be done."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from callrouter.model.events import SignedIn
from callrouter.store.location import File, Place
from callrouter.store.sqlite import Sqlite
from callrouter.store.writer import Upkeep, Writer
from tests.core.tables import queue, table
from tests.store.world import Clock, running, until


class Steps(Upkeep):
    """Upkeep that is always due again after a moment."""

    def __init__(self) -> None:
        self.taken = 0
        self.fails = False

    def due_in(self) -> float:
        return 0.01

    def work(self, link: sa.Connection) -> None:
        self.taken += 1
        with link.begin():
            link.exec_driver_sql("SELECT * FROM no_such_table" if self.fails else "SELECT 1")


async def test_it_goes_on_beside_other_writes_and_an_error_stops_neither(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    real = Writer.__init__

    def with_steps(self: Writer, *args: object, **more: object) -> None:
        real(self, *args, **{**more, "upkeep": steps})  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "__init__", with_steps)
    async with running(table(queue("q", "ann")), place, clock) as world:
        await until(lambda: steps.taken > 3)
        world.post(SignedIn(agent="ann"))
        await until(lambda: world.unsaved == 0)
        steps.fails = True
        await until(lambda: world.store.status()["state"] == "bad")
        steps.fails = False
        await until(lambda: world.store.status()["state"] == "good")
        before = steps.taken
        await until(lambda: steps.taken > before)
    await asyncio.sleep(0)


def modes(path: Path) -> int:
    link = sqlite3.connect(path)
    try:
        return int(link.execute("PRAGMA auto_vacuum").fetchone()[0])
    finally:
        link.close()


def test_a_file_can_give_back_room_whether_it_is_new_or_of_an_earlier_version(
    tmp_path: Path,
) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    link = sqlite3.connect(old)
    link.execute("PRAGMA journal_mode = WAL").fetchone()
    with link:
        link.execute("CREATE TABLE kept (one)")
        link.execute("INSERT INTO kept VALUES (1)")
    link.close()
    for path in (new, old):
        opened = Sqlite(File(path).path, lambda: 0.0).open()
        opened.exec_driver_sql("CREATE TABLE another (one)")
        opened.commit()
        opened.close()
        assert modes(path) == 2
    link = sqlite3.connect(old)
    assert link.execute("SELECT * FROM kept").fetchall() == [(1,)]
    link.close()


def test_a_large_file_is_not_read_as_a_whole_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.store.sqlite._CHECKED_PAGES", 0)
    sqlite = Sqlite(tmp_path / "callrouter.db", lambda: 0.0)
    link = sqlite.open()
    link.exec_driver_sql("CREATE TABLE agents (agent)")
    link.exec_driver_sql("INSERT INTO agents VALUES ('ann')")
    link.commit()
    link.close()
    asked: list[str] = []

    def note(*args: object) -> None:
        asked.append(str(args[2]))

    sa.event.listen(sqlite._engine, "before_cursor_execute", note)
    sqlite.open().close()
    assert [text for text in asked if "quick_check" in text] == ["PRAGMA quick_check(agents)"]
