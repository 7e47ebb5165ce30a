"""Hold and transfer over HTTP: by the agent's own token, by a supervisor, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from callrouter.model.commands import Consult, DialOutside, PutThrough, Requeue, Ring, SetHold
from callrouter.model.events import ConnectSucceeded, DeviceState, LegAccepted, PbxSnapshot
from callrouter.model.routing_table import OutsideTransfers
from callrouter.settings import ApiToken
from tests.api.world import Client, World


def talk(world: World, *, can_hold: bool = True) -> None:
    """alice talks to c1."""
    phones = {f"PJSIP/100{n}": DeviceState.IDLE for n in (1, 2, 3)}
    world.runtime.post(
        PbxSnapshot(pbx="office", endpoints=phones, can_hold=can_hold, cannot_dial="")
    )
    world.sign_in("alice")
    world.arrive("c1")
    world.accept()
    world.sign_in("bob")


async def post(client: Client, what: str, status: int = 200, /, **body: str) -> Any:
    answer = await client.post(f"/api/agents/alice/call/{what}", json=body)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_hold_and_back(client: Client, world: World) -> None:
    talk(world)
    view = await post(client, "hold")
    assert (view["id"], view["state"], view["held"]) == ("c1", "talking", True)
    assert view["can_hold"]
    assert world.pbx.commands[-1] == SetHold(pbx="office", call="c1", on=True)
    assert "on hold already" in (await post(client, "hold", 409))["detail"]
    assert not (await post(client, "unhold"))["held"]


async def test_a_blind_transfer(client: Client, world: World) -> None:
    talk(world)
    view = await post(client, "transfer", queue="sales")
    assert (view["state"], view["queue"], view["agent"]) == ("ringing", "sales", None)
    assert any(isinstance(command, Requeue) for command in world.pbx.commands)
    assert (await post(client, "hold", 409))["detail"] == "alice is not talking to a caller"


async def test_an_attended_transfer(client: Client, world: World) -> None:
    talk(world)
    view = await post(client, "consult", agent="bob")
    assert (view["held"], view["can_hold"], view["consulting"]) == (True, True, "bob")
    assert view["consulting_state"] == "ringing"
    assert "has not answered yet" in (await post(client, "complete", 409))["detail"]
    ring = [c for c in world.pbx.commands if isinstance(c, Ring)][-1]
    assert ring.agent == "bob"
    world.runtime.post(LegAccepted(offer=ring.offer, device=ring.device))
    asked = [c for c in world.pbx.commands if isinstance(c, Consult)][-1]
    world.runtime.post(ConnectSucceeded(call="c1", offer=asked.offer))
    assert (await (await client.get("/api/calls/c1")).json())["consulting_state"] == "talking"
    view = await post(client, "complete")
    assert (view["agent"], view["held"], view["consulting"]) == ("bob", False, None)
    assert view["consulting_state"] is None
    assert any(isinstance(command, PutThrough) for command in world.pbx.commands)
    story = await (await client.get("/api/calls/c1")).json()
    assert [step["kind"] for step in story["decisions"][-4:]] == [
        "held",
        "consulted",
        "consulted",
        "passed",
    ]
    why = await client.get("/api/calls/c1/why")
    assert why.status == 200, await why.text()


async def test_taking_the_caller_back(client: Client, world: World) -> None:
    talk(world)
    await post(client, "consult", queue="sales")
    view = await post(client, "cancel")
    assert (view["held"], view["consulting"], view["agent"]) == (False, None, "alice")


@pytest.mark.parametrize(
    ("what", "body", "status", "said"),
    [
        ("transfer", {}, 409, "say where to"),
        ("transfer", {"agent": "alice"}, 409, "alice is the one who has the call"),
        ("transfer", {"agent": "front"}, 409, "not an agent of queue"),
        ("hold", {"agent": "bob"}, 422, "unknown field"),
        ("hold", {"call": "c9"}, 409, "alice is not talking to call c9"),
        ("park", {}, 404, ""),
    ],
)
async def test_what_is_refused(
    client: Client, world: World, what: str, body: dict[str, str], status: int, said: str
) -> None:
    talk(world)
    assert said in (await post(client, what, status, **body))["detail"]


async def test_asterisk_s_phones_hold_by_themselves(client: Client, world: World) -> None:
    talk(world, can_hold=False)
    [view] = await (await client.get("/api/calls?only=live")).json()
    assert view["can_hold"] is False
    assert "use the keys of the phone" in (await post(client, "hold", 409))["detail"]
    assert (await post(client, "transfer", agent="bob"))["state"] == "ringing"


async def test_an_agents_token_is_good_for_their_own_calls() -> None:
    tokens = [
        ApiToken(name="pc-alice", role="agent", token="a" * 16, agent="alice"),
        ApiToken(name="pc-bob", role="agent", token="b" * 16, agent="bob"),
    ]
    world = World(tokens=tokens)
    talk(world)
    async with TestClient(TestServer(world.app)) as anybody:
        for token, status in (("b" * 16, 403), ("a" * 16, 200)):
            answer = await anybody.post(
                "/api/agents/alice/call/hold", headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status == status
    world.close()


async def test_a_supervisor_moves_a_talk(client: Client, world: World) -> None:
    talk(world)
    answer = await client.post("/api/calls/c1/move", json={"queue": "sales"})
    assert (answer.status, (await answer.json())["queue"]) == (200, "sales")
    answer = await client.post("/api/calls/c1/move", json={"agent": "front"})
    assert answer.status == 422, "it waits now, and is moved as such"


async def test_a_talk_s_priority_cannot_be_moved(client: Client, world: World) -> None:
    talk(world)
    answer = await client.post("/api/calls/c1/move", json={"priority": 1})
    assert answer.status == 409


async def test_where_a_caller_can_be_sent(client: Client, world: World) -> None:
    talk(world)
    found = await (await client.get("/api/agents/alice/targets")).json()
    assert found == {
        "queues": [
            {"id": "sales", "name": "Sales", "free": 1},
            {"id": "support", "name": "Support", "free": 1},
        ],
        "agents": [
            {"id": "bob", "name": "Bob", "state": "available", "free": True, "queues": ["support"]}
        ],
        "outside": [],
    }
    bobs = await (await client.get("/api/agents/bob/targets")).json()
    assert [(one["id"], one["free"]) for one in bobs["agents"]] == [("alice", False)]
    fronts = await (await client.get("/api/agents/front/targets")).json()
    assert fronts["agents"] == []
    assert (await client.get("/api/agents/zoe/targets")).status == 404


# ---------------------------------------------------------------- a number outside


def outside(world: World, *begins: str) -> None:
    """alice talks to c1, and may pass callers on to numbers that begin so."""
    talk(world)
    world.floor.table = replace(world.floor.table, outside=OutsideTransfers(allowed=begins))


async def test_a_caller_is_passed_on_to_a_number_outside(client: Client, world: World) -> None:
    outside(world, "+44")
    targets = await (await client.get("/api/agents/alice/targets")).json()
    assert targets["outside"] == ["+44"]
    view = await post(client, "transfer", number="+44 (0)20 7946 0018")
    assert (view["id"], view["state"], view["agent"]) == ("c1", "transferred", "alice")
    [order] = [one for one in world.pbx.commands if isinstance(one, DialOutside)]
    assert (order.call, order.number, order.agent) == ("c1", "+442079460018", "alice")
    assert (await post(client, "transfer", 409, number="+442079460018"))["detail"] == (
        "alice is not talking to a caller"
    )


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+33 1 23 45 67 89", "number-not-allowed"),
        ("+44 909 879 0879", "premium"),
        ("+44 7624 123456", "number-not-allowed"),  # the Isle of Man
        ("999", "emergency"),
        ("+442079460018&PJSIP/1002", "not-a-number"),
        ("+442079460018,60,g", "not-a-number"),
        ("${SHELL(id)}", "not-a-number"),
        ("+442079460018\r\nAction: Hangup", "wrong-text"),
        ("*21*+442079460018#", "code"),
        ("1" * 41, "too-long"),
        ("", "empty"),
    ],
)
async def test_a_number_that_is_not_allowed_is_refused_and_nothing_is_dialled(
    client: Client, world: World, number: str, kind: str
) -> None:
    outside(world, "+44")
    problem = await post(client, "transfer", 422, number=number)
    assert problem["type"].endswith(f":{kind}")
    assert not any(isinstance(one, DialOutside) for one in world.pbx.commands)
    assert (await (await client.get("/api/calls/c1")).json())["state"] == "talking"


async def test_outside_is_off_unless_the_configuration_allows_it(
    client: Client, world: World
) -> None:
    outside(world)
    problem = await post(client, "transfer", 422, number="+442079460018")
    assert "transfers: outside is not set" in problem["detail"]
    assert "asked first" in (await post(client, "consult", 422, number="+442079460018"))["detail"]


@pytest.mark.parametrize(("queue", "status"), [("support", 403), ("sales", 200)])
async def test_a_supervisor_of_one_queue_passes_on_its_callers_alone(
    queue: str, status: int
) -> None:
    """bob is in both queues, and the supervisor may act on bob."""
    token = ApiToken(name="sam", role="supervisor", token="s" * 16, queues=("sales",))
    world = World(tokens=[token])
    outside(world, "+44")
    world.arrive("c2", queue)
    world.accept()
    async with TestClient(TestServer(world.app)) as sam:
        answer = await sam.post(
            "/api/agents/bob/call/transfer",
            json={"number": "+442079460018"},
            headers={"Authorization": f"Bearer {token.token}"},
        )
        assert answer.status == status, await answer.text()
    assert any(isinstance(one, DialOutside) for one in world.pbx.commands) is (status == 200)
    world.close()
