"""Lockout after too many wrong PINs. Pure; time is an argument."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from callrouter.model.access_rows import LockRow

MOST: Final = 5
"""Wrong PINs within `WITHIN` seconds that start a lockout."""
WITHIN: Final = 15 * 60.0
FIRST: Final = 15 * 60.0
"""Seconds of the first lockout. Each further one is twice as long, up to `LONGEST`."""
LONGEST: Final = 24 * 3600.0
FORGIVEN: Final = 24 * 3600.0
"""Seconds without a wrong PIN after which a lockout counts as the first again."""
LOG_IN: Final = "login "
"""Begins the keys of lockouts at the page, which are stored together with those of phones."""
KEPT: Final = 10_000
"""Number of keys remembered. Beyond it the oldest is forgotten, unless it is locked."""


@dataclass(slots=True)
class _Record:
    wrong: deque[float] = field(default_factory=deque)
    until: float = 0.0
    locks: int = 0


class Lockout:
    """Counts wrong PINs by key: an extension that was keyed in, a calling phone, all outside phones.

    Args:
        keep: called with each lockout that begins, because it must outlive a restart, and with each one
            that is forgiven (`until` is 0).

    Attributes:
        wrong_total: wrong PINs so far.
        locks_total: lockouts so far.
    """

    def __init__(self, keep: Callable[[LockRow], None] = lambda _row: None) -> None:
        self.wrong_total = 0
        self.locks_total = 0
        self._keep = keep
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def left(self, key: str, now: float) -> float:
        """Seconds for which the key is still locked; 0 if it is not."""
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until - now)

    def wrong(self, key: str, now: float, most: int = MOST, longest: float = LONGEST) -> float:
        """Count a wrong PIN. Returns for how many seconds it locks the key; 0 if it does not.

        Args:
            key: what to lock.
            now: the time in epoch seconds.
            most: wrong PINs within `WITHIN` that lock it.
            longest: longest lockout in seconds.
        """
        record = self._records.setdefault(key, _Record())
        self._records.move_to_end(key)
        self._make_room(now)
        if record.locks and now - record.until > FORGIVEN:
            record.locks = 0
            self._keep(LockRow(key=key, until=0.0, locks=0))
        record.wrong.append(now)
        while record.wrong and record.wrong[0] <= now - WITHIN:
            record.wrong.popleft()
        if len(record.wrong) < most:
            return 0.0
        seconds = min(longest, FIRST * 2.0 ** min(record.locks, 10))
        record.until, record.locks = max(record.until, now + seconds), record.locks + 1
        record.wrong.clear()
        self.locks_total += 1
        self._keep(LockRow(key=key, until=record.until, locks=record.locks))
        return seconds

    def _make_room(self, now: float) -> None:
        """Forget the key that has been quiet longest, if there are too many.

        A locked key is always kept. Otherwise attackers could unlock one by trying many others.
        """
        if len(self._records) <= KEPT:
            return
        for key, record in self._records.items():
            if record.until <= now:
                del self._records[key]
                return

    def right(self, key: str) -> None:
        """The PIN was right: forgive earlier wrong ones.

        Earlier lockouts still count, so that the next one is longer.
        """
        record = self._records.get(key)
        if record is not None:
            record.wrong.clear()

    def locked(self, now: float) -> list[str]:
        """The keys that are locked now."""
        return [key for key, record in self._records.items() if record.until > now]

    def restore(self, rows: Iterable[LockRow], now: float) -> None:
        """Restore the lockouts of an earlier run.

        None may exceed `LONGEST`, whatever the clock of that run said.
        """
        for row in rows:
            until = min(row.until, now + LONGEST)
            if now - until > FORGIVEN:
                self._keep(LockRow(key=row.key, until=0.0, locks=0))
                continue
            record = self._records.setdefault(row.key, _Record())
            record.until = max(record.until, until)
            record.locks = max(record.locks, row.locks)
