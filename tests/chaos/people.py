"""Callers who come and go, and agents who mostly answer."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass

from callrouter.lab import Answer, Behaviour, CallEndedError, Dialog, Refuse, RingOnly
from callrouter.tasks import Tasks
from tests.chaos.centre import LATE, NIGHT, Centre

FIRST_NUMBER = 441_632_960_000
"""Callers' numbers count up from here, so that each call is known by its number at every phone."""


@dataclass
class Caller:
    """One call, from the caller's side.

    `patience` is how long the caller waits for an agent, `chat` how long they talk before they hang up
    first; None: they leave that to the agent.
    """

    number: str
    dialog: Dialog
    patience: float | None
    chat: float | None
    hung_up: bool = False

    @property
    def partner(self) -> str:
        """The phone of whoever they talked with, or empty."""
        others = (name for name in self.dialog.heard if name[:1] == "1" or name in {NIGHT, LATE})
        return next(others, "")

    @property
    def waited(self) -> float:
        """Seconds until somebody spoke to them, or until they were gone."""
        since = self.dialog.heard_since.get(self.partner, self.dialog.ended_at)
        return (time.monotonic() if since is None else since) - self.dialog.invite_at

    @property
    def live(self) -> bool:
        return self.dialog.state != "ended"


class Crowd:
    """Keeps so many callers in the centre as are wanted."""

    def __init__(self, centre: Centre, rng: random.Random) -> None:
        self.callers: list[Caller] = []
        self.wanted = 0
        self.patient = False
        """From now on nobody loses patience: whoever waits must be served."""
        self.lasting = False
        """Who calls from now on talks for as long as the agent does."""
        self._centre = centre
        self._rng = rng
        self._tasks = Tasks()

    @property
    def live(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.live]

    async def come_and_go(self) -> None:
        """Until cancelled."""
        try:
            while True:
                live = self.live
                # One at a time: a busy hour, no flood.
                if len(live) < self.wanted and not self._centre.away:
                    await self.call()
                for caller in live:
                    self._maybe_hang_up(caller)
                await asyncio.sleep(0.1)
        finally:
            await self._tasks.close()

    async def call(self) -> Caller:
        """One more caller, with a patience and a wish to talk of their own."""
        rng, number = self._rng, str(FIRST_NUMBER + len(self.callers))
        dialog = await self._centre.lab["caller"].call("support", caller_number=number)
        patience = rng.uniform(4.0, 25.0) if rng.random() < 0.25 else None
        talks = rng.uniform(2.0, 4.0) if rng.random() < 0.2 else None
        chat = None if self.lasting else talks
        caller = Caller(number, dialog, patience, chat)
        self.callers.append(caller)
        return caller

    def _maybe_hang_up(self, caller: Caller) -> None:
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


async def hang_up(dialog: Dialog) -> None:
    """As a person does: once, and what the other side makes of it is not theirs to mind."""
    with suppress(TimeoutError, CallEndedError):
        await dialog.bye()


def moods(rng: random.Random, talk: tuple[float, float]) -> Behaviour:
    """What an agent does with the next call."""
    chance = rng.random()
    if chance < 0.04:
        return RingOnly()
    if chance < 0.08:
        return Refuse(486, after=rng.uniform(0.0, 1.0))
    return Answer(after=rng.uniform(0.05, 0.8), talk=rng.uniform(*talk))
