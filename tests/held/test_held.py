"""Some of the doors in full, and that a broken one is told."""

from __future__ import annotations

import pytest

from tests.held import __main__ as held
from tests.held.count import Count


@pytest.mark.parametrize("door", ["framing", "bombs"])
async def test_a_door_holds(door: str) -> None:
    count = await held.DOORS[door]()
    assert count.wrong == []
    assert count.tried >= {"framing": 61, "bombs": 7}[door]


async def test_what_came_through_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken() -> Count:
        count = Count()
        count.take(held=True, what="a request")
        count.take(held=False, what="another request")
        return count

    monkeypatch.setattr(held, "DOORS", {"web": broken})
    assert await held.main(["web"]) == 1
    out = capsys.readouterr().out
    assert "2 tried    1 wrong" in out
    assert "another request" in out
    assert await held.main(["none"]) == 2
