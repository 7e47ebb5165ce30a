"""At first only what the start needs is read, and the rest waits; whatever is odd takes the whole way."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.mobiles.mobile_records import DialledRow
from callrouter.model.events import PauseRequested, SignedIn
from callrouter.store.glance import glance
from callrouter.store.location import Address, File
from callrouter.store.tables import AUDIT, MOBILES
from tests.store.test_mobiles import MOBILE, TWO, step
from tests.store.test_trouble import held
from tests.store.world import T0, Clock, World, running, until

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
        world.keeper.mobiles.put_mobile(MOBILE)
        for n in range(4):
            world.keeper.mobiles.add_audit(step(n))
        for call in DIALLED:
            world.keeper.mobiles.add_dialled(call)


def opened(world: World) -> bool:
    """Whether the whole way to the database was taken."""
    return world.keeper._writer._database is not None


async def test_the_start_reads_and_writes_nothing_before_it_is_told(
    path: Path, clock: Clock
) -> None:
    async with running(TWO, path, clock, held=True) as world:
        assert world.agent("ann").signed_in
        assert await world.keeper.mobiles.load_mobiles(T0 + 1) == ([MOBILE], DIALLED[1:])
        assert [row.detail for row in await world.keeper.mobiles.read_audit("ann", 2)] == ["3", "2"]
        assert not opened(world)
        world.post(SignedIn(agent="bob"))
        await until(lambda: not world.keeper._dirty)  # handed to the thread
        assert await world.keeper.mobiles.load_mobiles(0) == ([MOBILE], DIALLED)
        assert held(path) == {"ann": True}
        assert not opened(world)
        world.keeper.go_on()
        await until(lambda: held(path) == {"ann": True, "bob": True})
        assert opened(world)
        assert world.keeper.status()["state"] == "good"


async def test_told_to_go_on_it_opens_even_with_nothing_to_write(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock, held=True) as world:
        world.keeper.go_on()
        await until(lambda: opened(world))


async def test_an_end_before_it_was_told_saves_all(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock, held=True) as world:
        world.post(SignedIn(agent="bob"), PauseRequested(agent="ann", reason="lunch"))
        world.keeper.mobiles.put_mobile(replace(MOBILE, device="m2"))
    async with running(TWO, path, clock) as world:
        assert (world.agent("ann").pause, world.agent("bob").signed_in) == ("lunch", True)
        assert len((await world.keeper.mobiles.load_mobiles(0))[0]) == 2


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
    async with running(TWO, path, clock, held=True) as world:
        assert world.agent("ann").signed_in
        world.keeper.go_on()
        await until(lambda: opened(world))
        await until(lambda: held(path) == {"ann": True})
        assert await world.keeper.mobiles.read_audit("", 9) == []
        assert (await world.keeper.mobiles.load_mobiles(0))[0] == [MOBILE]
    assert list(path.parent.glob("*.damaged-*"))


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP TABLE callrouter_version",
        "UPDATE callrouter_version SET version_num = '0002'",
        "INSERT INTO callrouter_version VALUES ('9999')",
        "DROP TABLE mobiles",
        "ALTER TABLE agents DROP COLUMN pause_reason",
    ],
)
async def test_what_is_not_as_it_should_be_takes_the_whole_way(
    path: Path, clock: Clock, spoil: str
) -> None:
    with sqlite3.connect(path) as link:
        link.execute(spoil)
    link.close()
    async with running(TWO, path, clock, held=True) as world:
        assert world.keeper._writer._glance is None
        assert opened(world) or world.keeper.status()["problem"]


async def test_a_file_that_is_not_there_is_made(path: Path, clock: Clock) -> None:
    path.unlink()
    assert glance(File(path)) is None
    assert not path.exists()
    async with running(TWO, path, clock, held=True) as world:
        await until(lambda: opened(world))
        assert path.exists()


async def test_locked_by_another_program(path: Path) -> None:
    link = sqlite3.connect(path)
    link.execute("PRAGMA locking_mode = EXCLUSIVE")
    link.execute("BEGIN EXCLUSIVE")
    link.execute("DELETE FROM audit")
    seen = await asyncio.to_thread(lambda: glance(File(path)) is None)
    link.rollback()
    link.close()
    assert seen


def test_only_files_are_glanced_at(path: Path) -> None:
    assert glance(Address("postgresql://somewhere/callrouter")) is None
    seen = glance(File(path))
    assert seen is not None
    assert seen.read(MOBILES) == [MOBILE]
    assert seen.newest(AUDIT, 2, {}) == [step(3), step(2)]
    seen.close()
