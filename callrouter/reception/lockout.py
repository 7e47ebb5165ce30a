"""Who has been wrong too often. Pure: the time is an argument."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 5
"""Wrong PINs within `WITHIN` seconds, and the next is not even looked at."""
WITHIN: Final = 15 * 60.0
FIRST: Final = 15 * 60.0
"""Seconds of the first lock; each further one is twice as long, up to `LONGEST`."""
LONGEST: Final = 24 * 3600.0
FORGIVEN: Final = 24 * 3600.0
"""Seconds without a wrong PIN after which a lock counts as the first again."""
KEPT: Final = 10_000
"""Keys remembered; beyond that the one that was wrong longest ago is forgotten."""


@dataclass(slots=True)
class _Record:
    wrong: deque[float] = field(default_factory=deque)
    until: float = 0.0
    locks: int = 0


class Lockout:
    """Counts wrong PINs by key: an extension that was keyed in, or a phone that called.

    Attributes:
        wrong_total: wrong PINs so far.
        locks_total: locks so far.
    """

    def __init__(self) -> None:
        self.wrong_total = 0
        self.locks_total = 0
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def left(self, key: str, now: float) -> float:
        """Seconds for which the key is locked still; 0: it is not."""
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until - now)

    def wrong(self, key: str, now: float) -> float:
        """One more wrong PIN; returns for how long that locks the key, 0 for not."""
        record = self._records.setdefault(key, _Record())
        self._records.move_to_end(key)
        while len(self._records) > KEPT:
            self._records.popitem(last=False)
        if record.locks and now - record.until > FORGIVEN:
            record.locks = 0
        record.wrong.append(now)
        while record.wrong and record.wrong[0] <= now - WITHIN:
            record.wrong.popleft()
        if len(record.wrong) < MOST:
            return 0.0
        seconds = min(LONGEST, FIRST * 2.0**record.locks)
        record.until, record.locks = now + seconds, record.locks + 1
        record.wrong.clear()
        self.locks_total += 1
        return seconds

    def right(self, key: str) -> None:
        """The right PIN: earlier wrong ones are forgiven, earlier locks are remembered."""
        record = self._records.get(key)
        if record is not None:
            record.wrong.clear()

    def locked(self, now: float) -> list[str]:
        """The keys that are locked now."""
        return [key for key, record in self._records.items() if record.until > now]
