"""A floor for tests of the page: Asterisk, phones, and the daemon as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from callrouter.demo.child import DaemonProcess
from callrouter.lab import Dialog, Install, Lab, Phone, lab
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.daemon.process import free_port

PASSWORD = "open-sesame"
"""With which everyone logs in."""
PIN = "2468"
"""Of Dave, with which he logs in by his extension, 1004."""
PEOPLE = {
    "alice": "Alice Martin",
    "bob": "Bob Jones",
    "carol": "Carol Smith",
    "dave": "Dave Brown",
}
"""The agents, with desk phones 1001 to 1004."""
READY_WITHIN = 50.0
"""Seconds for the daemon's start, which takes two on a machine that does nothing else."""
MOBILE = "+447400123456"
"""A number that agents may register. The phone `carrier` rings for it."""

OPERATOR = """\
pbx:
  office: {{driver: asterisk, port: {ami}, username: callrouter, secret: change-me,
           dial_number: "PJSIP/{{number}}@carrier"}}
http:
  listen: 127.0.0.1:{port}
database: {database}
timezone: Europe/London
numbers: {{region: GB, countries: [GB], attempts_per_hour: 500, calls_per_hour: 200,
          calls_per_day: 200, calls_per_country: 200}}
transfers: {{outside: ["+44", "+1 212 555 0100"], per_hour: 200}}
users:
  sam: {{role: supervisor, password: "{hash}"}}
  pat: {{role: supervisor, queues: [sales], password: "{hash}"}}
  ada: {{role: admin, password: "{hash}"}}
"""
AGENTS = """\
# The people who take calls.
agents:
  alice: {{name: Alice Martin, password: "{hash}", devices: {{desk: PJSIP/1001}}}}
  bob: {{name: Bob Jones, password: "{hash}", devices: {{desk: PJSIP/1002}}}}
  carol: {{name: Carol Smith, password: "{hash}", devices: {{desk: PJSIP/1003}}}}
  dave: {{name: Dave Brown, password: "{hash}", extension: "1004", pin: "{pin}", devices: {{desk: PJSIP/1004}}}}
"""
QUEUES = """\
# Who is rung for which calls.
pauses:
  lunch: {{longest: 45m, then: resume}}
  short: {{longest: 10m, default: true}}
  meeting: {{}}
queues:
  support:
    name: Customer support
    policy: priority       # 1 comes before 2
    agents: {{alice: 1, bob: 2}}
    ring_for: 20s
    wrap_up: 0s
    on_nobody: wait
  sales:
    name: Sales
    policy: longest-idle
    agents: [carol, dave]
    ring_for: 20s
    wrap_up: 0s
    on_nobody: wait
"""
FILES = {"callrouter": OPERATOR, "agents": AGENTS, "queues": QUEUES}


@cache
def password_hash(password: str = PASSWORD) -> str:
    """Cheaper than a real one: it is no secret."""
    return PasswordHasher(time_cost=1, memory_cost=8192).hash(password)


@dataclass
class PageFloor:
    """Everything behind the page.

    Attributes:
        lab: Asterisk and the phones, by their endpoints: `lab["1001"]` is Alice's.
        daemon: its process, and what it answers to the operator.
        folder: where its files are.
        port: of the page.
        cookies: of those who have logged in, by their names.
    """

    lab: Lab
    daemon: DaemonProcess
    folder: Path
    port: int
    cookies: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}/"

    def phone(self, agent: str) -> Phone:
        """The desk phone of an agent."""
        return self.lab[str(1001 + list(PEOPLE).index(agent))]

    async def caller(
        self, queue: str = "support", *, name: str = "Ann Caller", number: str = "02079460123"
    ) -> Dialog:
        """Call a queue from outside. Returns their side of the call, at once."""
        return await self.lab["caller"].call(queue, caller_name=name, caller_number=number)

    async def get(self, path: str) -> Any:
        """What the daemon answers to the operator at `/api/…`."""
        return await self.daemon.get(f"/api/{path}")

    async def act(self, agent: str, what: str, **body: str) -> Any:
        """Have the operator do something for an agent: `act("alice", "pause", reason="lunch")`."""
        return await self.daemon.post(f"/api/agents/{agent}/{what}", body or None)

    async def sign_in(self, *agents: str) -> None:
        """Sign agents in, and end their pauses."""
        for agent in agents:
            found = await self.get(f"agents/{agent}")
            if not found["signed_in"]:
                await self.act(agent, "sign-in")
            elif found["pause_reason"] is not None:
                await self.act(agent, "resume")

    async def sign_out(self, *agents: str) -> None:
        """Sign agents out, who have no call."""
        for agent in agents:
            if (await self.get(f"agents/{agent}"))["signed_in"]:
                await self.act(agent, "sign-out")

    async def agent(self, name: str, within: float = 10.0, **wanted: object) -> None:
        """Wait until the daemon says so of an agent: `agent("alice", state="paused")`."""
        await self.until(lambda: self._has(f"agents/{name}", wanted), within)

    async def _has(self, path: str, wanted: Mapping[str, object]) -> bool:
        found = await self.get(path)
        return all(found.get(key) == value for key, value in wanted.items())

    async def until(self, done: Callable[[], Awaitable[object]], within: float = 10.0) -> None:
        """Wait until `done` returns something true.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        async with asyncio.timeout(within):
            while not await done():
                await asyncio.sleep(0.05)

    async def quiet(self) -> None:
        """End every call, and wait until there is none."""
        dialogs = [dialog for phone in self.lab.phones.values() for dialog in phone.dialogs]
        for direction in ("out", "in"):  # callers first: a phone that still rings then refuses none
            for dialog in dialogs:
                if dialog.direction == direction and (direction == "out" or dialog.state == "up"):
                    await dialog.bye()
        await self.until(self._no_calls, 15)

    async def _no_calls(self) -> bool:
        return all(call["ended_at"] for call in await self.get("calls"))

    async def kill(self) -> None:
        """End the daemon as a power cut would."""
        pid = self.daemon.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while self.daemon.running:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def page_floor(install: Install, files: Mapping[str, str]) -> AsyncIterator[PageFloor]:
    """Start it all.

    Args:
        install: the Asterisk.
        files: of the configuration, by name without ``.yaml``, in place of those in `FILES`; with
            ``{hash}`` of the `PASSWORD`, ``{pin}`` of the `PIN`, and ``{{`` for a brace.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cr-page-") as name:
        folder = Path(name)
        config = folder / "config"
        config.mkdir()
        phones = tuple(str(1001 + n) for n in range(len(PEOPLE)))
        async with lab(install, phones=phones, dialplan=DIALPLAN, manager=MANAGER) as made:
            values = {
                "ami": made.asterisk.ami_port,
                "port": port,
                "hash": password_hash(),
                "pin": password_hash(PIN),
                "database": folder / "callrouter.db",
            }
            for key, text in {**FILES, **files}.items():
                (config / f"{key}.yaml").write_text(text.format(**values))
            daemon = DaemonProcess(config, folder / "daemon.log", READY_WITHIN)
            try:
                await daemon.start()
                yield PageFloor(lab=made, daemon=daemon, folder=folder, port=port)
            finally:
                await daemon.stop()
