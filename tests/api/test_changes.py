"""The live view of pages: the state, then the new rows of what has changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError

from callrouter.api import changes
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.json_values import moment
from callrouter.model.events import DeviceState, EndpointChanged, PauseRequested
from tests.api.contract import components, mistakes
from tests.api.world import READER, Client, World

ALL = "/api/live?topics=agents,queues,calls"


async def rows(ws: ClientWebSocketResponse) -> dict[str, Any]:
    """The next message with rows."""
    while True:
        found: dict[str, Any] = await ws.receive_json(timeout=5)
        assert found["type"] == "changes"
        assert mistakes(found, components()["schemas"]["LiveChanges"]) == []
        if has_rows(found):
            return found


def has_rows(message: dict[str, Any]) -> bool:
    return any(message[name] for name in ("agents", "queues", "calls", "gone"))


async def nothing(ws: ClientWebSocketResponse) -> None:
    try:
        async with asyncio.timeout(3 * changes.EVERY):
            while not has_rows(found := await ws.receive_json()):
                pass
    except TimeoutError:
        return
    pytest.fail(f"there are rows: {found}")


async def test_the_rows_that_change(client: Client, world: World) -> None:
    world.in_step()
    async with client.ws_connect(ALL) as ws:
        state = await ws.receive_json(timeout=5)
        assert state["type"] == "state"
        assert [row["id"] for row in state["agents"]] == ["alice", "bob", "front"]
        world.sign_in("alice")
        world.arrive("c1", "support")
        one = await rows(ws)
        assert [(row["id"], row["state"]) for row in one["agents"]] == [("alice", "reserved")]
        assert [(row["id"], len(row["waiting"])) for row in one["queues"]] == [("support", 1)]
        assert [(row["id"], row["state"]) for row in one["calls"]] == [("c1", "ringing")]
        assert one["gone"] == []
        world.hang_up("c1")
        two = await rows(ws)
        assert two["gone"] == [{"topic": "calls", "id": "c1"}]
        assert two["seq"] > one["seq"]
    async with asyncio.timeout(5):
        while world.changes._sweep is not None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert world.changes._timer is None, "nothing runs while no one watches"


async def test_a_page_is_told_that_nothing_has_changed(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BEAT", 0.05)
    world.in_step()
    async with client.ws_connect(ALL) as ws:
        await ws.receive_json(timeout=5)
        world.clock.at += 7
        found = await ws.receive_json(timeout=5)
        assert mistakes(found, components()["schemas"]["LiveChanges"]) == []
        assert not has_rows(found)
        assert found["at"] == moment(world.clock.at)
        again = await ws.receive_json(timeout=5)
        assert again["seq"] > found["seq"], "it grows with each message"


async def test_many_changes_are_one_message(client: Client, world: World) -> None:
    world.in_step()
    async with client.ws_connect(ALL) as ws:
        await ws.receive_json(timeout=5)
        for n in range(50):
            world.arrive(f"c{n}", "sales")
        one = await rows(ws)
        assert len(one["calls"]) == 50
        assert [len(row["waiting"]) for row in one["queues"]] == [50]
        await nothing(ws)


async def test_only_the_topics_that_are_watched(client: Client, world: World) -> None:
    world.in_step()
    async with client.ws_connect("/api/live?topics=agents") as ws:
        await ws.receive_json(timeout=5)
        world.arrive("c1", "sales")
        await nothing(ws)
        world.sign_in("alice")
        one = await rows(ws)
        assert (len(one["agents"]), one["queues"], one["calls"]) == (1, [], [])


async def test_a_pause_while_nothing_else_happens(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("alice")
    async with client.ws_connect(ALL) as ws:
        await ws.receive_json(timeout=5)
        world.runtime.post(PauseRequested(agent="alice", reason="tea", by="sam"))
        [row] = (await rows(ws))["agents"]
        assert (row["state"], row["pause_reason"], row["by"]) == ("paused", "tea", "sam")


async def test_a_phone_that_no_notice_is_about(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """front is not signed in, so that its phone changes nothing but its row."""
    monkeypatch.setattr(changes, "SWEEP", 0.02)
    world.in_step()
    async with client.ws_connect(ALL) as ws:
        await ws.receive_json(timeout=5)
        await asyncio.sleep(0.2)
        world.runtime.post(
            EndpointChanged(pbx="office", endpoint="PJSIP/1002", state=DeviceState.UNREACHABLE)
        )
        [row] = (await rows(ws))["agents"]
        assert (row["id"], row["devices"][0]["state"]) == ("bob", "unreachable")
        await nothing(ws)


async def test_an_agent_watches_what_an_agent_may_see(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("before", "sales", "+442079460001", "Jane")
    async with client.ws_connect(ALL, headers=READER) as ws:
        await ws.receive_json(timeout=5)
        world.arrive("c1", "sales", "+442079460099", "Dave")
        one = await rows(ws)
        text = repr(one)
        assert one["agents"] == []
        assert "Dave" not in text
        assert "+442079460099" not in text
        assert "bob" not in text


async def test_the_end_of_a_call_that_was_not_shown_is_not_told() -> None:
    world = World()
    world.in_step()
    world.arrive("theirs", "sales")
    sent: list[str] = []
    seen = world.backend.views.sight(ApiCaller("ann", "agent", agent="alice"))
    world.changes.add(changes.Watcher(frozenset(changes.TOPICS), lambda: seen, sent.append))
    world.hang_up("theirs")
    world.changes._flush()
    assert "theirs" not in "".join(sent)
    world.changes.close()
    world.close()


@pytest.mark.parametrize("topics", ["", "agents,trunks", "AGENTS", "agents;queues", "x" * 500])
async def test_an_unknown_topic(client: Client, topics: str) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await client.ws_connect(f"/api/live?topics={topics}")
    assert caught.value.status == 422


async def test_a_slip_in_the_name_of_a_parameter(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await client.ws_connect("/api/live?topic=agents")
    assert caught.value.status == 422
    for path, right in (
        ("/api/live?topic=agents", "topics"),
        ("/api/calls?onyl=live", "only"),
        ("/api/agents/alice/why-not?quue=sales", "queue"),
    ):
        answer = await client.get(path)
        assert answer.status == 422, path
        assert f"; did you mean '{right}'?" in (await answer.json())["detail"]


async def test_a_row_is_made_once_for_all_who_see_the_same(client: Client, world: World) -> None:
    world.in_step()
    async with client.ws_connect(ALL) as one, client.ws_connect(ALL) as two:
        for ws in (one, two):
            await ws.receive_json(timeout=5)
        world.sign_in("alice")
        first, second = (await one.receive()).data, (await two.receive()).data
        assert first is not None
        assert first == second


async def test_a_slow_page_is_sent_what_is_true_then_and_not_what_was(world: World) -> None:
    world.in_step()
    world.arrive("c0", "sales")
    seen = world.backend.views.sight(ApiCaller(name="crm", role="supervisor"))
    slow: list[str] = []
    quick: list[str] = []
    behind = [True]
    topics = frozenset(changes.TOPICS)
    feed = world.changes
    feed.add(changes.Watcher(topics, lambda: seen, slow.append, lambda: behind[0]))
    slow2: list[str] = []
    feed.add(changes.Watcher(topics, lambda: seen, slow2.append, lambda: behind[0]))
    feed.add(changes.Watcher(topics, lambda: seen, quick.append))
    world.arrive("c1", "sales")
    feed._flush()
    world.hang_up("c1")
    world.hang_up("c0")
    feed._flush()
    world.sign_in("alice")
    feed._flush()
    assert (len(quick), slow) == (3, [])
    behind[0] = False
    world.runtime.post(PauseRequested(agent="alice", reason="tea", by="sam"))
    feed._flush()
    [text] = slow
    assert slow2 == slow, "one message for all who catch up"
    message = json.loads(text)
    assert {row["id"]: row["state"] for row in message["agents"]}["alice"] == "paused"
    assert sorted(item["id"] for item in message["gone"]) == ["c0", "c1"]
    assert message["calls"] == []
    world.arrive("c2", "sales")
    feed._flush()
    assert slow[1] == quick[-1], "it shares the messages again"
    feed.close()


async def test_a_page_that_was_behind_catches_up_though_nothing_more_happens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BEAT", 0.02)
    world.in_step()
    seen = world.backend.views.sight(ApiCaller(name="crm", role="supervisor"))
    sent: list[str] = []
    behind = [True]
    watcher = changes.Watcher(
        frozenset(changes.TOPICS), lambda: seen, sent.append, lambda: behind[0]
    )
    world.changes.add(watcher)
    world.arrive("c1", "sales")
    await asyncio.sleep(0.1)
    assert sent == []
    behind[0] = False
    async with asyncio.timeout(5):
        while not sent:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert [row["id"] for row in json.loads(sent[0])["calls"]] == ["c1"]
    world.changes.remove(watcher)
