"""The daemon as a process of its own, and the command line beside it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUSY = 30.0
"""Seconds within which a thing happens that takes one or two, on a machine that has much else to do."""

CALLROUTER = """\
pbx:
  office: {{driver: asterisk, port: {ami}, username: callrouter, secret: not-a-real-one}}
http:
  listen: 127.0.0.1:{port}
  api_tokens: [{{name: crm, role: supervisor, token: 0123456789abcdef}}]
"""
AGENTS = """\
agents:
  alice: {name: Alice Martin, devices: {desk: PJSIP/1001}}
  bob: {name: Bob Jones, devices: {desk: PJSIP/1002}}
  front: {sign_in: always, devices: {desk: PJSIP/1003}}
"""
QUEUES = """\
queues:
  support: {name: Support, policy: priority, agents: {alice: 1, bob: 2}, on_nobody: wait}
  desk: {agents: [front], on_nobody: wait}
"""


def free_port() -> int:
    """A port that is ours as long as this process lives: nothing else on the machine is given it.

    It is bound and not listening. A daemon can listen on it, since both sockets have SO_REUSEADDR
    (Linux, socket(7)); until then it refuses connections. A port that is only looked up and let go
    may be handed out again before the daemon listens.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = int(held.getsockname()[1])
    held.detach()
    return port


def _port_of_nothing() -> int:
    """A port at which nothing listens as long as we live: it is taken, and refuses every connection.

    No test may log in to an Asterisk that happens to run on this machine.
    """
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    port = int(taken.getsockname()[1])
    taken.detach()
    return port


NO_ASTERISK = _port_of_nothing()


class Place:
    """A configuration folder, and an environment in which nothing of this machine's is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.config.mkdir()
        self.port = free_port()
        self.write("callrouter", CALLROUTER.format(port=self.port, ami=NO_ASTERISK))
        self.write("agents", AGENTS)
        self.write("queues", QUEUES)
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "CALLROUTER_CONFIG": str(self.config),
        }

    def write(self, name: str, text: str) -> None:
        (self.config / f"{name}.yaml").write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.config / f"{name}.yaml").read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def call(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end."""
        return subprocess.run(
            [sys.executable, "-m", "callrouter", *words],
            env={**self.environ, **(env or {})},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )


class Daemon:
    """A running daemon."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, seconds: float = BUSY) -> None:
        """Wait until the log has `text`."""
        until(lambda: text in self.log or self.process.poll() is not None, seconds)
        assert text in self.log, self.log

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = BUSY) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()


def until(true: Callable[[], bool], seconds: float = BUSY) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def started(
    place: Place,
    scene: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    ready: str = "callrouter 0",
    stderr: int | None = None,
    through: Sequence[str] = (),
) -> Iterator[Daemon]:
    """The daemon, perhaps started through another program, stopped at the end whatever happens."""
    log = place.folder / f"log-{time.monotonic_ns()}"
    environ = {**place.environ, "CALLROUTER_FAKE": json.dumps(scene or {}), **(env or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*through, sys.executable, "-m", "tests.daemon.fake_main", "run"],
            env=environ,
            cwd=place.folder,
            stdout=subprocess.DEVNULL,
            stderr=out if stderr is None else stderr,
        )
    made = Daemon(process, log)
    try:
        if stderr is None:
            made.wait_for(ready)
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
