"""How long this machine stood still: a limit in seconds holds for what is tested, not for the machine.

A process of its own does nothing but wake up a hundred times a second, and adds up by how much it was
late. What our code or Asterisk take too long for does not delay it; other load on the machine does.

    still = noise()
    …
    assert took < 0.5 + noise(still)
"""

from __future__ import annotations

import asyncio
import atexit
import mmap
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

_METER = """
import mmap, struct, sys, time
shared = mmap.mmap(int(sys.argv[1]), 8)
late, last = 0.0, time.monotonic()
while True:
    time.sleep(0.01)
    now = time.monotonic()
    over = now - last - 0.01
    late, last = late + (over if over > 0.005 else 0.0), now
    shared[:8] = struct.pack("d", late)
"""
_HOPS = 3
"""A step of a call takes turns among several processes and threads, and each may be late."""

_running: list[memoryview[float]] = []


def noise(since: float = 0.0) -> float:
    """Seconds for which a step may have been held up by the machine, counted from `since` on."""
    if not _running:
        with tempfile.TemporaryFile() as file:
            file.truncate(8)
            meter = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _METER, str(file.fileno())],
                pass_fds=[file.fileno()],
            )
            shared = memoryview(mmap.mmap(file.fileno(), 8)).cast("d")
        atexit.register(_stop, meter)
        _running.append(shared)
    return _running[0][0] * _HOPS - since


async def until(true: Callable[[], Any], within: float = 10.0) -> None:
    """Wait until a condition holds; longer while the machine stands still.

    Raises:
        TimeoutError: it did not in `within` seconds.
    """
    clock, still = asyncio.get_running_loop().time, noise()
    began = clock()
    while not true():
        if clock() - began > within + noise(still):
            raise TimeoutError
        await asyncio.sleep(0.002)


def _stop(meter: subprocess.Popen[bytes]) -> None:
    meter.kill()
    meter.wait()
