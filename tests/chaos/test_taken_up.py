"""The router is killed with fifty callers waiting: all are taken up again, or reach the fallback."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import Any

import pytest

from callrouter.lab import Answer, Install, Refuse, RingOnly
from tests.asterisk.floor import tell
from tests.chaos.account import by_router
from tests.chaos.centre import NIGHT, Centre, centre
from tests.chaos.people import Caller, Crowd, hang_up

pytestmark = [pytest.mark.asterisk, pytest.mark.chaos]

WAITING = 50
AGENTS = 10


async def line(here: Centre) -> list[dict[str, Any]]:
    """Who waits, in order, as the router has it."""
    queue = await here.router.ask("queues/support")
    return list(queue["waiting"])


async def entries(here: Centre) -> dict[str, str]:
    """When each call entered, as the router has it."""
    return {call["id"]: call["entered_at"] for call in await here.router.ask("calls")}


async def fifty(here: Centre) -> list[Caller]:
    """Fifty callers who hear music, and phones that do not answer."""
    crowd = Crowd(here, random.Random(1))
    crowd.patient = True
    callers = []
    for _ in range(WAITING):
        callers.append(await crowd.call())
        await asyncio.sleep(0.03)
    for caller in callers:
        caller.chat = None
        await caller.dialog.wait_heard("", within=10)
    async with asyncio.timeout(10):
        while len(await line(here)) < WAITING:
            await asyncio.sleep(0.1)
    return callers


@pytest.mark.timeout(180)
async def test_fifty_are_taken_up_in_their_order(install: Install) -> None:
    async with centre(install, AGENTS, random.Random(3)) as here:
        for phone in here.desks:
            phone.behaviour = RingOnly()
        callers = await fifty(here)
        before, entered = await line(here), await entries(here)
        await here.router.end(signal.SIGKILL)
        for phone in here.desks:  # what rang is quiet: the offers must come from the new router
            phone.behaviour = Answer(after=0.02, talk=1.3)
            for dialog in phone.dialogs:
                await dialog.refuse(480)
        rung = [len(phone.incoming) for phone in here.desks]
        await asyncio.sleep(3)
        await here.router.start()
        began = here.router.began
        await here.router.in_step()
        after, found = await line(here), await entries(here)
        async with asyncio.timeout(60):
            while any(not caller.partner for caller in callers):
                await asyncio.sleep(0.1)
        new = [
            dialog
            for phone, count in zip(here.desks, rung, strict=True)
            for dialog in phone.incoming[count:]
        ]
        new.sort(key=lambda dialog: dialog.invite_at)
        tell(f"first offer {new[0].invite_at - began:.2f} s after the start of the new process")
        served = list(dict.fromkeys(one.peer_number for one in new if one.answered_at))
        assert len(served) == WAITING
        assert all(by_router(dialog) for dialog in new)
        place = {caller.number: n for n, caller in enumerate(callers)}
        off = [abs(place[number] - n) for n, number in enumerate(served)]
        tell(f"{len(served)} of {WAITING} taken up; largest distance from their place: {max(off)}")
        # Ten phones are rung at once, and Asterisk's threads overtake each other on the way.
        assert max(off) < AGENTS
        assert [call["call"] for call in before][-len(after) :] == [call["call"] for call in after]
        assert {call: entered[call] for call in found} == found
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        assert await here.emptied() == []


@pytest.mark.timeout(180)
async def test_fifty_reach_the_fallback_when_no_router_comes_back(install: Install) -> None:
    async with centre(install, 3, random.Random(3)) as here:
        for phone in here.desks:
            phone.behaviour = RingOnly()
        here.lab[NIGHT].behaviour = Answer(after=0.05)
        callers = await fifty(here)
        await here.router.end(signal.SIGKILL)
        gone = time.monotonic()
        for phone in here.desks:
            phone.behaviour = Refuse(486)  # the fallback rings them, and goes on to its last step
            for dialog in phone.dialogs:
                await dialog.refuse(480)
        async with asyncio.timeout(90):  # no test fails on a time; the figure is told
            while any(caller.partner != NIGHT for caller in callers):
                await asyncio.sleep(0.1)
        times = sorted(caller.dialog.heard_since[NIGHT] - gone for caller in callers)
        tell(
            f"{len(times)} of {WAITING} at the end of the fallback, the first {times[0]:.1f} s and "
            f"the last {times[-1]:.1f} s after the router's death"
        )
        rung = sum(not by_router(one) for phone in here.desks for one in phone.incoming)
        assert rung > 0, "the devices that were here last are rung first"
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        assert await here.emptied() == []
