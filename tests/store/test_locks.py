"""Locks after wrong PINs outlive the process, and are forgotten when they are forgiven."""

from __future__ import annotations

from callrouter.model.access_rows import LockRow
from callrouter.store.location import Place
from tests.core.tables import agent, desk, queue, table
from tests.store.world import Clock, running, until

TABLE = table(agent("ann", desk("ann")), queue("q", "ann"))


async def test_locks_are_there_after_a_restart(place: Place) -> None:
    clock = Clock()
    key = "phone PJSIP/trunk +447700900123"
    async with running(TABLE, place, clock) as world:
        assert await world.store.lockouts.load() == []
        world.store.lockouts.put(LockRow(key=key, until=5.0, locks=1))
        world.store.lockouts.put(LockRow(key=key, until=clock.at + 900, locks=2))
        world.store.lockouts.put(LockRow(key="outside", until=clock.at + 900, locks=1))
        await until(lambda: not world.unsaved)
    async with running(TABLE, place, clock) as world:
        rows = {row.key: row for row in await world.store.lockouts.load()}
        assert rows == {
            key: LockRow(key=key, until=clock.at + 900, locks=2),
            "outside": LockRow(key="outside", until=clock.at + 900, locks=1),
        }
        world.store.lockouts.forget(key)
        await until(lambda: not world.unsaved)
    async with running(TABLE, place, clock) as world:
        assert [row.key for row in await world.store.lockouts.load()] == ["outside"]
