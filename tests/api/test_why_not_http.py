"""`why-not` with a time or a call over HTTP: who may ask for what, and hostile queries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callrouter.api.record_access import RecordAccess
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.rows import StayOutcome
from callrouter.settings import ApiToken
from callrouter.store.location import File
from tests.api.world import SUPERVISOR, T0, TABLE, TOKENS, Client, World
from tests.record.rows import call_row, fill, offer_row, state_row, stay_row
from tests.settings.cases import loaded

OWN = (
    ApiToken(name="alice", role="agent", agent="alice", token="agent-alice-123456"),
    ApiToken(name="sam", role="supervisor", queues=("sales",), token="supervisor-sales-1"),
)
ALICE = {"Authorization": "Bearer agent-alice-123456"}
SAM = {"Authorization": "Bearer supervisor-sales-1"}
ADMIN = {"Authorization": "Bearer admin-token-123456"}
THEN = T0 - 3600
DAY, CLOCK = "2025-11-21", "20:53"  # THEN in UTC is 20:53:07


def rows() -> list[Any]:
    abandoned = {"outcome": StayOutcome.ABANDONED, "agent": "", "talk_s": 0.0, "answered_at": None}
    return [
        state_row(1, "alice", THEN - 600),
        state_row(
            2, "bob", THEN - 300, until=THEN + 300, status="paused", state="paused",
            reason="lunch", by="sam",
        ),
        state_row(3, "gone", THEN - 900, status="signed-out", state="offline"),
        call_row("c1", THEN - 20),
        stay_row("c1", 0, THEN - 20, left_at=THEN + 40, **abandoned),
        offer_row("o1", "c1", THEN - 10, agent="bob", ended_at=THEN + 10),
        call_row("s1", THEN - 20, queue="sales", last_queue="sales"),
        stay_row("s1", 0, THEN - 20, queue="sales", left_at=THEN + 40, **abandoned),
    ]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    fill(File(tmp_path / "record.db"), *rows())
    (tmp_path / "files").mkdir()
    settings = replace(loaded(tmp_path / "files"), table=TABLE)
    made = World(tokens=(*TOKENS, *OWN))
    place = File(tmp_path / "record.db")
    made.backend.record = RecordAccess(
        lookups=ReadingThread(place, "look-ups"),
        reports=ReadingThread(place, "reports"),
        settings=lambda: settings,
    )
    return made


async def get(client: Client, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await client.get(f"/api/agents/{path}", headers=headers or SUPERVISOR)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def refused(
    client: Client, path: str, status: int, headers: dict[str, str] | None = None
) -> str:
    answer = await client.get(f"/api/agents/{path}", headers=headers or SUPERVISOR)
    assert answer.status == status, await answer.text()
    return str((await answer.json())["detail"])


async def test_a_time(client: Client) -> None:
    view = await get(client, f"bob/why-not?at={DAY}T{CLOCK}:07")
    assert (view["at"], view["state"]) == ("2025-11-21T20:53:07.000Z", "paused")
    assert view["reasons"] == ["paused: lunch, for 5 min then and for 5 min more, by sam"]
    assert [item["id"] for item in view["queues"]] == ["sales", "support"]
    assert {item["waiting"] for item in view["queues"]} == {1}
    [span] = view["states"]
    assert span["text"] == "paused: lunch, by sam"


@pytest.mark.parametrize(
    "at",
    [
        CLOCK, f"{CLOCK}:30", f"today {CLOCK}", f"{DAY}T{CLOCK}", f"{DAY} {CLOCK}:00",
        f"{DAY}T20:53:07.123Z", f"{DAY}T21:53:00%2B01:00", f"{DAY}T21:53:00+01:00",
    ],
)  # fmt: skip
async def test_the_forms_of_a_time(client: Client, at: str) -> None:
    assert (await get(client, f"bob/why-not?at={at}"))["at"].startswith(f"{DAY}T20:53:")


async def test_an_agent_asks_about_themselves_and_is_told_no_names(client: Client) -> None:
    view = await get(client, f"alice/why-not?at={CLOCK}:07", ALICE)
    [queue] = view["queues"]
    assert queue["reasons"] == ["c1 had waited for 20 s: 1 agent was being rung for it"]
    whole = await get(client, f"alice/why-not?at={CLOCK}:07")
    assert whole["queues"][0]["reasons"][0].endswith("1 agent was being rung for it: bob")
    assert "alice" in await refused(client, f"bob/why-not?at={CLOCK}", 403, ALICE)
    assert "alice" in await refused(client, f"alice/why-not?at={CLOCK}&queue=sales", 403, ALICE)


async def test_a_supervisor_of_one_queue_is_told_of_that_queue(client: Client) -> None:
    view = await get(client, f"bob/why-not?at={CLOCK}:07", SAM)
    assert [item["id"] for item in view["queues"]] == ["sales"]
    said = await refused(client, f"bob/why-not?at={CLOCK}&queue=support", 403, SAM)
    assert "limited to the queues sales" in said
    assert await refused(client, f"gone/why-not?at={CLOCK}", 403, SAM)


async def test_an_agent_who_is_in_no_file_any_more(client: Client) -> None:
    view = await get(client, f"gone/why-not?at={CLOCK}")
    assert view["reasons"] == ["signed out, for 14 min 53 s then"]
    assert "'never'" in await refused(client, f"never/why-not?at={CLOCK}", 404)


async def test_a_queue_that_never_was(client: Client) -> None:
    assert "'nothing'" in await refused(client, f"bob/why-not?at={CLOCK}&queue=nothing", 404)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("at=noon", "'noon' is not a time; write it like 09:00, 09:00:30, yesterday 09:00"),
        ("at=25:00", "there is no such date or time"),
        ("at=2025-02-30T09:00", "there is no such date or time"),
        ("at=2031-01-01T09:00", "in the future"),
        (
            "at=23:59",
            "is in the future; nothing has happened there yet (now is 2025-11-21 21:53:07",
        ),
        ("at=" + "9" * 500, "is not a time"),
        ("at=%00", "is not a time"),
        (f"at={CLOCK}&call=c1", "not both"),
    ],
)
async def test_a_wrong_time(client: Client, query: str, said: str) -> None:
    assert said in await refused(client, f"bob/why-not?{query}", 422)


async def test_a_call_of_this_run(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("alice")
    world.arrive("c9")
    view = await get(client, "bob/why-not?call=c9")
    assert view["text"] == "bob was not rung for call c9"
    [made] = view["decisions"]
    assert (made["rung"], made["reason"], made["text"]) == ("alice", "signed-out", "signed out")
    assert await refused(client, "bob/why-not?call=nothing", 404)
    assert "limited to" in await refused(client, "bob/why-not?call=c9", 403, SAM)


async def test_without_a_record(client: Client, world: World) -> None:
    world.backend.record = None
    assert "keeps no record" in await refused(client, f"bob/why-not?at={CLOCK}", 404)


async def test_a_database_that_is_away(client: Client, tmp_path: Path) -> None:
    (tmp_path / "record.db").rename(tmp_path / "elsewhere.db")
    assert "cannot be read" in await refused(client, f"bob/why-not?at={CLOCK}", 503)


async def test_many_who_ask_for_the_same_share_an_answer(client: Client) -> None:
    asked = [get(client, f"bob/why-not?at={CLOCK}", ADMIN) for _ in range(10)]
    first, *others = await asyncio.gather(*asked)
    assert all(view == first for view in others)
