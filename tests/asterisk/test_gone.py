"""The router, the link, or Asterisk itself goes away: no caller is lost, nobody is rung twice."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Dialog, Install
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallRequeued,
    ConversationStarted,
    OfferMade,
)
from callrouter.model.events import PauseRequested
from tests.asterisk.floor import (
    Answer,
    Floor,
    RingOnly,
    mobile,
    person,
    queue,
    staff,
    stage,
    tell,
)
from tests.asterisk.proxy import proxy
from tests.noise import noise

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

M1 = "+447700900123"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 4) as made:
        yield made


@pytest.mark.timeout(60)
async def test_WZC_03_AST_82_a_new_router_takes_everything_up(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    talking = await here.call(caller_number="1")
    await talking.wait_heard("1001")
    agent = here.phone("1001").incoming[0]
    waiting = []
    for number in "234":
        waiting.append(await here.call(caller_number=number))
        await waiting[-1].wait_heard("")
        await asyncio.sleep(0.15)  # so that their times differ
    entered = {c.caller_number: c.entered_at for c in here.router.floor.calls.values()}
    await here.crash()
    await talking.wait_hears("1001")  # the talk goes on
    await waiting[0].bye()
    await here.start()
    started = time.monotonic()
    calls = {call.caller_number: call for call in here.router.floor.calls.values()}
    assert sorted(calls) == ["1", "3", "4"]
    assert calls["1"].state.value == "talking"
    line = [call.caller_number for call in here.router.floor.queues["support"].waiting.values()]
    assert line == ["3", "4"]
    for number in ("3", "4"):
        assert calls[number].entered_at == pytest.approx(entered[number], abs=0.01)
    assert here.state("a1") == "on-call"
    await talking.wait_hears("1001")
    assert agent.state == "up"
    await agent.bye()
    rung = await here.phone("1001").wait_incoming(2)
    tell(f"next INVITE {(rung.invite_at - started) * 1000:.0f} ms after the router was back")
    await waiting[1].wait_heard("1001")
    assert rung.peer_number == "3"
    await waiting[1].bye()
    await waiting[2].wait_heard("1001")
    await waiting[2].bye()
    await here.quiet()
    log = Counter((line[1], line[4]) for line in here.queue_log())
    assert max(n for (_, event), n in log.items() if event == "ENTERQUEUE") == 1


async def test_a_new_router_offers_waiting_callers_at_once(here: Floor) -> None:
    await here.fresh(*staff(3), queues=[queue("support", ["a1", "a2", "a3"])])
    for n in (1, 2, 3):
        here.phone(f"100{n}").behaviour = RingOnly()
    callers = [await here.call() for _ in range(3)]
    await here.phone("1003").wait_incoming()
    await here.crash()
    started, still = time.monotonic(), noise()
    await here.start()
    await here.until(lambda: len(here.router.floor.offers) == 3)
    tell(f"3 offers again {(time.monotonic() - started) * 1000:.0f} ms after the start")
    assert time.monotonic() - started < 2.0 + noise(still)
    for caller in callers:
        await caller.bye()
    await here.quiet()


@pytest.mark.timeout(90)
async def test_a_router_that_stays_away(here: Floor) -> None:
    """Waiting callers reach the fallback after 15 to 20 s, new ones after 5; it rings who was here."""
    people = [*staff(3), person("m1", mobile("m1", M1))]
    rules = queue("support", ["a1", "a2", "a3", "m1"], policy=("priority",))
    await here.fresh(*people, queues=[rules])
    here.post(PauseRequested(agent="a2"))
    known = here.pbx._fallback
    assert known is not None
    expected = ("PJSIP/1001&PJSIP/1003", "PJSIP/447700900123@carrier")
    await here.until(lambda: known._published.get("support") == expected, 4)
    await here.written()
    here.phone("1001").behaviour = here.phone("1003").behaviour = RingOnly()
    here.phone("carrier").behaviour = RingOnly()
    waiting = await here.call(caller_number="111")
    await waiting.wait_heard("")
    for family, value in zip(("callrouter", "callrouter-mobile"), expected, strict=True):
        kept = await here.lab.asterisk.cli(f"database get {family} support")
        assert kept == f"Value: {value}"  # outlives a restart of Asterisk
    await here.crash()
    gone, still = time.monotonic(), noise()
    for leg in (*here.phone("1001").incoming, *here.phone("1003").incoming):
        if leg.state != "ended":
            await leg.refuse(480)
    busy = await here.phone("1003").call("1002")  # in use: not rung by the fallback
    await busy.wait_heard("1002")
    count = len(here.phone("1001").incoming)
    here.phone("1001").behaviour = Answer(after=0.1)
    new = await here.call(caller_number="222")
    rung = await here.phone("1001").wait_incoming(count + 1, within=14)
    tell(f"a new caller reached the fallback after {rung.invite_at - new.invite_at:.1f} s")
    assert 4.0 < rung.invite_at - new.invite_at < 8.0 + noise(still)
    assert rung.peer_number == "222"
    await new.wait_heard("1001")
    await new.bye()
    rung = await here.phone("1001").wait_incoming(count + 2, within=25)
    tell(f"a waiting caller reached it after {rung.invite_at - gone:.1f} s")
    assert 14.0 < rung.invite_at - gone < 21.0 + noise(still)
    await waiting.wait_heard("1001")
    assert len(here.phone("1003").incoming) <= 1
    await waiting.bye()
    await busy.bye()


@pytest.mark.timeout(60)
async def test_the_fallback_rings_mobiles_that_press_1_only(here: Floor) -> None:
    people = [person("m1", mobile("m1", M1)), person("m2", mobile("m2", "+447700900456"))]
    await here.fresh(*people, queues=[queue("support", ["m1", "m2"])])
    await here.fallback_known("support")
    await here.crash()
    carrier = here.phone("carrier")
    carrier.behaviour = lambda dialog: (
        Answer(after=0.1)
        if dialog.called == "447700900123"  # a voicemail
        else Answer(after=0.1, dtmf=((0.5, "1", "rfc4733"),))
    )
    caller = await here.call()
    first = await carrier.wait_incoming(1, within=14)
    nxt = await carrier.wait_incoming(2, within=25)
    await first.wait_ended(2)  # its BYE and the next INVITE are on their way at the same time
    await caller.wait_heard("carrier", within=8)
    assert caller.heard_since["carrier"] > (nxt.answered_at or 0.0)
    await caller.bye()


@pytest.mark.timeout(90)
async def test_AST_74_the_link_is_cut_again_and_again(here: Floor) -> None:
    await here.crash()
    await here.hang_all_up()
    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"])])
            here.phone("1002").behaviour = RingOnly()
            caller = await here.call()
            await caller.wait_heard("1001")
            second = await here.call()
            await here.phone("1002").wait_incoming()
            for _ in range(3):
                between.cut()
                await here.until(lambda: not here.pbx.in_step)
                await here.until(lambda: here.pbx.in_step, 10)
                assert len(here.router.floor.calls) == 2
            assert between.open == 1
            await caller.wait_hears("1001")
            here.phone("1002").behaviour = Answer(after=0.1)
            ringing = here.phone("1002").incoming[-1]  # its ring time may have run out meanwhile
            if ringing.state == "ringing":
                await ringing.answer()
            await second.wait_heard("1002")
            placed = re.findall(
                rb"Action: Originate\r\n(?:[^\r\n]+\r\n)*?ChannelId: (\S+)", between.sent
            )
            assert len(placed) == len(set(placed)) >= 2
            await caller.bye()
            await second.bye()
            await here.quiet()
        finally:
            await here.crash()
            here.port = 0


@pytest.mark.timeout(60)
async def test_what_happens_while_the_link_is_down_is_made_up_for(here: Floor) -> None:
    await here.crash()
    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
            talking = await here.call()
            await talking.wait_heard("1001")
            waiting = await here.call()
            await here.until(lambda: len(here.router.floor.calls) == 2)
            between.shut = True
            between.cut()
            await here.until(lambda: not here.pbx.in_step)
            await talking.bye()
            await waiting.bye()
            new = await here.call()
            await new.wait_heard("")
            between.shut = False
            await here.until(lambda: here.pbx.in_step, 8)
            await new.wait_heard("1001")
            await new.bye()
            await here.quiet()
            assert len(here.happened(CallCompleted)) == 2
        finally:
            await here.crash()
            here.port = 0


@pytest.mark.timeout(60)
async def test_a_comparison_in_a_loop_disturbs_nobody(here: Floor) -> None:
    await here.fresh(*staff(4), queues=[queue("support", ["a1", "a2", "a3", "a4"])])
    for n in range(1, 5):
        here.phone(f"100{n}").behaviour = Answer(after=0.05, talk=2.0)
    ended = asyncio.Event()

    async def compare() -> None:
        while not ended.is_set():
            here.pbx.resync("a test")
            await asyncio.sleep(0.001)

    comparing = asyncio.create_task(compare())
    callers = [await here.call() for _ in range(16)]
    await here.until(lambda: len(here.happened(CallCompleted)) == 16, 25)
    ended.set()
    await comparing
    for caller in callers:
        await caller.wait_ended()
        assert len(caller.heard) == 1
    await here.quiet()
    assert not here.happened(CallRequeued)
    assert not here.happened(CallAbandoned)
    assert here.outcomes() == []
    assert len(here.happened(OfferMade)) == 16


@pytest.mark.timeout(60)
async def test_WZ_23_a_frozen_asterisk_is_noticed(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    await asyncio.sleep(0.2)
    here.lab.asterisk.pause()
    frozen, still = time.monotonic(), noise()
    try:
        await here.until(lambda: not here.pbx.in_step, 12)
        tell(f"a frozen Asterisk was noticed after {time.monotonic() - frozen:.1f} s")
        assert time.monotonic() - frozen < 5.5 + noise(still)
        assert not here.pbx.health().up
    finally:
        here.lab.asterisk.resume()
    await here.until(lambda: here.pbx.in_step, 8)
    caller = await here.call()
    await caller.wait_heard("1001")
    await caller.bye()
    await here.quiet()


@pytest.mark.timeout(60)
async def test_OT_06_asterisk_is_killed_and_comes_back(here: Floor) -> None:
    await here.fresh(*staff(3), queues=[queue("support", ["a1", "a2", "a3"])])
    here.phone("1002").behaviour = RingOnly()
    talking = await here.call()
    await talking.wait_heard("1001")
    ringing = await here.call()
    await here.phone("1002").wait_incoming()
    here.lab.asterisk.kill()
    await here.until(lambda: not here.pbx.in_step)
    for phone in here.lab.phones.values():
        for dialog in phone.dialogs:
            dialog.vanish()
    await here.lab.asterisk.restart()
    booted, still = time.monotonic(), noise()
    await here.until(lambda: here.pbx.in_step, 8)
    tell(f"in step again {time.monotonic() - booted:.1f} s after the boot")
    assert time.monotonic() - booted < 5.0 + noise(still)
    assert all(agent.signed_in for agent in here.router.floor.agents.values())
    await here.until(lambda: not here.router.floor.calls)
    for name in ("1001", "1002", "1003", "1004", "carrier"):
        await here.phone(name).register()
    here.phone("1002").behaviour = Answer()
    await here.until(lambda: all(here.free(f"a{n}") for n in (1, 2, 3)), 8)
    caller = await here.call()
    await caller.wait_heard("", within=5)
    await here.until(lambda: here.happened(ConversationStarted)[1:], 5)
    await caller.bye()
    await here.quiet()
    assert ringing.state == "ended"


async def talked(here: Floor, caller: Dialog) -> None:
    """Let the agent hang up after two seconds with this caller.

    They count from the talk: it begins late where an answer to the router was lost, and an agent who
    hangs up in its first second has not served the caller.
    """
    await caller.wait(lambda: bool(caller.heard), 60)
    await asyncio.sleep(2.0)
    (heard,) = caller.heard
    await next(leg for leg in here.phone(heard).dialogs if leg.state == "up").bye()


@pytest.mark.timeout(120)
async def test_OT_05_answers_of_asterisk_that_are_lost_doubled_or_late(here: Floor) -> None:
    """Every tenth each, not every hundredth: callers are served all the same, and nobody twice."""
    await here.crash()
    await here.hang_all_up()
    rng = random.Random(5)
    fates = Counter[str]()

    def spoil(_message: bytes) -> tuple[float, ...]:
        fate = rng.choices(("kept", "lost", "doubled", "late"), (7, 1, 1, 1))[0]
        fates[fate] += 1
        return {"kept": (0.0,), "lost": (), "doubled": (0.0, 0.001), "late": (5.5,)}[fate]

    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            await here.fresh(*staff(4), queues=[queue("support", ["a1", "a2", "a3", "a4"])])
            for n in range(1, 5):
                here.phone(f"100{n}").behaviour = Answer(after=0.05)
            between.spoil = spoil
            callers = [await here.call() for _ in range(24)]
            await asyncio.gather(*(talked(here, caller) for caller in callers))
            await here.until(lambda: len(here.happened(CallCompleted)) == 24, 60)
            between.spoil = None
            for caller in callers:
                await caller.wait_ended()
                assert len(caller.heard) == 1
            await here.quiet()
            assert between.opened == 1, "the link holds"
            assert min(fates.values()) > 0
            assert not here.happened(CallAbandoned)
            placed = re.findall(
                rb"Action: Originate\r\n(?:[^\r\n]+\r\n)*?ChannelId: (\S+)", between.sent
            )
            assert len(placed) == len(set(placed)) >= 24
            tell(f"answers: {dict(fates)}; requeued: {len(here.happened(CallRequeued))}")
        finally:
            await here.crash()
            here.port = 0
