"""What people do during a talk: hang up, hold, transfer, pick up, and what supervisors do to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallMovedAway,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
)
from callrouter.model.call_requests import (
    CallEndRequested,
    ConversationAction,
    ConversationRequested,
)
from tests.asterisk import second
from tests.asterisk.floor import (
    DIALPLAN,
    Answer,
    Dialog,
    Floor,
    RingOnly,
    queue,
    staff,
    stage,
    tell,
)
from tests.noise import noise

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LAB_IN = """
exten => 7001,1,Answer()
 same => n,Wait(30)
exten => 7002,1,ConfBridge(room)
"""

PHONES_IN = """
[lab-phones](+)
exten => support,1,Goto(callrouter,support,1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 4, lab_in=LAB_IN, dialplan=DIALPLAN + PHONES_IN) as made:
        yield made


async def talk(here: Floor, phone: str = "1001") -> tuple[Dialog, Dialog]:
    """A caller and an agent, talking for long enough to count."""
    before = len(here.phone(phone).incoming)
    caller = await here.call()
    agent = await here.phone(phone).wait_incoming(before + 1)
    await caller.wait_heard(phone)
    await agent.wait_heard("caller")
    await here.until(lambda: here.happened(ConversationStarted))
    age(here)
    return caller, agent


def age(here: Floor) -> None:
    """As if they had talked for a while: who hangs up now has had their say."""
    for offer in here.router.floor.offers.values():
        if offer.talked_since is not None:
            offer.talked_since -= 10.0


async def alone(here: Floor, count: int = 1) -> None:
    agents = [f"a{n}" for n in range(1, count + 1)]
    rules = queue("support", {name: n for n, name in enumerate(agents, 1)}, policy=("priority",))
    await here.fresh(*staff(4), queues=[rules])


def channel(names: list[str], phone: str) -> str:
    [found] = [name for name in names if name.startswith(f"PJSIP/{phone}-")]
    return found


async def channel_of(here: Floor, phone: str) -> str:
    return channel((await second.look(here.lab.asterisk.ami_port)).names, phone)


async def originate(here: Floor, **headers: str) -> None:
    await second.order(here.lab.asterisk.ami_port, "Originate", Async="true", **headers)


async def redirect(here: Floor, phone: str, extension: str, context: str = "lab-in") -> float:
    await second.order(
        here.lab.asterisk.ami_port,
        "Redirect",
        Channel=await channel_of(here, phone),
        Context=context,
        Exten=extension,
        Priority="1",
    )
    return time.monotonic()


def completed_by(here: Floor) -> list[object]:
    return [record.by.value for record in here.happened(CallCompleted)]


async def test_WZA_13_who_hung_up_is_told_apart(here: Floor) -> None:
    await alone(here)
    caller, _ = await talk(here)
    await caller.bye()
    await here.quiet()
    assert completed_by(here) == ["caller"]
    await alone(here)
    caller, agent = await talk(here)
    await agent.bye()
    await caller.wait_ended()
    await here.quiet()
    assert completed_by(here) == ["agent"]


async def test_WZA_13_both_hang_up_within_20_ms(here: Floor) -> None:
    await alone(here)
    for gap in (0.0, 0.0, 0.001, 0.002, 0.005, 0.01, 0.02):
        for first_is_caller in (True, False):
            here.notices.clear()
            pair = await talk(here)
            one, two = pair if first_is_caller else pair[::-1]
            goodbye = asyncio.ensure_future(one.bye())
            await asyncio.sleep(gap)
            await two.bye()
            await goodbye
            await here.quiet()
            assert len(completed_by(here)) == 1
            assert len(here.happened(ConversationStarted)) == 1
            assert not here.happened(CallRequeued)


async def test_WZA_25_BT_12_hold_is_part_of_the_call(here: Floor) -> None:
    await alone(here, 2)
    caller, agent = await talk(here)
    assert await agent.hold() == 200
    await caller.wait_hears("")  # music
    assert here.state("a1") == "on-call"
    second_caller = await here.call()
    await second_caller.wait_heard("1002")
    assert len(here.phone("1001").incoming) == 1
    assert await agent.unhold() == 200
    await caller.wait_hears("1001")
    await second_caller.bye()
    await caller.bye()
    await here.quiet()
    assert len(here.happened(CallCompleted)) == 2


async def test_AI_19_a_blind_transfer_ends_the_agents_part(here: Floor) -> None:
    await alone(here)
    caller, agent = await talk(here)
    assert await agent.blind_transfer("1003") < 300
    await caller.wait_heard("1003")
    await here.until(lambda: here.free("a1"), 3.0)
    [passed] = here.happened(ConversationTransferred)
    assert (passed.transfer.value, passed.to) == ("blind", "1003@lab-phones")
    again, _ = await talk(here)  # the agent is served again while the transferred talk goes on
    assert caller.state == "up"
    await again.bye()
    await caller.wait_hears("1003")
    await caller.bye()
    await here.quiet()


async def test_BT_09_an_agent_sends_the_caller_back_to_the_queue(here: Floor) -> None:
    await alone(here, 2)
    here.phone("1002").behaviour = Answer(after=0.4)
    caller, agent = await talk(here)
    [entered] = [call.entered_at for call in here.router.floor.calls.values()]
    code = await agent.blind_transfer("support")
    assert code < 300
    await caller.wait_heard("1002")
    again = here.happened(CallEntered)
    assert len(again) == 2
    [call] = here.router.floor.calls.values()
    assert call.entered_at == pytest.approx(entered, abs=0.01)
    await here.until(lambda: here.free("a1"), 3.0)
    await caller.bye()
    await here.quiet()
    assert len(here.happened(ConversationTransferred)) == 1


async def test_an_attended_transfer(here: Floor) -> None:
    await alone(here)
    caller, agent = await talk(here)
    await agent.hold()
    asked = await here.phone("1001").call("1003")
    await asked.wait_heard("1003")
    assert await agent.attended_transfer(asked) < 300
    await caller.wait_hears("1003")
    await asked.bye()
    await here.until(lambda: here.free("a1"), 2.0)
    assert [r.transfer.value for r in here.happened(ConversationTransferred)] == ["attended"]
    assert caller.state == "up"
    here.pbx.resync("a test")  # a comparison does not take the caller for one who waits
    await here.until(lambda: here.pbx._resync._task is None or here.pbx._resync._task.done())
    assert not here.router.floor.calls
    await caller.wait_hears("1003")
    await caller.bye()
    await here.quiet()


async def test_AST_18_the_caller_transfers_the_agent_away(here: Floor) -> None:
    await alone(here)
    caller, agent = await talk(here)
    asked = asyncio.ensure_future(caller.blind_transfer("7001", within=1.0))
    await asyncio.gather(asked, return_exceptions=True)  # Asterisk may say no more to this phone
    await caller.bye()
    await here.until(lambda: not here.router.floor.calls)
    assert agent.state == "up"
    assert here.state("a1") == "on-call"
    waiting = await here.call()
    await waiting.wait_heard("")
    assert len(here.phone("1001").incoming) == 1  # not rung while still in a call
    await agent.bye()
    await waiting.wait_heard("1001")
    await waiting.bye()
    await here.quiet()


async def test_AST_09_a_supervisor_moves_the_agents_leg(here: Floor) -> None:
    await alone(here)
    caller, agent = await talk(here)
    await redirect(here, "1001", "7001")
    await caller.wait_ended(4)
    await here.until(lambda: not here.router.floor.calls)
    assert here.state("a1") == "on-call"
    waiting = await here.call()
    await waiting.wait_heard("")
    assert len(here.phone("1001").incoming) == 1
    await agent.bye()
    await waiting.wait_heard("1001")
    await waiting.bye()
    await here.quiet()


async def test_a_transfer_that_the_router_is_asked_for(here: Floor) -> None:
    """By command or API: the caller goes back in line, and the agent's phone is hung up."""
    await alone(here, 2)
    caller, agent = await talk(here)
    [call] = here.router.floor.calls.values()
    entered = call.entered_at
    here.post(ConversationRequested(call=call.id, action=ConversationAction.TRANSFER, agent="a2"))
    await agent.wait_ended(3)
    await caller.wait_heard("1002")
    assert here.router.floor.calls[call.id].entered_at == entered
    [passed] = here.happened(ConversationTransferred)
    assert (passed.transfer.value, passed.to) == ("blind", "a2")
    await here.until(lambda: here.free("a1"))
    age(here)
    await caller.bye()
    await here.quiet()


async def test_AST_70_both_are_moved_to_a_conference(here: Floor) -> None:
    await alone(here)
    caller, agent = await talk(here)
    names = (await second.look(here.lab.asterisk.ami_port)).names
    await second.order(
        here.lab.asterisk.ami_port,
        "Redirect",
        Channel=channel(names, "caller"),
        ExtraChannel=channel(names, "1001"),
        Context="lab-in",
        Exten="7002",
        Priority="1",
    )
    await here.until(lambda: not here.router.floor.calls, 2)
    assert here.state("a1") == "on-call"
    assert len(here.happened(ConversationTransferred)) == 1
    await agent.bye()
    await here.until(lambda: here.free("a1"))
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("extension", ["7001", "7002"])
async def test_AST_71_a_waiting_caller_is_taken_out(here: Floor, extension: str) -> None:
    await alone(here)
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    await caller.wait_heard("")
    ringing = await here.phone("1001").wait_incoming()
    moved = await redirect(here, "caller", extension)
    await here.until(lambda: not here.router.floor.calls, 5)
    took = time.monotonic() - moved
    tell(f"to {extension}: noticed after {took * 1000:.0f} ms")
    assert took < 1.0
    await ringing.wait_ended(1.0)
    assert here.happened(CallMovedAway)
    assert not here.happened(CallAbandoned)
    assert caller.state == "up"
    await caller.bye()
    await here.quiet()


async def test_AST_66_a_colleague_picks_up(here: Floor) -> None:
    await alone(here, 2)
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    ringing = await here.phone("1001").wait_incoming()
    await here.until(lambda: here.state("a1") == "ringing")
    colleague = await here.phone("1002").call("*8")
    await caller.wait_heard("1002")
    await colleague.wait_heard("caller")
    await ringing.wait_ended(1.0)
    assert here.state("a2") == "on-call"
    await here.until(lambda: here.free("a1"), 3.0)
    assert here.router.floor.agents["a1"].misses == 0
    [done] = here.happened(ConversationStarted)
    assert done.agent == "a2"
    age(here)
    await colleague.bye()
    await caller.wait_ended(4)
    await here.quiet()


async def test_the_caller_reenters_another_queue_by_a_supervisor(here: Floor) -> None:
    """A waiting caller who is sent to a queue by Redirect is a new call there, with its first time."""
    rules = [queue("support", ["a1"]), queue("sales", ["a2"])]
    await here.fresh(*staff(2), queues=rules)
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    ringing = await here.phone("1001").wait_incoming()
    await redirect(here, "caller", "sales", "callrouter")
    await ringing.wait_ended(1.0)
    await caller.wait_heard("1002")
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("who", ["caller", "agent"])
async def test_BT_06_either_hangs_up_and_both_legs_are_free(here: Floor, who: str) -> None:
    await alone(here)
    caller, agent = await talk(here)
    still, began = noise(), time.monotonic()
    await (caller if who == "caller" else agent).bye()
    await (agent if who == "caller" else caller).wait_ended()
    await here.until(lambda: here.free("a1"))
    assert time.monotonic() - began < 1.0 + noise(still)
    await here.quiet()


async def test_OS_09_a_phone_that_dies_in_a_talk_keeps_its_agent_no_longer_than_the_caller(
    here: Floor,
) -> None:
    await alone(here)
    caller, agent = await talk(here)
    agent.vanish()  # no BYE, and no answer to one
    await caller.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_BT_16_someone_who_listens_in_changes_nothing(here: Floor) -> None:
    await alone(here, 2)
    caller, agent = await talk(here)
    supervisor = here.phone("1003")
    spy = {"Application": "ChanSpy", "Data": "PJSIP/1001,qB"}  # listens, and speaks to both
    await originate(here, Channel="PJSIP/1003", **spy)
    listening = await supervisor.wait_incoming()
    await listening.wait_up()
    assert here.state("a1") == "on-call"
    assert [c.state.value for c in here.router.floor.calls.values()] == ["talking"]
    await listening.bye()
    await caller.wait_hears("1001")
    assert agent.state == "up"
    assert here.state("a1") == "on-call"
    await caller.bye()
    await here.quiet()
    assert len(here.happened(CallCompleted)) == 1
    assert not here.happened(ConversationTransferred)


async def test_AST_68_callers_on_local_channels_and_in_the_same_second(here: Floor) -> None:
    """Callers whose channels have a far half: with ids of Asterisk's, with one given, with both."""
    await alone(here, 4)
    into = {"Channel": "Local/support@callrouter/n", "Application": "Milliwatt"}
    for ids in ({}, {"ChannelId": "given"}, {"ChannelId": "one", "OtherChannelId": "other"}):
        await originate(here, **into, **ids)
    caller = await here.call()
    await here.until(lambda: len(here.happened(ConversationStarted)) == 4)
    calls = {record.call for record in here.happened(CallEntered)}
    assert len(calls) == 4
    assert {"office-given;2", "office-other"} < calls
    phones = [here.phone(f"100{n}") for n in range(1, 5)]
    assert [len(phone.incoming) for phone in phones] == [1, 1, 1, 1]
    age(here)
    for phone in phones:
        await phone.incoming[0].bye()
    await caller.wait_ended()
    await here.quiet()
    assert len(here.happened(CallCompleted)) == 4


async def test_a_supervisor_ends_a_conversation(here: Floor) -> None:
    """Both parties are hung up, the agent is free again, and the log says that the call was completed."""
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    caller, agent = await talk(here)
    [call] = here.router.floor.calls
    here.post(CallEndRequested(call=call, by="sam"))
    await caller.wait_ended()
    await agent.wait_ended()
    await here.quiet()
    [over] = here.happened(CallCompleted)
    assert (over.by.value, over.ended_by) == ("supervisor", "sam")
    await here.until(lambda: here.free("a1"))
    event = here.queue_log()[-1][4]
    assert event == "COMPLETECALLER"
