"""Two and three real Asterisks joined by SIP trunks, phones on each, one router, one pool of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install
from callrouter.model.call_notices import CallCompleted
from callrouter.model.routing_table import AgentSpec
from tests.several.joined import Site, on_all, person, queue, site

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

NORTH, SOUTH, WEST = "north", "south", "west"
BOTH = (NORTH, SOUTH)


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
    async with site(install, {NORTH: ["1001", "1002"], SOUTH: ["2001"]}) as made:
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
