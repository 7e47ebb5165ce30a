"""What a phone's answer means, and what it holds up: on a real Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.core.agents.unavailability_text import why_not
from callrouter.lab import AnswerThenBye, Install, Refuse
from callrouter.lab.behaviour import Behaviour, EarlyMedia, Silent, TryingOnly
from callrouter.model.call_notices import ConversationStarted, OfferShared
from tests.asterisk.floor import Answer, Floor, RingOnly, desk, mobile, person, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

FIRST_1 = {"a1": 1, "a2": 2}
M1 = "+447700900123"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


async def mobile_first(here: Floor, **rules: object) -> None:
    """m1 has a mobile and comes first, a2 a desk phone."""
    within = rules.pop("accept_within", 25.0)
    first = person("m1", mobile("m1", M1, accept_within=within))
    spec = queue("support", {"m1": 1, "a2": 2}, policy=("priority",), **rules)
    await here.fresh(first, person("a2", desk("a2", "1002")), queues=[spec])


# ---------------------------------------------------------------- the ring


@pytest.mark.parametrize("status", [486, 603, 480])
async def test_a_desk_phone_that_ends_a_long_ring_itself_has_missed_the_call(
    here: Floor, status: int
) -> None:
    spec = queue("support", FIRST_1, policy=("priority",), ring_for=3.0, auto_pause=1)
    await here.fresh(*staff(2), queues=[spec])
    here.phone("1001").behaviour = Refuse(status, after=2.5)
    caller = await here.call()
    await caller.wait_heard("1002")
    assert here.outcomes() == [("a1", "no answer")]
    assert here.state("a1") == "paused"
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("status", [480, 404, 487])
async def test_a_network_that_ends_a_long_ring_did_reach_the_mobile(
    here: Floor, status: int
) -> None:
    await mobile_first(here, ring_for=3.0)
    for _ in range(2):
        here.phone("carrier").behaviour = Refuse(status, after=2.5)
        caller = await here.call()
        await caller.wait_heard("1002")
        await caller.bye()
        await here.quiet()
    assert here.outcomes() == [("m1", "no answer")] * 2
    assert here.router.floor.agents["m1"].misses == 2
    assert here.router.floor.cooldowns == {}


async def test_a_183_is_ringing_too(here: Floor) -> None:
    await mobile_first(here, ring_for=2.0)
    here.phone("carrier").behaviour = EarlyMedia()
    caller = await here.call()
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "no answer")]
    assert here.router.floor.agents["m1"].misses == 1
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("behaviour", [Silent(), TryingOnly()])
async def test_a_phone_that_does_not_even_ring_holds_nobody_up(
    here: Floor, behaviour: Behaviour
) -> None:
    spec = queue("support", FIRST_1, policy=("priority",), ring_for=20.0, auto_pause=1)
    await here.fresh(*staff(2), queues=[spec])
    here.phone("1001").behaviour = behaviour
    caller = await here.call()
    await caller.wait_heard("1002", within=8.0)
    nxt = here.phone("1002").incoming[0]
    assert 2.5 < nxt.invite_at - caller.invite_at < 4.5
    assert here.router.floor.agents["a1"].misses == 0
    assert [record.why.value for record in here.happened(OfferShared)] == ["no reply yet"]
    await caller.bye()
    await here.until(lambda: not here.router.floor.offers)


async def test_silence_to_the_end_is_said_in_words_and_is_no_miss(here: Floor) -> None:
    spec = queue("support", ["a1"], ring_for=2.0, auto_pause=1)
    await here.fresh(*staff(1), queues=[spec])
    here.phone("1001").behaviour = TryingOnly()
    caller = await here.call()
    await here.until(lambda: here.outcomes() == [("a1", "no reply")])
    why = " ".join(why_not(here.router.floor, here.router.floor.agents["a1"]))
    assert "does not answer" in why
    assert here.state("a1") != "paused"
    await caller.bye()
    await here.until(lambda: not here.router.floor.offers)


# ---------------------------------------------------------------- after the pick-up


async def test_a_headset_that_drops_each_call_is_not_tried_again_and_again(here: Floor) -> None:
    await here.fresh(*staff(1), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = AnswerThenBye(after=0.1, talk_s=0.1)
    caller = await here.call()
    dropped = "hung up right after it was picked up, 3 times in a row"
    floor = here.router.floor
    await here.until(lambda: dropped in " ".join(why_not(floor, floor.agents["a1"])), 30)
    await asyncio.sleep(4)  # it would be rung again by now
    assert len(here.phone("1001").incoming) <= 3
    assert len(here.happened(ConversationStarted)) <= 3
    assert caller.state == "up"
    await caller.bye()
    await here.quiet()


# ---------------------------------------------------------------- key 1


async def test_key_1_twenty_seconds_after_the_answer(here: Floor) -> None:
    """A screening service, or a gateway that answers at once: others are rung in the meantime."""
    await mobile_first(here, ring_for=40.0)
    here.phone("carrier").behaviour = Answer(after=0.0, dtmf=((20.0, "1", "rfc4733"),))
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    other = await here.phone("1002").wait_incoming(within=9.0)
    assert leg.answered_at is not None
    assert 5.5 < other.invite_at - leg.answered_at < 7.5
    await caller.wait_heard("carrier", within=25.0)
    await other.wait_ended()
    assert other.answered_elsewhere
    assert here.outcomes() == [("a2", "lost")]
    await caller.bye()
    await here.quiet()


async def test_accept_within_is_the_time_for_key_1(here: Floor) -> None:
    await mobile_first(here, accept_within=4.0, ask_alone_for=60.0)
    here.phone("carrier").behaviour = Answer(after=0.0)
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    await leg.wait_ended(8.0)
    assert leg.answered_at is not None
    assert leg.ended_at is not None
    assert 3.5 < leg.ended_at - leg.answered_at < 5.0
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "not accepted")]
    await caller.bye()
    await here.quiet()


async def test_a_new_router_takes_over_both_who_are_asked(here: Floor) -> None:
    await mobile_first(here, ring_for=40.0, ask_alone_for=0.5)
    here.phone("carrier").behaviour = Answer(after=0.0)
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    other = await here.phone("1002").wait_incoming(within=5.0)
    await here.crash()
    await here.start()
    await here.until(lambda: len(here.router.floor.offers) == 2)
    assert (leg.state, other.state) == ("up", "ringing")
    await leg.send_dtmf("1")
    await caller.wait_heard("carrier")
    await other.wait_ended()
    assert other.answered_elsewhere
    await caller.bye()
    await here.until(lambda: not here.router.floor.calls and not here.router.floor.offers)
