"""Callers who hang up at every possible moment: nobody stays reserved, no phone rings on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    ConversationStarted,
)
from tests.asterisk.floor import Answer, Dialog, Floor, RingOnly, queue, staff, stage, tell
from tests.noise import noise

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

STEPS = [n * 0.005 for n in range(41)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2) as made:
        yield made


async def all_free(here: Floor, since: float) -> float:
    """Wait until nobody is reserved any more; how long that took, but for stops of the machine."""
    floor, still = here.router.floor, noise()
    await here.until(lambda: not floor.calls and not floor.offers)
    took = time.monotonic() - since
    await here.until(lambda: here.free("a1") and here.free("a2"))
    for name in ("1001", "1002"):
        await here.until(lambda name=name: not here.phone(name).dialogs)  # type: ignore[misc]
    return took - noise(still)


async def hang_up(caller: Dialog) -> float:
    await caller.bye()
    return time.monotonic()


@pytest.mark.timeout(90)
async def test_OT_10_OT_13_BT_13_the_caller_hangs_up_0_to_200_ms_after_entering(
    here: Floor,
) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"], at_once=None)])
    for name in ("1001", "1002"):
        here.phone(name).behaviour = RingOnly()
    longest = 0.0
    for step in STEPS:
        caller = await here.call()
        await asyncio.sleep(step)
        longest = max(longest, await all_free(here, await hang_up(caller)))
    await here.quiet()
    tell(f"free again {longest * 1000:.0f} ms after the caller left at the latest")
    assert longest < 0.5
    assert not here.happened(ConversationStarted)
    ended = here.happened(CallAbandoned)
    assert len(ended) == len(here.happened(CallEntered))


@pytest.mark.timeout(120)
async def test_WZC_02_the_caller_hangs_up_around_the_answer(here: Floor) -> None:
    """From 60 ms before the agent's 200 to 140 ms after it: through accept and connect."""
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    longest = 0.0
    for number, step in enumerate(STEPS, 1):
        caller = await here.call()
        leg = await here.phone("1001").wait_incoming(number)
        leg.ring()
        await caller.wait_up()
        answer = asyncio.get_running_loop().call_later(
            0.06,
            lambda leg=leg: asyncio.ensure_future(leg.answer()),  # type: ignore[misc]
        )
        await asyncio.sleep(step)
        left = await hang_up(caller)
        longest = max(longest, await all_free(here, left))
        answer.cancel()
    await here.quiet()
    tell(f"agent free {longest * 1000:.0f} ms after the caller left at the latest")
    assert longest < 1.0
    ended = {*here.happened(CallAbandoned), *here.happened(CallCompleted)}
    assert len(ended) == len(STEPS)
    assert here.router.floor.agents["a1"].misses == 0


@pytest.mark.timeout(60)
async def test_WZC_02_bye_and_answer_cross(here: Floor) -> None:
    """The caller's BYE and the agent's 200 in the same moment: a tone, and free within a second."""
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], wrap_up=30.0)])
    here.phone("1001").behaviour = RingOnly()
    for number in range(1, 11):
        caller = await here.call()
        leg = await here.phone("1001").wait_incoming(number)
        leg.ring()
        await caller.wait_up()
        still = noise()
        await asyncio.gather(leg.answer(), caller.bye())
        answered = time.monotonic()
        await leg.wait_ended(5.0)
        assert leg.ended_at is not None
        assert leg.ended_at - answered < 1.0 + noise(still)
        await here.until(lambda: not here.router.floor.offers)
        if here.happened(ConversationStarted):
            break  # they did talk, for a moment; wrap-up follows by right
        assert here.free("a1")
        assert len(here.happened(CallAbandoned)) == number
    await here.quiet()


async def test_who_just_picked_up_hears_that_the_caller_has_gone(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    heard = 0
    for number in range(1, 16):
        caller = await here.call()
        leg = await here.phone("1001").wait_incoming(number)
        leg.ring()
        await caller.wait_up()
        await asyncio.gather(caller.bye(), leg.answer())
        await leg.wait_ended(5)
        heard += leg.heard_other_audio
        await here.until(lambda: here.free("a1"))
    await here.quiet()
    tell(f"{heard} of 15 heard a tone; the others were connected or cancelled")


async def test_two_hang_up_one_right_after_the_other(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = Answer(after=0.15)
    first = await here.call()
    await here.until(lambda: here.router.floor.calls)
    second = await here.call()
    await first.wait_heard("1001")
    await first.bye()
    await here.phone("1001").wait_incoming(2)
    await second.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()
