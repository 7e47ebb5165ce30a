"""At the start no offer is made before every PBX has been compared, or for a moment after the first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from callrouter import runtime as loop
from callrouter.core.router import Router
from callrouter.model.commands import PbxCommand, Ring
from callrouter.model.events import (
    CallArrived,
    DeviceState,
    EndpointChanged,
    PbxSnapshot,
    SeenCall,
    SignedIn,
)
from callrouter.runtime import Runtime
from tests.ami.fake import until
from tests.core.tables import agent, desk, queue, table
from tests.daemon.test_stood_still import Hand

PLACES = ("north", "south")


class Told:
    """A PBX that only remembers what it was told to ring for."""

    def __init__(self, name: str, rung: list[str]) -> None:
        self.name = name
        self._rung = rung

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        self._rung += [one.call for one in commands if isinstance(one, Ring)]

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def start(*places: str) -> tuple[Runtime, list[str], Hand]:
    """Ann has a phone at each place; the callers of before have waited for a while."""
    clock, rung = Hand(), list[str]()
    here = agent("ann", desk("ann", pbxes=places))
    router = Router(
        table(here, queue("q", "ann", ring_for=5)), rng=random.Random(1), run_id="b", now=clock.at
    )
    runtime = Runtime(router, clock)
    for place in places:
        runtime.attach(Told(place, rung))
    runtime.post(SignedIn(agent="ann"))
    runtime.start()
    return runtime, rung, clock


def snapshot(place: str, ago: float, clock: Hand) -> PbxSnapshot:
    """A moment later: one caller waits there, who came so many seconds ago."""
    clock.at += 0.03
    arrived = CallArrived(call=f"of-{place}", pbx=place, queue="q", entered_at=clock.at - ago)
    return PbxSnapshot(
        pbx=place, endpoints={"PJSIP/ann": DeviceState.IDLE}, calls=(SeenCall(arrived=arrived),)
    )


async def test_the_first_pbx_in_step_waits_for_the_others() -> None:
    runtime, rung, clock = start(*PLACES)
    runtime.post(snapshot("north", 5, clock))
    assert rung == []
    runtime.post(snapshot("south", 60, clock))
    assert rung == ["of-south"], "who came first is first, wherever they wait"


async def test_a_pbx_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TOGETHER", 0.01)
    runtime, rung, clock = start(*PLACES)
    runtime.post(snapshot("north", 5, clock))
    clock.at += 0.03
    await until(lambda: rung == ["of-north"])


async def test_a_pbx_alone_waits_for_none() -> None:
    runtime, rung, clock = start("north")
    runtime.post(snapshot("north", 5, clock))
    assert rung == ["of-north"]


async def test_a_pbx_that_comes_back_later_holds_nothing_up() -> None:
    runtime, rung, clock = start(*PLACES)
    for place in PLACES:
        runtime.post(PbxSnapshot(pbx=place, endpoints={"PJSIP/ann": DeviceState.UNREACHABLE}))
    clock.at += 60
    runtime.post(snapshot("north", 5, clock))
    runtime.post(EndpointChanged(pbx="north", endpoint="PJSIP/ann", state=DeviceState.IDLE))
    assert rung == ["of-north"]
