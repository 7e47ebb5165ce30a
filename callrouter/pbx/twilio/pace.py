"""Calls per second: the account's limit, kept by us so that a policy's choice is not out of date.

Twilio queues what comes too fast and rings it later, when the caller may be talking to another.
"""

from __future__ import annotations

from collections import deque


class Pace:
    """When the next call may be placed: at most `rate` in any second, and one in 1/rate if less."""

    def __init__(self, rate: float) -> None:
        count = max(1, int(rate))
        self._window = count / rate
        self._taken: deque[float] = deque(maxlen=count)

    def next(self, now: float) -> float:
        """The first moment from `now` on at which one may be placed."""
        full = len(self._taken) == self._taken.maxlen
        return max(now, self._taken[0] + self._window) if full else now

    def take(self, now: float) -> None:
        """One is placed."""
        self._taken.append(now)
