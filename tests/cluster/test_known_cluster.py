"""What nodes know of their cluster, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from callrouter.api.forwarding.cluster_directory import DirectoryAwayError
from callrouter.cluster.lease import VALID, PoolRow
from callrouter.cluster.lease_keeper import STALLED
from callrouter.cluster.lease_link import LeaseLink
from callrouter.cluster.lease_queries import (
    NodeFacts,
    NodeState,
    forget_node,
    prepare,
    read_pool,
    release,
    show_node,
    take,
)
from callrouter.cluster.pool_reader import read_key, read_pools
from callrouter.cluster_views import ClusterPool
from callrouter.daemon.clustered import known_cluster
from callrouter.daemon.clustered.cluster_member import ClusterMember
from callrouter.daemon.clustered.known_cluster import KnownCluster
from callrouter.settings.loaded import ClusterSettings
from callrouter.store.location import Address
from tests.daemon.process import until
from tests.store.server import PostgresServer


async def test_a_start_that_keeps_the_loop_is_no_loop_that_stands_still(
    server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ClusterSettings(name="north", pool="main", url="http://127.0.0.1:1")
    member = ClusterMember(settings, Address(server.database()))
    member.start()
    try:
        tenure = member.new_tenure()
        time.sleep(STALLED + 0.5)  # noqa: ASYNC251 - as making the router does
        member.campaign()
        time.sleep(0.3)  # noqa: ASYNC251 - the keeper looks before the loop goes on
        async with asyncio.timeout(20):
            await tenure.began.wait()
        assert "stood still" not in caplog.text
    finally:
        await member.close()


def facts(name: str, pool: str = "main") -> NodeFacts:
    return NodeFacts(
        pool=pool,
        name=name,
        run_id=f"run {name}",
        pid=7,
        host="here",
        url=f"http://{name}.example:8080",
        version="1.0",
    )


@pytest.fixture
def link(server: PostgresServer) -> Iterator[LeaseLink]:
    made = LeaseLink(Address(server.database()))
    yield made
    made.close()


def lead(link: LeaseLink, node: NodeFacts) -> int:
    """Let a node take its pool."""
    prepare(link, node.pool)
    taken = take(link, node, read_pool(link, node.pool), 0)
    assert taken is not None
    show_node(link, node, NodeState(config_digest="abc", since_s=5.0))
    return taken.epoch


def test_a_database_that_no_cluster_has_used(link: LeaseLink) -> None:
    assert read_pools(link) == ()
    assert read_key(link) == b""


def test_pools_and_nodes_are_read_as_they_are(link: LeaseLink) -> None:
    north, south = facts("north"), facts("south")
    epoch = lead(link, north)
    show_node(link, south, NodeState(config_digest="other", problem="no PBX"))
    prepare(link, "backup")
    key = read_key(link)
    assert len(key) >= 32
    assert read_key(link) == key
    backup, main = read_pools(link)
    assert (backup.name, backup.active, backup.nodes, backup.taken_at) == ("backup", None, (), None)
    assert (main.name, main.holder, main.epoch, main.released) == ("main", "north", epoch, False)
    assert 0 < main.lease_left_s <= VALID
    assert main.active is not None
    assert main.active.run_id == "run north"
    assert main.active.since is not None
    assert main.taken_at is not None
    assert main.taken_at - 5.5 < main.active.since < main.taken_at
    other = main.node("south")
    assert other is not None
    assert (other.problem, other.url, other.away) == ("no PBX", "http://south.example:8080", False)
    assert main.standbys == ()
    assert main.differs(other)
    show_node(link, south, NodeState(config_digest="abc"))
    [_, main] = read_pools(link)
    assert [node.name for node in main.standbys] == ["south"]
    assert release(link, north, epoch, "south")
    [_, main] = read_pools(link)
    assert (main.active, main.hand_to) == (None, "south")
    forget_node(link, north)
    [_, main] = read_pools(link)
    assert [node.name for node in main.nodes] == ["south"]


def test_a_node_that_was_lost_long_ago_is_shown_no_more(link: LeaseLink) -> None:
    lead(link, facts("north"))
    for age, shown in (("6 days", True), ("8 days", False)):
        link.ask(
            "UPDATE callrouter_cluster.nodes SET seen_at = clock_timestamp() - $1::interval", age
        )
        [main] = read_pools(link)
        assert bool(main.nodes) is shown


async def test_what_is_known_while_the_database_is_away() -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.database()
        link = LeaseLink(Address(url))
        lead(link, facts("north"))
        show_node(link, facts("south"), NodeState())
        own = ClusterSettings(name="south", pool="main", url="http://south.example:8080")
        known = KnownCluster(own, Address(url), "run south")
        assert (known.active_node(), known.known(), known.key) == (None, None, b"")
        known.start()
        await asyncio.to_thread(until, lambda: known.known() is not None)
        assert known.key == read_key(link)
        assert not known.active
        active = known.active_node()
        assert active is not None
        assert active.name == "north"
        assert [pool.name for pool in await known.pools()] == ["main"]
        await known.hand_over("main", "south")
        assert read_pools(link)[0].hand_to == "south"
        link.close()
        server.stop()
        with pytest.raises(DirectoryAwayError):
            await known.pools()
        with pytest.raises(DirectoryAwayError):
            await known.hand_over("main", "south")

        def old() -> bool:
            pool = known.known()
            return pool is not None and pool.standbys == () and all(n.away for n in pool.nodes)

        await asyncio.to_thread(until, old)
        active = known.active_node()
        assert active is not None
        assert active.name == "north", "none can have taken over"
        known.close()
    finally:
        server.close()


def test_a_row_that_was_never_taken_is_held_by_no_node(link: LeaseLink) -> None:
    prepare(link, "main")
    assert read_pool(link, "main") == PoolRow()
    [main] = read_pools(link)
    assert (main.holder, main.active, main.lease_left_s) == ("", None, 0.0)


def test_a_fault_does_not_end_the_thread_that_asks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([ValueError("odd"), ValueError("odd")])

    def read(*_: object, **__: object) -> tuple[ClusterPool, ...]:
        if (error := next(answers, None)) is not None:
            raise error
        return (
            ClusterPool(
                name="main", holder="south", epoch=3, lease_left_s=1.0, taken_at=None, hand_to="",
                released=False, nodes=(),
            ),
        )  # fmt: skip

    monkeypatch.setattr(known_cluster, "EVERY", 0.01)
    monkeypatch.setattr(known_cluster, "read_key", lambda _: b"k")
    monkeypatch.setattr(known_cluster, "read_pools", read)
    settings = ClusterSettings(name="north", pool="main", url="http://127.0.0.1:1")
    known = KnownCluster(settings, Address("postgresql://127.0.0.1/x"), "run")
    known.start()
    try:
        until(lambda: known.known() is not None, 10)
    finally:
        known.close()
    assert caplog.text.count("a fault in reading the cluster") == 1
