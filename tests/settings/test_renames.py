"""`renamed_from`: what is refused, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import ConfigError, load

BASE = "pbx: {sim: {driver: simulated}}\n"


def mistakes(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "all.yaml").write_text(BASE + text)
    try:
        load(tmp_path, environ={})
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("agents: {b: {renamed_from: a}}\nqueues: {r: {renamed_from: q, agents: [b]}}\n", []),
        ("agents: {b: {renamed_from: b}}\n", ["'b' is renamed from itself"]),
        ("agents: {a: {}, b: {renamed_from: a}}\n", ["'a' still exists"]),
        ("agents: {b: {renamed_from: a}, c: {renamed_from: b}}\n", ["'b' still exists"]),
        ("agents: {b: {renamed_from: a}, c: {renamed_from: a}}\n", ["'b' is renamed from 'a' as well"]),
        ("queues: {q: {}, r: {renamed_from: q}}\n", ["'q' still exists"]),
        ("queues: {r: {renamed_from: q}, s: {renamed_from: q}}\n", ["'r' is renamed from 'q' as well"]),
        ("queues: {r: {renamed_from: Q}}\n", ["renamed_from must be small letters"]),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused(tmp_path: Path, text: str, found: list[str]) -> None:
    said = mistakes(tmp_path, text)
    assert len(said) == len(found)
    for line, part in zip(said, found, strict=True):
        assert part in line
        assert line.startswith("all.yaml:2:")
