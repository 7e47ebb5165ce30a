"""What forty hostile clients cost: ``python -m bench.hostile``.

A running daemon with an Asterisk, phones and callers is measured like in ``make bench``: (a) from a
caller's INVITE to an agent's, and (b) from an agent becoming available to their next INVITE. Turns
with and without the hostile clients of `bench.hostileclients` alternate, so that other load on the
machine affects both alike. Response times of ``/healthz`` and the daemon's memory are recorded as
well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.hostileclients import READER, SUPERVISOR
from bench.versus import results, scenes
from bench.versus.results import Results, Spread, spread
from bench.versus.stage import Size, Stage, stage
from bench.versus.systems import System, settled
from callrouter.demo.child import DaemonProcess
from callrouter.demo.demo_config import free_port
from callrouter.lab import find_asterisk

TWILIO = (
    "  cloud: {{driver: twilio, account_sid: {sid}, auth_token: not-known-to-them, "
    "public_url: 'https://calls.example.com', numbers: {{'+442079460000': bench}}, "
    "caller_id: '+442079460000', api_url: '{url}'}}\n"
)
SAMPLE_EVERY = 0.5


class Attacked(System):
    """`callrouter run` with the routes strangers can reach: the API over TCP, Twilio's webhooks."""

    name = "callrouter"

    def __init__(self, api_url: str) -> None:
        self.port = free_port()
        self._api_url = api_url
        self._daemon: DaemonProcess | None = None

    async def start(self, stage: Stage) -> None:
        folder = stage.folder / "config"
        folder.mkdir(exist_ok=True)
        (folder / "bench.yaml").write_text(self._configuration(stage))
        self._daemon = DaemonProcess(folder, stage.folder / "daemon.log")
        await self._daemon.start()

    def _configuration(self, stage: Stage) -> str:
        phones = stage.size.phones
        return (
            "pbx:\n"
            f"  office: {{driver: asterisk, port: {stage.asterisk.ami_port}, "
            f"username: callrouter, secret: {stage.secret}}}\n"
            + TWILIO.format(sid="AC" + "a" * 32, url=self._api_url)
            + f"http:\n  listen: 127.0.0.1:{self.port}\n  api_tokens:\n"
            f"    - {{name: page, role: supervisor, token: {SUPERVISOR}}}\n"
            f"    - {{name: app, role: agent, agent: a{phones[0]}, token: {READER}}}\n"
            "agents:\n"
            + "".join(
                f"  a{phone}: {{sign_in: always, devices: {{desk: {{endpoint: PJSIP/{phone}, "
                "pbx: office}}}\n"
                for phone in phones
            )
            + "queues:\n  bench: {policy: round-robin, ring_for: 15s, retry_after: 1s, "
            f"auto_pause: 0, agents: [{', '.join(f'a{phone}' for phone in phones)}]}}\n"
        )

    async def stop(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            await daemon.stop()

    @property
    def pid(self) -> int | None:
        return self._daemon.pid if self._daemon is not None else None


@dataclass(slots=True)
class Side:
    """Measurements with the hostile clients, or without."""

    found: Results = field(default_factory=Results)
    health: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """MiB, every half second."""
    grown: float = 0.0
    """MiB by which the daemon grew during these turns. Calls are remembered with or without
    attackers.
    """
    answers: Counter[str] = field(default_factory=Counter)


async def nothing_there(request: web.Request) -> web.Response:
    """Stand in for Twilio's REST API: an account without calls."""
    name = request.path.rsplit("/", 1)[1]
    key = {"Calls.json": "calls", "Queues.json": "queues"}.get(name, "conferences")
    return web.json_response({key: [], "next_page_uri": None})


@asynccontextmanager
async def helpers(port: int, *more: str) -> AsyncIterator[list[Any]]:
    """Run a process of `bench.hostileclients`; at the end the list contains its results."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.hostileclients", str(port), *more),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    found: list[Any] = []
    try:
        await process.stdout.readline()
        yield found
        process.terminate()
        found.append(json.loads(await process.stdout.read()))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def memory_of(pid: int | None) -> float:
    """Return the resident memory of a process in MiB (proc(5), VmRSS)."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


async def sample(pid: int | None, into: list[float]) -> None:
    """Sample the memory until cancelled."""
    while True:
        into.append(memory_of(pid))
        await asyncio.sleep(SAMPLE_EVERY)


async def turn(here: Stage, system: Attacked, side: Side, asked: argparse.Namespace) -> None:
    """Run one stretch of (a) and (b) while sampling."""
    began = memory_of(system.pid)
    looking = asyncio.get_running_loop().create_task(sample(system.pid, side.memory))
    try:
        async with helpers(system.port, "--watch") as watched:
            await scenes.queued(here, system, side.found, asked.queued, asked.seed)
            await scenes.backlog(here, system, side.found, asked.waiting, asked.seconds, asked.seed)
        side.health += watched[0]
    finally:
        looking.cancel()
    side.grown += memory_of(system.pid) - began


async def measure(asked: argparse.Namespace) -> dict[str, Side]:
    """Measure both sides in alternating turns."""
    sides = {"without": Side(), "with": Side()}
    install = await find_asterisk(say)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", nothing_there)
    async with TestServer(app) as rest, stage(install, Size(asked.agents, ())) as here:
        system = Attacked(str(rest.make_url("")).rstrip("/"))
        await system.start(here)
        try:
            await settled(here.asterisk.pid, system.pid)
            for number in range(asked.rounds):
                for name in ("without", "with") if number % 2 == 0 else ("with", "without"):
                    say(f"round {number + 1} of {asked.rounds}, {name} hostile clients")
                    side = sides[name]
                    if name == "without":
                        await turn(here, system, side, asked)
                        continue
                    async with helpers(system.port) as answered:
                        await turn(here, system, side, asked)
                    side.answers.update(answered[0])
        finally:
            await system.stop()
    return sides


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def report(sides: dict[str, Side]) -> str:
    """Return the figures of both sides and their ratio."""
    lines = [f"{'':<34}{'without':>10}{'with':>10}{'ratio':>8}"]

    def add(what: str, unit: str, one: float | None, other: float | None) -> None:
        if one is None or other is None:
            lines.append(f"{what:<34}{'-':>10}{'-':>10}")
        else:
            lines.append(
                f"{what + ', ' + unit:<34}{one:>10.1f}{other:>10.1f}{other / one if one else 0:>8.2f}"
            )

    def add_spread(what: str, found: list[Spread | None]) -> None:
        for word in ("median", "p99"):
            one, other = (getattr(item, word) if item is not None else None for item in found)
            add(f"{what} {word}", "ms", one, other)

    both = [sides["without"], sides["with"]]
    for part, name in (("(a) queued", results.QUEUED), ("(b) freed", results.FREED)):
        add_spread(part, [side.found.spread("callrouter", name) for side in both])
    add_spread("/healthz", [spread(side.health) for side in both])
    calls = [side.found.effort("callrouter", results.BACKLOG) for side in both]
    add(
        "calls answered", "a minute", *(effort.per_minute() if effort else None for effort in calls)
    )
    add(
        "router's processor",
        "ms a call",
        *(effort.router_ms() if effort else None for effort in calls),
    )
    first, last = (side.memory for side in both)
    add("memory, most", "MiB", max(first), max(last))
    add("memory, grown by", "MiB", *(side.grown for side in both))
    lines += [f"  {count:>7} {what}" for what, count in sorted(sides["with"].answers.items())]
    return "\n".join(lines)


def main(given: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--waiting", type=int, default=20)
    parser.add_argument("--queued", type=int, default=15, help="calls of (a) in each turn")
    parser.add_argument("--seconds", type=float, default=25.0, help="of (b) in each turn")
    parser.add_argument("--rounds", type=int, default=4, help="turns of either kind: two minutes")
    parser.add_argument("--seed", type=int, default=1)
    print(report(asyncio.run(measure(parser.parse_args(given)))))


if __name__ == "__main__":
    main(sys.argv[1:])
