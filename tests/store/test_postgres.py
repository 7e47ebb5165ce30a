"""What only a server can do; whatever both kinds of database can is tried on both elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from callrouter.mobiles.mobile_records import MobileStore
from callrouter.model.events import PauseRequested, SignedIn, SignedOut
from callrouter.record.record_tables import RECORDED_TABLES
from callrouter.store import postgres
from callrouter.store.location import Address
from tests.core.tables import queue, table
from tests.store.server import PostgresServer
from tests.store.test_mobiles import MOBILE, step
from tests.store.tried import TriedServer
from tests.store.world import T0, Clock, World, running, until

TWO = table(queue("q", "ann bob"))


@pytest.fixture
def one(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> TriedServer:
    return TriedServer(monkeypatch, server)


@pytest.fixture
def place(one: TriedServer) -> Address:
    assert isinstance(one.place, Address)
    return one.place


def ask(place: Address, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(place.url, autocommit=True) as link:
        cursor = link.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


async def test_states_mobiles_and_audit_over_a_restart(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        store: MobileStore = world.store.mobiles
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"))
        world.post(PauseRequested(agent="bob", reason="\ud800 Mittag \N{HOT BEVERAGE} \0"))
        store.put_mobile(MOBILE)
        store.put_mobile(replace(MOBILE, device="m2", verified_at=T0))
        store.forget_mobile("ann", "m1")
        store.add_audit(step(1))
        store.add_audit(step(2))
        assert [row.detail for row in await store.read_audit("", 9)] == ["2", "1"]
        assert world.store.status()["state"] == "good"
    clock.at += 600
    async with running(TWO, place, clock) as world:
        ann, bob = world.agent("ann"), world.agent("bob")
        assert (ann.signed_in, ann.signed_in_at) == (True, T0)
        assert bob.pause == "? Mittag \N{HOT BEVERAGE} ?"
        mobiles, _ = await world.store.mobiles.load_mobiles(0)
        assert mobiles == [replace(MOBILE, device="m2", verified_at=T0)]
        assert await world.store.mobiles.read_audit("ann", 1) == [step(2)]


async def test_one_database_for_two_routers_is_refused(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as one:
        async with running(TWO, place, clock) as two:
            await until(lambda: "another callrouter" in str(two.store.status()["problem"]))
            assert one.store.status()["state"] == "good"
            two.post(SignedIn(agent="ann"))
        assert ask(place, "SELECT count(*) FROM agents WHERE signed_in") == [(0,)]


async def test_who_was_killed_a_moment_ago_is_waited_for(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as before:
        before.post(SignedIn(agent="ann"))
    world = World(TWO, place, clock)
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(place.url) as dying:
        dying.execute(postgres._LOCK.encode())
        start = asyncio.create_task(world.store.start())
        await until(lambda: bool(ask(place, waits)))
    try:
        await start
        assert world.agent("ann").signed_in, "put back before anybody is rung"
        assert world.store.status()["state"] == "good"
    finally:
        world.runtime.close()
        await world.store.close()


async def test_the_server_is_killed_and_comes_back(
    server: PostgresServer, place: Address, clock: Clock
) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
        world.store.mobiles.add_audit(step(1))
        await until(lambda: not world.unsaved)
        server.stop()
        try:
            world.post(SignedOut(agent="ann"), SignedIn(agent="bob"))
            world.store.mobiles.add_audit(step(2))
            await until(lambda: world.store.status()["state"] == "bad")
            assert world.agent("bob").signed_in
        finally:
            server.start()
        await until(lambda: world.store.status()["state"] == "good" and not world.unsaved, 20)
        found = dict(ask(place, "SELECT agent, signed_in FROM agents"))
        assert found == {"ann": False, "bob": True}
        assert ask(place, "SELECT detail FROM audit ORDER BY id") == [("1",), ("2",)]


async def test_a_connection_that_is_ended_in_mid_transaction(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        with psycopg.connect(place.url) as other:
            other.execute("LOCK TABLE audit IN EXCLUSIVE MODE")
            world.store.mobiles.add_audit(step(1))
            world.post(SignedIn(agent="ann"))
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await until(lambda: bool(ask(place, waiting)))
            ask(place, f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS waiting")
            await until(lambda: world.store.status()["state"] == "bad")
        await until(lambda: world.store.status()["state"] == "good" and not world.unsaved)
        assert ask(place, "SELECT detail FROM audit") == [("1",)]
        assert ask(place, "SELECT agent FROM agents WHERE signed_in") == [("ann",)]


async def test_a_server_that_says_nothing(
    place: Address, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "HANGS", 0.3)
    async with running(TWO, place, clock) as world:
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        lock = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = {here}"
        ((pid,),) = ask(place, lock)
        os.kill(pid, signal.SIGSTOP)
        try:
            world.post(SignedIn(agent="ann"))
            await until(lambda: world.store.status()["state"] == "bad")
            assert world.unsaved == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: world.store.status()["state"] == "good" and not world.unsaved)
        assert ask(place, "SELECT agent FROM agents WHERE signed_in") == [("ann",)]


async def test_dropped_and_made_anew_while_running(one: TriedServer, clock: Clock) -> None:
    async with running(TWO, one.place, clock) as world:
        world.post(SignedIn(agent="ann"))
        world.store.mobiles.put_mobile(MOBILE)
        await until(lambda: not world.unsaved)
        one.make_anew()
        world.post(SignedIn(agent="bob"))
        await until(lambda: not world.unsaved and world.store.status()["state"] == "good")
        assert one.held() == {"ann": True, "bob": True}
        assert one.ask("SELECT device FROM mobiles") == [("m1",)]


async def test_an_older_copy_in_its_place(one: TriedServer, clock: Clock) -> None:
    async with running(TWO, one.place, clock) as world:
        world.post(SignedIn(agent="ann"))
        await until(lambda: not world.unsaved and one.held() == {"ann": True})
        one.ask("UPDATE agents SET signed_in = false")
        one.cut()
        world.post(SignedIn(agent="bob"))
        await until(lambda: not world.unsaved and one.held() == {"ann": True, "bob": True})


async def test_an_upgrade_may_take_longer_than_any_other_statement(
    one: TriedServer, place: Address, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(postgres, "HANGS", 0.6)
    real = command.upgrade

    def slow(config: Config, to: str) -> None:
        config.attributes["link"].exec_driver_sql("SELECT pg_sleep(1.5)")
        real(config, to)

    monkeypatch.setattr("alembic.command.upgrade", slow)
    async with running(TWO, place, clock) as world:
        assert world.store.status() | {"database": ""} == {
            "state": "good", "database": "", "problem": None, "unsaved": 0, "lost": 0,
        }  # fmt: skip
        world.post(SignedIn(agent="ann"))
        await until(lambda: not world.unsaved)
        with one.locked():  # afterwards the limits are as before
            world.post(SignedIn(agent="bob"))
            await until(lambda: one.LOCKED in str(world.store.status()["problem"]))
    assert one.held() == {"ann": True, "bob": True}


async def test_an_upgrade_does_not_wait_for_somebodys_lock_for_long(
    one: TriedServer, place: Address, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ANSWER_WITHIN", 0.3)
    async with running(TWO, place, clock):
        pass
    one.ask("UPDATE callrouter_version SET version_num = '0004'")
    one.ask("ALTER TABLE agents DROP COLUMN shown, DROP COLUMN since, DROP COLUMN queue_totals")
    later = ["acts", "record_values", "outbox", "open_calls", "alerts"]
    later += [item.table for item in RECORDED_TABLES]
    one.ask(f"DROP TABLE {', '.join(later)}")
    with psycopg.connect(place.url) as other:
        other.execute("SELECT * FROM agents")
        async with running(TWO, place, clock) as world:
            assert one.LOCKED in world.store.status()["problem"]
            other.rollback()
            await until(lambda: world.store.status()["state"] == "good")
    assert "since" in one.columns("agents")
