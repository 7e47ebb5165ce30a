"""A line on stderr that says how far a command is; it goes when the command is done."""

from __future__ import annotations

import sys
import threading
from typing import Final, Self

from callrouter.clock import SystemClock

AFTER: Final = 0.7
"""Seconds until the line appears: most commands are done by then."""
_EVERY: Final = 0.2
_CLEAR: Final = "\r\x1b[K"


class ProgressLine:
    """Shows for how long a command has been at work and, if that is known, which share is done.

    Without a terminal nothing is written.

    Args:
        what: what is being done: ``making the report``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._share: float | None = None
        self._done = threading.Event()
        self._shown = False
        self._thread = threading.Thread(target=self._show, daemon=True)

    def tell(self, share: float) -> None:
        """Take note of the share that is done, from 0 to 1."""
        self._share = share

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    def _show(self) -> None:
        clock = SystemClock()
        began = clock.now()
        if self._done.wait(AFTER):
            return
        while True:
            share = "" if self._share is None else f" {self._share * 100:.0f} %,"
            sys.stderr.write(f"{_CLEAR}{self._what} …{share} {clock.now() - began:.0f} s")
            sys.stderr.flush()
            self._shown = True
            if self._done.wait(_EVERY):
                return
