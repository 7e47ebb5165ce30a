"""The OpenAPI document, and the types it is made from.

That every answer of every test is as the document says is looked at in `conftest.py`.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from callrouter.api.access.permissions import PERMISSIONS
from callrouter.api.notice_text import as_json
from callrouter.api.openapi import document
from callrouter.api.operations import OPERATIONS
from callrouter.api.schemas.notice_answers import NoticeJson
from callrouter.api.schemas.vocabulary import AgentStateName, CallStateName, DeviceStateName
from callrouter.core.state import CallState
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import OfferDecided
from callrouter.model.events import DeviceState
from callrouter.model.notices import Oddity
from tests.api.contract import mistakes, of_component
from tests.api.one_of_each import ONE_OF_EACH
from tests.api.world import Client, World


async def test_the_document_covers_every_route(client: Client, world: World) -> None:
    paths = (await (await client.get("/api/openapi.json")).json())["paths"]
    told = {(method.upper(), path) for path, item in paths.items() for method in item}
    there = {
        (route.method, resource.canonical)
        for resource in world.app.router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    assert told == there == OPERATIONS.keys()
    assert OPERATIONS.keys() - PERMISSIONS.keys() == {
        ("GET", "/"),
        ("GET", "/page/{name}"),
        ("GET", "/healthz"),
        ("POST", "/api/session"),
        ("GET", "/api/log-in"),
        *(("GET", f"/api/oidc/{name}") for name in ("log-in", "callback", "log-out")),
        ("POST", "/api/session/screen"),
    }


def refs(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for value in node.values() for ref in refs(value)]
    return [ref for item in node for ref in refs(item)] if isinstance(node, list) else []


def test_the_document_refers_to_what_it_has() -> None:
    schemas = document()["components"]["schemas"]
    unused = schemas.keys() - {ref.rpartition("/")[2] for ref in refs(document())}
    assert unused == {"LiveState", "LiveNotice", "LiveDecision", "LiveNote", "LiveChanges"}
    assert {ref.rpartition("/")[2] for ref in refs(document())} <= schemas.keys()


def test_fields_are_described_as_in_the_source() -> None:
    agent = document()["components"]["schemas"]["Agent"]
    assert agent["description"] == "An agent."
    assert agent["properties"]["wrap_up_s"]["description"] == "Seconds that remain of the wrap-up."
    assert "title" not in agent
    problem = document()["components"]["schemas"]["Problem"]
    assert problem["properties"].keys() == {"type", "title", "status", "detail", "detail_phrase"}
    assert sorted(problem["required"]) == ["detail", "status", "title", "type"]


def test_the_words_are_those_of_the_core() -> None:
    assert set(get_args(AgentStateName)) == {state.value for state in AgentState}
    assert set(get_args(DeviceStateName)) == {state.value for state in DeviceState}
    live = {state.value for state in CallState if state is not CallState.ENDED}
    assert live <= set(get_args(CallStateName))


def test_every_field_of_a_notice_is_described() -> None:
    examples = [notice for notice, _, _ in ONE_OF_EACH.values()]
    kept = [as_json(notice) for notice in examples if not isinstance(notice, Oddity | OfferDecided)]
    assert {name for view in kept for name in view} == NoticeJson.__annotations__.keys()


@pytest.mark.parametrize(
    ("method", "path"),
    [key for key, operation in OPERATIONS.items() if operation.body is not None],
)
async def test_a_field_too_much_is_told_the_fields_of_the_document(
    client: Client, world: World, method: str, path: str
) -> None:
    """So the route reads the very body that the document describes."""
    world.arrive("c1")
    names = {"calls": "c1", "agents": "bob", "sessions": "x", "wall-screens": "x"}
    where = path.replace("{id}", names.get(path.split("/")[2], "")).replace("{device}", "desk")
    where = where.replace("{name}", "queues.yaml")
    admin = {"Authorization": "Bearer admin-token-123456"}
    answer = await client.request(method, where, json={"zzz": 1}, headers=admin)
    assert answer.status == 422, await answer.text()
    body = OPERATIONS[method, path].body
    fields = ", ".join(body.__annotations__) or "none"
    assert (await answer.json())["detail"] == f"unknown field 'zzz'; the fields here: {fields}"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"priority": 10**400}, "'priority' must be from 1 (first) to 100"),
        ({"priority": 1.0}, "'priority' must be a whole number"),
        ({"queue": "\ud800"}, "'queue' must be one line of 200 characters at most"),
        ({"queue": 1, "agent": 2}, "'queue' must be a text"),
        ({"agent": 2, "queue": 1}, "'agent' must be a text"),
        ({"zzz": 1, "agent": 2}, "unknown field 'zzz'; the fields here: queue, agent, priority"),
        ({"agent": "a\nb", "zzz": 1}, "'agent' must be one line of 200 characters at most"),
    ],
)
async def test_the_first_mistake_in_the_order_of_the_request_is_told(
    client: Client, world: World, body: dict[str, Any], detail: str
) -> None:
    world.arrive("c1")
    answer = await client.post("/api/calls/c1/move", json=body)
    assert (answer.status, (await answer.json())["detail"]) == (422, detail)


async def test_what_the_live_view_sends_is_in_the_document(client: Client, world: World) -> None:
    world.in_step()
    world.arrive("c0")
    async with client.ws_connect("/api/live") as ws:
        assert of_component(await ws.receive_json(timeout=5), "LiveState") == []
        world.sign_in("bob")
        world.accept()
        world.arrive("c0")  # a second time: a note
        world.hang_up("c0")
        kinds = {"record": "LiveNotice", "decision": "LiveDecision", "note": "LiveNote"}
        seen: set[str] = set()
        while seen < kinds.keys():
            message = await ws.receive_json(timeout=5)
            seen.add(message["type"])
            assert of_component(message, kinds[message["type"]]) == []


def test_a_schema_is_closed() -> None:
    """The checks of the other tests notice a field too many, and one too few."""
    view = {"type": "urn:callrouter:problem:x", "title": "x", "status": 404, "detail": "x"}
    assert of_component(view, "Problem") == []
    assert of_component({**view, "more": 1}, "Problem") != []
    assert of_component({"title": "x"}, "Problem") != []
    assert mistakes(
        [{**view, "status": "404"}], {"items": {"$ref": "#/components/schemas/Problem"}}
    )
