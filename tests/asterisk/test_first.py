from __future__ import annotations

import pytest

from callrouter.lab import Install
from callrouter.model.call_notices import CallCompleted
from tests.asterisk.floor import Answer, floor, queue, staff, table

pytestmark = pytest.mark.asterisk


async def test_a_call_is_routed(install: Install) -> None:
    async with floor(install, table(staff(2), queue("support", ["a1", "a2"]))) as here:
        here.phone("1001").behaviour = Answer(after=0.2)
        caller = await here.call()
        agent = await here.phone("1001").wait_incoming()
        await caller.wait_heard("1001")
        await agent.wait_heard("caller")
        assert len(here.phone("1002").incoming) == 0
        await caller.bye()
        await here.quiet()
        assert len(here.happened(CallCompleted)) == 1
