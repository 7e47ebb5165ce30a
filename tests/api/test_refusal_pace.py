"""Refusals that come too fast are delayed; what is granted never is."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.server import refusal_pace
from callrouter.api.server.refusal_pace import RefusalPace
from callrouter.http_keys import KNOWN
from tests.api.world import READER, Client, World

WRONG = {"Authorization": "Bearer something-guessed"}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays, which take no time."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr("callrouter.api.server.refusal_pace.asyncio.sleep", sleep)
    monkeypatch.setattr(refusal_pace, "PER_SECOND", 0.0)
    return delays


async def test_a_burst_is_answered_at_once_and_more_is_delayed(slept: list[float]) -> None:
    delayed = Counter[str]()
    pace = RefusalPace(delayed)
    for _ in range(int(refusal_pace.BURST)):
        await pace.pause()
    assert slept == []
    for _ in range(10):
        await pace.pause()
    assert slept == [refusal_pace.DELAY] * 10
    assert delayed == {"refusals": 10}


async def test_no_more_wait_than_there_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_pace, "BURST", 0.0)
    monkeypatch.setattr(refusal_pace, "MOST_DELAYED", 3)
    pace = RefusalPace(Counter())
    tasks = [asyncio.ensure_future(pace.pause()) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [False, False, False, True, True]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def refuse(request: web.Request) -> web.Response:
    """A driver's route that knows some requests, and refuses all."""
    request[KNOWN] = request.query.get("signed") == "yes"
    return web.Response(status=int(request.query["status"]))


@pytest.mark.parametrize(
    ("query", "delayed"),
    [
        ("status=403", True),
        ("status=400", True),
        ("status=413", True),
        ("status=415", True),
        ("status=200", False),
        ("status=400&signed=yes", False),
        ("status=403&signed=yes", False),
    ],
)
async def test_a_webhook_that_no_signature_proves(
    slept: list[float], monkeypatch: pytest.MonkeyPatch, query: str, *, delayed: bool
) -> None:
    monkeypatch.setattr(refusal_pace, "BURST", 0.0)
    world = World(doors=[web.post("/twilio/cloud/voice", refuse)])
    async with TestClient(TestServer(world.app)) as stranger:
        await stranger.post(f"/twilio/cloud/voice?{query}", data=b"a=b")
    world.close()
    assert (refusal_pace.DELAY in slept) == delayed


async def test_only_floods_and_what_a_token_may_not_have_are_delayed(
    slept: list[float],
    client: Client,
    stranger: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusal_pace, "BURST", 0.0)
    statuses = []
    for path in ("agents", "agents/none", "nothing"):
        statuses.append((await client.get(f"/api/{path}")).status)
        statuses.append((await stranger.get(f"/api/{path}")).status)
    assert statuses == [200, 401, 404, 401, 404, 401]
    statuses.append((await stranger.get("/api/agents", headers=WRONG)).status)
    assert statuses[-1] == 401
    assert slept == []
    assert (await stranger.post("/api/config/reload", headers=READER)).status == 403
    assert slept == [refusal_pace.DELAY]
    monkeypatch.setattr("callrouter.api.shared_answers.BURST", 0.5)
    assert (await client.get("/api/agents")).status == 429
    assert slept == [refusal_pace.DELAY] * 2


async def test_what_few_are_refused_is_answered_at_once(
    slept: list[float], stranger: Client
) -> None:
    """An honest program's mistakes, one after the other."""
    for _ in range(20):
        assert (await stranger.get("/api/config/diff", headers=READER)).status == 403
    assert slept == []
