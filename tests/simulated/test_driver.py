from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from callrouter.clock import SystemClock
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.call_notices import CallCompleted, ConversationStarted
from callrouter.model.events import ConfigReloaded, Event, PbxSnapshot, SignedIn
from callrouter.model.notices import Notice
from callrouter.pbx.interface import ClusterPbx, Pbx
from callrouter.pbx.simulated import SimulatedPbx, Spread, Traffic
from callrouter.runtime import Runtime
from callrouter.settings import SimulatedSettings
from tests.simulated.world import PBX, call_centre

QUICK = Traffic(
    otherwise=600.0,
    answer=Spread(median=0.02, sigma=0.2),
    talk=Spread(median=0.05, sigma=0.2),
    patience=Spread(median=1.0),
    lag=Spread(median=0.001),
)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Runtime, SimulatedPbx, list[Notice]]]:
    clock = SystemClock()
    table = call_centre()
    router = Router(table, rng=random.Random(1), run_id="b", now=clock.now())
    runtime = Runtime(router, clock)
    settings = SimulatedSettings(id=PBX, seed=1)
    pbx = SimulatedPbx(PBX, settings, post=runtime.post, table=table, traffic=QUICK, clock=clock)
    as_pbx: Pbx = pbx  # what mypy is to see: it is one
    runtime.attach(as_pbx)
    notices: list[Notice] = []
    runtime.listen(notices.append)
    runtime.start()
    task = asyncio.create_task(pbx.run())
    try:
        yield runtime, pbx, notices
    finally:
        runtime.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert runtime.faults == 0


async def until(true: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - it asks about state, nobody tells
            await asyncio.sleep(0.005)


async def test_calls_are_answered_at_real_speed() -> None:
    async with running() as (runtime, pbx, notices):
        await until(lambda: PBX in runtime.router.floor.up)
        assert pbx.health().up
        for agent in call_centre().agents:
            runtime.post(SignedIn(agent=agent))
        await until(lambda: sum(isinstance(r, ConversationStarted) for r in notices) >= 3)
        pbx.resync("for the test")
        await until(lambda: sum(isinstance(r, CallCompleted) for r in notices) >= 3)
        check(runtime.router.floor)
    assert not pbx.health().up


async def test_orders_before_the_start_are_dropped() -> None:
    table = call_centre()
    settings = SimulatedSettings(id=PBX)
    pbx = SimulatedPbx(PBX, settings, post=lambda _: None, table=table)
    pbx.execute([])
    pbx.resync("nothing is told")
    assert not pbx.health().up


async def test_new_phones_are_told() -> None:
    async with running() as (runtime, pbx, _):
        await until(lambda: PBX in runtime.router.floor.up)
        table = call_centre()
        less = {name: agent for name, agent in table.agents.items() if name != "a1"}
        queues = {
            name: replace(queue, members=tuple(m for m in queue.members if m.agent != "a1"))
            for name, queue in table.queues.items()
        }
        assert (PBX, "PJSIP/1001") in runtime.router.floor.device_states
        runtime.post(ConfigReloaded(table=replace(table, agents=less, queues=queues)))
        assert "PJSIP/1001" not in pbx.engine.endpoints()


async def test_a_standby_simulates_nothing_until_it_is_active() -> None:
    class Standby:
        epoch, active = 1, False

        def sure(self) -> bool:
            return self.active

        def newer_epoch(self, pbx: str, epoch: int) -> None: ...

    posted: list[Event] = []
    pbx = SimulatedPbx(
        PBX,
        SimulatedSettings(id=PBX, seed=1),
        post=posted.append,
        table=call_centre(),
        traffic=QUICK,
        authority=Standby(),
    )
    assert isinstance(pbx, ClusterPbx)
    task = asyncio.create_task(pbx.run())
    await asyncio.sleep(0.05)
    known = posted.copy()
    assert [type(event) for event in known] == [PbxSnapshot], (
        "it knows the phones, as of a real PBX"
    )
    assert isinstance(known[0], PbxSnapshot)
    assert known[0].endpoints
    assert not known[0].calls
    assert pbx.health().detail == "simulated: standby"
    await asyncio.sleep(0.05)
    assert posted == known
    pbx.activate()
    await until(lambda: len(posted) > len(known))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
