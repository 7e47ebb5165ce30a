"""The core stories, each told once and played on a real Asterisk, on the scripted Twilio and on the
simulated telephone system. What they have in common is all that is said here: see `world`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_requests import CallMoveRequested
from callrouter.model.events import PauseRequested, Resumed
from callrouter.model.routing_table import HangUp
from tests.asterisk.floor import stage
from tests.stories.real import AsteriskWorld
from tests.stories.virtual import SimulatedWorld, TwilioWorld
from tests.stories.world import Habit, World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(150)]

WORLDS = [pytest.param("asterisk", marks=pytest.mark.asterisk), "twilio", "simulated"]
FIRST_ANN: Any = {"levels": {"ann": 1, "bob": 2, "cat": 3}, "policy": ("priority",)}
RING_ALL: Any = {"at_once": None}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=WORLDS)
async def world(request: pytest.FixtureRequest, install: Install) -> AsyncIterator[World]:
    if request.param == "asterisk":
        async with stage(install, 3) as floor:
            yield AsteriskWorld(floor)
    else:
        yield TwilioWorld() if request.param == "twilio" else SimulatedWorld()


async def let_ring(world: World, *agents: str) -> None:
    for name in agents:
        world.habit(name, Habit.LETS_RING)


# ---------------------------------------------------------------- ring-all


async def test_ring_all_one_takes_it_and_the_others_fall_silent(world: World) -> None:
    await world.open("ann bob cat", **RING_ALL)
    await let_ring(world, "ann", "bob", "cat")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann", "bob", "cat"})
    await world.pick_up("bob")
    await world.until(lambda: world.talking() == {caller: "bob"})
    await world.until(lambda: not world.ringing())
    await world.until(lambda: world.state("ann") == world.state("cat") == "available")
    assert world.misses() == {}
    assert sorted(world.rung()) == ["ann", "bob", "cat"]
    await world.hang_up(caller)
    await world.closed()


async def test_two_who_take_it_at_once_are_one(world: World) -> None:
    await world.open("ann bob", **RING_ALL)
    await let_ring(world, "ann", "bob")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann", "bob"})
    await world.pick_up("ann", "bob")
    await world.until(lambda: caller in world.talking())
    winner = world.talking()[caller]
    [loser] = {"ann", "bob"} - {winner}
    await world.until(lambda: world.state(loser) == "available")
    assert world.talking() == {caller: winner}
    assert world.misses() == {}
    assert world.outcomes() == [(loser, "lost")]
    # Who lost is rung for the next caller.
    other = await world.call()
    await world.until(lambda: world.ringing() == {loser})
    await world.pick_up(loser)
    await world.until(lambda: world.talking() == {caller: winner, other: loser})
    await world.hang_up(caller)
    await world.hang_up(other)
    await world.closed()


async def test_two_callers_ring_all_and_the_first_is_served_first(world: World) -> None:
    await world.open("ann bob", **RING_ALL)
    await let_ring(world, "ann", "bob")
    first = await world.call()
    await world.until(lambda: world.ringing() == {"ann", "bob"})
    second = await world.call()
    assert world.line() == [first, second]
    await world.pick_up("ann")
    await world.until(lambda: world.talking() == {first: "ann"})
    await world.until(lambda: world.rung().count("bob") == 2 and world.ringing() == {"bob"})
    await world.pick_up("bob")
    await world.until(lambda: world.talking() == {first: "ann", second: "bob"})
    await world.hang_up(first)
    await world.hang_up(second)
    await world.closed()


# ---------------------------------------------------------------- priority


async def test_priority_1_is_rung_first_and_alone(world: World) -> None:
    await world.open("ann bob cat", **FIRST_ANN)
    caller = await world.call()
    await world.until(lambda: world.talking() == {caller: "ann"})
    assert world.rung() == ["ann"]
    # While the first is busy, the second; and the third after that.
    second = await world.call()
    await world.until(lambda: world.talking() == {caller: "ann", second: "bob"})
    third = await world.call()
    await world.until(lambda: world.talking() == {caller: "ann", second: "bob", third: "cat"})
    assert world.rung() == ["ann", "bob", "cat"]
    for one in (caller, second, third):
        await world.hang_up(one)
    await world.closed()


async def test_whoever_becomes_free_takes_who_has_waited_longest(world: World) -> None:
    await world.open("ann")
    talking = await world.call()
    await world.until(lambda: world.talking() == {talking: "ann"})
    waiting = [await world.call(), await world.call()]
    assert world.line() == waiting
    await world.agent_hangs_up("ann")
    await world.until(lambda: world.talking() == {waiting[0]: "ann"})
    assert world.over(talking)
    await world.hang_up(waiting[0])
    await world.until(lambda: world.talking() == {waiting[1]: "ann"})
    await world.hang_up(waiting[1])
    await world.closed()


# ---------------------------------------------------------------- refusal, no answer, voicemail


async def test_a_refusal_rings_the_next_agent_and_is_no_miss(world: World) -> None:
    await world.open("ann bob", **FIRST_ANN)
    world.habit("ann", Habit.REFUSES)
    caller = await world.call()
    await world.until(lambda: world.talking() == {caller: "bob"}, within=10.0)
    assert world.rung() == ["ann", "bob"]
    assert world.outcomes() == [("ann", "declined")]
    assert world.misses() == {}
    assert not world.over(caller)
    await world.hang_up(caller)
    await world.closed()


async def test_nobody_answers_and_the_next_agent_is_rung(world: World) -> None:
    await world.open("ann bob", **FIRST_ANN, ring_for=4.0)
    await let_ring(world, "ann")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann"})
    await world.until(lambda: world.talking() == {caller: "bob"})
    assert world.ringing() == set()
    assert world.outcomes() == [("ann", "no answer")]
    assert world.misses() == {"ann": 1}
    await world.hang_up(caller)
    await world.closed()


async def test_missed_calls_in_a_row_pause_an_agent(world: World) -> None:
    await world.open("ann", ring_for=4.0, retry_after=0.5, auto_pause=2)
    await let_ring(world, "ann")
    caller = await world.call()
    await world.until(lambda: world.state("ann") == "paused")
    assert world.rung() == ["ann", "ann"]
    world.habit("ann", Habit.TAKES)
    world.post(Resumed(agent="ann"))
    await world.until(lambda: world.talking() == {caller: "ann"})
    await world.hang_up(caller)
    await world.closed()


async def test_key_1_takes_a_call_on_a_mobile(world: World) -> None:
    await world.open("ann bob", mobiles="ann", **FIRST_ANN)
    caller = await world.call()
    await world.until(lambda: world.talking() == {caller: "ann"})
    assert world.rung() == ["ann"]
    await world.agent_hangs_up("ann")
    await world.until(lambda: world.over(caller))
    await world.closed()


async def test_a_voicemail_gets_no_call_and_the_next_agent_is_rung(world: World) -> None:
    await world.open("ann bob", mobiles="ann", **FIRST_ANN)
    world.habit("ann", Habit.MACHINE)
    caller = await world.call()
    await world.until(lambda: bool(world.talking()), within=40.0)
    assert world.talking() == {caller: "bob"}
    assert world.rung() == ["ann", "bob"]
    assert world.outcomes() == [("ann", "lost")], "bob was rung while the voicemail was being asked"
    assert world.misses() == {}
    await world.hang_up(caller)
    await world.closed()


async def test_a_voicemail_is_asked_for_key_1_for_accept_within(world: World) -> None:
    await world.open("ann", mobiles="ann", **FIRST_ANN)
    world.habit("ann", Habit.MACHINE)
    caller = await world.call()
    await world.until(lambda: bool(world.outcomes()), within=40.0)
    assert world.outcomes() == [("ann", "not accepted")]
    assert world.misses() == {}
    await world.hang_up(caller)
    await world.closed()


async def test_key_1_long_after_a_screening_service_answered_takes_the_call(world: World) -> None:
    await world.open("ann bob", mobiles="ann", **FIRST_ANN)
    world.habit("ann", Habit.SCREENS)
    world.habit("bob", Habit.LETS_RING)
    caller = await world.call()
    await world.until(lambda: world.rung() == ["ann", "bob"])
    assert world.talking() == {}, "bob is rung while ann is still being asked"
    await world.until(lambda: world.talking() == {caller: "ann"}, within=40.0)
    await world.until(lambda: not world.ringing())
    assert world.outcomes() == [("bob", "lost")]
    assert world.misses() == {}
    await world.hang_up(caller)
    await world.closed()


async def test_a_desk_and_a_mobile_ring_together_and_only_one_talks(world: World) -> None:
    await world.open("ann bob", mobiles="ann", **RING_ALL)
    await let_ring(world, "ann", "bob")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann", "bob"})
    await world.pick_up("bob")
    await world.until(lambda: world.talking() == {caller: "bob"} and not world.ringing())
    assert world.misses() == {}
    await world.hang_up(caller)
    await world.closed()


# ---------------------------------------------------------------- who goes away


async def test_a_caller_who_gives_up_stops_every_phone(world: World) -> None:
    await world.open("ann bob", **RING_ALL)
    await let_ring(world, "ann", "bob")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann", "bob"})
    await world.hang_up(caller)
    await world.until(lambda: not world.ringing(), within=10.0)
    await world.until(lambda: world.state("ann") == world.state("bob") == "available")
    assert world.misses() == {}
    await world.closed()


async def test_a_caller_who_gives_up_makes_room_for_the_next(world: World) -> None:
    await world.open("ann")
    await let_ring(world, "ann")
    first = await world.call()
    second = await world.call()
    await world.until(lambda: world.ringing() == {"ann"})
    await world.hang_up(first)
    await world.until(lambda: world.rung() == ["ann", "ann"] and world.ringing() == {"ann"})
    await world.pick_up("ann")
    await world.until(lambda: world.talking() == {second: "ann"})
    await world.hang_up(second)
    await world.closed()


async def test_a_pause_while_it_rings_stops_the_phone_and_is_no_miss(world: World) -> None:
    await world.open("ann bob", **FIRST_ANN)
    await let_ring(world, "ann", "bob")
    caller = await world.call()
    await world.until(lambda: world.ringing() == {"ann"})
    world.post(PauseRequested(agent="ann", reason="lunch"))
    await world.until(lambda: world.ringing() == {"bob"}, within=10.0)
    assert world.state("ann") == "paused"
    assert world.misses() == {}
    await world.pick_up("bob")
    await world.until(lambda: world.talking() == {caller: "bob"})
    world.post(Resumed(agent="ann"))
    assert world.state("ann") == "available"
    await world.hang_up(caller)
    await world.closed()


async def test_a_pause_asked_for_in_a_talk_takes_effect_after_it(world: World) -> None:
    await world.open("ann bob", **FIRST_ANN)
    caller = await world.call()
    await world.until(lambda: world.talking() == {caller: "ann"})
    world.post(PauseRequested(agent="ann", reason="lunch"))
    assert world.state("ann") == "on-call"
    assert world.talking() == {caller: "ann"}
    await world.hang_up(caller)
    await world.until(lambda: world.state("ann") == "paused")
    following = await world.call()
    await world.until(lambda: world.talking() == {following: "bob"})
    await world.hang_up(following)
    await world.closed()


async def test_a_caller_who_has_waited_enough_is_let_go(world: World) -> None:
    await world.open("ann", max_wait=3.0, on_max_wait=HangUp())
    talking = await world.call()
    await world.until(lambda: world.talking() == {talking: "ann"})
    waiting = await world.call()
    await world.until(lambda: world.over(waiting))
    assert world.talking() == {talking: "ann"}
    await world.hang_up(talking)
    await world.closed()


async def test_a_supervisor_puts_a_caller_first(world: World) -> None:
    await world.open("ann")
    talking = await world.call()
    await world.until(lambda: world.talking() == {talking: "ann"})
    first, second = await world.call(), await world.call()
    [moved] = [one.id for one in world.router.floor.calls.values() if one.caller_number.lstrip("+") == second.lstrip("+")]  # fmt: skip
    world.post(CallMoveRequested(call=moved, priority=1))
    assert world.line() == [second, first]
    await world.agent_hangs_up("ann")
    await world.until(lambda: world.talking() == {second: "ann"})
    await world.hang_up(second)
    await world.until(lambda: world.talking() == {first: "ann"})
    await world.hang_up(first)
    await world.closed()


# ---------------------------------------------------------------- a new router


async def test_a_new_router_takes_up_who_talks_and_who_waits_in_order(world: World) -> None:
    await world.open("ann")
    talking = await world.call()
    await world.until(lambda: world.talking() == {talking: "ann"})
    waiting = []
    for _ in range(3):
        waiting.append(await world.call())
        await world.a_moment()
    assert world.line() == waiting
    await world.restart()
    await world.until(lambda: world.line() == waiting)
    assert world.talking() == {talking: "ann"}
    assert world.state("ann") == "on-call"
    assert world.rung() == ["ann"]
    await world.hang_up(waiting[1])
    await world.agent_hangs_up("ann")
    await world.until(lambda: world.talking() == {waiting[0]: "ann"})
    await world.agent_hangs_up("ann")
    await world.until(lambda: world.talking() == {waiting[2]: "ann"})
    await world.hang_up(waiting[2])
    await world.closed()


async def test_a_new_router_rings_for_who_was_waiting(world: World) -> None:
    await world.open("ann")
    world.post(PauseRequested(agent="ann"))
    waiting = await world.call()
    assert world.rung() == []
    await world.restart()
    await world.until(lambda: world.talking() == {waiting: "ann"})
    await world.hang_up(waiting)
    await world.closed()
