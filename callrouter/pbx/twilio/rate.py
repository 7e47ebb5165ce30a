"""Enforces the account's limit of calls per second.

Twilio queues calls that exceed the limit and rings them later. By then the caller may be talking to
another agent, and the policy's choice is out of date. So the driver keeps to the limit itself.
"""

from __future__ import annotations

from collections import deque


class CallRate:
    """Allows `rate` calls in any second, or one call in 1/rate seconds if `rate` is below 1."""

    def __init__(self, rate: float) -> None:
        count = max(1, int(rate))
        self._window = count / rate
        self._taken: deque[float] = deque(maxlen=count)

    def next(self, now: float) -> float:
        """The earliest time from `now` at which a call may be placed."""
        full = len(self._taken) == self._taken.maxlen
        return max(now, self._taken[0] + self._window) if full else now

    def take(self, now: float) -> None:
        """Record a placed call."""
        self._taken.append(now)
