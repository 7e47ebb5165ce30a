from __future__ import annotations

import random
from dataclasses import replace

import pytest

from callrouter.model.call_notices import CallAbandoned, CallCompleted, CallLeftQueue
from callrouter.model.events import (
    CallArrived,
    ConnectFailed,
    ConnectFault,
    DeviceState,
    LegAnswered,
    LegEnd,
    LegEnded,
)
from callrouter.pbx.simulated import Spread, Traffic
from tests.simulated.world import START, World, call_centre


def settled(world: World) -> None:
    """What must hold of every run, whatever happened in it."""
    assert world.breaches == []
    assert {key for key, count in world.ends.items() if count != 1} == set()
    assert world.ends.keys() == world.rung.keys()
    assert world.engine.legs == {}
    assert world.engine.callers == {}
    assert sum(world.engine.fates.values()) == world.engine.came == len(world.arrived)
    over = [
        record.call
        for kind in (CallCompleted, CallAbandoned, CallLeftQueue)
        for record in world.happened(kind)
    ]
    assert sorted(over) == sorted(world.arrived)
    assert not world.router.floor.calls
    assert not world.router.floor.offers


@pytest.mark.parametrize("seed", range(2))
def test_half_an_hour_of_calls_loses_nobody(seed: int) -> None:
    world = World(call_centre(), seed=seed)
    world.run(1800.0)
    assert world.engine.came > 700
    world.drain()
    settled(world)
    assert world.engine.fates["talked"] > world.engine.fates["gave up"] > 0
    assert world.connected == world.connects


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(unreachable=0.3, misses=0.3, refusals=0.2),
        Traffic(otherwise=60.0, patience=Spread(median=4.0, least=0.0)),
        Traffic(answer=Spread(median=0.01, least=0.0), lag=Spread(median=0.5, most=1.5)),
        Traffic(machines=1.0),
    ],
    ids=["bad phones", "a rush", "slow telephone system", "only voicemails"],
)
def test_odd_days_lose_nobody(traffic: Traffic) -> None:
    world = World(call_centre(), traffic=traffic)
    world.run(600.0)
    world.drain()
    settled(world)


def test_the_same_seed_is_the_same_day() -> None:
    one, two = (World(call_centre(), seed=7) for _ in range(2))
    for world in (one, two):
        world.run(600.0)
    assert one.log == two.log
    other = World(call_centre(), seed=8)
    other.run(600.0)
    assert other.log != one.log


def test_a_caller_may_go_in_the_moment_of_connecting() -> None:
    traffic = Traffic(
        otherwise=60.0,
        patience=Spread(median=2.4, sigma=0.2, least=0.0),
        lag=Spread(median=0.3, sigma=0.2),
    )
    world = World(call_centre(), traffic=traffic)
    world.run(600.0)
    world.drain()
    settled(world)
    gone = [event for event in world.log if isinstance(event, ConnectFailed)]
    assert gone
    assert {event.why for event in gone} == {ConnectFault.CALLER_GONE}


def test_a_voicemail_never_gets_a_call() -> None:
    traffic = Traffic(misses=0.9, refusals=0.0, machines=1.0)
    world = World(call_centre(), traffic=traffic)
    world.run(1200.0)
    world.drain()
    settled(world)
    picked_up = {(e.offer, e.device) for e in world.log if isinstance(e, LegAnswered)}
    assert picked_up
    assert {device for _, device in picked_up} == {"mobile"}
    ends = {
        event.why
        for event in world.log
        if isinstance(event, LegEnded) and (event.offer, event.device) in picked_up
    }
    assert ends <= {LegEnd.NOT_ACCEPTED, LegEnd.HUNG_UP}


def test_nobody_signed_in_means_everybody_gives_up() -> None:
    world = World(call_centre(), sign_in=False)
    world.run(600.0)
    world.drain()
    settled(world)
    assert world.engine.fates.keys() == {"gave up"}


def test_arrivals_come_at_their_rates() -> None:
    world = World(call_centre(), traffic=Traffic(per_minute={"support": 20.0, "sales": 0.0}))
    world.run(3600.0)
    came = [event.queue for event in world.log if isinstance(event, CallArrived)]
    assert 1050 < came.count("support") < 1350
    assert came.count("sales") == 0
    assert 510 < came.count("front") < 690


def test_a_spread_keeps_its_bounds() -> None:
    rng = random.Random(1)
    drawn = [Spread(median=10.0, sigma=2.0, least=5.0, most=20.0).draw(rng) for _ in range(500)]
    assert min(drawn) == 5.0
    assert max(drawn) == 20.0
    assert Spread(median=3.0, sigma=0.0).draw(rng) == 3.0


def test_another_table_is_taken_up() -> None:
    table = call_centre()
    world = World(replace(table, queues={"support": table.queues["support"]}))
    world.run(120.0)
    came = {event.queue for event in world.log if isinstance(event, CallArrived)}
    assert came == {"support"}
    world.engine.use(replace(table, queues={"sales": table.queues["sales"]}), world.now)
    count = len(world.log)
    world.run(300.0)
    late = [event.queue for event in world.log[count:] if isinstance(event, CallArrived)]
    assert set(late) <= {"sales", "support"}
    assert late.count("support") == 0


def test_a_snapshot_shows_what_there_is() -> None:
    world = World(call_centre())
    assert set(world.engine.endpoints().values()) == {DeviceState.IDLE}
    assert len(world.engine.endpoints()) == 8
    world.run(300.0)
    seen = world.engine.snapshot()
    talking = [call for call in seen.calls if call.talking_to]
    assert talking
    assert all(call.arrived.entered_at and call.arrived.entered_at > START for call in seen.calls)
    offers = {leg.offer for leg in seen.legs if leg.bridged}
    assert {call.talking_to for call in talking} == offers


def test_telling_everything_anew_changes_nothing() -> None:
    world = World(call_centre())
    for _ in range(40):
        world.run(15.0)
        world.post(world.engine.snapshot())
    world.drain()
    settled(world)
