"""When a caller entered, first and this queue, by the router's clock, however far Asterisk's is from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

APART: Final = 5.0
"""Seconds up to which two clocks count as one: what differs then is mostly the time on the way."""


class Moments(Protocol):
    """What is needed of `callrouter.clock.SystemClock`."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def stamp(self, at: float) -> str:
        """A moment in words that outlive the process."""

    def moment(self, stamp: str) -> float | None:
        """A moment out of such words."""


def entered(clock: Moments | None, variable: Callable[[str], str]) -> float | None:
    """When a caller first entered, in seconds since the epoch; None if that is not known.

    The channel says so in Asterisk's time (``Entered``). Where that is not ours (two machines, or a clock
    that was set since the router started), the caller has waited for as long as it says it has (``Now``
    is the same clock's). Should Asterisk's own clock have been set meanwhile, that is wrong as well, and
    what the router wrote down when it took the caller holds (``Since``, see `SystemClock.stamp`).
    """
    return _moment(clock, variable, "Entered", "Since")


def queued(clock: Moments | None, variable: Callable[[str], str]) -> float | None:
    """When a caller entered the queue they are in; read as `entered`, from ``Queued`` and ``QueuedSince``."""
    return _moment(clock, variable, "Queued", "QueuedSince")


def _moment(
    clock: Moments | None, variable: Callable[[str], str], name: str, stamp: str
) -> float | None:
    at = seconds(variable(name))
    if clock is None:
        return at
    now, theirs = clock.now(), seconds(variable("Now"))
    if at is not None and theirs is not None and abs(now - theirs) > APART:
        at = now - max(0.0, theirs - at)
    noted = clock.moment(variable(stamp))
    if noted is not None and (at is None or abs(noted - at) > APART):
        return noted
    return at


def seconds(raw: str) -> float | None:
    """Epoch seconds as Asterisk writes them; None if they are none."""
    try:
        at = float(raw)
    except ValueError:
        return None
    return at if math.isfinite(at) and 0 < at < 1e11 else None
