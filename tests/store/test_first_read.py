"""What a database left by an earlier run brings back, whatever state it is in."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.mobiles.mobile_records import DialledRow
from callrouter.model.events import PauseRequested, SignedIn
from tests.store.test_mobiles import MOBILE, TWO, step
from tests.store.test_trouble import held
from tests.store.world import T0, Clock, running, until

DIALLED = [DialledRow(at=T0 + n, agent="ann", number="+44", country="GB") for n in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder?#%41" / "callrouter.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
async def left_by_an_earlier_run(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    async with running(TWO, path, clock) as world:
        world.post(SignedIn(agent="ann"))
        world.store.mobiles.put_mobile(MOBILE)
        for n in range(4):
            world.store.mobiles.add_audit(step(n))
        for call in DIALLED:
            world.store.mobiles.add_dialled(call)


async def test_an_answer_includes_what_was_put_before_the_question(
    path: Path, clock: Clock
) -> None:
    async with running(TWO, path, clock) as world:
        assert world.agent("ann").signed_in
        assert await world.store.mobiles.load_mobiles(T0 + 1) == ([MOBILE], DIALLED[1:])
        assert [row.detail for row in await world.store.mobiles.read_audit("ann", 2)] == ["3", "2"]
        world.store.mobiles.add_audit(step(4))
        assert [row.detail for row in await world.store.mobiles.read_audit("ann", 2)] == ["4", "3"]
        second = replace(MOBILE, device="m2")
        world.store.mobiles.put_mobile(second)
        mobiles, _ = await world.store.mobiles.load_mobiles(0)
        assert sorted(row.device for row in mobiles) == sorted([MOBILE.device, "m2"])


async def test_an_end_right_after_the_start_saves_all(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock) as world:
        world.post(SignedIn(agent="bob"), PauseRequested(agent="ann", reason="lunch"))
        world.store.mobiles.put_mobile(replace(MOBILE, device="m2"))
    async with running(TWO, path, clock) as world:
        assert (world.agent("ann").pause, world.agent("bob").signed_in) == ("lunch", True)
        assert len((await world.store.mobiles.load_mobiles(0))[0]) == 2


async def test_a_page_that_was_overwritten_costs_only_what_stood_there(
    path: Path, clock: Clock
) -> None:
    with sqlite3.connect(path) as link:
        link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = link.execute("PRAGMA page_size").fetchone()[0]
        (root,) = link.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()
    link.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(data)
    async with running(TWO, path, clock) as world:
        assert world.agent("ann").signed_in
        assert held(path) == {"ann": True}
        assert world.store.status()["state"] == "good"
        assert await world.store.mobiles.read_audit("", 9) == []
        assert (await world.store.mobiles.load_mobiles(0))[0] == [MOBILE]
    assert list(path.parent.glob("*.damaged-*"))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ("DROP TABLE callrouter_version", "already exists"),
        ("UPDATE callrouter_version SET version_num = '0002'", "already exists"),
        ("INSERT INTO callrouter_version VALUES ('9999')", ""),
        ("DROP TABLE mobiles", "no such table"),
        ("ALTER TABLE agents DROP COLUMN pause_reason", "no such column"),
    ],
)
async def test_a_schema_that_is_not_ours_is_reported(
    path: Path, clock: Clock, spoil: str, problem: str
) -> None:
    with sqlite3.connect(path) as link:
        link.execute(spoil)
    link.close()
    async with running(TWO, path, clock) as world:
        assert problem in world.store.status()["problem"]
        assert not world.agent("ann").signed_in


async def test_a_file_that_is_not_there_is_made(path: Path, clock: Clock) -> None:
    path.unlink()
    async with running(TWO, path, clock) as world:
        await until(path.exists)
        assert not world.agent("ann").signed_in
        assert world.store.status()["state"] == "good"
