"""What agents' phones are told of a call: the name shown, a ring of its own, to answer by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.lab import Install
from tests.asterisk.floor import (
    Answer,
    Floor,
    RingOnly,
    desk,
    mobile,
    person,
    queue,
    stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

RING_3 = "<http://localhost>;info=ring3, x"
M1 = "+447700900123"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jane", "Support: Jane (0207946001)"),
        ('J"ane\\ <sip:x@y>&Zoë{tag}', "Support: Jane sip:x@y&Zoë{tag} (0207946001)"),
        ("", "Support: 0207946001 (0207946001)"),
    ],
)
async def test_the_queue_s_name_and_the_caller_on_the_desk_phone(
    here: Floor, name: str, shown: str
) -> None:
    rules = queue("support", ["a1", "m1"], at_once=None, show="{queue}: {name} ({number})")
    people = [person("a1", desk("a1", "1001")), person("m1", mobile("m1", M1))]
    await here.fresh(*people, queues=[rules])
    here.phone("1001").behaviour = here.phone("carrier").behaviour = RingOnly()
    caller = await here.call(caller_number="0207946001", caller_name=name)
    leg = await here.phone("1001").wait_incoming()
    assert (leg.peer_name, leg.peer_number) == (shown, "0207946001")
    outside = await here.phone("carrier").wait_incoming()
    assert "Support" not in outside.peer_name, "what leads out of the PBX is shown the caller's own"
    await caller.bye()
    await here.quiet()


async def test_a_ring_of_its_own(here: Floor) -> None:
    rules = queue("support", ["a1", "m1"], at_once=None, alert_info=RING_3)
    people = [person("a1", desk("a1", "1001")), person("m1", mobile("m1", M1))]
    await here.fresh(*people, queues=[rules])
    here.phone("1001").behaviour = here.phone("carrier").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    assert leg.headers.all("alert-info") == [RING_3]
    outside = await here.phone("carrier").wait_incoming()
    assert outside.headers.all("alert-info") == []
    await caller.bye()
    await here.quiet()


async def test_a_phone_that_answers_by_itself(here: Floor) -> None:
    by_itself = replace(desk("a1", "1001"), auto_answer=True)
    people = [person("a1", by_itself), person("a2", desk("a2", "1002"))]
    await here.fresh(*people, queues=[queue("support", ["a1", "a2"], at_once=None)])
    here.phone("1001").behaviour = Answer(after=0.0)
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    assert leg.headers.get("call-info").endswith(";answer-after=0")
    assert "info=alert-autoanswer" in leg.headers.get("alert-info")
    assert leg.headers.get("answer-mode") == "Auto"
    other = await here.phone("1002").wait_incoming()
    assert other.headers.all("call-info") == []
    await caller.wait_heard("1001")
    await caller.bye()
    await here.quiet()


async def test_a_ring_of_its_own_comes_before_what_makes_the_phone_answer(
    here: Floor,
) -> None:
    people = [person("a1", replace(desk("a1", "1001"), auto_answer=True))]
    rules = queue("support", ["a1"], show="{queue}", alert_info=RING_3)
    await here.fresh(*people, queues=[rules])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    assert leg.headers.all("alert-info")[0] == RING_3
    assert len(leg.headers.all("alert-info")) == 2
    assert leg.peer_name == "Support"
    await caller.bye()
    await here.quiet()
