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
from callrouter.model.locks import LockRow
from callrouter.reception.lockout import LONGEST, MOST, WITHIN, Lockout

logger = logging.getLogger(__name__)

WAITING_MOST: Final = 20
"""PINs that may wait to be looked at, one after the other; further ones are turned away. Phones of agents and
others wait in lines of their own."""
ENDPOINT_MOST: Final = 20
"""Wrong PINs within a quarter of an hour from one endpoint that is no agent's phone, such as a trunk …"""
HOUSE_MOST: Final = 30
"""… and from all of them together, after which none from there is looked at for a while."""
LONGEST_SHARED: Final = 3600.0
"""Seconds of a lock that shuts out many for what one has done."""
OUTSIDE: Final = "outside"
"""The key of that lock."""
OUTSIDE_DIGITS: Final = 6
"""Digits that a PIN should have that is keyed in from outside."""
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

    `extension` is what was keyed in, `agent` whose it is (empty: nobody's), `phone` where they are: the
    endpoint, and behind a blank the number that they call from, in one spelling. `own`: the endpoint is a phone
    of agents'.
    """

    extension: str
    agent: str
    pin: str
    phone: str
    own: bool = True

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


class _Line:
    """PINs that are looked up one after the other."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.waiting = 0


def _extension(claim: Claim) -> str:
    return f"extension {claim.extension}"


def _limits(claim: Claim) -> dict[str, int]:
    """What a wrong PIN counts against, and how many lock it."""
    limits = {_extension(claim): MOST, f"phone {claim.phone}": MOST}
    if not claim.own:
        limits[f"endpoint {claim.phone.partition(' ')[0]}"] = ENDPOINT_MOST
        limits[OUTSIDE] = HOUSE_MOST
    return limits


def _longest(key: str) -> float:
    return LONGEST_SHARED if key == OUTSIDE or key.startswith("endpoint ") else LONGEST


class Pins:
    """Looks PINs up, one after the other, each in a thread.

    An extension that nobody has costs the same work as one with a PIN, and is locked like one, so
    neither the answer nor its time tells which extensions there are.

    Args:
        pins: the argon2id hashes, by agent.
        clock: for the lockout.
        verify: tells whether a PIN fits a hash; replaced only to count.
        wrong: told of each wrong PIN, and whether something is locked for it.
        keep: told of each lock, see `Lockout`.
    """

    def __init__(
        self,
        pins: Callable[[], Mapping[str, str]],
        clock: Clock,
        verify: Callable[[str, str], bool] | None = None,
        *,
        wrong: Callable[[Claim, bool], None] = lambda _claim, _locked: None,
        keep: Callable[[LockRow], None] = lambda _row: None,
    ) -> None:
        self.lockout = Lockout(keep)
        self._pins = pins
        self._clock = clock
        self._verify = verify or _fits
        self._told = wrong
        self._lines = {True: _Line(), False: _Line()}
        self._nobody = ("", "")

    def closed_for(self) -> float:
        """Seconds for which no PIN from outside is looked at still; 0: they are."""
        return self.lockout.left(OUTSIDE, self._clock.now())

    async def check(self, claim: Claim) -> Answer:
        """What is to be thought of a claim."""
        limits = _limits(claim)
        line = self._lines[claim.own]
        if line.waiting >= WAITING_MOST:
            return Answer.BUSY
        line.waiting += 1
        try:
            async with line.turn:  # so that many at once do not get more tries than one
                if any(self.lockout.left(key, self._clock.now()) for key in limits):
                    logger.warning("PIN of %s refused at %s: locked", claim.named, claim.place)
                    return Answer.LOCKED
                known = self._pins().get(claim.agent)
                nobodys = await asyncio.to_thread(self._nobodys)
                fit = await asyncio.to_thread(self._verify, known or nobodys, claim.pin)
                if known is None or not fit:
                    return self._wrong(limits, claim)
        finally:
            line.waiting -= 1
        # The count of the phone stays, or one's own PIN would reset it.
        self.lockout.right(_extension(claim))
        if not claim.own and len(claim.pin) < OUTSIDE_DIGITS:
            logger.warning(
                "the PIN of %s has fewer than %d digits and is used at %s, which is no agent's phone: "
                "make a longer one with `callrouter passwd`",
                claim.named,
                OUTSIDE_DIGITS,
                claim.place,
            )
        return Answer.RIGHT

    def _wrong(self, limits: Mapping[str, int], claim: Claim) -> Answer:
        now = self._clock.now()
        self.lockout.wrong_total += 1
        locks = {
            key: seconds
            for key, most in limits.items()
            if (seconds := self.lockout.wrong(key, now, most, _longest(key)))
        }
        logger.warning("wrong PIN for %s at %s", claim.named, claim.place)
        self._told(claim, bool(locks))
        for key, seconds in locks.items():
            if key == OUTSIDE:
                logger.error(
                    "%d wrong PINs from outside within %.0f min: PINs are not taken from outside for %.0f min, "
                    "from agents' own phones they are",
                    HOUSE_MOST,
                    WITHIN / 60,
                    seconds / 60,
                )
            else:
                what = claim.named if key == _extension(claim) else f"phone {claim.place}"
                text = "%s is locked for %.0f min after wrong PINs"
                logger.warning(text, what, seconds / 60)
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
