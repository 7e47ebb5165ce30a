"""The router or its link is away: callers wait on, phones are tried again, and it takes them up."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install, Refuse
from callrouter.model.call_notices import ConversationStarted
from callrouter.model.events import PauseRequested
from tests.asterisk.floor import (
    Answer,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    staff,
    stage,
    tell,
)
from tests.asterisk.proxy import proxy
from tests.noise import noise

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


async def known(here: Floor, queue: str, desks: str) -> None:
    """Wait until Asterisk has been told which phones the fallback would ring."""
    wanted = f"CALLROUTER_DESKS_{queue}={desks}"
    async with asyncio.timeout(8):
        while wanted not in (await here.lab.asterisk.cli("dialplan show globals")).split():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def kept(here: Floor) -> None:
    """Wait until the fallback has found no free phone, and keeps a caller."""
    async with asyncio.timeout(30):
        while not any("callrouter-spare" in row for row in await here.channels()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_after_a_break_of_the_link_it_is_in_step_within_a_second(here: Floor) -> None:
    await here.crash()
    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
            between.shut = True
            between.cut()
            await here.until(lambda: not here.pbx.in_step)
            await asyncio.sleep(3.0)
            new = await here.call()
            await asyncio.sleep(0.3)
            between.shut = False
            reachable, still = time.monotonic(), noise()
            await here.until(lambda: here.pbx.in_step)
            took = time.monotonic() - reachable
            tell(f"in step {took * 1000:.0f} ms after Asterisk could be reached again")
            assert took < 1.0 + noise(still)
            await new.wait_heard("1001")
            await new.bye()
            await here.quiet()
        finally:
            await here.crash()
            here.port = 0


async def test_a_caller_whom_no_phone_takes_waits_for_the_router(here: Floor) -> None:
    """The only agent talks when the router dies: the caller is kept, and served by the next router."""
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    await known(here, "support", "PJSIP/1001")
    here.phone("1001").behaviour = Answer(after=0.05)
    talking = await here.call(caller_number="111")
    await talking.wait_heard("1001")
    await here.crash()
    waiting = await here.call(caller_number="222")
    await kept(here)  # the only phone is in use
    assert waiting.state == "up"
    later = await here.call(caller_number="333")
    await here.start()
    await here.until(lambda: len(here.router.floor.calls) == 3)
    waits = sorted(here.router.floor.calls.values(), key=lambda call: call.entered_at)
    assert [call.caller_number for call in waits] == ["111", "222", "333"]
    await talking.bye()
    await waiting.wait_heard("1001", within=8)
    await waiting.bye()
    await later.wait_heard("1001", within=8)
    await later.bye()
    await here.quiet()


async def test_the_phones_are_tried_again_until_one_is_free(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    await known(here, "support", "PJSIP/1001")
    here.phone("1001").behaviour = Answer(after=0.05)
    talking = await here.call(caller_number="111")
    await talking.wait_heard("1001")
    await here.crash()
    waiting = await here.call(caller_number="222")
    await kept(here)
    await talking.bye()
    await waiting.wait_heard("1001", within=16)
    await waiting.bye()


async def test_a_router_that_is_back_gets_the_call_before_the_next_mobile_rings(
    here: Floor,
) -> None:
    """Several phones that must press 1 may take minutes, which the caller need not spend there."""
    people = [
        person(name, desk(name, number, confirm=True))
        for name, number in (("a1", "1001"), ("a2", "1002"))
    ]
    await here.fresh(*people, queues=[queue("support", ["a1", "a2"])])
    await here.fallback_known("support")
    for name in ("1001", "1002"):
        here.phone(name).behaviour = Refuse(486, after=3.0)
    await here.crash()
    text = await here.lab.asterisk.cli("dialplan show globals")
    [tick] = re.findall(r"CALLROUTER_TICK=(\S+)", text)
    await here.lab.asterisk.cli(f"dialplan set global CALLROUTER_SILENT_AT x{tick}")
    caller = await here.call()
    await here.until(lambda: here.phone("1001").incoming or here.phone("1002").incoming)
    for name in ("1001", "1002"):
        here.phone(name).behaviour = Answer(after=0.1, dtmf=((0.5, "1", "rfc4733"),))
    await here.start()
    await here.until(lambda: here.happened(ConversationStarted), 10)
    assert [len(here.phone(name).incoming) for name in ("1001", "1002")] in ([1, 1], [2, 0], [0, 2])
    await caller.bye()
    await here.quiet()


async def test_a_phone_that_rings_for_the_dead_router_is_not_absent(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], ring_for=12.0)])
    await known(here, "support", "PJSIP/1001")
    phone = here.phone("1001")
    phone.behaviour = RingOnly()
    caller = await here.call()
    await phone.wait_incoming(1)
    await here.crash()
    phone.behaviour = Answer(after=0.1)  # from the next call on
    await phone.wait_incoming(2, within=45)
    await caller.wait_heard("1001")
    await caller.bye()


async def test_who_comes_to_a_router_known_to_be_silent_does_not_wait_to_find_out(
    here: Floor,
) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"])])
    await known(here, "support", "PJSIP/1001&PJSIP/1002")
    for name in ("1001", "1002"):
        here.phone(name).behaviour = RingOnly()
    await here.crash()
    first = await here.call(caller_number="111")
    rung = await here.phone("1001").wait_incoming(1, within=14)
    assert rung.invite_at - first.invite_at > 4.0
    await first.bye()
    await here.hang_all_up()
    here.phone("1002").behaviour = Answer(after=0.05)
    still = noise()
    second = await here.call(caller_number="222")
    rung = await here.phone("1002").wait_incoming(2, within=5)
    tell(f"the next one reached the fallback after {rung.invite_at - second.invite_at:.2f} s")
    assert rung.invite_at - second.invite_at < 1.0 + noise(still)
    await second.wait_heard("1002")
    await second.bye()
    await here.hang_all_up()
    here.phone("1001").behaviour = Answer(after=0.05)
    await here.start()  # a router that is back is asked again
    third = await here.call(caller_number="333")
    await here.until(lambda: here.router.floor.calls)
    await here.until(lambda: here.happened(ConversationStarted))
    await third.bye()
    await here.quiet()


async def test_a_tick_of_an_earlier_run_is_no_other_router(
    here: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    """Our own tick was lost on its way, and an old one stands there still."""
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    set_tick = "dialplan set global CALLROUTER_TICK"
    for _ in range(3):
        await here.lab.asterisk.cli(f"{set_tick} abcdef123-7")
        await asyncio.sleep(1.05)
    assert "another router" not in caplog.text
    for n in range(8, 12):  # and one that moves is
        await here.lab.asterisk.cli(f"{set_tick} abcdef123-{n}")
        await asyncio.sleep(1.05)
    assert "another router" in caplog.text
    await here.quiet()


async def test_lost_global_variables_are_told_again(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"])])
    here.post(PauseRequested(agent="a2"))
    await known(here, "support", "PJSIP/1001")
    # What `dialplan reload` does with clearglobalvars=yes.
    for name in ("TICK", "DESKS_support", "MOBILES_support", "STAMP_support", "KEPT_support"):
        await here.lab.asterisk.cli(f"dialplan set global CALLROUTER_{name} ''")
        await here.lab.asterisk.cli(f'dialplan set global CALLROUTER_{name} ""')
    await known(here, "support", "PJSIP/1001")
    await here.quiet()


async def test_a_clock_set_back_during_a_talk_ends_as_any_other(here: Floor) -> None:
    """To the dialplan it is as if the talk began in the future; the router is away at its end."""
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = Answer(after=0.05)
    caller = await here.call()
    await caller.wait_heard("1001")
    [row] = [row for row in await here.channels() if "callrouter-connect" in row]
    channel = row.partition("!")[0]
    ahead = int(time.time()) + 10
    await here.crash()
    await here.lab.asterisk.cli(f"dialplan set chanvar {channel} CALLROUTER_BRIDGED {ahead}")
    await here.phone("1001").incoming[-1].bye()
    await caller.wait_ended()
