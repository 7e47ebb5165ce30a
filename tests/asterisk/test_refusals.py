"""What the phones of agents say no with: the caller never notices, the next agent rings at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import (
    AnswerThenBye,
    Behaviour,
    EarlyMedia,
    Install,
    Redirect,
    Refuse,
    Silent,
    TryingOnly,
)
from callrouter.model.call_notices import CallCompleted, DeviceFailed
from callrouter.model.commands import Ring
from callrouter.pbx.asterisk.execution import actions
from tests.asterisk.floor import (
    Answer,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    staff,
    stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 5) as made:
        yield made


FIRST_1 = {"a1": 1, "a2": 2}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (486, "busy"),
        (603, "declined"),
        (480, "unavailable"),
        (404, "unreachable"),
        (503, "unreachable"),
        (420, "unreachable"),
        (600, "busy"),
    ],
)
async def test_OS_08_AST_42_AST_50_a_refusal_rings_the_next_agent_at_once(
    here: Floor, code: int, outcome: str
) -> None:
    await here.fresh(*staff(2), queues=[queue("support", FIRST_1, policy=("priority",))])
    here.phone("1001").behaviour = Refuse(code)
    caller = await here.call()
    refused = await here.phone("1001").wait_incoming()
    second = await here.phone("1002").wait_incoming()
    await caller.wait_heard("1002")
    assert refused.ended_at is not None
    assert second.invite_at - refused.ended_at < 3.0  # the ring time is 5 s
    assert caller.final_code == 200
    assert here.outcomes() == [("a1", outcome)]
    assert here.router.floor.agents["a1"].misses == 0
    await caller.bye()
    await here.quiet()


async def test_FS_09_six_ways_to_fail_have_six_names(here: Floor) -> None:
    rules = queue("support", [f"a{n}" for n in range(1, 6)], at_once=None, ring_for=3.0)
    await here.fresh(*staff(5), queues=[rules])
    ways: tuple[Behaviour, ...] = (Refuse(486), Refuse(603), Refuse(480), Refuse(404), RingOnly())
    for number, behaviour in enumerate(ways, 1001):
        here.phone(str(number)).behaviour = behaviour
    caller = await here.call()
    await here.until(lambda: len(here.outcomes()) == 5, 10)
    names = dict(here.outcomes())
    await here.until(lambda: here.state("a5") == "ringing")
    await caller.bye()
    await here.quiet()
    names["again"] = dict(here.outcomes())["a5"]
    assert names == {
        "a1": "busy",
        "a2": "declined",
        "a3": "unavailable",
        "a4": "unreachable",
        "a5": "no answer",
        "again": "caller gone",
    }
    assert [a.misses for a in here.router.floor.agents.values()] == [0, 0, 0, 0, 1]
    # The unreachable one is not rung again at once.
    assert len(here.phone("1004").incoming) == 1


@pytest.mark.parametrize(("status", "why"), [(486, "busy"), (603, "declined")])
async def test_do_not_disturb_is_left_alone_and_no_caller_waits_for_it(
    here: Floor, status: int, why: str
) -> None:
    await here.fresh(*staff(2), queues=[queue("support", FIRST_1, policy=("priority",))])
    here.phone("1001").behaviour = Refuse(status)
    for number in range(1, 4):
        await here.until(lambda: here.free("a1"))  # its rest is over
        caller = await here.call()
        nxt = await here.phone("1002").wait_incoming(number)
        assert nxt.invite_at - caller.invite_at < 3.0  # the ring time is 5 s
        await caller.wait_heard("1002")
        await caller.bye()
        await here.quiet()
    failed = [
        (one.device, one.why.value, one.in_a_row, one.cooldown_s)
        for one in here.happened(DeviceFailed)
    ]
    assert failed == [("desk", why, number, rest) for number, rest in ((1, 0), (2, 2), (3, 4))]
    assert here.router.floor.agents["a1"].misses == 0


async def test_AST_43_only_a_ring_time_that_is_up_is_a_miss(here: Floor) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), ring_for=2.0)
    await here.fresh(*staff(2), queues=[rules])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    rang = await here.phone("1001").wait_incoming()
    await rang.wait_ended()
    assert rang.ended_at is not None
    assert 1.7 < rang.ended_at - rang.invite_at < 4.0
    assert rang.final_code == 487
    assert not rang.answered_elsewhere
    await caller.wait_heard("1002")
    assert here.outcomes() == [("a1", "no answer")]
    assert here.router.floor.agents["a1"].misses == 1
    await caller.bye()
    await here.quiet()


async def test_FS_14_a_long_ring_time_is_not_cut_by_asterisk() -> None:
    ring = Ring(
        pbx="office",
        call="office-1",
        offer="b-1",
        agent="a1",
        device="desk",
        endpoint="PJSIP/1001",
        number="",
        confirm=False,
        ring_for=75.0,
        queue="support",
        queue_name="Support",
        caller_number="123",
        caller_name="",
    )
    assert int(actions.originate(ring, "")["Timeout"]) > 75_000  # type: ignore[arg-type]


async def test_FS_20_a_phone_that_ignores_everything_costs_its_ring_time_only(here: Floor) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), ring_for=1.0)
    for behaviour in (TryingOnly(), Silent()):
        await here.fresh(*staff(2), queues=[rules])
        here.phone("1001").behaviour = behaviour
        caller = await here.call()
        dead = await here.phone("1001").wait_incoming()
        nxt = await here.phone("1002").wait_incoming()
        assert nxt.invite_at - dead.invite_at < 4.0
        await caller.wait_heard("1002")
        await caller.bye()
        await here.until(lambda: here.free("a2"))
        await here.until(lambda: not here.router.floor.offers)


async def test_AST_65_early_media_is_no_answer(here: Floor) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), ring_for=1.0)
    await here.fresh(*staff(2), queues=[rules])
    here.phone("1001").behaviour = EarlyMedia()
    caller = await here.call()
    await here.phone("1001").wait_incoming()
    await caller.wait_heard("1002")
    assert "1001" not in caller.heard
    assert here.outcomes() == [("a1", "no answer")]
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("talk", [0.0, 0.02, 0.05, 0.2])
async def test_FS_16_an_agent_who_hangs_up_at_once_gives_the_caller_back(
    here: Floor, talk: float
) -> None:
    rules = queue("support", FIRST_1, policy=("priority",))
    await here.fresh(*staff(2), queues=[rules])
    here.phone("1001").behaviour = AnswerThenBye(after=0.1, talk_s=talk)
    here.phone("1002").behaviour = Answer(after=0.5)
    caller = await here.call()
    first = await here.phone("1001").wait_incoming()
    await first.wait_ended()
    second = await here.phone("1002").wait_incoming()
    assert first.ended_at is not None
    assert second.invite_at - first.ended_at < 3.0
    await caller.wait_hears("")  # music again
    await caller.wait_hears("1002")
    assert caller.state == "up"
    assert here.free("a1")
    await caller.bye()
    await here.quiet()
    assert len(here.happened(CallCompleted)) == 1


async def test_AST_44_the_caller_hangs_up_while_it_rings(here: Floor) -> None:
    await here.fresh(*staff(1, wrap_up=30.0), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    ringing = await here.phone("1001").wait_incoming()
    await caller.wait_up()
    await caller.bye()
    left = time.monotonic()
    await ringing.wait_ended()
    assert ringing.ended_at is not None
    assert ringing.ended_at - left < 3.0  # the ring time is 5 s
    await here.until(lambda: here.free("a1"), 3.0)
    await here.quiet()
    assert here.outcomes() == [("a1", "caller gone")]
    assert here.router.floor.agents["a1"].misses == 0


async def test_AST_08_a_phone_that_sends_its_calls_elsewhere_is_no_more_than_refusing(
    here: Floor,
) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1", "a2"], at_once=None)])
    here.phone("1001").behaviour = Redirect("9999")
    here.phone("1002").behaviour = Answer(after=1.0)
    caller = await here.call()
    await caller.wait_heard("1002")
    assert len(await here.channels()) == 2
    await here.until(lambda: here.free("a1"), 3.0)
    await caller.bye()
    await here.quiet()


async def test_WZA_26_two_phones_that_send_calls_to_each_other(here: Floor) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), ring_for=2.0, retry_after=0.5)
    await here.fresh(*staff(3), queues=[rules])
    here.phone("1001").behaviour = Redirect("1002")
    here.phone("1002").behaviour = Redirect("1001")
    caller = await here.call()
    await here.until(lambda: len(here.outcomes()) >= 2, 5)
    rung = len(here.phone("1001").incoming) + len(here.phone("1002").incoming)
    assert rung < 50
    await caller.bye()
    await here.quiet()


async def test_a_redirect_to_a_colleague_does_not_ring_them_behind_our_back(here: Floor) -> None:
    rules = queue("support", ["a1"], ring_for=5.0, retry_after=3.0)
    await here.fresh(*staff(3), queues=[rules])
    here.phone("1001").behaviour = Redirect("1003")
    here.phone("1003").behaviour = Answer(after=1.5)
    caller = await here.call()
    await here.phone("1001").wait_incoming()
    await here.until(here.outcomes)
    for dialog in here.phone("1003").incoming:
        await dialog.wait_ended()
        assert dialog.answered_at is None
    await caller.bye()
    await here.quiet()


async def test_phones_that_are_not_registered_or_do_not_exist_are_passed_over(
    here: Floor,
) -> None:
    people = [*staff(2), person("a4", desk("a4", "1999"))]
    rules = queue("support", {"a4": 1, "a1": 2, "a2": 3}, policy=("priority",))
    await here.phone("1001").unregister()
    await here.fresh(*people, queues=[rules])
    caller = await here.call()
    rings = await here.phone("1002").wait_incoming()
    assert rings.invite_at - caller.invite_at < 3.0  # the ring time is 5 s
    await caller.wait_heard("1002")
    await caller.bye()
    await here.quiet()
    assert here.state("a4") == here.state("a1") == "offline"
    await here.phone("1001").register()
    await here.until(lambda: here.free("a1"))
