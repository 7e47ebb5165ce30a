"""Callers who come and go, and agents who mostly answer."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from callrouter.lab import Answer, Behaviour, CallEndedError, Dialog, Phone, Refuse, RingOnly
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


CallerT = TypeVar("CallerT", bound=Caller)


class CrowdOf(ABC, Generic[CallerT]):
    """Keeps so many callers in a centre as are wanted.

    Attributes:
        wanted: callers at a time.
        patient: from now on no caller gives up: all who wait must be served.
        lasting: callers from now on talk for as long as the agent does.
    """

    def __init__(self, rng: random.Random) -> None:
        self.callers: list[CallerT] = []
        self.wanted = 0
        self.patient = False
        self.lasting = False
        self._rng = rng
        self._tasks = Tasks()

    @property
    def live(self) -> list[CallerT]:
        return [caller for caller in self.callers if caller.live]

    async def come_and_go(self) -> None:
        """Until cancelled."""
        try:
            while True:
                live = self.live
                # One at a time: a busy hour, no flood.
                if len(live) < self.wanted:
                    await self._one_more()
                for caller in live:
                    self._maybe_hang_up(caller)
                await asyncio.sleep(0.1)
        finally:
            await self._tasks.close()

    async def drain(self, within: float) -> None:
        """No caller comes any more and none gives up; wait until all were served, or for so many seconds."""
        self.wanted = 0
        self.patient = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while [one for one in self.live if not one.partner and not one.hung_up]:
                    await asyncio.sleep(0.1)

    @abstractmethod
    async def _one_more(self) -> None:
        """Let one more call, unless none can come now."""

    def _whims(
        self, share: float, patience: tuple[float, float]
    ) -> tuple[float | None, float | None]:
        """The patience of a new caller, which so many of them have, and their wish to talk."""
        rng = self._rng
        waits = rng.uniform(*patience) if rng.random() < share else None
        talks = rng.uniform(2.0, 4.0) if rng.random() < 0.2 else None
        return waits, None if self.lasting else talks

    def _maybe_hang_up(self, caller: CallerT) -> None:
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


class Crowd(CrowdOf[Caller]):
    """The callers of one Asterisk."""

    def __init__(self, centre: Centre, rng: random.Random) -> None:
        super().__init__(rng)
        self._centre = centre

    async def _one_more(self) -> None:
        if not self._centre.away:
            await self.call()

    async def call(self) -> Caller:
        """One more caller, with a patience and a wish to talk of their own."""
        number = str(FIRST_NUMBER + len(self.callers))
        dialog = await self._centre.lab["caller"].call("support", caller_number=number)
        caller = Caller(number, dialog, *self._whims(0.25, (4.0, 25.0)))
        self.callers.append(caller)
        return caller


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


def set_moods(desks: Iterable[Phone], rng: random.Random, talk: tuple[float, float]) -> None:
    """Let agents' phones do with each call as `moods` has it."""

    def mood(dialog: Dialog) -> object:
        del dialog
        return moods(rng, talk)

    for phone in desks:
        phone.behaviour = mood  # type: ignore[assignment]


async def not_rung(
    desks: Sequence[Phone], new_callers: Callable[[], Awaitable[None]], within: float = 75.0
) -> list[str]:
    """Let as many new callers come as there are agents, and return the phones that hear none of them."""
    before = {phone.name: len(phone.incoming) for phone in desks}
    await new_callers()
    stuck = [phone.name for phone in desks]
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while stuck:
                stuck = [
                    phone.name
                    for phone in desks
                    if not [d for d in phone.incoming[before[phone.name] :] if d.heard]
                ]
                await asyncio.sleep(0.1)
    return stuck
