"""The router's clock and Asterisk's are an hour apart, and one of them is set: nobody's wait changes by that."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import CallLeftQueue
from tests.asterisk.floor import Floor, RingOnly, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

HOUR = 3600.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 1) as made:
        yield made


@pytest.mark.parametrize("before", [HOUR, -HOUR])
@pytest.mark.parametrize("after", [HOUR, 0.0, -HOUR])
async def test_a_wait_is_measured_by_one_clock(here: Floor, before: float, after: float) -> None:
    wall = time.time
    here.phone("1001").behaviour = RingOnly()
    with patch("time.time", lambda: wall() + before):
        await here.fresh(*staff(1), queues=[queue("support", ["a1"], max_wait=300.0)])
        here.phone("1001").behaviour = RingOnly()
        came = time.monotonic()
        caller = await here.call()
        await here.until(lambda: here.router.floor.calls)
        assert waits(here) == pytest.approx(time.monotonic() - came, abs=5)
        await caller.wait_heard("")
        await here.crash()
    with patch("time.time", lambda: wall() + after):
        await here.start()
        assert waits(here) == pytest.approx(time.monotonic() - came, abs=5)
        assert here.happened(CallLeftQueue) == []
        await caller.bye()
        await here.quiet()


def waits(here: Floor) -> float:
    """Seconds for which the caller has waited, as the router has it."""
    (call,) = here.router.floor.calls.values()
    return here.runtime.clock.now() - call.entered_at
