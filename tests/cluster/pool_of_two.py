"""Two daemons for one Asterisk: one active, one standby, with a real PostgreSQL between them."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from callrouter.cluster.lease_link import LeaseLink
from callrouter.cluster.lease_queries import ask_to_hand_over
from callrouter.lab import Answer, Dialog, Install, Lab, Phone, lab
from callrouter.store.location import Address
from callrouter.tasks import Tasks
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.chaos.centre import agents_yaml, queues_yaml
from tests.chaos.router import RouterProcess
from tests.store.server import PostgresServer

FIRST_CALLER = 441_632_960_100


@dataclass
class PoolOfTwo:
    """Both daemons, the phones, and the callers in the order in which they came."""

    lab: Lab
    nodes: tuple[RouterProcess, RouterProcess]
    callers: list[Dialog]
    database: str

    @property
    def desks(self) -> list[Phone]:
        """The agents' phones."""
        return [phone for name, phone in self.lab.phones.items() if name.startswith("1")]

    @property
    def offers(self) -> list[Dialog]:
        """Every call that came to an agent's phone, as it came."""
        return sorted(
            (one for phone in self.desks for one in phone.incoming), key=lambda one: one.invite_at
        )

    async def role(self, node: RouterProcess) -> str:
        """What a daemon says of itself; empty if it does not answer.

        A standby passes on what it is asked, but for its metrics.
        """
        with suppress(OSError):
            serves = "\ncallrouter_cluster_active 1.0\n" in await node.metrics()
            return "active" if serves else "standby"
        return ""

    async def active(self, within: float = 90.0) -> RouterProcess:
        """The daemon that says it is active and is in step with Asterisk.

        Raises:
            TimeoutError: there is none within `within` seconds.
        """
        async with asyncio.timeout(within):
            while True:
                for node in self.nodes:
                    if node.pid is not None and await self.role(node) == "active":
                        await node.in_step()
                        return node
                await asyncio.sleep(0.05)

    def ask_to_hand_over(self) -> bool:
        """Ask the active daemon to hand over, as the command does; it waits for the database."""
        link = LeaseLink(Address(self.database))
        try:
            return ask_to_hand_over(link, "main")
        finally:
            link.close()

    def other(self, node: RouterProcess) -> RouterProcess:
        return self.nodes[1 - self.nodes.index(node)]

    async def call(self, count: int) -> list[Dialog]:
        """So many callers more, one after the other; each of them hears music or an agent."""
        new = []
        for _ in range(count):
            number = str(FIRST_CALLER + len(self.callers))
            dialog = await self.lab["caller"].call("support", caller_number=number)
            await dialog.wait_up(10)
            self.callers.append(dialog)
            new.append(dialog)
        return new

    async def ringing(self, count: int, within: float = 20.0) -> list[Dialog]:
        """Wait until so many phones ring; their dialogs."""
        async with asyncio.timeout(within):
            while True:
                found = [one for one in self.offers if one.state == "ringing"]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)

    def answer_all(self, tasks: Tasks, talk: float) -> None:
        """From now on every agent answers; those whose phone rings pick up now, and talk as long."""
        for phone in self.desks:
            phone.behaviour = Answer(after=0.1, talk=talk)
            for dialog in phone.dialogs:
                if dialog.state == "ringing":
                    tasks.spawn(_pick_up(dialog, talk), f"{phone.name} picks up")

    async def served(self, callers: Sequence[Dialog], within: float = 40.0) -> None:
        """Wait until each of these callers has heard an agent.

        Raises:
            TimeoutError: one has not within `within` seconds.
        """
        async with asyncio.timeout(within):
            while True:
                if all(partner(one) for one in callers):
                    return
                await asyncio.sleep(0.05)

    def account(self) -> list[str]:
        """What must not be, told by the phones: lost callers, and phones that rang twice at once."""
        bad = [
            f"caller {one.called} {one.invite_at:.2f} was lost, SIP {one.final_code}"
            for one in self.callers
            if not partner(one)
        ]
        offers = self.offers
        for phone in self.desks:
            bad += _overlaps(phone.incoming, f"{phone.name} was rung for two callers")
        for number in {one.peer_number for one in offers}:
            same = [one for one in offers if one.peer_number == number]
            bad += _overlaps(same, f"two phones were rung for {number}")
        return bad

    def served_in_order(self, callers: Sequence[Dialog]) -> int:
        """The largest distance of any of them from their place in the line, by who was answered."""
        numbers = [str(FIRST_CALLER + self.callers.index(one)) for one in callers]
        answered = [one for one in self.offers if one.answered_at is not None]
        order = [one.peer_number for one in answered if one.peer_number in numbers]
        order = list(dict.fromkeys(order))
        return max(abs(order.index(number) - place) for place, number in enumerate(numbers))


def partner(caller: Dialog) -> str:
    """The agent's phone that a caller has heard, or empty."""
    return next((name for name in caller.heard if name.startswith("1")), "")


async def _pick_up(dialog: Dialog, talk: float) -> None:
    await dialog.answer()
    await asyncio.sleep(talk)
    await dialog.bye()


def _overlaps(dialogs: Sequence[Dialog], what: str) -> list[str]:
    by_time = sorted(dialogs, key=lambda one: one.invite_at)
    return [
        f"{what} at {after.invite_at:.2f}, since {before.invite_at:.2f}"
        for number, after in enumerate(by_time)
        for before in by_time[:number]
        # the CANCEL of the first may arrive just behind the INVITE of the second
        if before.ended_at is None or before.ended_at > after.invite_at + 0.25
    ]


@asynccontextmanager
async def pool_of_two(
    install: Install, server: PostgresServer, agents: int
) -> AsyncIterator[PoolOfTwo]:
    """Start it all; at the end nothing is left."""
    numbers = tuple(str(1000 + n) for n in range(1, agents + 1))
    database = server.database()
    queue = "    wrap_up: 200ms\n"
    with tempfile.TemporaryDirectory(prefix="cr-") as name:
        async with lab(install, phones=numbers, dialplan=DIALPLAN, manager=MANAGER) as asterisk:
            nodes = []
            for node in ("one", "two"):
                (folder := Path(name) / node).mkdir()
                nodes.append(
                    RouterProcess(
                        folder,
                        asterisk.asterisk.ami_port,
                        agents_yaml(agents),
                        queues_yaml(agents, queue),
                        database=database,
                        cluster=node,
                    )
                )
            made = PoolOfTwo(asterisk, (nodes[0], nodes[1]), [], database)
            try:
                for one in nodes:
                    await one.start()
                await made.active()
                yield made
            finally:
                for one in nodes:
                    await one.end(signal.SIGKILL)


async def until_role(
    pool: PoolOfTwo, node: RouterProcess, role: str, within: float = 15.0
) -> float:
    """Wait until a daemon says that of itself; how long it took, in seconds.

    Raises:
        TimeoutError: it does not within `within` seconds.
    """
    began = time.monotonic()
    async with asyncio.timeout(within):
        while True:
            if await pool.role(node) == role:
                return time.monotonic() - began
            await asyncio.sleep(0.05)
