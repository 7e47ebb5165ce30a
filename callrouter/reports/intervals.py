"""How a period is divided: quarter hours to months, of the site's zone, across clock changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from callrouter.model.text import phrase
from callrouter.reports.periods import Period, PeriodError, day_start, month_after

SHORT: Final[Mapping[str, int]] = {"15m": 15, "30m": 30, "1h": 60}
"""Minutes of the intervals shorter than a day."""
LENGTHS: Final = (*SHORT, "1d", "1w", "1mo")
"""How long an interval can be."""
MOST: Final = 10_000
"""The most intervals of a report: a year of hours, a quarter of a year of quarter hours."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of a period. `starts` are their beginnings in epoch seconds; the last ends at `to`."""

    starts: Sequence[float]
    to: float

    def number_of(self, at: float) -> int:
        """Return which interval a moment of the period lies in, from 0."""
        return bisect_right(self.starts, at) - 1

    def bounds(self) -> Iterator[tuple[float, float]]:
        """Yield the beginning and the end of each."""
        yield from zip(self.starts, (*self.starts[1:], self.to), strict=True)


def divide(period: Period, by: str, zone: tzinfo) -> Intervals:
    """Return a period's intervals.

    An interval begins where a clock on the wall shows a multiple of it. So an hour that the clocks
    repeat is two intervals, a day has 23, 24 or 25 of them, and a week begins on Monday. The first
    interval begins with the period, and the last one ends with it, even if they are shorter for that.

    Args:
        period: what to divide.
        by: one of `LENGTHS`; empty: one interval.
        zone: the site's time zone.

    Raises:
        PeriodError: there is no such interval, or there would be too many.
    """
    if not by:
        return Intervals((period.from_,), period.to)
    if by not in LENGTHS:
        raise PeriodError(
            phrase(
                "no-interval",
                "{by} is not an interval; use {lengths}",
                by=repr(by),
                lengths=", ".join(LENGTHS),
            )
        )
    if by in SHORT and _count(period, by) > MOST:
        fits = next((longer for longer in SHORT if _count(period, longer) <= MOST), "1d")
        raise PeriodError(
            f"{period.text} by {by} would have {_count(period, by):,} intervals; a report has "
            f"{MOST:,} at most, so choose longer ones, such as {fits}, or a shorter period"
        )
    edges = (_short if by in SHORT else _long)(period, by, zone)
    return Intervals((period.from_, *edges), period.to)


def _count(period: Period, by: str) -> int:
    return round((period.to - period.from_) / (SHORT[by] * 60))


def _short(period: Period, by: str, zone: tzinfo) -> Iterator[float]:
    step = SHORT[by] * 60
    at = period.from_
    while True:
        wall = datetime.fromtimestamp(at, zone)
        into = (wall.minute * 60 + wall.second + wall.microsecond / 1e6) % step
        at = at - into + step
        if at >= period.to:
            return
        yield at


def _long(period: Period, by: str, zone: tzinfo) -> Iterator[float]:
    day = datetime.fromtimestamp(period.from_, zone).date()
    while True:
        day = _next(day, by)
        at = day_start(day, zone)
        if at >= period.to:
            return
        if at > period.from_:
            yield at


def _next(day: date, by: str) -> date:
    if by == "1mo":
        return month_after(day)
    return day + timedelta(days=7 - day.weekday() if by == "1w" else 1)
