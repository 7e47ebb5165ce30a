"""The same on a real PostgreSQL server, and what only a server can do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from callrouter.model.events import PauseRequested, SignedIn, SignedOut
from callrouter.model.registered import MobileStore
from callrouter.store import postgres
from callrouter.store.codec import columns
from callrouter.store.kinds import JOURNALS, KEPT
from callrouter.store.place import Address
from callrouter.store.upgrade import REVISIONS
from tests.core.tables import queue, table
from tests.store.server import PostgresServer
from tests.store.test_mobiles import MOBILE, step
from tests.store.world import T0, Clock, running, until

TWO = table(queue("q", "ann bob"))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def place(server: PostgresServer) -> Address:
    return Address(server.database())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask(place: Address, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(place.url, autocommit=True) as link:
        cursor = link.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


async def test_states_mobiles_and_audit_over_a_restart(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        store: MobileStore = world.keeper.mobiles
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"))
        world.post(PauseRequested(agent="bob", reason="\ud800 Mittag \N{HOT BEVERAGE} \0"))
        store.put_mobile(MOBILE)
        store.put_mobile(replace(MOBILE, device="m2", verified_at=T0))
        store.forget_mobile("ann", "m1")
        store.add_audit(step(1))
        store.add_audit(step(2))
        assert [row.detail for row in await store.read_audit("", 9)] == ["2", "1"]
        assert world.keeper.status()["state"] == "good"
    clock.at += 600
    async with running(TWO, place, clock) as world:
        ann, bob = world.agent("ann"), world.agent("bob")
        assert (ann.signed_in, ann.signed_in_at) == (True, T0)
        assert bob.pause == "? Mittag \N{HOT BEVERAGE} ?"
        mobiles, _ = await world.keeper.mobiles.load_mobiles(0)
        assert mobiles == [replace(MOBILE, device="m2", verified_at=T0)]
        assert await world.keeper.mobiles.read_audit("ann", 1) == [step(2)]
    for kind in (*KEPT, *JOURNALS):
        names = ask(
            place,
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{kind.table}'",
        )
        own = {"id", "entry"} if kind in JOURNALS else set()
        assert {name for (name,) in names} == {*columns(kind.row), *own}
    assert ask(place, "SELECT version_num FROM callrouter_version") == [(REVISIONS[-1],)]


async def test_a_later_version_is_left_alone(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
    ask(place, "UPDATE callrouter_version SET version_num = '0099'")
    async with running(TWO, place, clock) as world:
        assert "later version" in world.keeper.status()["problem"]
        world.post(SignedIn(agent="bob"))
    assert ask(place, "SELECT agent FROM agents WHERE signed_in") == [("ann",)]


async def test_another_programs_tables_are_left_alone(place: Address, clock: Clock) -> None:
    ask(place, "CREATE TABLE dialled (other text)")
    async with running(TWO, place, clock) as world:
        await until(lambda: "already exists" in str(world.keeper.status()["problem"]))
    names = ask(place, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert names == [("dialled",)], "all of an upgrade, or nothing"


async def test_one_database_for_two_routers_is_refused(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as one:
        async with running(TWO, place, clock) as two:
            await until(lambda: "another callrouter" in str(two.keeper.status()["problem"]))
            assert one.keeper.status()["state"] == "good"
            two.post(SignedIn(agent="ann"))
        assert ask(place, "SELECT count(*) FROM agents WHERE signed_in") == [(0,)]


async def test_the_server_is_killed_and_comes_back(
    server: PostgresServer, place: Address, clock: Clock
) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
        world.keeper.mobiles.add_audit(step(1))
        await until(lambda: not world.unsaved)
        server.stop()
        try:
            world.post(SignedOut(agent="ann"), SignedIn(agent="bob"))
            world.keeper.mobiles.add_audit(step(2))
            await until(lambda: world.keeper.status()["state"] == "bad")
            assert world.agent("bob").signed_in
        finally:
            server.start()
        await until(lambda: world.keeper.status()["state"] == "good" and not world.unsaved, 20)
        found = dict(ask(place, "SELECT agent, signed_in FROM agents"))
        assert found == {"ann": False, "bob": True}
        assert ask(place, "SELECT detail FROM audit ORDER BY id") == [("1",), ("2",)]


async def test_a_connection_that_is_ended_in_mid_transaction(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        with psycopg.connect(place.url) as other:
            other.execute("LOCK TABLE audit IN EXCLUSIVE MODE")
            world.keeper.mobiles.add_audit(step(1))
            world.post(SignedIn(agent="ann"))
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await until(lambda: bool(ask(place, waiting)))
            ask(place, f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS waiting")
            await until(lambda: world.keeper.status()["state"] == "bad")
        await until(lambda: world.keeper.status()["state"] == "good" and not world.unsaved)
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
            await until(lambda: world.keeper.status()["state"] == "bad")
            assert world.unsaved == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: world.keeper.status()["state"] == "good" and not world.unsaved)
        assert ask(place, "SELECT agent FROM agents WHERE signed_in") == [("ann",)]


async def test_a_database_that_may_only_be_read(place: Address, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
    name = place.url.rpartition("/d")[2].partition("?")[0]
    ask(place, f"ALTER DATABASE d{name} SET default_transaction_read_only = on")
    async with running(TWO, place, clock) as world:
        await until(lambda: world.agent("ann").signed_in)
        await until(lambda: "read-only" in str(world.keeper.status()["problem"]))
        with psycopg.connect(place.url, autocommit=True) as link:
            link.execute("SET default_transaction_read_only = off")
            link.execute(f"ALTER DATABASE d{name} RESET default_transaction_read_only".encode())
        await until(lambda: world.keeper.status()["state"] == "good")
