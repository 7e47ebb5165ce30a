"""A WebSocket through a standby: both ways, no faster than the client reads, and closed alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError, web

from callrouter.api.live import REVOKED
from tests.api.forwarding.pair import Pair, pair
from tests.api.world import SUPERVISOR

PIECE = 400_000
PIECES = 300


class Doors:
    """WebSockets of other parts."""

    def __init__(self) -> None:
        self.sent = 0
        self.heard: list[str] = []
        self.closed = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/doors/flood", self.flood), web.get("/doors/echo", self.echo)]

    async def flood(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        for n in range(PIECES):
            await ws.send_bytes(bytes([n % 256]) * PIECE)
            self.sent += 1
        await ws.close(code=4321, message=b"all of it")
        return ws

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            self.heard.append(message.data)
            await ws.send_str(message.data.upper())
        self.closed.set()
        return ws


@pytest.fixture
async def doors() -> Doors:
    return Doors()


@pytest.fixture
async def two(doors: Doors) -> AsyncIterator[Pair]:
    async with pair(doors=doors.routes()) as made:
        yield made


async def test_the_live_view_of_a_standby_shows_the_active_node(two: Pair) -> None:
    two.first.in_step()
    async with two.standby.ws_connect("/api/live", headers=SUPERVISOR) as ws:
        state = await ws.receive_json(timeout=5)
        assert state["type"] == "state"
        assert state["status"]["cluster"]["node"] == "north-1"
        two.first.sign_in("alice")
        heard = await ws.receive_json(timeout=5)
        assert (heard["type"], heard["agent"]) == ("record", "alice")
    async with two.standby.ws_connect("/api/live?topics=agents", headers=SUPERVISOR) as ws:
        await ws.receive_json(timeout=5)
        two.first.sign_in("bob")
        assert (await ws.receive_json(timeout=5))["type"] == "changes"


async def test_a_ticket_opens_a_live_view_at_any_node(two: Pair) -> None:
    origin = "https://intranet.example.com"
    asked = await two.active.post(
        "/api/session/ticket", json={"origin": origin}, headers=SUPERVISOR
    )
    ticket = (await asked.json())["ticket"]
    where = f"/api/live?ticket={ticket}"
    async with two.standby.ws_connect(where, headers={"Origin": origin}) as ws:
        assert (await ws.receive_json(timeout=5))["type"] == "state"
    with pytest.raises(WSServerHandshakeError) as used:
        await two.standby.ws_connect(where, headers={"Origin": origin})
    assert used.value.status == 401


async def test_a_refused_handshake_comes_back_as_it_was_answered(two: Pair) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    for asked, status in (
        (upgrade, 401),
        ({**upgrade, **SUPERVISOR, "Origin": "http://evil.example", "Host": "a"}, 403),
        ({**SUPERVISOR, "Upgrade": "websocket"}, 426),
        ({**SUPERVISOR, **upgrade, "Sec-WebSocket-Key": "short"}, 426),
        (SUPERVISOR, 426),
    ):
        passed = await two.standby.get("/api/live", headers=asked)
        direct = await two.active.get("/api/live", headers=asked)
        assert passed.status == direct.status == status
        assert await passed.json() == await direct.json()


async def test_messages_go_both_ways_and_the_clients_close_reaches_the_node(
    two: Pair, doors: Doors
) -> None:
    async with two.standby.ws_connect("/doors/echo") as ws:
        for text in ("one", "two", "Zoë"):
            await ws.send_str(text)
            assert await ws.receive_str(timeout=5) == text.upper()
    async with asyncio.timeout(5):
        await doors.closed.wait()
    assert doors.heard == ["one", "two", "Zoë"]
    async with two.standby.ws_connect("/doors/echo") as ws:
        await ws.send_str("x" * 10_000)
        assert (await ws.receive(timeout=5)).type in {WSMsgType.CLOSE, WSMsgType.ERROR}


async def test_a_client_that_does_not_read_holds_the_node_back_and_loses_nothing(
    two: Pair, doors: Doors
) -> None:
    async with two.standby.ws_connect("/doors/flood", max_msg_size=0) as ws:
        before = -1
        async with asyncio.timeout(20):
            while before != doors.sent or not before:
                before = doors.sent
                await asyncio.sleep(0.5)
        assert doors.sent < PIECES * 3 // 4, "the standby takes what no client reads"
        got = []
        while (message := await ws.receive(timeout=10)).type is WSMsgType.BINARY:
            got.append((len(message.data), message.data[0]))
        assert got == [(PIECE, n % 256) for n in range(PIECES)]
        assert (message.data, message.extra) == (4321, "all of it")


async def test_a_view_whose_token_is_taken_away_is_closed_with_its_code(two: Pair) -> None:
    async with two.standby.ws_connect("/api/live", headers=SUPERVISOR) as ws:
        await ws.receive_json(timeout=5)
        [client] = two.first.watchers.clients
        client.revoke()
        closed = await ws.receive(timeout=5)
        assert (closed.type, closed.data) == (WSMsgType.CLOSE, REVOKED)


@pytest.mark.parametrize("how", ["another", "itself", "stopped"])
async def test_a_view_ends_with_the_node_that_it_shows(two: Pair, how: str) -> None:
    async with two.standby.ws_connect("/api/live", headers=SUPERVISOR) as ws:
        await ws.receive_json(timeout=5)
        if how == "stopped":
            await two.servers[0].close()
        else:
            two.serve("north-2")
        closed = await ws.receive(timeout=5)
        assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1001)
    two.serve("north-2")
    async with two.standby.ws_connect("/api/live", headers=SUPERVISOR) as ws:
        state = await ws.receive_json(timeout=5)
        assert state["status"]["cluster"]["node"] == "north-2"
