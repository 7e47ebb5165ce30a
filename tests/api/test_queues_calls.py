from __future__ import annotations

import json
from typing import Any

import pytest

from callrouter.api.notice_text import log_line
from callrouter.model.call_notices import CallCompleted
from callrouter.model.commands import Leave
from callrouter.model.events import CallArrived, PbxLost, PbxSnapshot, SeenCall, TimePassed
from callrouter.model.routing_table import HangUp
from callrouter.reports.service_level import Target
from tests.api.world import Client, World


async def get(client: Client, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_a_queue_with_nobody(client: Client, world: World) -> None:
    view = await get(client, "/api/queues/sales")
    assert view == {
        "id": "sales",
        "name": "Sales",
        "policy": ["longest-idle"],
        "waiting": [],
        "free": 0,
        "longest_wait_s": 0.0,
        "talking": 0,
        "agents": {
            "offline": ["bob"],
            "available": [],
            "reserved": [],
            "ringing": [],
            "on-call": [],
            "wrap-up": [],
            "paused": [],
        },
        "today": {
            "entered": 0,
            "answered": 0,
            "abandoned": 0,
            "left": 0,
            "longest_wait_s": 0.0,
        },
        "service_level": {"within_s": 20.0, "target": None, "percent": None},
    }


async def test_who_waits(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c1", number="+442079460018", name="Ann")
    world.clock.at += 5
    world.arrive("c2", number="")
    world.sign_in("bob")
    world.clock.at += 2
    first, second = (await get(client, "/api/queues/support"))["waiting"]
    assert first == {
        "call": "c1",
        "position": 1,
        "caller_number": "+442079460018",
        "caller_name": "Ann",
        "priority": 50,
        "wait_s": 7.0,
        "state": "ringing",
        "ringing": ["bob"],
    }
    assert (second["position"], second["state"], second["wait_s"]) == (2, "waiting", 2.0)


async def test_the_day_is_counted(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.clock.at += 3
    world.accept()
    world.arrive("c2")
    world.clock.at += 9
    world.hang_up("c2")
    world.targets["support"] = Target(within=3.0, percent=80)
    found = await get(client, "/api/queues/support")
    today = found["today"]
    assert today == {
        "entered": 2,
        "answered": 1,
        "abandoned": 1,
        "left": 0,
        "longest_wait_s": 9.0,
    }
    assert found["service_level"] == {"within_s": 3.0, "target": 80, "percent": 50.0}
    world.clock.at += 3 * 3600  # past midnight in UTC
    assert (await get(client, "/api/queues/support"))["today"]["entered"] == 0
    now = world.clock.now()
    world.runtime.router.handle(TimePassed(), now, now)  # as the timer for midnight does
    assert (await get(client, "/api/agents/bob"))["calls_today"] == 0


async def test_all_queues(client: Client) -> None:
    assert [view["id"] for view in await get(client, "/api/queues")] == ["sales", "support"]


async def test_a_call_from_entry_to_end(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c1", name="Ann")
    view = await get(client, "/api/calls/c1")
    assert (view["state"], view["position"], view["agent"]) == ("waiting", 1, None)
    assert view["entered_at"] == "2025-11-21T21:53:07.000Z"
    world.sign_in("bob")
    view = await get(client, "/api/calls/c1")
    assert view["state"] == "ringing"
    assert view["offers"][0]["agent"] == "bob"
    assert view["offers"][0]["devices"] == {"desk": "placed"}
    world.clock.at += 2
    world.accept()
    world.clock.at += 10
    view = await get(client, "/api/calls/c1")
    assert (view["state"], view["agent"]) == ("talking", "bob")
    assert (view["wait_s"], view["talk_s"], view["position"]) == (2.0, 10.0, None)
    world.hang_up("c1")
    view = await get(client, "/api/calls/c1")
    assert (view["state"], view["agent"], view["caller_name"]) == ("completed", "bob", "Ann")
    assert (view["wait_s"], view["talk_s"]) == (2.0, 10.0)
    assert view["ended_at"] == "2025-11-21T21:53:19.000Z"
    kinds = [item["kind"] for item in view["decisions"]]
    assert kinds == ["entered", "offered", "rang", "accepted", "connected", "completed", "wrap-up"]


async def test_live_and_ended_calls(client: Client, world: World) -> None:
    world.in_step()
    for name in ("c1", "c2", "c3"):
        world.arrive(name)
        world.clock.at += 1
    world.hang_up("c1")
    assert [c["id"] for c in await get(client, "/api/calls")] == ["c2", "c3", "c1"]
    assert [c["id"] for c in await get(client, "/api/calls?only=live")] == ["c2", "c3"]
    assert [c["id"] for c in await get(client, "/api/calls?only=ended")] == ["c1"]
    assert (await client.get("/api/calls?only=dead")).status == 422


async def test_live_and_ended_have_the_same_keys(client: Client, world: World) -> None:
    world.arrive("c1")
    world.arrive("c2")
    world.hang_up("c1")
    live, ended = await get(client, "/api/calls")
    assert live.keys() == ended.keys()


async def test_move_to_another_queue(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c1")
    answer = await client.post("/api/calls/c1/move", json={"queue": "sales", "priority": 1})
    view = await answer.json()
    assert (answer.status, view["queue"], view["priority"]) == (200, "sales", 1)
    assert view["decisions"][-1]["kind"] == "moved"
    world.hang_up("c1")
    ended = await get(client, "/api/calls/c1")
    assert (ended["state"], ended["priority"]) == ("abandoned", 1)


async def test_move_to_an_agent(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c1")
    answer = await client.post("/api/calls/c1/move", json={"agent": "bob"})
    assert answer.status == 200
    world.sign_in("alice", "bob")
    assert world.floor.calls["c1"].state.value == "waiting"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "wrong-body"),
        ({"queue": "nowhere"}, "unknown-queue"),
        ({"agent": "nobody"}, "unknown-agent"),
        ({"queue": "sales", "agent": "alice"}, "unknown-agent"),
        ({"priority": 0}, "wrong-priority"),
        ({"priority": 101}, "wrong-priority"),
        ({"priority": "1"}, "wrong-type"),
        ({"priority": True}, "wrong-type"),
        ({"priority": 1.5}, "wrong-type"),
        ({"queue": None}, "wrong-type"),
        ({"qeue": "sales"}, "unknown-field"),
    ],
)
async def test_a_move_that_cannot_be(
    client: Client, world: World, body: dict[str, Any], kind: str
) -> None:
    world.arrive("c1")
    answer = await client.post("/api/calls/c1/move", json=body)
    assert answer.status == 422
    assert (await answer.json())["type"] == f"urn:callrouter:problem:{kind}"
    assert world.floor.calls["c1"].queue.id == "support"


async def test_a_waiting_call_is_ended(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c1")
    answer = await client.delete("/api/calls/c1")
    view = await answer.json()
    assert (answer.status, view["state"], view["result"]) == (200, "left", "ended")
    leave = world.pbx.commands[-1]
    assert isinstance(leave, Leave)
    assert leave.target == HangUp()


async def test_end_a_conversation(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    answer = await client.delete("/api/calls/c1")
    assert (answer.status, (await answer.json())["state"]) == (200, "completed")
    leave = next(c for c in world.pbx.commands if isinstance(c, Leave))
    assert (leave.call, leave.target) == ("c1", HangUp())
    [over] = [r for r in world.notices if isinstance(r, CallCompleted)]
    assert over.ended_by == "crm"
    assert "ended by crm" in log_line(over)
    why = await (await client.get("/api/calls/c1/why")).json()
    assert any("crm ended the call" in json.dumps(step) for step in why["steps"])


async def test_a_conversation_cannot_be_ended_while_its_pbx_is_away(
    client: Client, world: World
) -> None:
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    world.runtime.post(PbxLost(pbx="office", why="cut"))
    answer = await client.delete("/api/calls/c1")
    assert answer.status == 409
    assert "office is not connected" in (await answer.json())["detail"]


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/move")])
async def test_only_a_call_that_is_on(client: Client, world: World, method: str, path: str) -> None:
    body = {"priority": 2} if path else None
    world.in_step()
    world.sign_in("bob")
    world.arrive("c1")
    world.accept()
    if path:
        answer = await client.request(method, f"/api/calls/c1{path}", json=body)
        assert answer.status == 409
        assert (await answer.json())["type"].endswith(":not-waiting")
    world.hang_up("c1")
    answer = await client.request(method, f"/api/calls/c1{path}", json=body)
    assert (await answer.json())["type"].endswith(":call-over")
    answer = await client.request(method, f"/api/calls/none{path}", json=body)
    assert (answer.status, (await answer.json())["type"]) == (
        404,
        "urn:callrouter:problem:unknown-call",
    )


@pytest.mark.parametrize("path", ["queues/none", "calls/none"])
async def test_unknown(client: Client, path: str) -> None:
    assert (await client.get(f"/api/{path}")).status == 404


async def test_a_caller_who_was_found_waiting_is_shown_like_any_other(
    client: Client, world: World
) -> None:
    arrived = CallArrived(
        call="office-1.1", pbx="office", queue="support", caller_number="+447700900123"
    )
    world.runtime.post(PbxSnapshot(pbx="office", calls=(SeenCall(arrived=arrived, talking_to=""),)))
    (seen,) = await get(client, "/api/calls")
    assert (seen["id"], seen["caller_number"]) == ("office-1.1", "+447700900123")
    assert world.runtime.faults == 0
