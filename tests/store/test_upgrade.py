"""Versions of the database: made, brought up, taken over, refused."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from callrouter.audit.act_rows import ACTS
from callrouter.model.events import SignedIn, SignedOut
from callrouter.record.record_tables import RECORDED_TABLES
from callrouter.store import sqlite, upgrade, upgrade_progress
from callrouter.store.codec import columns
from callrouter.store.database import server_at
from callrouter.store.location import File
from callrouter.store.tables import JOURNAL_TABLES, STATE_TABLES, AnyTable
from callrouter.store.upgrade import REVISIONS
from tests.core.tables import queue, table
from tests.store.tried import Tried
from tests.store.world import Clock, running

TWO = table(queue("q", "ann bob"))

BY_HAND = """
    CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at REAL);
    INSERT INTO migrations VALUES (1, 0);
    CREATE TABLE agents (
        agent TEXT PRIMARY KEY, signed_in INTEGER NOT NULL, signed_in_at REAL, pause_reason TEXT,
        paused_at REAL, wrap_until REAL, wrap_queue TEXT NOT NULL, idle_since REAL,
        misses INTEGER NOT NULL, calls INTEGER NOT NULL, day TEXT NOT NULL
    );
    INSERT INTO agents VALUES ('ann', 1, 10.5, 'lunch', 20.5, NULL, '', 10.5, 2, 7, '2025-11-21');
"""
MORE_BY_HAND = """
    INSERT INTO migrations VALUES (2, 0), (3, 0), (4, 0), (5, 0), (6, 0);
    ALTER TABLE agents ADD COLUMN pending TEXT NOT NULL DEFAULT '';
    ALTER TABLE agents ADD COLUMN changed_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE agents ADD COLUMN changed_at REAL;
    ALTER TABLE agents ADD COLUMN devices_off TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE agents ADD COLUMN messages TEXT NOT NULL DEFAULT '[]';
    UPDATE agents SET changed_by = 'sam';
"""

VERSION = "SELECT version_num FROM callrouter_version"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callrouter.db"


def script(path: Path, text: str) -> None:
    link = sqlite3.connect(path)
    link.executescript(text)
    link.close()


def ask(path: Path, text: str) -> list[tuple[object, ...]]:
    link = sqlite3.connect(path)
    found = link.execute(text).fetchall()
    link.close()
    return found


def tables(path: Path) -> set[object]:
    return {name for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_list_of_versions_is_that_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", "callrouter.store:migrations")
    config.set_main_option("path_separator", "os")
    walked = [item.revision for item in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS


async def test_every_field_has_its_column(tried: Tried, clock: Clock) -> None:
    async with running(TWO, tried.place, clock):
        pass
    tables: tuple[AnyTable, ...] = (*STATE_TABLES, *JOURNAL_TABLES)
    for kind in tables:
        own = {"id", "entry"} if kind in JOURNAL_TABLES else set()
        assert tried.columns(kind.table) == {*columns(kind.row), *own}
    for recorded in (*RECORDED_TABLES, ACTS):
        assert tried.columns(recorded.table) == {item.name for item in fields(recorded.row)}
    assert tried.ask(VERSION) == [(REVISIONS[-1],)]


@pytest.mark.parametrize(("text", "by"), [(BY_HAND, ""), (BY_HAND + MORE_BY_HAND, "sam")])
async def test_a_file_from_before_there_were_versions(
    path: Path, clock: Clock, text: str, by: str
) -> None:
    script(path, text)
    async with running(TWO, path, clock) as world:
        ann = world.agent("ann")
        assert (ann.signed_in, ann.pause, ann.paused_at, ann.misses) == (True, "lunch", 20.5, 2)
        assert (ann.calls, ann.changed_by) == (7, by)
        assert world.store.status()["state"] == "good"
    assert "migrations" not in tables(path)
    (copy,) = path.parent.glob("*.version-*")
    assert ask(copy, "SELECT agent, calls FROM agents") == [("ann", 7)]
    assert "migrations" in tables(copy)
    async with running(TWO, path, clock) as world:
        assert world.agent("ann").pause == "lunch"
    assert len(list(path.parent.glob("*.version-*"))) == 1, "only before an upgrade"


@pytest.mark.parametrize("version", REVISIONS[:-1])
async def test_every_older_version_is_brought_up(
    tried: Tried,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("alembic.command.upgrade", _only_to(version))
        server = server_at(tried.place, clock.now)
        link = server.open()
        upgrade.bring_up(link, server)
        link.close()
    assert tried.ask(VERSION) == [(version,)]
    tried.ask(
        "INSERT INTO agents (agent, signed_in, wrap_queue, misses, calls, day) "
        "VALUES ('ann', true, '', 0, 7, '2025-11-21')"
    )
    caplog.set_level("INFO")
    async with running(TWO, tried.place, clock) as world:
        world.post(SignedOut(agent="ann"), SignedIn(agent="ann"))
        await world.store.mobiles.load_mobiles(0)
        assert caplog.text.count("are kept in") == 1, "they are put back once"
        assert world.store.status()["state"] == "good"
        assert (world.agent("ann").signed_in, world.agent("ann").calls) == (True, 7)
    assert tried.ask(VERSION) == [(REVISIONS[-1],)]


def _only_to(version: str) -> object:
    real = command.upgrade
    return lambda config, _head: real(config, version)


async def test_a_later_version_is_left_alone(tried: Tried, clock: Clock) -> None:
    tried.ask("CREATE TABLE callrouter_version (version_num TEXT)")
    tried.ask("INSERT INTO callrouter_version VALUES ('0099')")
    tried.ask("CREATE TABLE agents (agent TEXT, mood TEXT)")
    async with running(TWO, tried.place, clock) as world:
        assert "later version" in world.store.status()["problem"]
        assert "99" in world.store.status()["problem"]
        world.post(SignedIn(agent="bob"))
    assert tried.tables() == {"callrouter_version", "agents"}
    assert tried.ask("SELECT * FROM agents") == []


async def test_a_later_file_from_before_there_were_versions(path: Path, clock: Clock) -> None:
    script(path, "CREATE TABLE migrations (version INTEGER); INSERT INTO migrations VALUES (99)")
    async with running(TWO, path, clock) as world:
        assert "later version" in world.store.status()["problem"]
    assert tables(path) == {"migrations"}
    assert not list(path.parent.glob("*.damaged-*"))


async def test_an_upgrade_that_fails_leaves_everything_as_it_was(
    tried: Tried, clock: Clock
) -> None:
    tried.ask("CREATE TABLE dialled (other TEXT)")  # another program's
    async with running(TWO, tried.place, clock) as world:
        assert tried.TAKEN in world.store.status()["problem"]
    assert tried.tables() == {"dialled"}, "all of an upgrade, or nothing"


async def test_an_old_file_whose_upgrade_fails_stays_as_it_was(path: Path, clock: Clock) -> None:
    script(path, BY_HAND + "CREATE TABLE dialled (other TEXT);")
    async with running(TWO, path, clock) as world:
        assert "dialled already exists" in world.store.status()["problem"]
        assert not world.agent("ann").signed_in
    assert ask(path, "SELECT max(version) FROM migrations") == [(1,)]
    assert len(ask(path, "PRAGMA table_info(agents)")) == 11


async def test_without_a_copy_there_is_no_upgrade(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(path, BY_HAND)

    def nowhere(*_: object) -> Path:
        return path.parent / "no such folder" / "copy"

    with monkeypatch.context() as patch:
        patch.setattr("callrouter.store.sqlite._unused", nowhere)
        async with running(TWO, path, clock) as world:
            assert "no copy of it could be made" in world.store.status()["problem"]
    assert "migrations" in tables(path)


async def test_a_long_upgrade_says_how_it_gets_on(
    tried: Tried, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("alembic.command.upgrade", _only_to("0008"))
        server = server_at(tried.place, clock.now)
        link = server.open()
        upgrade.bring_up(link, server)
        link.close()
    caplog.set_level("INFO")
    real = command.upgrade

    def slow(*given: Any) -> None:
        time.sleep(0.3)
        real(*given)

    monkeypatch.setattr("alembic.command.upgrade", slow)
    monkeypatch.setattr(upgrade_progress, "EVERY", 0.1)
    async with running(TWO, tried.place, clock):
        pass
    assert "bringing the database from version 0008 to 00" in caplog.text
    assert "0 s so far" in caplog.text


def test_the_copy_of_a_large_file_says_how_it_gets_on(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script(path, BY_HAND + "CREATE TABLE big (x); INSERT INTO big VALUES (zeroblob(4000000));")
    caplog.set_level("INFO")
    monkeypatch.setattr(upgrade_progress, "EVERY", 0.0)
    monkeypatch.setattr(sqlite, "COPIED_AT_ONCE", 200)
    server = server_at(File(path), clock.now)
    link = server.open()
    upgrade.bring_up(link, server)
    link.close()
    said = [line for line in caplog.messages if "before the upgrade: " in line]
    assert f"copying {path} before the upgrade: 100 %" in said
    assert len(said) > 3
    (copy,) = path.parent.glob("*.version-*")
    assert ask(copy, "SELECT length(x) FROM big") == [(4_000_000,)]
