"""Lamps on real phones: what a key that watches an agent or a queue shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.lab import Install, Silent
from callrouter.model.events import ConfigReloaded, PauseRequested, ReadyPressed, Resumed
from tests.asterisk.floor import (
    Answer,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    staff,
    stage,
    table,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

MODULES = (
    "res_pjsip_outbound_publish",
    "res_pjsip_exten_state",
    "res_pjsip_dialog_info_body_generator",
    "res_pjsip_pidf_body_generator",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, modules=MODULES) as made:
        yield made


async def state(here: Floor, lamp: str) -> str:
    """The device state behind a lamp, by Asterisk's own console; empty if there is none."""
    text = await here.lab.asterisk.cli("devstate list")
    found = re.findall(r"Name: 'Custom:callrouter-(\S+)'\s+State: '(\w+)'", text)
    states: dict[str, str] = dict(found)
    return states.get(lamp, "")


async def shows(here: Floor, extension: str, *wanted: str) -> None:
    """Wait until the last things that 1003 was shown are these."""
    lamps = here.phone("1003").lamps
    await here.until(lambda: lamps.get(extension, [])[-len(wanted) :] == [*wanted])


async def test_an_agents_lamp_on_a_phone_that_subscribed(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], wrap_up=30.0, ring_for=20.0)])
    assert await here.phone("1003").watch("callrouter-a1") == 200
    await shows(here, "callrouter-a1", "terminated")
    here.phone("1001").behaviour = Answer(after=0.6)
    caller = await here.call()
    await shows(here, "callrouter-a1", "early")
    await shows(here, "callrouter-a1", "confirmed")
    await caller.wait_heard("1001")
    await asyncio.sleep(1.1)
    await caller.bye()
    await shows(here, "callrouter-a1", "held")  # wrap-up
    here.post(ReadyPressed(agent="a1"))
    await shows(here, "callrouter-a1", "terminated")
    here.post(PauseRequested(agent="a1"))
    await shows(here, "callrouter-a1", "held")
    assert await state(here, "a1") == "ONHOLD"
    here.post(Resumed(agent="a1"))
    await shows(here, "callrouter-a1", "terminated")
    assert await state(here, "a1") == "NOT_INUSE"
    assert here.phone("1003").lamps["callrouter-a1"] == [
        *("terminated", "early", "confirmed", "held", "terminated", "held", "terminated")
    ]
    await here.quiet()


async def test_an_agent_with_a_phone_elsewhere_has_a_lamp_here_once_a_key_watches_it(
    here: Floor,
) -> None:
    far = person("far", replace(desk("far", "1002"), pbxes=("elsewhere",)))
    farther = person("farther", replace(desk("farther", "1001"), pbxes=("elsewhere",)))
    await here.fresh(*staff(1), far, farther, queues=[queue("support", ["a1"])])
    await comes_to(here, "a1", "NOT_INUSE")
    assert await here.phone("1003").watch("callrouter-far") == 200
    here.pbx._check_dialplan()  # as every 20 s
    await comes_to(here, "far", "UNAVAILABLE")  # signed in, and no phone of theirs is known
    assert "'Custom:callrouter-farther'" not in await here.lab.asterisk.cli("devstate list")
    here.post(PauseRequested(agent="far"))
    await shows(here, "callrouter-far", "held")
    await here.quiet()


async def test_a_queues_lamp_lights_while_calls_wait(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], ring_for=20.0)])
    assert await here.phone("1003").watch("callrouter-queue-support") == 200
    lamps = here.phone("1003").lamps
    await shows(here, "callrouter-queue-support", "terminated")
    here.phone("1001").behaviour = RingOnly()
    callers = [await here.call(), await here.call()]
    await shows(here, "callrouter-queue-support", "confirmed")
    for caller in callers:
        await caller.bye()
    await shows(here, "callrouter-queue-support", "terminated")
    assert lamps["callrouter-queue-support"] == ["terminated", "confirmed", "terminated"]
    await here.quiet()


async def test_lamps_are_true_again_after_a_restart_of_either_side(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"])])
    assert await here.phone("1003").watch("callrouter-a2") == 200
    here.post(PauseRequested(agent="a2"))
    await shows(here, "callrouter-a2", "held")
    await here.crash()
    await here.start()  # it knows of no pause
    await shows(here, "callrouter-a2", "terminated")
    # Somebody else has set it: the next comparison after a gap sets it right.
    await here.lab.asterisk.cli("devstate change Custom:callrouter-a2 INUSE")
    await shows(here, "callrouter-a2", "confirmed")
    await here.crash()
    await here.start()
    await shows(here, "callrouter-a2", "terminated")
    await here.quiet()


async def comes_to(here: Floor, lamp: str, wanted: str) -> None:
    """Wait until the device state behind a lamp is this."""
    async with asyncio.timeout(10):
        while await state(here, lamp) != wanted:  # noqa: ASYNC110 - Asterisk's console tells nobody
            await asyncio.sleep(0.02)


async def test_who_is_taken_out_is_unavailable(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"])])
    await comes_to(here, "a2", "NOT_INUSE")
    here.post(ConfigReloaded(table=table(staff(1), queue("support", ["a1"]))))
    await comes_to(here, "a2", "UNAVAILABLE")
    assert await state(here, "a1") == "NOT_INUSE"
    await here.quiet()


async def test_who_is_taken_out_while_no_router_runs_is_unavailable(here: Floor) -> None:
    both = [queue("support", ["a1"]), queue("sales", ["a2"])]
    await here.fresh(*staff(2), queues=both)
    here.post(PauseRequested(agent="a2"))
    await comes_to(here, "a2", "ONHOLD")
    here.post(PauseRequested(agent="a1"))
    await comes_to(here, "a1", "ONHOLD")
    await here.lab.asterisk.cli("devstate change Custom:callrouter-queue-sales INUSE")
    await here.lab.asterisk.cli("devstate change Custom:callrouter.site INUSE")
    await here.crash()
    await here.fresh(*staff(1), queues=both[:1])
    await comes_to(here, "a2", "UNAVAILABLE")
    await comes_to(here, "queue-sales", "NOT_INUSE")
    await comes_to(here, "a1", "NOT_INUSE")
    found = await here.lab.asterisk.cli("devstate list")
    assert re.search(r"'Custom:callrouter\.site'\s+State: 'INUSE'", found), "it is none of ours"
    await here.quiet()


async def test_a_lamp_never_shows_in_use_before_the_phone_rings(here: Floor) -> None:
    """The 180 comes long after the INVITE: free, ringing, in use, free."""
    await here.fresh(person("slow", desk("slow", "1001")), queues=[queue("support", ["slow"])])
    assert await here.phone("1003").watch("callrouter-slow") == 200
    await shows(here, "callrouter-slow", "terminated")
    here.phone("1003").lamps["callrouter-slow"].clear()
    here.phone("1001").behaviour = Silent()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await asyncio.sleep(1.0)
    leg.ring()
    await shows(here, "callrouter-slow", "early")
    await leg.answer()
    await caller.wait_heard("1001")
    await shows(here, "callrouter-slow", "confirmed")
    await asyncio.sleep(1.1)
    await caller.bye()
    await shows(here, "callrouter-slow", "terminated")
    seen = here.phone("1003").lamps["callrouter-slow"]
    assert seen == ["early", "confirmed", "terminated"]
    await here.quiet()
