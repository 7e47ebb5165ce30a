"""The process stood still (SIGSTOP, a held-up loop): what had come meanwhile counts before deadlines."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.core.state import OfferState
from callrouter.model.events import (
    CallArrived,
    DeviceState,
    EndpointChanged,
    LegAccepted,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SignedIn,
    TimePassed,
)
from callrouter.runtime import CATCH_UP, Runtime
from tests.ami.fake import until
from tests.core.tables import agent, desk, queue, table

PBX = "office"


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def now(self) -> float:
        return self.at


class Running(Hand):
    """A clock that goes on each time it is read, as every real one does."""

    def now(self) -> float:
        self.at += 0.000_01
        return self.at


class Mute:
    """A PBX that says nothing by itself."""

    name = PBX

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def ringing(clock: Hand | None = None) -> tuple[Runtime, Hand]:
    """Ann's phone rings for a caller, for five seconds at most."""
    clock = clock or Hand()
    rules = queue("q", "ann bob", ring_for=5, auto_pause=1)
    router = Router(
        table(agent("ann", desk("ann")), agent("bob", desk("bob")), rules),
        rng=random.Random(1),
        run_id="b",
        now=clock.at,
    )
    runtime = Runtime(router, clock)
    runtime.attach(Mute())
    runtime.post(PbxSnapshot(pbx=PBX, endpoints={"PJSIP/ann": DeviceState.IDLE}))
    runtime.post(SignedIn(agent="ann"))
    runtime.post(CallArrived(call="c1", pbx=PBX, queue="q"))
    return runtime, clock


def bob_comes_while_we_stand_still(clock: Hand | None = None) -> tuple[Runtime, Hand]:
    """ann is busy, and he signs in, before the socket has been read."""
    runtime, clock = ringing(clock)
    (first,) = runtime.router.floor.offers.values()
    runtime.post(EndpointChanged(pbx=PBX, endpoint="PJSIP/bob", state=DeviceState.IDLE))
    clock.at += 9
    runtime.post(TimePassed())
    runtime.post(LegEnded(offer=first.id, device="desk", why=LegEnd.BUSY))
    runtime.post(SignedIn(agent="bob"))
    return runtime, clock


async def test_who_picked_up_while_we_stood_still_is_not_too_late() -> None:
    runtime, clock = ringing()
    (offer,) = runtime.router.floor.offers.values()
    clock.at += 9  # SIGSTOP, SIGCONT; the socket holds what the phone did after two seconds
    runtime.post(TimePassed())
    assert offer.state.value == "ringing"
    runtime.post(LegAccepted(offer=offer.id, device="desk"))
    assert offer.state.value == "accepted"
    await until(lambda: runtime.router.floor.now == clock.at)  # then time goes on
    assert runtime.router.floor.agents["ann"].misses == 0
    runtime.close()


async def test_who_did_not_pick_up_has_missed_the_call_a_moment_later() -> None:
    runtime, clock = ringing()
    (offer,) = runtime.router.floor.offers.values()
    clock.at += 9
    runtime.post(TimePassed())
    await until(lambda: offer.state is not OfferState.RINGING)
    assert runtime.router.floor.now == clock.at
    runtime.close()


async def test_nobody_is_rung_before_all_that_came_meanwhile_was_read() -> None:
    runtime, clock = bob_comes_while_we_stand_still()
    assert not runtime.router.floor.offers
    runtime.post(EndpointChanged(pbx=PBX, endpoint="PJSIP/bob", state=DeviceState.IN_USE))
    await until(lambda: runtime.router.floor.now == clock.at)
    assert not [offer for offer in runtime.router.floor.offers.values() if offer.agent.id == "bob"]
    runtime.close()


async def test_a_phone_that_begins_to_ring_then_has_all_its_time() -> None:
    runtime, clock = bob_comes_while_we_stand_still()
    await until(lambda: runtime.router.floor.now == clock.at)
    (second,) = runtime.router.floor.offers.values()
    assert second.state is OfferState.RINGING, "not missed in the very moment in which it was rung"
    clock.at += 4.9
    runtime.post(TimePassed())
    assert second.state is OfferState.RINGING
    runtime.close()


@pytest.mark.parametrize("seconds", [9.0, 60.0, 3600.0])
async def test_agents_are_matched_when_time_goes_on_by_a_clock_that_runs(seconds: float) -> None:
    runtime, clock = bob_comes_while_we_stand_still(Running())
    clock.at += seconds - 9.0
    await until(lambda: not runtime.catching_up)
    floor = runtime.router.floor
    assert floor.clock_now == floor.now
    assert check(floor) == []
    assert [offer.agent.id for offer in floor.offers.values()] == ["bob"]
    runtime.close()


async def test_a_listener_that_posts_while_time_goes_on_is_of_the_present_too() -> None:
    runtime, _ = ringing(clock := Running())
    clock.at += 60.0
    runtime.post(TimePassed())
    runtime.listen(lambda _: runtime.post(TimePassed()) if runtime.handled < 50 else None)
    await until(lambda: not runtime.catching_up)
    assert runtime.router.floor.clock_now == runtime.router.floor.now
    assert check(runtime.router.floor) == []
    runtime.close()


async def test_a_runtime_that_is_closed_then_shows_no_broken_invariant() -> None:
    runtime, _ = bob_comes_while_we_stand_still()
    runtime.close()
    await asyncio.sleep(CATCH_UP + 0.05)
    assert check(runtime.router.floor) != []
    assert runtime.catching_up, "the self-check leaves it alone"
