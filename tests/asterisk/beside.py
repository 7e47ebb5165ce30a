"""The daemon as a process beside a real Asterisk: asked over HTTP, killed, and started again."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callrouter.lab import Answer, Dialog, Lab
from callrouter.pbx.asterisk.contract import is_dead_shell
from tests.chaos.router import RouterProcess


@dataclass
class Here:
    """Asterisk with phones, and a daemon that dies and comes back."""

    lab: Lab
    router: RouterProcess

    async def agent(self, name: str = "ann") -> dict[str, Any]:
        found: dict[str, Any] = await self.router.ask(f"agents/{name}")
        return found

    async def do(self, what: str, name: str = "ann", **body: str) -> None:
        await self.router.ask(f"agents/{name}/{what}", body)

    async def cli(self, *words: str) -> str:
        """What the command line prints; it has to go well."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callrouter", "--config", str(self.router.config), *words),
            env={**self.router.environ, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        return out.decode()

    async def until(self, true: Callable[[dict[str, Any]], bool], name: str = "ann") -> None:
        """Wait until something is true of an agent."""
        async with asyncio.timeout(30):
            while not true(await self.agent(name)):  # noqa: ASYNC110 - it is asked for
                await asyncio.sleep(0.05)

    async def becomes(self, state: str, name: str = "ann") -> None:
        await self.until(lambda found: found["state"] == state, name)

    async def saved(self) -> None:
        async with asyncio.timeout(30):
            while True:
                store = (await self.router.ask("status"))["store"]
                if store["state"] == "good" and store["unsaved"] == 0:
                    return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """`kill -9`, and a new daemon that is in step."""
        await self.saved()
        await self.router.end(signal.SIGKILL)
        await self.router.start()
        await self.router.in_step()

    async def call(self, queue: str = "support") -> Dialog:
        return await self.lab["caller"].call(queue)

    async def talk(self) -> Dialog:
        caller = await self.call()
        await caller.wait_heard("1001", within=10)
        await self.becomes("on-call")
        return caller


@asynccontextmanager
async def daemon(
    made: Lab, agents: str, queues: str, *, more: str = "", tokens: str = "", database: str = ""
) -> AsyncIterator[Here]:
    """A new daemon on an Asterisk that is quiet; `more` of its configuration, and of API tokens."""
    for phone in made.phones.values():
        phone.behaviour = Answer()
        phone.incoming.clear()
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        router = RouterProcess(
            Path(folder), made.asterisk.ami_port, agents, queues, tokens=tokens, database=database
        )
        (router.config / "more.yaml").write_text(more)
        try:
            await router.start()
            await router.in_step()
            yield Here(made, router)
        finally:
            await router.end()
            await asyncio.gather(
                *(leg.bye() for phone in made.phones.values() for leg in phone.dialogs),
                return_exceptions=True,
            )
            while await _channels(made):
                await made.asterisk.cli("channel request hangup all")
                await asyncio.sleep(0.1)


async def _channels(made: Lab) -> list[str]:
    rows = (await made.asterisk.cli("core show channels concise")).splitlines()
    return [row for row in rows if not is_dead_shell(row)]
