"""The daemon looks at itself: what holds its loop up, and whether what must hold does."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from types import FrameType

import pytest

from callrouter.clock import SystemClock
from callrouter.core.router import Router
from callrouter.daemon import loop_lag
from callrouter.daemon.loop_lag import LoopLag
from callrouter.daemon.self_check import SelfCheck
from callrouter.model.events import DeviceState, PbxSnapshot, TimePassed
from callrouter.runtime import Runtime
from tests.asterisk.floor import PBX, queue, staff, table


def hold_everybody_up(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


async def test_what_holds_the_loop_up_is_named(caplog: pytest.LogCaptureFixture) -> None:
    watch = LoopLag()
    watch.start()
    try:
        await asyncio.sleep(0.2)
        for _ in range(2):
            hold_everybody_up(0.5)
            await asyncio.sleep(0.2)
    finally:
        watch.stop()
    status = watch.status()
    assert status["held_up"] >= 2
    assert status["longest_ms"] >= 350
    assert "hold_everybody_up (daemon/test_selfwatch.py:" in status["by"]
    said = [
        record.message for record in caplog.records if "calls were held up for" in record.message
    ]
    assert len(said) == 1, "the same is not said again and again"
    assert "hold_everybody_up" in said[0]
    await asyncio.sleep(3 * loop_lag.BEAT)
    assert not any(thread.name == "callrouter hold-ups" for thread in threading.enumerate())


async def test_a_loop_that_waits_holds_nobody_up() -> None:
    frames: list[FrameType | None] = []
    loop, me = asyncio.get_running_loop(), threading.get_ident()
    look = threading.Timer(0.3, lambda: frames.append(sys._current_frames().get(me)))
    look.start()
    await loop.run_in_executor(None, look.join)
    assert loop_lag.waits(frames[0])
    assert not loop_lag.waits(sys._getframe())


def test_a_stack_in_one_line() -> None:
    assert loop_lag.where(None) == ""


class Compared:
    """A PBX that counts how often it is to be compared with."""

    name = PBX

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resync(self, why: str) -> None:
        self.asked.append(why)

    def execute(self, commands: object) -> None:
        """Nothing rings here."""


async def test_a_breach_is_told_mended_and_no_end_of_the_world(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = SystemClock()
    spec = table(staff(2), queue("support", ["a1", "a2"]))
    router = Router(spec, rng=random.Random(1), run_id="b", now=clock.now())
    runtime = Runtime(router, clock)
    pbx = Compared()
    runtime.attach(pbx)  # type: ignore[arg-type]
    idle = {"PJSIP/1001": DeviceState.IDLE, "PJSIP/1002": DeviceState.IDLE}
    runtime.post(PbxSnapshot(pbx=PBX, endpoints=idle))
    look = SelfCheck(runtime)
    look.step(0.0)
    assert look.breaches == 0
    router.floor.agents["a1"].wrap_until = clock.now() + 99  # as a fault of ours might
    for n in range(1, 4):
        look.step(float(n))
    assert look.breaches >= 1
    assert pbx.asked == ["something that must always hold did not"], "once, whatever it helps"
    assert "mending" in caplog.text
    assert look.status()["last_breach"] == look.last != ""
    runtime.post(TimePassed())
    runtime.close()
