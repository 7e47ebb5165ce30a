"""Every operation, person and thing (own, or another's), with the cookie of a session as pages send it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, DummyCookieJar, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.sessions import COOKIE, Opened, csrf_token
from tests.api.test_roles import BODIES, OPEN, THINGS, allowed, filled_in, operations
from tests.api.test_sessions import HASHER, PASSWORD, PIN, origin, problem
from tests.api.world import Client, World
from tests.settings.cases import loaded

FILES = """
agents:
  alice: {{pin: "{pin}", devices: {{desk: PJSIP/1001}}}}
  bob: {{pin: "{pin}", devices: {{desk: PJSIP/1002}}}}
queues:
  support: {{agents: [alice, bob]}}
  sales: {{agents: [bob]}}
users:
  sales: {{role: supervisor, queues: [sales], password: "{password}"}}
  supervisor: {{role: supervisor, password: "{password}"}}
  admin: {{role: admin, password: "{password}"}}
"""
WHO = ("alice", "sales", "supervisor", "admin")
FOREIGN = "https://evil.example"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A call of alice's, and one in line for each queue; as in `test_roles`."""
    text = FILES.format(pin=HASHER.hash(PIN), password=HASHER.hash(PASSWORD))
    made = World(settings=loaded(tmp_path, agents=text, queues=""))
    made.in_step()
    made.sign_in("alice")
    made.arrive("own", "support")
    made.rang()
    made.accept()
    made.arrive("support-waits", "support")
    made.arrive("sales-waits", "sales")
    yield made
    made.close()


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made:
        yield made


def session(world: World, who: str) -> Opened:
    person = world.people.of(who)
    assert person is not None
    return world.sessions.begin(person, "", "")


async def ask(
    client: Client, world: World, who: str, what: tuple[str, str, dict[str, Any], str], **sent: str
) -> ClientResponse:
    """Send an operation with a session of its own, since some of them end it."""
    method, path, operation, thing = what
    name = THINGS.get(operation.get("x-own", ""), {}).get(thing, "alice")
    where = filled_in(path, name)
    secret = session(world, who).secret
    headers = {"Cookie": f"{COOKIE}={secret}", "Origin": origin(client)}
    if method != "GET":
        headers["X-CSRF-Token"] = csrf_token(secret)
    body = BODIES.get(path.rpartition("/")[2]) if method in {"POST", "PATCH"} else None
    return await client.request(method, where, headers=headers | sent, json=body)


def closed() -> list[tuple[str, str, dict[str, Any]]]:
    return [one for one in operations() if one[:2] not in OPEN and one[1] != "/api/live"]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("thing", ["own", "sales"])
async def test_the_matrix(client: Client, world: World, who: str, thing: str) -> None:
    """A person may what a token of the role may, and no more."""
    wrong = []
    for operation in closed():
        answer = await ask(client, world, who, (*operation, thing))
        expected = allowed(who, operation[2], thing)
        if expected == (answer.status == 403) or answer.status in {401, 500}:
            wrong.append((*operation[:2], answer.status, await answer.text()))
    assert wrong == []


async def test_no_change_from_another_page(client: Client, world: World) -> None:
    """Whatever an admin may change needs our page's Origin, and the token that only our pages know."""
    before = world.notices.copy()
    for operation in closed():
        if operation[0] == "GET":
            continue
        what = (*operation, "own")
        for sent, kind in (
            ({"Origin": FOREIGN}, "wrong-origin"),
            ({"Origin": "null"}, "wrong-origin"),
            ({"X-CSRF-Token": ""}, "no-csrf-token"),
            ({"X-CSRF-Token": csrf_token("another")}, "no-csrf-token"),
        ):
            answer = await ask(client, world, "admin", what, **sent)
            assert await problem(answer) == (403, kind), operation[:2]
    assert world.notices == before, "nothing has happened"


async def test_no_view_from_another_page(client: Client, world: World) -> None:
    cookie = {"Cookie": f"{COOKIE}={session(world, 'admin').secret}"}
    for sent in ({"Origin": FOREIGN}, {"Origin": "null"}, {}):
        with pytest.raises(WSServerHandshakeError) as error:
            await client.ws_connect("/api/live?topics=calls", headers=cookie | sent)
        assert error.value.status == 403


async def test_a_session_that_is_over_opens_nothing(client: Client, world: World) -> None:
    opened = session(world, "admin")
    world.sessions.end(opened.row.id)
    headers = {
        "Cookie": f"{COOKIE}={opened.secret}",
        "Origin": origin(client),
        "X-CSRF-Token": csrf_token(opened.secret),
    }
    for method, path, _ in closed():
        answer = await client.request(method, filled_in(path, "alice"), headers=headers)
        assert answer.status == 401, path
