"""Asterisk answers Success and does not do it: the router notices within two seconds, and mends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import AnswerThenBye, Install
from callrouter.model.call_notices import (
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallRequeued,
)
from callrouter.model.routing_table import ToDialplan
from tests.asterisk import second
from tests.asterisk.floor import DIALPLAN, Dialog, Floor, RingOnly, queue, staff, stage
from tests.asterisk.proxy import Proxy, proxy

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

AFTER = """
[callrouter-fallback-user]
exten => s,1,Wait(60)
[after]
exten => s,1,Wait(60)
[once-more]
exten => s,1,Wait(0.9)
 same => n,Goto(callrouter,sales,1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2, dialplan=DIALPLAN + AFTER) as made:
        yield made


class Lost:
    """The first `count` redirects to a context are lost."""

    def __init__(self, context: str, count: int = 1) -> None:
        self.context, self.count = f"Context: {context}".encode(), count
        self.lost = 0

    def __call__(self, action: bytes) -> bool:
        found = b"Action: Redirect" in action and self.context in action.split(b"\r\n")
        self.lost += found
        return found and self.lost <= self.count


async def behind(here: Floor, between: tuple[Proxy, int], lost: Lost, **rules: object) -> None:
    """The router reaches Asterisk through a proxy that loses some orders."""
    made, here.port = between
    try:
        await here.fresh(*staff(2), queues=[queue("support", ["a1"], **rules)])
    finally:
        here.port = 0
    made.swallow = lost


async def context(here: Floor) -> str:
    line = next(line for line in await here.channels() if "/caller-" in line)
    return line.split("!")[1]


async def reaches(here: Floor, wanted: str, within: float) -> float:
    """Wait until the caller is in a context; how long that took, in seconds."""
    begun = time.monotonic()
    while await context(here) != wanted:
        assert time.monotonic() < begun + within, f"not in {wanted} after {within} s"
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


async def gone(here: Floor, caller: Dialog) -> None:
    await caller.bye()
    await here.crash()  # before the proxy goes


@pytest.mark.parametrize("times", [1, 2])
async def test_a_caller_who_was_to_leave_is_sent_again(here: Floor, times: int) -> None:
    async with proxy(here.lab.asterisk.ami_port) as between:
        rules = {"max_wait": 0.5, "ring_for": 1.0, "on_max_wait": ToDialplan("after", "s")}
        lost = Lost("callrouter-leave", times)
        await behind(here, between, lost, **rules)
        here.phone("1001").behaviour = RingOnly()
        caller = await here.call()
        await here.until(lambda: here.happened(CallLeftQueue))
        assert await reaches(here, "after", 2.0 * times) > 0.5
        assert lost.lost == times + 1
        await gone(here, caller)


async def test_a_connect_that_was_lost_is_ordered_again(here: Floor) -> None:
    async with proxy(here.lab.asterisk.ami_port) as between:
        lost = Lost("callrouter-connect")
        await behind(here, between, lost)
        caller = await here.call()
        await caller.wait_heard("1001", within=4.0)
        assert lost.lost == 2
        assert len(here.phone("1001").incoming) == 1
        assert here.outcomes() == []
        await gone(here, caller)


async def test_a_caller_who_was_to_wait_again_is_sent_again(here: Floor) -> None:
    async with proxy(here.lab.asterisk.ami_port) as between:
        lost = Lost("callrouter-again")
        await behind(here, between, lost)
        here.phone("1001").behaviour = AnswerThenBye(after=0.1, talk_s=0.1)
        caller = await here.call()
        await here.until(lambda: here.happened(CallRequeued))
        await reaches(here, "callrouter-hold", 2.0)
        await asyncio.sleep(0.5)
        assert here.router.floor.calls
        await gone(here, caller)


async def test_one_who_has_gone_on_since_is_left_alone(here: Floor) -> None:
    """The order was lost, and before that was noticed another program moved the caller."""
    async with proxy(here.lab.asterisk.ami_port) as between:
        rules = {"max_wait": 0.5, "ring_for": 1.0, "on_max_wait": ToDialplan("after", "s")}
        lost = Lost("callrouter-leave")
        await behind(here, between, lost, **rules)
        here.phone("1001").behaviour = RingOnly()
        caller = await here.call()
        await here.until(lambda: here.happened(CallLeftQueue))
        line = next(line for line in await here.channels() if "/caller-" in line)
        await _takes(here, line.partition("!")[0])
        await asyncio.sleep(2.5)
        assert lost.lost == 1
        assert await context(here) == "callrouter-fallback-user"
        await gone(here, caller)


async def test_a_caller_who_left_and_is_back_a_second_later_is_not_sent_away_again(
    here: Floor,
) -> None:
    """The event that says so comes a moment after the check whether the caller has left."""
    came = 0

    def late(event: bytes) -> float:
        nonlocal came
        came += b"UserEvent: CallrouterCall" in event
        return 0.25 if came == 2 and b"UserEvent: CallrouterCall" in event else 0.0

    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        between.late, here.port = late, port
        away = {"max_wait": 0.5, "on_max_wait": ToDialplan("once-more", "s")}
        queues = [queue("support", ["a1"], **away), queue("sales", ["a2"])]
        await here.fresh(*staff(2), queues=queues)
        here.port = 0
        for name in ("1001", "1002"):
            here.phone(name).behaviour = RingOnly()
        caller = await here.call()
        await here.until(lambda: len(here.happened(CallEntered)) == 2)
        assert [notice.queue for notice in here.happened(CallEntered)] == ["support", "sales"]
        await asyncio.sleep(2.5)
        assert not here.happened(CallMovedAway)
        assert len(here.happened(CallEntered)) == 2
        assert await context(here) == "callrouter-hold"
        await gone(here, caller)


async def _takes(here: Floor, name: str) -> None:
    where = {"Context": "callrouter-fallback-user", "Exten": "s", "Priority": "1"}
    await second.order(here.lab.asterisk.ami_port, "Redirect", Channel=name, **where)
