"""How long a reload delays calls: the loop's longest pause while a large configuration is applied.

    python -m bench.reload [AGENTS] [QUEUES]

Runs a real `Runtime` and `Router` with the daemon's own `LiveConfig` on a folder in /tmp. A
heartbeat on the loop records how late each turn is. With every 10th beat a call arrives, so that
offers are made all the time, and with every 5th a phone changes state. The changes range from one
agent's priority to that of every agent.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callrouter.api.access.people import People
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiTokens
from callrouter.api.calllog.call_log import CallLog
from callrouter.clock import SystemClock
from callrouter.config_source.config_sources import FolderSource
from callrouter.config_source.start_config import StartConfig
from callrouter.core.router import Router
from callrouter.daemon.live_config import LiveConfig
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    DeviceState,
    EndpointChanged,
    PbxSnapshot,
)
from callrouter.model.notices import Notice
from callrouter.pbx.interface import PbxHealth
from callrouter.runtime import Runtime
from callrouter.settings import load_snapshot
from callrouter.settings.config_files import read_snapshot

BEAT = 0.001
WAITING = 100
"""Number of callers at a time: none is answered, and the first hangs up when another arrives."""
EACH = 5
"""Queues per agent."""


def write(folder: Path, agents: int, queues: int, *, ring_for: int = 20, level: int = 1) -> None:
    """Write the files of a call centre of this size."""
    rng = random.Random(3)
    members: list[list[str]] = [[] for _ in range(queues)]
    lines = ["agents:"]
    for n in range(agents):
        lines.append(
            f"  a{n}: {{name: Agent {n}, sign_in: always, devices: {{desk: PJSIP/{10000 + n}}}}}"
        )
        for queue in rng.sample(range(queues), EACH):
            members[queue].append(f"a{n}: {1 + n % 5}")
    members[0][0] = members[0][0].split(":")[0] + f": {level}"
    (folder / "agents.yaml").write_text("\n".join(lines) + "\n")
    lines = ["queues:"]
    for n, names in enumerate(members):
        lines.append(
            f"  q{n}: {{policy: priority, ring_for: {ring_for}, on_nobody: wait, "
            f"agents: {{{', '.join(names)}}}}}"
        )
    (folder / "queues.yaml").write_text("\n".join(lines) + "\n")
    (folder / "callrouter.yaml").write_text(
        "pbx:\n  office: {driver: simulated}\nreload: {removals: at-once}\n"
    )


class Phones:
    """A PBX on which nothing happens."""

    name = "office"

    def execute(self, commands: Any) -> None:
        """Ignore commands."""

    def use(self, table: Any) -> None:
        """Ignore the table."""

    async def run(self) -> None:
        """Return at once."""

    def resync(self, why: str) -> None:
        """Do nothing: there is nothing to compare."""

    def health(self) -> PbxHealth:
        """Report good health."""
        return PbxHealth(up=True)


class Site:
    """The parts of the daemon that take part in a reload."""

    def __init__(self, folder: Path) -> None:
        clock = SystemClock()
        snapshot = read_snapshot(folder)
        settings = load_snapshot(snapshot, environ={})
        router = Router(settings.table, rng=random.Random(1), run_id="b", now=clock.now())
        self.runtime = Runtime(router, clock)
        self.table = settings.table
        self.steps: list[tuple[float, str]] = []
        self.runtime.listen(CallLog(router.floor).listen)
        self.config = LiveConfig(
            folder,
            {"HOME": str(folder)},
            StartConfig(
                settings=settings,
                files=snapshot.files,
                snapshot=snapshot,
                source=FolderSource(folder),
            ),
            clock,
            post=self.post,
            tokens=ApiTokens(()),
            sessions=Sessions(People(), clock),
            callers=router.board.callers,
        )
        phones = {
            device.endpoint: DeviceState.IDLE
            for agent in settings.table.agents.values()
            for device in agent.devices
        }
        self.phones = list(phones)
        self.runtime.attach(Phones())
        self.runtime.post(PbxSnapshot(pbx="office", endpoints=phones))
        self.notices: list[Notice] = []
        self.runtime.listen(self.notices.append)
        self.calls = 0

    def post(self, event: Any) -> None:
        began = time.perf_counter()
        self.runtime.post(event)
        self.steps.append((time.perf_counter() - began, type(event).__name__))

    async def beat(self, late: list[float], busy: list[float]) -> None:
        """Run the heartbeat, 200 a second: a call with every 10th, a phone change with every 5th.

        `late` receives how late each beat was, `busy` how long the loop itself computed between two
        beats. On a machine with other load, only the latter is meaningful.
        """
        n = 0
        while True:
            began, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            n += 1
            if n % 5 == 0:  # a phone goes off-hook and on-hook by itself
                endpoint = self.phones[self.calls % len(self.phones)]
                state = DeviceState.IN_USE if n % 10 else DeviceState.IDLE
                self.post(EndpointChanged(pbx="office", endpoint=endpoint, state=state))
            if n % 10 == 0:
                self.calls += 1
                queue = f"q{self.calls % len(self.table.queues)}"
                self.post(CallArrived(call=f"c{self.calls}", pbx="office", queue=queue))
                self.post(CallerLeft(call=f"c{self.calls - WAITING}"))
            late.append(time.perf_counter() - began - BEAT)
            busy.append(time.thread_time() - computed)


async def measure(site: Site, name: str, change: Callable[[], None]) -> None:
    """Print how a change was applied."""
    change()
    late: list[float] = []
    busy: list[float] = []
    site.steps.clear()
    beat = asyncio.create_task(site.beat(late, busy))
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    outcome = await site.config.reload()
    took = time.perf_counter() - began
    await asyncio.sleep(0.3)
    beat.cancel()
    assert not outcome.problems, outcome.problems
    applied = [s for s, what in site.steps if what == "ConfigReloaded"]
    offers = max((s for s, what in site.steps if what == "CallArrived"), default=0.0)
    print(
        f"{name:24} taken up in {took:5.2f} s, {len(applied):3} steps of at most "
        f"{max(applied, default=0) * 1000:5.1f} ms; longest pause of the loop {max(late) * 1000:5.1f} ms "
        f"(its own work {max(busy) * 1000:5.1f}); slowest offer {offers * 1000:4.1f} ms"
    )


async def run(agents: int, queues: int) -> None:
    with tempfile.TemporaryDirectory(prefix="reload-") as name:
        folder = Path(name)
        write(folder, agents, queues)
        site = Site(folder)
        gc.collect()
        gc.freeze()
        await asyncio.to_thread(site.config._recorder.begin, site.config.settings, ())
        await measure(site, "nothing", lambda: None)
        await measure(site, "one priority", lambda: write(folder, agents, queues, level=9))

        def phone() -> None:
            path = folder / "agents.yaml"
            path.write_text(path.read_text().replace("PJSIP/10001", "PJSIP/99999"))

        def everywhere(name: str, old: str, new: str) -> None:
            path = folder / f"{name}.yaml"
            path.write_text(path.read_text().replace(old, new))

        await measure(site, "one phone", phone)
        await measure(
            site,
            "every queue's ring_for",
            lambda: write(folder, agents, queues, ring_for=15, level=9),
        )
        await measure(
            site, "every queue's policy", lambda: everywhere("queues", "priority", "linear")
        )
        await measure(site, "every agent's phone", lambda: everywhere("agents", "PJSIP/", "SIP/9"))
        await measure(site, "every agent's level", lambda: everywhere("queues", ": 1", ": 7"))
        await measure(
            site, "half of all taken out", lambda: write(folder, agents // 2, queues // 2)
        )
        await measure(site, "and put back", lambda: write(folder, agents, queues))
        site.runtime.close()


def main() -> None:
    agents, queues = (int(word) for word in (sys.argv[1:3] or ("10000", "200")))
    print(f"{agents} agents, {queues} queues, {EACH} queues each")
    asyncio.run(run(agents, queues))


if __name__ == "__main__":
    main()
