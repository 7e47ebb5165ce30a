"""Letting the event loop have its turn while another thread computes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SHORT: Final = 0.0005
"""Seconds after which a thread that computes lets the loop go first; Python's own are 0.005."""

_lock = threading.Lock()
_inside = 0
_usual = 0.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Within it, a thread that wants to go on waits for half a millisecond at most, in all threads.

    For the time of a long computation beside the loop: each event would have to wait for it else.
    May be used in several threads at once, and nested.
    """
    global _inside, _usual  # noqa: PLW0603 - the interval is one for the whole process
    with _lock:
        if _inside == 0:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(_SHORT)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                sys.setswitchinterval(_usual)
