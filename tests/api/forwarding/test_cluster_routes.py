"""What the API tells of the cluster, and handing a pool over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.forwarding.pool_views import HandOverError, chosen
from tests.api.forwarding.pair import Pair, node, pair, pool
from tests.api.world import READER, SUPERVISOR, World

ADMIN = {"Authorization": "Bearer admin-token-123456"}


@pytest.fixture
async def two() -> AsyncIterator[Pair]:
    async with pair() as made:
        yield made


async def test_who_is_active_where(two: Pair) -> None:
    two.shared.others = [
        pool("", node("south-1", seen_s=60.0), name="backup", lease_left_s=-5.0, epoch=0)
    ]
    for client, name, role in (
        (two.active, "north-1", "active"),
        (two.standby, "north-2", "standby"),
    ):
        found = await (await client.get("/api/cluster", headers=SUPERVISOR)).json()
        assert (found["node"], found["pool"], found["role"]) == (name, "main", role)
        backup, main = found["pools"]
        assert (main["active"], main["epoch"], main["trouble"]) == ("north-1", 7, [])
        assert [one["role"] for one in main["nodes"]] == ["active", "standby"]
        assert (backup["active"], backup["since"]) == (None, None)
        assert backup["trouble"] == ["no node is active; no standbys could take over"]
        assert backup["nodes"][0]["role"] == "away"
        assert backup["nodes"][0]["trouble"] == ["no sign of life for 60 seconds"]
    assert (await two.active.get("/api/cluster", headers=READER)).status == 403
    assert (await two.standby.get("/api/cluster", headers=READER)).status == 403
    assert (await two.standby.get("/api/cluster")).status == 401


async def test_a_session_says_by_which_way_it_comes(two: Pair) -> None:
    for client, via in ((two.active, None), (two.standby, "north-2")):
        found = await (await client.get("/api/session", headers=READER)).json()
        assert found["cluster"] == {
            "node": "north-1", "pool": "main", "via": via, "standbys": 1,
        }  # fmt: skip


async def test_trouble_is_told_in_words(two: Pair) -> None:
    first, second = two.shared.pool.nodes
    two.shared.pool = replace(
        two.shared.pool,
        nodes=(
            first,
            replace(second, config_digest="other", version="1.1"),
            node("north-3", problem="pbx office: no route"),
        ),
    )
    found = await (await two.active.get("/api/cluster", headers=SUPERVISOR)).json()
    [main] = found["pools"]
    assert [one["config_differs"] for one in main["nodes"]] == [False, True, False]
    assert main["nodes"][1]["trouble"] == [
        "its configuration is not the active node's",
        "it runs version 1.1, the active node 1.0",
    ]
    assert main["nodes"][2]["role"] == "away"
    assert main["nodes"][2]["trouble"] == ["pbx office: no route"]
    two.shared.pool = replace(two.shared.pool, nodes=(first,))
    found = await (await two.active.get("/api/cluster", headers=SUPERVISOR)).json()
    assert found["pools"][0]["trouble"] == ["no standby could take over"]


async def test_a_pool_is_handed_over(two: Pair) -> None:
    for client in (two.active, two.standby):
        answer = await client.post("/api/cluster/hand-over", headers=ADMIN)
        assert answer.status == 200
        assert await answer.json() == {
            "pool": "main", "active": "north-1", "to": "north-2", "epoch": 7,
        }  # fmt: skip
    assert two.shared.orders == [("main", "north-2")] * 2
    act = two.acts.all[-1]
    assert (act.act, act.target, act.who) == ("cluster.hand-over", "north-2", "boss")
    for headers in (SUPERVISOR, READER):
        answer = await two.active.post("/api/cluster/hand-over", headers=headers)
        assert answer.status == 403


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"to": "north-9"}, 422, "pool main has no node north-9; it has: north-1, north-2"),
        ({"to": "north-1"}, 409, "north-1 is active for pool main already"),
        ({"pool": "other"}, 404, "there is no pool other; there are: main"),
        ({"node": "north-2"}, 422, "unknown field 'node'; the fields here: pool, to"),
    ],
)
async def test_what_cannot_be_handed_over(
    two: Pair, body: dict[str, str], status: int, words: str
) -> None:
    answer = await two.active.post("/api/cluster/hand-over", headers=ADMIN, json=body)
    assert answer.status == status
    assert words in (await answer.json())["detail"]
    assert two.shared.orders == []


def test_the_readiest_standby_is_chosen() -> None:
    nodes = (
        node("a"), node("b", config_digest="x"), node("c", seen_s=0.9), node("d", seen_s=9.0),
        node("e", problem="no PBX"),
    )  # fmt: skip
    made = pool("a", *nodes)
    assert chosen(made, "") == "c"
    assert chosen(made, "b") == "b"
    for name, words in (("d", "no sign of life for 9 seconds"), ("e", "no PBX")):
        with pytest.raises(HandOverError, match=words):
            chosen(made, name)
    with pytest.raises(HandOverError, match="has no standby"):
        chosen(pool("a", node("a")), "")
    for gone in (pool("", node("a")), pool("a", node("a"), node("b"), lease_left_s=-1.0)):
        with pytest.raises(HandOverError, match="a standby takes over by itself"):
            chosen(gone, "")


async def test_the_database_is_away(two: Pair) -> None:
    two.shared.away = "connection refused"
    for client in (two.active, two.standby):
        answer = await client.get("/api/cluster", headers=SUPERVISOR)
        assert answer.status == 503
        assert "connection refused" in (await answer.json())["detail"]
    answer = await two.active.post("/api/cluster/hand-over", headers=ADMIN)
    assert answer.status == 503


async def test_a_daemon_that_belongs_to_no_cluster_says_so() -> None:
    world = World()
    async with TestClient(TestServer(world.app)) as client:
        for method, path in (("GET", "/api/cluster"), ("POST", "/api/cluster/hand-over")):
            answer = await client.request(method, path, headers=ADMIN)
            assert answer.status == 404
            assert "`cluster:` in callrouter.yaml" in (await answer.json())["detail"]
        assert "role" not in await (await client.get("/healthz")).json()
        assert "cluster" not in await (await client.get("/api/status", headers=ADMIN)).json()
        assert (
            "callrouter_cluster" not in await (await client.get("/metrics", headers=ADMIN)).text()
        )
    world.close()


async def test_health_and_metrics_are_each_nodes_own(two: Pair) -> None:
    two.first.in_step()
    health = await (await two.active.get("/healthz")).json()
    assert (health["state"], health["role"], health["standbys"]) == ("up", "active", 1)
    answer = await two.standby.get("/healthz")
    health = await answer.json()
    assert (answer.status, health["state"], health["role"]) == (200, "up", "standby")
    two.second.pbx.up = False
    answer = await two.standby.get("/healthz")
    assert (answer.status, (await answer.json())["state"]) == (200, "degraded")
    assert (await two.standby.get("/healthz?strict")).status == 503
    two.second.pbx.up = True
    assert (await two.standby.get("/healthz?strict")).status == 200
    two.serve("")
    assert (await (await two.standby.get("/healthz")).json())["state"] == "degraded"
    two.serve("north-1")
    await two.standby.get("/api/agents", headers=SUPERVISOR)
    text = await (await two.standby.get("/metrics", headers=SUPERVISOR)).text()
    for line in (
        'callrouter_cluster_node_info{node="north-2",pool="main"} 1.0',
        "callrouter_cluster_active 0.0",
        "callrouter_cluster_epoch 7.0",
        "callrouter_cluster_standbys 1.0",
        'callrouter_cluster_forwarded_total{result="passed"} 1.0',
    ):
        assert line in text
    text = await (await two.active.get("/metrics", headers=SUPERVISOR)).text()
    assert "callrouter_cluster_active 1.0" in text
