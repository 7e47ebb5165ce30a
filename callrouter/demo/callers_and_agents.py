"""The people of the demo: agents at SIP phones, and callers who wait and sometimes give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress

from callrouter.demo.demo_config import PHONES, QUEUES
from callrouter.lab import (
    Answer,
    Asterisk,
    Behaviour,
    CallEndedError,
    Dialog,
    Phone,
    Refuse,
    RingOnly,
    close_phones,
    start_phones,
)
from callrouter.tasks import Tasks

PER_MINUTE: Mapping[str, float] = {"support": 11.0, "sales": 6.5, "front-desk": 5.0}
"""Calls per minute: about as many as the agents can handle, so that some callers always wait."""
OPENING = ("support", "front-desk", "sales", "support", "support", "sales", "support")
"""Calls of the first seconds, so that there is something to see at once."""
OPENING_GAP = 0.35

Rang = Callable[[str, float], None]
"""Called with the agent and the time (`time.monotonic`) of every INVITE at a desk phone."""


class Staff:
    """The agents' phones, and the people who use them.

    Mobiles are one phone, that of the carrier: it plays every mobile that is called through it.

    Args:
        rng: decides who answers, and when.
        rang: called for every INVITE at a desk phone.
    """

    def __init__(self, rng: random.Random, rang: Rang) -> None:
        self._rng = rng
        self._rang = rang
        self._phones: dict[str, Phone] = {}

    async def arrive(self, asterisk: Asterisk) -> None:
        """Start and register every phone, and the network that mobiles are reached through.

        Raises:
            RegistrationFailedError: Asterisk refused a phone, or did not answer.
        """
        self._phones |= await start_phones(asterisk, PHONES, behaviour=self._at_the_desk)
        carrier = [asterisk.options.carrier]
        self._phones |= await start_phones(asterisk, carrier, behaviour=self._on_the_move)
        for name in PHONES:
            self._phones[name].on_change = self._changed

    async def leave(self) -> None:
        """Hang up and close everything.

        Does nothing before `arrive`. Takes about a second at most.
        """
        await close_phones(self._phones.values())

    def _changed(self, phone: Phone, dialog: Dialog, what: str) -> None:
        if what == "new" and dialog.direction == "in":
            self._rang(PHONES[phone.name], dialog.invite_at)

    def _at_the_desk(self, dialog: Dialog) -> Behaviour:
        rng = self._rng
        chance = rng.random()
        if chance < 0.05:
            return Refuse(603, after=rng.uniform(1.0, 2.5))
        if chance < 0.17:
            return RingOnly()  # away from the desk: a missed call, or the mobile's turn
        return Answer(after=rng.uniform(1.0, 4.0), talk=rng.uniform(5.0, 20.0))

    def _on_the_move(self, dialog: Dialog) -> Behaviour:
        rng = self._rng
        if rng.random() < 0.3:
            return Answer(after=1.5)  # a voicemail: it answers but presses no key
        key = rng.uniform(1.2, 2.5)
        return Answer(
            after=rng.uniform(1.0, 2.5),
            talk=key + rng.uniform(5.0, 20.0),
            dtmf=((key, "1", "rfc4733"),),
        )


class Callers:
    """A stream of outside callers.

    They are all one phone, which can handle many calls at once and claims a random number for each.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tasks = Tasks()
        self._phone: Phone | None = None

    async def start(self, asterisk: Asterisk, endpoint: str) -> None:
        """Start the calls.

        First those of `OPENING`, and from the same moment those of `PER_MINUTE`, as a Poisson
        process.

        Args:
            asterisk: where they call.
            endpoint: the name under which Asterisk knows them. It is not registered.
        """
        phones = await start_phones(asterisk, [endpoint], register=False)
        self._phone = phones[endpoint]
        self._tasks.spawn(self._opening(), "the first callers")
        for queue in QUEUES:
            self._tasks.spawn(self._keep_coming(queue), f"callers for {queue}")

    async def stop(self) -> None:
        """Stop new calls and hang up the waiting ones.

        Those who talk are hung up too. Does nothing before `start`, and `start` cannot follow.
        """
        await self._tasks.close()
        if self._phone is not None:
            await self._phone.close()

    async def _opening(self) -> None:
        for queue in OPENING:
            self._come(queue)
            await asyncio.sleep(OPENING_GAP)

    async def _keep_coming(self, queue: str) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(PER_MINUTE[queue] / 60.0))
            self._come(queue)

    def _come(self, queue: str) -> None:
        self._tasks.spawn(self._call(queue), f"a caller for {queue}")

    async def _call(self, queue: str) -> None:
        """One caller's contact: wait for a voice, talk, hang up."""
        if self._phone is None:
            return
        rng = self._rng
        number = f"+44207946{rng.randrange(1000):04d}"  # reserved by Ofcom for drama
        dialog = await self._phone.call(queue, caller_number=number)
        patience = min(90.0, max(4.0, 32.0 * rng.lognormvariate(0.0, 0.6)))
        with suppress(TimeoutError, CallEndedError):
            await dialog.wait(lambda: bool(dialog.heard), patience)
            await dialog.wait_ended(rng.uniform(6.0, 30.0))
        with suppress(TimeoutError):
            await dialog.bye()
