"""Agents who are signed in while none of their phones is plugged in keep no caller waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import CallLeftQueue
from callrouter.model.routing_table import HangUp
from tests.asterisk.floor import Floor, RingOnly, desk, person, queue, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2) as made:
        yield made


async def test_a_desk_that_is_unplugged_while_the_caller_waits(here: Floor) -> None:
    rules = queue("support", ["a1"], on_nobody=HangUp(), nobody_after=2.0, ring_for=60.0)
    await here.fresh(person("a1", desk("a1", "1001")), queues=[rules])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    ringing = await here.phone("1001").wait_incoming()
    await here.phone("1001").unregister()
    await ringing.refuse(480)
    await here.until(lambda: here.router.floor.queues["support"].unstaffed_since)
    await caller.wait_ended(8)
    [left] = here.happened(CallLeftQueue)
    assert left.result.value == "nobody"
    await here.phone("1001").register()
    await here.until(lambda: here.free("a1"))
    again = await here.call()
    await here.phone("1001").wait_incoming(2)
    await again.bye()
    await here.quiet()
