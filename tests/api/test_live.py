from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from callrouter.api import live
from tests.api.world import Client, World


async def test_the_state_then_every_change(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c0")
    async with client.ws_connect("/api/live") as ws:
        state = await ws.receive_json(timeout=5)
        assert state["type"] == "state"
        assert [view["id"] for view in state["agents"]] == ["alice", "bob", "front"]
        assert [view["id"] for view in state["calls"]] == ["c0"]
        assert [view["id"] for view in state["queues"]] == ["sales", "support"]
        assert state["status"]["version"]
        world.arrive("c1", name="Ann")
        record = await ws.receive_json(timeout=5)
        assert record == {
            "type": "record",
            "kind": "entered",
            "at": "2025-11-21T21:53:07.000Z",
            "call": "c1",
            "queue": "support",
            "position": 2,
            "caller_number": "+442079460018",
            "caller_name": "Ann",
        }
        world.arrive("c1")
        note = await ws.receive_json(timeout=5)
        assert note["type"] == "note"
        assert "known already" in note["text"]
    await _until(lambda: not world.watchers.clients)


async def test_another_sites_page_is_refused(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await client.ws_connect("/api/live", headers={"Origin": "https://evil.example"})
    assert caught.value.status == 403
    own = f"http://{client.host}:{client.port}"
    async with client.ws_connect("/api/live", headers={"Origin": own}) as ws:
        assert (await ws.receive_json(timeout=5))["type"] == "state"


async def test_a_stranger_is_refused(stranger: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await stranger.ws_connect("/api/live")
    assert caught.value.status == 401


async def test_a_slow_client_is_dropped(client: Client, world: World) -> None:
    async with client.ws_connect("/api/live") as ws:
        await ws.receive_json(timeout=5)
        for n in range(live.MOST_WAITING + 2):  # in one go: the writer has no turn
            world.arrive(f"c{n}")
        last: Any = None
        async for message in ws:
            last = message
        assert last is not None
        assert ws.close_code == live.TOO_SLOW
        assert last.type is WSMsgType.TEXT
    await _until(lambda: not world.watchers.clients)
    world.arrive("after")


async def test_a_client_that_reads_nothing_is_cut_off(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CLOSE_WITHIN", 0.2)
    ws = await client.ws_connect("/api/live", max_msg_size=0)
    assert ws._conn is not None
    transport = ws._conn.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    name = "x" * 10_000
    for n in range(3000):
        world.arrive(f"c{n}", name=name)
        if n % 100 == 0:
            await asyncio.sleep(0)
    await _until(lambda: not world.watchers.clients)
    transport.abort()
    await ws.close()


async def test_clients_are_told_when_we_stop(client: Client, world: World) -> None:
    async with client.ws_connect("/api/live") as ws:
        await ws.receive_json(timeout=5)
        closing = asyncio.ensure_future(world.watchers.close())
        message = await ws.receive(timeout=5)
        assert message.type is WSMsgType.CLOSE
        assert message.data == 1001
        await closing


async def test_only_so_many(client: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_CLIENTS", 1)
    async with client.ws_connect("/api/live") as ws:
        await ws.receive_json(timeout=5)
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect("/api/live")
        assert caught.value.status == 503


async def _until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
