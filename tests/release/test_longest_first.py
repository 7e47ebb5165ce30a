"""The longest files of tests come first, and files that share a browser go to one worker."""

from __future__ import annotations

from pathlib import Path

from tests.longest_first import LONG, TOGETHER, longest, unit_of

ROOT = Path(__file__).parents[2]


def test_files_of_one_floor_stay_together() -> None:
    tables = unit_of("tests/browser/test_tables.py::test_x[mouse::1]")
    assert tables == unit_of("tests/browser/test_tables_faults.py::test_y") != ""
    assert unit_of("tests/browser/test_oidc_page.py::test_z") in TOGETHER.values()
    assert unit_of("tests/daemon/test_life.py::test_z") == "tests/daemon/test_life.py"


def test_what_took_long_comes_first_and_many_tests_before_few() -> None:
    units = {"a.py": 3, "b.py": 50, "c.py": 1, "tests/browser: own floors": 2}
    assert longest(units, {}) == "tests/browser: own floors"
    assert longest(units, {"c.py": 400.0, "tests/browser: own floors": 9.0}) == "c.py"
    assert longest(units, {"tests/browser: own floors": 9.0}) == "b.py"


def test_only_two_units_with_a_browser_run_at_the_same_time() -> None:
    one, two, three = list(dict.fromkeys(TOGETHER.values()))
    assert longest({one: 1, "a.py": 3}, {}, [two, "c.py"]) == one
    assert longest({one: 1, "a.py": 3}, {}, [two, "c.py", three]) == "a.py"
    assert longest({one: 1}, {}, [two, three]) == one, "there is nothing else"


def test_files_that_are_expected_to_take_long_exist() -> None:
    files = [unit for unit in LONG if unit.endswith(".py")]
    assert len(files) > 20
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert [start for start in TOGETHER if not [*ROOT.glob(f"{start}*")]] == []
