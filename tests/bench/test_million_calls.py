from __future__ import annotations

from pathlib import Path

import pytest

from bench.million_calls import REPORTS, measure
from callrouter.store.location import File


def test_every_report_is_made_of_a_few_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure("SQLite", File(tmp_path / "callrouter.db"), 200)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("SQLite: 200 calls in ")
    assert [line.split()[0] for line in lines] == [what for what, _ in REPORTS]
    assert all(int(line.split()[-2].replace(",", "")) for line in lines if "pauses" not in line)
