"""A run on a real Asterisk, with a link that breaks, played again without one."""

from __future__ import annotations

import pytest

from callrouter.core.router import Router
from callrouter.lab import Answer, Install, Refuse
from callrouter.model.call_notices import CallCompleted
from callrouter.model.events import Event
from callrouter.model.notices import Output
from tests.asterisk.floor import queue, staff, stage, table
from tests.replay.runs import Run, digest, played

pytestmark = pytest.mark.asterisk


@pytest.mark.timeout(60)
async def test_a_run_on_asterisk_gives_the_same_commands_again(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Output] = []
    run: Run | None = None
    handle = Router.handle

    def recording(
        self: Router, event: Event, now: float, clock_now: float | None = None
    ) -> list[Output]:
        nonlocal run
        if run is None:
            run = Run(here.spec, rng=1, run_id=self.floor.run_id, began=self.floor.now)
        assert clock_now in {None, now}, "nothing stood still, so nothing else need be replayed"
        run.events.append((now, event))
        commands = handle(self, event, now)
        given.extend(commands)
        return commands

    async with stage(install, 3) as here:
        here.spec = table(staff(3), queue("support", ["a1", "a2", "a3"], wrap_up=0.2))
        monkeypatch.setattr(Router, "handle", recording)
        await here.start(here.spec)
        here.phone("1001").behaviour = Answer(talk=1.2)
        here.phone("1002").behaviour = Refuse(486)
        here.phone("1003").behaviour = Answer(talk=1.4)
        for _ in range(8):
            await here.call()
        await here.until(lambda: len(here.happened(CallCompleted)) == 3, 20)
        here.pbx.resync("a test")
        await here.until(lambda: len(here.happened(CallCompleted)) == 8, 30)
        await here.quiet()
        monkeypatch.undo()
    assert run is not None
    assert len(given) > 60
    assert digest(played(run)) == digest(given)
