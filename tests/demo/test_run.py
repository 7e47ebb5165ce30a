"""The demo as its user starts and ends it: a process of its own, and nothing left of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    """A demo, what it has printed, and a private folder for temporary files."""

    process: asyncio.subprocess.Process
    temporary: Path
    lines: list[str] = field(default_factory=list)

    async def until(self, word: str, within: float = 40.0) -> str:
        """Read on until a line contains `word`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if word in line:
                    return line
        pytest.fail(f"ended without saying {word!r}: " + "\n".join(self.lines))

    async def rest(self, within: float) -> int:
        """Read to the end; the exit status."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            text = (await self.process.stdout.read()).decode()
            self.lines += text.splitlines()
            return await self.process.wait()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def processes(self) -> dict[int, str]:
        """Whatever runs with our temporary folder in its environment: all that the demo started."""
        found = {}
        mark = f"TMPDIR={self.temporary}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:
                        found[int(entry.name)] = command
            except OSError:
                continue
        return found

    def find(self, word: str) -> int:
        """The process id of the one whose command line contains `word`."""
        mine = {pid: command for pid, command in self.processes().items() if word in command}
        assert len(mine) == 1, mine
        return next(iter(mine))

    def nothing_left(self) -> None:
        """No process and no file."""
        assert self.processes() == {}
        assert [p for p in self.temporary.rglob("*") if not p.is_dir()] == []
        assert not list(self.temporary.glob("cr-demo-*"))


@asynccontextmanager
async def demo(*options: str) -> AsyncIterator[Running]:
    # Short, because sockets are made in it.
    with tempfile.TemporaryDirectory(prefix="crd-") as temporary:
        environ = {**os.environ, "TMPDIR": temporary, "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callrouter", "demo", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            cwd=temporary,
        )
        running = Running(process, Path(temporary))
        try:
            yield running
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert "Traceback" not in running.text, running.text


async def test_the_simulated_one_shows_calls_and_ends_by_itself() -> None:
    async with demo("--simulated", "--calls", "2") as running:
        await running.until(" connected with ")
        assert await running.rest(30.0) == 0
        answered = re.findall(r"(\d+) answered", running.text)  # now and then, and at the end
        assert answered, running.text
        assert int(answered[-1]) >= 2, "more may have been meanwhile"
        running.nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_within_five_seconds(number: signal.Signals) -> None:
    async with demo("--simulated") as running:
        await running.until("agents signed in")
        assert len(running.processes()) == 2
        running.process.send_signal(number)
        assert await running.rest(5.0) == 0
        running.nothing_left()


async def test_a_signal_while_starting_ends_it_too() -> None:
    async with demo("--simulated") as running:
        await running.until("starting the daemon")
        running.process.send_signal(signal.SIGINT)
        assert await running.rest(5.0) == 0
        running.nothing_left()


async def test_a_reader_that_goes_away_ends_it() -> None:
    async with demo("--simulated") as running:
        await running.until("agents signed in")
        transport = running.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        async with asyncio.timeout(15.0):
            await running.process.wait()
        running.nothing_left()


async def test_a_daemon_that_dies_is_told() -> None:
    async with demo("--simulated") as running:
        await running.until("agents signed in")
        os.kill(running.find(" run"), signal.SIGKILL)
        assert await running.rest(5.0) == 1
        assert "the daemon has ended by itself" in running.text
        running.nothing_left()


async def test_without_asterisk_it_says_why_and_simulates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_ASTERISK", "/nonexistent/asterisk")
    async with demo("--calls", "1") as running:
        await running.until("No Asterisk: /nonexistent/asterisk does not exist")
        await running.until("simulated telephone system instead")
        assert await running.rest(30.0) == 0
        running.nothing_left()


@pytest.mark.asterisk
async def test_real_calls_and_a_clean_end() -> None:
    async with demo() as running:
        await running.until(" connected with ")
        await running.until(" connected with ")
        running.process.send_signal(signal.SIGINT)
        assert await running.rest(5.0) == 0
        assert "answered" in running.text
        running.nothing_left()


@pytest.mark.asterisk
async def test_an_asterisk_that_dies_is_told() -> None:
    async with demo() as running:
        await running.until("agents signed in")
        os.kill(running.find("asterisk.conf"), signal.SIGKILL)
        assert await running.rest(6.0) == 1
        assert "Asterisk has ended by itself" in running.text
        running.nothing_left()
