"""The active router dies, freezes or hands over during an offer: told by the phones, none is lost or rung twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest

from callrouter.lab import Dialog, Install, RingOnly, find_asterisk
from callrouter.tasks import Tasks
from tests.asterisk.floor import tell
from tests.cluster.pool_of_two import PoolOfTwo, partner, pool_of_two, until_role
from tests.store.server import PostgresServer

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

AGENTS = 3
WAITING = 6


@pytest.fixture(scope="module")
def install() -> Install:
    return asyncio.run(find_asterisk(print))


@pytest.fixture
async def pool(install: Install, server: PostgresServer) -> AsyncIterator[PoolOfTwo]:
    async with pool_of_two(install, server, AGENTS) as made:
        yield made


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    made = Tasks()
    yield made
    await made.close()


async def a_line(pool: PoolOfTwo) -> list[Dialog]:
    """Callers who wait, and a phone that rings for each of the first."""
    for phone in pool.desks:
        phone.behaviour = RingOnly()
    callers = await pool.call(WAITING)
    await pool.ringing(AGENTS)
    return callers


def first_offer(pool: PoolOfTwo, since: float) -> float:
    """Seconds to the first offer that came a moment after `since`."""
    later = [one.invite_at for one in pool.offers if one.invite_at > since + 0.3]
    return min(later) - since


async def test_killed_while_phones_ring(pool: PoolOfTwo, tasks: Tasks) -> None:
    active = await pool.active()
    callers = await a_line(pool)
    await active.end(signal.SIGKILL)
    gone = time.monotonic()
    first = pool.offers[0]
    await first.answer()  # at a phone that a dead router rang: the next one connects it
    pool.answer_all(tasks, talk=3.0)
    await pool.served(callers)
    assert pool.account() == []
    assert pool.served_in_order(callers) < AGENTS
    assert await pool.active() is pool.other(active)
    tell(f"first offer {first_offer(pool, gone):.2f} s after SIGKILL")
    await active.start()  # as a service manager does: it comes back as the standby
    await until_role(pool, active, "standby")
    assert await pool.role(pool.other(active)) == "active"


async def test_frozen_while_phones_ring_and_continued_later(pool: PoolOfTwo, tasks: Tasks) -> None:
    active = await pool.active()
    other = pool.other(active)
    callers = await a_line(pool)
    active.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    await until_role(pool, other, "active")
    pool.answer_all(tasks, talk=3.0)
    await asyncio.sleep(1.0)
    active.signal(signal.SIGCONT)  # in the middle of the other one's calls: it must not act
    await until_role(pool, active, "standby")
    await pool.served(callers)
    assert pool.account() == []
    assert pool.served_in_order(callers) < AGENTS
    assert await pool.role(other) == "active"
    tell(f"first offer {first_offer(pool, frozen):.2f} s after SIGSTOP")


async def test_handed_over_with_callers_and_a_conversation(pool: PoolOfTwo, tasks: Tasks) -> None:
    active = await pool.active()
    callers = await a_line(pool)
    talking = pool.offers[0]
    await talking.answer()
    await talking.wait_heard("caller", within=10)
    began = time.monotonic()
    assert await asyncio.to_thread(pool.ask_to_hand_over)
    await until_role(pool, pool.other(active), "active")
    await until_role(pool, active, "standby")
    tell(f"handed over within {time.monotonic() - began:.2f} s")
    await talking.wait_hears("caller", within=5)  # and neither of the two noticed
    assert talking.state == "up"
    pool.answer_all(tasks, talk=3.0)
    tasks.spawn(talking.bye(), "the conversation ends")
    await pool.served(callers)
    assert all(partner(one) for one in callers)
    assert pool.account() == []
    assert pool.served_in_order(callers) < AGENTS
