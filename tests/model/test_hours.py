from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.model.hours import Hours, Span, parse_days, parse_spans

LONDON = ZoneInfo("Europe/London")


def at(text: str, zone: ZoneInfo = LONDON, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def hours(text: str, *holidays: str) -> Hours:
    return Hours(parse_spans(text), LONDON, frozenset(map(date.fromisoformat, holidays)))


def test_office_hours() -> None:
    office = hours("mon-fri 09:00-17:30; sat 10:00-14:00")
    assert not office.on(at("2026-11-20T08:59:59"))  # a Friday
    assert office.on(at("2026-11-20T09:00"))
    assert office.on(at("2026-11-20T17:29:59"))
    assert not office.on(at("2026-11-20T17:30"))
    assert office.on(at("2026-11-21T10:00"))
    assert not office.on(at("2026-11-22T10:00"))


def test_next_change_walks_through_the_week() -> None:
    office = hours("mon-fri 09:00-17:30; sat 10:00-14:00")
    moment = at("2026-11-20T12:00")
    seen = []
    for _ in range(4):
        change = office.next_change(moment)
        assert change is not None
        seen.append(datetime.fromtimestamp(change, LONDON).strftime("%a %H:%M"))
        moment = change
    assert seen == ["Fri 17:30", "Sat 10:00", "Sat 14:00", "Mon 09:00"]


def test_a_night_shift_belongs_to_the_day_it_begins() -> None:
    night = hours("fri 22:00-06:00")
    assert night.on(at("2026-11-20T23:00"))
    assert night.on(at("2026-11-21T05:59"))
    assert not night.on(at("2026-11-21T06:00"))
    assert not night.on(at("2026-11-20T05:00"))


def test_two_spans_that_meet_have_no_change_between() -> None:
    always = hours("daily 00:00-24:00")
    assert always.on(at("2026-11-20T00:00"))
    assert always.next_change(at("2026-11-20T12:00")) is None
    lunch = hours("mon 09:00-12:00, 12:00-17:00")
    assert lunch.next_change(at("2026-11-23T10:00")) == at("2026-11-23T17:00")


def test_a_holiday_is_off_from_midnight_to_midnight() -> None:
    shop = hours("daily 20:00-04:00", "2026-12-25")
    assert shop.on(at("2026-12-24T23:59"))
    assert not shop.on(at("2026-12-25T00:00"))
    assert not shop.on(at("2026-12-25T21:00"))
    assert not shop.on(at("2026-12-26T01:00"))  # the shift of the holiday never began
    assert shop.next_change(at("2026-12-24T22:00")) == at("2026-12-25T00:00")
    assert shop.next_change(at("2026-12-25T22:00")) == at("2026-12-26T20:00")


def test_the_hour_that_does_not_happen() -> None:
    """London, 2026-03-29: 01:00 GMT is followed by 02:00 BST."""
    early = hours("sun 01:30-03:00")
    assert not early.on(utc("2026-03-29T00:59:59"))
    assert early.on(utc("2026-03-29T01:00"))
    assert not early.on(utc("2026-03-29T02:00"))
    inside = hours("sun 01:10-01:50")  # wholly within the hour that is left out
    assert not inside.on(utc("2026-03-29T01:00"))


def test_the_hour_that_happens_twice() -> None:
    """London, 2026-10-25: 02:00 BST is followed by 01:00 GMT."""
    shift = hours("sun 01:15-01:45")
    assert not shift.on(at("2026-10-25T01:00", fold=0))
    assert shift.on(at("2026-10-25T01:20", fold=0))
    assert shift.on(at("2026-10-25T01:20", fold=1))
    assert not shift.on(at("2026-10-25T01:50", fold=1))


def test_a_night_shift_across_the_change_ends_by_the_wall_clock() -> None:
    night = hours("sat 22:00-06:00")
    assert night.next_change(at("2026-10-24T23:00")) == utc("2026-10-25T06:00")  # nine hours long
    assert night.next_change(at("2026-03-28T23:00")) == utc("2026-03-29T05:00")  # seven


def test_no_hours_never_change() -> None:
    assert Hours((), LONDON).next_change(at("2026-11-20T12:00")) is None
    assert not Hours((), LONDON).on(at("2026-11-20T12:00"))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", (0,)),
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat,sun", (5, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        ("Daily", tuple(range(7))),
    ],
)
def test_days(text: str, days: tuple[int, ...]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "days and times"),
        ("09:00-17:00", "days and times"),
        ("mon", "days and times"),
        ("monday 09:00-17:00", "not a day"),
        ("mon-fri 09:00-17:00, sat 10:00-12:00", "write a semicolon before 'sat 10:00-12:00'"),
        ("mon 09:00-17:00, Tue-Wed 10:00-12:00", "write a semicolon before"),
        ("mon 9-17", "not a time of day"),
        ("mon 09:00", "not a time span"),
        ("mon 09:00-25:00", "not a time of day"),
        ("mon 09:60-10:00", "not a time of day"),
        ("mon 24:00-24:00", "empty"),
        ("mon 09:00-09:00", "empty"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_spans(text)


spans = st.builds(
    lambda day, start, length: Span(day, start, start + length),
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
zones = st.sampled_from(
    [
        LONDON,
        ZoneInfo("America/New_York"),
        ZoneInfo("Australia/Lord_Howe"),
        ZoneInfo("Asia/Kolkata"),
    ]
)


@given(st.lists(spans, max_size=4), zones, st.integers(1_700_000_000, 1_900_000_000))
def test_the_next_change_is_a_change_and_nothing_changes_before(
    some: list[Span], zone: ZoneInfo, moment: int
) -> None:
    table = Hours(tuple(some), zone)
    change = table.next_change(moment)
    if change is None:
        return
    assert change > moment
    assert table.on(change) is not table.on(moment)
    for part in range(50):
        between = moment + (change - moment) * part / 50
        assert table.on(between) is table.on(moment)
