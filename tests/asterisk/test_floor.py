"""The stage of the tests with real calls: an Asterisk that has crashed ends one test and not those after it."""

from __future__ import annotations

import asyncio

import pytest

from callrouter.lab import Install
from tests.asterisk.floor import queue, staff, stage

pytestmark = pytest.mark.asterisk


async def test_the_next_test_has_an_asterisk_again(install: Install) -> None:
    async with stage(install, 1) as here:
        await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
        here.lab.asterisk.kill()
        while here.lab.asterisk.pid is not None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
        await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
        caller = await here.call()
        await caller.wait_heard("1001")
        await caller.bye()
        await here.quiet()
