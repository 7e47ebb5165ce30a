"""Whether the database works: what is wrong, when to try again, what to log."""

from __future__ import annotations

import logging
from typing import Final

from callrouter.clock import Clock
from callrouter.store.location import Place

logger = logging.getLogger(__name__)

RETRY: Final = 1.0
"""Seconds before a failed attempt is repeated. Doubled after each further failure, up to …"""
SLOWEST: Final = 16.0
"""… this factor."""
LOG_EVERY: Final = 60.0
"""Seconds between two log lines about the same problem."""
STUCK: Final = 10.0
"""Seconds of one attempt after which the database counts as not answering."""


class Availability:
    """The outcome of the thread's attempts to use the database.

    Written by the thread, read by the loop. Each attribute that the loop reads is replaced as a
    whole, so it needs no lock.
    """

    def __init__(self, place: Place, clock: Clock, retry: float) -> None:
        self._place = place
        self._clock = clock
        self._retry = retry
        self._pause = retry
        self._failure = ""
        self._logged_at: float | None = None
        self._attempt_since: float | None = None

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; empty if all is well.

        It is also set while an attempt takes longer than `STUCK` seconds.
        """
        since = self._attempt_since
        if not self._failure and since is not None and self._clock.now() - since >= STUCK:
            return f"it has not answered for {self._clock.now() - since:.0f} s"
        return self._failure

    @property
    def failure(self) -> str:
        """Why the last attempt failed; empty if it succeeded.

        Unlike `trouble`, it does not notice an attempt that hangs.
        """
        return self._failure

    @property
    def pause(self) -> float | None:
        """Seconds until the next attempt after a failure; None: there was none.

        It doubles with every further failure, up to `SLOWEST` times the first value. A success
        resets it.
        """
        return self._pause if self._failure else None

    def begin(self) -> None:
        """Note that an attempt begins. It counts as stuck after `STUCK` seconds."""
        self._attempt_since = self._clock.now()

    def end(self) -> None:
        """Note that the attempt is over, whatever its outcome."""
        self._attempt_since = None

    def succeeded(self) -> None:
        """Note a success. The first one after a failure is logged.

        The pause before the next attempt is the shortest again.
        """
        if self._failure:
            self._failure = ""
            self._logged_at = None
            self._pause = self._retry
            logger.info("agents' states are kept again in %s", self._place)

    def failed(self, error: Exception, waiting: int) -> None:
        """Note a failure, and log it at most once in `LOG_EVERY` seconds.

        Args:
            error: what went wrong.
            waiting: number of rows that wait to be written.
        """
        if self._failure:
            self._pause = min(self._pause * 2, self._retry * SLOWEST)
        self._failure = str(error) or type(error).__name__
        now = self._clock.now()
        if self._logged_at is None or now - self._logged_at >= LOG_EVERY:
            self._logged_at = now
            logger.error(
                "agents' states can't be kept in %s: %s (calls go on; trying again, %d wait)",
                self._place,
                self._failure,
                waiting,
            )
