"""Starts, runs and stops everything in the demo."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from callrouter.demo import demo_config as files
from callrouter.demo.callers_and_agents import Callers, Rang, Staff
from callrouter.demo.child import DaemonFailedError, DaemonProcess, complaints
from callrouter.lab import Asterisk, Install
from callrouter.tasks import Tasks

GUEST = "guest"
"""The endpoint for users who want to call in with a softphone."""
CALLER = "caller"
_NARROW: Final = 80
"""Width of an ordinary terminal in columns."""
BACK_AFTER = 10.0
"""Seconds after which an agent paused for missed calls resumes."""

Say = Callable[[str], None]


class Centre:
    """Asterisk, phones, callers and the daemon, or only the daemon with its simulated PBX.

    Args:
        install: the Asterisk to run; None: the simulated PBX.
        rng: source of randomness for the people.
        say: receives lines about steps that take a while.
    """

    def __init__(self, install: Install | None, rng: random.Random, say: Say) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="cr-demo-"))
        self.daemon = DaemonProcess(self.place, self.place / "daemon.log")
        self.asterisk: Asterisk | None = None
        self._install, self._rng, self._say = install, rng, say
        self.page = ""
        """The address of the page, once the daemon is there."""
        self.page_password = f"demo-{secrets.token_hex(2)}"
        self._staff: Staff | None = None
        self._callers = Callers(rng)
        self._tasks = Tasks()

    @property
    def real(self) -> bool:
        """Whether there are an Asterisk and phones.

        If not, there is no INVITE to measure, and nothing for a user to call.
        """
        return self._install is not None

    @property
    def title(self) -> str:
        """A short description of what is shown.

        It names Asterisk's version, or says that the telephone system is simulated.
        """
        if self._install is None:
            return "on a simulated telephone system"
        return "on Asterisk " + ".".join(map(str, self._install.version))

    def join(self) -> list[str]:
        """Return how to take part, in lines of at most 80 characters unless names are long."""
        see = f" See it:       {self.page} as {files.SUPERVISOR} or {files.STAFF[0]}, password {self.page_password}"
        command = f"{_program()} --config {self.daemon.config} status"
        ask = [f" Ask it:       {command}"]
        if len(ask[0]) > _NARROW:  # a truncated command cannot be copied
            ask = [" Ask it:", f" {command}"]
        if self.asterisk is None:
            return [see, *ask]
        server, password = f"127.0.0.1:{self.asterisk.sip_port}", self.asterisk.options.password
        who = f"user {files.YOUR_PHONE}, password {password} ('{files.YOU}')"
        return [
            f" Be an agent:  SIP {server} UDP, {who}",
            f" Be a caller:  user {GUEST}, same password; dial {' | '.join(files.QUEUES)}",
            see,
            *ask,
        ]

    async def open(self, rang: Rang) -> None:
        """Start everything except the callers, and sign the agents in.

        Raises:
            AsteriskFailedError, NoFreePortsError, RegistrationFailedError, NoDialplanError,
            DaemonFailedError: something did not start; `close` stops the rest.
        """
        manager = None
        if self._install is not None:
            self._say("starting Asterisk …")
            manager = await self._start_asterisk(self._install)
        port = files.free_port()
        files.write(self.daemon.config, manager, port, self.page_password)
        self.page = f"http://127.0.0.1:{port}/"
        self._say("starting the daemon" + (" and the phones …" if self.asterisk else " …"))
        if self.asterisk is None:
            await self.daemon.start()
            return
        self._staff = Staff(self._rng, rang)
        arrival = self._tasks.spawn(self._staff.arrive(self.asterisk), "the phones")
        await self.daemon.start()
        await arrival

    async def _start_asterisk(self, install: Install) -> files.Manager:
        secret = secrets.token_hex(8)
        manager = files.dialplan("manager_callrouter.conf")
        self.asterisk = await Asterisk.start(
            install,
            phones=(*files.PHONES, files.YOUR_PHONE),
            callers=(CALLER, GUEST),
            password=f"demo-{secrets.token_hex(2)}",
            dialplan=files.dialplan("extensions_callrouter.conf"),
            manager=manager.replace("secret = change-me", f"secret = {secret}"),
        )
        return files.Manager(self.asterisk.ami_port, secret)

    async def begin_work(self) -> None:
        """Sign all agents in through the daemon and let the callers call.

        Raises:
            DaemonFailedError: the daemon refused.

        Callers come only with Asterisk: the simulated PBX has its own. Breaks start in both cases.
        """
        for agent in (*files.STAFF, files.YOU):
            await self.daemon.post(f"/api/agents/{agent}/sign-in")
        if self.asterisk is not None:
            await self._callers.start(self.asterisk, CALLER)
        self._tasks.spawn(self._breaks(), "breaks")

    async def _breaks(self) -> None:
        """Let an agent take a break now and then, and resume agents paused for missed calls.

        It ends when the daemon refuses or does not answer. The user's agent is never resumed.
        """
        with contextlib.suppress(DaemonFailedError):
            while True:
                await asyncio.sleep(self._rng.uniform(20.0, 35.0))
                agents = await self.daemon.get("/api/agents")
                free = [a["id"] for a in agents if a["state"] == "available"]
                if len(free) > 1:
                    await self.daemon.post(
                        f"/api/agents/{self._rng.choice(free)}/pause", {"reason": "coffee"}
                    )
                await asyncio.sleep(BACK_AFTER)
                for agent in await self.daemon.get("/api/agents"):
                    if agent["state"] == "paused" and agent["id"] != files.YOU:
                        await self.daemon.post(f"/api/agents/{agent['id']}/resume")

    def fault(self) -> str:
        """Return what has stopped by itself, with its log's explanation.

        Returns an empty string while all is well.
        """
        if not self.daemon.running:
            return "the daemon has ended by itself" + self.daemon.complaints()
        if self.asterisk is not None and self.asterisk.pid is None:
            return "Asterisk has ended by itself" + complaints(self.asterisk.log_path)
        return ""

    async def close(self) -> None:
        """Stop everything and leave nothing behind; takes about 4 seconds at most."""
        await self._tasks.close()
        ends = [self._callers.stop(), self.daemon.stop()]
        if self._staff is not None:
            ends.append(self._staff.leave())
        await asyncio.gather(*ends, return_exceptions=True)
        if self.asterisk is not None:
            await self.asterisk.stop(graceful=False)
        await asyncio.to_thread(shutil.rmtree, self.place, ignore_errors=True)


def _program() -> str:
    """Return the name the user called us by, for commands we suggest."""
    called = Path(sys.argv[0])
    if called.name != "callrouter":
        return "callrouter"
    if shutil.which("callrouter") == str(called.absolute()):
        return "callrouter"
    return str(called.absolute())
