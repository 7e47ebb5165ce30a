from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.model.events import ConfigReloaded, LegEnd, LegEnded
from callrouter.model.notices import AgentNotified, AgentSignedIn
from callrouter.model.routing_table import Table
from tests.api.world import READER, TABLE, Client, World, members


async def test_an_agent_is_shown_whole(client: Client, world: World) -> None:
    world.in_step()
    answer = await client.get("/api/agents/alice")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert await answer.json() == {
        "id": "alice",
        "name": "Alice",
        "state": "offline",
        "reason": None,
        "since": "2025-11-21T21:53:07.000Z",
        "by": None,
        "by_at": None,
        "until": None,
        "then": None,
        "signed_in": False,
        "signed_in_at": None,
        "pending": None,
        "pending_by": None,
        "pause_reason": None,
        "wrap_up_s": None,
        "idle_s": None,
        "call": None,
        "calls": [],
        "calls_today": 0,
        "missed_in_a_row": 0,
        "capacity": 1,
        "queues": [{"id": "support", "priority": 1}],
        "devices": [
            {
                "id": "desk",
                "kind": "endpoint",
                "address": "PJSIP/1001",
                "addresses": {},
                "state": "idle",
                "enabled": True,
                "confirm": False,
                "trouble": None,
            },
            {
                "id": "mobile",
                "kind": "number",
                "address": "+44…123",
                "addresses": {},
                "state": "idle",
                "enabled": True,
                "confirm": True,
                "trouble": None,
            },
        ],
        "why_not": ["signed out"],
        "why_not_phrases": [{"code": "signed-out", "values": {}}],
        "messages": [],
        "messages_phrases": [],
    }


async def test_all_agents_by_id(client: Client) -> None:
    answer = await client.get("/api/agents")
    assert [view["id"] for view in await answer.json()] == ["alice", "bob", "front"]


async def test_the_states_an_agent_goes_through(client: Client, world: World) -> None:
    async def state() -> str:
        return str((await (await client.get("/api/agents/bob")).json())["state"])

    world.in_step()
    assert await state() == "offline"
    await client.post("/api/agents/bob/sign-in")
    assert await state() == "available"
    world.arrive("c1", queue="sales")
    assert await state() == "reserved"
    world.rang()
    assert await state() == "ringing"
    world.accept()
    assert await state() == "on-call"
    view = await (await client.get("/api/agents/bob")).json()
    assert view["call"] == "c1"
    assert view["calls_today"] == 1


async def test_pause_and_back(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("alice")
    answer = await client.post("/api/agents/alice/pause", json={"reason": "lunch"})
    view = await answer.json()
    assert (answer.status, view["state"], view["reason"]) == (200, "paused", "lunch")
    view = await (await client.post("/api/agents/alice/resume")).json()
    assert (view["state"], view["reason"]) == ("available", None)


async def test_who_asked_is_told(client: Client, world: World) -> None:
    await client.post("/api/agents/bob/sign-in")
    signed_in, told = world.notices[-2:]
    assert (type(signed_in), type(told)) == (AgentSignedIn, AgentNotified)
    assert getattr(signed_in, "by", "") == "crm"
    assert getattr(told, "message", "") == "signed in by crm"


async def test_during_a_call_it_is_pending(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1", queue="sales")
    world.accept()
    view = await (await client.post("/api/agents/bob/pause", json={"reason": "tea"})).json()
    assert (view["state"], view["pending"]) == ("on-call", "pause")
    view = await (await client.post("/api/agents/bob/sign-out")).json()
    assert (view["state"], view["pending"]) == ("on-call", "sign-out")
    world.hang_up("c1")
    view = await (await client.get("/api/agents/bob")).json()
    assert (view["state"], view["pending"]) == ("offline", None)


async def test_ready_ends_wrap_up(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    world.clock.at += 60
    world.hang_up("c1")
    view = await (await client.get("/api/agents/bob")).json()
    assert (view["state"], view["wrap_up_s"]) == ("wrap-up", 30.0)
    view = await (await client.post("/api/agents/bob/ready")).json()
    assert view["state"] == "available"


async def test_offline_although_signed_in_says_why(client: Client, world: World) -> None:
    world.sign_in("bob")
    view = await (await client.get("/api/agents/bob")).json()
    assert view["state"] == "offline"
    assert view["reason"] == "desk (office): office is not connected"
    assert view["devices"][0]["trouble"] == "office is not connected"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("front/sign-out", "front is always signed in (sign_in: always); pause instead"),
        ("bob/pause", "bob is not signed in"),
        ("bob/resume", "bob is not signed in"),
        ("bob/ready", "bob is not signed in"),
    ],
)
async def test_what_cannot_be_is_refused(client: Client, path: str, detail: str) -> None:
    answer = await client.post(f"/api/agents/{path}")
    assert answer.status == 409
    problem = await answer.json()
    assert problem["type"] == "urn:callrouter:problem:refused"
    assert problem["detail"] == detail


@pytest.mark.parametrize("method", ["get", "post"])
async def test_unknown_agent(client: Client, method: str) -> None:
    path = "/api/agents/nobody" + ("/pause" if method == "post" else "")
    answer = await client.request(method, path)
    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert await answer.json() == {
        "type": "urn:callrouter:problem:unknown-agent",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no agent 'nobody'",
    }


@pytest.mark.parametrize("language", ["ar", "zh-CN", "en-GB"])
async def test_a_page_in_another_language_gets_the_code_of_a_refusal(
    client: Client, language: str
) -> None:
    answer = await client.get("/api/agents/no-one", headers={"Accept-Language": language})
    problem = await answer.json()
    assert problem["detail"] == "there is no agent 'no-one'"
    code = {"code": "no-agent", "values": {"agent": "no-one"}}
    assert problem.get("detail_phrase") == (None if language == "en-GB" else code)


async def test_calls_of_before_a_restart_count_today(client: Client, world: World) -> None:
    """The core is given them back from the store; the API's own memory began with this process."""
    world.floor.agents["bob"].calls = 7
    answer = await client.get("/api/agents/bob")
    assert (await answer.json())["calls_today"] == 7


async def test_seconds_go_on_while_nothing_happens(client: Client, world: World) -> None:
    """The core's own time is that of the last event; an answer counts up to the request."""
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    world.hang_up("c1")
    for passed, left in ((0, 30.0), (12, 18.0), (5, 13.0)):
        world.clock.at += passed
        view = await (await client.get("/api/agents/bob")).json()
        assert view["wrap_up_s"] == left
        assert view["why_not"] == [f"in wrap-up for {left:.0f} s more"]
        why = await (await client.get("/api/agents/bob/why-not")).json()
        assert why["reasons"] == view["why_not"]


async def test_the_rest_of_a_phones_cooldown_goes_on_while_nothing_happens(
    client: Client, world: World
) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    ring = world.ring()
    world.runtime.post(LegEnded(offer=ring.offer, device=ring.device, why=LegEnd.UNREACHABLE))
    [cooldown] = world.floor.cooldowns.values()
    for passed in (0, 2):
        world.clock.at += passed
        view = await (await client.get("/api/agents/bob")).json()
        rest = f"{cooldown - world.clock.at:.0f} s"
        assert view["state"] == "offline"
        assert view["reason"].endswith(rest)
        assert view["devices"][0]["trouble"].endswith(rest)
        assert view["why_not"][0].endswith(rest)


async def test_an_agent_who_was_removed_is_there_until_the_call_is_over(
    client: Client, world: World
) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    agents = {name: spec for name, spec in TABLE.agents.items() if name != "bob"}
    queues = {name: replace(spec, members=members("alice")) for name, spec in TABLE.queues.items()}
    world.runtime.post(ConfigReloaded(table=Table(agents=agents, queues=queues)))
    for path in ("", "/devices", "/why-not"):
        assert (await client.get(f"/api/agents/bob{path}")).status == 200
    assert "bob" in [view["id"] for view in await (await client.get("/api/agents")).json()]
    world.hang_up("c1")
    for path in ("", "/devices", "/why-not"):
        answer = await client.get(f"/api/agents/bob{path}")
        assert (answer.status, (await answer.json())["type"]) == (
            404,
            "urn:callrouter:problem:unknown-agent",
        )


async def test_a_supervisor_writes_to_an_agent(client: Client, world: World) -> None:
    path = "/api/agents/alice/message"
    answer = await client.post(path, json={"text": " Please call me "})
    assert answer.status == 200
    assert [item["text"] for item in (await answer.json())["messages"]] == ["crm: Please call me"]
    for body, part in (
        ({}, "say what"),
        ({"text": " "}, "say what"),
        ({"text": "x" * 201}, "200 characters"),
        ({"text": "two\nlines"}, "one line"),
        ({"to": "bob"}, "the fields here: text"),
    ):
        answer = await client.post(path, json=body)
        assert answer.status == 422
        assert part in (await answer.json())["detail"]
    assert (await client.post("/api/agents/nemo/message", json={"text": "hi"})).status == 404
    answer = await client.post(path, json={"text": "hi"}, headers=READER)
    assert answer.status == 403
    assert len(world.floor.agents["alice"].messages) == 1
