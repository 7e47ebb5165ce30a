"""Private calls and registrations: what a phone does that has nothing to do with us."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.core.agents.unavailability_text import why_not
from callrouter.lab import Install
from callrouter.model.events import PhoneFreed
from tests.asterisk.floor import Floor, RingOnly, queue, staff, stage, tell

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

FIRST_1 = {"a1": 1, "a2": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


async def two(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", FIRST_1, policy=("priority",))])


async def test_AST_78_BT_18_a_phone_in_a_private_call_is_not_rung(here: Floor) -> None:
    await two(here)
    private = await here.phone("1001").call("1003")  # before the call, and before any answer
    await here.until(lambda: here.state("a1") == "on-call")
    caller = await here.call()
    await caller.wait_heard("1002")
    assert not here.phone("1001").incoming
    await private.wait_heard("1003")
    await caller.bye()
    await private.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_a_phone_that_is_called_privately_is_busy(here: Floor) -> None:
    await two(here)
    here.phone("1001").behaviour = RingOnly()
    private = await here.phone("1003").call("1001")
    await here.until(lambda: here.state("a1") == "on-call")
    caller = await here.call()
    await caller.wait_heard("1002")
    assert len(here.phone("1001").incoming) == 1
    await private.cancel()
    await caller.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_AST_78_a_private_call_from_before_the_router_started(here: Floor) -> None:
    await two(here)
    private = await here.phone("1001").call("1003")
    await private.wait_heard("1003")
    await here.crash()
    await here.start()
    assert here.state("a1") == "on-call"
    caller = await here.call()
    await caller.wait_heard("1002")
    await private.bye()
    await here.until(lambda: here.free("a1"))
    await caller.bye()
    await here.quiet()


async def test_an_agent_who_calls_a_queue_is_not_rung_for_it(here: Floor) -> None:
    await two(here)
    mine = await here.phone("1001").call("support")
    if await here.channels():
        await here.until(lambda: here.state("a1") == "on-call", 1)
    await mine.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_OA_04_a_phone_registers_anew_while_it_rings(here: Floor) -> None:
    await two(here)
    phone = here.phone("1001")
    phone.behaviour = RingOnly()
    caller = await here.call()
    ringing = await phone.wait_incoming()
    await phone.register()
    await ringing.answer()
    await caller.wait_heard("1001")
    await caller.bye()
    await here.quiet()
    assert here.router.floor.agents["a1"].misses == 0


async def test_a_phone_that_registers_is_rung_at_once(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    phone = here.phone("1001")
    await phone.unregister()
    await here.until(lambda: here.state("a1") == "offline")
    caller = await here.call()
    await caller.wait_heard("")
    assert not phone.incoming
    await phone.register()
    await here.until(lambda: here.state("a1") != "offline", 2)
    rung = await phone.wait_incoming(within=1.0)
    tell(f"INVITE {(rung.invite_at - caller.invite_at) * 1000:.0f} ms after the caller came")
    await caller.wait_heard("1001")
    await caller.bye()
    await here.quiet()


async def test_a_call_that_was_left_behind_is_named_and_can_be_taken_as_none(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    left = await here.phone("1001").call("1002")
    await here.until(lambda: here.state("a1") == "on-call")
    agent = here.router.floor.agents["a1"]
    [why] = why_not(here.router.floor, agent)
    assert why.startswith("in a private call on desk (PJSIP/1001-")
    here.post(PhoneFreed(agent="a1", by="sam"))
    await here.until(lambda: here.free("a1"))
    here.pbx.resync("a test")  # a comparison does not bring it back
    await here.until(lambda: here.pbx._resync._task is None or here.pbx._resync._task.done())
    assert here.free("a1")
    another = await here.phone("1001").call("1002")
    await here.until(lambda: here.state("a1") == "on-call", 3.0)
    await another.bye()
    await here.until(lambda: here.free("a1"), 3.0)
    caller = await here.call()
    await caller.wait_heard("1001")
    await caller.bye()
    await left.bye()
    await here.quiet()
