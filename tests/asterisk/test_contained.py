"""A fault of ours at the worst places of the driver costs a line in the log, and not the PBX."""

from __future__ import annotations

import random
from typing import Any

import pytest

from callrouter.core.router import Router
from callrouter.pbx.asterisk import heartbeat, resync
from callrouter.pbx.asterisk.ami import AmiClient
from callrouter.pbx.asterisk.ami import client as ami_client
from callrouter.pbx.asterisk.driver import AsteriskPbx
from callrouter.pbx.asterisk.heartbeat import Heartbeat
from callrouter.pbx.asterisk.resync import Resync
from callrouter.settings import AsteriskSettings
from callrouter.tasks import Tasks
from tests.ami.fake import SECRET, FakeAmi, Received, message, serving, until
from tests.asterisk.floor import PBX, queue, staff, table


def listed(action: Received) -> bytes:
    """What an Asterisk answers on which nothing goes on."""
    if action.name not in {"Status", "DeviceStateList"}:
        return action.reply()
    number = f"ActionID: {action.get('ActionID')}"
    end = message(f"Event: {action.name}Complete", "EventList: Complete", number)
    return action.reply("EventList: start") + end


class Once:
    """Fails the first time it is called."""

    def __init__(self, real: Any) -> None:
        self.real, self.failed = real, 0

    def __call__(self, *given: Any) -> Any:
        if not self.failed:
            self.failed += 1
            raise MemoryError
        return self.real(*given)


@pytest.mark.parametrize(
    "place",
    [
        (Heartbeat, "_beat_once"),
        (Resync, "_compare"),
        (AmiClient, "_open"),
        (ami_client, "wait_until_booted"),
    ],
    ids=lambda place: place[1],
)
async def test_the_driver_goes_on_after_a_fault(
    place: tuple[Any, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", 0.01)
    monkeypatch.setattr(resync, "RETRY_AFTER", 0.01)
    owner, name = place
    fails = Once(getattr(owner, name))

    def instead(*given: Any) -> Any:
        return fails(*given)

    monkeypatch.setattr(owner, name, instead)
    tasks = Tasks()
    async with serving(FakeAmi(answer=listed)) as fake:
        settings = AsteriskSettings(
            id=PBX, username="callrouter", secret=SECRET, host="127.0.0.1", port=fake.port
        )
        spec = table(staff(1), queue("support", ["a1"]))
        board = Router(spec, rng=random.Random(1), run_id="b").board
        pbx = AsteriskPbx(PBX, settings, post=lambda _: None, table=spec, board=board)
        tasks.spawn(pbx.run(), "driver")

        def ticks() -> int:
            return sum("CALLROUTER_TICK" in action.get("Variable") for action in fake.actions)

        await until(lambda: pbx.in_step and ticks() > 3, 10)
        await tasks.close()
    assert fails.failed == 1
    assert "MemoryError" in caplog.text


async def test_an_exception_of_a_reader_counts_as_a_fault_that_health_shows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = Tasks()
    async with serving(FakeAmi(answer=listed)) as fake:
        settings = AsteriskSettings(
            id=PBX, username="callrouter", secret=SECRET, host="127.0.0.1", port=fake.port
        )
        spec = table(staff(1), queue("support", ["a1"]))
        board = Router(spec, rng=random.Random(1), run_id="b").board
        pbx = AsteriskPbx(PBX, settings, post=lambda _: None, table=spec, board=board, run_id="b")
        tasks.spawn(pbx.run(), "driver")
        await until(lambda: pbx.in_step, 10)
        assert pbx.health().faults == 0
        monkeypatch.setattr(pbx._dialogues, "handle", Once(pbx._dialogues.handle))
        fake.push(message("Event: Shutdown", "Privilege: system,all", "Shutdown: Cleanly"))
        await until(lambda: pbx.health().faults == 1, 10)
        link = {count.name: count.value for count in pbx.health().link}
        await tasks.close()
    assert link["ami_handler_errors"] == 1
    assert link["ami_events"] == 1
    assert link["ami_connects"] == 1
    assert link["ami_timeouts"] == 0
    assert "MemoryError" in caplog.text
