"""Two routers of one cluster on one Asterisk, and the lease that says which may act."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from callrouter.lab import Install
from callrouter.model.routing_table import AgentSpec, QueueSpec
from tests.asterisk.floor import Answer, Floor, stage, table
from tests.asterisk.proxy import Proxy, proxy


@dataclass
class Lease:
    """What a router is told of its lease."""

    epoch: int = 0
    active: bool = False
    valid: bool = False
    newer: list[int] = field(default_factory=list)

    def sure(self) -> bool:
        return self.valid

    def newer_epoch(self, pbx: str, epoch: int) -> None:
        self.newer.append(epoch)

    def take(self, epoch: int) -> None:
        self.epoch, self.active, self.valid = epoch, True, True


@dataclass
class Pair:
    """An old and a new router; the bytes of the old one pass a proxy."""

    old: Floor
    new: Floor
    between: Proxy
    held: Lease
    next: Lease
    epoch: int = 0

    @property
    def trace(self) -> list[str]:
        """What both routers saw, for the report of a test that failed."""
        return ["-- the old router", *self.old.trace, "-- the new router", *self.new.trace]

    async def begin(self, *agents: AgentSpec, queues: Sequence[QueueSpec], **site: Any) -> None:
        """The old router serves, the new one stands by; every phone on-hook and friendly."""
        await self.end()
        await self.old.hang_all_up()
        for phone in self.old.lab.phones.values():
            phone.behaviour = Answer(after=0.05)
            phone.incoming.clear()
            phone.outgoing.clear()
        self.between.held = None
        self.between.shut = False
        self.epoch += 2
        self.held, self.next = Lease(), Lease()
        self.held.take(self.epoch)
        for floor, lease in ((self.old, self.held), (self.new, self.next)):
            floor.spec, floor.authority, floor.site = table(agents, *queues), lease, site
            floor.begin()
        await self.old.until(lambda: self.old.pbx.in_step and self.new.pbx.client.up)

    async def take_over(self, *, kill: bool = True, handed_over: bool = False) -> None:
        """The new router takes the lease. With `kill`, the old one is gone at that moment."""
        self.held.valid = False
        if kill:
            await self.old.crash()
        self.next.take(self.epoch + 1)
        self.new.pbx.claim(handed_over=handed_over)
        self.new.pbx.activate()
        await self.new.until(lambda: self.new.pbx.in_step, 10)

    async def value(self, name: str = "CALLROUTER_EPOCH") -> str:
        """A global variable of Asterisk."""
        text = await self.old.lab.asterisk.cli("dialplan show globals")
        found = [line.strip() for line in text.splitlines() if f"{name}=" in line]
        return found[0].partition("=")[2] if found else ""

    async def end(self) -> None:
        await self.new.crash()
        await self.old.crash()

    def rung(self, phone: str) -> int:
        """How many INVITEs a phone has had."""
        return len(self.old.phone(phone).incoming)

    def count(self, what: str) -> int:
        return self.new.pbx.health().counts.get(what, 0)

    def fault_free(self) -> None:
        for floor in (self.old, self.new):
            assert floor.pbx.health().faults == 0


@asynccontextmanager
async def pair(install: Install, phones: int, **options: Any) -> AsyncIterator[Pair]:
    async with (
        stage(install, phones, **options) as old,
        proxy(old.lab.asterisk.ami_port) as (between, port),
    ):
        old.port = port
        made = Pair(old, Floor(old.lab, old.spec), between, Lease(), Lease())
        try:
            yield made
        finally:
            await made.end()
