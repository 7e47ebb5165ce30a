"""The way back belongs to the entry: a Gosub of an earlier one is not returned behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install, Refuse
from callrouter.model.call_notices import CallLeftQueue, ConversationStarted
from tests.asterisk.floor import DIALPLAN, Dialog, Floor, RingOnly, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LAB_IN = """
exten => 6001,1,Gosub(callrouter,support,1)
 same => n,Set(GLOBAL(BEHIND)=first ${CALLROUTER_RESULT})
 same => n,Wait(60)
exten => 6002,1,Gosub(callrouter,support,1)
 same => n,Gosub(callrouter,sales,1)
 same => n,Set(GLOBAL(BEHIND)=second ${CALLROUTER_RESULT})
 same => n,Wait(60)
"""
PHONES = """
[lab-phones](+)
exten => 8001,1,Goto(callrouter,sales,1)
exten => 8002,1,Gosub(callrouter,sales,1)
 same => n,Set(GLOBAL(BEHIND)=own ${CALLROUTER_RESULT})
 same => n,Wait(60)
exten => 8003,1,Goto(callrouter,day,1)
[callrouter-fallback-user]
exten => day,1,Gosub(callrouter,night,1)
 same => n,Set(GLOBAL(BEHIND)=night ${CALLROUTER_RESULT})
 same => n,Wait(60)
exten => _s[a-z]!,1,Set(GLOBAL(BEHIND)=fallback ${CALLROUTER_RESULT})
 same => n,Wait(60)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2, dialplan=DIALPLAN + PHONES, lab_in=LAB_IN) as made:
        yield made


async def talk(here: Floor, number: str = "6001") -> tuple[Dialog, Dialog]:
    """A caller who came by Gosub talks to a1; in sales a2's phone rings in vain."""
    sales = queue("sales", ["a2"], max_wait=0.5, ring_for=1.0)
    await here.fresh(*staff(2), queues=[queue("support", ["a1"]), sales])
    here.phone("1002").behaviour = RingOnly()
    await here.lab.asterisk.cli("dialplan set global BEHIND nothing")
    return await here.talk(number)


async def behind(here: Floor) -> str:
    """Where the caller has come to, and with what result."""
    await here.until(lambda: here.happened(CallLeftQueue))
    return await set_behind(here)


async def set_behind(here: Floor) -> str:
    for _ in range(200):
        text = await here.lab.asterisk.cli("dialplan show globals")
        line = next(line for line in text.splitlines() if "BEHIND" in line)
        if "nothing" not in line:
            return line.partition("=")[2].strip()
        await asyncio.sleep(0.05)
    raise AssertionError("nowhere")


async def test_a_transfer_to_a_goto_does_not_return_behind_the_first_gosub(here: Floor) -> None:
    caller, agent = await talk(here)
    assert await agent.blind_transfer("8001") < 300
    assert await behind(here) == "fallback timeout"
    await caller.bye()
    await here.quiet()


async def test_a_transfer_to_a_gosub_returns_behind_its_own(here: Floor) -> None:
    caller, agent = await talk(here)
    assert await agent.blind_transfer("8002") < 300
    assert await behind(here) == "own timeout"
    await caller.bye()
    await here.quiet()


async def test_one_gosub_after_another_returns_behind_each(here: Floor) -> None:
    caller, agent = await talk(here, "6002")
    await agent.bye()
    assert await behind(here) == "second timeout"
    await caller.bye()
    await here.quiet()


async def test_a_talk_after_such_a_transfer_ends_with_the_call(here: Floor) -> None:
    caller, agent = await talk(here)
    assert await agent.blind_transfer("8001") < 300
    second = await here.phone("1002").wait_incoming()
    await second.answer()
    await caller.wait_heard("1002")
    await here.until(lambda: len(here.happened(ConversationStarted)) == 2)
    for offer in here.router.floor.offers.values():
        if offer.talked_since is not None:
            offer.talked_since -= 10.0
    await second.bye()
    await caller.wait_ended(4.0)
    await here.quiet()


async def test_a_gosub_of_the_fallback_returns_behind_itself(here: Floor) -> None:
    """After a transfer to a Goto, the site's own fallback tries another queue by a Gosub."""
    caller, agent = await talk(here)
    here.phone("1002").behaviour = Refuse(486)
    await here.crash()
    assert await agent.blind_transfer("8003") < 300
    assert await set_behind(here) == "night router-down"
    await caller.bye()
    await here.hang_all_up()
