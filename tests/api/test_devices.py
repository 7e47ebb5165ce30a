"""Agents' phones over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api import shared_answers
from callrouter.api.json_values import moment
from callrouter.api.openapi import document
from callrouter.mobiles.mobile_records import Approval
from tests.api.world import READER, SUPERVISOR, Client
from tests.mobiles.floor import ALICE, BOB, SALES, Floor, settings_for

NUMBER = "+447400123456"


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    made = Floor(settings_for(tmp_path))
    yield made
    await made.close()


@pytest.fixture
async def client(floor: Floor) -> AsyncIterator[Client]:
    async with TestClient(TestServer(floor.world.app), headers=ALICE) as made:
        yield made


async def ask(client: Client, method: str, path: str, status: int, **more: Any) -> Any:
    answer = await client.request(method, f"/api/agents/{path}", **more)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_from_the_number_to_in_use(client: Client, floor: Floor) -> None:
    body = {"number": "07400 123456", "ring_after": "10s", "hours": "mon-fri 08:00-18:00"}
    made = await ask(client, "POST", "alice/devices", 201, json=body)
    assert made["device"]["status"] == "unverified"
    assert made["device"]["address"] == NUMBER
    assert made["expires_at"] == moment(floor.world.clock.at + 600)
    floor.pbx.answer()
    floor.pbx.key(made["code"])
    desk, mobile = await ask(client, "GET", "alice/devices", 200)
    assert (desk["source"], desk["address"], desk["enabled"]) == (
        *("configuration", "PJSIP/1001", True),
    )
    assert (mobile["source"], mobile["status"], mobile["address"]) == (
        *("registered", "in-use", NUMBER),
    )
    assert (mobile["ring_after_s"], mobile["hours"]) == (10.0, "mon-fri 08:00-18:00")
    assert mobile["confirm"] is True
    schema = document()["components"]["schemas"]["OwnDevice"]
    for device in (desk, mobile, made["device"]):
        assert set(schema["required"]) <= device.keys() <= schema["properties"].keys()


async def test_change_switch_and_remove(client: Client, floor: Floor) -> None:
    made = await ask(client, "POST", "alice/devices", 201, json={"number": NUMBER})
    floor.pbx.answer()
    floor.pbx.key(made["code"])
    path = "alice/devices/mobile"
    body = {"enabled": False, "ring_after": 5, "order": 3, "hours": ""}
    made = await ask(client, "PATCH", path, 200, json=body)
    assert made["device"]["enabled"] is False
    assert (made["device"]["ring_after_s"], made["device"]["order"]) == (5.0, 3)
    assert list(floor.world.floor.agents["alice"].devices_off) == ["mobile"]
    await ask(client, "PATCH", "alice/devices/desk", 200, json={"enabled": False})
    assert set(floor.world.floor.agents["alice"].devices_off) == {"mobile", "desk"}
    made = await ask(client, "PATCH", "alice/devices/desk", 409, json={"order": 1})
    assert made["detail"] == "desk is in the configuration; change it there"
    await ask(client, "DELETE", path, 200)
    await ask(client, "DELETE", path, 404)
    assert floor.devices("alice") == ["desk"]


async def test_the_call_again_and_a_supervisors_word(tmp_path: Path) -> None:
    floor = Floor(settings_for(tmp_path, approval=Approval.SUPERVISOR))
    async with TestClient(TestServer(floor.world.app), headers=ALICE) as client:
        made = await ask(client, "POST", "alice/devices", 201, json={"number": NUMBER})
        await ask(client, "POST", "alice/devices/mobile/verify", 409)
        floor.pbx.answer()
        floor.pbx.key("")
        again = await ask(client, "POST", "alice/devices/mobile/verify", 200)
        assert again["code"]
        floor.pbx.answer()
        floor.pbx.key(again["code"])
        device = (await ask(client, "GET", "alice/devices", 200))[1]
        assert (device["status"], device["trouble"]) == ("waiting", "waiting for a supervisor")
        vouch = {"json": {"vouch": True}}
        path = "alice/devices/mobile/verify"
        assert (await ask(client, "POST", path, 403, **vouch))["type"].endswith("not-allowed")
        done = await ask(client, "POST", path, 200, headers=SUPERVISOR, **vouch)
        assert done["device"]["approved_by"] == "crm"
        assert done["code"] is None
        steps = (await ask(client, "GET", "alice/audit", 200))["steps"]
        assert [step["what"] for step in steps][:2] == ["approved", "refused"]
        assert {step["number"] for step in steps} == {"+44…456"}
        assert made["code"] not in str(steps)
    await floor.close()


async def test_what_waits_for_a_supervisor_in_one_list(tmp_path: Path) -> None:
    floor = Floor(settings_for(tmp_path, approval=Approval.SUPERVISOR))
    async with TestClient(TestServer(floor.world.app), headers=SUPERVISOR) as client:

        async def listed(query: str = "", status: int = 200) -> Any:
            answer = await client.get(f"/api/mobiles{query}")
            assert answer.status == status, await answer.text()
            return await answer.json()

        assert await listed() == []
        made = await ask(
            client, "POST", "alice/devices", 201, json={"number": NUMBER}, headers=ALICE
        )
        assert await listed("?status=waiting") == []
        [found] = await listed("?status=unverified")
        assert (found["agent"], found["agent_name"], found["address"]) == ("alice", "alice", NUMBER)
        floor.pbx.answer()
        floor.pbx.key(made["code"])
        [found] = await listed("?status=waiting")
        assert (found["added_by"], found["verified_at"] is not None) == ("alice-app", True)
        assert await listed("?status=in-use") == []
        assert "must be one of" in (await listed("?status=lost", 422))["detail"]
        path = "alice/devices/mobile/reject"
        body = {"json": {"reason": "not a company phone"}}
        assert (await ask(client, "POST", path, 403, headers=ALICE, **body))["type"].endswith(
            "not-allowed"
        )
        done = await ask(client, "POST", path, 200, **body)
        assert (done["device"], done["text"]) == (None, "mobile is rejected")
        assert await listed() == []
        told = floor.world.floor.agents["alice"].messages[-1][1]
        assert told == "crm: your mobile mobile was not accepted: not a company phone"
        steps = (await ask(client, "GET", "alice/audit", 200))["steps"]
        assert (steps[0]["what"], steps[0]["detail"]) == ("rejected", "not a company phone")
        await ask(client, "POST", path, 404, **body)
    await floor.close()


async def test_a_limited_supervisor_approves_only_for_own_agents(tmp_path: Path) -> None:
    extra = "\nqueues:\n  sales: {agents: [bob]}\n  support: {agents: [alice, bob]}\n"
    floor = Floor(settings_for(tmp_path, queues=extra, approval=Approval.SUPERVISOR))
    async with TestClient(TestServer(floor.world.app), headers=SALES) as client:
        for headers, number in ((ALICE, NUMBER), (BOB, "+447400123457")):
            who = "alice" if headers is ALICE else "bob"
            await ask(
                client, "POST", f"{who}/devices", 201, json={"number": number}, headers=headers
            )
        found = await (await client.get("/api/mobiles")).json()
        assert [item["agent"] for item in found] == ["bob"]
        vouch: dict[str, Any] = {"json": {"vouch": True}}
        await ask(client, "POST", "alice/devices/mobile/verify", 403, **vouch)
        await ask(client, "POST", "alice/devices/mobile/reject", 403, json={})
        await ask(client, "POST", "bob/devices/mobile/verify", 200, **vouch)
        for path in ("alice/message", "alice/sign-out", "alice/pause"):
            await ask(client, "POST", path, 403, json={})
    await floor.close()


async def test_whose_devices_they_are(client: Client, floor: Floor) -> None:
    for headers in (BOB, READER):
        for method, path in (
            ("POST", "alice/devices"),
            ("PATCH", "alice/devices/desk"),
            ("DELETE", "alice/devices/desk"),
            ("POST", "alice/devices/desk/verify"),
            ("GET", "alice/devices"),
            ("GET", "alice/audit"),
        ):
            body: dict[str, Any] = (
                {"json": {"number": NUMBER}} if (method, path[-1]) == ("POST", "s") else {}
            )
            body = {"json": {"enabled": False}} if method == "PATCH" else body
            answer = await ask(client, method, path, 403, headers=headers, **body)
            assert answer["type"] == "urn:callrouter:problem:not-yours"
    assert floor.mobiles.status()["refused"] == {"not-yours": 8}
    assert [row.who for row in floor.store.audit] == ["bob-app"] * 4 + ["wall"] * 4
    assert floor.pbx.called == []
    made = await ask(
        client, "POST", "alice/devices", 201, json={"number": NUMBER}, headers=SUPERVISOR
    )
    assert made["device"]["added_by"] == "crm"


async def test_an_agents_token_acts_for_its_agent(client: Client, floor: Floor) -> None:
    await ask(client, "POST", "alice/sign-in", 200)
    answer = await ask(client, "POST", "bob/sign-in", 403)
    assert answer["detail"] == "'alice-app' has role agent and may only act for alice"
    answer = await client.delete("/api/calls/alice")
    assert answer.status == 403
    assert not floor.world.floor.agents["bob"].signed_in


async def test_numbers_of_others_are_masked(client: Client, floor: Floor) -> None:
    bob = await ask(client, "GET", "bob", 200, headers=SUPERVISOR)
    assert bob["devices"][1]["address"] == "+44…999"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({}, 422, "wrong-body"),
        ({"number": "09098 790000"}, 422, "premium"),
        ({"number": "+44&PJSIP/1001"}, 422, "not-a-number"),
        ({"number": "+8816123456"}, 422, "satellite"),
        ({"number": NUMBER + "\n"}, 422, "wrong-text"),
        ({"number": 447400123456}, 422, "wrong-type"),
        ({"number": NUMBER, "ring_after": "soon"}, 422, "wrong-type"),
        ({"number": NUMBER, "ring_after": True}, 422, "wrong-type"),
        ({"number": NUMBER, "ring_after": 1e9}, 422, "wrong-value"),
        ({"number": NUMBER, "hours": "someday"}, 422, "wrong-value"),
        ({"number": NUMBER, "id": "desk"}, 409, "known"),
        ({"number": NUMBER, "id": "../x"}, 422, "wrong-name"),
        ({"number": "+447400999999"}, 409, "taken"),
        ({"number": NUMBER, "vouch": True}, 403, "not-allowed"),
        ({"number": NUMBER, "vouch": "yes"}, 422, "wrong-type"),
        ({"number": NUMBER, "more": 1}, 422, "unknown-field"),
    ],
)
async def test_refused_in_words(
    client: Client, floor: Floor, body: dict[str, Any], status: int, kind: str
) -> None:
    answer = await ask(client, "POST", "alice/devices", status, json=body)
    assert answer["type"] == f"urn:callrouter:problem:{kind}"
    assert len(answer["detail"]) > 10
    assert floor.pbx.called == []


async def test_limits_and_a_pbx_that_is_away(client: Client, floor: Floor) -> None:
    for n in range(6):
        status = 201 if n < 5 else 429
        await ask(client, "POST", "alice/devices", status, json={"number": NUMBER})
        floor.pbx.answer()
        floor.pbx.key("")
    floor.world.floor.up.clear()
    answer = await ask(client, "POST", "bob/devices", 503, json={"number": NUMBER}, headers=BOB)
    assert answer["detail"] == "no PBX can place the verification call now"


async def test_where_there_are_none(client: Client, floor: Floor) -> None:
    floor.world.backend.mobiles = None
    answer = await ask(client, "POST", "alice/devices", 404, json={"number": NUMBER})
    assert answer["type"].endswith("no-devices")
    answer = await ask(client, "GET", "zoe/devices", 404, headers=SUPERVISOR)
    assert answer["type"].endswith("unknown-agent")


async def test_reading_the_audit_counts_by_its_length(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read by the thread that writes the state of agents."""
    monkeypatch.setattr(shared_answers, "PER_SECOND", 0.01)
    monkeypatch.setattr(shared_answers, "BURST", 12.0)
    for _ in range(3):
        await ask(client, "GET", "alice/audit", 200)
    await ask(client, "GET", "alice/audit", 429)
