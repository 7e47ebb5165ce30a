"""Plain English stays: words that technical prose does without are counted in docstrings, comments and pages."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MOST_IN_TEN_THOUSAND: Final = 3.0
"""Well-kept projects have 0 to 2.5 of each row in 10,000 words."""
ROWS: Final = {
    "words out of use": r"anew|whom|whoever|whomever|meanwhile|till",
    "subjects that should be named": (r"nobody|somebody|everybody|everyone|someone|anybody|anyone"),
}
FOLDERS: Final = ("callrouter", "bench", "docs", "config", "dialplan")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'-]+")


def test_marker_words_are_rare() -> None:
    count, found = 0, dict.fromkeys(ROWS, 0)
    places: list[str] = []
    for path in files():
        for line, text in prose(path):
            count += len(_WORD.findall(text))
            for row, pattern in ROWS.items():
                hits = re.findall(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
                found[row] += len(hits)
                places += [f"{path.relative_to(ROOT)}:{line}: {word}" for word in hits]
    assert count > 50_000, "the prose was not found"
    rates = {row: hits * 10_000 / count for row, hits in found.items()}
    assert all(rate <= MOST_IN_TEN_THOUSAND for rate in rates.values()), (rates, places)


def files() -> Iterator[Path]:
    """Everything whose prose people read, tests left out."""
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".yaml", ".conf"}:
                yield path


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment, or of each line of a page."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        yield from python(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if path.suffix == ".md":
            yield number, line
        elif line.lstrip()[:1] in {"#", ";"}:
            yield number, line.lstrip("#; ")


def python(text: str) -> Iterator[tuple[int, str]]:
    """Docstrings, the strings beneath attributes, and comments."""
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        for item in body if isinstance(body, list) else ():
            value = item.value if isinstance(item, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield item.lineno, value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"""Whom it concerns."""\n', ["Whom it concerns."]),
        ('x = 1\n"""For someone."""\n', ["For someone."]),
        ("y = 'nobody'  # till then\n", ["# till then"]),
    ],
)
def test_prose_is_told_from_code(text: str, words: list[str]) -> None:
    assert [found for _, found in python(text)] == words
