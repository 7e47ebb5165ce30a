"""The events that wait for one destination: which is sent next, and when. Pure.

Events with the same order key are sent one after the other: a later one only when the earlier was
delivered or given up. Others do not wait for each other.

Each failure makes an event wait longer. When the destination itself seems to be away (nothing
answers, or it answers with an error of its own), it is left alone between two attempts, whatever
waits for it; with the first success, everything that failed because of that is due again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from callrouter.outbox.outbox_rows import OutboxRow

MOST: Final = 10_000
"""Events that wait for one destination; beyond that the oldest is given up."""
FIRST_PAUSE: Final = 2.0
"""Seconds to the second attempt, at most; each further pause is twice as long …"""
LONGEST_PAUSE: Final = 600.0
"""… up to this many seconds. Of each pause, a random part of at most half is left out."""
AWAY_AFTER: Final = 3
"""Failures in a row after which a destination counts as away."""
LONGEST_AWAY_PAUSE: Final = 30.0
"""Seconds between two attempts at a destination that is away, at most."""
AT_ONCE: Final = 4
"""Events sent to one destination at a time; one while it fails."""


class Outcome(Enum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The destination works, and does not want this event (HTTP 4xx)."""
    GONE = "gone"
    """It says that it will never want any (HTTP 410)."""
    AWAY = "away"
    """No answer, or one that says that it does not work at the moment."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt has shown. `wait_s`: how long the destination asks to be left alone."""

    outcome: Outcome
    detail: str = ""
    wait_s: float = 0.0


class DeliveryQueue:
    """The events for one destination.

    Args:
        jitter: returns a random number from 0 to 1.
        most: how many wait; see `MOST`.
    """

    def __init__(self, jitter: Callable[[], float], most: int = MOST) -> None:
        self._jitter = jitter
        self._most = most
        self._lines: dict[str, deque[OutboxRow]] = {}
        self._heads: list[tuple[float, int, str]] = []
        """When the first event of each line is due; outdated entries are skipped."""
        self._sent: dict[str, OutboxRow] = {}
        """The event of each line that is being sent."""
        self._outage: dict[str, None] = {}
        """Lines whose last attempt failed because the destination was away."""
        self._count = 0
        self._failures = 0
        self._quiet_until = 0.0

    def __len__(self) -> int:
        """Number of events that wait or are being sent."""
        return self._count

    @property
    def away(self) -> bool:
        """Whether the destination seems to be away."""
        return self._failures >= AWAY_AFTER

    def oldest(self) -> float | None:
        """When the oldest event that waits happened; None: none waits."""
        return min((line[0].at for line in self._lines.values()), default=None)

    def rows(self) -> list[OutboxRow]:
        """All events, in the order in which they were added within each line."""
        return [row for line in self._lines.values() for row in line]

    def add(self, row: OutboxRow) -> OutboxRow | None:
        """Add an event. Returns the one that had to be given up for it, if any."""
        line = self._lines.get(row.order_key)
        if line is None:
            line = self._lines[row.order_key] = deque()
        line.append(row)
        self._count += 1
        if len(line) == 1:
            self._schedule(row)
        return self._drop_oldest() if self._count > self._most else None

    def add_stored(self, rows: list[OutboxRow]) -> None:
        """Add events of an earlier run. They come before those that were added since."""
        added: dict[str, list[OutboxRow]] = {}
        for row in sorted(rows, key=lambda row: row.serial):
            added.setdefault(row.order_key, []).append(row)
        for key, earlier in added.items():
            line = self._lines.setdefault(key, deque())
            being_sent = line.popleft() if key in self._sent else None
            line.extendleft(reversed(earlier))
            if being_sent is not None:
                line.appendleft(being_sent)
            self._schedule(line[0])
        self._count += len(rows)

    def take(self, now: float) -> OutboxRow | None:
        """Return an event to send now, which counts as being sent from here on; None: none is due."""
        if len(self._sent) >= (AT_ONCE if not self._failures else 1) or now < self._quiet_until:
            return None
        while self._heads:
            due, serial, key = self._heads[0]
            if not self._is_current(due, serial, key):
                heapq.heappop(self._heads)
                continue
            if due > now:
                return None
            heapq.heappop(self._heads)
            self._sent[key] = self._lines[key][0]
            return self._lines[key][0]
        return None

    def next_due(self) -> float | None:
        """When `take` may next return an event; None: not before one is added or an attempt ends."""
        if len(self._sent) >= (AT_ONCE if not self._failures else 1):
            return None
        while self._heads and not self._is_current(*self._heads[0]):
            heapq.heappop(self._heads)
        return max(self._heads[0][0], self._quiet_until) if self._heads else None

    def delivered(self, row: OutboxRow) -> None:
        """The event was delivered."""
        self._end(row)
        self._failures = 0
        self._quiet_until = 0.0
        recovered, self._outage = self._outage, {}
        for key in recovered:
            if key in self._lines and key not in self._sent:
                line = self._lines[key]
                line[0] = replace(line[0], due=0.0)
                self._schedule(line[0])

    def failed(
        self, row: OutboxRow, attempt: Attempt, now: float, give_up_after: float
    ) -> OutboxRow | None:
        """An attempt failed.

        Returns the event as it waits now; None: it was given up. It is tried for the last time
        `give_up_after` seconds after it happened.
        """
        deadline = row.at + give_up_after
        if attempt.outcome is Outcome.AWAY:
            self._failures += 1
            self._outage[row.order_key] = None
            if self.away:
                pause = self._pause(self._failures - AWAY_AFTER + 1, LONGEST_AWAY_PAUSE)
                self._quiet_until = now + max(pause, attempt.wait_s)
        if attempt.outcome is Outcome.GONE or now >= deadline:
            self._end(row)
            return None
        attempts = row.attempts + 1
        wait = max(self._pause(attempts, LONGEST_PAUSE), attempt.wait_s)
        waiting = replace(row, attempts=attempts, due=min(now + wait, max(deadline, now + 1.0)))
        if self._sent.pop(row.order_key, None) is not None:
            self._lines[row.order_key][0] = waiting
            self._schedule(waiting)
        return waiting

    def _pause(self, failures: int, longest: float) -> float:
        whole = min(longest, FIRST_PAUSE * 2.0 ** min(failures - 1, 20))
        return whole * (1.0 - self._jitter() / 2.0)

    def _schedule(self, row: OutboxRow) -> None:
        heapq.heappush(self._heads, (row.due, row.serial, row.order_key))

    def _is_current(self, due: float, serial: int, key: str) -> bool:
        line = self._lines.get(key)
        return (
            line is not None
            and key not in self._sent
            and (line[0].due, line[0].serial) == (due, serial)
        )

    def _end(self, row: OutboxRow) -> None:
        """Take an event that was sent out of its line; the next one is due."""
        if self._sent.pop(row.order_key, None) is None:
            return
        self._outage.pop(row.order_key, None)
        line = self._lines[row.order_key]
        line.popleft()
        self._count -= 1
        if line:
            self._schedule(line[0])
        else:
            del self._lines[row.order_key]

    def _drop_oldest(self) -> OutboxRow | None:
        """Give up the oldest event that is not being sent; None: all are."""
        places = {key: 1 if key in self._sent else 0 for key in self._lines}
        waiting = [key for key, place in places.items() if len(self._lines[key]) > place]
        if not waiting:
            return None
        key = min(waiting, key=lambda key: self._lines[key][places[key]].serial)
        line = self._lines[key]
        row = line[places[key]]
        del line[places[key]]
        self._count -= 1
        if not line:
            del self._lines[key]
        elif not places[key]:
            self._schedule(line[0])
        return row
