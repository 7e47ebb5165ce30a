"""Steps of the system's clock: the router's own time neither jumps nor runs backwards."""

from __future__ import annotations

import random
import time
from unittest.mock import patch

import pytest

from callrouter.clock import SystemClock
from callrouter.core.router import Router
from callrouter.model.events import CallArrived, PbxSnapshot, Reached, TimePassed
from tests.core.tables import agent, desk, queue, table

HOUR = 3600.0


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_step_of_the_clock_is_no_step_of_ours(step: float) -> None:
    clock = SystemClock()
    before, wall = clock.now(), time.time
    with patch("time.time", lambda: wall() + step):
        assert 0 <= clock.now() - before < 10
    assert clock.now() >= before


def test_the_clock_follows_what_the_machine_counts() -> None:
    counted = 100.0
    with patch("time.monotonic", lambda: counted), patch("time.time", lambda: 1_000.0):
        clock = SystemClock()
        assert clock.now() == 1_000.0
        counted = 107.5
        assert clock.now() == 1_007.5


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_restart_after_a_step_stretches_no_deadline(step: float) -> None:
    """A call's entry is of before the step, by another clock than the new router's."""
    now = 1_700_000_000.0
    rules = queue("q", "ann", max_wait=60)
    router = Router(
        table(agent("ann", desk("ann")), rules), dice=random.Random(1), boot="n", now=now + step
    )
    arrived = CallArrived(call="c1", pbx="office", queue="q", entered_at=now)
    away = {"PJSIP/ann": Reached.UNREACHABLE}
    router.handle(PbxSnapshot(pbx="office", endpoints=away), now + step)
    router.handle(arrived, now + step)
    call = router.floor.calls.get("c1")
    assert call is None or call.entered_at <= now + step
    deadline = router.next_deadline()
    assert deadline is None or deadline <= now + step + 60
    router.handle(TimePassed(), now + step + 60)
    assert "c1" not in router.floor.calls


def test_time_that_runs_backwards_counts_as_standing_still() -> None:
    router = Router(table(queue("q", "")), dice=random.Random(1), boot="n", now=500.0)
    router.handle(TimePassed(), 600.0)
    router.handle(TimePassed(), 600.0 - HOUR)
    assert router.floor.now == 600.0
