"""Whether a PIN is right: never on the loop, at the same pace for every extension, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.clock import Clock
from callrouter.logs import mask
from callrouter.reception.lockout import Lockout

logger = logging.getLogger(__name__)

WAITING_MOST: Final = 20
"""PINs that may wait to be looked at, one after the other; further ones are turned away."""
_OUTSIDE: Final = 7
"""Digits from which on a number is not an extension of the house."""


class Answer(Enum):
    """What came of a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody at a phone says that they are an agent.

    `extension` is what was keyed in, `agent` whose it is (empty: nobody's), `phone` where they are.
    """

    extension: str
    agent: str
    pin: str
    phone: str

    @property
    def named(self) -> str:
        """The extension, for the log. What nobody has may be a PIN that was keyed in too early."""
        return f"extension {self.extension} ({self.agent})" if self.agent else "nobody's extension"

    @property
    def place(self) -> str:
        """The phone, for the log: the endpoint, and the end of a number that called from outside."""
        endpoint, _, number = self.phone.partition(" ")
        shown = number if len(number) < _OUTSIDE else mask(number)
        return " ".join(part for part in (endpoint, shown) if part)


class Pins:
    """Looks PINs up, one after the other, each in a thread.

    An extension that nobody has costs the same work as one with a PIN, and is locked like one, so
    neither the answer nor its time tells which extensions there are.

    Args:
        pins: the argon2id hashes, by agent.
        clock: for the lockout.
        verify: tells whether a PIN fits a hash; replaced only to count.
        wrong: told of each wrong PIN, and whether something is locked for it.
    """

    def __init__(
        self,
        pins: Callable[[], Mapping[str, str]],
        clock: Clock,
        verify: Callable[[str, str], bool] | None = None,
        *,
        wrong: Callable[[Claim, bool], None] = lambda _claim, _locked: None,
    ) -> None:
        self.lockout = Lockout()
        self._pins = pins
        self._clock = clock
        self._verify = verify or _fits
        self._told = wrong
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._nobody = ("", "")

    async def check(self, claim: Claim) -> Answer:
        """What is to be thought of a claim."""
        keys = (f"extension {claim.extension}", f"phone {claim.phone}")
        if self._waiting >= WAITING_MOST:
            return Answer.BUSY
        self._waiting += 1
        try:
            async with self._turn:  # so that many at once do not get more tries than one
                if any(self.lockout.left(key, self._clock.now()) for key in keys):
                    logger.warning("PIN of %s refused at %s: locked", claim.named, claim.place)
                    return Answer.LOCKED
                known = self._pins().get(claim.agent)
                nobodys = await asyncio.to_thread(self._nobodys)
                fit = await asyncio.to_thread(self._verify, known or nobodys, claim.pin)
        finally:
            self._waiting -= 1
        if known is not None and fit:
            self.lockout.right(keys[0])  # the phone's count stays, or one's own PIN would reset it
            return Answer.RIGHT
        return self._wrong(keys, claim)

    def _wrong(self, keys: tuple[str, str], claim: Claim) -> Answer:
        now = self._clock.now()
        self.lockout.wrong_total += 1
        locks = {key: seconds for key in keys if (seconds := self.lockout.wrong(key, now))}
        logger.warning("wrong PIN for %s at %s", claim.named, claim.place)
        self._told(claim, bool(locks))
        for key, what in zip(keys, (claim.named, f"phone {claim.place}"), strict=True):
            if key in locks:
                text = "%s is locked for %.0f min after wrong PINs"
                logger.warning(text, what, locks[key] / 60)
        return Answer.LOCKED if locks else Answer.WRONG

    def _nobodys(self) -> str:
        """A hash that no PIN fits, as costly as the costliest there is."""
        from callrouter.reception.hashes import cost, unfit  # noqa: PLC0415 - as below

        pins = self._pins()
        model = max(pins.values(), key=cost, default="")
        if not self._nobody[0] or self._nobody[1] != model:
            self._nobody = (unfit(model), model)
        return self._nobody[0]


def _fits(digest: str, pin: str) -> bool:
    # Here, and not above: the library is needed when somebody keys in a PIN, and not at the start.
    from callrouter.reception.hashes import fits  # noqa: PLC0415

    return fits(digest, pin)
