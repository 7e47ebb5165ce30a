"""A pool: its telephone systems in a process of their own, and its router as `callrouter run`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.scale.load_asterisk import SECRET
from bench.scale.load_generator import Load
from callrouter.demo.child import DaemonProcess
from callrouter.demo.demo_config import free_port

READY_WITHIN = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


def configuration(load: Load, ports: list[int], folder: Path) -> str:
    """Return the router's file: every agent in two queues, with a phone at one telephone system."""
    lines = ["pbx:"]
    for name, port in zip(load.names, ports, strict=True):
        lines.append(
            f"  {name}: {{driver: asterisk, host: 127.0.0.1, port: {port}, username: callrouter, "
            f"secret: {SECRET}}}"
        )
    lines += [
        f"http: {{listen: 127.0.0.1:{free_port()}}}",
        f"database: {folder}/record.db",
        "agents:",
    ]
    members: dict[str, list[str]] = {queue: [] for queue in load.queues}
    for name in load.names:
        queues = load.queues_at(name)
        for number, endpoint in enumerate(load.endpoints()):
            agent = f"{name}-{endpoint[6:]}"
            lines.append(
                f"  {agent}: {{sign_in: always, devices: {{desk: {{endpoint: {endpoint}, pbx: {name}}}}}}}"
            )
            for offset in (0, 3):
                members[queues[(number + offset) % len(queues)]].append(agent)
    lines.append("queues:")
    for queue, names in members.items():
        if not names:
            continue
        agents = ", ".join(dict.fromkeys(names))
        times = "ring_for: 15s, wrap_up: 3s, auto_pause: 0, on_nobody: wait"
        lines.append(f"  {queue}: {{policy: longest-idle, {times}, agents: [{agents}]}}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time of a process in seconds: of its main thread, and of all others together.

    Attributes:
        waited: seconds for which the main thread could have run and had no processor. What the
            telephone systems saw of the router's speed means little if this is much.
    """

    loop: float
    threads: float
    waited: float = 0.0

    @property
    def both(self) -> float:
        """Of the whole process."""
        return self.loop + self.threads

    def since(self, before: Spent) -> Spent:
        """Return what was spent since then."""
        return Spent(
            self.loop - before.loop, self.threads - before.threads, self.waited - before.waited
        )


def spent(pid: int) -> Spent:
    """Return what a process has spent until now (proc(5), fields 14 and 15 of stat)."""

    def of(path: Path) -> float:
        fields = path.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    place = Path(f"/proc/{pid}")
    loop = of(place / "task" / str(pid) / "stat")
    waited = int((place / "task" / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    return Spent(loop, of(place / "stat") - loop, waited)


def memory_mb(pid: int) -> float:
    """Return the megabytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class Pool:
    """A running pool.

    Attributes:
        load: its callers.
        pid: the router's process.
    """

    def __init__(self, load: Load, generator: asyncio.subprocess.Process, pid: int) -> None:
        self.load = load
        self.pid = pid
        self._generator = generator

    async def order(self, word: str) -> dict[str, Any]:
        """Give the telephone systems an order, and return the answer to it."""
        assert self._generator.stdin is not None
        assert self._generator.stdout is not None
        self._generator.stdin.write(f"{word}\n".encode())
        await self._generator.stdin.drain()
        if word == "go":
            return {}
        found: dict[str, Any] = json.loads(await self._generator.stdout.readline())
        return found


@asynccontextmanager
async def generator(load: Load) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """Run the telephone systems; yields their process and ports."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.scale.load_generator"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(load)).encode() + b"\n")
        await process.stdin.drain()
        yield process, json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(5.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def pool(load: Load, folder: Path, module: str = "callrouter") -> AsyncIterator[Pool]:
    """Run a pool, ready for callers. `module` runs the router."""
    config = folder / "config"
    config.mkdir(parents=True)
    async with generator(load) as (process, ports):
        (config / "callrouter.yaml").write_text(configuration(load, ports, folder))
        daemon = DaemonProcess(config, folder / "log", READY_WITHIN, module)
        await daemon.start()
        try:
            assert daemon.pid is not None
            yield Pool(load, process, daemon.pid)
        finally:
            await daemon.stop()
