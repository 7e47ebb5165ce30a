"""The outbox as a whole: destinations apart from each other, restarts, what is given up and said."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from callrouter.outbox import outbox as module
from callrouter.outbox.delivery_queue import Attempt, Outcome
from callrouter.outbox.destinations import Destination
from callrouter.outbox.outbox import Outbox
from callrouter.outbox.outbox_rows import OutboxRow
from callrouter.tasks import Tasks

OK = Attempt(Outcome.DELIVERED)


class FakeStore:
    """What the database holds; it can be read when `readable` is set."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], OutboxRow] = {}
        self.readable = asyncio.Event()
        self.readable.set()

    def put(self, row: OutboxRow) -> None:
        self.rows[row.event, row.destination] = row

    def forget(self, row: OutboxRow) -> None:
        self.rows.pop((row.event, row.destination), None)

    async def load(self) -> list[OutboxRow]:
        await self.readable.wait()
        return list(self.rows.values())


@dataclass
class World:
    """An outbox, and receivers that answer as `answers` says."""

    store: FakeStore = field(default_factory=FakeStore)
    tasks: Tasks = field(default_factory=Tasks)
    answers: dict[str, Attempt | None] = field(default_factory=dict)
    """By destination; None: it hangs."""
    sent: list[tuple[str, str]] = field(default_factory=list)
    destinations: dict[str, Destination] = field(
        default_factory=lambda: {name: Destination(id=name, webhook="x") for name in ("a", "b")}
    )
    now: float = 1_000_000.0

    def __post_init__(self) -> None:
        self.outbox = self.made()

    def made(self) -> Outbox:
        return Outbox(
            store=self.store,
            send=self.send,
            destinations=lambda: self.destinations,
            now=lambda: self.now,
            spawn=self.spawn,
            jitter=lambda: 0.0,
        )

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        return self.tasks.spawn(work, name)

    async def send(self, destination: Destination, row: OutboxRow) -> Attempt:
        text = json.loads(row.body)["data"]["n"]
        self.sent.append((destination.id, text))
        answer = self.answers.get(destination.id, OK)
        if answer is None:
            await asyncio.sleep(3600)
        assert answer is not None
        return answer

    def add(self, text: str, *to: str, key: str = "k", name: str = "call.entered") -> None:
        self.outbox.add(name, {"n": text}, to=to or ("a",), order_key=key, at=self.now)

    async def on(self, seconds: float = 1.0) -> None:
        """Let time pass, and everything happen that is due."""
        self.now += seconds
        for line in self.outbox._lines.values():
            line.wake.set()
        for _ in range(20):
            await asyncio.sleep(0)

    async def restarted(self) -> None:
        self.outbox.close()
        await self.tasks.close()
        self.tasks = Tasks()
        self.outbox = self.made()
        await self.outbox.load()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.outbox.load()
    yield made
    made.outbox.close()
    await made.tasks.close()


async def test_one_that_hangs_delays_no_other(world: World) -> None:
    world.answers["a"] = None
    for n in range(5):
        world.add(str(n), "a", "b", key=f"k{n}")
    await world.on()
    assert [text for name, text in world.sent if name == "b"] == ["0", "1", "2", "3", "4"]
    assert len([text for name, text in world.sent if name == "a"]) == 4
    assert {name for _, name in world.store.rows} == {"a"}


async def test_it_has_a_moment_to_be_stored_before_it_is_sent(world: World) -> None:
    world.add("1")
    assert len(world.store.rows) == 1
    await world.on(module.STORED_FIRST / 2)
    assert world.sent == []
    await world.on(module.STORED_FIRST)
    assert world.sent == [("a", "1")]


async def test_a_restart_goes_on_where_it_was(world: World) -> None:
    world.answers["a"] = Attempt(Outcome.AWAY, "it answers 500")
    for text in "123":
        world.add(text)
    await world.on()
    before = {row.event for row in world.store.rows.values()}
    await world.restarted()
    world.add("4")
    world.sent.clear()
    world.answers["a"] = OK
    for _ in range(6):
        await world.on(5.0)
    assert [text for _, text in world.sent] == ["1", "2", "3", "4"]
    assert len(before) == 3
    assert world.store.rows == {}


async def test_until_the_stored_ones_can_be_read_calls_wait_and_alarms_do_not() -> None:
    world = World()
    world.store.put(OutboxRow(event="e", destination="a", serial=5, order_key="k", name="call.entered", at=world.now, body='{"data": {"n": "0"}}'))  # fmt: skip
    world.store.readable.clear()
    loading = asyncio.ensure_future(world.outbox.load())
    world.add("1")
    world.add("alarm", key="alert", name="alert.fired")
    await world.on()
    assert world.sent == [("a", "alarm")]
    assert world.outbox.waiting == 1
    world.store.readable.set()
    await loading
    await world.on()
    await world.on()
    assert world.sent[1:] == [("a", "0"), ("a", "1")]  # each once
    world.outbox.close()
    await world.tasks.close()


async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    world = World()
    world.store.readable.clear()
    for n in range(5):
        world.add(str(n))
    status = world.outbox.status()
    assert (status["waiting"], status["given_up"]) == (3, 2)
    world.outbox.close()
    await world.tasks.close()


async def test_given_up_is_logged_and_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.answers["a"] = Attempt(Outcome.REFUSED, "it answers 404")
    world.add("1")
    world.add("2")
    for _ in range(40):
        await world.on(3600.0)
    status = world.outbox.status()
    assert status["given_up"] == 2
    line = status["destinations"]["a"]
    assert (line["waiting"], line["given_up"], line["delivered"]) == (0, 2, 0)
    assert line["trouble"] == "it answers 404"
    assert world.store.rows == {}
    lost = [record.getMessage() for record in caplog.records if "given up" in record.getMessage()]
    assert len(lost) == 2
    assert "(call.entered) for a of 1970-01-12" in lost[0]
    assert "it answers 404" in lost[0]


async def test_it_says_once_that_a_destination_fails_and_once_that_it_works(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.answers["a"] = Attempt(Outcome.AWAY, "it answers 500")
    world.add("1")
    for _ in range(5):
        await world.on(60.0)
    world.answers["a"] = OK
    for _ in range(5):
        await world.on(600.0)
    said = [record.getMessage() for record in caplog.records if "destination a" in record.getMessage()]  # fmt: skip
    assert said == [
        "destination a: it answers 500; it is tried again for 24 h",
        "destination a takes events again; 0 wait",
    ]


async def test_a_destination_that_is_taken_out_of_the_files(world: World) -> None:
    world.answers["a"] = Attempt(Outcome.AWAY, "it answers 500")
    for n in range(6):
        world.add(str(n), key=f"k{n}")
    await world.on()
    del world.destinations["a"]
    await world.on(60.0)
    assert world.store.rows == {}
    assert world.outbox.status()["destinations"]["a"]["given_up"] == 6
    world.add("7")
    assert world.store.rows == {}


async def test_a_fault_of_ours_is_an_attempt_that_failed(world: World) -> None:
    async def fails(_destination: Destination, _row: OutboxRow) -> Attempt:
        raise ZeroDivisionError

    world.outbox._send = fails
    world.add("1")
    await world.on()
    world.outbox._send = world.send
    assert world.tasks.failed == 1
    await world.on(60.0)
    assert world.sent == [("a", "1")]


async def test_an_event_that_is_too_large_is_not_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add("x" * 70_000)
    assert world.store.rows == {}
    assert "too large" in caplog.text
