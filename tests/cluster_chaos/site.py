"""Everything on its machines: three Asterisks, three routers, two PostgreSQL servers; and who is active."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from callrouter.lab import Dialog, Install, Phone
from tests.cluster_chaos.exchange import Exchange, start_exchange
from tests.cluster_chaos.network import Network
from tests.cluster_chaos.postgres_pair import PostgresPair
from tests.cluster_chaos.router_node import RouterNode

EXCHANGES = ("north", "south", "west")
ROUTERS = ("r1", "r2", "r3")
SERVERS = ("db1", "db2")
HOUR = 3600
CLOCKS = {
    "r1": 0, "r2": HOUR, "r3": -HOUR, "north": 0, "south": HOUR, "west": -HOUR, "db1": 0, "db2": HOUR,
}  # fmt: skip
"""By how many seconds each machine's wall clock is off."""
_HOLDER = "SELECT holder FROM callrouter_cluster.pools WHERE pool = 'main' AND NOT released"


@dataclass
class Site:
    """All of it, and the faults' ways to it.

    Attributes:
        many: whether each phone has an address at every Asterisk; otherwise each Asterisk has a line of its own.
    """

    network: Network
    base: PostgresPair
    exchanges: dict[str, Exchange]
    routers: dict[str, RouterNode]
    many: bool = True

    @property
    def desks(self) -> list[Phone]:
        """The agents' phones."""
        return [phone for one in self.exchanges.values() for phone in one.desks]

    def dialogs(self) -> list[Dialog]:
        """Every call at any phone that has not ended."""
        return [dialog for one in self.exchanges.values() for dialog in one.dialogs()]

    async def active(self, within: float = 20.0) -> RouterNode:
        """The router that holds the lease, by the database; the only one where there is one.

        Raises:
            TimeoutError: there is none within `within` seconds.
        """
        if len(self.routers) == 1:
            return next(iter(self.routers.values()))
        end = time.monotonic() + within
        while True:
            with suppress(psycopg.Error):
                for (holder,) in await self.base.primary.ask(_HOLDER, "calls"):
                    if self.routers[str(holder)].running:
                        return self.routers[str(holder)]
            if time.monotonic() > end:
                raise TimeoutError("no router holds the lease")
            await asyncio.sleep(0.1)

    async def in_step(self, within: float = 180.0) -> None:
        """Wait until some router is active and in step with every Asterisk."""
        end = time.monotonic() + within
        while True:
            with suppress(TimeoutError):
                node = await self.active(5.0)
                await node.in_step(3.0)  # not longer: another may be active by then
                return
            if time.monotonic() > end:
                logs = "\n".join(f"{name}:\n{one.tail()}" for name, one in self.routers.items())
                raise TimeoutError(f"no router is active and in step\n{logs}")

    async def keep(self) -> None:
        """Start again what ended by itself, until cancelled."""
        while True:
            await asyncio.sleep(0.5)
            for node in self.routers.values():
                await node.keep()


def people_yaml(desks: Mapping[str, list[str]], *, many: bool) -> str:
    """Agents a1101, … with a desk each that is reached from every Asterisk, and the queue."""
    lines = ["agents:"]
    for place, numbers in desks.items():
        for number in numbers:
            others = "".join(f', {one}: "PJSIP/{number}@{place}"' for one in desks if one != place)
            address = (
                f"{{{place}: PJSIP/{number}{others}}}" if many else f"PJSIP/{number}, pbx: {place}"
            )
            lines.append(
                f"  a{number}: {{sign_in: always, devices: {{desk: {{endpoint: {address}}}}}}}"
            )
    names = ", ".join(f"a{number}" for numbers in desks.values() for number in numbers)
    lines.append(
        f"queues:\n  support:\n    agents: [{names}]\n    policy: longest-idle\n    ring_for: 6s\n"
        "    retry_after: 1s\n    auto_pause: 0\n    on_nobody: wait\n    wrap_up: 500ms\n"
    )
    return "\n".join(lines)


@asynccontextmanager
async def site(
    install: Install, network: Network, *, agents: int, routers: int, many: bool
) -> AsyncIterator[Site]:
    """Start it all, the routers last; at the end nothing runs and no file is left.

    Args:
        install: the Asterisk to run.
        network: made before any thread.
        agents: at each Asterisk.
        routers: how many; one alone is no cluster.
        many: whether a phone has an address at each Asterisk.
    """
    with tempfile.TemporaryDirectory(prefix=f"crx{os.getpid()}-") as name:
        folder = Path(name)
        tempfile.tempdir = name  # the ports' folders, which are others' in another network
        exchanges: dict[str, Exchange] = {}
        nodes: dict[str, RouterNode] = {}
        base = PostgresPair(network["db1"], network["db2"], folder, CLOCKS)
        try:
            await base.start()
            desks = {
                place: [str(1001 + 100 * n + one) for one in range(agents)]
                for n, place in enumerate(EXCHANGES, 1)
            }
            for place in EXCHANGES:
                others = [network[other] for other in EXCHANGES if other != place]
                exchanges[place] = await start_exchange(
                    install, network[place], desks[place], others, CLOCKS[place]
                )
            people = people_yaml(desks, many=many)
            for one in ROUTERS[:routers]:
                nodes[one] = node = RouterNode(network[one], folder, CLOCKS[one])
                node.configure(list(exchanges.values()), base.url, people, alone=routers == 1)
                await node.start()
            made = Site(network, base, exchanges, nodes, many)
            await made.in_step()
            yield made
        finally:
            network.mend()
            for node in nodes.values():
                await node.end()
            for exchange in exchanges.values():
                exchange.asterisk.resume()
                await exchange.close()
            await base.close()
            tempfile.tempdir = None
