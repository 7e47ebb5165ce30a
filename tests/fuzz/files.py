"""The files of the configuration, from bytes to a router that has taken them up."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.events import CallArrived, ConfigReloaded
from callrouter.model.staged_reload import steps
from callrouter.settings import ConfigError, Settings, load
from callrouter.settings.diff.settings_diff import changes
from tests.settings.cases import CONFIG, ENVIRON, POLICIES
from tests.settings.damaged import FOLDER, outcome

_NOW = 1_767_000_000.0
_LONGEST = 10.0
"""Seconds of the processor for one reading; 20 kB that take longer grow beyond their text."""


def take(data: bytes) -> None:
    """One folder with a file of these bytes, in the place of the one that is in force."""
    began = time.process_time()
    outcome({"all.yaml": data})
    assert time.process_time() - began < _LONGEST
    try:
        new = load(Path(FOLDER.name), environ=ENVIRON, policies=POLICIES)
    except ConfigError:
        return
    new = replace(new, table=new.table.reusing(_BEFORE.table))
    for line in (*changes(_BEFORE, new), *changes(new, _BEFORE)):
        assert line.isprintable()
        assert "hunter-two" not in line
    router = Router(_BEFORE.table, rng=random.Random(1), run_id="b", now=_NOW)
    router.handle(CallArrived(call="c1", pbx="office", queue="support"), _NOW)
    for way in ((_BEFORE.table, new.table), (new.table, _BEFORE.table)):
        for table in steps(*way):
            router.handle(ConfigReloaded(table=table, more=table is not way[1]), _NOW)
            assert check(router.floor) == []


def _written(name: str) -> bytes:
    """A shipped file without its comments, where damage does nothing."""
    lines = (CONFIG / f"{name}.yaml").read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.lstrip().startswith(b"#"))


_SMALL = b"pbx: {office: {driver: simulated}}\n"
_AGENTS = b"agents: {alice: {devices: {desk: PJSIP/1001}}, bob: {devices: {desk: PJSIP/1002}}}\n"
_QUEUES = b"queues: {support: {agents: {alice: 1, bob: 2}}, sales: {agents: [bob]}}\n"
SEEDS = [
    _written("callrouter") + _written("agents") + _written("queues"),
    _SMALL + _AGENTS + _QUEUES,
    _SMALL
    + _AGENTS
    + b"queues:\n  support:\n    agents: [alice]\n    hours: mon-fri 09:00-17:30; sat 10:00-14:00\n"
    b"    holidays: [2026-12-25]\n    widen:\n      - {after: 30s, at_once: 3}\n    on_closed: dialplan:closed,s,1\n",
    b"# a comment\n",
]


def _before() -> Settings:
    outcome({"all.yaml": _SMALL + _AGENTS + _QUEUES})
    return load(Path(FOLDER.name), environ=ENVIRON, policies=POLICIES)


_BEFORE = _before()
