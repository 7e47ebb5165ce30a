"""A caller who is transferred, or who comes back, has the whole patience of the queue they enter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import CallEntered, CallLeftQueue
from callrouter.model.call_requests import (
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.events import ConfigReloaded, PauseRequested
from callrouter.model.routing_table import KeepWaiting, Rule
from tests.asterisk.floor import DIALPLAN, Answer, Floor, RingOnly, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

# Who is let go enters again at once: 6010 without end, as "press 1 to keep waiting" may.
LAB_IN = """
exten => 6010,1,Answer()
 same => n(again),Gosub(callrouter,support,1)
 same => n,Goto(again)
exten => 6012,1,Set(CALLROUTER_PRIORITY=7)
 same => n,Goto(callrouter,support,1)
exten => 6011,1,Set(CALLROUTER_AGENT=a1)
 same => n,Goto(callrouter,support,1)
"""

TRANSFERS = """
[lab-phones](+)
exten => sales,1,Goto(callrouter,sales,1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2, lab_in=LAB_IN, dialplan=DIALPLAN + TRANSFERS) as made:
        yield made


async def test_a_transferred_caller_waits_in_full_and_a_restart_keeps_that(here: Floor) -> None:
    support = queue("support", ["a1"], wrap_up=60.0)
    sales = queue("sales", ["a2"], max_wait=3.0, on_nobody=KeepWaiting())
    await here.fresh(*staff(2), queues=[support, sales])
    here.post(PauseRequested(agent="a2"))
    caller = await here.call()
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await asyncio.sleep(3.2)
    code = await agent.blind_transfer("sales")
    assert code < 300
    await here.until(lambda: any(c.queue.id == "sales" for c in here.router.floor.calls.values()))
    came = time.monotonic()
    await asyncio.sleep(1.0)
    await here.crash()
    await here.start()
    here.post(PauseRequested(agent="a2"))
    [call] = here.router.floor.calls.values()
    assert here.runtime.clock.now() - call.queued_at == pytest.approx(
        time.monotonic() - came, abs=0.5
    )
    assert call.queued_at - call.entered_at > 3.0
    await caller.bye()
    await here.quiet()


async def test_a_transfer_that_the_router_is_asked_for_begins_a_stay_of_which_a_restart_knows(
    here: Floor,
) -> None:
    support = queue("support", ["a1"])
    await here.fresh(*staff(2), queues=[support, queue("sales", ["a2"], ring_for=60.0)])
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    await caller.wait_heard("1001")
    await asyncio.sleep(2.5)
    [call] = here.router.floor.calls.values()
    entered = call.entered_at
    here.post(
        ConversationRequested(call=call.id, action=ConversationAction.TRANSFER, queue="sales")
    )
    await here.until(lambda: call.queue.id == "sales")
    queued = call.queued_at
    assert queued - entered > 2.4
    await here.written()
    await here.crash()
    await here.start()
    # At the moment of the snapshot the caller may have been on the way from the talk to the queue.
    await here.until(lambda: len(here.router.floor.calls) == 1)
    [call] = here.router.floor.calls.values()
    assert call.queue.id == "sales"
    assert call.entered_at == pytest.approx(entered, abs=0.05)
    assert call.queued_at == pytest.approx(queued, abs=0.05)
    await caller.bye()
    await here.quiet()


async def test_who_comes_back_after_a_timeout_waits_as_long_again(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], max_wait=1.0, ring_for=0.7)])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call("6010")
    await here.until(lambda: len(here.happened(CallLeftQueue)) == 3)
    waits = [record.wait_s for record in here.happened(CallLeftQueue)]
    assert waits == pytest.approx([1.0, 1.0, 1.0], abs=0.45)
    assert len({record.call for record in here.happened(CallEntered)}) == 1
    await caller.bye()
    await here.quiet()


async def test_a_dialplan_that_goes_round_in_a_circle_is_slowed(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], max_waiting=0)])
    caller = await here.call("6010")
    await asyncio.sleep(3.0)
    assert 3 <= len(here.happened(CallLeftQueue)) <= 8
    await caller.bye()
    await here.quiet()


async def test_an_agent_asked_for_in_one_queue_is_not_waited_for_in_the_next(here: Floor) -> None:
    support = queue("support", ["a1", "a2"], prefer_for=1.0)
    sales = queue("sales", ["a1", "a2"], policy=("linear",), prefer_for=30.0)
    await here.fresh(*staff(2), queues=[support, sales])
    here.phone("1001").behaviour = RingOnly()
    here.phone("1002").behaviour = Answer()
    caller = await here.call("6011")
    await here.phone("1001").wait_incoming()
    here.post(PauseRequested(agent="a1"))
    await caller.wait_heard("1002")
    [talk] = here.phone("1002").incoming
    assert await talk.blind_transfer("sales") < 300
    await here.until(lambda: any(c.queue.id == "sales" for c in here.router.floor.calls.values()))
    [call] = here.router.floor.calls.values()
    assert call.first_agent == ""
    await caller.bye()
    await here.quiet()


async def test_a_priority_that_a_rule_gave_is_kept_by_a_transferred_call(here: Floor) -> None:
    queues = [queue("support", ["a1"]), queue("sales", ["a2"], on_nobody=KeepWaiting())]
    await here.fresh(*staff(2), queues=queues)
    vip = Rule(name="vip", queues=frozenset({"support"}), priority=4)
    here.post(ConfigReloaded(table=replace(here.spec, rules=(vip,))))
    here.post(PauseRequested(agent="a2"))
    caller = await here.call()
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    assert await agent.blind_transfer("sales") < 300
    await here.until(lambda: any(c.queue.id == "sales" for c in here.router.floor.calls.values()))
    assert [call.priority for call in here.router.floor.calls.values()] == [4]
    await caller.bye()
    await here.quiet()


async def test_a_priority_is_kept_by_a_call_that_is_passed_on_or_comes_back(here: Floor) -> None:
    support = queue("support", ["a1"])
    await here.fresh(
        *staff(2), queues=[support, queue("sales", ["a2"], on_nobody=KeepWaiting(), max_wait=60.0)]
    )
    here.post(PauseRequested(agent="a2"))
    caller = await here.call("6012")
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    assert await agent.blind_transfer("sales") < 300
    await here.until(lambda: any(c.queue.id == "sales" for c in here.router.floor.calls.values()))
    [call] = here.router.floor.calls.values()
    assert call.priority == 7
    here.post(CallMoveRequested(call=call.id, priority=3))
    await here.until(lambda: call.priority == 3)
    await here.written()
    await here.crash()
    await here.start()
    assert [call.priority for call in here.router.floor.calls.values()] == [3]
    await caller.bye()
    await here.quiet()
