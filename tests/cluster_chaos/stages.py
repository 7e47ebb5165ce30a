"""The stages of an offer as the phones see them, so that a fault can hit each of them."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from callrouter.lab import Dialog, Phone

STAGES = {
    "offered": "the INVITE has just arrived at the phone",
    "ringing": "the phone has said that it rings",
    "answered": "the agent has picked up, and hears no caller yet",
    "connected": "agent and caller have begun to hear each other",
    "given up": "a ring has ended without an answer",
    "ended": "a conversation has just ended",
    "between": "at any moment",
}
"""By name: what has just happened when the fault comes."""
_OF_PHONES = {"new": "offered", "ringing": "ringing", "up": "answered", "heard": "connected"}
LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When a stage was reached, and where.

    Attributes:
        stage: of `STAGES`.
        at: `time.monotonic`.
        what: the phone and the caller, in words.
    """

    stage: str
    at: float
    what: str


class StageWatch:
    """Listens to the agents' phones."""

    def __init__(self, phones: list[Phone]) -> None:
        self._waiting: dict[str, asyncio.Future[Moment]] = {}
        for phone in phones:
            phone.on_change = self._changed

    def _changed(self, phone: Phone, dialog: Dialog, what: str) -> None:
        if what == "ended":
            stage = "given up" if dialog.answered_at is None else "ended"
        else:
            stage = _OF_PHONES.get(what, "")
        waiting = self._waiting.pop(stage, None)
        if waiting is not None and not waiting.done():
            where = f"{phone.name} for …{dialog.peer_number[-4:]}"
            waiting.set_result(Moment(stage, time.monotonic(), where))

    async def reach(self, stage: str, rng: random.Random) -> Moment:
        """Wait until some phone is at that stage, and up to 40 ms more, so that the next steps are hit too.

        Where none is within `LONGEST_WAIT` seconds, the moment is any.
        """
        if stage != "between":
            waiting: asyncio.Future[Moment] = asyncio.get_running_loop().create_future()
            self._waiting[stage] = waiting
            try:
                async with asyncio.timeout(LONGEST_WAIT):
                    found = await waiting
            except TimeoutError:
                self._waiting.pop(stage, None)
            else:
                await asyncio.sleep(rng.choice((0.0, rng.uniform(0.0, 0.04))))
                return found
        await asyncio.sleep(rng.uniform(0.0, 0.5))
        return Moment("between", time.monotonic(), "any moment")
