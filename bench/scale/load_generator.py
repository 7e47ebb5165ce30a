"""The process of the telephone systems: `python -m bench.scale.load_generator`.

It reads a `Load` as one line of JSON and answers with the ports. After that each line is an order: ``go`` begins the
callers, ``begin`` a new count, ``end`` prints the count, and the end of the input ends it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.scale.load_asterisk import LoadAsterisk, Manner, Tally


@dataclass(frozen=True, slots=True)
class Load:
    """What is to come.

    Attributes:
        names: the telephone systems.
        phones: how many phones each of them has.
        queues: all queues of the pool.
        spread: how many of them each telephone system has callers for, each as often as the others.
        rate: callers a minute at each of them, one after the other at random.
        talk: mean seconds of a conversation; each takes between half and one and a half of it.
        ring: mean seconds until a phone is answered, likewise.
        missed: share of the offers that no one answers.
        seed: seed of all random numbers.
    """

    names: tuple[str, ...]
    phones: int = 60
    queues: tuple[str, ...] = ("support",)
    spread: int = 10
    rate: float = 100.0
    talk: float = 20.0
    ring: float = 2.0
    missed: float = 0.02
    seed: int = 1

    def endpoints(self) -> list[str]:
        """Return the phones of a telephone system."""
        return [f"PJSIP/{1001 + n}" for n in range(self.phones)]

    def queues_at(self, name: str) -> list[str]:
        """Return the queues that callers at a telephone system enter, and its agents serve."""
        first = self.names.index(name) * 7
        count = len(self.queues)
        return [self.queues[(first + n) % count] for n in range(min(self.spread, count))]


def manner(load: Load, rng: random.Random) -> Manner:
    """Draw how a call goes."""
    missed = rng.random() < load.missed
    return Manner(
        rings=None if missed else load.ring * rng.uniform(0.5, 1.5),
        talks=load.talk * rng.uniform(0.5, 1.5),
        caller_ends=rng.random() < 0.3,
    )


async def callers(asterisk: LoadAsterisk, load: Load, name: str) -> None:
    """Let callers come, for ever. Times between two of them are exponential."""
    rng, loop = random.Random(f"{load.seed} {name}"), asyncio.get_running_loop()
    queues = load.queues_at(name)
    due = loop.time()
    if not load.rate:
        return
    while True:
        due += rng.expovariate(load.rate / 60.0)
        await asyncio.sleep(max(0.0, due - loop.time()))
        asterisk.call(rng.choice(queues), manner(load, rng))


def counted(asterisks: list[LoadAsterisk], tally: Tally, cpu: float) -> dict[str, Any]:
    """Return a count as JSON, with what is going on at this moment."""
    found: dict[str, Any] = {
        "counts": dict(tally.counts),
        "actions": dict(tally.actions),
        "offered": tally.offered,
        "connected": tally.connected,
        "read": tally.read,
        "written": tally.written,
    }
    found["seconds"] = time.monotonic() - tally.began
    found["cpu"] = time.process_time() - cpu
    found["talking"] = sum(one.talking for one in asterisks)
    found["waiting"] = sum(one.waiting for one in asterisks)
    found["connections"] = sum(one.connected for one in asterisks)
    return found


async def main() -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    given: dict[str, Any] = json.loads(await lines.readline())
    names, queues = tuple(given.pop("names")), tuple(given.pop("queues"))
    load = Load(names=names, queues=queues, **given)
    tally, cpu = Tally(), 0.0
    asterisks = [LoadAsterisk(load.endpoints(), tally) for _ in load.names]
    servers = [await loop.create_server(one.serve, "127.0.0.1", 0) for one in asterisks]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    async with asyncio.TaskGroup() as group:
        coming: list[asyncio.Task[None]] = []
        while order := (await lines.readline()).decode().strip():
            match order:
                case "go":
                    coming = [
                        group.create_task(callers(one, load, name))
                        for one, name in zip(asterisks, load.names, strict=True)
                    ]
                case "begin":
                    tally, cpu = Tally(), time.process_time()
                    for one in asterisks:
                        one.tally = tally
                    print("{}", flush=True)
                case "end":
                    print(json.dumps(counted(asterisks, tally, cpu)), flush=True)
                case _:
                    raise SystemExit(f"no such order: {order}")
        for task in coming:
            task.cancel()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
