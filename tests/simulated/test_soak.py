"""Five calls a second through the router, its timers, driver, readers and store: nothing grows.

The loop's clock is virtual and jumps from one deadline to the next: an hour (`make soak`) takes a minute, and
the quarter of one that is part of every run takes a third of that.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from callrouter.api.calllog.call_log import CallLog
from callrouter.api.live import LiveViews
from callrouter.core.router import Router
from callrouter.daemon.self_check import SelfCheck
from callrouter.model.call_notices import CallCompleted, CallEnd, CallEntered
from callrouter.model.events import SignedIn
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table
from callrouter.pbx.simulated import SimulatedPbx, Traffic
from callrouter.pbx.simulated.traffic import Spread
from callrouter.runtime import Runtime
from callrouter.settings import SimulatedSettings
from callrouter.store.location import File
from callrouter.store.service import StoreService
from callrouter.tasks import Tasks
from tests.asterisk.floor import tell
from tests.simulated.world import PBX, START, agent, queue

AGENTS = 80
PER_SECOND = 5.1  # so that chance leaves 18,000 calls in an hour
SECONDS = float(os.environ.get("SOAK", "900"))
"""How long it is looked at; `make soak` takes an hour."""
WARM = 1500.0
"""Seconds until every bounded memory (the last 5,000 calls) is full."""


class QuickLoop(asyncio.SelectorEventLoop):
    """Does not wait: when there is nothing to do, the time is that of the next deadline.

    Attributes:
        quick: whether that is so just now; the store's thread and its file take real time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quick = False
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def _run_once(self) -> None:
        if self.quick and not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._ahead += max(0.0, self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    def __init__(self, loop: QuickLoop) -> None:
        self._loop = loop
        self._began = loop.time()

    def now(self) -> float:
        return START + self._loop.time() - self._began


@dataclass(frozen=True)
class Look:
    """What there was at one moment."""

    memory: int
    tasks: int
    threads: int
    files: int
    timers: int
    objects: int


def look(runtime: Runtime) -> Look:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Look(
        memory=pages * os.sysconf("SC_PAGE_SIZE"),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
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


@dataclass
class Hour:
    """What it came to, after the memories that are bounded were full."""

    looks: list[Look]
    entered: int
    served: int
    ended: int
    breaches: int
    kept: int
    """Calls of the day that the database has of all agents."""


async def an_hour(folder: Path) -> Hour:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, QuickLoop)
    clock, spec = LoopClock(loop), floor()
    router = Router(spec, rng=random.Random(2), run_id="b", now=clock.now())
    runtime = Runtime(router, clock)
    traffic = Traffic(otherwise=PER_SECOND * 60 / 2, talk=Spread(median=9.0, sigma=0.4, least=3.0))
    settings = SimulatedSettings(id=PBX, seed=1)
    pbx = SimulatedPbx(
        PBX, settings, post=runtime.post, table=spec, run_id="t", traffic=traffic, clock=clock
    )
    runtime.attach(pbx)
    seen = Counter[type[Notice]]()

    def count(notice: Notice) -> None:
        seen[type(notice)] += 1

    call_log, live = CallLog(router.floor), LiveViews()
    store = StoreService(router.board, runtime.post, clock, File(folder / "callrouter.db"))
    runtime.listen_to_rows(store.rows_changed)
    readers = (call_log.listen, live.listen, count)
    for listener in readers:
        runtime.listen(listener)
    await loop.run_in_executor(None, int)  # its thread stays
    await store.start()
    loop.quick = True
    for name in spec.agents:
        runtime.post(SignedIn(agent=name))
    tasks, check = Tasks(), SelfCheck(runtime)
    tasks.spawn(pbx.run(), "calls")
    tasks.spawn(check.run(), "self-check")
    await asyncio.sleep(WARM)
    looks, before = [look(runtime)], seen.copy()
    for _ in range(6):
        await asyncio.sleep(SECONDS / 6)
        looks.append(look(runtime))
    now = seen - before
    loop.quick = False
    runtime.close()
    await tasks.close()
    await store.close()
    with sqlite3.connect(folder / "callrouter.db") as link:
        (kept,) = link.execute("SELECT sum(calls) FROM agents").fetchone()
    link.close()
    assert runtime.faults == 0
    assert tasks.failed == 0
    return Hour(
        looks,
        entered=now[CallEntered],
        served=now[CallCompleted],
        ended=sum(now[kind] for kind in get_args(CallEnd)),
        breaches=check.breaches,
        kept=kept,
    )


@pytest.mark.load
@pytest.mark.timeout(1200)
def test_hours_of_calls_leave_nothing_behind(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        hour = runner.run(an_hour(tmp_path))
    first, rest = hour.looks[0], hour.looks[1:]
    most = max(one.memory for one in rest)
    tell(
        f"{hour.entered} calls in {SECONDS / 60:.0f} min, {hour.served} served; memory "
        f"{first.memory / 2**20:.1f} MiB, at most {(most / first.memory - 1) * 100:+.1f} %; "
        f"{rest[-1].tasks} tasks, {rest[-1].threads} threads, {rest[-1].files} files, "
        f"{[one.objects for one in hour.looks]} objects"
    )
    expected = PER_SECOND * SECONDS
    assert hour.entered > expected - 4 * expected**0.5, "five a second, but for chance"
    assert abs(hour.entered - hour.ended) < AGENTS * 4, "who came also went"
    assert hour.served > 0.8 * PER_SECOND * SECONDS
    assert hour.breaches == 0
    assert hour.kept >= hour.served
    assert most < first.memory * 1.05
    assert {one.tasks for one in rest} == {first.tasks}
    assert {one.threads for one in rest} == {first.threads}
    assert {one.files for one in rest} == {first.files}
    assert max(one.timers for one in rest) < 4 * AGENTS
    assert rest[-1].objects < first.objects * 1.05
