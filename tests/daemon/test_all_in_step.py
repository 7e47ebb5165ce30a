"""At the start no offer is made before every PBX has been compared, or for a moment after the first."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from callrouter import runtime as loop
from callrouter.core.router import Router
from callrouter.model.agent_row import AgentRow
from callrouter.model.commands import PbxCommand, Ring
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    DeviceState,
    EndpointChanged,
    PbxLost,
    PbxSnapshot,
    Resumed,
    SeenCall,
    SeenLeg,
    SignedIn,
    TimePassed,
)
from callrouter.model.routing_table import DeviceSpec
from callrouter.pbx.interface import PbxHealth
from callrouter.runtime import Runtime
from tests.ami.fake import until
from tests.core.tables import agent, desk, queue, table
from tests.daemon.test_stood_still import Hand

PLACES = ("north", "south")


class Told:
    """A PBX that only remembers what it was told to ring for."""

    def __init__(self, name: str, rung: list[str]) -> None:
        self.name = name
        self.comparing = False
        self.agents: list[str] = []
        self._rung = rung

    def health(self) -> PbxHealth:
        return PbxHealth(up=True, comparing=self.comparing)

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        rings = [one for one in commands if isinstance(one, Ring)]
        self._rung += [one.call for one in rings]
        self.agents += [one.agent for one in rings]

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
    await until(lambda: rung != [])
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
    await asyncio.sleep(0)
    clock.at += 60
    runtime.post(snapshot("north", 5, clock))
    runtime.post(EndpointChanged(pbx="north", endpoint="PJSIP/ann", state=DeviceState.IDLE))
    assert rung == ["of-north"]


async def test_a_pbx_that_does_not_run_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TOGETHER", 60)
    runtime, rung, clock = start(*PLACES)
    runtime.post(snapshot("north", 5, clock))
    runtime.post(PbxLost(pbx="south", why="nothing listens there", stopped=True))
    await until(lambda: rung == ["of-north"])


async def test_a_pbx_that_is_being_compared_gets_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TOGETHER", 0.01)
    runtime, rung, clock = start(*PLACES)
    south = runtime.pbxes["south"]
    assert isinstance(south, Told)
    south.comparing = True
    runtime.post(snapshot("north", 5, clock))
    await asyncio.sleep(0.15)
    assert rung == []
    south.comparing = False
    await until(lambda: rung == ["of-north"])


class TakeOver:
    """A take-over by chance: agents in after-call work or in a conversation, and callers who wait.

    Each agent has a phone at one place, which rings from all. Work ends before, between and after the
    snapshots, whose order is any, and other events come between them.
    """

    places = ("north", "south", "west")

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.clock, self.rung = Hand(), list[str]()
        self.began = self.clock.at
        self.agents = {f"a{n}": rng.choice(self.places) for n in range(6)}
        self.busy = {name: rng.choice(self.places) for name in self.agents if rng.random() < 0.4}
        self.waited = {f"c{n}": rng.uniform(1, 100) for n in range(rng.randint(0, 8))}
        self.place = {call: rng.choice(self.places) for call in self.waited}
        specs = [agent(name, self._phone(name)) for name in self.agents]
        queues = queue("q", " ".join(self.agents), ring_for=60)
        router = Router(table(*specs, queues), rng=rng, run_id="b", now=self.clock.at)
        self.runtime = Runtime(router, self.clock)
        self.pbxes = {place: Told(place, self.rung) for place in self.places}
        for pbx in self.pbxes.values():
            self.runtime.attach(pbx)
        for name in self.agents:
            wrap = self.clock.at + rng.uniform(-1, 3) if rng.random() < 0.6 else None
            row = AgentRow(agent=name, signed_in=True, wrap_until=wrap, idle_since=0.0)
            self.runtime.post(AgentRestored(row=row))
        self.runtime.start()

    def _phone(self, name: str) -> DeviceSpec:
        home, plain = self.agents[name], f"PJSIP/{name}"
        addresses = {one: plain if one == home else f"{plain}@{home}" for one in self.places}
        return desk(name, pbxes=self.places, addresses=addresses, homes=(home,))

    def snapshot(self, place: str) -> PbxSnapshot:
        waiting = [
            SeenCall(
                arrived=CallArrived(
                    call=call, pbx=place, queue="q", entered_at=self.began - self.waited[call]
                )
            )
            for call, where in self.place.items()
            if where == place
        ]
        talkers = [name for name, where in self.busy.items() if where == place]
        talking = [
            SeenCall(
                arrived=CallArrived(
                    call=f"of-{name}", pbx=place, queue="q", entered_at=self.began - 200
                ),
                talking_to=f"a-{name}",
            )
            for name in talkers
        ]
        legs = [
            SeenLeg(
                offer=f"a-{name}", device="desk", agent=name, call=f"of-{name}",
                answered=True, accepted=True, bridged=True,
            )
            for name in talkers
        ]  # fmt: skip
        states = {f"PJSIP/{name}@{home}": DeviceState.IDLE for name, home in self.agents.items()}
        for name, home in self.agents.items():
            if home == place:
                in_use = name in self.busy
                states[f"PJSIP/{name}"] = DeviceState.IN_USE if in_use else DeviceState.IDLE
        calls = (*waiting, *talking)
        return PbxSnapshot(pbx=place, endpoints=states, calls=calls, legs=tuple(legs))

    def something(self) -> None:
        """Time passes, and perhaps something small happens."""
        self.clock.at += self.rng.choice([0.0, 0.01, 0.1, 0.4, 0.7])
        if self.rng.random() < 0.5:
            self.runtime.post(TimePassed())
        elif self.rng.random() < 0.3:
            self.runtime.post(Resumed(agent=self.rng.choice([*self.agents])))


@pytest.mark.parametrize("first", range(0, 300, 50))
async def test_at_a_take_over_no_phone_rings_before_all_is_known(first: int) -> None:
    for seed in range(first, first + 50):
        here = TakeOver(seed)
        order = [*here.places]
        here.rng.shuffle(order)
        for place in order:
            here.something()
            assert here.rung == [], f"seed {seed}: before {place} is in step"
            here.runtime.post(here.snapshot(place))
        await asyncio.sleep(0)
        if here.runtime.catching_up:  # it stood still as well
            await asyncio.sleep(loop.CATCH_UP + 0.05)
        ringing = {who for pbx in here.pbxes.values() for who in pbx.agents}
        assert not ringing & here.busy.keys(), f"seed {seed}: an agent who talks is rung"
        by_wait = sorted(here.waited, key=lambda call: -here.waited[call])
        assert sorted(here.rung) == sorted(by_wait[: len(here.rung)]), f"seed {seed}: overtaken"
