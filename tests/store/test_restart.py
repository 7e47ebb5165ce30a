"""What a restart keeps, on a virtual clock."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Ring
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectSucceeded,
    LegAccepted,
    LegEnd,
    LegEnded,
    PauseRequested,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
)
from callrouter.model.routing_table import Table
from callrouter.store.location import Place
from tests.core.tables import always, queue, table
from tests.store.world import T0, Clock, World, running

TWO = table(queue("q", "ann bob", wrap_up=30.0))


def rung(world: World) -> Ring:
    (ring,) = [item for item in world.pbx.commands if isinstance(item, Ring)]
    return ring


def shown(world: World) -> AgentState:
    return world.agent("ann").status.state


def talk(world: World) -> Ring:
    world.post(CallArrived(call="c1", pbx="office", queue="q"))
    ring = rung(world)
    world.post(LegAccepted(offer=ring.offer, device=ring.device))
    world.post(ConnectSucceeded(call="c1", offer=ring.offer))
    return ring


def hang_up(world: World, ring: Ring) -> None:
    world.post(CallerLeft(call=ring.call))
    world.post(LegEnded(offer=ring.offer, device=ring.device, why=LegEnd.HUNG_UP))


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
async def test_what_another_router_has_stored_counts_by_the_clock_of_this_one(
    place: Place, ahead: float
) -> None:
    """Its clock may be an hour off. It is stored so that the next one finds it by this clock."""
    async with running(TWO, place, Clock(T0 + ahead)) as world:
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"), PauseRequested(agent="bob"))
        world.connect()
        hang_up(world, talk(world))
        assert shown(world) is AgentState.WRAP_UP
    for here, clock_ahead in ((T0 + 5, ahead), (T0 + 8, 0.0)):
        async with running(TWO, place, Clock(here), ahead=clock_ahead) as world:
            world.connect()
            assert world.agent("bob").paused_at == T0
            assert world.agent("bob").since == T0
            assert shown(world) is AgentState.WRAP_UP
            assert world.agent("ann").wrap_until == T0 + 30.0


async def test_the_first_start_makes_the_file(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        assert not world.agent("ann").signed_in
        assert world.store.status() == {
            "state": "good", "database": str(place), "problem": None, "unsaved": 0, "lost": 0,
        }  # fmt: skip


async def test_sign_in_and_pause(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"))
        clock.at += 60
        world.post(PauseRequested(agent="bob", reason="Mittag \N{HOT BEVERAGE}"))
    clock.at += 600
    async with running(TWO, place, clock) as world:
        ann, bob = world.agent("ann"), world.agent("bob")
        assert (ann.signed_in, ann.pause, ann.signed_in_at, ann.idle_since) == (True, None, T0, T0)
        assert (bob.pause, bob.paused_at) == ("Mittag \N{HOT BEVERAGE}", T0 + 60)
        assert world.router.floor.queues["q"].members_present == 1
        world.post(Resumed(agent="bob"), SignedOut(agent="ann"))
    async with running(TWO, place, clock) as world:
        assert not world.agent("ann").signed_in
        assert world.agent("bob").pause is None
        assert world.agent("bob").idle_since == clock.at


async def test_who_was_idle_longest_still_is(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="bob"))
        clock.at += 5
        world.post(SignedIn(agent="ann"))
    clock.at += 5
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(CallArrived(call="c1", pbx="office", queue="q"))
        assert rung(world).agent == "bob"


async def test_a_wrap_up_ends_when_it_would_have(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        ring = talk(world)
        clock.at += 10
        hang_up(world, ring)
        assert world.agent("ann").wrap_until == T0 + 40
    clock.at += 20
    async with running(TWO, place, clock) as world:
        world.connect()
        ann = world.agent("ann")
        assert (ann.wrap_until, ann.wrap_queue, ann.calls) == (T0 + 40, "q", 1)
        member = ann.memberships["q"]
        assert (member.calls, member.talk) == (1, 10.0)
        clock.at = T0 + 39.9
        world.post(TimePassed())
        assert shown(world) is AgentState.WRAP_UP
        clock.at = T0 + 40
        world.post(TimePassed())
        assert shown(world) is AgentState.AVAILABLE
        assert ann.idle_since == T0 + 40


async def test_a_wrap_up_that_ended_meanwhile_is_over(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        ring = talk(world)
        clock.at += 10
        hang_up(world, ring)
    clock.at += 1000
    async with running(TWO, place, clock) as world:
        ann = world.agent("ann")
        assert ann.wrap_until is None
        assert ann.idle_since == T0 + 40


async def test_ready_is_kept(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        ring = talk(world)
        clock.at += 10
        hang_up(world, ring)
        world.post(ReadyPressed(agent="ann"))
    async with running(TWO, place, clock) as world:
        assert world.agent("ann").wrap_until is None


async def test_what_was_asked_for_during_a_call_is_kept(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        talk(world)
        world.post(PauseRequested(agent="ann", reason="lunch"))
    async with running(TWO, place, clock) as world:
        assert world.agent("ann").pause == "lunch"
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(Resumed(agent="ann"))
        talk(world)
        world.post(SignedOut(agent="ann"))
    async with running(TWO, place, clock) as world:
        assert not world.agent("ann").signed_in


async def test_who_was_in_a_talk_is_not_the_longest_idle(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        clock.at += 50
        world.post(SignedIn(agent="bob"))
        clock.at += 50
        assert talk(world).agent == "ann"
    async with running(TWO, place, clock) as world:
        assert world.agent("ann").idle_since == T0 + 100
        assert world.agent("bob").idle_since == T0 + 50


async def test_an_agent_of_sign_in_always(place: Place, clock: Clock) -> None:
    both = table(always("ann"), queue("q", "ann bob"))
    async with running(both, place, clock) as world:
        world.post(PauseRequested(agent="ann", reason="tea"))
    clock.at += 5
    async with running(both, place, clock) as world:
        ann = world.agent("ann")
        assert (ann.signed_in, ann.signed_in_at, ann.pause) == (True, T0, "tea")
    async with running(TWO, place, clock) as world:
        world.post(SignedOut(agent="ann"))
    async with running(both, place, clock) as world:
        assert world.agent("ann").signed_in


async def test_calls_count_for_the_day_of_the_configured_zone(place: Place, clock: Clock) -> None:
    def zoned(hours: int) -> Table:
        zone = timezone(timedelta(hours=hours))
        return Table(agents=TWO.agents, queues=TWO.queues, zone=zone)

    async with running(zoned(0), place, clock) as world:
        world.connect()
        world.post(SignedIn(agent="ann"))
        ring = talk(world)
        clock.at += 10
        hang_up(world, ring)
    clock.at += 3600  # 22:53 UTC
    async with running(zoned(0), place, clock) as world:
        assert world.agent("ann").calls == 1
    async with running(zoned(2), place, clock) as world:
        assert world.agent("ann").calls == 0, "there it is tomorrow"


async def test_who_left_the_configuration_does_not_come_back_signed_in(
    place: Place, clock: Clock
) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
    async with running(table(queue("q", "bob")), place, clock):
        pass
    async with running(TWO, place, clock) as world:
        assert not world.agent("ann").signed_in


async def test_a_clock_that_went_back(place: Place, clock: Clock) -> None:
    async with running(TWO, place, clock) as world:
        world.post(SignedIn(agent="ann"))
    clock.at -= 1000
    async with running(TWO, place, clock) as world:
        assert world.agent("ann").idle_since == clock.at
        assert world.agent("ann").signed_in_at == clock.at
