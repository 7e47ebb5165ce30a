"""In-call codes of features.conf, and attended transfers onto a call that waits in a queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    ConversationTransferred,
    PlaceHandedOver,
)
from callrouter.model.routing_table import QueueSpec, ToDialplan
from tests.asterisk.floor import DIALPLAN, Dialog, Floor, RingOnly, queue, staff, stage
from tests.asterisk.proxy import proxy

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PHONES = """
[lab-phones](+)
exten => 8001,1,Answer()
 same => n,Wait(60)
exten => 8002,1,Goto(callrouter,sales,1)
[out]
exten => s,1,Wait(60)
"""

FEATURES = """
[general]
pickupexten=*8
transferdigittimeout=1
[featuremap]
blindxfer => ##
atxfer => *2
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    files = (("features.conf", FEATURES),)
    async with stage(install, 3, dialplan=DIALPLAN + PHONES, files=files) as made:
        yield made


async def talk(here: Floor, sales: QueueSpec | None = None) -> tuple[Dialog, Dialog]:
    """A caller and a1, in a talk that counts; a2's phone in sales will ring on."""
    queues = [queue("support", ["a1"]), sales or queue("sales", ["a2"], ring_for=60.0)]
    await here.fresh(*staff(3), queues=queues)
    here.phone("1002").behaviour = RingOnly()
    return await here.talk(caller_number="02079460018")


async def keys(phone: Dialog, digits: str) -> None:
    for digit in digits:
        await phone.send_dtmf(digit)
        await asyncio.sleep(0.15)


def enqueued(here: Floor) -> list[list[str]]:
    return [line for line in here.queue_log() if line[2] == "sales"]


async def served(here: Floor, caller: Dialog, other: Dialog) -> None:
    """The transferred caller has the place in sales, is answered there, and hangs up."""
    [call] = here.router.floor.calls.values()
    assert (call.queue.id, call.caller_number) == ("sales", "02079460018")
    await here.until(lambda: here.free("a1"), 3.0)
    await other.answer()
    await caller.wait_heard("1002")
    assert here.happened(CallAbandoned) == []
    await asyncio.sleep(0.5)
    assert [c.state.value for c in here.router.floor.calls.values()] == ["talking"]
    await caller.bye()
    await here.quiet()
    [done] = here.happened(CallCompleted)
    assert (done.queue, done.agent, done.by.value) == ("sales", "a2", "caller")
    assert done.talk_s > 0.5


async def test_a_blind_transfer_by_code_is_the_agents(here: Floor) -> None:
    caller, agent = await talk(here)
    await keys(agent, "##8001")
    await agent.wait_ended(5.0)
    await here.until(lambda: here.free("a1"), 3.0)
    [passed] = here.happened(ConversationTransferred)
    assert (passed.transfer.value, passed.to) == ("blind", "8001@lab-phones")
    assert caller.state == "up"
    assert here.happened(CallAbandoned) == []
    await caller.bye()
    await here.quiet()


async def test_the_caller_has_no_such_codes(here: Floor) -> None:
    caller, agent = await talk(here)
    await keys(caller, "##8001")
    await asyncio.sleep(2.0)
    assert agent.state == "up"
    assert here.happened(ConversationTransferred) == []
    await caller.bye()
    await here.quiet()


async def test_an_attended_transfer_by_code_to_a_colleague(here: Floor) -> None:
    caller, agent = await talk(here)
    await keys(agent, "*21003")
    await here.phone("1003").wait_incoming()
    await agent.wait_heard("1003")
    # Asterisk 22.10.1 crashes now and then if they hang up in the very instant of the answer.
    await asyncio.sleep(0.5)
    await agent.bye()
    await caller.wait_heard("1003")
    [passed] = here.happened(ConversationTransferred)
    assert passed.transfer.value == "attended"
    assert here.happened(CallAbandoned) == []
    await caller.bye()
    await here.quiet()


async def test_an_attended_transfer_by_code_onto_a_queue_keeps_the_place(here: Floor) -> None:
    caller, agent = await talk(here)
    await keys(agent, "*28002")
    other = await here.phone("1002").wait_incoming()
    await asyncio.sleep(0.5)
    await agent.bye()
    await here.until(lambda: here.happened(PlaceHandedOver), 2.0)
    await served(here, caller, other)


async def test_an_attended_transfer_onto_a_waiting_line_keeps_its_place(here: Floor) -> None:
    caller, agent = await talk(here)
    line = await here.phone("1001").call("8002")
    other = await here.phone("1002").wait_incoming()
    before = await here.phone("1003").call("8002")  # behind it
    await here.until(lambda: len(here.router.floor.calls) == 3)
    await line.wait_heard("")
    assert await agent.attended_transfer(line) < 300
    await here.until(lambda: here.happened(PlaceHandedOver), 1.0)
    assert other.state == "ringing", "the phone that rings for the place rings on"
    sales = here.router.floor.queues["sales"].waiting
    assert [call.caller_number for call in sales.values()] == ["02079460018", "1003"]
    await before.bye()
    await here.until(lambda: len(here.router.floor.calls) == 1)
    ids = {line[1] for line in enqueued(here) if line[4] == "ENTERQUEUE"}
    abandoned = here.happened(CallAbandoned)
    assert len(abandoned) == 1, "only who hung up"
    here.notices.remove(abandoned[0])
    entered = next(r for r in here.happened(CallEntered) if r.call == abandoned[0].call)
    here.notices.remove(entered)
    here.pbx.resync("a test")
    await here.until(lambda: here.pbx._resync._task is None or here.pbx._resync._task.done())
    await served(here, caller, other)
    connected = [line for line in enqueued(here) if line[4] == "CONNECT"]
    assert connected[-1][1] in ids, "one call has one id in queue_log"


async def test_a_transferred_caller_who_hangs_up_in_line_has_abandoned(here: Floor) -> None:
    caller, agent = await talk(here)
    line = await here.phone("1001").call("8002")
    other = await here.phone("1002").wait_incoming()
    await line.wait_heard("")
    assert await agent.attended_transfer(line) < 300
    await here.until(lambda: here.happened(PlaceHandedOver), 1.0)
    await caller.bye()
    await other.wait_ended()
    [gone] = here.happened(CallAbandoned)
    assert gone.queue == "sales"
    await here.quiet()


async def test_a_new_router_finds_a_transferred_caller_in_the_same_place(here: Floor) -> None:
    caller, agent = await talk(here)
    line = await here.phone("1001").call("8002")
    other = await here.phone("1002").wait_incoming()
    await line.wait_heard("")
    assert await agent.attended_transfer(line) < 300
    await here.until(lambda: here.happened(PlaceHandedOver), 1.0)
    before = next(iter(here.router.floor.calls))
    await here.until(lambda: here.free("a1"), 3.0)
    await here.crash()
    await here.start()
    [call] = here.router.floor.calls.values()
    assert (call.id, call.queue.id, call.caller_number) == (before, "sales", "02079460018")
    assert other.state == "ringing"
    await other.answer()
    await caller.wait_heard("1002")
    await caller.bye()
    await here.until(lambda: not here.router.floor.calls)


@pytest.mark.parametrize("late", [0.0, 0.001, 0.005])
@pytest.mark.parametrize("first", ["answer", "transfer"])
async def test_an_attended_transfer_in_the_moment_of_the_answer(
    here: Floor, first: str, late: float
) -> None:
    """The second agent takes the line as the first one puts the caller into its place."""
    caller, agent = await talk(here)
    line = await here.phone("1001").call("8002")
    other = await here.phone("1002").wait_incoming()
    await line.wait_heard("")
    if first == "answer":
        await other.answer()
        await asyncio.sleep(late)
        assert await agent.attended_transfer(line) < 300
    else:
        passing = asyncio.create_task(agent.attended_transfer(line))
        await asyncio.sleep(late)
        await other.answer()
        assert await passing < 300
    await caller.wait_heard("1002")
    await other.wait_heard("caller")
    await here.until(lambda: here.free("a1"), 4.0)
    assert here.state("a2") == "on-call"
    assert here.happened(CallAbandoned) == []
    await caller.bye()
    await other.wait_ended()
    await here.quiet()


@pytest.mark.parametrize("early", [0.008, 0.006, 0.004, 0.002, 0.0])
async def test_an_attended_transfer_as_the_line_is_told_to_leave(here: Floor, early: float) -> None:
    """The person who is put into its place leaves as it was to, and is not forgotten in the music."""
    away = queue(
        "sales",
        ["a2"],
        ring_for=0.5,
        retry_after=30.0,
        max_wait=1.0,
        on_max_wait=ToDialplan("out", "s"),
    )
    caller, agent = await talk(here, away)
    line = await here.phone("1001").call("8002")
    await here.phone("1002").wait_incoming()
    await here.until(lambda: len(here.happened(CallEntered)) == 2)
    leaves_at = here.happened(CallEntered)[-1].at + 1.0
    await here.until(lambda: here.runtime.clock.now() >= leaves_at - early)
    assert await agent.attended_transfer(line) < 300

    async with asyncio.timeout(3.0):
        while not any("!out!" in row for row in await here.channels()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert caller.state == "up"
    await caller.bye()
    await here.quiet()


async def test_an_attended_transfer_during_a_break_of_the_link(here: Floor) -> None:
    await here.crash()
    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            caller, agent = await talk(here)
            line = await here.phone("1001").call("8002")
            other = await here.phone("1002").wait_incoming()
            await line.wait_heard("")
            between.shut = True
            between.cut()
            await here.until(lambda: not here.pbx.in_step)
            assert await agent.attended_transfer(line) < 300
            await line.wait_ended()
            between.shut = False
            await here.until(lambda: here.pbx.in_step)
            [done] = here.happened(ConversationTransferred)
            assert (done.agent, done.queue) == ("a1", "support")
            assert other.state == "ringing"
            await served(here, caller, other)
        finally:
            await here.crash()
            here.port = 0
