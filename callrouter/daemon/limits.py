"""What the system lets this process have."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

DESCRIPTORS: Final = 65536
"""File descriptors that are asked for, as the systemd unit does."""


def more_descriptors() -> None:
    """Take as many file descriptors as we may have: a shell gives 1,024, and allows many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
