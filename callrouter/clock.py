"""The only reader of the system clock."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Final, Protocol

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""A word that the machine makes anew at each start (random(4))."""
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""What all processes of the machine count alike, asleep or not, and nobody can set (clock_gettime(2))."""


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
        self._boot = _boot()

    def now(self) -> float:
        """Seconds since the epoch (UTC), as of this process's own count."""
        return self._offset + time.monotonic()

    def stamp(self, at: float) -> str:
        """The moment `at` (as of `now`), in words that a later process on this machine can read.

        They hold whatever becomes of the system's clock; empty where the machine can't do that.
        """
        counted = at - self.now() + time.clock_gettime(_SINCE_BOOT)
        return f"{self._boot}-{counted:.6f}" if self._boot else ""

    def moment(self, stamp: str) -> float | None:
        """The moment of a stamp; None if it is none, or was made on another machine or before a reboot."""
        boot, _, count = stamp.partition("-")
        if not boot or boot != self._boot:
            return None
        try:
            ago = time.clock_gettime(_SINCE_BOOT) - float(count)
        except ValueError:
            return None
        return self.now() - ago if 0 <= ago < math.inf else None


def _boot() -> str:
    try:
        return _BOOT.read_text("ascii").strip().replace("-", "")[:12]
    except (OSError, ValueError):
        return ""
