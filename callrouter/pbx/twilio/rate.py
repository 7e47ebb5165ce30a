"""Enforces the account's limit of calls per second.

Twilio queues calls that exceed the limit and rings them later. By then the caller may be talking to
another agent, and the policy's choice is out of date. So the driver keeps to the limit itself.
"""

from __future__ import annotations

from collections import deque


class CallRate:
    """Allows `rate` calls in any second, or one call in 1/rate seconds if `rate` is below 1.

    Legs and verification calls share one object, since Twilio counts them together.
    """

    def __init__(self, rate: float) -> None:
        count = max(1, int(rate))
        self._window = count / rate
        self._placed: deque[float] = deque(maxlen=count)

    def next_at(self, now: float) -> float:
        """The earliest time from `now` at which a call may be placed.

        It is exact: the window that the limit is about may begin at any call, so the times of the
        last `rate` calls are kept, and the next one must be a window after the oldest of them.
        """
        full = len(self._placed) == self._placed.maxlen
        return max(now, self._placed[0] + self._window) if full else now

    def record(self, now: float) -> None:
        """Record a call that is being placed at `now`."""
        self._placed.append(now)
