"""The only module that reads the system clock.

The other parts of the daemon take a `Clock`, so that tests can set the time.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Final, Protocol

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""A word that the kernel generates at each boot (random(4))."""
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock shared by all processes that can't be set and runs during suspend (clock_gettime(2))."""


def since_boot() -> float:
    """Return the seconds since this machine's boot, those in which it slept included.

    It cannot be set, and it goes on while the process is stopped.
    """
    return time.clock_gettime(_SINCE_BOOT)


class Clock(Protocol):
    """The source of `now`."""

    def now(self) -> float:
        """Seconds since the epoch (UTC). Never less than an earlier answer."""


class SystemClock:
    """Wall-clock time at the start, plus what the monotonic clock has counted since.

    A step of the system clock neither shortens nor extends a wait. It takes effect at the next
    start of the daemon.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._boot = _boot()

    def now(self) -> float:
        """Seconds since the epoch (UTC), by this process's own count.

        It never goes back, and the same moment may have another number after a restart of the
        daemon.
        """
        return self._offset + time.monotonic()

    def stamp(self, at: float) -> str:
        """The moment `at` (as of `now`) as text that a later process on this machine can read.

        It is valid whatever happens to the system clock. Empty if the machine does not support it.
        """
        counted = at - self.now() + time.clock_gettime(_SINCE_BOOT)
        return f"{self._boot}-{counted:.6f}" if self._boot else ""

    def moment(self, stamp: str) -> float | None:
        """The moment of a stamp, in epoch seconds.

        None if it is not a stamp, or was made on another machine or before a reboot.
        """
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
