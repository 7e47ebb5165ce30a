"""What waiting callers hear of their place and of how long it takes, and what breaks it off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import ConversationStarted
from callrouter.model.routing_table import AnnounceSpec, KeepWaiting
from tests.asterisk.ear import Ear
from tests.asterisk.floor import Answer, Floor, RingOnly, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

BOTH = AnnounceSpec(position=True, estimate=True, every=600.0)
NEXT = ["queue-youarenext", "queue-thankyou"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2) as made:
        yield made


async def waiting_room(here: Floor, **changes: object) -> None:
    """A queue whose only agent lets it ring."""
    rules = {"announce": BOTH, "ring_for": 60.0, "on_nobody": KeepWaiting(), **changes}
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], **rules)])
    here.phone("1001").behaviour = RingOnly()


async def test_callers_hear_their_place_and_who_is_next_is_told_so(here: Floor) -> None:
    await waiting_room(here)
    ear = Ear(here)
    first = await here.call()
    await here.until(lambda: len(here.router.floor.calls) == 1)
    second = await here.call()
    wanted = ["queue-thereare", "digits/2", "queue-callswaiting", "queue-thankyou"]
    await here.until(lambda: len(ear.heard("caller")) == len(NEXT + wanted), 30)
    # Each is told in a turn of their own music, so either may be the first.
    assert sorted(ear.by_call("caller")) == sorted([NEXT, wanted])
    # They are where they were: in the waiting room, with music, and in the router's hands.
    await asyncio.sleep(3.0)
    assert here.pbx.health().drift == 0
    assert [call.state.value for call in here.router.floor.calls.values()] == ["waiting"] * 2
    await second.bye()
    await first.bye()
    await here.quiet()


async def test_the_estimate_is_told_once_there_is_one(here: Floor) -> None:
    await waiting_room(here)
    here.router.floor.queues["support"].advances.extend([150.0] * 3)
    ear = Ear(here)
    caller = await here.call()
    await here.until(lambda: ear.heard("caller")[-1:] == ["queue-thankyou"], 30)
    minutes = ["queue-holdtime", "digits/3", "queue-minutes"]
    assert ear.heard("caller") == [NEXT[0], *minutes, NEXT[1]]
    await caller.bye()
    await here.quiet()


async def test_an_agent_who_accepts_breaks_the_announcement_off(here: Floor) -> None:
    await waiting_room(here)
    here.router.floor.queues["support"].advances.extend([150.0] * 3)
    ear = Ear(here)
    caller = await here.call()
    agent = await here.phone("1001").wait_incoming()
    await here.until(lambda: ear.heard("caller")[:1] == NEXT[:1], 30)
    begun = time.monotonic()
    await agent.answer()
    await here.until(lambda: here.happened(ConversationStarted))
    took = time.monotonic() - begun
    await caller.wait_heard("1001")
    assert ear.heard("caller") == [NEXT[0]], f"it went on; connected after {took:.2f} s"
    await asyncio.sleep(1.2)
    await caller.bye()
    await here.quiet()


async def test_a_queue_that_announces_nothing_plays_nothing(here: Floor) -> None:
    await waiting_room(here, announce=None)
    ear = Ear(here)
    caller = await here.call()
    await asyncio.sleep(8.0)
    assert ear.heard("caller") == []
    here.phone("1001").behaviour = Answer()
    await caller.bye()
    await here.quiet()
