"""``/api/config/…`` for programs: words only, and no folder of one's own choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.api.context import ConfigReadResult
from callrouter.settings import Problem
from callrouter.settings.config_change import Change
from tests.api.world import READER, Client, World


class Files:
    """A configuration that always answers the same."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        self.asked.append(folder)
        return ConfigReadResult(changes=("bob: name Bob -> Rob",))

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        self.asked.append(who if confirm else (who, confirm))
        return ConfigReadResult(problems=(Problem("a.yaml", 1, 2, "wrong", "right"),))

    def changes(self) -> list[Change]:
        same, old, new = ("x", 0o600), ("1", 0o600), ("2", 0o600)
        return [
            Change(
                number=7,
                at=0.0,
                who="sam",
                how="file",
                lines=("a line",),
                before={"a.yaml": old, "b.yaml": same},
                after={"a.yaml": new, "b.yaml": same},
            )
        ]


@pytest.fixture
def files(world: World) -> Files:
    made = Files()
    world.backend.files = made
    return made


async def test_diff(client: Client, files: Files) -> None:
    view = await (await client.get("/api/config/diff")).json()
    assert view == {
        "ok": True,
        "changes": ["bob: name Bob -> Rob"],
        "problems": [],
        "warnings": [],
    }
    answer = await client.get("/api/config/diff?folder=/etc")
    assert answer.status == 403
    assert files.asked == [None]


async def test_reload(client: Client, files: Files) -> None:
    view = await (await client.post("/api/config/reload")).json()
    assert (view["ok"], view["problems"][0]["line"]) == (False, 1)
    assert files.asked == ["crm"]
    assert (await client.post("/api/config/reload", headers=READER)).status == 403


async def test_history_has_no_contents(client: Client, files: Files) -> None:
    view = await (await client.get("/api/config/history")).json()
    assert view["changes"] == [
        {
            "number": 7,
            "at": "1970-01-01T00:00:00.000Z",
            "who": "sam",
            "how": "file",
            "how_phrase": {"code": "", "values": {}},
            "changes": ["a line"],
            "changes_phrases": [{"code": "", "values": {}}],
            "files": ["a.yaml"],
        }
    ]


async def test_without_files(client: Client) -> None:
    assert (await client.get("/api/config/diff")).status == 404
