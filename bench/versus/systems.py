"""The three systems.

Each is started for its turn and stopped after it, so that none affects another.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from bench.versus.stage import Stage
from callrouter.demo.child import DaemonProcess
from callrouter.demo.demo_config import free_port

_READY_S = 15.0
_LOOK_EVERY_S = 0.5
_RESTS_S = 0.02
"""CPU seconds in each half-second check up to which a process counts as idle."""


class System:
    """A system that connects callers and agents. Its callers dial `entry`, or else `name`."""

    name = ""
    ring_all = True
    """Whether it can ring a group at once."""
    entry = ""
    """What its callers dial, if that is not its name."""

    async def start(self, stage: Stage) -> None:
        """Get ready for calls."""

    async def stop(self) -> None:
        """Stop."""

    @property
    def pid(self) -> int | None:
        """The process beside Asterisk, if there is one."""
        return None


class AppQueue(System):
    """Asterisk's own queues. No manager client is connected, which saves Asterisk work."""

    name = "app_queue"


class Floor(System):
    """The bare script; see `floor`."""

    name = "floor"
    ring_all = False

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, stage: Stage) -> None:
        phones = [phone.name for phone in stage.agents]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.versus.floor"),
            *(str(stage.asterisk.ami_port), stage.secret, *phones),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(_READY_S):
            said = await self._process.stdout.readline()
        if said.strip() != b"ready":
            raise RuntimeError("the bare script could not log in")

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None


class Callrouter(System):
    """`callrouter run`, with an ordinary configuration folder and database."""

    name = "callrouter"

    def __init__(self) -> None:
        self._daemon: DaemonProcess | None = None

    async def start(self, stage: Stage) -> None:
        folder = stage.folder / "config"
        folder.mkdir(exist_ok=True)
        (folder / "bench.yaml").write_text(self.configured(stage))
        self._daemon = DaemonProcess(folder, stage.folder / "daemon.log")
        await self._daemon.start()

    def configured(self, stage: Stage) -> str:
        """Return the router's file."""
        return configuration(stage)

    async def stop(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            await daemon.stop()

    @property
    def pid(self) -> int | None:
        return self._daemon.pid if self._daemon is not None else None


def configuration(stage: Stage) -> str:
    """Return the router's file: the same people, queues and times as app_queue's."""
    phones, size = stage.size.phones, stage.size
    lines = ["pbx:", "  office:", "    driver: asterisk", "    host: 127.0.0.1"]
    lines += [f"    port: {stage.asterisk.ami_port}", "    username: callrouter"]
    lines += [f"    secret: {stage.secret}", f"http: {{listen: 127.0.0.1:{free_port()}}}"]
    lines += ["agents:"]
    lines += [
        f"  a{phone}: {{sign_in: always, devices: {{desk: PJSIP/{phone}}}}}" for phone in phones
    ]
    lines += ["queues:"]
    groups = [("bench", "round-robin", size.agents)]
    groups += [(f"bench-{count}", "ring-all", count) for count in size.ring_all]
    for name, policy, count in groups:
        names = ", ".join(f"a{phone}" for phone in phones[:count])
        times = "ring_for: 15s, retry_after: 1s, auto_pause: 0"
        lines.append(f"  {name}: {{policy: {policy}, {times}, agents: [{names}]}}")
    return "\n".join(lines) + "\n"


SYSTEMS = (AppQueue, Floor, Callrouter)


_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int | None) -> float:
    """Return the CPU seconds a process has used, including its ended threads; 0 without a process.

    Fields utime and stime of ``/proc/PID/stat`` (proc(5)), in hundredths of a second.
    """
    if pid is None:
        return 0.0
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


async def settled(*pids: int | None, within: float = 10.0) -> None:
    """Wait until processes have finished their start-up work and use almost no CPU time.

    A router in sync goes on loading what it needs later, such as its HTTP side, for a second or
    two. On a machine where they are never idle, the wait ends after `within` seconds.
    """
    used = [cpu_seconds(pid) for pid in pids]
    for _ in range(round(within / _LOOK_EVERY_S)):
        await asyncio.sleep(_LOOK_EVERY_S)
        now = [cpu_seconds(pid) for pid in pids]
        if all(after - before <= _RESTS_S for before, after in zip(used, now, strict=True)):
            return
        used = now
