"""Two and three real Asterisks joined by SIP trunks, phones on each, one router, one pool of agents."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install, RingOnly
from callrouter.model.call_notices import (
    CallCompleted,
    CallEntered,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
)
from callrouter.model.routing_table import AgentSpec, DeviceSpec, KeepWaiting, SignIn
from tests.asterisk.floor import table
from tests.asterisk.proxy import proxy
from tests.several.joined import Site, on_all, person, queue, site

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

NORTH, SOUTH, WEST = "north", "south", "west"
BOTH = (NORTH, SOUTH)

MACHINE = """
[lab-phones](+)
exten => machine,1,Answer()
 same => n,Milliwatt()
"""
"""An extension where a machine answers at once."""


def agents(pbxes: tuple[str, ...] = BOTH) -> list[AgentSpec]:
    """ann at 1001 of north, sue at 2001 of south, and if it is there wim at 3001 of west."""
    homes = {"ann": (NORTH, "1001"), "sue": (SOUTH, "2001"), "wim": (WEST, "3001")}
    return [
        person(name, on_all(name, number, home, pbxes))
        for name, (home, number) in homes.items()
        if home in pbxes
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def joined(install: Install) -> AsyncIterator[Site]:
    phones = {NORTH: ["1001", "1002"], SOUTH: ["2001"]}
    async with site(install, phones, dialplan=MACHINE) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def here(joined: Site) -> AsyncIterator[Site]:
    await joined.fresh(*agents(), queues=[queue("support", ["ann", "sue"], policy=("linear",))])
    yield joined
    await joined.crash()


async def test_a_caller_at_south_reaches_an_agent_of_north(here: Site) -> None:
    here.phone("1001").behaviour = Answer(after=0.3)
    caller = await here.call(SOUTH)
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await agent.wait_heard("caller")
    await here.until(lambda: here.state("ann") == "on-call")
    await caller.bye()
    await here.quiet()
    assert len(here.happened(CallCompleted)) == 1
    assert "PRIVATE_CALL" not in here.states_of("ann")
    assert here.state("ann") == "available"
    assert here.phone("2001").incoming == []


async def test_an_agent_in_a_call_through_south_is_not_rung_by_north(here: Site) -> None:
    first = await here.call(SOUTH)
    await first.wait_heard("1001")
    second = await here.call(NORTH)
    await second.wait_heard("2001")
    third = await here.call(NORTH)
    await asyncio.sleep(1)
    assert len(here.phone("1001").incoming) == len(here.phone("2001").incoming) == 1
    await first.bye()
    await third.wait_heard("1001")
    await second.bye()
    await third.bye()
    await here.quiet()
    assert "PRIVATE_CALL" not in here.states_of("ann") + here.states_of("sue")


async def test_a_private_call_at_home_keeps_the_callers_of_every_asterisk_away(here: Site) -> None:
    here.phone("1002").behaviour = Answer()
    private = await here.phone("1001").call("1002")
    await private.wait_heard("1002")
    await here.until(lambda: here.state("ann") == "on-call")
    caller = await here.call(SOUTH)
    await caller.wait_heard("2001")
    assert here.phone("1001").incoming == []
    await private.bye()
    await here.until(lambda: here.state("ann") == "available")
    await caller.bye()
    await here.quiet()


async def test_losing_one_asterisk_costs_its_own_channels_only(here: Site) -> None:
    """North is killed while ann talks for a caller of north, and sue for one of south."""
    at_north = await here.call(NORTH)
    await at_north.wait_heard("1001")
    at_south = await here.call(SOUTH)
    await at_south.wait_heard("2001")
    here.labs[NORTH].asterisk.kill()
    await here.until(lambda: not here.pbxes[NORTH].in_step)
    await here.until(lambda: NORTH in here.router.floor.stopped)
    assert SOUTH not in here.router.floor.agents["ann"].open, (
        "no trunk rings a phone of a dead server"
    )
    heard = at_south.heard.copy()
    await at_south.wait_heard("2001")
    assert heard
    assert at_south.state == "up"
    await at_south.bye()
    again = await here.call(SOUTH)
    await again.wait_heard("2001", within=20)
    await again.bye()
    await here.labs[NORTH].asterisk.restart()
    await here.labs[NORTH]["1001"].register()
    await here.until(lambda: here.pbxes[NORTH].in_step, 30)
    ann = here.router.floor.agents["ann"]
    await here.until(lambda: SOUTH in ann.open, 30)  # the trunk works again, too
    caller = await here.call(SOUTH)
    await caller.wait_heard("1001", within=20)
    await caller.bye()
    await at_north.bye()
    await here.until(lambda: not here.router.floor.calls)


async def test_an_agent_whose_home_is_cut_off_rings_on_through_the_other(here: Site) -> None:
    """Only the router's link to north is cut: north lives, and its agent is asked for key 1."""
    async with proxy(here.labs[NORTH].asterisk.ami_port) as (link, port):
        here.ports[NORTH] = port
        await here.fresh(*agents(), queues=[queue("support", ["ann"])])
        link.shut = True
        link.cut()
        await here.until(lambda: not here.pbxes[NORTH].in_step)
        caller = await here.call(SOUTH)
        agent = await here.phone("1001").wait_incoming()
        await here.until(lambda: here.asked() == 1)
        await agent.send_dtmf("1")
        await caller.wait_heard("1001")
        await caller.bye()
        await here.quiet()
        await here.crash()
    here.ports.clear()


async def test_a_voicemail_of_north_gets_no_caller_of_south(here: Site) -> None:
    """ann's phone refuses, and north's dialplan has a machine answer the call from the trunk."""
    machines = [person("ann", machine("ann")), person("sue", on_all("sue", "2001", SOUTH, BOTH))]
    await here.fresh(*machines, queues=[queue("support", ["ann", "sue"], policy=("linear",))])
    caller = await here.call(SOUTH)
    await caller.wait_heard("2001", within=10)
    assert here.labs[NORTH]["1001"].incoming == []
    assert ("ann", "not accepted") in [
        (o.agent, o.outcome.value) for o in here.happened(OfferEnded)
    ]
    await caller.bye()
    await here.quiet()


def machine(agent: str) -> DeviceSpec:
    """A phone whose number at north leads to a machine that answers."""
    phone = on_all(agent, "1001", NORTH, BOTH)
    return replace(phone, addresses={NORTH: "PJSIP/1001", SOUTH: "PJSIP/machine@north"})


async def test_a_new_router_finds_an_agent_who_talks_through_another_asterisk(here: Site) -> None:
    caller = await here.call(SOUTH)
    await caller.wait_heard("1001")
    await here.until(lambda: here.state("ann") == "on-call")
    await here.crash()
    await here.start(here.router.floor.table)
    assert here.state("ann") == "on-call"
    other = await here.call(NORTH)
    await other.wait_heard("2001")
    assert len(here.phone("1001").incoming) == 1
    assert here.breaches == []
    await caller.bye()
    await here.until(lambda: here.state("ann") == "available")
    await other.bye()
    await here.until(lambda: not here.router.floor.calls)


async def test_a_phone_that_rings_through_another_asterisk_rings_on_over_a_restart(
    here: Site,
) -> None:
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call(SOUTH)
    agent = await here.phone("1001").wait_incoming()
    await here.until(lambda: here.state("ann") == "ringing")
    await here.crash()
    await here.start(here.router.floor.table)
    await agent.answer()
    await caller.wait_heard("1001")
    assert len(here.phone("1001").incoming) == 1
    await caller.bye()
    await here.until(lambda: not here.router.floor.calls)


async def test_the_fallback_of_each_asterisk_rings_the_address_there(here: Site) -> None:
    def published(pbx: str) -> str:
        known = here.pbxes[pbx]._fallback._published.get("support")
        return f"{known.desks} {known.mobiles}" if known is not None else ""

    await here.until(lambda: published(NORTH) and published(SOUTH))
    await here.until(lambda: "PJSIP/1001@north" in published(SOUTH))
    assert published(NORTH) == "PJSIP/1001 PJSIP/2001@south^-"
    assert published(SOUTH) == "PJSIP/2001 PJSIP/1001@north^-"


async def test_without_a_router_the_fallback_rings_the_other_asterisks_phone(here: Site) -> None:
    """South's callers reach ann of north, who must press 1: no router sees who answers."""
    await here.fresh(agents()[0], queues=[queue("support", ["ann"])])
    known = here.pbxes[SOUTH]._fallback
    assert known is not None
    await here.until(lambda: "PJSIP/1001@north" in str(known._published.get("support")))
    await here.pbxes[SOUTH].client.request({"Action": "Ping"}, timeout=20.0)
    await here.crash()
    here.phone("1001").behaviour = Answer(dtmf=((2.0, "1", "rfc4733"),))
    caller = await here.call(SOUTH)
    await caller.wait_heard("1001", within=20)
    await caller.bye()


async def test_a_code_is_dialled_at_home_and_holds_everywhere(here: Site) -> None:
    await here.fresh(
        *(replace(spec, sign_in=SignIn.MANUAL) for spec in agents()),
        queues=[queue("support", ["ann", "sue"], on_nobody=KeepWaiting())],
    )
    here.listen_to_codes()
    dialled = await here.phone("1001").call("*45")
    await here.until(lambda: here.state("ann") == "available")
    await dialled.bye()
    caller = await here.call(SOUTH)
    await caller.wait_heard("1001")
    await caller.bye()
    await here.quiet()


async def test_three_asterisks_and_a_caller_on_each(install: Install) -> None:
    where = (NORTH, SOUTH, WEST)
    phones = {NORTH: ["1001"], SOUTH: ["2001"], WEST: ["3001"]}
    async with site(install, phones) as here:
        names = ["wim", "ann", "sue"]
        await here.start(table(agents(where), queue("support", names, policy=("linear",))))
        callers = []
        for pbx, number in ((NORTH, "3001"), (SOUTH, "1001"), (WEST, "2001")):
            callers.append(await here.call(pbx))
            await callers[-1].wait_heard(number)
        here.labs[WEST].asterisk.kill()  # wim's phone, and sue's caller
        await here.until(lambda: not here.pbxes[WEST].in_step)
        await callers[1].wait_heard("1001")
        assert callers[1].state == "up"
        await callers[1].bye()
        again = await here.call(NORTH)
        await again.wait_heard("1001", within=20)
        for caller in (*callers, again):
            await caller.bye()


async def test_a_transfer_by_the_phone_of_another_asterisk_frees_its_agent(here: Site) -> None:
    """ann passes a caller of south on to a colleague of hers, by REFER at north."""
    caller = await here.call(SOUTH)
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await asyncio.sleep(1.2)  # a shorter conversation would count as none
    await agent.blind_transfer("1002")
    await caller.wait_heard("1002")
    await here.until(lambda: here.state("ann") == "available")
    assert len(here.happened(ConversationTransferred)) == 1
    here.pbxes[SOUTH].resync("a test asks for it")
    other = await here.call(NORTH)
    await other.wait_heard("1001")
    assert caller.state == "up"
    await caller.bye()
    await other.bye()
    await here.quiet()


async def test_a_rush_of_callers_on_both_is_served_by_all_agents_one_call_each(here: Site) -> None:
    """Two dozen callers within seconds: all are served, no agent has two at once, order is kept."""
    rng = random.Random(16)
    await here.fresh(*agents(), queues=[queue("support", ["ann", "sue"], on_nobody=KeepWaiting())])
    for number in ("1001", "2001"):
        here.phone(number).behaviour = Answer(after=0.05)

    async def one(where: str) -> None:
        caller = await here.call(where)
        await caller.wait(lambda: bool(caller.heard & {"1001", "2001"}), 60)
        await asyncio.sleep(rng.uniform(0.2, 0.6))
        await caller.bye()

    async with asyncio.TaskGroup() as group:
        for _ in range(24):
            group.create_task(one(rng.choice(BOTH)))
            await asyncio.sleep(rng.uniform(0.0, 0.2))
    await here.quiet()
    talked = [record.call for record in here.happened(ConversationStarted)]
    assert sorted(talked) == sorted(record.call for record in here.happened(CallEntered))
    for number in ("1001", "2001"):
        calls = sorted(here.phone(number).incoming, key=lambda call: call.invite_at)
        assert len(calls) > 4, "both agents take their share"
        for before, after in pairwise(calls):
            assert before.ended_at is not None
            assert before.ended_at <= after.invite_at, f"{number} was rung while in a call"
    assert not {"PRIVATE_CALL"} & {*here.states_of("ann"), *here.states_of("sue")}
