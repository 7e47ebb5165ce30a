"""Lets the event loop run while another thread computes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SHORT: Final = 0.0005
"""Seconds after which a computing thread yields to the loop. Python's default is 0.005."""

_lock = threading.Lock()
_inside = 0
_usual = 0.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Set a short thread switch interval for all threads: half a millisecond.

    For the duration of a long computation in another thread; otherwise every event would wait
    longer for the interpreter lock. Can be nested, and used in several threads at once.
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
