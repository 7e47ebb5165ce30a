"""Says in the log how an upgrade of a large database gets on, so that no operator takes it for a fault."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

logger = logging.getLogger(__name__)

EVERY: Final = 5.0
"""Seconds between two lines. Small databases are brought up before the first."""


@contextlib.contextmanager
def progress_of(what: str) -> Iterator[None]:
    """Log that the block goes on, every `EVERY` seconds.

    Args:
        what: what is being done, as the beginning of a sentence.
    """
    over = threading.Event()

    def tell() -> None:
        lines = 0
        while not over.wait(EVERY):
            lines += 1
            logger.info("%s: %.0f s so far", what, lines * EVERY)

    teller = threading.Thread(target=tell, name="upgrade progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


class CopyProgress:
    """Logs how much of a file has been copied; given to `sqlite3.Connection.backup`.

    Args:
        what: the file.
        now: returns the time.
    """

    def __init__(self, what: object, now: Callable[[], float]) -> None:
        self._what = what
        self._now = now
        self._told_at = now()

    def __call__(self, _status: int, remaining: int, total: int) -> None:
        """Take note of the pages that remain."""
        now = self._now()
        if now - self._told_at >= EVERY and total:
            self._told_at = now
            share = 100.0 * (total - remaining) / total
            logger.info("copying %s before the upgrade: %.0f %%", self._what, share)
