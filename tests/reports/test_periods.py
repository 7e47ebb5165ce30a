from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callrouter.reports.intervals import LENGTHS, MOST, divide
from callrouter.reports.periods import PeriodError, day_start, read_period, shown_time

LONDON = ZoneInfo("Europe/London")
ZONES = (
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "UTC",
)


def at(text: str, zone: ZoneInfo = LONDON) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


NOW = at("2026-11-28 14:35")  # a Saturday


def wall(start: float) -> str:
    """What a clock on the wall shows, with its difference from UTC."""
    return f"{datetime.fromtimestamp(start, LONDON):%Y-%m-%d %H:%M %z}"


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("", "2026-11-28", "2026-11-29"),
        ("today", "2026-11-28", "2026-11-29"),
        ("Yesterday", "2026-11-27", "2026-11-28"),
        ("this week", "2026-11-23", "2026-11-30"),
        ("this-week", "2026-11-23", "2026-11-30"),
        ("last  week", "2026-11-16", "2026-11-23"),
        ("this month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("2026-11-27", "2026-11-27", "2026-11-28"),
        ("2026-11-01..2026-11-07", "2026-11-01", "2026-11-08"),
        ("2026-11-01 .. 2026-11-01", "2026-11-01", "2026-11-02"),
        ("2026-11-27T09:00..2026-11-27T12:00", "2026-11-27 09:00", "2026-11-27 12:00"),
        ("2026-11-27 09:00..2026-11-27 12:00:30", "2026-11-27 09:00", "2026-11-27 12:00:30"),
        ("2026-11-27T09:00..2026-11-28", "2026-11-27 09:00", "2026-11-29"),
        ("2026-11-28..2027-02-01", "2026-11-28", "2027-02-02"),
    ],
)
def test_a_period_is_read(text: str, begins: str, ends: str) -> None:
    period = read_period(text, NOW, LONDON)
    assert (period.from_, period.to) == (at(begins), at(ends))
    assert period.until(NOW) == min(at(ends), NOW)


def test_the_last_month_of_january_is_december() -> None:
    period = read_period("last month", at("2026-01-31 12:00"), LONDON)
    assert (period.from_, period.to) == (at("2025-12-01"), at("2026-01-01"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-11-07..2026-11-01", "runs backwards; write the earlier time first: 2026-11-01..2026-11-07"),
        ("2026-11-27T12:00..2026-11-27T09:00", "first: 2026-11-27T09:00..2026-11-27T12:00"),
        ("2026-11-27T09:00..2026-11-27T09:00", "is empty"),
        ("2026-11-27T09:00", "is empty"),
        ("2027-01-01", "is in the future; nothing has happened there yet (now is 2026-11-28 14:35 in Europe/London)"),
        ("2020-01-01..2026-01-01", "is 2,193 days long; a report covers 732 days"),
        ("0001-01-01..2026-01-01", "days long"),
        ("0001-01-01", "0001-01-01 is before 1970, and nothing is on record of that time"),
        ("1969-12-30T09:00..1969-12-30T10:00", "is before 1970"),
        ("2026-02-30", "2026-02-30: there is no such date or time"),
        ("2026-11-27T25:00..2026-11-28", "2026-11-27T25:00: there is no such date or time"),
        ("9999-12-31", "9999-12-31: there is no such date or time"),
        ("last year", "'last year' is not a period; use today, yesterday"),
        ("27.11.2026", "is not a period"),
        ("2026-11-27..", "is not a period"),
        ("..", "is not a period"),
        ("x" * 1_000_000, "is not a period"),
        ("2026-03-29T01:30..2026-03-29T05:00", "because the clocks go forward; the first time after that is 2026-03-29T02:00"),
    ],
)  # fmt: skip
def test_a_wrong_period_is_explained(text: str, told: str) -> None:
    with pytest.raises(PeriodError) as error:
        read_period(text, NOW, LONDON)
    assert told in str(error.value)
    assert len(str(error.value)) < 300


def test_a_time_of_day_that_occurs_twice_is_the_widest_or_chosen() -> None:
    widest = read_period("2026-10-25T01:30..2026-10-25T01:30", NOW, LONDON)
    assert widest.to - widest.from_ == 3600
    chosen = read_period("2026-10-25T01:30+00:00..2026-10-25T01:45", NOW, LONDON)
    assert chosen.to - chosen.from_ == 900


def test_a_day_begins_at_its_first_moment() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # the clocks go forward at midnight
    begins = day_start(datetime(2026, 3, 29, tzinfo=UTC).date(), beirut)
    assert shown_time(begins, beirut) == "2026-03-29 01:00"
    assert shown_time(begins - 1, beirut) == "2026-03-28 23:59"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("by", LENGTHS)
def test_intervals_are_those_of_a_clock_on_the_wall(zone: str, by: str) -> None:
    """Found a second time minute by minute, over a year with all its changes of the clock."""
    local = ZoneInfo(zone)
    months = (
        ("2026-03-20", "2026-04-09") if by in {"15m", "30m", "1h"} else ("2026-01-05", "2026-12-28")
    )
    period = read_period("..".join(months), at("2027-06-01"), local)
    starts = []
    for moment in range(
        int(period.from_), int(period.to), 60 if by in {"15m", "30m", "1h"} else 900
    ):
        wall = datetime.fromtimestamp(moment, local)
        before = datetime.fromtimestamp(moment - 60, local)
        steps = {"15m": 15, "30m": 30, "1h": 60}
        if by in steps:
            fresh = wall.minute % steps[by] == 0 or (
                wall.utcoffset() != before.utcoffset()
                and before.minute % steps[by] == steps[by] - 1
            )
        elif by == "1d":
            fresh = wall.date() != before.date()
        elif by == "1w":
            fresh = wall.date() != before.date() and wall.weekday() == 0
        else:
            fresh = wall.month != before.month
        if fresh or moment == period.from_:
            starts.append(float(moment))
    intervals = divide(period, by, local)
    assert list(intervals.starts) == starts
    for number, (begins, ends) in enumerate(intervals.bounds()):
        assert intervals.number_of(begins) == intervals.number_of(ends - 0.001) == number


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    for text, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-27", 24)):
        period = read_period(text, NOW, LONDON)
        assert len(divide(period, "1h", LONDON).starts) == hours
        assert len(divide(period, "15m", LONDON).starts) == 4 * hours
        assert len(divide(period, "1d", LONDON).starts) == 1
    autumn = read_period("2026-10-25", NOW, LONDON)
    titles = [wall(start) for start in divide(autumn, "1h", LONDON).starts[1:3]]
    assert titles == ["2026-10-25 01:00 +0100", "2026-10-25 01:00 +0000"]


def test_the_first_and_the_last_interval_are_cut_off() -> None:
    period = read_period("2026-11-27T09:07..2026-11-27T10:10", NOW, LONDON)
    bounds = list(divide(period, "1h", LONDON).bounds())
    assert bounds == [(period.from_, at("2026-11-27 10:00")), (at("2026-11-27 10:00"), period.to)]
    week = read_period("2026-11-25..2026-12-02", NOW, LONDON)
    assert [wall(start)[:10] for start in divide(week, "1w", LONDON).starts] == [
        "2026-11-25",
        "2026-11-30",
    ]
    months = divide(read_period("2026-10-15..2026-12-02", NOW, LONDON), "1mo", LONDON)
    assert [wall(start)[:7] for start in months.starts] == [
        "2026-10",
        "2026-11",
        "2026-12",
    ]


def test_too_many_intervals_and_unknown_ones_are_explained() -> None:
    period = read_period("2025-01-01..2026-11-27", NOW, LONDON)
    with pytest.raises(PeriodError, match=r"by 15m would have 66,816 intervals; .* such as 1d"):
        divide(period, "15m", LONDON)
    with pytest.raises(PeriodError, match="'5m' is not an interval; use 15m, 30m, 1h, 1d, 1w, 1mo"):
        divide(period, "5m", LONDON)
    assert (
        len(divide(read_period("2026-01-01..2026-11-27", NOW, LONDON), "1h", LONDON).starts) <= MOST
    )
    assert list(divide(period, "", LONDON).bounds()) == [(period.from_, period.to)]
    assert timedelta(seconds=period.to - period.from_).days == 696
