from __future__ import annotations

from pathlib import Path

import pytest

from bench import record
from callrouter.store.location import File


def test_time_is_measured_against_the_core_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "AGENTS", 20)
    monkeypatch.setattr(record, "CALLS", 20)
    monkeypatch.setattr(record, "ROUNDS", 1)
    record.show_time()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert float(lines[3].split()[-4]) > 5, "rows of a call"


def test_every_row_of_a_call_is_in_the_file_that_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(record, "AGENTS", 20)
    size, rows = record.bytes_of_a_call(File(tmp_path / "callrouter.db"), 300)
    assert 10 < rows < 30
    assert 500 < size < 10_000
