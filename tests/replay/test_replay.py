"""A recorded run, played through the core again, gives the same commands: what `why` and bug reports rest on."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.model.commands import PbxCommand, Ring
from callrouter.model.events import Event, PauseRequested, PbxLost, Resumed, SignedIn, TimePassed
from callrouter.model.notices import Output
from callrouter.model.routing_table import Table
from callrouter.pbx.simulated import Engine, Traffic
from tests.daemon.process import ROOT
from tests.replay.runs import Run, digest, played
from tests.simulated.world import PBX, START, call_centre

ORDERS = PbxCommand


def draws(spec: Table) -> Table:
    """The same call centre, with policies that draw."""
    queues = {
        name: replace(queue, policy=("random",) if name != "support" else ("weighted-random",))
        for name, queue in spec.queues.items()
    }
    return replace(spec, queues=queues)


def recorded(spec: Table, seconds: float, seed: int) -> tuple[Run, list[Output]]:
    """A busy time with pauses, and a link that is lost now and then."""
    run, given = Run(spec, rng=seed, run_id="b", began=START), []
    router, rng, now = run.router(), random.Random(seed + 1), START
    engine = Engine(PBX, spec, Traffic(otherwise=20.0), random.Random(seed), now=now, run_id="t")

    def tell(event: Event) -> None:
        run.events.append((now, event))
        for command in router.handle(event, now):
            given.append(command)
            if isinstance(command, ORDERS):
                engine.order(command, now)

    tell(engine.snapshot())
    for name in spec.agents:
        tell(SignedIn(agent=name))
    while now < START + seconds:
        times = [at for at in (engine.next_at(), router.next_deadline()) if at is not None]
        now = max(now, min(times))
        steps = engine.step(now)
        for event in steps:
            tell(event)
        if not steps:
            tell(TimePassed())
        if rng.random() < 0.01:
            name = rng.choice(sorted(spec.agents))
            tell(PauseRequested(agent=name) if rng.random() < 0.5 else Resumed(agent=name))
        if rng.random() < 0.002:
            tell(PbxLost(pbx=PBX, why="a test"))
            tell(engine.snapshot())
    return run, given


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_events_give_the_same_commands(seed: int, tmp_path: Path) -> None:
    spec = call_centre() if seed == 1 else draws(call_centre())
    run, given = recorded(spec, 900.0, seed)
    assert sum(isinstance(command, Ring) for command in given) > 200
    expected = digest(given)
    assert digest(played(run)) == expected
    file = tmp_path / "run"
    file.write_bytes(pickle.dumps(run))
    for names in ("0", "4711"):
        again = subprocess.run(
            [sys.executable, "-m", "tests.replay.runs", str(file)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": names},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert again.stdout == repr(expected), "the commands depend on how names hash"


def test_another_event_gives_other_commands() -> None:
    run, given = recorded(call_centre(), 60.0, 5)
    run.events.pop(len(run.events) // 2)
    assert digest(played(run)) != digest(given)
