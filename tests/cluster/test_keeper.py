"""Keepers on a real PostgreSQL: taken, renewed, lost, handed over, with the database away and the link cut."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from callrouter.clock import since_boot
from callrouter.cluster import lease_queries
from callrouter.cluster.lease import ANY, GRACE, LOOK_EVERY, MARGIN, VALID, PoolRow, Term
from callrouter.cluster.lease_keeper import LeaseKeeper
from callrouter.cluster.lease_link import LeaseLink
from callrouter.cluster.lease_queries import (
    NodeFacts,
    NodeState,
    ask_to_hand_over,
    prepare,
    read_pool,
    take,
)
from callrouter.store.location import Address, File, StoreError
from callrouter.store.reading import warm_up
from tests.store.server import PostgresServer

SOON = 2.0
"""Seconds for what takes some milliseconds, on a machine that has much else to do."""


class Node:
    """A keeper, and what it has told."""

    def __init__(self, url: str, name: str, pool: str = "main") -> None:
        self.term: Term | None = None
        self.taken_at = 0.0
        self.lost_because = ""
        self.hand_to = ""
        self.before = ""
        self.stands_still_since: float | None = None
        self.problem = ""
        facts = NodeFacts(
            pool=pool, name=name, run_id=f"run-{name}-{id(self)}", pid=os.getpid(), host="here",
            url="http://127.0.0.1:1", version="1",
        )  # fmt: skip
        self.keeper = LeaseKeeper(
            Address(url, pool), facts, self,
            state=lambda: NodeState(problem=self.problem, clock=since_boot() + 3600.0),
            alive_at=lambda: self.stands_still_since or since_boot(),
            clock=since_boot,
        )  # fmt: skip
        self.keeper.start()

    def taken(self, term: Term, before: str) -> None:
        self.term, self.before, self.taken_at = term, before, since_boot()

    def lost(self, why: str) -> None:
        self.lost_because = why

    def hand_over(self, to: str) -> None:
        self.hand_to = to

    @property
    def sure(self) -> bool:
        return self.term is not None and self.term.sure(since_boot())

    def die(self) -> None:
        """As a killed process: nothing is released, and the connection ends."""
        self.keeper._step = lambda: since_boot() + 3600.0  # type: ignore[method-assign]
        self.keeper._link.close()


@contextmanager
def nodes(url: str, *names: str) -> Iterator[list[Node]]:
    made = [Node(url, name) for name in names]
    try:
        yield made
    finally:
        for node in made:
            node.keeper.close(SOON)


def wait(condition: Callable[[], bool], within: float = SOON) -> float:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < within, "it has not come about"
        time.sleep(0.005)
    return time.monotonic() - begin


def test_the_first_takes_it_at_once_and_renews_it(server: PostgresServer) -> None:
    url = server.database()
    with nodes(url, "a", "b") as (a, b):
        a.keeper.campaign()
        wait(lambda: a.sure)
        b.keeper.campaign()
        assert a.term is not None
        assert (a.term.epoch, a.term.after_release, a.before) == (1, True, "")
        end = time.monotonic() + VALID + 1.0
        while time.monotonic() < end:
            assert a.sure
            assert b.term is None
            time.sleep(0.02)
        with psycopg.connect(url) as link:
            rows = link.execute(
                "SELECT name, problem, clock_timestamp() - seen_at < '2 s' FROM callrouter_cluster.nodes "
                "ORDER BY name"
            ).fetchall()
            assert rows == [("a", "", True), ("b", "", True)]
            key = link.execute("SELECT value FROM callrouter_cluster.secrets").fetchone()
            assert key is not None
            assert len(key[0]) == 64


def test_a_dead_holder_is_followed_in_time(server: PostgresServer) -> None:
    with nodes(server.database(), "a", "b") as (a, b):
        a.keeper.campaign()
        wait(lambda: a.sure)
        b.keeper.campaign()
        time.sleep(1.2)
        a.die()
        took = wait(lambda: b.sure, within=VALID + LOOK_EVERY + 1.0)
        assert VALID - 1.2 < took < VALID + LOOK_EVERY + 0.5
        assert not a.sure
        assert b.term is not None
        assert (b.term.epoch, b.term.after_release, b.before) == (2, False, "a")
        assert b.term.clock_before == pytest.approx(3600.0, abs=LOOK_EVERY + 0.3)


def test_released_it_is_taken_by_the_one_who_shall_have_it(server: PostgresServer) -> None:
    with nodes(server.database(), "a", "b", "c") as (a, b, c):
        a.keeper.campaign()
        wait(lambda: a.sure)
        b.keeper.campaign()
        c.keeper.campaign()
        time.sleep(0.5)
        assert a.term is not None
        a.keeper.release(a.term, "c")
        assert not a.sure
        assert a.keeper.wait_released(SOON)
        assert wait(lambda: c.sure) < 1.0
        assert b.term is None
        assert c.term is not None
        assert c.term.after_release


def test_a_hand_over_that_is_asked_for(
    server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    url = server.database()
    with nodes(url, "a", "b", "c") as (a, _b, c):
        c.problem = "it cannot"
        a.keeper.campaign()
        wait(lambda: a.sure)
        link = LeaseLink(Address(url))
        time.sleep(1.2)  # all have shown themselves
        for to, said in (
            ("z", "z is no standby"),
            ("c", "c is no standby"),
            ("a", "active already"),
        ):
            assert ask_to_hand_over(link, "main", to)
            wait(lambda said=said: said in caplog.text)  # type: ignore[misc]
            assert read_pool(link, "main").hand_to == ""
        a.keeper.hurry()
        time.sleep(0.3)  # it has just renewed
        assert ask_to_hand_over(link, "main", ANY)
        a.keeper.hurry()
        assert wait(lambda: a.hand_to == "b") < 0.5
        assert a.sure, "it is held until it is released"
        link.close()


def test_a_frozen_loop_gives_the_lease_up(server: PostgresServer) -> None:
    with nodes(server.database(), "a", "b") as (a, b):
        a.keeper.campaign()
        wait(lambda: a.sure)
        b.keeper.campaign()
        a.stands_still_since = since_boot()
        wait(lambda: b.sure, within=8.0)
        assert not a.sure
        a.stands_still_since = None
        wait(lambda: a.lost_because != "")
        assert "b has taken the pool over (epoch 2)" in a.lost_because


def test_away_for_all_the_active_one_goes_on_and_renews_before_another_takes(
    tmp_path: Path,
) -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.database()
        with nodes(url, "a", "b") as (a, b):
            a.keeper.campaign()
            wait(lambda: a.sure)
            b.keeper.campaign()
            server.stop()
            wait(lambda: not a.sure, within=VALID + 1.0)
            time.sleep(2.0)
            assert a.term is not None
            assert not a.term.over
            assert a.keeper.trouble
            assert b.keeper.trouble
            server.start()
            wait(lambda: a.sure, within=4.0)
            assert not a.keeper.trouble
            time.sleep(VALID + 0.5)
            assert a.sure
            assert b.term is None
    finally:
        server.close()


class Cut:
    """A way to a server that can be cut: connections stay open and nothing comes through."""

    def __init__(self, to: Path) -> None:
        self.folder = to.parent
        self._to = to
        self.cut = threading.Event()
        self._listener = socket.socket(socket.AF_INET)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(self._to))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                while self.cut.is_set():
                    time.sleep(0.02)
                other.sendall(data)
        except OSError:
            pass
        other.close()

    def close(self) -> None:
        self.cut.clear()
        self._listener.close()


def test_a_holder_whose_link_is_cut_is_not_sure_before_another_takes(
    server: PostgresServer,
) -> None:
    url = server.database()
    cut = Cut(server.folder / ".s.PGSQL.5432")
    try:
        name = url.partition("@/")[2].partition("?")[0]
        with (
            nodes(f"postgresql://callrouter@127.0.0.1:{cut.port}/{name}", "a") as (a,),
            nodes(url, "b") as (b,),
        ):
            a.keeper.campaign()
            wait(lambda: a.sure)
            b.keeper.campaign()
            time.sleep(1.0)
            cut.cut.set()
            end = time.monotonic() + VALID + 2.0
            while b.term is None:
                assert time.monotonic() < end
                time.sleep(0.002)
            assert not a.sure
            assert a.term is not None
            assert not a.term.over, "it cannot know"
            cut.cut.clear()
            wait(lambda: a.lost_because != "", within=4.0)
            assert a.term.over
    finally:
        cut.close()


def test_it_follows_a_failover_to_another_host() -> None:
    first, second = PostgresServer(), PostgresServer()
    try:
        for server in (first, second):
            server.start()
            with psycopg.connect(server.url("postgres"), autocommit=True) as link:
                link.execute(b"CREATE DATABASE d")
        url = f"postgresql://callrouter@/d?host={first.folder},{second.folder}"
        for _ in range(20):  # of two that accept, all nodes take the first
            own = LeaseLink(Address(url))
            [[folder]] = own.ask("SHOW unix_socket_directories")
            own.close()
            assert folder == str(first.folder)
        with nodes(url, "a", "b") as (a, b):
            a.keeper.campaign()
            wait(lambda: a.sure)
            b.keeper.campaign()
            assert a.term is not None
            # The replica has what was committed.
            with psycopg.connect(second.url("d")) as link:
                keeper = LeaseLink(Address(second.url("d")))
                prepare(keeper, "main")
                keeper.close()
                link.execute(
                    "UPDATE callrouter_cluster.pools SET holder = 'a', holder_run = %s, epoch = %s, "
                    "renewals = 7, released = false",
                    (a.keeper.node.run_id, a.term.epoch),
                )
            first.stop()
            time.sleep(1.0)
            wait(lambda: a.sure and not a.keeper.trouble, within=6.0)
            time.sleep(VALID)
            assert a.sure
            assert b.term is None
            # And one that lost the last take-over is not believed.
            with psycopg.connect(second.url("d")) as link:
                link.execute(
                    "UPDATE callrouter_cluster.pools SET epoch = 0, holder = 'z', holder_run = ''"
                )
            wait(lambda: a.lost_because != "", within=4.0)
            assert "does not know of it" in a.lost_because
            a.keeper.campaign()
            b.keeper.rest()
            wait(lambda: a.sure, within=VALID + 2.0)
            assert a.term.epoch >= 2
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("missed", [0.0, 0.2])
def test_a_failover_does_not_begin_the_count_again(
    monkeypatch: pytest.MonkeyPatch, missed: float
) -> None:
    """The active router dies with the primary. The row that the standby server has bears a seal.

    Perhaps of a renewal so many seconds later that the standby has not seen.
    """
    for name in ("_TAKE", "_RENEW"):
        text = getattr(lease_queries, name).replace(lease_queries._IS_SEALED, "true")
        monkeypatch.setattr(lease_queries, name, text)
    first, second = PostgresServer(), PostgresServer()
    try:
        for server, database in ((first, b"d"), (second, b"not_yet")):
            server.start()
            with psycopg.connect(server.url("postgres"), autocommit=True) as link:
                link.execute(b"CREATE DATABASE " + database)
        replica = LeaseLink(Address(second.url("not_yet")))
        prepare(replica, "main")
        replica.close()
        url = f"postgresql://callrouter@/d?host={first.folder},{second.folder}"
        with nodes(url, "a", "b") as (a, b):
            a.keeper.campaign()
            wait(lambda: a.sure)
            b.keeper.campaign()
            time.sleep(1.5)
            a.die()
            died = time.monotonic()
            with psycopg.connect(first.url("d")) as link:
                row = link.execute(
                    "SELECT holder, holder_run, epoch, renewals, seal FROM callrouter_cluster.pools"
                ).fetchone()
            assert row is not None
            number, word, asked_at = row[4].split(":")
            assert int(number) == row[3]
            assert died - 1.5 < float(asked_at) - since_boot() + time.monotonic() < died
            if missed:
                later = f"{row[3] + 1}:{word}:{float(asked_at) + missed}"
                row = (*row[:3], row[3] + 1, later)
            time.sleep(0.3)  # the standby has seen the last renewal
            first.stop()
            with psycopg.connect(second.url("not_yet")) as link:
                link.execute(
                    "UPDATE callrouter_cluster.pools SET holder = %s, holder_run = %s, epoch = %s, "
                    "renewals = %s, seal = %s, released = false",
                    row,
                )
            time.sleep(max(0.0, died + 1.6 - time.monotonic()))
            with psycopg.connect(second.url("postgres"), autocommit=True) as link:
                link.execute(b"ALTER DATABASE not_yet RENAME TO d")
            back = time.monotonic() - died
            wait(lambda: b.sure, within=VALID + back + 1.0)
            took = time.monotonic() - died
            assert took < max(VALID + missed, back + GRACE) + 2 * LOOK_EVERY + 0.3
            assert b.term is not None
            assert (b.term.epoch, b.before) == (2, "a")
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("step", ["1 hour", "-1 hour"])
def test_the_clock_of_the_database_makes_no_difference(server: PostgresServer, step: str) -> None:
    """A step of it changes what is left of the lease as the row says it, and no more."""
    url = server.database()
    with nodes(url, "a", "b") as (a, b), psycopg.connect(url, autocommit=True) as link:
        a.keeper.campaign()
        wait(lambda: a.sure)
        b.keeper.campaign()
        end = time.monotonic() + VALID + 1.0
        while time.monotonic() < end:
            link.execute(
                "UPDATE callrouter_cluster.pools SET expires_at = clock_timestamp() + %s::interval",
                (step,),
            )
            assert a.sure
            assert b.term is None
            time.sleep(0.1)
        a.die()
        link.execute(
            "UPDATE callrouter_cluster.pools SET expires_at = clock_timestamp() + %s::interval",
            (step,),
        )
        wait(lambda: b.sure, within=VALID + 1.0)


def test_a_stopped_node_is_off_the_list(server: PostgresServer) -> None:
    url = server.database()
    with nodes(url, "a"), psycopg.connect(url, autocommit=True) as link:
        wait(lambda: _names(link) == ["a"], within=4.0)
    with psycopg.connect(url) as link:
        assert _names(link) == []


def _names(link: psycopg.Connection[tuple[str]]) -> list[str]:
    try:
        return [name for (name,) in link.execute("SELECT name FROM callrouter_cluster.nodes")]
    except psycopg.errors.UndefinedTable:
        return []


def test_two_of_one_name_are_told(server: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    with nodes(server.database(), "a", "a"):
        wait(lambda: "is named a too" in caplog.text, within=4.0)


def test_of_two_who_take_at_once_one_has_it(server: PostgresServer) -> None:
    url = server.database()
    links = [LeaseLink(Address(url)) for _ in range(4)]
    for _ in range(5):
        for link in links:
            prepare(link, "main")
        seen = read_pool(links[0], "main")
        found: list[bool] = []

        def race(link: LeaseLink, name: str, seen: PoolRow, found: list[bool]) -> None:
            node = NodeFacts(
                pool="main", name=name, run_id=name, pid=1, host="", url="", version=""
            )
            found.append(take(link, node, seen, 0) is not None)

        threads = [
            threading.Thread(target=race, args=(link, f"n{index}", seen, found))
            for index, link in enumerate(links)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [False] * (len(links) - 1) + [True]
    for link in links:
        link.close()


def test_an_answer_that_does_not_come_costs_a_second() -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    port = silent.getsockname()[1]
    link = LeaseLink(Address(f"postgresql://u:hunter@127.0.0.1:{port}/d"))
    begin = time.monotonic()
    with pytest.raises(StoreError, match="did not answer within 1 s") as caught:
        link.ask("SELECT 1")
    assert time.monotonic() - begin < 1.5
    assert "hunter" not in str(caught.value)
    silent.close()


def test_a_refusal_is_told_in_the_servers_words(server: PostgresServer) -> None:
    link = LeaseLink(Address(server.database()))
    with pytest.raises(StoreError, match="division by zero"):
        link.ask("SELECT 1 / $1::integer", 0)
    assert not link.open
    assert link.ask("SELECT $1::text, NULL", "é") == [("é", None)]
    link.close()


def test_a_warning_does_not_count_as_done(server: PostgresServer) -> None:
    """As of a commit that was not confirmed by the synchronous standby."""
    link = LeaseLink(Address(server.database()))
    with pytest.raises(StoreError, match="canceling wait"):
        link.ask("DO $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; END $$")
    link.close()


def test_an_unknown_pool_has_a_row_that_no_one_holds(server: PostgresServer) -> None:
    url = server.database()
    with nodes(url, "a") as (a,):
        wait(lambda: a.keeper.row is not None)
        assert a.keeper.row == PoolRow()
    assert MARGIN > 0


@pytest.mark.parametrize("pool", ["main", "north-1"])
def test_a_node_that_cannot_read_the_database_takes_nothing(
    server: PostgresServer, caplog: pytest.LogCaptureFixture, pool: str
) -> None:
    """As the old one does during an upgrade, when the new one has brought the database up."""
    url = server.database()
    where = "callrouter_north_1" if pool == "north-1" else "public"
    with psycopg.connect(url) as link:
        link.execute(f"CREATE SCHEMA IF NOT EXISTS {where}".encode())
        link.execute(f"CREATE TABLE {where}.callrouter_version (version_num text)".encode())
        link.execute(f"INSERT INTO {where}.callrouter_version VALUES ('9999')".encode())
    node = Node(url, "a", pool)
    try:
        node.keeper.campaign()
        wait(
            lambda: "this standby cannot take over: the database is of version 9999" in caplog.text
        )
        time.sleep(0.5)
        assert node.term is None
        with psycopg.connect(url, autocommit=True) as link:
            told = "SELECT problem FROM callrouter_cluster.nodes"
            assert "upgrade it" in str(link.execute(told).fetchone())
            link.execute(f"UPDATE {where}.callrouter_version SET version_num = '0001'".encode())
        wait(lambda: node.sure, within=3.0)
    finally:
        node.keeper.close(SOON)


def test_warming_up_never_fails(tmp_path: Path) -> None:
    """A standby goes on without it: the start itself says what is wrong."""
    for place in (Address("postgresql://u@127.0.0.1:1/d"), File(tmp_path / "none.db")):
        warm_up(place)
    assert not list(tmp_path.iterdir()), "nothing is made"
