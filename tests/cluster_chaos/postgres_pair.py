"""A PostgreSQL primary and a synchronous standby on two machines, and the tool that fails over between them.

What an operator's tool does (Patroni and its like) the harness does: it fences the old primary by ending
every process of it, promotes the standby, and builds the old one again as the standby of the new one. While a
standby is away, commits do not wait for it longer than `RELAX` seconds: then the tool says so to the primary.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.cluster_chaos.fake_clock import LIBRARY, environ, library
from tests.cluster_chaos.network import Machine
from tests.store.server import LIBRARIES, PACKAGE

PORT = 5432
RELAX = 2.0
_NOBODY = pwd.getpwnam("nobody").pw_uid
_SETTINGS = {
    "listen_addresses": "*", "fsync": "off", "shared_buffers": "16MB", "max_connections": "80",
    "max_wal_senders": "8", "wal_keep_size": "64MB", "hot_standby": "on", "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s", "wal_retrieve_retry_interval": "200ms", "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3", "tcp_user_timeout": "3s",
    "client_connection_check_interval": "1s", "log_min_messages": "warning",
}  # fmt: skip


class PostgresDownError(RuntimeError):
    """It did not come up; the text ends with its log."""


class _Server:
    """One server on its machine; `folder` has the binaries, which both share, and its data."""

    def __init__(self, machine: Machine, folder: Path, clock_off: int) -> None:
        self.machine = machine
        self.data = folder / machine.name
        self.log = folder / f"{machine.name}.log"
        self._folder = folder
        self._binaries = folder / PACKAGE.name / "pginstall/bin"
        self._environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        clock = environ(clock_off, folder / LIBRARY)
        self._clock = ["/usr/bin/env", *(f"{name}={value}" for name, value in clock.items())]
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, name: str, *words: str) -> None:
        """Run one of PostgreSQL's programs on this machine."""
        done = await self._exec(name, *words)
        if await done.wait():
            raise PostgresDownError(f"{name} failed.\n{self._tail()}")

    async def _exec(self, name: str, *words: str) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.machine.launch(user=_NOBODY), *self._clock, str(self._binaries / name), *words,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ,
                cwd=self._folder, start_new_session=True,
            )  # fmt: skip

    async def make(self) -> None:
        await self.run(
            "initdb", "-D", str(self.data), "-U", "callrouter", "-E", "UTF8", "--locale=C",
            "-A", "trust",
        )  # fmt: skip
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(
                "host all all 10.77.0.0/16 trust\nhost replication all 10.77.0.0/16 trust\n"
            )

    async def follow(self, primary: _Server) -> None:
        """Become a standby of `primary`, from a copy of all that it has."""
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)
        link = f"host={primary.machine.address} port={PORT} user=callrouter connect_timeout=2"
        words = ("-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d")
        for last in (False, False, True):  # a busy machine may break off a copy
            try:
                await self.run(
                    "pg_basebackup", *words, f"{link} application_name={self.machine.name}"
                )
                break
            except PostgresDownError:
                if last:
                    raise
        await self.start()

    async def start(self) -> None:
        words = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._process = await self._exec("postgres", "-D", str(self.data), "-k", "", *words)
        end = time.monotonic() + 30
        while True:
            with suppress(psycopg.OperationalError):
                await self.ask("SELECT 1")
                return
            if time.monotonic() > end or self._process.returncode is not None:
                raise PostgresDownError(self._tail())
            await asyncio.sleep(0.05)

    async def ask(self, text: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of one statement; raises psycopg.Error."""
        return await asyncio.to_thread(self._ask, text, database)

    def _ask(self, text: str, database: str) -> list[tuple[object, ...]]:
        place = f"{self.machine.address}:{PORT}/{database}"
        address = f"postgresql://callrouter@{place}?connect_timeout=2"
        with psycopg.connect(address, autocommit=True) as link:
            found = link.execute(text.encode())
            return found.fetchall() if found.description is not None else []

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes."""
        process = self._process
        if process is not None and process.returncode is None:
            for pid in [process.pid, *_children(process.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def kill(self) -> None:
        """End every process of it at once, as a power cut does."""
        process, self._process = self._process, None
        if process is None:
            return
        children = _children(process.pid)
        for pid in [*([process.pid] if process.returncode is None else []), *children]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


class PostgresPair:
    """Both servers. `primary` and `standby` say which is which now.

    Args:
        first: where the primary is at first.
        second: where the standby is at first.
        folder: for everything.
        clocks: seconds by which the wall clock of each machine is off, by name.
    """

    def __init__(
        self, first: Machine, second: Machine, folder: Path, clocks: Mapping[str, int]
    ) -> None:
        self._folder = folder / "postgres"
        self.primary, self.standby = (
            _Server(machine, self._folder, clocks.get(machine.name, 0))
            for machine in (first, second)
        )
        hosts = ",".join(f"{machine.address}:{PORT}" for machine in (first, second))
        self.url = f"postgresql://callrouter@{hosts}/calls?target_session_attrs=read-write"

    async def start(self) -> None:
        """Both, with the database `calls`; commits wait for the standby."""
        self._folder.mkdir()
        for part in (PACKAGE, LIBRARIES):
            await asyncio.to_thread(shutil.copytree, part, self._folder / part.name)
        if (faked := library()) is not None:
            shutil.copy(faked, self._folder / LIBRARY)
        os.chown(self._folder, _NOBODY, _NOBODY)
        for place in self._folder.parents:
            if place.stat().st_mode & 0o001 == 0:  # the servers' user must get in
                place.chmod(place.stat().st_mode | 0o011)
        await self.primary.make()
        await self.primary.start()
        await self.primary.ask("CREATE DATABASE calls")
        await self.join()

    async def join(self) -> None:
        """The standby is built again from the primary, and commits wait for it."""
        await self.standby.follow(self.primary)
        await self.in_step()

    async def in_step(self) -> None:
        """Wait until the standby streams; commits wait for it from then on."""
        streams = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
        async with asyncio.timeout(60):
            while not await self.primary.ask(streams):  # noqa: ASYNC110 - a database has no event for it
                await asyncio.sleep(0.1)
        await self._wait_for_standby("*")

    async def relax(self) -> None:
        """The standby is away: commits wait for it no longer."""
        await self._wait_for_standby("")

    async def _wait_for_standby(self, names: str) -> None:
        await self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await self.primary.ask("SELECT pg_reload_conf()")

    async def fail_over(self) -> None:
        """Fence the primary, and make the standby one; the old one is not started again here."""
        await self.primary.kill()
        await self.standby.ask("SELECT pg_promote(true, 20)")
        self.primary, self.standby = self.standby, self.primary
        await self.relax()

    async def close(self) -> None:
        """End both; their folder is the caller's."""
        for server in (self.standby, self.primary):
            server.signal(signal.SIGCONT)
            await server.kill()


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []
