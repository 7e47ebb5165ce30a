"""Text for people: each form, once."""

from __future__ import annotations

import pytest

from callrouter.model import text


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "no calls"), (1, "1 call"), ("1", "1 call"), (2, "2 calls"), ("0", "0 calls")],
)
def test_counted(count: int | str, said: str) -> None:
    assert text.counted(count, "call") == said
    assert text.counted(0, "entry", "entries", zero="0") == "0 entries"
    assert text.counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (121, "121st")],
)
def test_ordinal(number: int, said: str) -> None:
    assert text.ordinal(number) == said


def test_lists() -> None:
    assert text.listed([]) == ""
    assert text.listed(["a"]) == "a"
    assert text.listed(["a", "b", "c"], "or") == "a, b or c"
    assert text.first_few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert text.first_few(["a", "b"], 2, total=9) == "a, b and 7 more"
    assert text.first_few(["a", "b"], 2) == "a, b"


def test_an_extension_is_shown_and_a_number_is_not() -> None:
    assert text.mask("1001", whole=4) == "1001"
    assert text.mask("1001") == "…001"
    assert text.mask("+12345678") == "…678"
    assert text.mask("+123456789") == "+12…789"
    assert text.mask("anonymous", words=False) == "…ous"


def test_text_in_quotes_is_one_short_line() -> None:
    assert text.in_quotes("abc") == "'abc'"
    assert text.in_quotes("abcdef", 4) == "'abc…'"
    assert text.in_quotes("a\nb") == "'a\\nb'"


@pytest.mark.parametrize(
    ("seconds", "exact", "rough", "clock", "minutes"),
    [
        (0.0, "0 s", "0 s", "0 s", "0:00"),
        (0.4, "0 s", "0.4 s", "0 s", "0:00"),
        (59.6, "1 min", "59 s", "59 s", "0:59"),
        (2700.0, "45 min", "45 min", "45:00", "45:00"),
        (3725.0, "1 h 2 min 5 s", "1 h 2 min", "1:02:05", "62:05"),
        (5400.0, "1 h 30 min", "1 h 30 min", "1:30:00", "90:00"),
        (300_000.0, "83 h 20 min", "83 h 20 min", "3 days", "5000:00"),
    ],
)
def test_durations(seconds: float, exact: str, rough: str, clock: str, minutes: str) -> None:
    assert text.exact_duration(seconds) == exact
    assert text.rough_duration(seconds) == rough
    assert text.clock_duration(seconds) == clock
    assert text.stopwatch(seconds) == minutes


def test_a_duration_that_is_not_known() -> None:
    assert text.clock_duration(None) == ""
    assert text.clock_duration(None, unknown="-") == "-"
    assert text.clock_duration(3.44, digits=1) == "3.4 s"


def test_the_nearest_name_is_found_among_thousands() -> None:
    known = [f"agent-{n}" for n in range(5000)] + ["zachary"]
    assert text.nearest_name("Zacharu", known) == "zachary"
    assert text.nearest_name("acharyx", known) == ""  # compared are those that begin or end alike
    assert text.nearest_name("acharyx", known[-1:]) == "zachary"
    assert text.nearest_name("", known) == ""
    assert text.nearest_name("z" * 65, [*known, "z" * 65]) == ""
