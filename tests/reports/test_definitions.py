"""Each column of each report has its definition in docs/figures.md, with its unit; and none is left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callrouter.reports import (
    agent_report,
    call_report,
    call_story,
    catalog,
    fairness_report,
    queue_report,
)
from callrouter.reports.figure_meanings import meaning_of, page_with_meanings
from callrouter.reports.report import ReportColumn, Shown
from callrouter.reports.service_level import Definition, LevelCounts, differences

PAGE = Path(__file__).parents[2] / "docs/figures.md"
COLUMNS: dict[str, tuple[ReportColumn, ...]] = {
    "queues": queue_report.queue_columns("1h"),
    "hours": queue_report.hour_columns(),
    "agents": agent_report.agent_columns("1h"),
    "calls": call_report.CALL_COLUMNS,
    "abandoned": call_report.ABANDONED_COLUMNS,
    "pauses": agent_report.pause_columns("1h"),
    "fairness": fairness_report.FAIRNESS_COLUMNS,
    "call": call_story.STORY_COLUMNS,
}
UNITS = {
    Shown.DURATION: {"s"}, Shown.SHARE: {"%"}, Shown.TIME: {"time"}, Shown.INTERVAL: {"time"},
    Shown.FLAG: {"yes or no"}, Shown.TEXT: {""}, Shown.NUMBER: {"agents", "offers"},
    Shown.COUNT: {"stays", "offers", "conversations", "calls", "pauses", ""},
}  # fmt: skip


def defined(what: str) -> dict[str, tuple[str, str]]:
    """Unit and definition of each column in the section of a report."""
    text = PAGE.read_text("utf-8")
    section = text.split(f"\n## report {what}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*) ?\| ([^|]*) ?\|$", section, re.MULTILINE)
    return {name: (unit.strip(), words.strip()) for name, unit, words in rows}


def test_there_are_definitions_for_every_report() -> None:
    assert set(COLUMNS) == set(catalog.WHATS)


@pytest.mark.parametrize("what", COLUMNS)
def test_each_column_is_defined_with_its_unit(what: str) -> None:
    found = defined(what)
    same = defined("queues") if what == "hours" else {}
    for column in COLUMNS[what]:
        assert column.name in found or column.name in same, f"{what}: {column.name} is not defined"
        unit, _ = found.get(column.name) or same[column.name]
        assert unit in UNITS[column.shown], (
            f"{what}: {column.name} is shown as {column.shown}, not {unit!r}"
        )
        if column.unit:
            assert unit == column.unit
    assert set(found) <= {column.name for column in COLUMNS[what]}, "defined, and not in the report"


def test_the_page_has_the_definitions_that_the_page_for_people_shows() -> None:
    text = PAGE.read_text("utf-8")
    assert page_with_meanings(text) == text, (
        "run python -m callrouter.reports.figure_meanings docs/figures.md"
    )
    for what in COLUMNS:
        assert {name: tuple(meaning_of(what, name)) for name in defined(what)} == defined(what)
    damaged = text.replace("caller and agent heard each other", "nothing")
    assert page_with_meanings(damaged) == text


def test_titles_of_columns_are_distinct() -> None:
    for what, columns in COLUMNS.items():
        titles = [column.title.casefold() for column in columns]
        assert len(titles) == len(set(titles)), what


def test_names_are_used_once_and_narrow_tables_keep_the_first() -> None:
    for what, columns in COLUMNS.items():
        names = [column.name for column in columns]
        assert len(names) == len(set(names)), what
        dropped = [column.drop for column in columns if column.drop and column.drop < 40]
        assert len(dropped) == len(set(dropped)), f"{what}: two columns go at the same time"


def test_the_example_of_the_page_is_that_of_icmi() -> None:
    counts = LevelCounts(1000, 860, 60, 20, 10)
    text = PAGE.read_text("utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\d.]+) % \|", text, re.MULTILINE))
    assert {item.value: f"{counts.level(item):.1f}" for item in Definition} == shown
    assert differences(counts) == [
        "abandons_ignored (82.7 %) leaves out the 20 calls abandoned within the time, which strict (81.1 %) counts as not answered in time",
        "abandons_positive (83.0 %) counts as good the 20 calls abandoned within the time, which strict (81.1 %) counts as not answered in time",
        "answered_only (86.0 %) leaves out the 60 calls abandoned, which strict (81.1 %) counts as not answered in time",
        "short_credit (82.1 %) counts as good the 10 calls short and abandoned, which strict (81.1 %) counts as not answered in time",
    ]
    assert differences(LevelCounts()) == []
    assert differences(LevelCounts(answered=5, answered_within=5)) == []
    assert all(LevelCounts().level(item) is None for item in Definition)
