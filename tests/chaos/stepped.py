"""`python -m tests.chaos.stepped FILE …`: callrouter on a machine whose wall clock is set while it runs.

The machine's own clock is everybody's, so this process alone reads another one: what the operating
system says, plus as many seconds as the file says now (a float of the machine, eight bytes). Only the
wall clock: the monotonic one goes on, as it does on a machine whose clock is set.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from pathlib import Path

_SECONDS = struct.Struct("d")


def write(path: Path, seconds: float) -> None:
    """Set the clock of whoever reads it from `path` so many seconds off."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, _SECONDS.pack(seconds), 0)  # the same eight bytes, never a new file
    finally:
        os.close(handle)


def read_from(path: Path) -> None:
    """Read the wall clock as `path` says from now on, everywhere in this process."""
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    seconds, nanoseconds = time.time, time.time_ns

    def off() -> float:
        found: float = _SECONDS.unpack_from(view)[0]
        return found

    time.time = lambda: seconds() + off()
    time.time_ns = lambda: nanoseconds() + int(off() * 1e9)


if __name__ == "__main__":
    read_from(Path(sys.argv[1]))
    sys.argv = ["callrouter", *sys.argv[2:]]
    from callrouter.cli.main import main

    main()
