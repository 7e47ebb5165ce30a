"""How often: requests of a person, verification calls that cost money."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from callrouter.model.registered import DAY, HOUR, DialledRow, NumberSettings

_DAY_FOR_HOUR: Final = 4
"""How many hours' worth of calls one agent, and one number, may have in 24 hours."""

AHEAD: Final = 60.0
"""Seconds by which a call that was placed may be later than now; anything beyond was noted by a wrong clock."""


class Ledger:
    """The verification calls of the last 24 hours, the oldest first."""

    def __init__(self) -> None:
        self._rows: deque[DialledRow] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    def restore(self, rows: Iterable[DialledRow]) -> None:
        """Add what an earlier run placed."""
        self._rows = deque(sorted([*rows, *self._rows], key=lambda row: row.at))

    def add(self, row: DialledRow) -> None:
        """A call is placed."""
        self._rows.append(row)

    def too_many(
        self, agent: str, number: str, country: str, settings: NumberSettings, now: float
    ) -> str:
        """Why no further call may be placed now, in words; empty: one may."""
        self._forget(now)
        an_hour, a_day = settings.calls_per_hour, settings.calls_per_hour * _DAY_FOR_HOUR
        limits: tuple[tuple[str, int, float, Callable[[DialledRow], bool]], ...] = (
            (f"for {agent} in an hour", an_hour, HOUR, lambda row: row.agent == agent),
            ("to this number in an hour", an_hour, HOUR, lambda row: row.number == number),
            (f"for {agent} in a day", a_day, DAY, lambda row: row.agent == agent),
            ("to this number in a day", a_day, DAY, lambda row: row.number == number),
            (
                *(f"to {country} in a day", settings.calls_per_country, DAY),
                lambda row: row.country == country,
            ),
            ("in a day", settings.calls_per_day, DAY, lambda _: True),
        )
        for words, most, within, counts in limits:
            times = [row.at for row in self._rows if row.at > now - within and counts(row)]
            if len(times) >= most:
                return f"no more than {most} verification calls {words}{_again(times, most, within, now)}"
        return ""

    def _forget(self, now: float) -> None:
        """Drop the calls of which a day has passed; those of a clock that was ahead count as placed now."""
        rows = self._rows
        ahead = []
        while rows and rows[-1].at > now + AHEAD:
            ahead.append(replace(rows.pop(), at=now))
        rows.extend(ahead)
        while rows and rows[0].at <= now - DAY:
            rows.popleft()


def _again(times: list[float], most: int, within: float, now: float) -> str:
    if not most:
        return ""
    minutes = max(1, round((times[-most] + within - now) / 60))
    return f"; again in {minutes} min" if minutes < 120 else f"; again in {round(minutes / 60)} h"


class Attempts:
    """The requests of each person in the last hour."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def add(self, who: str, most: int, now: float) -> int:
        """Count a request; returns by how many there are too many now (0: none)."""
        times = self._times.setdefault(who, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        times.append(now)
        over = max(0, len(times) - most)
        if over > 1:  # of those too many the first is kept: the wait must end some time
            times.pop()
        return over
