from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.demo import demo_config as files
from callrouter.settings import AsteriskSettings, SimulatedSettings, load


@pytest.mark.parametrize("manager", [files.Manager(16001, "Vq8-kT2x-9fLw-Zr4m"), None])
def test_the_folder_is_a_good_configuration(tmp_path: Path, manager: files.Manager | None) -> None:
    place = tmp_path / "demo"
    files.write(place, manager, files.free_port(), "demo-1234")
    assert place.stat().st_mode & 0o077 == 0
    settings = load(place, environ={})
    assert settings.warnings == ()
    wanted = AsteriskSettings if manager else SimulatedSettings
    assert isinstance(settings.pbxes["office"], wanted)
    table = settings.table
    assert set(table.queues) == set(files.QUEUES)
    assert set(table.agents) == {*files.STAFF, files.YOU}
    assert table.queues["front-desk"].at_once is None
    for agent in files.MOBILES:
        mobile = next(d for d in table.agents[agent].devices if d.id == "mobile")
        assert mobile.confirm


def test_the_project_s_own_dialplan_is_used() -> None:
    assert "[callrouter-offer]" in files.dialplan("extensions_callrouter.conf")
    assert "secret = change-me" in files.dialplan("manager_callrouter.conf")
    with pytest.raises(files.NoDialplanError, match=r"nothing\.conf"):
        files.dialplan("nothing.conf")


def test_every_agent_has_a_phone() -> None:
    assert files.PHONES["1001"] == "alice"
    assert files.YOUR_PHONE == "1009"
    assert files.YOUR_PHONE not in files.PHONES
