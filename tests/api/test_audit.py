"""Who did what: every request that changes something is on record, and each role sees its part."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.act_names import NO_ACTS, act_name
from callrouter.api.operations import OPERATIONS
from callrouter.api.record_access import RecordAccess
from callrouter.audit.act_log import FIRST, MOST_ORIGINS, ONE_IN, Act, ActLog
from callrouter.audit.act_rows import ActOutcome, ActVia, DeleteActs
from callrouter.audit.act_sources import files_changed, mobile_step
from callrouter.mobiles.book import RequestDenied
from callrouter.mobiles.mobile_records import AuditRow
from callrouter.model.text import Phrase
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.retention import EVERY, Retention
from callrouter.settings import ApiToken
from callrouter.settings.loaded import HistorySettings
from callrouter.store.database import server_at
from callrouter.store.location import File
from callrouter.store.record_writing import RecordWriter
from callrouter.store.writer import Writer
from tests.api.test_sessions import PASSWORD, log_in, made, origin, person
from tests.api.world import SUPERVISOR, TOKENS, Client, World

OWN = (
    ApiToken(name="alice-app", role="agent", agent="alice", token="agent-alice-123456"),
    ApiToken(name="sam-app", role="supervisor", queues=("sales",), token="supervisor-sales-1"),
)
ALICE = {"Authorization": "Bearer agent-alice-123456"}
SALES = {"Authorization": "Bearer supervisor-sales-1"}
BOSS = {"Authorization": "Bearer admin-token-123456"}


class AuditedWorld(World):
    """A call centre whose acts are stored."""

    def __init__(self, folder: Path) -> None:
        settings = made(folder)
        super().__init__(settings=settings, tokens=(*TOKENS, *OWN))
        place = File(folder / "acts.db")
        self.writer = Writer(place, self.clock, lambda _rows: None)
        self.writer.start()
        self.stored = RecordWriter(self.writer)
        self.backend.acts = ActLog(self.stored, self.clock)
        self.backend.record = RecordAccess(
            lookups=ReadingThread(place, "look-ups"),
            reports=ReadingThread(place, "reports"),
            settings=lambda: settings,
        )
        self.place = place

    def close(self) -> None:
        super().close()
        self.writer.close(2.0)

    async def acts(self, client: Client, query: str = "", **headers: str) -> list[dict[str, Any]]:
        """What the audit says, once everything is written."""
        await self.stored.query(lambda _link: None, patient=True)
        answer = await client.get(f"/api/audit{query}", headers=headers or BOSS)
        assert answer.status == 200, await answer.text()
        found: list[dict[str, Any]] = (await answer.json())["acts"]
        return found


@pytest.fixture
def world(tmp_path: Path) -> AuditedWorld:
    return AuditedWorld(tmp_path)


@pytest_asyncio.fixture
async def client(world: AuditedWorld) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made_:
        yield made_
    world.close()


async def test_an_act_is_on_record(client: Client, world: AuditedWorld) -> None:
    world.in_step()
    world.sign_in("alice")
    answer = await client.post(
        "/api/agents/alice/pause", json={"reason": "tea"}, headers=SUPERVISOR
    )
    assert answer.status == 200
    [act] = await world.acts(client)
    assert act["at"].startswith("2025-11-21T")
    assert act | {"id": "", "at": ""} == {
        "id": "",
        "at": "",
        "who": "crm",
        "role": "supervisor",
        "via": "token",
        "from": "127.0.0.1",
        "act": "agents.pause",
        "agent": "alice",
        "queue": None,
        "call": None,
        "target": None,
        "values": {"reason": "tea"},
        "values_phrases": {},
        "outcome": "done",
        "kind": None,
    }


async def test_a_refused_act_is_on_record_with_the_reason(
    client: Client, world: AuditedWorld
) -> None:
    world.in_step()
    await client.post("/api/agents/alice/resume", headers=SUPERVISOR)
    await client.post("/api/agents/bob/sign-out", headers=ALICE)
    await client.post("/api/agents/carol/pause", headers=SUPERVISOR)
    found = await world.acts(client)
    assert [(one["agent"], one["outcome"], one["kind"]) for one in found] == [
        ("carol", "refused", "unknown-agent"),
        ("bob", "refused", "not-allowed"),
        ("alice", "refused", "refused"),
    ]


async def test_a_call_is_on_record_with_its_queue(client: Client, world: AuditedWorld) -> None:
    world.in_step()
    world.arrive("c1", "sales")
    answer = await client.post("/api/calls/c1/move", json={"queue": "support"}, headers=SUPERVISOR)
    assert answer.status == 200
    await client.delete("/api/calls/c1", headers=SUPERVISOR)
    end, move = await world.acts(client)
    assert (move["act"], move["call"], move["queue"]) == ("calls.move", "c1", "sales")
    assert move["values"] == {"queue": "support"}
    assert (end["act"], end["call"], end["queue"]) == ("calls.end", "c1", "support")


async def test_reading_is_no_act(client: Client, world: AuditedWorld) -> None:
    for path in ("/api/agents", "/api/status", "/api/openapi.json", "/api/nothing"):
        await client.get(path, headers=BOSS)
    await client.post("/api/nothing", headers=BOSS)
    await client.post("/api/config/draft", json={}, headers=BOSS)
    assert await world.acts(client) == []


async def test_numbers_are_masked_and_secrets_left_out(client: Client, world: AuditedWorld) -> None:
    number = "+447400123456"
    await client.post("/api/agents/alice/devices", json={"number": number}, headers=SUPERVISOR)
    await log_in(client, "sam", "a wrong password")
    await log_in(client, "hunter2", "a wrong password")
    found = await world.acts(client)
    assert [one["act"] for one in found] == ["session.log-in", "session.log-in", "devices.add"]
    text = json.dumps(found)
    for secret in (number, "a wrong password", "hunter2"):
        assert secret not in text
    assert found[2]["values"]["number"] == "+44…456"


async def test_log_ins_and_log_outs(client: Client, world: AuditedWorld) -> None:
    await log_in(client, "sam", "wrong")
    bob = await person(client, "bob")
    other = await person(client, "ada")
    found = await world.acts(client)
    assert [(one["who"], one["target"], one["outcome"], one["kind"]) for one in found] == [
        ("ada", "ada", "done", None),
        ("bob", "bob", "done", None),
        ("", "sam", "refused", "wrong-login"),
    ]
    assert {one["via"] for one in found[:2]} == {"page"}
    assert found[2]["via"] == "unknown"
    assert found[1]["agent"] == "bob"
    session = bob.view["session"]
    assert (await other.ask("DELETE", f"/api/sessions/{session}")).status == 204
    assert (await other.ask("DELETE", "/api/session")).status == 204
    out, revoked = (await world.acts(client))[:2]
    assert (revoked["act"], revoked["who"], revoked["target"]) == ("session.revoke", "ada", "bob")
    assert revoked["values"]["id"] == session
    assert (out["act"], out["who"], out["target"]) == ("session.log-out", "ada", "ada")


async def test_wrong_tokens_and_foreign_pages(client: Client, world: AuditedWorld) -> None:
    sam = await person(client, "sam")
    await client.get("/api/agents", headers={"Authorization": "Bearer wrong"})
    await client.get("/api/agents")
    for page in ("https://evil.example", origin(client)):
        headers = sam.cookie | {"Origin": page, "X-CSRF-Token": "guess"}
        await client.post("/api/agents/bob/pause", headers=headers)
    found = await world.acts(client)
    assert [(one["act"], one["kind"], one["who"]) for one in found[:3]] == [
        ("agents.pause", "no-csrf-token", ""),
        ("agents.pause", "wrong-origin", ""),
        ("token.refuse", "unauthorized", ""),
    ]
    assert len(found) == 4


async def test_a_stranger_cannot_fill_the_disk(
    client: Client, world: AuditedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    for _ in range(ONE_IN):
        await client.post("/api/agents/carol/pause", headers=SUPERVISOR)
    found = await world.acts(client)
    assert len(found) == FIRST + 1
    assert found[0]["values"]["refused_so_far"] == str(ONE_IN)
    assert MOST_ORIGINS < 10_000  # about 2 MB


async def test_each_role_sees_its_part(client: Client, world: AuditedWorld) -> None:
    world.in_step()
    world.arrive("c1", "sales")
    world.arrive("c2", "support")
    await client.post("/api/agents/alice/sign-in", headers=SUPERVISOR)
    await client.post("/api/agents/bob/sign-in", headers=SUPERVISOR)
    for call in ("c1", "c2"):
        await client.post(f"/api/calls/{call}/move", json={"priority": 3}, headers=SUPERVISOR)
    sam = await person(client, "sam")
    world_sees = {
        "alice": (ALICE, ["alice"]),
        "sales": (SALES, ["c1", "bob"]),
        "supervisor": (SUPERVISOR, ["c2", "c1", "bob", "alice"]),
        "admin": (BOSS, ["sam", "c2", "c1", "bob", "alice"]),
    }
    for who, (headers, wanted) in world_sees.items():
        found = await world.acts(client, **headers)
        assert [one["call"] or one["agent"] or one["target"] for one in found] == wanted, who
    assert (await world.acts(client, **SUPERVISOR))[3]["from"] == "127.0.0.1"
    assert (await world.acts(client, **ALICE))[0]["from"] is None  # where a supervisor sits
    own = await world.acts(client, **sam.cookie)
    assert [one["call"] or one["agent"] or one["target"] for one in own] == ["sam", "c1", "bob"]
    bob = await person(client, "bob")
    assert [one["from"] for one in await world.acts(client, **bob.cookie)] == ["127.0.0.1", None]
    nameless = {"Authorization": f"Bearer {TOKENS[2].token}"}
    assert await world.acts(client, **nameless) == []


async def test_filters_and_pages(client: Client, world: AuditedWorld) -> None:
    world.in_step()
    for name in ("alice", "bob", "alice"):
        world.clock.at += 60
        await client.post(f"/api/agents/{name}/sign-in", headers=SUPERVISOR)
    await client.post("/api/agents/bob/sign-out", headers=BOSS)
    assert len(await world.acts(client, "?target=alice")) == 2
    assert [one["agent"] for one in await world.acts(client, "?who=boss")] == ["bob"]
    assert len(await world.acts(client, "?from=2025-11-21&to=2025-11-22")) == 4
    assert await world.acts(client, "?to=2025-11-21") == []
    seen: list[str] = []
    cursor = ""
    while True:
        answer = await client.get(f"/api/audit?limit=3&cursor={cursor}", headers=BOSS)
        page = await answer.json()
        seen += [one["id"] for one in page["acts"]]
        if page["next"] is None:
            break
        cursor = page["next"]
        await client.post("/api/agents/alice/sign-out", headers=BOSS)  # moves no page
    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "who=x&who=y", "whom=x", "cursor=abc", "cursor=-1", "cursor=99999999999999999999",
        "limit=0", "from=yesterday", "from=2025-11-22&to=2025-11-21", "target=" + "x" * 300,
    ],
)  # fmt: skip
async def test_a_wrong_query(client: Client, world: AuditedWorld, query: str) -> None:
    answer = await client.get(f"/api/audit?{query}", headers=BOSS)
    assert answer.status == 422, await answer.text()


async def test_acts_are_kept_as_long_as_calls(client: Client, world: AuditedWorld) -> None:
    """As the daemon puts it together: `history: keep` counts for both."""
    world.in_step()
    await client.post("/api/agents/alice/sign-in", headers=SUPERVISOR)
    world.clock.at += 1000
    await client.post("/api/agents/bob/sign-in", headers=SUPERVISOR)
    assert len(await world.acts(client)) == 2
    retention = Retention(
        lambda: HistorySettings(keep=500.0),
        world.clock.now,
        world.clock.at,
        lambda before: [DeleteActs(before)],
    )
    link = server_at(world.place, world.clock.now).open()
    world.clock.at += retention.due_in()
    while retention.due_in() < EVERY / 2:
        world.clock.at += retention.due_in()
        retention.work(link)
    link.close()
    assert retention.deleted["acts"] == 1
    assert [one["agent"] for one in await world.acts(client)] == ["bob"]


async def test_old_acts_are_deleted(client: Client, world: AuditedWorld) -> None:
    world.in_step()
    await client.post("/api/agents/alice/sign-in", headers=SUPERVISOR)
    world.clock.at += 1000
    await client.post("/api/agents/bob/sign-in", headers=SUPERVISOR)
    assert len(await world.acts(client)) == 2
    link = server_at(world.place, world.clock.now).open()
    with link.begin():
        assert DeleteActs(world.clock.at - 500).take(link, 50) == (1, True)
    link.close()
    assert [one["agent"] for one in await world.acts(client)] == ["bob"]


def test_a_mobiles_steps_by_phone() -> None:
    """A request over HTTP is on record by itself; a key pressed and a wrong PIN are not."""
    taken: list[Act] = []
    step = AuditRow(
        at=1.0, agent="ann", device="mobile", who="ann", via="phone", what="registered", number="…1"
    )
    for row in (
        step,
        replace(step, via="api"),
        replace(step, who="", via="verification call", what="wrong-code"),
    ):
        mobile_step(taken.append, row)
    assert [(one.act, one.who, one.outcome, one.kind) for one in taken] == [
        ("mobiles.registered", "ann", ActOutcome.DONE, ""),
        ("mobiles.wrong-code", "", ActOutcome.REFUSED, "wrong-code"),
    ]
    assert taken[0].values == {"device": "mobile", "number": "…1"}


async def test_a_step_in_words_keeps_its_code(client: Client, world: AuditedWorld) -> None:
    """It is stored with the act, so that the page says it in the language of who looks."""
    refused = RequestDenied("premium", Phrase("this number costs much", "costs-much"))
    row = AuditRow(
        at=1.0,
        agent="alice",
        device="mobile",
        who="alice",
        via="phone",
        what="refused",
        detail=refused.with_kind,
    )
    acts = world.backend.acts
    assert acts is not None
    mobile_step(acts.add, row)
    mobile_step(acts.add, replace(row, detail="\x1b[31m" + row.detail))
    mobile_step(acts.add, replace(row, detail=Phrase("x" * 300, "long")))
    acts_ = await world.acts(client)
    assert [act["values_phrases"] for act in acts_[:2]] == [{}, {}]
    told = acts_[2]
    assert told["values"] == {"device": "mobile", "detail": "premium: this number costs much"}
    reason = {"code": "costs-much", "values": {}, "text": "this number costs much"}
    assert told["values_phrases"] == {
        "detail": {"code": "kind-and-reason", "values": {"kind": "premium", "reason": reason}}
    }


def test_a_change_of_the_files() -> None:
    taken: list[Act] = []
    files_changed(taken.append, "root", "file", tuple(f"line {n}" for n in range(100)))
    [one] = taken
    assert (one.who, one.via, one.act, one.source) == ("root", ActVia.FILE, "config.files", "file")
    assert one.values["1"] == "line 0"
    assert len(one.values) == 20


def test_every_change_has_a_name_of_its_own() -> None:
    assert OPERATIONS.keys() >= NO_ACTS
    names = [act_name(*key) for key in OPERATIONS if key[0] != "GET" and key not in NO_ACTS]
    assert len(names) == len(set(names))
    assert act_name("PUT", "/api/config/files/{name}") == "config.files.save"
    assert act_name("POST", "/api/agents/{id}/call/hold") == "agents.call.hold"


async def test_people_change_with_the_page(client: Client, world: AuditedWorld) -> None:
    """A person at the page is named by their id and not by their session."""
    world.in_step()
    bob = await person(client, "bob", PASSWORD)
    assert (await bob.ask("POST", "/api/agents/bob/sign-in", {})).status == 200
    act = (await world.acts(client))[0]
    assert (act["who"], act["role"], act["via"]) == ("bob", "agent", "page")
