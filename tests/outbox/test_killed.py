"""Webhooks over `kill -9` of the real daemon, to a receiver that fails, hangs, answers 500, dies and returns."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import BUSY, Place, started
from tests.outbox.receiver import SECRET, Receiver

HOOKS = """\
destinations:
  crm: {{webhook: "{url}", secret: {secret}}}
  away: {{webhook: "http://127.0.0.1:9/", secret: {secret}}}
webhooks:
  - {{to: [crm, away], events: [call.entered, call.offered, call.connected, call.ended]}}
alerts:
  - {{name: desk-waits, when: "waiting > 0", queues: [desk], to: crm}}
"""


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Place(Path(folder))


async def until(true: Any, seconds: float = BUSY) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


class Floor:
    """Makes calls by way of the scene."""

    def __init__(self, place: Place) -> None:
        self.things = place.folder / "things"
        self.things.mkdir()
        self.made: list[str] = []
        self.scene = {"after": str(self.things), "talk": 0.3}
        self.port = place.port

    async def call(self, count: int = 1) -> None:
        for _ in range(count):
            name = f"c{len(self.made)}"
            self.made.append(name)
            part = self.things / "part"
            part.write_text(name)
            part.rename(self.things / "call")
            await until(lambda: not (self.things / "call").exists())

    def status(self) -> Any:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/status",
            headers={"Authorization": "Bearer 0123456789abcdef"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)

    async def saved(self) -> None:
        """Wait until everything is in the database."""

        await asyncio.sleep(0.15)
        end = time.monotonic() + BUSY
        while (await asyncio.to_thread(self.status))["store"]["unsaved"]:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_each_event_arrives_in_order_whatever_happens(place: Place) -> None:
    receiver = Receiver()
    await receiver.open()
    place.write("hooks", HOOKS.format(url=receiver.url, secret=SECRET))
    for name in ("alice", "bob"):
        place.replace("agents", f"{name}: {{", f"{name}: {{sign_in: always, wrap_up: 0, ")
    floor = Floor(place)
    with started(place, floor.scene) as daemon:
        await floor.call(3)
        await until(lambda: len([e for e in receiver.taken if e.type == "call.ended"]) == 3)
        for mode in ("500", "drop", "hang"):
            receiver.mode = mode
            await floor.call(2)
            await asyncio.sleep(0.3)
        await receiver.close()  # dead
        await floor.call(3)
        await floor.saved()
        daemon.signal(signal.SIGKILL)
        await asyncio.to_thread(daemon.wait)
    with started(place, floor.scene) as daemon:  # still dead
        await floor.call(2)
        await floor.saved()
        assert floor.status()["outbox"]["destinations"]["crm"]["waiting"] > 0
        daemon.signal(signal.SIGKILL)
        await asyncio.to_thread(daemon.wait)
    receiver.mode = "ok"
    await receiver.open()
    with started(place, floor.scene) as daemon:
        await floor.call(2)
        await until(lambda: ended(receiver) >= set(floor.made), 90)
        await asyncio.sleep(0.5)
        status = await asyncio.to_thread(floor.status)
        assert status["outbox"]["destinations"]["crm"]["waiting"] == 0
        assert status["outbox"]["destinations"]["away"]["waiting"] > 0
        assert "no connection" in status["outbox"]["destinations"]["away"]["trouble"]
    await receiver.close()
    check(receiver, floor.made)
    logs = "".join(log.read_text() for log in place.folder.glob("log-*"))
    assert "Traceback" not in logs, logs
    assert "destination crm: " in logs


def ended(receiver: Receiver) -> set[str]:
    return {event.call for event in receiver.taken if event.type == "call.ended"}


def check(receiver: Receiver, calls: list[str]) -> None:
    """Each event once by its id, in order for each call; every call entered and ended once."""
    assert receiver.strangers == []
    for call in calls:
        taken = [event for event in receiver.taken if event.call == call]
        kinds = [event.type for event in taken]
        assert kinds[0] == "call.entered", (call, kinds)
        assert kinds[-1] == "call.ended", (call, kinds)
        assert kinds.count("call.entered") == kinds.count("call.ended") == 1, (call, kinds)
        order = ["call.entered", "call.offered", "call.connected", "call.ended"]
        places = [order.index(kind) for kind in kinds]
        assert places == sorted(places), (call, kinds)
        end = taken[-1].data
        agents = [event.data["agent"] for event in taken if event.type == "call.connected"]
        assert end["agent"] == (agents[-1] if agents else None)
        assert end["answered"] is bool(agents)
    # No later event was sent before the earlier one of its call was taken.
    for call in calls:
        attempts = [one for one in receiver.attempts if one.call == call]
        for before, after in pairwise(attempts):
            assert before.id == after.id or before.taken, (call, before.type, after.type)
