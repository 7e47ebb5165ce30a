"""Reading the configuration to see what it would change leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from callrouter.api.access.people import People
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiTokens
from callrouter.background import without_collection
from callrouter.clock import SystemClock
from callrouter.daemon.last_good import choose_start
from callrouter.daemon.live_config import LiveConfig

FILES = """\
pbx: {office: {driver: simulated}}
agents:
  ann: {devices: {desk: PJSIP/1001}}
queues:
  support: {agents: [ann]}
"""


@pytest.fixture
def config(tmp_path: Path) -> LiveConfig:
    (tmp_path / "callrouter.yaml").write_text(FILES)
    clock = SystemClock()
    return LiveConfig(
        tmp_path,
        {},
        choose_start(tmp_path, {}, clock.now()),
        clock,
        post=lambda _: None,
        tokens=ApiTokens([]),
        sessions=Sessions(People(), clock),
        callers=dict,
    )


async def test_a_diff_keeps_nothing_from_the_collector(config: LiveConfig, tmp_path: Path) -> None:
    """What lies about just then, such as a request of somebody's, must not stay for good."""
    await config.diff(None)
    before = gc.get_freeze_count()
    for _ in range(3):
        (tmp_path / "callrouter.yaml").write_text(FILES.replace("[ann]", "[]"))
        assert (await config.diff(None)).changes
        (tmp_path / "callrouter.yaml").write_text(FILES.replace("[ann]", "[bob]"))
        assert (await config.diff(None)).problems
    assert gc.get_freeze_count() == before
    assert gc.isenabled()


async def test_readings_that_overlap_leave_the_collector_as_it_was(config: LiveConfig) -> None:
    await asyncio.gather(*(config.diff(None) for _ in range(5)))
    assert gc.isenabled()
    with without_collection():
        assert not gc.isenabled()
        with without_collection():
            pass
        assert not gc.isenabled(), "the first reading still goes on"
    assert gc.isenabled()
