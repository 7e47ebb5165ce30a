"""An hour of five calls a second through the router, its timers, driver and readers: nothing grows.

The loop's clock is virtual and jumps from one deadline to the next, so that the hour takes half a minute.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from callrouter.api.history import History
from callrouter.api.live import Live
from callrouter.api.why import Journal
from callrouter.core.router import Router
from callrouter.daemon.selfcheck import SelfCheck
from callrouter.model.commands import Happened, Record, Told
from callrouter.model.events import SignedIn
from callrouter.model.table import Table
from callrouter.pbx.simulated import SimulatedPbx, Traffic
from callrouter.pbx.simulated.traffic import Spread
from callrouter.runtime import Runtime
from callrouter.settings import SimulatedSettings
from callrouter.tasks import Tasks
from tests.asterisk.floor import tell
from tests.simulated.world import PBX, START, agent, queue

AGENTS = 80
PER_SECOND = 5.0
HOUR = 3600.0
WARM = 1500.0
"""Seconds until every bounded memory (the last 5,000 calls) is full."""


class QuickLoop(asyncio.SelectorEventLoop):
    """Does not wait: when there is nothing to do, the time is that of the next deadline."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._ahead += max(0.0, self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    def now(self) -> float:
        return START + asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Look:
    """What there was at one moment."""

    memory: int
    tasks: int
    files: int
    timers: int
    objects: int


def look(runtime: Runtime) -> Look:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Look(
        memory=pages * os.sysconf("SC_PAGE_SIZE"),
        tasks=len(asyncio.all_tasks()),
        files=len(list(Path("/proc/self/fd").iterdir())),
        timers=len(list(runtime.router.floor.timers.keys())),
        objects=len(gc.get_objects()),
    )


def floor() -> Table:
    staff = [agent(f"a{n}", f"PJSIP/{1000 + n}") for n in range(AGENTS)]
    names = {person.id: 1 for person in staff}
    specs = [queue(name, names, max_wait=60.0) for name in ("support", "sales")]
    return Table(
        agents={person.id: person for person in staff}, queues={spec.id: spec for spec in specs}
    )


async def an_hour() -> tuple[list[Look], int, int]:
    clock, spec = LoopClock(), floor()
    router = Router(spec, dice=random.Random(2), boot="b", now=clock.now())
    runtime = Runtime(router, clock)
    traffic = Traffic(otherwise=PER_SECOND * 60 / 2, talk=Spread(median=9.0, sigma=0.4, least=3.0))
    settings = SimulatedSettings(id=PBX, seed=1)
    pbx = SimulatedPbx(
        PBX, settings, post=runtime.post, table=spec, boot="t", traffic=traffic, clock=clock
    )
    runtime.attach(pbx)
    ended = 0

    def count(item: Told) -> None:
        nonlocal ended
        ended += isinstance(item, Record) and item.kind is Happened.COMPLETED

    history, journal, live = History(router.floor), Journal(router.floor), Live()
    for listener in (history.listen, journal.listen, live.listen, count):
        runtime.listen(listener)
    for name in spec.agents:
        runtime.post(SignedIn(agent=name))
    tasks, check = Tasks(), SelfCheck(runtime)
    tasks.spawn(pbx.run(), "calls")
    tasks.spawn(check.run(), "self-check")
    await asyncio.sleep(WARM)
    looks, before = [look(runtime)], ended
    for _ in range(6):
        await asyncio.sleep(HOUR / 6)
        looks.append(look(runtime))
    served = ended - before
    runtime.close()
    await tasks.close()
    assert runtime.faults == 0
    assert tasks.failed == 0
    return looks, served, check.breaches


@pytest.mark.load
@pytest.mark.timeout(400)
def test_an_hour_leaves_nothing_behind() -> None:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        looks, served, breaches = runner.run(an_hour())
    first, rest = looks[0], looks[1:]
    most = max(one.memory for one in rest)
    tell(
        f"{served} calls served in an hour; memory {first.memory / 2**20:.1f} MiB, at most "
        f"{(most / first.memory - 1) * 100:+.1f} %; {rest[-1].tasks} tasks, {rest[-1].files} files, "
        f"{[one.objects for one in looks]} objects"
    )
    assert served > 0.8 * PER_SECOND * HOUR
    assert breaches == 0
    assert most < first.memory * 1.05
    assert {one.tasks for one in rest} == {first.tasks}
    assert {one.files for one in rest} == {first.files}
    assert max(one.timers for one in rest) < 4 * AGENTS
    assert rest[-1].objects < first.objects * 1.05
