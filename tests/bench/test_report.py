"""The table, for a terminal and as Markdown."""

from __future__ import annotations

import pytest

from bench.versus.report import faster, markdown, number, rows, text
from bench.versus.results import Results, spreading, waited
from bench.versus.targets import targets
from tests.bench.test_results import found


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        (400.0, 4.0, "100 × faster"),  # noqa: RUF001
        (4.0, 10.0, "2.5 × slower"),  # noqa: RUF001
        (3.0, 4.2, "+1.2 ms"),
        (2000.0, 1500.0, "-500 ms"),
        (None, 4.0, ""),
        (4.0, None, ""),
    ],
)
def test_faster(theirs: float | None, ours: float | None, said: str) -> None:
    assert faster(theirs, ours) == said


def test_number() -> None:
    assert [number(value) for value in (3.14, 99.96, 1234.5)] == ["3.1", "100.0", "1,234"]


def test_the_table_shows_what_was_measured_and_nothing_else() -> None:
    results = found()
    results.samples["callrouter"][waited(0.9)] = [70.0]
    lines = rows(results, (0.7, 0.9), (5,))
    said = text("head", lines, targets(results))
    assert "agents 90% busy, median" in said
    assert "agents 70% busy" not in said
    assert "5 phones" not in said
    assert all(len(line) <= 105 for line in said.splitlines())
    results.samples["app_queue"][spreading(5)] = [3.0]
    assert "5 phones: first → last INVITE, max" in text("", rows(results, (), (5,)), [])


def test_markdown_has_a_cell_for_each_column() -> None:
    page = markdown("head", rows(found(), (0.7,), ()), targets(found()))
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6, 5}
    assert "| median | 400 | 3.0 | 4.0 | 100 × faster |" in table  # noqa: RUF001
    assert any(line.endswith("| met |") for line in table)


def test_nothing_measured_is_an_empty_table() -> None:
    assert rows(Results(), (0.7,), (5,)) == []
