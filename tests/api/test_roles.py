"""Who may do what: every route of the OpenAPI document, for every role, own and another's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.permissions import PERMISSIONS
from callrouter.api.access.tokens import (
    FREE,
    MOST_OF_ONE,
    PAUSE,
    ApiCaller,
    ApiTokens,
    WrongTokens,
    client_network,
)
from callrouter.api.context import ConfigState
from callrouter.api.live import MOST_PER_TOKEN, REVOKED
from callrouter.api.openapi import document
from callrouter.settings import ApiToken, Problem
from tests.api.world import Client, World

NUMBER = "+442079460018"
OTHER = "+442079460099"
TOKENS = {
    "metrics": ApiToken(name="prometheus", role="metrics", token="metrics-token-1234"),
    "nameless": ApiToken(name="wall", role="agent", token="agent-token-123456"),
    "alice": ApiToken(name="alice-app", role="agent", token="alice-token-12345", agent="alice"),
    "sales": ApiToken(name="sam", role="supervisor", token="sales-token-12345", queues=("sales",)),
    "supervisor": ApiToken(name="crm", role="supervisor", token="supervisor-token-1"),
    "admin": ApiToken(name="boss", role="admin", token="admin-token-123456"),
}
"""alice is in support; sales has bob alone."""


def headers(who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[who].token}"}


@pytest.fixture
async def house() -> AsyncIterator[World]:
    """A call of alice's, one in line for support, one in line for sales, and one that bob had."""
    world = World(tokens=tuple(TOKENS.values()))
    world.in_step()
    world.sign_in("bob")
    world.arrive("past", "sales", OTHER)
    world.rang()
    world.accept()
    world.hang_up("past")
    world.sign_in("alice")
    world.arrive("own", "support", NUMBER, "Jane")
    world.rang()
    world.accept()
    world.arrive("support-waits", "support", OTHER, "Carol")
    world.arrive("sales-waits", "sales", OTHER, "Dave")
    yield world
    world.close()


@pytest.fixture
async def client(house: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(house.app)) as made:
        yield made


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, found in document()["paths"].items():
        for method, operation in found.items():
            yield method.upper(), path, operation


def test_every_route_says_who_may(house: World) -> None:
    """The table of permissions has each route of the application, and no other."""
    routes = {
        (route.method, route.resource.canonical)
        for route in house.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routes - PERMISSIONS.keys() == OPEN
    assert PERMISSIONS.keys() <= routes
    for method, path, operation in operations():
        if (method, path) not in OPEN:
            assert operation["x-roles"] == sorted(PERMISSIONS[method, path].roles), path
            assert "403" in operation["responses"], path


OPEN = {
    ("GET", "/"),
    ("GET", "/page/{name}"),
    ("GET", "/healthz"),
    ("POST", "/api/session"),
    ("GET", "/api/log-in"),
    *(("GET", f"/api/oidc/{name}") for name in ("log-in", "callback", "log-out")),
    ("POST", "/api/session/screen"),
}
THINGS = {
    "agent": {"own": "alice", "sales": "bob"},
    "device": {"own": "alice", "sales": "bob"},
    "queue": {"own": "support", "sales": "sales"},
    "call": {"own": "own", "sales": "sales-waits"},
}


def allowed(who: str, operation: dict[str, Any], thing: str) -> bool:
    """What the matrix says. `thing` is alice's and support's ('own'), or bob's and sales' ('sales')."""
    token = TOKENS[who]
    if token.role not in operation["x-roles"]:
        return False
    own = str(operation.get("x-own", ""))
    if not own or token.role in {"admin", "metrics"} or who == "supervisor":
        return True
    if own == "all":
        return False
    if who == "nameless":  # of calls it sees those in line, without numbers and names
        return own == "queue" or (own == "call" and thing == "sales")
    if who == "alice":
        return thing == "own"
    # bob is a member of support too, but alice is none of sales.
    return thing == "sales"


BODIES: dict[str, Any] = {
    "move": {"priority": 1},
    "pause": {"reason": "tea"},
    "message": {"text": "hello"},
    "devices": {"number": "+447400123456"},
    "{device}": {"enabled": True},
}


def filled_in(path: str, name: str) -> str:
    """A path with its variables; `name` is the id of the thing that it is about."""
    where = path.replace("{id}", name).replace("{device}", "desk").replace("{number}", "1")
    return where.replace("{what}", "queues").replace("{name}", "queues.yaml")


@pytest.mark.parametrize("who", list(TOKENS))
@pytest.mark.parametrize("thing", ["own", "sales"])
async def test_the_matrix(client: Client, who: str, thing: str) -> None:
    wrong = []
    for method, path, operation in operations():
        if path == "/api/live" or (method, path) in OPEN:
            continue
        name = THINGS.get(operation.get("x-own", ""), {}).get(thing, "alice")
        where = filled_in(path, name)
        body = BODIES.get(path.rpartition("/")[2]) if method in {"POST", "PATCH"} else None
        answer = await client.request(method, where, headers=headers(who), json=body)
        expected = allowed(who, operation, thing)
        if expected == (answer.status == 403):
            wrong.append((method, where, answer.status, await answer.text()))
        assert answer.status != 500
    assert wrong == []


async def test_nothing_is_open_without_a_token(client: Client) -> None:
    for method, path, _ in operations():
        answer = await client.request(method, path.replace("{id}", "alice"))
        # A person who logs in has to say who they are; nothing else is open.
        opened = {"/": 200, "/page/{name}": 404, "/healthz": 200, "/api/session": 422}
        opened |= {"/api/log-in": 200}
        opened |= {f"/api/oidc/{name}": 404 for name in ("log-in", "callback", "log-out")}
        opened["/api/session/screen"] = 422
        if (method, path) not in OPEN:
            opened = {}
        assert answer.status == opened.get(path, 401), path


async def get(client: Client, who: str, path: str) -> Any:
    answer = await client.get(path, headers=headers(who))
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_an_agent_sees_itself_its_calls_and_its_queues(client: Client) -> None:
    assert [one["id"] for one in await get(client, "alice", "/api/agents")] == ["alice"]
    [queue] = await get(client, "alice", "/api/queues")
    assert queue["id"] == "support"
    assert queue["agents"]["on-call"] == ["alice"]
    assert sum(map(len, queue["agents"].values())) == 1
    assert queue["today"]["entered"] == 2
    [line] = queue["waiting"]
    assert (line["caller_number"], line["caller_name"]) == ("+44…099", "")
    calls = {one["id"]: one for one in await get(client, "alice", "/api/calls")}
    assert set(calls) == {"own", "support-waits"}
    assert calls["own"]["caller_number"] == NUMBER
    assert calls["support-waits"]["caller_number"] == "+44…099"
    assert calls["support-waits"]["caller_name"] == ""


async def test_no_answer_to_an_agent_has_another_callers_number_or_name(client: Client) -> None:
    for who in ("alice", "nameless", "metrics"):
        for method, path, operation in operations():
            if method != "GET" or path == "/api/live":
                continue
            for thing in ("own", "sales"):
                name = THINGS.get(operation.get("x-own", ""), {}).get(thing, "alice")
                answer = await client.get(path.replace("{id}", name), headers=headers(who))
                text = await answer.text()
                for secret in (OTHER, "Carol", "Dave"):
                    assert secret not in text, (who, path)
                if who != "alice":
                    assert NUMBER not in text, (who, path)
                    assert "Jane" not in text, (who, path)


async def test_a_supervisor_of_one_queue(client: Client) -> None:
    assert [one["id"] for one in await get(client, "sales", "/api/agents")] == ["bob"]
    assert [one["id"] for one in await get(client, "sales", "/api/queues")] == ["sales"]
    calls = await get(client, "sales", "/api/calls")
    assert {one["id"] for one in calls} == {"sales-waits", "past"}
    assert {one["caller_number"] for one in calls} == {OTHER}
    assert (await client.get("/api/calls/last/why", headers=headers("sales"))).status == 200
    for path in ("/api/calls/own/why", "/api/agents/bob/why-not?queue=support"):
        answer = await client.get(path, headers=headers("sales"))
        assert answer.status == 403
        assert "limited to the queues sales" in (await answer.json())["detail"]


async def test_an_agent_sees_an_own_call_that_ended_as_the_record_shows_it(
    client: Client, house: World
) -> None:
    whole = (await get(client, "alice", "/api/calls/own"))["caller_number"]
    house.hang_up("own")
    shown = await get(client, "alice", "/api/calls/own")
    [listed] = await get(client, "alice", "/api/calls?only=ended")
    for view in (shown, listed):
        assert (view["id"], view["caller_number"], view["caller_name"]) == ("own", "+44…018", "")
        assert view["agent"] == "alice"
    assert whole == NUMBER, "while they talk"
    assert (await get(client, "supervisor", "/api/calls/own"))["caller_number"] == NUMBER


async def test_the_nearest_name_is_one_that_the_client_may_see(client: Client) -> None:
    async def detail(path: str, who: str) -> str:
        return str((await (await client.get(path, headers=headers(who))).json())["detail"])

    assert await detail("/api/agents/alicee", "admin") == (
        "there is no agent 'alicee'; did you mean 'alice'?"
    )
    assert await detail("/api/agents/alicee/why-not", "admin") == (
        "there is no agent 'alicee'; did you mean 'alice'?"
    )
    assert await detail("/api/queues/supprot", "admin") == (
        "there is no queue 'supprot'; did you mean 'support'?"
    )
    assert await detail("/api/calls/owm", "admin") == "there is no call 'owm'"
    moves = (
        ("admin", "support-waits", "sale", "there is no queue 'sale'; did you mean 'sales'?"),
        ("sales", "sales-waits", "sale", "there is no queue 'sale'; did you mean 'sales'?"),
        ("sales", "sales-waits", "supprot", "there is no queue 'supprot'"),
    )
    for who, call, queue, said in moves:
        path, body = f"/api/calls/{call}/move", {"queue": queue}
        moved = await client.post(path, json=body, headers=headers(who))
        assert (await moved.json())["detail"] == said


async def test_an_agent_is_not_told_who_the_others_are(client: Client, house: World) -> None:
    """Where alice stands in the order of support, in which bob has been idle for longer."""
    house.hang_up("sales-waits")
    house.hang_up("support-waits")
    house.hang_up("own")
    house.clock.at += 5
    answer = await client.post("/api/agents/alice/ready", headers=headers("alice"))
    assert answer.status == 200
    said = json.dumps(await get(client, "supervisor", "/api/agents/alice/why-not"))
    assert "2nd of 2" in said
    assert "bob" in said
    for path in ("/api/agents/alice/why-not", "/api/agents/alice/why-not?queue=support"):
        said = json.dumps(await get(client, "alice", path))
        assert "2nd of 2 available in support: 1 other is before" in said
        assert "bob" not in said


async def test_a_supervisor_of_one_queue_is_told_of_that_queue(client: Client) -> None:
    whole = await get(client, "supervisor", "/api/agents/bob/why-not")
    assert {one["id"] for one in whole["queues"]} == {"sales", "support"}
    part = await get(client, "sales", "/api/agents/bob/why-not")
    assert [one["id"] for one in part["queues"]] == ["sales"]


async def test_calls_of_other_queues_are_not_named(client: Client, house: World) -> None:
    """A part of an id that fits several calls."""
    whole = await client.get("/api/calls/waits/why", headers=headers("supervisor"))
    assert "support-waits, sales-waits" in (await whole.json())["detail"]
    part = await client.get("/api/calls/waits/why", headers=headers("sales"))
    assert part.status == 409
    detail = (await part.json())["detail"]
    assert "sales-waits" in detail
    assert "support-waits" not in detail
    house.hang_up("own")
    house.arrive("own-2", "support")
    part = await client.get("/api/calls/own/why", headers=headers("sales"))
    assert part.status == 403


async def test_only_admins_see_where_files_are(client: Client) -> None:
    seen = await get(client, "supervisor", "/api/status")
    assert seen["config"]["folder"] is None
    seen = await get(client, "admin", "/api/status")
    assert seen["config"]["folder"] == "/etc/callrouter"


async def test_a_queues_supervisor_is_not_told_what_the_files_say(
    client: Client, house: World
) -> None:
    mistake = Problem("callrouter.yaml", 3, 1, "the token of alice-app is short")
    house.backend.config = ConfigState(
        folder="/etc/callrouter",
        loaded_at=0.0,
        problems=(mistake,),
        warnings=(mistake,),
        needs_restart=("pbx office: secret changed",),
    )
    whole = await get(client, "supervisor", "/api/status")
    assert whole["config"]["problems"][0]["text"] == mistake.text
    part = await get(client, "sales", "/api/status")
    assert part["config"]["state"] == whole["config"]["state"]
    assert not any(part["config"][k] for k in ("problems", "warnings", "needs_restart", "held"))
    async with client.ws_connect("/api/live", headers=headers("sales")) as ws:
        assert "alice-app" not in json.dumps((await ws.receive_json())["status"])


# ---------------------------------------------------------------- the live view


async def messages(client: Client, who: str, house: World) -> tuple[dict[str, Any], list[Any]]:
    """The state, and what a caller who enters support and a pause of bob's make of messages."""
    async with client.ws_connect("/api/live", headers=headers(who)) as ws:
        state = await ws.receive_json()
        house.arrive("new", "support", OTHER, "Erin")
        house.hang_up("new")
        house.sign_in("front")
        house.arrive("last", "sales", OTHER, "Erin")
        house.hang_up("last")
        house.runtime.mend("so that something is told last")
        heard: list[Any] = []
        ends = {"sales": ("last", "abandoned"), "alice": ("new", "abandoned")}
        wanted = ends.get(who, ("last", "abandoned"))
        while not heard or (heard[-1].get("call"), heard[-1].get("kind")) != wanted:
            heard.append(await ws.receive_json(timeout=5))
    return state, heard


async def test_the_live_view_shows_an_agent_its_own_affairs(client: Client, house: World) -> None:
    state, heard = await messages(client, "alice", house)
    assert [one["id"] for one in state["agents"]] == ["alice"]
    assert "status" not in state
    text = json.dumps([state, heard])
    assert OTHER not in text
    assert "Erin" not in text
    assert "bob" not in text
    assert {one["queue"] for one in heard} == {"support"}


async def test_the_live_view_of_one_queues_supervisor(client: Client, house: World) -> None:
    state, heard = await messages(client, "sales", house)
    assert [one["id"] for one in state["queues"]] == ["sales"]
    assert {one["queue"] for one in heard if "queue" in one} == {"sales"}
    assert OTHER in json.dumps(heard)


async def test_a_revoked_token_ends_its_live_views(client: Client, house: World) -> None:
    tokens = next(value for key, value in house.app.items() if isinstance(value, ApiTokens))
    async with (
        client.ws_connect("/api/live", headers=headers("alice")) as gone,
        client.ws_connect("/api/live", headers=headers("supervisor")) as stays,
    ):
        await gone.receive_json()
        await stays.receive_json()
        tokens.use([TOKENS["supervisor"]])
        while not (await gone.receive(timeout=5)).type.name.startswith("CLOSE"):
            pass
        assert gone.close_code == REVOKED
        house.arrive("new", "support")
        assert (await stays.receive_json(timeout=5))["call"] == "new"


async def test_a_token_with_other_rights_ends_its_live_views(client: Client, house: World) -> None:
    tokens = next(value for key, value in house.app.items() if isinstance(value, ApiTokens))
    async with client.ws_connect("/api/live", headers=headers("alice")) as ws:
        await ws.receive_json()
        token = TOKENS["alice"]
        tokens.use([ApiToken(name=token.name, role="agent", token=token.token, agent="bob")])
        while not (await ws.receive(timeout=5)).type.name.startswith("CLOSE"):
            pass
        assert ws.close_code == REVOKED


async def test_one_token_cannot_take_every_live_view(client: Client) -> None:
    opened = [
        await client.ws_connect("/api/live", headers=headers("alice"))
        for _ in range(MOST_PER_TOKEN)
    ]
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/api/live", headers=headers("alice"))
    assert refused.value.status == 429
    async with client.ws_connect("/api/live", headers=headers("supervisor")) as ws:
        await ws.receive_json()
    for ws in opened:
        await ws.close()


# ---------------------------------------------------------------- wrong tokens


async def test_wrong_tokens_are_slowed_and_right_ones_are_not(
    client: Client, monkeypatch: pytest.MonkeyPatch, house: World
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("callrouter.api.access.tokens.asyncio.sleep", sleep)
    wrong = {"Authorization": "Bearer something-guessed"}
    for _ in range(FREE + 5):
        answer = await client.get("/api/agents", headers=wrong)
        assert answer.status == 401
    assert slept.count(PAUSE) == 5
    before = len(slept)
    await get(client, "supervisor", "/api/agents")
    assert PAUSE not in slept[before:]
    assert house.backend.refusals.counts["unauthorized"] == FREE + 5


async def test_who_sends_no_token_is_no_guesser(
    client: Client, monkeypatch: pytest.MonkeyPatch, house: World
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("callrouter.api.access.tokens.asyncio.sleep", sleep)
    for _ in range(3 * FREE):
        assert (await client.get("/api/agents")).status == 401
    assert PAUSE not in slept
    assert house.backend.refusals.counts["unauthorized"] == 3 * FREE
    for _ in range(FREE + 1):
        await client.get("/api/agents", headers={"Authorization": "Basic YWRtaW46YWRtaW4="})
    assert slept.count(PAUSE) == 1


async def test_the_open_path_is_no_place_to_try_tokens_at(
    client: Client, monkeypatch: pytest.MonkeyPatch, house: World
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("callrouter.api.access.tokens.asyncio.sleep", sleep)
    for _ in range(FREE + 5):
        answer = await client.get("/healthz", headers={"Authorization": "Bearer something-guessed"})
        assert answer.status == 200
        assert "version" not in await answer.json()
    assert slept.count(PAUSE) == 5
    assert house.backend.refusals.counts["unauthorized"] == FREE + 5
    # A probe without a token is no guess, and one with a right token waits for nothing.
    before = len(slept)
    assert "version" in await get(client, "metrics", "/healthz")
    for _ in range(5):
        assert (await client.get("/healthz")).status == 200
    assert PAUSE not in slept[before:]
    assert house.backend.refusals.counts["unauthorized"] == FREE + 5


async def test_many_wrong_tokens_at_once_are_turned_away() -> None:
    delayed = Counter[str]()
    wrong = WrongTokens(delayed)
    wrong_of = [await wrong.refused("192.0.2.1") for _ in range(FREE)]
    assert not any(wrong_of)
    tries = [asyncio.create_task(wrong.refused("192.0.2.1")) for _ in range(20)]
    other = asyncio.create_task(wrong.refused("192.0.2.2"))
    answers = await asyncio.gather(*tries)
    assert answers.count(True) == 20 - MOST_OF_ONE
    assert await other is False
    assert delayed == {"wrong-tokens": 20}


def test_an_ipv6_subscriber_is_one_address() -> None:
    network = client_network
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9")
    assert network("2001:db8:1:2::1") != network("2001:db8:1:3::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert network(None) == ""


def test_a_caller_is_known_by_token_and_rights() -> None:
    tokens = ApiTokens(TOKENS.values())
    found = tokens.find(TOKENS["alice"].token)
    assert isinstance(found, ApiCaller)
    assert tokens.holds(found)
    assert "token" not in repr(found)
    tokens.use([])
    assert not tokens.holds(found)
