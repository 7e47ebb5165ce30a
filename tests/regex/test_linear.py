"""No regular expression of the package takes more than a time that grows with the length of its text."""

from __future__ import annotations

import pytest

from callrouter.mobiles import number_policy
from callrouter.settings.schema import durations
from tests.regex.found import Regex, all_of_them
from tests.regex.hostile import slow

BOUNDED: dict[str | bytes, int] = {
    durations.DURATION_PATTERN: durations._LONGEST_TEXT,
    durations._PART.pattern: durations._LONGEST_TEXT,
    number_policy._EXTENSION.pattern: number_policy._LONGEST_TEXT,
}
"""Patterns that grow faster, with the length of the texts that they are asked about at most."""


@pytest.fixture(scope="module")
def found() -> list[Regex]:
    return list(all_of_them())


def test_all_are_found(found: list[Regex]) -> None:
    assert len(found) > 60
    assert any("settings/errors/hiding.py" in regex.place for regex in found)
    assert any("pbx/asterisk/" in regex.place for regex in found)
    assert any("settings/schema/fields.py" in regex.place for regex in found)
    assert set(BOUNDED) <= {regex.pattern for regex in found}


@pytest.mark.timeout(300)
def test_each_is_linear(found: list[Regex]) -> None:
    asked = ((regex, slow(regex, BOUNDED.get(regex.pattern, 30_000))) for regex in found)
    assert [(regex.place, text) for regex, text in asked if text] == []


@pytest.mark.parametrize(
    ("pattern", "anywhere"),
    [
        (r"""([A-Za-z_][\w-]*)["']?\s*:""", True),  # what once stopped calls for 44 s
        (r"(a+)+$", False), (r"(a|a)*b", False), (r"(?:\w+\s?)+$", False), (r"\s+$", True), (r"\d+\d+x", False),
        (r"(x+x+)+y", False), (r"^(([a-z])+.)+[A-Z]([a-z])+$", False), (r"[\w.-]+@[\w.-]+", True), (r".*,.*,.*x", False),
        (r"(?:[0-9]+,?)*;", False), (rb"\w+:", True),
    ],
)  # fmt: skip
def test_what_is_not_linear_is_noticed(pattern: str | bytes, anywhere: bool) -> None:
    assert slow(Regex(pattern, 0, anywhere, "here"))
