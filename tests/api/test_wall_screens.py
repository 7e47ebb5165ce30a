"""Links for screens on the wall: what they open, and that nothing stays open once they are revoked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, DummyCookieJar, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access import wall_screens
from callrouter.api.access.permissions import PERMISSIONS
from callrouter.api.access.wall_screens import SCREEN_COOKIE, WallScreens
from callrouter.api.live import REVOKED
from callrouter.model.access_rows import WallScreenRow
from tests.api.contract import of_component
from tests.api.test_roles import NUMBER, TOKENS, headers
from tests.api.world import Client, World

LIVE = "/api/live?topics=agents,queues&as=screen"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(tokens=tuple(TOKENS.values()))
    made.in_step()
    yield made
    made.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made:
        yield made


def origin(client: Client) -> dict[str, str]:
    return {"Origin": f"http://{client.host}:{client.port}"}


async def make(client: Client, who: str = "supervisor", **body: Any) -> Any:
    answer = await client.post(
        "/api/wall-screens", json={"name": "Hall", **body}, headers=headers(who)
    )
    assert answer.status == 201, await answer.text()
    return await answer.json()


async def opened(client: Client, token: str) -> ClientResponse:
    return await client.post("/api/session/screen", json={"token": token}, headers=origin(client))


async def screen(client: Client, token: str) -> dict[str, str]:
    """The headers of a screen that was opened."""
    answer = await opened(client, token)
    assert answer.status == 200
    return {"Cookie": f"{SCREEN_COOKIE}={answer.cookies[SCREEN_COOKIE].value}", **origin(client)}


async def test_what_a_link_is(client: Client, world: World) -> None:
    made = await make(client, queues=["support", "sales", "support"])
    assert made["path"] == f"/?board=support,sales#screen={made['token']}"
    assert len(made["token"]) >= 22, "128 bits"
    assert (made["created_by"], made["seen_at"]) == ("crm", None)
    listed = await (await client.get("/api/wall-screens", headers=headers("admin"))).json()
    assert listed == [{key: made[key] for key in listed[0]}]
    assert made["token"] not in json.dumps(listed)
    answer = await opened(client, made["token"])
    assert await answer.json() == {"name": "Hall", "queues": ["support", "sales"]}
    cookie = answer.cookies[SCREEN_COOKIE]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
    listed = await (await client.get("/api/wall-screens", headers=headers("admin"))).json()
    assert listed[0]["seen_at"] is not None


async def test_it_shows_states_and_no_person_who_calls(client: Client, world: World) -> None:
    world.sign_in("alice")
    world.arrive("c1", "support", NUMBER, "Jane")
    world.arrive("c2", "sales", NUMBER, "Jane")
    cookie = await screen(client, (await make(client, queues=["support"]))["token"])
    async with client.ws_connect(LIVE.replace("queues", "queues,calls"), headers=cookie) as ws:
        state = await ws.receive_json(timeout=5)
        assert [queue["id"] for queue in state["queues"]] == ["support"]
        assert of_component(state["queues"][0], "Queue") == []
        assert state["queues"][0]["agents"]["reserved"] == ["alice"]
        assert state["queues"][0]["waiting"][0]["ringing"] == ["alice"]
        assert {agent["id"] for agent in state["agents"]} == {"alice", "bob"}
        assert of_component(state["agents"][0], "Agent") == []
        assert (state["calls"], "status" in state) == ([], False)
        world.rang()
        changes = await ws.receive_json(timeout=5)
        assert changes["agents"][0]["state"] == "ringing"
        assert changes["calls"] == []
        text = json.dumps([state, changes])
        for secret in (NUMBER, "Jane", "PJSIP", "447700900123", "c2"):
            assert secret not in text.replace('"c1"', "")


async def test_all_queues(client: Client, world: World) -> None:
    cookie = await screen(client, (await make(client))["token"])
    async with client.ws_connect(LIVE, headers=cookie) as ws:
        state = await ws.receive_json(timeout=5)
        assert [queue["id"] for queue in state["queues"]] == ["sales", "support"]
    who = await (await client.get("/api/session?as=screen", headers=cookie)).json()
    assert (who["role"], who["name"], who["csrf_token"]) == ("screen", "Hall", None)


async def test_a_revoked_link_shuts_its_screens(client: Client, world: World) -> None:
    made = await make(client)
    other = await screen(client, (await make(client, name="Other"))["token"])
    cookie = await screen(client, made["token"])
    async with (
        client.ws_connect(LIVE, headers=cookie) as ws,
        client.ws_connect(LIVE, headers=other) as stays,
    ):
        await ws.receive_json(timeout=5)
        path = f"/api/wall-screens/{made['id']}"
        assert (await client.delete(path, headers=headers("supervisor"))).status == 204
        while not (await ws.receive(timeout=5)).type.name.startswith("CLOSE"):
            pass
        assert ws.close_code == REVOKED
        await stays.receive_json(timeout=5)
        assert not stays.closed
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect(LIVE, headers=cookie)
    assert refused.value.status == 401
    assert (await client.get("/api/session?as=screen", headers=cookie)).status == 401
    assert (await opened(client, made["token"])).status == 401
    assert (await client.delete(path, headers=headers("supervisor"))).status == 404


async def test_a_screen_opens_nothing_else(client: Client, world: World) -> None:
    cookie = await screen(client, (await make(client))["token"])
    for method, path in PERMISSIONS:
        if (method, path) in {("GET", "/api/session"), ("GET", "/api/live")}:
            continue
        where = path.replace("{id}", "alice").replace("{device}", "desk").replace("{number}", "1")
        where = where.replace("{what}", "queues").replace("{name}", "queues.yaml")
        answer = await client.request(method, f"{where}?as=screen", headers=cookie, json={})
        assert answer.status == 403, (method, path)
        # Without the word, the cookie is none of a person.
        assert (await client.request(method, where, headers=cookie, json={})).status == 401
    foreign = cookie | {"Origin": "https://evil.example"}
    for path, sent in (("/api/live?as=screen", cookie), (LIVE, foreign)):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(path, headers=sent)
        assert refused.value.status == 403
    with pytest.raises(WSServerHandshakeError):
        await client.ws_connect(LIVE, headers={"Cookie": cookie["Cookie"]})


@pytest.mark.parametrize(
    ("who", "body", "status", "said"),
    [
        ("supervisor", {"name": "  "}, 422, "'name' says which screen it is"),
        ("supervisor", {"name": "x" * 65}, 422, "1 to 64"),
        ("supervisor", {"name": "Hall", "queues": ["nothing"]}, 422, "no queue 'nothing'"),
        ("supervisor", {"name": "Hall", "queues": "sales"}, 422, "another type"),
        ("sales", {"name": "Hall"}, 403, "some of your queues: sales"),
        ("sales", {"name": "Hall", "queues": ["sales", "support"]}, 403, "sales"),
        ("alice", {"name": "Hall", "queues": ["support"]}, 403, "role"),
    ],
)
async def test_what_is_refused(
    client: Client, who: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await client.post("/api/wall-screens", json=body, headers=headers(who))
    assert (answer.status, said in await answer.text()) == (status, True), await answer.text()


async def test_a_supervisor_of_one_queue_sees_the_links_of_that_queue(client: Client) -> None:
    theirs = await make(client, "sales", queues=["sales"])
    every, both = await make(client), await make(client, queues=["sales", "support"])
    found = await (await client.get("/api/wall-screens", headers=headers("sales"))).json()
    assert [row["id"] for row in found] == [theirs["id"]]
    for row, status in ((every, 404), (both, 404), (theirs, 204)):
        answer = await client.delete(f"/api/wall-screens/{row['id']}", headers=headers("sales"))
        assert answer.status == status


async def test_not_too_many(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall_screens, "MOST_SCREENS", 1)
    await make(client)
    answer = await client.post("/api/wall-screens", json={"name": "B"}, headers=headers("admin"))
    assert answer.status == 409


async def test_a_page_of_another_site_opens_no_screen(client: Client) -> None:
    token = (await make(client))["token"]
    answer = await client.post(
        "/api/session/screen", json={"token": token}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403
    assert (await opened(client, token[:-1])).status == 401


def test_links_outlive_a_restart(world: World) -> None:
    stored: dict[str, WallScreenRow] = {}
    before = WallScreens(world.clock, put=lambda row: stored.update({row.id: row}))
    made = before.make("Hall", ["support"], "sam")
    assert made.secret not in repr(stored)
    after = WallScreens(world.clock, forget=stored.__delitem__)
    after.restore(stored.values())
    found = after.opened_by(made.secret)
    assert found is not None
    assert (found.name, found.queues, after.holds(found)) == ("Hall", ("support",), True)
    after.revoke(made.row.id)
    assert (stored, after.holds(found), after.opened_by(made.secret)) == ({}, False, None)
