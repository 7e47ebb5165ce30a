"""Times of a report as people read them, in the site's time zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callrouter.reports.report import Report

SHORTER_THAN_A_DAY: Final = frozenset({"15m", "30m", "1h"})
"""Intervals that begin at a time of day, not at a date."""
_IN_DAY: Final = timedelta(days=1, hours=2)
"""Up to this length a period is a day: one with 25 hours as well."""


def local(at: float, zone: tzinfo) -> datetime:
    """Return epoch seconds as a time of the zone. What is out of range becomes the last one possible."""
    try:
        return datetime.fromtimestamp(at, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return datetime(9999, 12, 31, tzinfo=UTC)


def iso(at: float, zone: tzinfo) -> str:
    """Return epoch seconds as ISO 8601 with the zone's offset: ``2026-11-27T09:00:00+00:00``.

    Milliseconds are written where there are any.
    """
    when = local(at, zone)
    return when.isoformat(timespec="milliseconds" if when.microsecond >= 500 else "seconds")


def zone_name(zone: tzinfo) -> str:
    """Return the name of a time zone, such as ``Europe/London``."""
    return getattr(zone, "key", "") or str(zone)


def named_zone(name: str, text: str) -> tzinfo:
    """Return the time zone of a name.

    Args:
        name: as from `zone_name`.
        text: a time of the zone in ISO 8601; its offset is taken where this machine does not know the
            name.

    Raises:
        ValueError: `text` is no such time.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.fromisoformat(text).tzinfo or UTC


def period_text(report: Report) -> str:
    """Return the period of a report: ``Friday 27 November 2026``, ``1 to 30 November 2026``.

    The last day is named, not the one after it.
    """
    begin, end = local(report.from_, report.zone), local(report.to, report.zone)
    whole_days = not (begin.hour or begin.minute or begin.second or end.hour or end.minute)
    if not whole_days or end <= begin:
        if begin.date() == end.date():
            return f"{_day(begin)} {begin.year}, {begin:%H:%M} to {end:%H:%M}"
        return f"{_day(begin)} {begin.year} {begin:%H:%M} to {_day(end)} {end.year} {end:%H:%M}"
    last = local(report.to - 1, report.zone)
    if last.date() == begin.date():
        return f"{begin:%A} {_day(begin)} {begin.year}"
    if (begin.year, begin.month) == (last.year, last.month):
        return f"{begin.day} to {_day(last)} {last.year}"
    first_year = f" {begin.year}" if begin.year != last.year else ""
    return f"{_day(begin)}{first_year} to {_day(last)} {last.year}"


def _day(when: datetime) -> str:
    return f"{when.day} {when:%B}"


def interval_labels(report: Report, starts: Sequence[float]) -> Mapping[float, str]:
    """Return the label of each interval of a report by its start.

    A date where intervals are days, a time of day where the period is one day, else both. An hour
    that the clocks repeat has its difference from UTC, which tells the two apart.

    Args:
        report: the report.
        starts: epoch seconds at which its intervals begin.
    """
    form = _form(report)
    times = {start: local(start, report.zone) for start in starts}
    labels = {start: form(when) for start, when in times.items()}
    seen: dict[str, int] = {}
    for label in labels.values():
        seen[label] = seen.get(label, 0) + 1
    return {
        start: f"{label} {times[start]:%z}" if seen[label] > 1 else label
        for start, label in labels.items()
    }


def _form(report: Report) -> Callable[[datetime], str]:
    years = local(report.from_, report.zone).year != local(report.to - 1, report.zone).year
    if report.by in SHORTER_THAN_A_DAY:
        if report.to - report.from_ <= _IN_DAY.total_seconds():
            return lambda when: f"{when:%H:%M}"
        return lambda when: f"{when:%a} {when.day:2} {when:%b %H:%M}"
    if report.by == "1mo":
        return lambda when: f"{when:%b %Y}"
    if years:
        return lambda when: f"{when:%a} {when.day:2} {when:%b %Y}"
    return lambda when: f"{when:%a} {when.day:2} {when:%b}"
