"""A page of another site opens a live view with a ticket: once, soon, and from its own origin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import DummyCookieJar, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access import tickets
from callrouter.api.access.auth import API_TOKENS
from callrouter.api.live import REVOKED
from tests.api.test_roles import TOKENS, headers
from tests.api.world import Client, World

PAGE = "https://intranet.example.com"


@pytest.fixture
def world() -> World:
    return World(tokens=tuple(TOKENS.values()))


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made:
        yield made
    world.close()


async def a_ticket(client: Client, who: str = "sales", origin: str = PAGE) -> str:
    answer = await client.post("/api/session/ticket", json={"origin": origin}, headers=headers(who))
    assert answer.status == 201, await answer.text()
    return str((await answer.json())["ticket"])


def watch(client: Client, ticket: str, origin: str | None = PAGE) -> Any:
    sent = {} if origin is None else {"Origin": origin}
    return client.ws_connect(f"/api/live?topics=queues&ticket={ticket}", headers=sent)


async def refused(client: Client, ticket: str, origin: str | None = PAGE) -> None:
    with pytest.raises(WSServerHandshakeError) as error:
        await watch(client, ticket, origin)
    assert error.value.status == 401


async def test_it_has_the_rights_of_who_asked_and_works_once(client: Client) -> None:
    ticket = await a_ticket(client)
    async with watch(client, ticket) as ws:
        state = await ws.receive_json(timeout=5)
        assert [queue["id"] for queue in state["queues"]] == ["sales"]
    await refused(client, ticket)


@pytest.mark.parametrize("origin", [None, "https://evil.example", f"{PAGE}:8443", "null"])
async def test_it_is_for_one_origin(client: Client, origin: str | None) -> None:
    ticket = await a_ticket(client)
    await refused(client, ticket, origin)
    await refused(client, ticket)  # a try from elsewhere uses it up


async def test_it_is_over_soon(client: Client, world: World) -> None:
    ticket = await a_ticket(client)
    world.clock.at += tickets.LASTS
    await refused(client, ticket)
    await refused(client, "guessed")
    await refused(client, "")


async def test_a_revoked_token_takes_its_tickets_and_views_along(
    client: Client, world: World
) -> None:
    first, second = await a_ticket(client), await a_ticket(client)
    async with watch(client, first) as ws:
        await ws.receive_json(timeout=5)
        world.app[API_TOKENS].use([TOKENS["supervisor"]])
        while not (message := await ws.receive(timeout=5)).type.name.startswith("CLOSE"):
            pass
        assert message.data == REVOKED
    await refused(client, second)


async def test_it_opens_nothing_else(client: Client) -> None:
    ticket = await a_ticket(client, "admin")
    for path in ("/api/agents", "/api/status", "/metrics"):
        answer = await client.get(f"{path}?ticket={ticket}", headers={"Origin": PAGE})
        assert answer.status == 401, path
    async with watch(client, ticket) as ws:
        await ws.receive_json(timeout=5)


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("HTTPS://Intranet.Example.com/", PAGE),
        (f"{PAGE}:443", PAGE),
        ("http://10.0.0.5:8081", "http://10.0.0.5:8081"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
async def test_an_origin_as_browsers_write_it(client: Client, origin: str, meant: str) -> None:
    async with watch(client, await a_ticket(client, origin=origin), meant) as ws:
        await ws.receive_json(timeout=5)


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "*", "intranet.example.com", f"{PAGE}/path", f"{PAGE}?q", "ftp://x", "https://a@b",
        "https://[x", "https://h:99999",
    ],
)  # fmt: skip
async def test_what_is_no_origin(client: Client, origin: str) -> None:
    answer = await client.post(
        "/api/session/ticket", json={"origin": origin}, headers=headers("admin")
    )
    assert answer.status == 422
    assert "https://intranet.example.com" in (await answer.json())["detail"]


async def test_they_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await a_ticket(client)
    last = [await a_ticket(client) for _ in range(tickets.MOST_OF_ONE)][-1]
    await refused(client, first)
    async with watch(client, last) as ws:
        await ws.receive_json(timeout=5)
    monkeypatch.setattr(tickets, "MOST", 2)
    oldest = await a_ticket(client, "alice")
    newer = [await a_ticket(client, who) for who in ("admin", "supervisor")]
    await refused(client, oldest)
    for ticket in newer:
        async with watch(client, ticket) as ws:
            await ws.receive_json(timeout=5)
