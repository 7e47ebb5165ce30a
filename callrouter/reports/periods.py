"""Which time a report is about: ``last week``, ``2026-11-01..2026-11-07``, in the site's zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from callrouter.model.text import phrase

MOST_DAYS: Final = 732
"""The longest period of a report: two years, one of them a leap year."""
FORMS: Final = (
    "today, yesterday, this week, last week, this month, last month, 2026-11-27, "
    "2026-11-01..2026-11-07 or 2026-11-27T09:00..2026-11-27T12:00"
)
"""The forms of a period, for messages and help."""

MOMENT_FORMS: Final = "09:00, 09:00:30, yesterday 09:00 or 2026-11-27T09:00"
"""The forms of a single time, for messages and help."""

_CLOCK: Final = re.compile(r"(?:(today|yesterday) )?(\d{2}:\d{2}(?::\d{2})?)")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_LONGEST_TEXT: Final = 64
_ONE_DAY: Final = timedelta(days=1)
_ONE_WEEK: Final = timedelta(days=7)


class PeriodError(ValueError):
    """A period or an interval that cannot be used. The text says what would be right."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time from `from_` up to, but not including, `to`; both in epoch seconds.

    `text` is how it was asked for.
    """

    from_: float
    to: float
    text: str

    def until(self, now: float) -> float:
        """Return up to where something can have happened: the end, or `now` if that is earlier."""
        return min(self.to, now)


def read_period(text: str, now: float, zone: tzinfo) -> Period:
    """Return the period that a text means.

    Days begin at the first moment of their date in `zone`, and weeks on Monday. The last day of a
    range is part of it. A time of day that occurs twice, because the clocks go back, is the first
    one where a period begins and the second one where it ends; ``+01:00`` after it chooses one.

    Args:
        text: what was asked for; see `FORMS`. Empty: ``today``.
        now: epoch seconds.
        zone: the site's time zone.

    Raises:
        PeriodError: it makes no sense, runs backwards, is too long or lies in the future.
    """
    words = " ".join(text.split()) or "today"
    if len(words) > _LONGEST_TEXT:
        raise _not_understood(words[:_LONGEST_TEXT] + "…")
    today = datetime.fromtimestamp(now, zone).date()
    named = _named(words.lower().replace("-", " "), today)
    if named is not None:
        return Period(day_start(named[0], zone), day_start(named[1], zone), words)
    first, dots, last = words.partition("..")
    begin = _moment(first.strip(), words, zone, ends=False)
    end = _moment((last if dots else first).strip(), words, zone, ends=True)
    return _checked(Period(begin, end, words), now, zone)


def read_moment(text: str, now: float, zone: tzinfo) -> float:
    """Return the time that a text means, in epoch seconds.

    A time of day without a date is of today. One that occurs twice, because the clocks go back, is
    the first one; ``+01:00`` after it chooses.

    Args:
        text: what was asked for; see `MOMENT_FORMS`.
        now: epoch seconds.
        zone: the site's time zone.

    Raises:
        PeriodError: it is no time, or lies in the future.
    """
    words = " ".join(text.split())
    clock = _CLOCK.fullmatch(words.lower())
    if clock is not None:
        day = datetime.fromtimestamp(now, zone).date()
        day -= _ONE_DAY if clock[1] == "yesterday" else timedelta()
        words = f"{day.isoformat()}T{clock[2]}"
    if len(words) > _LONGEST_TEXT or not _TIME.fullmatch(words):
        short = words if len(words) <= _LONGEST_TEXT else words[:_LONGEST_TEXT] + "…"
        raise PeriodError(
            phrase(
                "no-time",
                "{text} is not a time; write it like {forms}",
                text=repr(short),
                forms=MOMENT_FORMS,
            )
        )
    at = _moment(words, words, zone, ends=False)
    if at < 0:
        raise _too_early(words)
    if at > now:
        today = datetime.fromtimestamp(now, zone)
        raise _in_the_future(words, f"{today:%Y-%m-%d %H:%M:%S}", zone)
    return at


def day_start(day: date, zone: tzinfo) -> float:
    """Return the first moment of a day, in epoch seconds.

    That is not always midnight: where the clocks go forward at midnight, the day begins at 01:00.
    """
    # In a gap, `datetime` applies the offset from before it, which gives exactly the gap's moment.
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _named(words: str, today: date) -> tuple[date, date] | None:
    """Return the first day and the day after the last one."""
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    match words:
        case "today":
            return today, today + _ONE_DAY
        case "yesterday":
            return today - _ONE_DAY, today
        case "this week":
            return monday, monday + _ONE_WEEK
        case "last week":
            return monday - _ONE_WEEK, monday
        case "this month":
            return first, month_after(first)
        case "last month":
            return (first - _ONE_DAY).replace(day=1), first
        case _:
            return None


def month_after(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _moment(text: str, whole: str, zone: tzinfo, *, ends: bool) -> float:
    """Return when a period begins or ends that is written as `text`."""
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return day_start(day + _ONE_DAY if ends else day, zone)
        if _TIME.fullmatch(text):
            return _time_of_day(datetime.fromisoformat(text), text, zone, ends=ends)
    except (ValueError, OverflowError) as error:
        if isinstance(error, PeriodError):
            raise
        raise PeriodError(
            phrase(
                "no-such-date",
                "{text}: there is no such date or time ({error})",
                text=text,
                error=str(error),
            )
        ) from None
    raise _not_understood(whole)


def _not_understood(text: str) -> PeriodError:
    return PeriodError(
        phrase(
            "no-period",
            "{text} is not a period; use {forms}",
            text=repr(text),
            forms=FORMS,
        )
    )


def _time_of_day(written: datetime, text: str, zone: tzinfo, *, ends: bool) -> float:
    if written.tzinfo is not None:
        return written.timestamp()
    local = written.replace(tzinfo=zone, fold=int(ends))
    moment = local.timestamp()
    back = datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
    if back != written:
        after = max(back, datetime.fromtimestamp(_other_side(local), zone).replace(tzinfo=None))
        raise PeriodError(
            f"{text}: in {zone} there is no such time on that day, because the clocks go forward; "
            f"the first time after that is {_gap_end(written, after, zone):%Y-%m-%dT%H:%M}"
        )
    return moment


def _other_side(local: datetime) -> float:
    return local.replace(fold=1 - local.fold).timestamp()


def _gap_end(written: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first time of day that exists after `written`, which does not."""
    minutes = int((after - written).total_seconds() // 60) + 1
    for minute in range(1, minutes + 1):
        tried = written.replace(second=0) + timedelta(minutes=minute)
        moment = tried.replace(tzinfo=zone).timestamp()
        if datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == tried:
            return tried
    return after


def _checked(period: Period, now: float, zone: tzinfo) -> Period:
    if period.to <= period.from_:
        first, _, last = period.text.partition("..")
        raise PeriodError(
            phrase(
                "period-backwards",
                "{period} runs backwards; write the earlier time first: {last}..{first}",
                period=period.text,
                last=last,
                first=first,
            )
            if last and last.strip() != first.strip()
            else phrase(
                "period-empty",
                "{period} is empty: it ends where it begins",
                period=period.text,
            )
        )
    if period.from_ > now:
        today = datetime.fromtimestamp(now, zone)
        raise _in_the_future(period.text, f"{today:%Y-%m-%d %H:%M}", zone)
    days = (period.to - period.from_) / 86_400
    if days > MOST_DAYS:
        raise PeriodError(
            phrase(
                "period-too-long",
                "{period} is {days_many} days long; a report covers {most} days (two years) at most, "
                "so ask for shorter periods, one after the other",
                period=period.text,
                days_many=round(days),
                most=MOST_DAYS,
            )
        )
    if period.from_ < 0:
        raise _too_early(period.text)
    return period


def _in_the_future(period: str, now: str, zone: tzinfo) -> PeriodError:
    text = "{period} is in the future; nothing has happened there yet (now is {now} in {zone})"
    return PeriodError(phrase("in-the-future", text, period=period, now=now, zone=str(zone)))


def _too_early(text: str) -> PeriodError:
    # Such a time may be outside the calendar in another zone, and is a typing mistake in any case.
    return PeriodError(
        phrase(
            "period-too-early",
            "{text} is before 1970, and nothing is on record of that time",
            text=text,
        )
    )


def shown_time(at: float, zone: tzinfo) -> str:
    """Return a moment as date and time of the zone, such as ``2026-11-27 09:00``."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%Y-%m-%d %H:%M}"
