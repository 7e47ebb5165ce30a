"""Builds the core's `CallArrived` from a channel and its variables. No I/O.

Two moments matter: the first entry into the system, which decides the order, and the entry into the
current queue, from which time limits count. Both are converted to the router's time, even if
Asterisk's clock differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

from callrouter.model.events import CallArrived
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number
from callrouter.pbx.asterisk.tracking.entry_request import entry_request

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


def arrival(
    pbx: str,
    call: str,
    channel: AmiMessage,
    variable: Callable[[str], str],
    clock: EntryClock | None = None,
) -> CallArrived:
    """The `CallArrived` event for a caller.

    Args:
        pbx: name of the PBX.
        call: id of the call.
        channel: any message that describes the caller's channel.
        variable: looks up a value by name: Queue, Asked (see `entry_request`), Called and
            Hidden; for the times Entered, Queued, Now, Since and QueuedSince.
        clock: the router's clock.
    """
    wants = entry_request(variable)
    number, name = channel.get("CallerIDNum"), channel.get("CallerIDName")
    if variable("Hidden"):  # the network gives us the number, but the caller has withheld it
        number = name = ""
    return CallArrived(
        call=call,
        pbx=pbx,
        queue=wants.queue,
        caller_number=clean_number(number.removeprefix("<unknown>")),
        caller_name=clean_name(name.removeprefix("<unknown>")),
        called_number=variable("Called"),
        priority=wants.priority,
        agent=wants.agent,
        tag=wants.tag,
        skills=wants.skills,
        refused=tuple(wants.refused),
        entered_at=first_entry(clock, variable),
        queued_at=queue_entry(clock, variable),
    )


def first_entry(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller first entered, in seconds since the epoch; None if unknown.

    The channel has this in Asterisk's time (``Entered``). If Asterisk's clock differs from ours
    (two machines, or a clock that was set after the router started), the waiting time is still
    right, because ``Now`` comes from the same clock; so it is subtracted from our time. If
    Asterisk's own clock was set while the caller waited, that is wrong as well. Then the stamp wins
    that the router wrote when it accepted the caller (``Since``, see `SystemClock.stamp`).
    """
    return _entry_time(clock, variable, "Entered", "Since")


def queue_entry(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller entered the current queue.

    As `first_entry`, from ``Queued`` and ``QueuedSince``.
    """
    return _entry_time(clock, variable, "Queued", "QueuedSince")


def _entry_time(
    clock: EntryClock | None, variable: Callable[[str], str], name: str, stamp: str
) -> float | None:
    at = epoch_seconds(variable(name))
    if clock is None:
        return at
    now, theirs = clock.now(), epoch_seconds(variable("Now"))
    if at is not None and theirs is not None and abs(now - theirs) > SAME_CLOCK_WITHIN:
        at = now - max(0.0, theirs - at)
    noted = clock.moment(variable(stamp))
    if noted is not None and (at is None or abs(noted - at) > SAME_CLOCK_WITHIN):
        return noted
    return at


def epoch_seconds(raw: str) -> float | None:
    """Parse epoch seconds as Asterisk writes them.

    Returns:
        The time; None if the text is not a plausible one.
    """
    try:
        at = float(raw)
    except ValueError:
        return None
    return at if math.isfinite(at) and 0 < at < 1e11 else None
