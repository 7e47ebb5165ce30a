"""Limits the system sets for this process."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

DESCRIPTORS: Final = 65536
"""Number of file descriptors to request; the systemd unit requests the same."""


def more_descriptors() -> None:
    """Raise the limit of file descriptors: a shell gives 1,024 and usually allows many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
