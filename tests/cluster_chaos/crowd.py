"""Callers at all the Asterisks, who come and go."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.chaos.people import FIRST_NUMBER, Caller, CrowdOf
from tests.cluster_chaos.exchange import Exchange
from tests.cluster_chaos.site import Site


@dataclass
class Visitor(Caller):
    """A caller, and where they came in."""

    place: str = ""


class CrowdOfMany(CrowdOf[Visitor]):
    """The callers of all the Asterisks of a site."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        super().__init__(rng)
        self._site = site

    async def _one_more(self) -> None:
        open_ = [one for one in self._site.exchanges.values() if not one.away]
        if open_:
            await self.call(self._rng.choice(open_))

    async def call(self, where: Exchange) -> Visitor:
        """One more caller, with a patience and a wish to talk of their own."""
        number = str(FIRST_NUMBER + len(self.callers))
        patience, chat = self._whims(0.2, (6.0, 30.0))
        dialog = await where.call(number)
        caller = Visitor(number, dialog, patience, chat, place=where.name)
        self.callers.append(caller)
        return caller
