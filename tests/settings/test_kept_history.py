"""How long calls are kept: the section ``history``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.settings import changes
from callrouter.settings.loaded import HistorySettings, NumberRetention
from callrouter.settings.schema.sizes import format_size, parse_size
from tests.settings.cases import loaded, told

DAY = 86_400.0


def test_a_site_that_sets_nothing_has_the_defaults(tmp_path: Path) -> None:
    plain = loaded(tmp_path).history
    assert plain == HistorySettings(
        keep=400 * DAY,
        decisions=90 * DAY,
        numbers=NumberRetention(keep=90 * DAY, then="mask"),
        max_size=20 * 10**9,
    )
    assert loaded(tmp_path, rest="history: {}\n").history == plain


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    text = (
        "history: {keep: 2000d, decisions: 0, numbers: {keep: 12h, then: drop}, max_size: 1.5TiB}\n"
    )
    assert loaded(tmp_path, rest=text).history == HistorySettings(
        keep=2000 * DAY,
        decisions=0.0,
        numbers=NumberRetention(keep=DAY / 2, then="drop"),
        max_size=3 * 2**39,
    )


def test_a_short_keep_shortens_what_was_not_written(tmp_path: Path) -> None:
    kept = loaded(tmp_path, rest="history: {keep: 30d}\n").history
    assert (kept.decisions, kept.numbers.keep) == (30 * DAY, 30 * DAY)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "history: {keep: 30d, decisions: 31d}",
            "decisions is longer than calls are kept (30d) (30d at most, or a longer keep of history)",
        ),
        (
            "history:\n  keep: 30d\n  numbers: {keep: 31d}",
            ("keep of numbers is longer than calls are kept (30d) "
            "(30d at most, or a longer keep of history)"),
        ),
        (
            "history: {decisions: 500d}",
            ("decisions is longer than calls are kept (400d) "
            "(400d at most, or a longer keep of history)"),
        ),
        ("history: 400d", "history must be a mapping (key: value), not '400d'"),
        ("history: {max_size: 9MB}", "max_size must be a size from 10MB to 100TB, such as 500MB or 20GB, not '9MB'"),
        ("history: {keep: 1h}", "keep must be a duration of at least 1d, such as 90d, not '1h'"),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path: Path, written: str, problem: str) -> None:
    [found] = told(tmp_path, rest=f"{written}\n")
    assert found.partition(": ")[2].partition(": ")[2] == problem or found.endswith(problem)


def test_diff_names_each_change_and_none_needs_a_restart(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    text = (
        "history: {keep: 500d, decisions: 30d, numbers: {keep: 7d, then: hash}, max_size: 500MB}\n"
    )
    assert changes(before, loaded(tmp_path, rest=text)) == [
        "history: keep 400d -> 500d",
        "history: decisions 90d -> 30d",
        "history: max_size 20GB -> 500MB",
        "history: numbers keep 90d -> 7d",
        "history: numbers then mask -> hash",
    ]


@given(st.integers(10**4, 10**11).map(lambda thousands: thousands * 10**3))
def test_a_size_survives_writing_and_reading(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=1e-3)
