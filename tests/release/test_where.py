"""What the pages say of the tree is so: the answers for newcomers, and every file that is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
ANSWERS: Final = re.findall(
    r"^\| ([^|]+\?) \| `([^`]+)` \| `([^`]+)` \|$",
    (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
    re.MULTILINE,
)
PLACES: Final = ("", "callrouter", "callrouter/pbx/asterisk", "callrouter/pbx/twilio")
"""Folders that paths in the pages may start from."""
_PATH: Final = re.compile(r"`([a-z_]+(?:/[a-z0-9_*.]+)+\.(?:py|conf|yaml|md))`")


def test_there_are_ten_questions() -> None:
    assert len(ANSWERS) == 10


@pytest.mark.parametrize(("question", "file", "text"), ANSWERS)
def test_the_file_has_what_is_asked_for(question: str, file: str, text: str) -> None:
    assert text in (ROOT / file).read_text("utf-8"), question


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/performance.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = _PATH.findall((ROOT / page).read_text("utf-8"))
    assert named, "the paths were not found"
    missing = {
        path for path in named if not any(next((ROOT / place).glob(path), None) for place in PLACES)
    }
    assert not missing
