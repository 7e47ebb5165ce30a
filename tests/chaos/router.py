"""The router as a process of its own, which dies and comes back: `callrouter run` under a keeper."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.stepped import write
from tests.daemon.process import ROOT, free_port

TOKEN = "0123456789abcdef"

# Asks the kernel for our death when the parent dies (prctl(2), PR_SET_PDEATHSIG = 1).
_GUARD = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,9);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


class RouterProcess:
    """`callrouter run` for one configuration folder; `pbxes` and `tokens` are more of them, in YAML.

    `database` is one that is not a file in `folder`; `cluster` is the name of this node in its pool.

    Attributes:
        began: `time.monotonic` of the last start.
        ends: how often it ended by itself.
        excused: from where to where in its log it might end, in bytes.
        clock_off: seconds by which its wall clock is off the machine's.
        surprises: ends that nobody had ordered.
    """

    def __init__(
        self,
        folder: Path,
        ami_port: int,
        agents: str,
        queues: str,
        *,
        pbxes: str = "",
        tokens: str = "",
        database: str = "",
        cluster: str = "",
    ) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.database = folder / "callrouter.db"
        self.log = folder / "router.log"
        self.port = free_port()
        self.began = 0.0
        self.ends = 0
        self.excused: list[tuple[int, int]] = []
        self.clock_off = 0.0
        self.surprises: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._one_at_a_time = asyncio.Lock()
        self._clock = folder / "clock"
        self.set_clock(0.0)
        self.config.mkdir()
        operator = (
            "pbx:\n"
            f"  office: {{driver: asterisk, port: {ami_port}, username: callrouter,\n"
            '    secret: change-me, dial_number: "PJSIP/{number}@carrier"}\n'
            f"{pbxes}http:\n  listen: 127.0.0.1:{self.port}\n"
            f"  api_tokens: [{{name: chaos, role: supervisor, token: {TOKEN}}}{tokens}]\n"
            f"database: {database or self.database}\n"
            f"{f'cluster: {{name: {cluster}}}' if cluster else ''}\n"
        )
        for name, text in (("callrouter", operator), ("agents", agents), ("queues", queues)):
            (self.config / f"{name}.yaml").write_text(text)

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it. Returns at once."""
        async with self._one_at_a_time:
            await self._start()

    @property
    def environ(self) -> dict[str, str]:
        """In which it runs."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
        }

    async def _start(self) -> None:
        module = (sys.executable, "-m", "tests.chaos.stepped", str(self._clock))
        command = (*module, "--config", str(self.config), "run")
        with self.log.open("ab") as log:
            self.began = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid())),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ,
                cwd=self.folder,
                start_new_session=True,
            )

    async def keep(self) -> None:
        """Restart it if it is gone and nobody had ordered that, as a service manager would."""
        async with self._one_at_a_time:
            if self._process is None or self._process.returncode is None:
                return
            self.ends += 1
            if not self._ending:
                self.surprises.append(f"status {self._process.returncode}")
            await self._start()

    @contextmanager
    def may_end(self) -> Iterator[None]:
        """Meanwhile it may end by itself, and is only started again; and its log may say anything."""
        self._ending = True
        began = self.log.stat().st_size
        try:
            yield
        finally:
            self._ending = False
            self.excused.append((began, self.log.stat().st_size))

    def said(self) -> str:
        """Its log, but for what it said when it might end."""
        log, at, parts = self.log.read_bytes(), 0, []
        for began, ended in self.excused:
            parts.append(log[at:began])
            at = ended
        return b"".join([*parts, log[at:]]).decode(errors="replace")

    def set_clock(self, off: float) -> None:
        """Set its wall clock so many seconds off the machine's, whether it runs or not."""
        self.clock_off = off
        write(self._clock, off)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it with a signal, and wait for its end."""
        async with self._one_at_a_time:
            await self._end(number)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            self.surprises.append(f"did not end within 20 s of {number.name}")
            process.kill()
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def ask(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        method: str | None = None,
        token: str = TOKEN,
    ) -> Any:
        """What its API answers; raises OSError."""
        return json.loads(await asyncio.to_thread(self._ask, f"api/{path}", body, method, token))

    async def metrics(self) -> str:
        """What Prometheus would read."""
        return str(await asyncio.to_thread(self._ask, "metrics", None, None, TOKEN))

    async def health(self) -> dict[str, Any]:
        """What ``/healthz`` answers, as long as that is 200."""
        found: dict[str, Any] = json.loads(
            await asyncio.to_thread(self._ask, "healthz", None, None, TOKEN)
        )
        return found

    def _ask(self, path: str, body: dict[str, Any] | None, method: str | None, token: str) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    async def in_step(self, within: float = 30.0) -> None:
        """Wait until it is in step with every PBX."""
        async with asyncio.timeout(within):
            while True:
                try:
                    status = await self.ask("status")
                    if all(pbx["state"] == "up" for pbx in status["pbx"].values()):
                        return
                except OSError:
                    pass
                await asyncio.sleep(0.05)
