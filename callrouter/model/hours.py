"""Weekly hours: when a queue is open, a shift is on, or a device rings. Pure; time is an argument.

Hours are wall-clock times of a zone. When the clock is put forward, a time that does not exist on
that day means the moment of the change. When it is put back, a span that touches the repeated hour
covers both occurrences. A span that ends before it starts ends on the next day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import inf

from callrouter.model.text import phrase

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
LOOK_AHEAD = 400
"""Days searched for the next change. Holidays for longer than a year mean no opening hours."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a week: `start` and `end` in minutes of day `day` (0 is Monday).

    `end` may exceed the minutes of a day; the span then ends on the next day.
    """

    day: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class DayOff:
    """Days off, or a part of each: from `first` to `last`, both included, every year if `yearly`.

    On each of these days the minutes from `start` to `end` are off. The year of a yearly entry is
    ignored.
    """

    first: date
    last: date
    yearly: bool = False
    start: int = 0
    end: int = DAY

    def covers(self, day: date) -> bool:
        """Whether the entry includes a day. A yearly one may run from December to January.

        A day that is only partly off counts as included: `start` and `end` are not looked at.
        """
        if not self.yearly:
            return self.first <= day <= self.last
        first, last, this = ((d.month, d.day) for d in (self.first, self.last, day))
        return first <= this <= last if first <= last else this >= first or this <= last


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly spans in a zone, minus the `holidays`.

    A `date` is off from midnight to midnight. A span that begins on the day before ends at that
    midnight. A span that would begin on the day off is off as a whole, including its hours after
    midnight. If only a part of a day is off, that part is cut out. A span that would pass midnight,
    but is off up to midnight, is off as a whole.
    """

    spans: tuple[Span, ...]
    zone: tzinfo
    holidays: frozenset[date | DayOff] = field(default_factory=frozenset)

    def on(self, at: float) -> bool:
        """Whether `at` (epoch seconds) is within the hours. Starts are included, ends are not."""
        day = datetime.fromtimestamp(at, self.zone).date()
        return any(
            start <= at < end
            for begin in (day - timedelta(days=1), day)
            for start, end in self._of(begin)
        )

    def next_change(self, at: float) -> float | None:
        """When `on` next differs from its value at `at`, in epoch seconds; None: never.

        It looks ahead `LOOK_AHEAD` days. Spans that follow each other without a gap are one.
        """
        first = datetime.fromtimestamp(at, self.zone).date() - timedelta(days=1)
        for start, end in self._stretches(first):
            if start > at:
                return start
            if at < end:
                return None if end == inf else end
        return None

    def _off(self, day: date) -> list[tuple[int, int]]:
        """The parts of a day that are off, in minutes.

        They are sorted by their start and may overlap.
        """
        if not self.holidays:
            return []
        found = [(0, DAY)] if day in self.holidays else []
        found += [
            (item.start, item.end)
            for item in self.holidays
            if isinstance(item, DayOff) and item.covers(day)
        ]
        return sorted(found)

    def _within(self, day: date) -> list[tuple[float, float]]:
        """The parts of a day that are on, whichever day their span began on.

        They are in epoch seconds, sorted by their start, and may overlap.
        """
        begin = _instant(day, 0, self.zone, later=False)
        end = _instant(day, DAY, self.zone, later=False)
        parts = (
            (max(first, begin), min(last, end))
            for start in (day - timedelta(days=1), day)
            for first, last in self._of(start)
        )
        return sorted(part for part in parts if part[0] < part[1])

    def _stretches(self, first: date) -> Iterator[tuple[float, float]]:
        """The periods that are on, from a day onwards, in order. Adjacent ones are merged.

        The end is infinite if the period lasts to the end of the search.
        """
        now: tuple[float, float] | None = None
        for ahead in range(LOOK_AHEAD):
            day = first + timedelta(days=ahead)
            for start, end in self._within(day):
                if now is not None and start > now[1]:
                    yield now
                    now = None
                now = (start, end) if now is None else (now[0], max(now[1], end))
            # Nothing of a later day can touch what ends before this midnight.
            if now is not None and now[1] < _instant(day, DAY, self.zone, later=False):
                yield now
                now = None
        if now is not None:
            yield now[0], inf

    def _of(self, day: date) -> Iterator[tuple[float, float]]:
        """The spans that begin on a day, as instants, without what is off.

        They are in epoch seconds. One that a change of the clock makes empty is left out.
        """
        weekday = day.weekday()
        spans = [span for span in self.spans if span.day == weekday]
        if not spans:
            return
        today, tomorrow = self._off(day), self._off(day + timedelta(days=1))
        off = [*today, *((start + DAY, end + DAY) for start, end in tomorrow)]
        for span in spans:
            for start, end in _left(span, today, off) if off else ((span.start, span.end),):
                begins = _instant(day, start, self.zone, later=False)
                ends = _instant(day, end, self.zone, later=end == span.end)
                if begins < ends:
                    yield begins, ends


def _left(
    span: Span, today: list[tuple[int, int]], off: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """What remains of a span without what is off, in minutes of its day."""
    if span.end > DAY and not any(_without(span.start, DAY, today)):
        return  # off up to midnight, so the rest does not begin there
    yield from _without(span.start, span.end, off)


def _without(start: int, end: int, off: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a range of minutes that are not off. `off` is sorted."""
    for first, last in sorted(off):
        if last <= start or first >= end:
            continue
        if first > start:
            yield start, first
        start = max(start, last)
    if start < end:
        yield start, end


def next_midnight(at: float, zone: tzinfo) -> float:
    """When the day of `at` ends in a zone, in epoch seconds.

    A day on which the clock is changed is shorter or longer than 24 hours.
    """
    day = datetime.fromtimestamp(at, zone).date()
    return _instant(day, DAY, zone, later=False)


def _instant(day: date, minutes: int, zone: tzinfo, *, later: bool) -> float:
    """The instant of a wall-clock time. If it occurs twice, `later` chooses which.

    `minutes` may exceed a day. If the time does not exist, it is the moment of the change.
    """
    day += timedelta(days=minutes // DAY)
    minutes %= DAY
    wall = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone)
    early = wall.replace(fold=0).timestamp()
    late = wall.replace(fold=1).timestamp()
    if early <= late:
        return late if later else early
    return _change(late, early, zone)


def _change(before: float, after: float, zone: tzinfo) -> float:
    """The instant at which the clock was put forward, somewhere between the two given."""
    offset = _offset(before, zone)
    low, high = int(before), int(after)  # binary search, to the second
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return float(high)


def _offset(at: float, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()


# ---------------------------------------------------------------- reading


def parse_spans(text: str) -> tuple[Span, ...]:
    """Parse ``mon-fri 09:00-17:30; sat 10:00-14:00``.

    Days are ``mon`` to ``sun``, ranges and lists of them (``mon,wed``, ``sat-sun``), or ``daily``.
    Several times of a day are separated by commas: ``mon 09:00-12:00, 13:00-17:00``.

    Raises:
        ValueError: the text is not valid. The message says what is wrong and what would be right.
    """
    spans: list[Span] = []
    for part in text.split(";"):
        words = part.split(maxsplit=1)
        if len(words) != 2:
            raise ValueError(not_days_and_times(f"'{part.strip()}'"))
        days = parse_days(words[0])
        for times in words[1].split(","):
            start, end = _times(times.strip())
            spans.extend(Span(day, start, end) for day in days)
    return tuple(sorted(set(spans), key=lambda span: (span.day, span.start, span.end)))


def not_days_and_times(text: str) -> str:
    """Say that a text, as it is shown, is not what `parse_spans` reads."""
    example = "'mon-fri 09:00-17:30'"
    return phrase(
        "not-days-and-times",
        "{text} is not days and times, such as {example}",
        text=text,
        example=example,
    )


def parse_days(text: str) -> tuple[int, ...]:
    """Parse ``mon-fri``, ``sat,sun`` or ``daily`` into day numbers from 0 (Monday).

    Case does not matter. A range may pass the end of the week (``fri-mon``). The result is sorted
    and names each day once.

    Raises:
        ValueError: a word is not a day. The message lists the days.
    """
    if text.lower() == "daily":
        return tuple(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        found |= {(begin + n) % 7 for n in range((end - begin) % 7 + 1)}
    return tuple(sorted(found))


def _day(word: str) -> int:
    if word not in DAYS:
        raise ValueError(
            phrase(
                "no-day", "'{word}' is not a day; days are {days}, or daily", word=word, days=DAYS
            )
        )
    return DAYS.index(word)


def _times(text: str) -> tuple[int, int]:
    if text[:3].lower() in DAYS:
        said = "write a semicolon before '{text}': a comma is between times of one day"
        raise ValueError(phrase("semicolon-between-days", said, text=text))
    first, dash, last = text.partition("-")
    if not dash:
        said = "'{text}' is not a time span, such as '{example}'"
        raise ValueError(phrase("no-time-span", said, text=text, example="09:00-17:30"))
    start, end = _minutes(first.strip()), _minutes(last.strip())
    if start in (DAY, end):
        said = "'{text}' is empty; a whole day is '{day}'"
        raise ValueError(phrase("empty-time-span", said, text=text, day="00:00-24:00"))
    return start, end if end > start else end + DAY


def _minutes(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    if match is None:
        said = "'{text}' is not a time of day, such as '{example}'"
        raise ValueError(phrase("no-time-of-day", said, text=text, example="09:00"))
    hours, minutes = int(match[1]), int(match[2])
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        said = "'{text}' is not a time of day; the last is '{last}'"
        raise ValueError(phrase("after-last-time-of-day", said, text=text, last="24:00"))
    return hours * 60 + minutes
