"""Versions of the database: made, brought up, taken over, refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from callrouter.store import upgrade
from callrouter.store.codec import columns
from callrouter.store.kinds import JOURNALS, KEPT
from callrouter.store.sqlite import Sqlite
from callrouter.store.upgrade import REVISIONS
from tests.core.tables import queue, table
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

NEWER = """
    CREATE TABLE callrouter_version (version_num TEXT);
    INSERT INTO callrouter_version VALUES ('0099');
    CREATE TABLE agents (agent TEXT, mood TEXT);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callrouter.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


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


async def test_every_field_has_its_column(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock):
        pass
    for kind in (*KEPT, *JOURNALS):
        found = {name for _, name, *_ in ask(path, f"PRAGMA table_info({kind.table})")}
        own = {"id", "entry"} if kind in JOURNALS else set()
        assert found == {*columns(kind.row), *own}
    assert ask(path, "SELECT version_num FROM callrouter_version") == [(REVISIONS[-1],)]


@pytest.mark.parametrize(("text", "by"), [(BY_HAND, ""), (BY_HAND + MORE_BY_HAND, "sam")])
async def test_a_file_from_before_there_were_versions(
    path: Path, clock: Clock, text: str, by: str
) -> None:
    script(path, text)
    async with running(TWO, path, clock) as world:
        ann = world.agent("ann")
        assert (ann.signed_in, ann.pause, ann.paused_at, ann.misses) == (True, "lunch", 20.5, 2)
        assert (ann.calls, ann.changed_by) == (7, by)
        assert world.keeper.status()["state"] == "good"
    assert "migrations" not in tables(path)
    (copy,) = path.parent.glob("*.version-*")
    assert ask(copy, "SELECT agent, calls FROM agents") == [("ann", 7)]
    assert "migrations" in tables(copy)
    async with running(TWO, path, clock) as world:
        assert world.agent("ann").pause == "lunch"
    assert len(list(path.parent.glob("*.version-*"))) == 1, "only before an upgrade"


async def test_every_older_version_is_brought_up(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Sqlite(path, clock.now)
    for version in REVISIONS[:-1]:
        path.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr("alembic.command.upgrade", _only_to(version))
            link = made.open()
            upgrade.bring_up(link, lambda _: None)
            link.close()
        assert ask(path, "SELECT version_num FROM callrouter_version") == [(version,)]
        async with running(TWO, path, clock) as world:
            assert world.keeper.status()["state"] == "good"
        assert ask(path, "SELECT version_num FROM callrouter_version") == [(REVISIONS[-1],)]


def _only_to(version: str) -> object:
    real = command.upgrade
    return lambda config, _head: real(config, version)


@pytest.mark.parametrize(
    "later",
    [
        NEWER,
        "CREATE TABLE migrations (version INTEGER); INSERT INTO migrations VALUES (99)",
    ],
)
async def test_a_later_version_is_left_alone(path: Path, clock: Clock, later: str) -> None:
    script(path, later)
    before = sorted(map(str, tables(path)))
    async with running(TWO, path, clock) as world:
        assert "later version" in world.keeper.status()["problem"]
        assert "99" in world.keeper.status()["problem"]
    assert sorted(map(str, tables(path))) == before
    assert not list(path.parent.glob("*.damaged-*"))


async def test_an_upgrade_that_fails_leaves_everything_as_it_was(path: Path, clock: Clock) -> None:
    script(path, BY_HAND + "CREATE TABLE dialled (other TEXT);")
    before = path.read_bytes()
    async with running(TWO, path, clock) as world:
        assert "dialled already exists" in world.keeper.status()["problem"]
        assert not world.agent("ann").signed_in
    assert ask(path, "SELECT max(version) FROM migrations") == [(1,)]
    assert len(ask(path, "PRAGMA table_info(agents)")) == 11
    assert before[:16] == path.read_bytes()[:16]


async def test_without_a_copy_there_is_no_upgrade(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(path, BY_HAND)

    def nowhere(*_: object) -> Path:
        return path.parent / "no such folder" / "copy"

    with monkeypatch.context() as patch:
        patch.setattr("callrouter.store.sqlite._unused", nowhere)
        async with running(TWO, path, clock) as world:
            assert "no copy of it could be made" in world.keeper.status()["problem"]
    assert "migrations" in tables(path)
