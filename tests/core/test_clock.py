"""Steps of the system's clock: the router's own time neither jumps nor runs backwards."""

from __future__ import annotations

import random
import time
from unittest.mock import patch

import pytest

from callrouter.clock import SystemClock
from callrouter.core.invariants import check
from callrouter.core.offers import ringing
from callrouter.core.router import Router
from callrouter.core.state import OfferState
from callrouter.model.commands import Ring, StopRing
from callrouter.model.events import (
    CallArrived,
    DeviceState,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SeenCall,
    SignedIn,
    TimePassed,
)
from tests.core.playbook import Play
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
def test_a_stamp_gives_the_same_moment_to_a_later_process_whatever_the_clock(step: float) -> None:
    old, wall = SystemClock(), time.time
    stamp = old.stamp(old.now() - 40)
    with patch("time.time", lambda: wall() + step):
        new = SystemClock()
    if not stamp:
        pytest.skip("this machine has no word for its boot")
    found = new.moment(stamp)
    assert found is not None
    assert new.now() - found == pytest.approx(40, abs=10)
    boot = stamp.partition("-")[0]
    for other in (
        "",
        "nonsense",
        f"x{stamp}",
        f"{boot}-",
        f"{boot}-x",
        f"{boot}-nan",
        f"{boot}-inf",
    ):
        assert new.moment(other) is None
    assert new.moment(f"{boot}-1e300") is None, "a moment to come"


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_restart_after_a_step_stretches_no_deadline(step: float) -> None:
    """A call's entry is of before the step, by another clock than the new router's."""
    now = 1_700_000_000.0
    rules = queue("q", "ann", max_wait=60)
    router = Router(
        table(agent("ann", desk("ann")), rules), rng=random.Random(1), run_id="n", now=now + step
    )
    arrived = CallArrived(call="c1", pbx="office", queue="q", entered_at=now)
    away = {"PJSIP/ann": DeviceState.UNREACHABLE}
    router.handle(PbxSnapshot(pbx="office", endpoints=away), now + step)
    router.handle(arrived, now + step)
    call = router.floor.calls.get("c1")
    assert call is None or call.entered_at <= now + step
    deadline = router.next_deadline()
    assert deadline is None or deadline <= now + step + 60
    router.handle(TimePassed(), now + step + 60)
    assert "c1" not in router.floor.calls


def test_time_that_runs_backwards_counts_as_standing_still() -> None:
    router = Router(table(queue("q", "")), rng=random.Random(1), run_id="n", now=500.0)
    router.handle(TimePassed(), 600.0)
    router.handle(TimePassed(), 600.0 - HOUR)
    assert router.floor.now == 600.0


def test_a_router_that_stood_still_gives_phones_their_time_from_then_on() -> None:
    """What follows from a deadline that strikes late is ordered now, and has its time from now."""
    rules = queue("q", "ann bob", ring_for=5, retry_after=5, auto_pause=0)
    now = 1000.0
    router = Router(
        table(agent("ann", desk("ann")), agent("bob", desk("bob")), rules),
        rng=random.Random(1), run_id="n", now=now,
    )  # fmt: skip
    idle = {"PJSIP/ann": DeviceState.IDLE, "PJSIP/bob": DeviceState.IDLE}
    router.handle(PbxSnapshot(pbx="office", endpoints=idle), now)
    for name in ("ann", "bob"):
        router.handle(SignedIn(agent=name), now)
    router.handle(CallArrived(call="c1", pbx="office", queue="q"), now)
    (first,) = router.floor.offers.values()
    late = now + 30
    router.handle(TimePassed(), late)
    # The first phone is told to stop now, and is not taken for dead; the other one has just begun to ring.
    second = next(offer for offer in router.floor.offers.values() if offer is not first)
    assert first.state is OfferState.CLOSING
    assert router.floor.cooldowns == {}
    assert second.state is OfferState.RINGING
    assert router.next_deadline() == late + ringing.CLOSE_WITHIN
    router.handle(TimePassed(), late + 4.9)
    assert second.state is OfferState.RINGING
    assert check(router.floor) == []


def test_what_a_deadline_leads_to_in_the_step_of_a_snapshot_is_not_taken_back() -> None:
    """The snapshot was made a moment before, and cannot show the phone that is being rung just now."""
    now, phone = 1000.0, {"PJSIP/ann": DeviceState.IDLE}
    router = Router(
        table(agent("ann", desk("ann")), queue("q", "ann", retry_after=5)),
        rng=random.Random(1), run_id="n", now=now,
    )  # fmt: skip
    router.handle(PbxSnapshot(pbx="office", endpoints=phone), now)
    router.handle(SignedIn(agent="ann"), now)
    arrived = CallArrived(call="c1", pbx="office", queue="q")
    router.handle(arrived, now)
    (offer,) = router.floor.offers.values()
    router.handle(LegEnded(offer=offer.id, device="desk", why=LegEnd.BUSY), now + 1)
    seen = PbxSnapshot(pbx="office", endpoints=phone, calls=(SeenCall(arrived=arrived),))
    out = router.handle(seen, now + 20)  # the second round was due before
    assert [type(order) for order in out if isinstance(order, (Ring, StopRing))] == [Ring]
    (again,) = router.floor.offers.values()
    assert again.state is OfferState.RINGING
    router.handle(seen, now + 21)
    assert router.floor.offers.get(again.id) is not again, "and a later one may"


def test_midnight_resets_the_totals_of_those_whose_shift_is_over_as_well() -> None:
    play = Play(table(queue("q", "ann bob"), queue("r", "ann")))
    play.call("c1", "q").accepts("ann").on(10).caller_hangs_up("c1").on(1)
    play.reload(table(queue("q", "bob"), queue("r", "ann"))).until(86_401)
    play.reload(table(queue("q", "ann bob"), queue("r", "ann")))
    member = play.agent("ann").memberships["q"]
    assert (member.calls, member.talk) == (0, 0.0)
