"""Expensive answers are made one at a time and shared; a token may ask so often and no more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import WSServerHandshakeError

from callrouter.api import json_answers, live, shared_answers
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import ConfigReadResult
from callrouter.api.json_answers import encode
from callrouter.api.live import MOST_PER_TOKEN, LiveViews
from callrouter.api.problem_json import ApiProblem
from callrouter.api.shared_answers import (
    FILES_APART,
    FILES_FREE,
    LISTS,
    RateLimits,
    SharedAnswers,
)
from callrouter.settings.config_change import Change
from tests.api.world import READER, SUPERVISOR, Client, World

ADMIN = {"Authorization": "Bearer admin-token-123456"}


class Files:
    """Configuration files that take a while to read."""

    def __init__(self) -> None:
        self.read = self.at_once = self.most_at_once = 0

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.05)
        self.at_once -= 1
        self.read += 1
        return ConfigReadResult(changes=(f"reading {self.read}",))

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        return ConfigReadResult()

    def changes(self) -> list[Change]:
        return []


async def test_forty_who_ask_what_would_change_read_the_files_a_few_times(
    client: Client, world: World
) -> None:
    files = world.backend.files = Files()

    async def ask() -> str:
        answer = await client.get("/api/config/diff", headers=ADMIN)
        assert answer.status == 200
        return str((await answer.json())["changes"])

    answers = await asyncio.gather(*(ask() for _ in range(40)))
    assert files.most_at_once == 1
    assert files.read <= 3
    assert len(set(answers)) == files.read
    reload = await client.post("/api/config/reload", headers=ADMIN)
    assert reload.status == 200


async def test_a_reload_does_not_wait_for_those_who_read(client: Client, world: World) -> None:
    files = world.backend.files = Files()
    readers = [
        asyncio.create_task(client.get("/api/config/diff", headers=ADMIN)) for _ in range(20)
    ]
    await asyncio.sleep(0.02)
    assert (await client.post("/api/config/reload", headers=SUPERVISOR)).status == 200
    assert files.read == 0, "it came before the first of them was done"
    await asyncio.gather(*readers)


@pytest.mark.parametrize("path", ["agents", "queues", "calls", "calls?only=live", "pauses"])
async def test_who_reads_after_a_change_sees_it(client: Client, world: World, path: str) -> None:
    """An answer that was begun before is not given to those who ask later."""
    world.sign_in("bob")
    for n in range(10):
        before = [asyncio.create_task(client.get(f"/api/{path}")) for _ in range(5)]
        world.arrive(f"c{n}")
        text = await (await client.get(f"/api/{path}")).text()
        if path.startswith("calls"):
            assert f'"c{n}"' in text
        await asyncio.gather(*before)


async def test_lists_of_different_sight_are_not_mixed(client: Client, world: World) -> None:
    world.sign_in("alice", "bob")
    world.arrive("c1", number="+442079460018")

    async def text(headers: dict[str, str]) -> str:
        return await (await client.get("/api/calls", headers=headers)).text()

    reader = {"Authorization": "Bearer agent-token-123456"}
    full, masked, again = await asyncio.gather(text(SUPERVISOR), text(reader), text(SUPERVISOR))
    assert "+442079460018" in full
    assert "+442079460018" not in masked
    assert again == full


@pytest.mark.parametrize("path", ["queues/support", "agents/alice/why-not"])
async def test_what_is_said_of_a_large_queue_is_made_once_for_all_who_ask(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Of 5,000 agents in four queues `why-not` costs the loop 56 ms, and each token may ask often."""
    monkeypatch.setattr(json_answers, "SLICE", 1)
    made: list[str] = []

    def counted(view: Any) -> bytes:
        made.append(path)
        return encode(view)

    monkeypatch.setattr(json_answers, "encode", counted)
    world.sign_in("alice", "bob")
    world.arrive("c1", number="+442079460018")

    async def text(headers: dict[str, str]) -> str:
        answer = await client.get(f"/api/{path}", headers=headers)
        return await answer.text() if answer.status == 200 else str(answer.status)

    found = await asyncio.gather(*(text(SUPERVISOR) for _ in range(20)))
    assert len(set(found)) == 1
    assert "alice" in found[0]
    assert len(made) <= 2
    full, reader = await asyncio.gather(text(SUPERVISOR), text(READER))
    assert full == found[0]
    assert "+442079460018" not in reader
    assert "alice" not in reader
    # It counts by its length, too.
    monkeypatch.setattr(shared_answers, "PER_SECOND", 0.01)
    monkeypatch.setattr(shared_answers, "BURST", 4.0)
    statuses = [(await client.get(f"/api/{path}", headers=ADMIN)).status for _ in range(3)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


async def test_who_connects_over_and_over_for_the_whole_state_is_told_to_wait(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SLICE", 1)
    monkeypatch.setattr(shared_answers, "PER_SECOND", 0.01)
    monkeypatch.setattr(shared_answers, "BURST", 12.0)
    world.sign_in("alice")
    for _ in range(2):  # three agents and two queues each time, and the request itself
        async with client.ws_connect("/api/live", headers=ADMIN) as ws:
            assert (await ws.receive_json())["type"] == "state"
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/api/live", headers=ADMIN)
    assert refused.value.status == 429
    async with client.ws_connect("/api/live", headers=SUPERVISOR) as ws:
        assert (await ws.receive_json())["type"] == "state"


async def test_answers_are_made_one_after_the_other_with_a_rest() -> None:
    shared: SharedAnswers[int] = SharedAnswers(2.0)
    loop = asyncio.get_running_loop()
    spans: list[tuple[float, float]] = []

    async def make() -> int:
        began = loop.time()
        await asyncio.sleep(0.02)
        spans.append((began, loop.time()))
        return len(spans)

    found = await asyncio.gather(*(shared.answer(n, make) for n in range(3)))
    assert found == [1, 2, 3]
    for (began, ended), (next_began, _) in pairwise(spans):
        assert next_began - ended >= (ended - began) * 2.0 * 0.9


async def test_a_few_answers_are_made_at_once_and_then_one_in_a_while() -> None:
    shared: SharedAnswers[float] = SharedAnswers(0.0, apart=0.1, free=3)
    loop = asyncio.get_running_loop()

    async def make() -> float:
        return loop.time()

    began = loop.time()
    found = await asyncio.gather(*(shared.answer(n, make) for n in range(6)))
    assert found[2] - began < 0.1, "three at once"
    for n in range(3, 6):
        assert found[n] - began >= (n - 2) * 0.1 * 0.99
    assert await shared.answer(7, make) - began >= 0.4 * 0.99, "no quiet time, none at once"


async def test_the_first_few_who_ask_do_not_wait_for_the_clock(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People may look at the history as they please."""
    world.backend.files = Files()
    waits: list[float] = []
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0.0)

    monkeypatch.setattr("callrouter.api.shared_answers.asyncio.sleep", slept)
    for _ in range(FILES_FREE):
        assert (await client.get("/api/config/history", headers=ADMIN)).status == 200
    assert [wait for wait in waits if wait > 0.5 * FILES_APART] == []
    assert (await client.get("/api/config/history", headers=ADMIN)).status == 200
    assert [wait for wait in waits if wait > 0.5 * FILES_APART]


async def test_an_error_reaches_all_who_asked_and_the_next_is_made_anyway() -> None:
    shared: SharedAnswers[int] = SharedAnswers(0.0)

    async def fails() -> int:
        raise ApiProblem(404, "unknown", "there is none")

    async def works() -> int:
        return 5

    found = await asyncio.gather(
        *(shared.answer("a", fails) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in found] == [ApiProblem] * 3
    assert await shared.answer("a", works) == 5


async def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    shared: SharedAnswers[int] = SharedAnswers(0.0)
    go_on = asyncio.Event()

    async def make() -> int:
        await go_on.wait()
        return 1

    first, second = (asyncio.create_task(shared.answer("a", make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await second == 1


async def test_a_token_that_asks_too_often_is_told_when_to_come_again(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_answers, "BURST", 20.0)
    monkeypatch.setattr(shared_answers, "PER_SECOND", 0.01)
    answers = [await client.get("/api/agents/bob") for _ in range(25)]
    assert [answer.status for answer in answers] == [200] * 20 + [429] * 5
    answer = answers[-1]
    assert int(answer.headers["Retry-After"]) >= 1
    problem = await answer.json()
    assert problem["type"] == "urn:callrouter:problem:too-many-requests"
    assert "'crm' asks more than" in problem["detail"]
    assert (await client.get("/api/agents/bob", headers=ADMIN)).status == 200, "others may"
    assert world.backend.refusals.counts["too-many-requests"] == 5


async def test_a_page_and_a_busy_program_are_far_from_the_limit() -> None:
    assert (shared_answers.BURST, shared_answers.PER_SECOND) == (500.0, 100.0)


async def test_a_list_counts_by_its_length_and_the_command_line_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates, crm = RateLimits(), ApiCaller("crm", "supervisor")
    monkeypatch.setattr(shared_answers, "PER_SECOND", 0.01)
    rates.take(crm)
    rates.charge(crm, 600.0)
    with pytest.raises(ApiProblem) as caught:
        rates.take(crm)
    assert caught.value.status == 429
    local = ApiCaller("command line", "admin", "root")
    rates.charge(local, 10_000.0)
    rates.take(local)


async def test_a_folder_with_a_nul_is_a_wrong_query_and_no_fault(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.backend.files = Files()
    monkeypatch.setattr(ApiCaller, "local", property(lambda _: True))
    answer = await client.get("/api/config/diff?folder=/a%00b", headers=ADMIN)
    assert answer.status == 422


async def test_those_who_begin_to_watch_together_get_one_state_and_every_change(
    client: Client, world: World
) -> None:
    lists = world.app[LISTS]

    async def watch(headers: dict[str, str]) -> list[str]:
        async with client.ws_connect("/api/live", headers=headers) as ws:
            state = await ws.receive_json()
            world.arrive(f"c{id(ws)}")
            seen = [call["id"] for call in state["calls"]]
            while f"c{id(ws)}" not in seen:
                told = await ws.receive_json()
                if told["type"] == "record":
                    seen.append(told["call"])
            return [state["type"], *(one["id"] for one in state["calls"] if one["id"] == "before")]

    gate = lists._gate
    await gate.acquire()  # another list is being made
    watching = [asyncio.create_task(watch(SUPERVISOR)) for _ in range(4)]
    async with asyncio.timeout(10):
        while len(world.watchers.clients) < 4 or not lists._next:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    world.arrive("before")
    assert len(lists._next) == 1, "they share one"
    gate.release()
    assert await asyncio.gather(*watching) == [["state", "before"]] * 4


def test_a_user_who_is_let_in_at_the_socket_has_a_rate_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        shared_answers, "PER_SECOND", 0.001
    )  # nothing comes back while this goes on
    rates, token = RateLimits(), ApiCaller("nora", "agent", agent="nora")
    nora = ApiCaller("nora", "agent", "nora", "nora")
    assert (nora.unlimited, ApiCaller("command line", "admin", "root").unlimited) == (False, True)

    async def ask() -> None:
        for _ in range(int(shared_answers.BURST)):
            rates.take(nora)
        with pytest.raises(ApiProblem) as refused:
            rates.take(nora)
        assert refused.value.status == 429
        rates.take(token)  # of the same name

    asyncio.run(ask())


def test_a_user_at_the_socket_cannot_take_every_live_view() -> None:
    hub, nora = LiveViews(), ApiCaller("nora", "agent", "nora", "nora")
    for n in range(MOST_PER_TOKEN):
        hub.room_for(nora)
        hub.clients.add(cast(Any, _View(n, nora)))
    with pytest.raises(ApiProblem) as refused:
        hub.room_for(nora)
    assert refused.value.status == 429
    hub.room_for(ApiCaller("command line", "admin", "root"))


@dataclass(frozen=True)
class _View:
    number: int
    caller: ApiCaller
