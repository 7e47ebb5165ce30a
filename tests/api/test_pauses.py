"""Reasons for pauses, who did it, until when, and what agents are told, as the API shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from callrouter.model.events import DeviceSwitchRequested, PauseRequested, TimePassed
from callrouter.model.routing_table import PauseEnd, PauseSpec
from tests.api.world import SUPERVISOR, TABLE, Client, World

PAUSES = {
    spec.reason: spec
    for spec in (
        PauseSpec(reason="lunch", longest=2700.0, then=PauseEnd.RESUME, default=True),
        PauseSpec(reason="short", longest=600.0),
        PauseSpec(reason="meeting"),
    )
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(table=replace(TABLE, pauses=PAUSES))
    made.in_step()
    made.sign_in("alice")
    yield made
    made.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), headers=SUPERVISOR) as made:
        yield made


async def test_an_unknown_reason_is_refused_and_the_reasons_are_named(client: Client) -> None:
    answer = await client.post("/api/agents/alice/pause", json={"reason": "lnuch"})
    assert answer.status == 422
    assert answer.content_type == "application/problem+json"
    problem = await answer.json()
    assert problem["type"] == "urn:callrouter:problem:unknown-reason"
    assert problem["detail"] == (
        "there is no pause reason 'lnuch'; did you mean 'lunch'? "
        "the reasons are: lunch, short, meeting"
    )
    assert (await (await client.get("/api/agents/alice")).json())["state"] == "available"


async def test_the_reasons_there_are(client: Client) -> None:
    assert await (await client.get("/api/pauses")).json() == [
        {"reason": "lunch", "longest_s": 2700.0, "then": "resume", "default": True},
        {"reason": "short", "longest_s": 600.0, "then": "tell", "default": False},
        {"reason": "meeting", "longest_s": None, "then": None, "default": False},
    ]


async def test_who_paused_an_agent_and_until_when(client: Client, world: World) -> None:
    world.clock.at += 60
    view = await (await client.post("/api/agents/alice/pause")).json()
    assert (view["state"], view["reason"], view["by"]) == ("paused", "lunch", "crm")
    assert view["by_at"] == "2025-11-21T21:54:07.000Z"
    assert (view["until"], view["then"]) == ("2025-11-21T22:39:07.000Z", "resume")
    assert view["why_not"] == ["paused by crm at 21:54: lunch"]
    values = {"by": "crm", "at": "21:54", "reason": "lunch"}
    assert view["why_not_phrases"] == [{"code": "paused-by-for", "values": values}]
    assert view["messages"] == [{"at": "2025-11-21T21:54:07.000Z", "text": "paused by crm: lunch"}]
    world.clock.at += 2700
    world.runtime.post(TimePassed())
    view = await (await client.get("/api/agents/alice")).json()
    assert (view["state"], view["by"], view["until"]) == ("available", "callrouter", None)
    assert view["messages"][-1]["text"].startswith("the pause 'lunch' has lasted 45 min")


async def test_a_pause_without_a_length_has_no_end(client: Client, world: World) -> None:
    world.runtime.post(PauseRequested(agent="alice", reason="meeting", by="alice"))
    view = await (await client.get("/api/agents/alice")).json()
    assert (view["until"], view["then"]) == (None, None)
    assert view["why_not"] == ["paused: meeting"]


async def test_who_asked_for_what_is_pending(client: Client, world: World) -> None:
    world.arrive("c1")
    world.accept()
    view = await (await client.post("/api/agents/alice/sign-out")).json()
    assert (view["state"], view["pending"], view["pending_by"]) == ("on-call", "sign-out", "crm")
    assert "signing out after this call, asked for by crm" in view["why_not"]
    world.hang_up("c1")
    view = await (await client.get("/api/agents/alice")).json()
    assert (view["state"], view["pending"], view["by"]) == ("offline", None, "crm")
    assert view["why_not"] == ["signed out by crm at 21:53"]


async def test_the_wrap_up_has_an_end(client: Client, world: World) -> None:
    world.arrive("c1")
    world.accept()
    world.hang_up("c1")
    view = await (await client.get("/api/agents/alice")).json()
    assert (view["state"], view["until"], view["then"]) == (
        "wrap-up", "2025-11-21T21:53:37.000Z", "ready",
    )  # fmt: skip


async def test_a_device_that_is_switched_off(client: Client, world: World) -> None:
    world.runtime.post(DeviceSwitchRequested(agent="alice", device="mobile", on=False, by="alice"))
    _, mobile = (await (await client.get("/api/agents/alice")).json())["devices"]
    assert (mobile["enabled"], mobile["trouble"]) == (False, "switched off by alice")


async def test_why_not_says_of_each_device_what_is_wrong(client: Client, world: World) -> None:
    for device in ("desk", "mobile"):
        world.runtime.post(DeviceSwitchRequested(agent="alice", device=device, on=False, by="sam"))
    view = await (await client.get("/api/agents/alice/why-not")).json()
    assert view["reasons"] == [
        "desk (office): switched off by sam",
        "mobile (office): switched off by sam",
    ]
