"""Several phones registered at one endpoint: all ring, the first to answer wins, a dead one costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from callrouter.lab import Install, Refuse, Silent
from callrouter.lab.phone import Phone
from callrouter.model.call_notices import ConversationStarted, OfferAccepted
from tests.asterisk.floor import Answer, Dialog, Floor, RingOnly, desk, person, queue, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

FIRST_1 = {"a1": 1, "a2": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, max_contacts=4) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def soft(here: Floor) -> AsyncIterator[Phone]:
    """A softphone that registers beside the desk phone 1001."""
    phone = Phone(
        "soft",
        username="1001",
        server=here.lab.asterisk.server,
        password=here.lab.asterisk.options.password,
    )
    await phone.start()
    await phone.register()
    yield phone
    await here.crash()
    await here.hang_all_up()
    await phone.close()


async def start(here: Floor, **changes: Any) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), **changes)
    people = [person("a1", desk("a1", "1001")), person("a2", desk("a2", "1002"))]
    await here.fresh(*people, queues=[rules])


async def test_all_ring_and_the_first_to_answer_wins(here: Floor, soft: Phone) -> None:
    await start(here)
    here.phone("1001").behaviour = RingOnly()
    soft.behaviour = Answer(after=0.4)
    caller = await here.call()
    desk_phone = await here.phone("1001").wait_incoming()
    await caller.wait_heard("soft")
    await soft.incoming[0].wait_heard("caller")
    await desk_phone.wait_ended(1.0)
    assert desk_phone.answered_elsewhere
    assert here.state("a1") == "on-call"
    assert len(here.happened(OfferAccepted)) == 1
    await asyncio.sleep(1.1)
    await soft.incoming[0].bye()
    await caller.wait_ended(3.0)
    await here.until(lambda: here.free("a1"))
    assert not here.phone("1002").incoming
    assert [len(phone.incoming) for phone in (here.phone("1001"), soft)] == [1, 1]
    await here.quiet()


async def one_up(here: Floor, legs: Sequence[Dialog]) -> None:
    await here.until(lambda: sum(leg.state == "up" for leg in legs) == 1)


async def test_both_answer_in_the_same_moment(here: Floor, soft: Phone) -> None:
    for _ in range(5):
        await start(here)
        here.phone("1001").behaviour = soft.behaviour = RingOnly()
        soft.incoming.clear()
        caller = await here.call()
        legs = [await phone.wait_incoming() for phone in (here.phone("1001"), soft)]
        for leg in legs:
            await leg.answer()
        await one_up(here, legs)
        await here.until(lambda: bool(here.happened(ConversationStarted)))
        [winner] = [leg for leg in legs if leg.state == "up"]
        await winner.wait_heard("caller")
        await caller.bye()
        await here.quiet()


async def test_a_dead_registration_costs_neither_agent_nor_caller(here: Floor, soft: Phone) -> None:
    await start(here, auto_pause=1)
    soft.behaviour = Silent()
    here.phone("1001").behaviour = Answer(after=0.3)
    caller = await here.call()
    await caller.wait_heard("1001")
    assert not here.phone("1002").incoming
    await caller.bye()
    await here.quiet()
    assert here.free("a1")


@pytest.mark.parametrize(("dead", "outcome"), [(True, "declined"), (False, "no answer")])
async def test_how_a_leg_ended_is_judged_over_all_of_its_phones(
    here: Floor, soft: Phone, dead: bool, outcome: str
) -> None:
    await start(here, ring_for=4.0)
    here.phone("1001").behaviour = Refuse(603)
    soft.behaviour = Silent() if dead else RingOnly()
    caller = await here.call()
    await caller.wait_heard("1002", 8.0)
    assert here.outcomes() == [("a1", outcome)]
    assert here.router.floor.agents["a1"].misses == (0 if dead else 1)
    await caller.bye()
    await here.quiet()


async def test_phones_that_come_and_go_are_noticed_at_once(here: Floor, soft: Phone) -> None:
    await start(here)
    assert len(here.pbx._registered.of("PJSIP/1001")) == 2
    await soft.unregister()
    await here.until(lambda: len(here.pbx._registered.of("PJSIP/1001")) == 1, 2.0)
    here.phone("1001").behaviour = Answer(after=0.1)
    caller = await here.call()
    await caller.wait_heard("1001")
    assert not soft.incoming
    await caller.bye()
    await here.quiet()
    await soft.register()
    await here.until(lambda: len(here.pbx._registered.of("PJSIP/1001")) == 2, 2.0)
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    await caller.wait_heard("soft")
    await caller.bye()
    await here.quiet()


async def test_the_first_alone_where_that_is_wanted(here: Floor, soft: Phone) -> None:
    only = replace(desk("a1", "1001"), all_contacts=False)
    await here.fresh(person("a1", only), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = soft.behaviour = Answer(after=0.3)
    caller = await here.call()
    await here.until(lambda: bool(here.happened(ConversationStarted)))
    assert len(here.phone("1001").incoming) + len(soft.incoming) == 1
    await caller.bye()
    await here.quiet()


async def test_a_router_that_starts_anew_knows_the_ringing_and_the_talk(
    here: Floor, soft: Phone
) -> None:
    await start(here, ring_for=20.0)
    here.phone("1001").behaviour = soft.behaviour = RingOnly()
    caller = await here.call()
    legs = [await phone.wait_incoming() for phone in (here.phone("1001"), soft)]
    await here.until(lambda: here.state("a1") == "ringing")
    await here.crash()
    await here.start()
    await here.until(lambda: here.state("a1") == "ringing")
    await legs[1].answer()
    await caller.wait_heard("soft")
    await legs[0].wait_ended(2.0)
    assert legs[0].answered_elsewhere
    await asyncio.sleep(1.1)
    await here.crash()
    await here.start()
    assert here.state("a1") == "on-call"
    await legs[1].bye()
    await caller.wait_ended(3.0)
    await here.until(lambda: here.free("a1"))
    assert not here.phone("1002").incoming
    await here.quiet()


async def test_a_private_call_on_either_phone_is_one(here: Floor, soft: Phone) -> None:
    await start(here)
    private = await soft.call("1003")
    await here.until(lambda: here.state("a1") == "on-call")
    caller = await here.call()
    await caller.wait_heard("1002")
    assert not here.phone("1001").incoming
    await caller.bye()
    await private.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_the_fallback_rings_all_of_them(here: Floor, soft: Phone) -> None:
    await start(here)
    here.phone("1001").behaviour = RingOnly()
    here.phone("1002").behaviour = RingOnly()
    soft.behaviour = Answer(after=0.5)
    await here.fallback_known("support")
    await here.crash()
    caller = await here.call()
    await caller.wait_heard("soft", 12.0)
    assert here.phone("1001").incoming
    await caller.bye()
    await here.hang_all_up()


async def test_a_colleague_picks_up_what_rings_on_several_phones(here: Floor, soft: Phone) -> None:
    people = [person(f"a{n}", desk(f"a{n}", f"100{n}")) for n in (1, 2)]
    await here.fresh(*people, queues=[queue("support", FIRST_1, policy=("priority",))])
    here.phone("1001").behaviour = soft.behaviour = RingOnly()
    caller = await here.call()
    rang = [await phone.wait_incoming() for phone in (here.phone("1001"), soft)]
    colleague = await here.phone("1002").call("*8")
    await caller.wait_heard("1002")
    for leg in rang:
        await leg.wait_ended(2.0)
    assert here.state("a2") == "on-call"
    await here.until(lambda: here.free("a1"), 3.0)
    assert len(here.happened(ConversationStarted)) == 1
    await asyncio.sleep(1.1)
    await colleague.bye()
    await caller.wait_ended(4.0)
    await here.quiet()
