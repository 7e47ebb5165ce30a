"""Many phones at once: one connects, the others fall silent and know why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import CallCompleted, ConversationStarted
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
from tests.noise import noise

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 20) as made:
        yield made


def names(count: int) -> list[str]:
    return [f"a{n}" for n in range(1, count + 1)]


async def answer_at_once(here: Floor, phones: list[str]) -> tuple[str, float]:
    """A call that all of `phones` answer within the same moment: who won, and the slowest end.

    The end is given as seconds after the answers, without those for which the machine stood still.
    """
    before = {name: len(here.phone(name).incoming) for name in phones}
    still = noise()
    caller = await here.call()
    legs = {name: await here.phone(name).wait_incoming(before[name] + 1) for name in phones}
    for leg in legs.values():
        leg.ring()
    await here.until(lambda: all(a.offers for a in here.router.floor.agents.values()))
    await asyncio.sleep(0.02)  # the phones ring
    for leg in legs.values():
        await leg.answer()
    answered = max(leg.answered_at or 0.0 for leg in legs.values())
    await here.until(lambda: sum(leg.state == "up" for leg in legs.values()) == 1)
    [winner] = [name for name, leg in legs.items() if leg.state == "up"]
    await caller.wait_heard(winner)
    await legs[winner].wait_heard("caller")
    losers = [name for name in phones if name != winner]
    await here.until(lambda: all(here.free(f"a{int(name) - 1000}") for name in losers))
    assert caller.heard == {winner}
    slowest = max((legs[name].ended_at or 0.0) - answered for name in losers)
    await caller.bye()
    await here.until(lambda: not here.router.floor.calls and not here.router.floor.offers)
    return winner, slowest - noise(still)


@pytest.mark.timeout(90)
async def test_WZC_01_phones_answering_in_the_same_moment_50_times(here: Floor) -> None:
    slowest = []
    for count in (2, 3):
        agents = names(count)
        await here.fresh(*staff(count), queues=[queue("support", agents, at_once=None)])
        phones = [str(1000 + n) for n in range(1, count + 1)]
        for phone in phones:
            here.phone(phone).behaviour = RingOnly()
        for _ in range(25):
            _, last = await answer_at_once(here, phones)
            slowest.append(last)
        await here.quiet()
        assert len(here.happened(ConversationStarted)) == 25
        assert len(here.happened(CallCompleted)) == 25
        assert all(agent.misses == 0 for agent in here.router.floor.agents.values())
    tell(f"losers ended {max(slowest) * 1000:.0f} ms after the answers at the latest")
    assert max(slowest) < 0.5


async def test_AST_46_OT_12_losers_are_told_answered_elsewhere(here: Floor) -> None:
    await here.fresh(*staff(3), queues=[queue("support", names(3), at_once=None, wrap_up=9.0)])
    here.phone("1001").behaviour = here.phone("1003").behaviour = RingOnly()
    here.phone("1002").behaviour = Answer(after=0.3)
    still = noise()
    caller = await here.call()
    await caller.wait_heard("1002")
    winner = await here.phone("1002").wait_incoming()
    for name in ("1001", "1003"):
        leg = await here.phone(name).wait_incoming()
        await leg.wait_ended(5.0)
        assert leg.answered_elsewhere, leg.reasons
        assert leg.final_code == 487
        assert leg.ended_at is not None
        assert winner.answered_at is not None
        assert leg.ended_at - winner.answered_at < 0.3 + noise(still)
    await here.until(lambda: here.free("a1") and here.free("a3"))
    assert dict(here.outcomes()) == {"a1": "lost", "a3": "lost"}
    await caller.bye()
    await here.quiet()
    assert here.state("a2") == "wrap-up"


async def test_someone_who_becomes_free_joins_the_ringing(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", names(2), at_once=None)])
    here.phone("1001").behaviour = here.phone("1002").behaviour = RingOnly()
    private = await here.phone("1002").call("1003")
    await here.until(lambda: here.state("a2") == "on-call")
    caller = await here.call()
    await here.phone("1001").wait_incoming()
    await private.cancel()
    joined = await here.phone("1002").wait_incoming(within=4.0)  # less than a ring time
    await joined.answer()
    await caller.wait_heard("1002")
    await caller.bye()
    await here.quiet()


async def test_twenty_phones_ring_in_one_burst(here: Floor) -> None:
    await here.fresh(*staff(20), queues=[queue("support", names(20), at_once=None)])
    for phone in here.lab.phones.values():
        phone.behaviour = RingOnly()
    still = noise()
    caller = await here.call()
    phones = [here.phone(str(1000 + n)) for n in range(1, 21)]
    legs = [await phone.wait_incoming() for phone in phones]
    at = sorted(leg.invite_at for leg in legs)
    tell(f"caller to first INVITE {(at[0] - caller.invite_at) * 1000:.1f} ms")
    tell(f"20 INVITEs within {(at[-1] - at[0]) * 1000:.1f} ms")
    assert at[-1] - at[0] < 1.0 + noise(still)
    await legs[7].answer()
    await caller.wait_heard("1008")
    for leg in legs:
        if leg is not legs[7]:
            await leg.wait_ended(5.0)
            assert leg.answered_elsewhere
    await caller.bye()
    await here.quiet()


async def test_BB_02_two_callers_one_answer_the_oldest_is_served(here: Floor) -> None:
    await here.fresh(*staff(3), queues=[queue("support", names(3), at_once=None)])
    for phone in here.lab.phones.values():
        phone.behaviour = RingOnly()
    first = await here.call()
    await here.phone("1001").wait_incoming()
    second = await here.call()
    await here.until(lambda: len(here.router.floor.calls) == 2)
    await (await here.phone("1001").wait_incoming()).answer()
    await first.wait_heard("1001")
    # The losers ring for the second caller at once.
    again = await here.phone("1002").wait_incoming(2)
    await first.bye()
    assert again.state == "ringing"
    await again.answer()
    await second.wait_heard("1002")
    await second.bye()
    await here.quiet()


async def test_OA_03_twenty_callers_at_once_onto_five_agents(here: Floor) -> None:
    await here.fresh(*staff(5), queues=[queue("support", names(5))])
    for phone in here.lab.phones.values():
        phone.behaviour = RingOnly()
    callers = [await here.call() for _ in range(20)]
    phones = [here.phone(str(1000 + n)) for n in range(1, 6)]
    await asyncio.gather(*(phone.wait_incoming() for phone in phones))
    await here.until(lambda: len(here.router.floor.calls) == 20)
    assert [len(phone.incoming) for phone in phones] == [1] * 5
    assert len(here.router.floor.queues["support"].waiting) == 20
    assert len(here.router.floor.offers) == 5
    rung_for = [offer.call.seq for offer in here.router.floor.offers.values()]
    assert sorted(rung_for) == sorted(c.seq for c in here.router.floor.calls.values())[:5]
    await asyncio.gather(*(caller.bye() for caller in callers))
    await here.quiet()


async def test_two_phones_of_one_agent_whose_names_begin_alike(here: Floor) -> None:
    """Asterisk's Bridge() takes any channel whose id begins with what it is given."""
    phones = [replace(desk("a1", "1001"), id="desk2"), replace(desk("a1", "1002"), id="desk")]
    await here.fresh(person("a1", *phones), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    here.phone("1002").behaviour = Answer(after=0.2)
    caller = await here.call()
    await caller.wait_heard("1002")
    await here.phone("1002").incoming[0].wait_heard("caller")
    assert here.phone("1001").incoming[0].answered_elsewhere
    await caller.bye()
    await here.quiet()
