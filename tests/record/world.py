"""A router with its store and its record on a virtual clock and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from callrouter.model.events import (
    CallArrived,
    CallerEnd,
    CallerLeft,
    ConnectSucceeded,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    SignedIn,
)
from callrouter.model.routing_table import Table
from callrouter.record.record_reader import CallStory, RecordReader
from callrouter.record.record_service import RecordService, RecordSources
from callrouter.store.location import Place
from tests.core.tables import queue, table
from tests.store.world import Clock, until
from tests.store.world import World as StoreWorld

TWO = table(queue("q", "ann bob"), queue("p", "bob"))


class World(StoreWorld):
    """The world of the store's tests, recorded. The recorder writes when it is told to (`written`)."""

    def __init__(self, spec: Table, place: Place, clock: Clock, run: str = "r1") -> None:
        super().__init__(spec, place, clock)
        self.router.floor.run_id = run  # ids of offers are unique over all runs
        self.place = place
        self.tasks: set[asyncio.Task[None]] = set()
        board = self.router.board
        sources = RecordSources(
            members=board.queue_members,
            is_live=lambda call: board.priority(call) is not None,
            pbxes=lambda: ["office"],
            in_step=lambda _: True,
        )
        self.record = RecordService(self.store.record, sources, clock, run, self._spawn)
        self.runtime.listen(self.record.listen)
        self.reader = RecordReader(place)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str, /) -> object:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def written(self) -> None:
        """Everything is in the database, also what a look-up held back."""
        for _ in range(3):
            self.record._flush()
            await asyncio.gather(*self.tasks)
            await self.handed_over()

    async def handed_over(self) -> None:
        """The thread has written what was handed over."""
        await self.store.record.query(lambda _: None, patient=True)

    # ------------------------------------------------------------ what happens

    def begin(self) -> None:
        self.connect()
        self.post(SignedIn(agent="ann"))

    def arrives(self, call: str, **more: Any) -> None:
        self.post(CallArrived(call=call, pbx="office", queue="q", **more))

    def offer(self) -> str:
        """The last offer that was made."""
        return next(reversed(self.router.floor.offers))

    def answers(self, after: float = 3.0) -> str:
        """Whoever is rung takes the call. Returns the offer."""
        offer = self.offer()
        self.post(LegRang(offer=offer, device="desk"))
        self.clock.at += after
        self.post(LegAccepted(offer=offer, device="desk"))
        call = self.router.floor.offers[offer].call.id
        self.post(ConnectSucceeded(call=call, offer=offer))
        return offer

    def agent_hangs_up(self, offer: str) -> None:
        self.post(LegEnded(offer=offer, device="desk", why=LegEnd.HUNG_UP))

    def caller_hangs_up(self, call: str) -> None:
        self.post(CallerLeft(call=call, how=CallerEnd.HUNG_UP))

    async def whole_call(self, call: str, **more: Any) -> None:
        """A call of 5 s, after 3 s of waiting."""
        self.arrives(call, **more)
        offer = self.answers()
        self.clock.at += 5
        self.caller_hangs_up(call)
        self.agent_hangs_up(offer)
        self.clock.at += 60
        self.post()
        await asyncio.sleep(0)

    def story(self, call: str) -> CallStory:
        found = self.reader.story(call)
        assert found is not None, call
        return found

    async def until_written(self, true: Callable[[], bool]) -> None:
        await until(true)


@asynccontextmanager
async def recording(
    place: Place, clock: Clock, *, run: str = "r1", spec: Table = TWO, killed: bool = False
) -> AsyncIterator[World]:
    """A running world. With `killed` nothing is written at its end, as after ``kill -9``."""
    world = World(spec, place, clock, run)
    await world.store.start()
    world.record.start()
    try:
        yield world
    finally:
        world.runtime.close()
        if killed:
            world.record._loop = None
            for task in world.tasks:
                task.cancel()
        else:
            await asyncio.gather(*world.tasks)
            world.record.close()
        await world.store.close()
        world.reader.close()
