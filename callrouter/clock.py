"""The only reader of the system clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> float:
        """Seconds since the epoch (UTC); never less than an earlier answer."""


class SystemClock:
    """Wall time at start plus what the monotonic clock has counted since.

    A step of the system's clock neither shortens nor stretches a wait; it is followed at the next
    start of the daemon.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch (UTC), as of this process's own count."""
        return self._offset + time.monotonic()
