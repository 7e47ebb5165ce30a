"""Alarms on a virtual clock: raised once, over once, quiet at night, the same after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from callrouter.alerting.alert_rules import AlertRule, Limit, Measure
from callrouter.alerting.evaluator import Evaluator, Reading
from callrouter.model.hours import Hours, parse_spans

LONDON = ZoneInfo("Europe/London")
LONG_WAIT = AlertRule(
    name="long-wait",
    measure=Measure.LONGEST_WAIT,
    when=Limit(">", 120),
    clear=Limit("<", 60),
    for_s=30.0,
    to=("ops",),
)


def at(text: str) -> float:
    """A time in London, such as ``2026-07-01 22:30``."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp()


class Story:
    """Reads one value a second and notes what is told."""

    def __init__(self, rule: AlertRule, now: float = 0.0, subject: str = "support") -> None:
        self.rule = rule
        self.now = now
        self.subject = subject
        self.told: list[tuple[float, str, float | None]] = []
        self.evaluator = Evaluator()
        self.evaluator.use([rule])

    def for_seconds(self, seconds: float, value: float | None, *, step: float = 1.0) -> None:
        end = self.now + seconds
        while self.now < end:
            readings = {self.subject: Reading(value)}
            for change in self.evaluator.read(self.rule, readings, self.now):
                word = "raised" if change.raised else "over"
                self.told.append((self.now, word, change.reading.value))
            self.now += step

    def restarted(self) -> None:
        rows = self.evaluator.rows()
        self.evaluator = Evaluator()
        self.evaluator.restore(rows.values())
        self.evaluator.use([self.rule])

    @property
    def words(self) -> list[str]:
        return [word for _, word, _ in self.told]


def test_it_is_raised_once_and_over_once() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(100, 10)
    story.for_seconds(300, 200)
    story.for_seconds(100, 10)
    assert story.told == [(130, "raised", 200), (400, "over", 10)]


def test_it_must_hold_without_interruption() -> None:
    story = Story(LONG_WAIT)
    for _ in range(10):
        story.for_seconds(29, 200)
        story.for_seconds(1, 100)
    assert story.told == []
    assert story.evaluator.rows() == {}


def test_between_the_limits_nothing_changes() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(40, 200)
    for value in (90, 130, 61, 119, 300, 60):
        story.for_seconds(50, value)
    assert story.words == ["raised"]
    story.for_seconds(1, 59)
    assert story.words == ["raised", "over"]


def test_each_subject_has_an_alarm_of_its_own() -> None:
    evaluator = Evaluator()
    evaluator.use([replace(LONG_WAIT, for_s=0.0)])
    rule = replace(LONG_WAIT, for_s=0.0)
    first = evaluator.read(rule, {"a": Reading(200), "b": Reading(10)}, 0.0)
    second = evaluator.read(rule, {"a": Reading(200), "b": Reading(200)}, 1.0)
    third = evaluator.read(rule, {"a": Reading(5), "b": Reading(200)}, 2.0)
    assert [(c.subject, c.raised) for c in (*first, *second, *third)] == [
        ("a", True), ("b", True), ("a", False),
    ]  # fmt: skip
    assert [alert.subject for alert in evaluator.active()] == ["b"]


def test_what_is_not_there_any_more_is_over() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(40, 200)
    (change,) = story.evaluator.read(LONG_WAIT, {}, story.now)
    assert (change.raised, change.reading.value, change.since) == (False, None, 0.0)
    assert story.evaluator.rows() == {}


def test_a_rule_that_is_gone_says_no_more() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(40, 200)
    story.evaluator.use([])
    assert story.evaluator.rows() == {}
    assert story.evaluator.active() == []


@pytest.mark.parametrize("unknown_for", [0, 90])
def test_a_restart_raises_it_no_second_time(unknown_for: int) -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(40, 200)
    story.restarted()
    story.for_seconds(unknown_for, None)
    story.for_seconds(300, 400)
    story.restarted()
    story.for_seconds(10, 20)
    assert story.words == ["raised", "over"]


def test_a_restart_does_not_begin_the_time_again() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(20, 200)
    story.restarted()
    story.for_seconds(20, 200)
    assert story.told == [(30, "raised", 200)]


def test_without_a_reading_nothing_changes() -> None:
    story = Story(LONG_WAIT)
    story.for_seconds(500, None)
    assert story.evaluator.rows() == {}
    story.for_seconds(40, 200)
    story.for_seconds(500, None)
    assert story.words == ["raised"]
    assert story.evaluator.active()[0].reading.value == 200


# ---------------------------------------------------------------- quiet hours


def night(text: str = "daily 22:00-07:00") -> AlertRule:
    return replace(LONG_WAIT, for_s=0.0, quiet=Hours(parse_spans(text), LONDON))


def test_trouble_of_the_night_is_not_told() -> None:
    story = Story(night(), at("2026-07-01 23:00"))
    story.for_seconds(3600, 200, step=60)
    story.for_seconds(8 * 3600, 5, step=60)
    assert story.told == []


def test_trouble_that_lasts_is_told_when_the_night_is_over() -> None:
    story = Story(night(), at("2026-07-01 23:30"))
    story.for_seconds(10 * 3600, 200, step=60)
    assert story.told == [(at("2026-07-02 07:00"), "raised", 200)]
    (alert,) = story.evaluator.active()
    assert alert.since == at("2026-07-01 23:30")
    assert alert.told


def test_an_end_in_the_night_is_told_in_the_morning() -> None:
    story = Story(night(), at("2026-07-01 21:00"))
    story.for_seconds(2 * 3600, 200, step=60)
    story.for_seconds(10 * 3600, 5, step=60)
    assert story.told == [
        (at("2026-07-01 21:00"), "raised", 200),
        (at("2026-07-02 07:00"), "over", 5),
    ]


def test_over_and_back_in_the_night_is_no_news() -> None:
    story = Story(night(), at("2026-07-01 21:00"))
    for value in (200, 200, 5, 200, 5, 200, 200, 200, 200, 200, 200, 200, 200):
        story.for_seconds(3600, value, step=60)
    assert story.words == ["raised"]
    story.for_seconds(60, 5, step=60)
    assert story.words == ["raised", "over"]


def test_in_quiet_hours_it_shows_that_it_is_not_told() -> None:
    story = Story(night(), at("2026-07-01 23:30"))
    story.for_seconds(60, 200)
    (alert,) = story.evaluator.active()
    assert not alert.told


@pytest.mark.parametrize(
    ("evening", "morning", "hours"),
    [
        ("2026-03-28 22:00", "2026-03-29 07:00", 8),  # the clock goes forward at 01:00
        ("2026-10-24 22:00", "2026-10-25 07:00", 10),  # and back at 02:00
        ("2026-06-01 22:00", "2026-06-02 07:00", 9),
    ],
)
def test_the_night_is_as_long_as_the_clock_makes_it(evening: str, morning: str, hours: int) -> None:
    story = Story(night(), at(evening))
    story.for_seconds(14 * 3600, 200, step=60)
    assert story.told == [(at(morning), "raised", 200)]
    assert at(morning) - at(evening) == hours * 3600


def test_quiet_hours_over_a_restart() -> None:
    story = Story(night(), at("2026-07-01 21:00"))
    story.for_seconds(7200, 200, step=60)
    story.restarted()
    story.for_seconds(3600, 5, step=60)
    story.restarted()
    story.for_seconds(9 * 3600, 5, step=60)
    assert story.words == ["raised", "over"]
