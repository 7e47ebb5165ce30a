"""Callers at all the Asterisks, who come and go."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from callrouter.tasks import Tasks
from tests.chaos.people import FIRST_NUMBER, Caller, hang_up
from tests.cluster_chaos.exchange import Exchange
from tests.cluster_chaos.site import Site


@dataclass
class Visitor(Caller):
    """A caller, and where they came in."""

    place: str = ""


class CrowdOfMany:
    """Keeps so many callers in the pool as are wanted.

    Attributes:
        wanted: callers at a time.
        patient: no caller loses patience any more.
        lasting: callers from now on talk for as long as the agent does.
    """

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.callers: list[Visitor] = []
        self.wanted = 0
        self.patient = False
        self.lasting = False
        self._site = site
        self._rng = rng
        self._tasks = Tasks()

    @property
    def live(self) -> list[Visitor]:
        return [caller for caller in self.callers if caller.live]

    async def come_and_go(self) -> None:
        """Until cancelled."""
        try:
            while True:
                live = self.live
                open_ = [one for one in self._site.exchanges.values() if not one.away]
                if len(live) < self.wanted and open_:
                    await self.call(self._rng.choice(open_))
                for caller in live:
                    self._maybe_hang_up(caller)
                await asyncio.sleep(0.1)
        finally:
            await self._tasks.close()

    async def call(self, where: Exchange) -> Visitor:
        """One more caller, with a patience and a wish to talk of their own."""
        rng, number = self._rng, str(FIRST_NUMBER + len(self.callers))
        patience = rng.uniform(6.0, 30.0) if rng.random() < 0.2 else None
        talks = rng.uniform(2.0, 4.0) if rng.random() < 0.2 else None
        dialog = await where.call(number)
        chat = None if self.lasting else talks
        caller = Visitor(number, dialog, patience, chat, place=where.name)
        self.callers.append(caller)
        return caller

    def _maybe_hang_up(self, caller: Visitor) -> None:
        dialog, now = caller.dialog, time.monotonic()
        if caller.hung_up:
            return
        if caller.partner:
            since = dialog.heard_since[caller.partner]
            tired = caller.chat is not None and now > since + caller.chat
        else:
            limit = None if self.patient else caller.patience
            tired = limit is not None and now > dialog.invite_at + limit
        if tired:
            caller.hung_up = True
            self._tasks.spawn(hang_up(dialog), f"{caller.number} hangs up")
