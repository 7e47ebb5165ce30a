"""Several pools in one database: each sees its own tables only, and what is wrong is said in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from callrouter.model.events import SignedIn
from callrouter.record.record_reader import RecordReader
from callrouter.store.location import Address, StoreError
from callrouter.store.postgres import Postgres
from callrouter.store.reading import reading_engine
from tests.core.tables import queue, table
from tests.store.server import PostgresServer
from tests.store.world import Clock, running, until

TWO = table(queue("q", "ann bob"))


@pytest.fixture
def main(server: PostgresServer) -> Address:
    return Address(server.database())


def ask(place: Address, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(place.url, autocommit=True) as link:
        cursor = link.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def as_user(place: Address, user: str, pool: str = "north-1") -> Address:
    return Address(place.url.replace("//callrouter@", f"//{user}@"), pool)


@pytest.fixture
def user(main: Address) -> str:
    """A role that may log in and nothing else, of this database alone."""
    name = f"u{main.url.partition('/d')[2].partition('?')[0]}"
    ask(main, f"CREATE ROLE {name} LOGIN")
    return name


def test_where_the_tables_of_a_pool_are() -> None:
    assert Address("postgresql://h/d").schema == ""
    assert str(Address("postgresql://h/d", "main")) == "postgresql://h/d"
    north = Address("postgresql://u:p@h/d", "north-1")
    assert north.schema == "callrouter_north_1"
    assert str(north) == "postgresql://h/d (schema callrouter_north_1)"


async def test_each_pool_has_its_own_states_and_versions(main: Address, clock: Clock) -> None:
    north = replace(main, pool="north-1")
    async with running(TWO, main, clock) as one, running(TWO, north, clock) as two:
        one.post(SignedIn(agent="ann"))
        two.post(SignedIn(agent="bob"))
        await until(lambda: not one.unsaved and not two.unsaved)
        assert {one.store.status()["problem"], two.store.status()["problem"]} == {None}
        assert str(two.store.status()["database"]).endswith("(schema callrouter_north_1)")
        assert ask(main, "SELECT agent FROM public.agents WHERE signed_in") == [("ann",)]
        signed_in = "SELECT agent FROM callrouter_north_1.agents WHERE signed_in"
        assert ask(main, signed_in) == [("bob",)]
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = '{}'"
    (count,) = ask(main, tables.format("public"))
    assert ask(main, tables.format("callrouter_north_1")) == [count]
    versions = "SELECT version_num FROM {}.callrouter_version"
    assert ask(main, versions.format("public")) == ask(main, versions.format("callrouter_north_1"))
    async with running(TWO, north, clock) as again:
        assert again.agent("bob").signed_in
        assert not again.agent("ann").signed_in


async def test_two_routers_of_one_pool_are_refused(main: Address, clock: Clock) -> None:
    north = replace(main, pool="north-1")
    async with running(TWO, north, clock), running(TWO, north, clock) as second:
        await until(lambda: "another callrouter" in str(second.store.status()["problem"]))


async def test_pools_with_the_same_schema_are_refused(main: Address, clock: Clock) -> None:
    async with running(TWO, replace(main, pool="north-1"), clock) as first:
        first.post(SignedIn(agent="ann"))
    other = replace(main, pool="north_1")
    async with running(TWO, other, clock) as second:
        assert not second.agent("ann").signed_in
        problem = str(second.store.status()["problem"])
        assert "the pools north-1 and north_1 would have the same schema" in problem
        assert "give pool north_1 a name that differs in more than - and _" in problem
    with pytest.raises(StoreError, match="same schema"):
        reading_engine(other).connect()


async def test_reports_read_their_pool_only(main: Address, clock: Clock) -> None:
    async with running(TWO, main, clock):
        pass
    insert = "INSERT INTO {}.member_lists (digest, queue, members) VALUES ('d', 'q', '{}')"
    ask(main, insert.format("public", "main"))
    north = replace(main, pool="north-1")
    reader = RecordReader(north)
    with pytest.raises(StoreError, match="there is nothing of pool north-1 in postgresql://"):
        reader.member_lists(["d"])
    async with running(TWO, north, clock):
        assert reader.member_lists(["d"]) == {}
        ask(main, insert.format("callrouter_north_1", "north"))
        assert reader.member_lists(["d"]) == {"d": "north"}
    main_reader = RecordReader(main)
    assert main_reader.member_lists(["d"]) == {"d": "main"}
    main_reader.close()
    reader.close()


def test_a_user_who_may_create_no_schema_is_told_what_to_grant(main: Address, user: str) -> None:
    with pytest.raises(StoreError) as caught:
        Postgres(as_user(main, user)).open()
    said = str(caught.value)
    assert said.startswith(f"user {user} may not create the schema of pool north-1"), said
    ask(main, said.rpartition(": ")[2])
    Postgres(as_user(main, user)).open().close()
    assert ask(main, "SELECT obj_description('callrouter_north_1'::regnamespace)") == [
        ("callrouter: pool north-1",)
    ]


def test_a_schema_that_the_user_may_not_use(main: Address, user: str) -> None:
    ask(main, "CREATE SCHEMA callrouter_north_1")
    place = as_user(main, user)
    with pytest.raises(StoreError, match=f"user {user} may not read ") as to_read:
        reading_engine(place).connect()
    with pytest.raises(StoreError, match=f"user {user} may not use ") as to_write:
        Postgres(place).open()
    ask(main, str(to_read.value).rpartition(": ")[2])
    reading_engine(place).connect().close()
    ask(main, str(to_write.value).rpartition(": ")[2])
    Postgres(as_user(main, user)).open().close()
    assert ask(main, "SELECT obj_description('callrouter_north_1'::regnamespace)") == [(None,)]


def test_pool_main_of_a_user_without_any_schema(main: Address, user: str) -> None:
    ask(main, "DROP SCHEMA public")
    with pytest.raises(StoreError, match=f"user {user} has no schema in this database") as caught:
        Postgres(as_user(main, user, "main")).open()
    ask(main, str(caught.value).rpartition(": ")[2])
    link = Postgres(as_user(main, user, "main")).open()
    assert link.execute(sa.text("SELECT current_schema()")).scalar_one() == user
    link.close()


async def test_tables_that_may_not_be_created_are_explained(
    main: Address, user: str, clock: Clock
) -> None:
    async with running(TWO, as_user(main, user, "main"), clock) as world:
        problem = str(world.store.status()["problem"])
        assert "permission denied for schema public" in problem
        assert "“Many pools in one database”" in problem
