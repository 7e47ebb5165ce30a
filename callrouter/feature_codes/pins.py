"""Checks PINs: in a thread, with the same delay for every extension, and a limit on tries.

The hashes (argon2id) are slow on purpose, which is why they run in threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.clock import Clock
from callrouter.credentials.lockout import LONGEST, MOST, WITHIN, Lockout
from callrouter.credentials.secret_hashes import DecoyHash, pin_matches
from callrouter.feature_codes.calling_number import FEWEST_OUTSIDE
from callrouter.model.access_rows import LockRow
from callrouter.model.text import mask

logger = logging.getLogger(__name__)

WAITING_MOST: Final = 20
"""PINs that may wait to be checked, one after the other. Further ones are turned away.

Agents' phones and other phones wait in separate lines.
"""
ENDPOINT_MOST: Final = 20
"""Wrong PINs within a quarter of an hour that lock one endpoint.

For endpoints that are not an agent's phone, such as a trunk.
"""
HOUSE_MOST: Final = 30
"""Wrong PINs within a quarter of an hour that lock all such endpoints together."""
LONGEST_SHARED: Final = 3600.0
"""Longest lockout in seconds that affects many people for what one has done."""
OUTSIDE: Final = "outside"
"""The key of the lockout of all such endpoints."""
OUTSIDE_DIGITS: Final = 6
"""Fewest digits a PIN should have if it is keyed in from outside."""


class PinResult(Enum):
    """The result of checking a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    """The extension or the phone is locked, or this wrong PIN has locked it."""
    BUSY = "busy"
    """Too many PINs are waiting to be checked. This one was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinClaim:
    """A person at a phone claims to be an agent.

    Attributes:
        extension: what was keyed in as the extension.
        agent: the agent it belongs to; empty if there is none.
        pin: what was keyed in as the PIN.
        endpoint: the phone's endpoint; a trunk's for a call from outside.
        number: the number that the person calls from, in one spelling. Calls from outside share a
            trunk's endpoint, so the number tells their phones apart.
        own: whether the endpoint belongs to an agent.
    """

    extension: str
    agent: str
    pin: str
    endpoint: str
    number: str = ""
    own: bool = True

    @property
    def named(self) -> str:
        """The extension, for the log. An unknown one is hidden: it may be a misplaced PIN."""
        return (
            f"extension {self.extension} ({self.agent})" if self.agent else "an unknown extension"
        )

    @property
    def place(self) -> str:
        """The phone, for the log: the endpoint, and the masked number of an outside caller."""
        shown = mask(self.number, whole=FEWEST_OUTSIDE - 1)
        return " ".join(part for part in (self.endpoint, shown) if part)


class _CheckQueue:
    """PINs that are checked one after the other. `waiting` includes the one being checked."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.waiting = 0


def _extension(claim: PinClaim) -> str:
    return f"extension {claim.extension}"


def _limits(claim: PinClaim) -> dict[str, int]:
    """The keys that a wrong PIN counts against, and how many wrong PINs lock each.

    The extension is locked against attacks on one agent from many phones, the phone against attacks
    on many agents. A number is only a claim of the trunk and can be changed with each call, so
    phones from outside count by their trunk and all together as well.
    """
    limits = {_extension(claim): MOST, f"phone {claim.endpoint} {claim.number}": MOST}
    if not claim.own:
        limits[f"endpoint {claim.endpoint}"] = ENDPOINT_MOST
        limits[OUTSIDE] = HOUSE_MOST
    return limits


def _longest(key: str) -> float:
    return LONGEST_SHARED if key == OUTSIDE or key.startswith("endpoint ") else LONGEST


class PinChecker:
    """Checks PINs one after the other, each in a thread.

    An unknown extension costs the same work as a known one and is locked in the same way. So
    neither the answer nor its timing reveals which extensions exist.

    Args:
        pins: returns the argon2id hashes, by agent.
        clock: for the lockout.
        verify: whether a PIN matches a hash; replaced only in tests that count calls.
        wrong: called with each wrong PIN, and whether it locked something.
        keep: called with each lockout, see `Lockout`.
    """

    def __init__(
        self,
        pins: Callable[[], Mapping[str, str]],
        clock: Clock,
        verify: Callable[[str, str], bool] | None = None,
        *,
        wrong: Callable[[PinClaim, bool], None] = lambda _claim, _locked: None,
        keep: Callable[[LockRow], None] = lambda _row: None,
    ) -> None:
        self.lockout = Lockout(keep)
        self._pins = pins
        self._clock = clock
        self._verify = verify or pin_matches
        self._on_wrong = wrong
        self._queues = {True: _CheckQueue(), False: _CheckQueue()}
        self._decoy = DecoyHash()

    def closed_for(self) -> float:
        """Seconds for which PINs from outside are still refused; 0 if they are accepted."""
        return self.lockout.left(OUTSIDE, self._clock.now())

    async def check(self, claim: PinClaim) -> PinResult:
        """Check the PIN of a claim. Takes a tenth of a second, most of it in a thread.

        A right PIN forgives the extension its wrong ones, but not the phone. Otherwise attackers
        could reset the phone's count with a PIN of their own.
        """
        limits = _limits(claim)
        queue = self._queues[claim.own]
        if queue.waiting >= WAITING_MOST:
            return PinResult.BUSY
        queue.waiting += 1
        try:
            async with queue.turn:  # so that many calls at once get no more tries than one
                if any(self.lockout.left(key, self._clock.now()) for key in limits):
                    logger.warning("PIN of %s refused at %s: locked", claim.named, claim.place)
                    return PinResult.LOCKED
                known = self._pins().get(claim.agent)
                no_pin = await asyncio.to_thread(self._decoy.like, self._pins().values())
                fit = await asyncio.to_thread(self._verify, known or no_pin, claim.pin)
                if known is None or not fit:
                    return self._count_wrong(limits, claim)
        finally:
            queue.waiting -= 1
        self.lockout.right(_extension(claim))
        if not claim.own and len(claim.pin) < OUTSIDE_DIGITS:
            logger.warning(
                "the PIN of %s has fewer than %d digits and is used at %s, which is not an agent's phone: "
                "make a longer one with `callrouter passwd`",
                claim.named,
                OUTSIDE_DIGITS,
                claim.place,
            )
        return PinResult.RIGHT

    def _count_wrong(self, limits: Mapping[str, int], claim: PinClaim) -> PinResult:
        """Count a wrong PIN against each key. Returns `LOCKED` if it has locked any of them."""
        now = self._clock.now()
        self.lockout.wrong_total += 1
        locks = {
            key: seconds
            for key, most in limits.items()
            if (seconds := self.lockout.wrong(key, now, most, _longest(key)))
        }
        logger.warning("wrong PIN for %s at %s", claim.named, claim.place)
        self._on_wrong(claim, bool(locks))
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
        return PinResult.LOCKED if locks else PinResult.WRONG
