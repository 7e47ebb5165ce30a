"""The router as a machine: time, determinism, faults of its own, cost of its indexes."""

from __future__ import annotations

import random

import pytest

from callrouter.core import lane_membership
from callrouter.core.deadlines import Key, Timer, Timers
from callrouter.core.index.lanes import LaneKey
from callrouter.core.index.pools import DrawnPool, OrderedPool
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.call_notices import CallEntered, CallLeftQueue, OfferEnded, OfferMade
from callrouter.model.commands import Ring
from callrouter.model.events import CallArrived, DeviceState, PbxSnapshot, SignedIn, TimePassed
from callrouter.model.notices import CallNotice
from callrouter.policies import REGISTRY, known
from tests.core.playbook import Play
from tests.core.tables import queue, table


def test_the_same_events_give_the_same_commands() -> None:
    spec = table(queue("q", "ann bob cat dan", "random", ring_for=3, retry_after=1))
    play = Play(spec, seed=7)
    for number in range(6):
        play.call(f"c{number}", "q").on(2)
    play.accepts(next(iter(play.ringing()))).on(30)
    twin = Router(spec, rng=random.Random(7), run_id="b")
    commands = [command for event, at in play.history for command in twin.handle(event, at)]
    assert commands == [command for _, command in play.log]
    assert len({o.agent for o in commands if isinstance(o, Ring)}) > 1


def test_another_seed_gives_other_draws() -> None:
    spec = table(queue("q", " ".join(f"a{n}" for n in range(20)), "random"))
    first = {Play(spec, seed=seed).call("c1", "q").rings()[0][1] for seed in range(10)}
    assert len(first) > 3


def test_time_does_not_run_backwards() -> None:
    play = Play(table(queue("q", "ann", ring_for=5)))
    play.until(100).call("c1", "q")
    play.router.handle(TimePassed(), 20.0)
    assert play.router.floor.now == 100
    assert play.router.next_deadline() == 105


def test_deadlines_strike_at_their_own_time_however_late_the_router_wakes() -> None:
    play = Play(table(queue("q", "ann", ring_for=5, retry_after=5, max_wait=22, auto_pause=0)))
    play.pbxes["office"].deaf.clear()
    play.call("c1", "q")
    out = play.router.handle(TimePassed(), 1000.0)
    ended = [o for o in out if isinstance(o, OfferEnded)]
    left = [o for o in out if isinstance(o, CallLeftQueue)]
    assert ended[0].at == 5
    assert left[0].at == 22
    assert check(play.router.floor) == []


class Loaded:
    """Dice that break once."""

    def __init__(self) -> None:
        self.broken = False

    def randrange(self, stop: int, /) -> int:
        if self.broken:
            self.broken = False
            raise RuntimeError("the dice fell off the table")
        return stop - 1


def test_a_fault_of_ours_loses_no_command_and_forgets_nobody() -> None:
    rng = Loaded()
    router = Router(table(queue("q", "ann bob", "random")), rng=rng, run_id="b")
    endpoints = {"PJSIP/ann": DeviceState.IDLE, "PJSIP/bob": DeviceState.IDLE}
    router.handle(PbxSnapshot(pbx="office", endpoints=endpoints), 0.0)
    for name in ("ann", "bob"):
        router.handle(SignedIn(agent=name), 0.0)
    rng.broken = True
    with pytest.raises(RuntimeError, match="dice"):
        router.handle(CallArrived(call="c1", pbx="office", queue="q"), 1.0)
    out = router.handle(TimePassed(), 1.0)
    kinds = [type(item) for item in out if isinstance(item, CallNotice)]
    assert kinds == [CallEntered, OfferMade]
    assert [item.call for item in out if isinstance(item, Ring)] == ["c1"]
    assert check(router.floor) == []
    assert router.floor.out == []


# ---------------------------------------------------------------- timers


def test_setting_a_timer_again_replaces_it_and_cancelling_forgets_it() -> None:
    timers = Timers()
    assert timers.quiet(99.0)
    timers.wait.set("c1", 5.0)
    timers.wait.set("c1", 3.0)
    timers.wait.set("c1", 9.0)
    assert timers.quiet(2.9)
    assert timers.next() == timers.wait.at("c1") == 9.0
    assert timers.quiet(8.9)
    assert not timers.quiet(9.0)
    assert timers.pop(8.9) is None
    assert timers.pop(9.0) == Key(Timer.WAIT, "c1")
    assert timers.pop(99.0) is None
    timers.wait.set("c1", 5.0)
    timers.wait.cancel("c1")
    timers.wait.cancel("c1")
    assert timers.next() is None


def test_the_timers_of_two_devices_of_one_agent_are_two() -> None:
    timers = Timers()
    timers.cooldown.set(("ann", "desk"), 5.0)
    timers.cooldown.set(("ann", "mobile"), 4.0)
    assert timers.cooldown.at(("ann", "desk")) == 5.0
    timers.cooldown.cancel(("ann", "mobile"))
    assert timers.keys() == {Key(Timer.COOLDOWN, "ann", "desk")}
    assert timers.pop(9.0) == Key(Timer.COOLDOWN, "ann", "desk")


def test_a_timer_that_was_cancelled_and_set_to_the_same_instant_strikes_once() -> None:
    timers = Timers()
    for _ in range(3):
        timers.wait.set("c1", 5.0)
        timers.wait.cancel("c1")
    timers.wait.set("c1", 5.0)
    assert [timers.pop(9.0), timers.pop(9.0)] == [Key(Timer.WAIT, "c1"), None]


def test_of_two_at_one_instant_the_lower_kind_strikes_first() -> None:
    timers = Timers()
    for kind in reversed(Timer):
        timers.of(kind).set("x", 1.0)
    assert [key.kind for key in iter(lambda: timers.pop(1.0), None)] == list(Timer)


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    for number in range(10_000):
        timers.wait.set(str(number), 1e9)
        timers.wait.cancel(str(number))
    assert len(timers._heap) < 100
    assert timers.keys() == frozenset()


# ---------------------------------------------------------------- pools


@pytest.mark.parametrize("policy", ["longest-idle", "random"])
def test_a_pool_forgets_who_left_and_finds_whom_it_should(policy: str) -> None:
    play = Play(table(queue("q", "ann bob cat", policy)))
    floor = play.router.floor
    pool = lane_membership.queue_lane(floor, floor.queues["q"], LaneKey("office", 0)).idle
    assert isinstance(pool, OrderedPool | DrawnPool)
    assert len(pool) == len(list(pool)) == 3
    for name in ("ann", "bob"):
        pool.discard(name)
        pool.discard(name)
    member = pool.first(())
    assert member is not None
    assert member.agent.id == "cat"
    assert pool.has({"ann"})
    assert not pool.has({"cat"})
    assert pool.first({"cat"}) is None
    pool.add(floor.queues["q"].members["ann"])
    again = pool.first({"cat"})
    assert again is not None
    assert again.agent.id == "ann"


def test_a_pool_does_not_grow_with_comings_and_goings() -> None:
    play = Play(table(queue("q", "ann:1 bob:99", "priority")))
    floor = play.router.floor
    pool = lane_membership.queue_lane(floor, floor.queues["q"], LaneKey("office", 0)).idle
    assert isinstance(pool, OrderedPool)
    for _ in range(1000):
        pool.add(floor.queues["q"].members["bob"])
    assert len(pool._heap) < 100
    first = pool.first(())
    assert first is not None
    assert first.agent.id == "ann"


def test_every_policy_goes_by_its_own_name() -> None:
    assert {"random", "priority", "ring-all", "round-robin", "longest-idle"} <= known()
    assert all(REGISTRY[name].name == name for name in known())
    assert [name for name in known() if REGISTRY[name].rings_all] == ["ring-all"]
