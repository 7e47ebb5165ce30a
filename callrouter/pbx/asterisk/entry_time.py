"""When a caller entered, in the router's time, even if Asterisk's clock differs.

There are two moments: the first entry, and the entry into the current queue.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

SAME_CLOCK_WITHIN: Final = 5.0
"""Seconds by which two clocks may differ and still count as one; most of it is transit time."""


class EntryClock(Protocol):
    """The part of `callrouter.clock.SystemClock` used here."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def stamp(self, at: float) -> str:
        """A stamp for a moment that remains valid after a restart of the process."""

    def moment(self, stamp: str) -> float | None:
        """The moment of such a stamp; None if it cannot be read."""


def entered(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller first entered, in seconds since the epoch; None if unknown.

    The channel has this in Asterisk's time (``Entered``). If Asterisk's clock differs from ours
    (two machines, or a clock that was set after the router started), the waiting time is still
    right, because ``Now`` comes from the same clock; so it is subtracted from our time. If
    Asterisk's own clock was set while the caller waited, that is wrong as well. Then the stamp wins
    that the router wrote when it accepted the caller (``Since``, see `SystemClock.stamp`).
    """
    return _moment(clock, variable, "Entered", "Since")


def queued(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller entered the current queue.

    As `entered`, from ``Queued`` and ``QueuedSince``.
    """
    return _moment(clock, variable, "Queued", "QueuedSince")


def _moment(
    clock: EntryClock | None, variable: Callable[[str], str], name: str, stamp: str
) -> float | None:
    at = seconds(variable(name))
    if clock is None:
        return at
    now, theirs = clock.now(), seconds(variable("Now"))
    if at is not None and theirs is not None and abs(now - theirs) > SAME_CLOCK_WITHIN:
        at = now - max(0.0, theirs - at)
    noted = clock.moment(variable(stamp))
    if noted is not None and (at is None or abs(noted - at) > SAME_CLOCK_WITHIN):
        return noted
    return at


def seconds(raw: str) -> float | None:
    """Parse epoch seconds as Asterisk writes them; None if the text is not a plausible time."""
    try:
        at = float(raw)
    except ValueError:
        return None
    return at if math.isfinite(at) and 0 < at < 1e11 else None
