"""A router on its machine: `callrouter run` as one node of the cluster, with a wall clock of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.stepped import write
from tests.cluster_chaos.exchange import Exchange
from tests.cluster_chaos.network import Machine
from tests.daemon.process import ROOT

PORT = 8080
TOKEN = "0123456789abcdef"


class RouterNode:
    """One daemon.

    Attributes:
        clock_off: seconds by which its wall clock is off the machine's.
        frozen: it was stopped with SIGSTOP and not continued.
        surprises: ends that were not ordered.
    """

    def __init__(self, machine: Machine, folder: Path, clock_off: float) -> None:
        self.machine = machine
        self.folder = folder / machine.name
        self.log = self.folder / "router.log"
        self.clock_off = 0.0
        self.frozen = False
        self.surprises: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._clock = self.folder / "clock"
        (self.folder / "config").mkdir(parents=True)
        self.set_clock(clock_off)

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def configure(
        self, exchanges: Sequence[Exchange], database: str, people: str, *, alone: bool
    ) -> None:
        """Write its configuration; `people` has the agents and queues, the same for every node."""
        pbxes = "".join(
            f"  {one.name}: {{driver: asterisk, host: {one.machine.address}, "
            f"port: {one.asterisk.ami_port}, username: callrouter, secret: change-me, "
            f'dial_number: "PJSIP/{{number}}@carrier"}}\n'
            for one in exchanges
        )
        cluster = f"cluster: {{name: {self.name}, pool: main, url: 'http://{self.machine.address}:{PORT}'}}\n"
        text = (
            f"pbx:\n{pbxes}http:\n  listen: {self.machine.address}:{PORT}\n"
            f"  api_tokens: [{{name: chaos, role: admin, token: {TOKEN}}}]\n"
            f"database: {database}\n{'' if alone else cluster}"
        )
        (self.folder / "config/callrouter.yaml").write_text(text)
        (self.folder / "config/people.yaml").write_text(people)

    def set_clock(self, off: float) -> None:
        """Set its wall clock so many seconds off the machine's, whether it runs or not."""
        self.clock_off = off
        write(self._clock, off)

    async def start(self) -> None:
        """Start it. Returns at once."""
        async with self._one_at_a_time:
            await self._start()

    async def _start(self) -> None:
        module = (sys.executable, "-m", "tests.chaos.stepped", str(self._clock))
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
        }
        self.frozen = False
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.machine.launch(), *module, "--config", str(self.folder / "config"), "run",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environ,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip

    async def keep(self) -> None:
        """Restart it if it ended and that was not ordered, as a service manager would."""
        async with self._one_at_a_time:
            if self._process is not None and self._process.returncode is not None:
                self.surprises.append(f"{self.name}: status {self._process.returncode}")
                await self._start()

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it with a signal, and wait for its end."""
        if number == signal.SIGKILL:
            self._signal(number)  # at once, whatever else waits for the lock
        async with self._one_at_a_time:
            if self._process is None:
                return
            if number != signal.SIGKILL:
                self._signal(signal.SIGCONT)
            self._signal(number)
            process, self._process = self._process, None
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                self.surprises.append(f"{self.name}: did not end within 20 s of {number.name}")
                process.kill()
                await process.wait()

    def freeze(self) -> None:
        """SIGSTOP, until `thaw`."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):  # not by Popen, which would reap it beside asyncio
                os.kill(self._process.pid, number)

    async def ask(
        self, path: str, body: dict[str, Any] | None = None, *, within: float = 2.0
    ) -> Any:
        """What its HTTP side answers; raises OSError."""
        return json.loads(await asyncio.to_thread(self._ask, path, body, within))

    def _ask(self, path: str, body: dict[str, Any] | None, within: float) -> str:
        request = urllib.request.Request(
            f"http://{self.machine.address}:{PORT}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=within) as answer:
            return str(answer.read().decode())

    async def in_step(self, within: float = 40.0) -> None:
        """Wait until it is in step with every PBX."""
        end = time.monotonic() + within
        while True:
            with suppress(OSError, ValueError):
                status = await self.ask("api/status")
                if all(pbx["state"] == "up" for pbx in status["pbx"].values()):
                    return
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} is not in step: {self.tail()}")
            await asyncio.sleep(0.1)

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
