"""Mobiles over the trunk: only key 1 connects, whatever picks up."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.core.agents.unavailability_text import why_not
from callrouter.lab import AnswerThenBye, Install, Refuse
from callrouter.lab.behaviour import DtmfMethod
from callrouter.model.routing_table import AgentSpec
from tests.asterisk.ear import Ear
from tests.asterisk.floor import (
    Answer,
    Dialog,
    Floor,
    RingOnly,
    desk,
    mobile,
    person,
    queue,
    staff,
    stage,
    tell,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

M1, M2 = "+447700900123", "+447700900456"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


def on_the_road(name: str, number: str) -> AgentSpec:
    return person(name, mobile(name, number))


async def mobile_then_desk(here: Floor, **changes: float) -> None:
    """m1 has a mobile only and is first; a2 sits at 1002."""
    people = [on_the_road("m1", M1), staff(2)[1]]
    rules = queue("support", {"m1": 1, "a2": 2}, policy=("priority",), **changes)
    await here.fresh(*people, queues=[rules])


@pytest.mark.parametrize("how", ["rfc4733", "info"])
async def test_AST_35_AST_59_key_1_connects(here: Floor, how: DtmfMethod) -> None:
    await mobile_then_desk(here)
    carrier = here.phone("carrier")
    carrier.behaviour = Answer(after=0.2, dtmf=((0.3, "1", how),))
    caller = await here.call(caller_number="0207946001", caller_name="Jane")
    leg = await carrier.wait_incoming()
    assert leg.called == M1.removeprefix("+")
    assert leg.peer_number == "0207946001"
    await caller.wait_heard("carrier")
    await leg.wait_heard("caller")
    assert leg.other_since is not None
    assert leg.answered_at is not None
    tell(f"prompt {(leg.other_since - leg.answered_at) * 1000:.0f} ms after the 200")
    assert leg.other_since - leg.answered_at < 1.0  # OT-03
    assert not here.phone("1002").incoming
    await caller.bye()
    await here.quiet()


async def test_a_key_pressed_before_the_prompt_has_ended_counts(here: Floor) -> None:
    await mobile_then_desk(here)
    here.phone("carrier").behaviour = Answer(after=0.1, dtmf=((0.0, "1", "rfc4733"),))
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    await caller.wait_heard("carrier")
    assert leg.answered_at is not None
    took = caller.heard_since["carrier"] - leg.answered_at
    tell(f"talking {took * 1000:.0f} ms after the mobile's 200")
    assert took < 1.0
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(
    ("key", "how", "outcome"),
    [
        ("2", "rfc4733", "declined"),
        ("2", "info", "declined"),
        ("5", "rfc4733", "wrong key"),
        ("0", "info", "wrong key"),
        ("*", "rfc4733", "wrong key"),
        ("#", "rfc4733", "wrong key"),
    ],
)
async def test_AST_60_2_declines_and_any_other_key_refuses(
    here: Floor, key: str, how: DtmfMethod, outcome: str
) -> None:
    await mobile_then_desk(here)
    here.phone("carrier").behaviour = Answer(after=0.1, dtmf=((0.3, key, how),))
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    await leg.wait_ended(3.0)
    await caller.wait_heard("1002")
    assert "carrier" not in caller.heard
    assert here.outcomes() == [("m1", outcome)]
    assert here.router.floor.cooldowns == {}, "a person pressed it: it was no voicemail"
    assert leg.ended_at is not None
    assert leg.answered_at is not None
    assert leg.ended_at - leg.answered_at < 3.0  # and not after the 6 s for which it is asked
    await caller.bye()
    await here.quiet()


@pytest.mark.timeout(40)
async def test_OT_03_a_voicemail_never_gets_a_call(here: Floor) -> None:
    await mobile_then_desk(here, ring_for=3.0)
    here.phone("carrier").behaviour = Answer(after=0.1)  # it speaks, and presses nothing
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    nxt = await here.phone("1002").wait_incoming(within=25)
    await caller.wait_heard("1002")
    assert "carrier" not in caller.heard
    await here.until(lambda: leg.state == "ended")
    assert here.outcomes() == [("m1", "lost")]
    assert leg.answered_at is not None
    assert 5.5 < nxt.invite_at - leg.answered_at < 7.5, "asked alone for six seconds"
    await caller.bye()
    await here.quiet()


async def test_an_unreachable_mobile_costs_no_time(here: Floor) -> None:
    await mobile_then_desk(here)
    here.phone("carrier").behaviour = Refuse(480)
    caller = await here.call()
    nxt = await here.phone("1002").wait_incoming()
    assert nxt.invite_at - caller.invite_at < 3.0  # and not after the ring time of 5 s
    await caller.wait_heard("1002")
    await caller.bye()
    await here.quiet()


async def test_WZA_23_desk_first_then_the_mobile_as_well(here: Floor) -> None:
    both = person("a1", desk("a1", "1001"), mobile("a1", M1, ring_after=0.6))
    await here.fresh(both, queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    here.phone("carrier").behaviour = Answer(after=0.1, dtmf=((0.2, "1", "rfc4733"),))
    caller = await here.call()
    first = await here.phone("1001").wait_incoming()
    second = await here.phone("carrier").wait_incoming()
    assert 0.55 < second.invite_at - first.invite_at < 3.0
    await caller.wait_heard("carrier")
    await first.wait_ended()
    assert first.answered_elsewhere
    assert here.state("a1") == "on-call"
    await caller.bye()
    await here.quiet()
    assert len(here.outcomes()) == 0


async def test_the_desk_answers_while_the_mobile_is_being_asked(here: Floor) -> None:
    both = person("a1", desk("a1", "1001"), mobile("a1", M1))
    await here.fresh(both, queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = Answer(after=0.8)
    here.phone("carrier").behaviour = Answer(after=0.1)
    caller = await here.call()
    asked = await here.phone("carrier").wait_incoming()
    await caller.wait_heard("1001")
    await asked.wait_ended()
    assert asked.answered_elsewhere
    await caller.bye()
    await here.quiet()


async def test_a_voicemail_that_is_first_stops_nobody_elses_phone(here: Floor) -> None:
    people = [on_the_road("m1", M1), staff(2)[1]]
    await here.fresh(*people, queues=[queue("support", ["m1", "a2"], at_once=None)])
    here.phone("carrier").behaviour = Answer(after=0.05)  # it speaks, and presses nothing
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    voicemail = await here.phone("carrier").wait_incoming()
    desk_phone = await here.phone("1002").wait_incoming()
    await voicemail.wait_heard("")
    await caller.wait_heard("")  # music
    assert desk_phone.state != "ended"
    await desk_phone.answer()
    await caller.wait_heard("1002")
    await voicemail.wait_ended()
    assert "carrier" not in caller.heard
    assert here.outcomes() == [("m1", "lost")]
    await caller.bye()
    await here.quiet()


@pytest.mark.timeout(60)
async def test_TW_08_two_mobiles_press_1_at_once(here: Floor) -> None:
    people = [on_the_road("m1", M1), on_the_road("m2", M2)]
    await here.fresh(*people, queues=[queue("support", ["m1", "m2"], at_once=None)])
    carrier = here.phone("carrier")
    carrier.behaviour = Answer(after=0.05)
    for number in range(1, 11):
        caller = await here.call()
        legs = [
            await carrier.wait_incoming(2 * number - 1),
            await carrier.wait_incoming(2 * number),
        ]
        for leg in legs:
            await leg.wait_heard("")
        await asyncio.gather(*(leg.send_dtmf("1") for leg in legs), return_exceptions=True)
        await here.until(lambda legs=legs: [leg.state for leg in legs].count("up") == 1)  # type: ignore[misc]
        await caller.wait_heard("carrier")
        [winner] = [leg for leg in legs if leg.state == "up"]
        await winner.wait_heard("caller")
        await caller.bye()
        await here.until(lambda: not here.router.floor.offers)
    await here.quiet()


async def left(here: Floor, caller: Dialog, leg: Dialog) -> None:
    await caller.bye()
    await leg.wait_ended(1.0)
    await here.until(lambda: here.free("m1"), 1.0)


async def test_WZC_07_the_caller_leaves_before_during_and_after_the_ring(here: Floor) -> None:
    await here.fresh(on_the_road("m1", M1), queues=[queue("support", ["m1"])])
    carrier = here.phone("carrier")

    carrier.behaviour = Answer(after=3.0, ring=False)  # (i) before its 180
    caller = await here.call()
    leg = await carrier.wait_incoming(1)
    await left(here, caller, leg)
    assert leg.ringing_at is None

    carrier.behaviour = RingOnly()  # (ii) while it rings
    caller = await here.call()
    leg = await carrier.wait_incoming(2)
    await leg.wait_ringing()
    await here.until(lambda: here.state("m1") == "ringing")
    await left(here, caller, leg)

    carrier.behaviour = Answer(after=0.0)  # (iii) during the prompt
    caller = await here.call()
    leg = await carrier.wait_incoming(3)
    await leg.wait_heard("")
    await left(here, caller, leg)
    await here.quiet()
    assert {outcome for _, outcome in here.outcomes()} == {"caller gone"}


async def test_a_mobile_that_hangs_up_on_the_prompt_has_refused(here: Floor) -> None:
    await mobile_then_desk(here)
    here.phone("carrier").behaviour = AnswerThenBye(after=0.1, talk_s=0.4)
    caller = await here.call()
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "hung up")]
    await caller.bye()
    await here.quiet()


# ---------------------------------------------------------------- what a mobile hears and shows


async def asked(here: Floor, ear: Ear, count: int) -> list[str]:
    """The first sounds that the mobile hears."""
    await here.until(lambda: len(ear.heard("carrier")) >= count, 10)
    return ear.heard("carrier")[:count]


async def test_the_prompt_spells_the_queue_where_there_is_no_recording(here: Floor) -> None:
    await here.fresh(on_the_road("m1", M1), queues=[queue("vip-2", ["m1"])])
    here.phone("carrier").behaviour = Answer(after=0.1)
    ear = Ear(here)
    caller = await here.call("vip-2")
    spelled = ["letters/v", "letters/i", "letters/p", "letters/dash", "digits/2"]
    assert await asked(here, ear, 6) == [*spelled, "followme/options"]
    await (await here.phone("carrier").wait_incoming()).send_dtmf("1")
    await caller.wait_heard("carrier")
    await caller.bye()
    await here.quiet()


async def test_the_prompt_plays_the_queues_recording_in_the_agents_language(here: Floor) -> None:
    speaks = replace(on_the_road("m1", M1), language="xx")
    await here.fresh(speaks, queues=[queue("vip", ["m1"])])
    sounds = here.lab.asterisk.folder / "data/sounds"
    recording = sounds / "xx/callrouter/vip.gsm"
    recording.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(sounds / "en/queue-youarenext.gsm", recording)
    here.phone("carrier").behaviour = Answer(after=0.1)
    ear = Ear(here)
    caller = await here.call("vip")
    assert await asked(here, ear, 1) == ["callrouter/vip"]
    assert "Playing 'callrouter/vip.gsm' (language 'xx')" in here.lab.asterisk.log_path.read_text()
    await (await here.phone("carrier").wait_incoming()).send_dtmf("1", "info")  # in mid-name
    await caller.wait_heard("carrier")
    assert ear.heard("carrier") == ["callrouter/vip"]
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(
    ("site", "number", "shows"),
    [
        ({}, "0207946001", "0207946001"),
        ({"caller_id": "+442079460000"}, "0207946001", "0207946001"),
        ({"caller_id": "+442079460000"}, "anonymous", "+442079460000"),
        ({"caller_id": "+442079460000", "show": "business"}, "0207946001", "+442079460000"),
    ],
)
async def test_what_number_a_mobile_shows(
    here: Floor, site: dict[str, str], number: str, shows: str
) -> None:
    here.site = site
    try:
        both = person("a1", desk("a1", "1001"), mobile("a1", M1))
        await here.fresh(both, queues=[queue("support", ["a1"])])
    finally:
        here.site = {}
    here.phone("1001").behaviour = RingOnly()
    here.phone("carrier").behaviour = RingOnly()
    caller = await here.call(caller_number=number)
    assert (await here.phone("carrier").wait_incoming()).peer_number == shows
    # Phones inside never show the business.
    inside = await here.phone("1001").wait_incoming()
    assert inside.peer_number == ("asterisk" if number == "anonymous" else number)
    await caller.bye()
    await here.quiet()


async def test_a_private_call_at_the_desk_keeps_the_mobile_quiet_too(here: Floor) -> None:
    both = person("a1", desk("a1", "1001"), mobile("a1", M1))
    a2 = staff(2)[1]
    rules = queue("support", {"a1": 1, "a2": 2}, policy=("priority",))
    await here.fresh(both, a2, queues=[rules])
    private = await here.phone("1001").call("1003")
    await private.wait_heard("1003")
    caller = await here.call()
    await caller.wait_heard("1002")
    assert not here.phone("carrier").incoming
    await private.bye()
    await caller.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


@pytest.mark.parametrize("status", [480, 503])
async def test_a_mobile_without_a_signal_is_rested_and_the_next_caller_waits_for_none_of_it(
    here: Floor, status: int
) -> None:
    await mobile_then_desk(here)
    carrier = here.phone("carrier")
    carrier.behaviour = Refuse(status)
    for number in range(3):
        caller = await here.call()
        await caller.wait_heard("1002")
        await caller.bye()
        await here.quiet()
        assert len(carrier.incoming) == min(number + 1, 2)
        await asyncio.sleep(0 if number else 5.2)  # after one failure it rests for 5 s
    m1 = here.router.floor.agents["m1"]
    assert [text for _, text in m1.messages] == [
        "mobile could not be reached, twice in a row: it is not rung for 1 min"
    ]
    [reason] = why_not(here.router.floor, m1)
    assert reason.startswith("mobile (office): could not be reached, twice in a row; rung again in")
    assert (m1.misses, here.state("m1")) == (0, "offline")
