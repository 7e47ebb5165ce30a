"""Registered mobiles, the audit and the verification calls, kept and read again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow, MobileStore
from callrouter.store import tables
from callrouter.store.location import Place, StoreError
from tests.core.tables import queue, table
from tests.store.tried import Tried
from tests.store.world import T0, Clock, running, until

TWO = table(queue("q", "ann bob"))
MOBILE = MobileRow(
    agent="ann", device="m1", number="+447700900123", added_at=T0, added_by="ann", via="phone"
)


def step(n: int, agent: str = "ann") -> AuditRow:
    return AuditRow(
        at=T0 + n, agent=agent, device="m1", who="ann", via="api", what="added",
        number="+44…123", detail=f"{n}",
    )  # fmt: skip


async def test_mobiles_over_a_restart(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        store: MobileStore = world.store.mobiles
        assert await store.load_mobiles(0) == ([], [])
        store.put_mobile(MOBILE)
        store.put_mobile(replace(MOBILE, state="in-use", verified_at=T0 + 5))
        store.put_mobile(replace(MOBILE, device="m2"))
        store.put_mobile(replace(MOBILE, agent="bob"))
        store.forget_mobile("ann", "m2")
        assert len((await store.load_mobiles(0))[0]) == 2, "what is put is there when read"
        store.forget_mobile("bob", "m1")
    async with running(TWO, place, clock) as world:
        (mobile,), _ = await world.store.mobiles.load_mobiles(0)
        assert mobile == replace(MOBILE, state="in-use", verified_at=T0 + 5)


async def test_the_audit_is_read_newest_first(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        for n in range(5):
            world.store.mobiles.add_audit(step(n))
        world.store.mobiles.add_audit(step(9, agent="bob"))
        read = world.store.mobiles.read_audit
        assert [row.detail for row in await read("ann", 3)] == ["4", "3", "2"]
        assert [row.detail for row in await read("", 2)] == ["9", "4"]
        assert await read("zoe", 2) == []
    async with running(TWO, place, clock) as world:
        assert await world.store.mobiles.read_audit("bob", 9) == [step(9, agent="bob")]


async def test_verification_calls_since(place: Place, clock: Clock) -> None:
    calls = [DialledRow(at=T0 + n, agent="ann", number="+44", country="GB") for n in range(4)]
    async with running(TWO, place, clock) as world:
        for call in calls:
            world.store.mobiles.add_dialled(call)
        assert (await world.store.mobiles.load_mobiles(T0 + 2))[1] == calls[2:]
        assert (await world.store.mobiles.load_mobiles(0))[1] == calls
    clock.at += 10 * 86_400
    async with running(TWO, place, clock) as world:
        world.store.mobiles.add_dialled(replace(calls[0], at=clock.at))
        found = (await world.store.mobiles.load_mobiles(0))[1]
        assert [row.at for row in found] == [clock.at], "older ones are of no use to anybody"


async def test_put_before_the_start_and_after_the_end(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.store.mobiles.put_mobile(MOBILE)
    world.store.mobiles.put_mobile(MOBILE)
    world.store.mobiles.add_audit(step(1))
    for ask in (world.store.mobiles.load_mobiles(0), world.store.mobiles.read_audit("", 1)):
        with pytest.raises(StoreError, match="stopping"):
            await ask


async def test_while_the_database_is_away(tried: Tried, clock: Clock) -> None:
    with tried.away():
        async with running(TWO, tried.place, clock) as world:
            waiting = asyncio.ensure_future(world.store.mobiles.load_mobiles(0))
            await asyncio.sleep(0)
        with pytest.raises(StoreError, match="stopping"):
            await waiting
    away = tried.away()
    away.__enter__()
    async with running(TWO, tried.place, clock) as world:
        store = world.store.mobiles
        early = asyncio.ensure_future(store.load_mobiles(0))
        store.put_mobile(MOBILE)
        store.add_audit(step(1))
        with pytest.raises(StoreError, match=tried.AWAY):
            await store.read_audit("", 9)
        assert not early.done()
        away.__exit__(None, None, None)
        assert await early == ([MOBILE], [])
        await until(lambda: world.store.status()["state"] == "good")
        assert await store.read_audit("", 9) == [step(1)]


async def test_a_reader_who_has_gone(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        reader = asyncio.ensure_future(world.store.mobiles.read_audit("", 1))
        await asyncio.sleep(0)
        reader.cancel()
        assert await world.store.mobiles.read_audit("", 1) == []


async def test_what_is_too_much_is_counted_in_its_place(
    tried: Tried, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    most = tables.AUDIT.most
    async with running(TWO, tried.place, clock) as world:
        with tried.away():
            store = world.store.mobiles
            store.add_audit(step(0))
            await until(lambda: world.store.status()["state"] == "bad")
            for n in range(1, most + 7):
                store.add_audit(step(n))
            await until(lambda: world.unsaved == most)
            assert world.store.status()["lost"] == 7
        await until(lambda: "are lost" in caplog.text, 30)
        await until(lambda: world.store.status()["state"] == "good")
        rows = await store.read_audit("", most + 7)
    assert len(rows) == most + 1
    assert (rows[0].who, rows[0].what) == ("callrouter", "lost")
    assert "7 entries of 2025-11-21T21:53:07+00:00 to 2025-11-21T21:53:13+00:00" in rows[0].detail
    assert rows[1] == step(most + 6)
    assert rows[-1] == step(7)


async def test_a_row_that_is_refused_does_not_hold_up_the_others(
    place: Place, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(TWO, place, clock) as world:
        store = world.store.mobiles
        store.add_audit(step(1))
        store.put_mobile(replace(MOBILE, place=2**80))
        store.put_mobile(replace(MOBILE, device="m2"))
        store.add_audit(step(2))
        assert [row.detail for row in await store.read_audit("", 9)] == ["2", "1"]
        mobiles, _ = await store.load_mobiles(0)
        assert [row.device for row in mobiles] == ["m2"]
        assert world.store.status()["state"] == "good"
    assert "left out" in caplog.text
