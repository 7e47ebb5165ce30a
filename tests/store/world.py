"""A router with its store on a virtual clock and a real file."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from callrouter.core.router import Router
from callrouter.core.state import Agent
from callrouter.model.events import DeviceState, Event, PbxSnapshot
from callrouter.model.routing_table import Table
from callrouter.runtime import Runtime
from callrouter.store.location import File, Place
from callrouter.store.service import StoreService
from tests.api.world import NotingPbx

T0 = 1_763_761_987.0  # 2025-11-21 21:53 UTC


class Clock:
    def __init__(self, at: float = T0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


class World:
    def __init__(
        self, table: Table, path: Path | Place, clock: Clock, *, ahead: float = 0.0
    ) -> None:
        self.clock = clock
        self.pbx = NotingPbx()
        self.router = Router(table, rng=random.Random(1), run_id="b", now=clock.at)
        self.runtime = Runtime(self.router, clock)
        self.runtime.attach(self.pbx)
        self.store = StoreService(
            self.router.board,
            self.runtime.post,
            clock,
            File(path) if isinstance(path, Path) else path,
            retry=0.02,
            clock_ahead=lambda: ahead,
        )
        self.runtime.listen_to_rows(self.store.rows_changed)

    def post(self, *events: Event) -> None:
        for event in events:
            self.runtime.post(event)

    def agent(self, name: str) -> Agent:
        return self.router.floor.agents[name]

    def connect(self) -> None:
        owners = self.router.floor.owners
        self.post(
            PbxSnapshot(pbx="office", endpoints={name: DeviceState.IDLE for _, name in owners})
        )

    @property
    def unsaved(self) -> int:
        return int(self.store.status()["unsaved"])


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """The thread and its file take real time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    table: Table, path: Path | Place, clock: Clock, *, ahead: float = 0.0
) -> AsyncIterator[World]:
    world = World(table, path, clock, ahead=ahead)
    await world.store.start()
    try:
        yield world
    finally:
        world.runtime.close()
        await world.store.close()
