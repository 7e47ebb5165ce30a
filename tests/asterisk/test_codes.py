"""Codes dialled on real phones: what is heard is what has become true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from callrouter.clock import SystemClock
from callrouter.feature_codes import FeatureCodes, prompts
from callrouter.lab import Install
from callrouter.lab.behaviour import DtmfMethod
from callrouter.model.events import ConfigReloaded, PauseRequested, SignedIn
from callrouter.model.notices import AgentNotified, AgentPaused, AgentSignedIn
from callrouter.model.routing_table import AgentSpec, PauseSpec, SignIn
from callrouter.pbx.asterisk import dialogues as people
from callrouter.tasks import Tasks
from tests.asterisk.ear import Ear, dial, heard, key
from tests.asterisk.floor import (
    DIALPLAN,
    Answer,
    Dialog,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PIN = "83164"
HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PIN)


OF_THE_SITE = """
[lab-phones](+)
exten => *65,1,Goto(callrouter-person,sign-in,1)
exten => *66,1,Goto(callrouter-person,pause,1)
exten => _*66X,1,Goto(callrouter-person,pause-${EXTEN:-1},1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, dialplan=DIALPLAN + OF_THE_SITE) as made:
        yield made


def agents(**changes: object) -> list[AgentSpec]:
    """a1 at 1001 and a2 at 1002, who sign in by hand; nobody sits at 1003."""
    return [
        person(
            f"a{n}",
            desk(f"a{n}", f"100{n}"),
            **{"sign_in": SignIn.MANUAL, "extension": f"100{n}", **changes},
        )
        for n in (1, 2)
    ]


async def begin(here: Floor, *people: AgentSpec, **rules: object) -> FeatureCodes:
    """A router with a reception, as the daemon puts them together."""
    specs = people or tuple(agents())
    await here.fresh(*specs, queues=[queue("support", [spec.id for spec in specs], **rules)])
    feature_codes = FeatureCodes(
        board=here.router.board,
        post=here.post,
        pins=lambda: {"a1": HASH},
        clock=SystemClock(),
        tasks=Tasks(),
    )
    feature_codes.attach(here.pbx.name, here.pbx)
    here.pbx.report_phone_events(lambda event: (feature_codes.handle(event), None)[1])
    return feature_codes


async def test_signing_in_and_out(here: Floor) -> None:
    await begin(here)
    assert await dial(here, "1001", "*45") == heard(prompts.SIGNED_IN)
    await here.until(lambda: here.state("a1") == "available")
    [record] = here.happened(AgentSignedIn)
    assert (record.agent, record.by) == ("a1", "phone PJSIP/1001")
    assert await dial(here, "1001", "*45") == heard(prompts.SIGNED_OUT)
    assert here.state("a1") == "offline"
    assert not here.happened(AgentNotified)  # it was themselves
    await here.quiet()


def paused(here: Floor) -> str | None:
    return here.router.floor.agents["a1"].pause


async def test_a_digit_behind_the_code_chooses_the_reason_for_a_pause(here: Floor) -> None:
    await begin(here, *agents(sign_in=SignIn.ALWAYS))
    reasons = {name: PauseSpec(reason=name) for name in ("lunch", "tea", "training")}
    here.post(ConfigReloaded(table=replace(here.spec, pauses=reasons)))
    await here.until(lambda: here.router.floor.table.pauses == reasons)
    assert await dial(here, "1001", "*462") == heard(prompts.PAUSED, ("digits/2",))
    assert paused(here) == "tea"
    assert await dial(here, "1001", "*463") == heard(prompts.PAUSED, ("digits/3",))
    assert paused(here) == "training", "another digit is another reason, and no end of the pause"
    assert await dial(here, "1001", "*464") == heard(prompts.NOT_POSSIBLE)
    assert paused(here) == "training"
    assert await dial(here, "1001", "*46") == heard(prompts.NOT_PAUSED)
    assert paused(here) is None
    assert await dial(here, "1001", "*46") == heard(prompts.PAUSED, ("digits/1",))
    assert paused(here) == "lunch"
    await here.quiet()


async def test_numbers_of_the_site_lead_to_the_names(here: Floor) -> None:
    """`lab-phones` has *65, *66 and *661 of its own, which lead to sign-in, pause and pause-1."""
    await begin(here)
    assert await dial(here, "1001", "*65") == heard(prompts.SIGNED_IN)
    assert await dial(here, "1001", "*66") == heard(prompts.PAUSED)
    assert await dial(here, "1001", "*66") == heard(prompts.NOT_PAUSED)
    assert await dial(here, "1001", "*661") == heard(prompts.NOT_POSSIBLE)
    assert await dial(here, "1001", "*65") == heard(prompts.SIGNED_OUT)
    await here.quiet()


# ---------------------------------------------------------------- every code in every state


async def reach(here: Floor, state: str) -> list[Dialog]:
    """Bring a1 into a state; returns what has to be hung up in the end."""
    if state == "offline":
        return []
    here.post(SignedIn(agent="a1"))
    await here.until(lambda: here.free("a1"))
    if state == "paused":
        here.post(PauseRequested(agent="a1", reason="tea"))
    if state in {"available", "paused"}:
        return []
    here.phone("1001").behaviour = Answer(after=0.05) if state != "ringing" else RingOnly()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    if state == "ringing":
        await here.until(lambda: here.state("a1") == "ringing")
        return [caller]
    await caller.wait_heard("1001")
    if state == "on-call":
        return [caller]
    await asyncio.sleep(1.1)  # a talk of less than a second would not have been one
    await leg.bye()
    await here.until(lambda: here.state("a1") == "wrap-up")
    return [caller]


TALKS = (*prompts.LATER, *prompts.SIGNED_OUT)
PAUSES = (*prompts.LATER, *prompts.PAUSE)
NOT_SIGNED_IN = (*prompts.REFUSED, *prompts.SIGNED_OUT)
TABLE = [
    ("*45", "offline", prompts.SIGNED_IN, "available"),
    ("*45", "available", prompts.SIGNED_OUT, "offline"),
    ("*45", "ringing", prompts.SIGNED_OUT, "offline"),
    ("*45", "on-call", TALKS, "on-call"),
    ("*45", "wrap-up", prompts.SIGNED_OUT, "offline"),
    ("*45", "paused", prompts.SIGNED_OUT, "offline"),
    ("*46", "offline", NOT_SIGNED_IN, "offline"),
    ("*46", "available", prompts.PAUSED, "paused"),
    ("*46", "ringing", prompts.PAUSED, "paused"),
    ("*46", "on-call", PAUSES, "on-call"),
    ("*46", "wrap-up", prompts.PAUSED, "paused"),
    ("*46", "paused", prompts.NOT_PAUSED, "available"),
    ("*49", "offline", NOT_SIGNED_IN, "offline"),
    ("*49", "available", prompts.READY, "available"),
    ("*49", "on-call", prompts.ON_A_CALL, "on-call"),
    ("*49", "wrap-up", prompts.READY, "available"),
    ("*49", "paused", prompts.PAUSED, "paused"),
]


@pytest.mark.parametrize(("code", "state", "says", "after"), TABLE)
async def test_what_is_said_is_true(
    here: Floor, code: str, state: str, says: tuple[str, ...], after: str
) -> None:
    await begin(here, *agents()[:1], wrap_up=30.0, ring_for=20.0)
    calls = await reach(here, state)
    assert await dial(here, "1001", code) == list(says)
    await here.until(lambda: here.state("a1") == after)
    for call in calls:
        await call.bye()
    await here.quiet()


async def test_a_second_time_takes_it_back_during_a_call(here: Floor) -> None:
    await begin(here, *agents()[:1])
    [caller] = await reach(here, "on-call")
    assert await dial(here, "1001", "*46") == list(PAUSES)
    assert await dial(here, "1001", "*46") == heard(prompts.NOT_PAUSED)
    assert await dial(here, "1001", "*45") == list(TALKS)
    assert await dial(here, "1001", "*45") == heard(prompts.SIGNED_IN)
    await caller.bye()
    await here.until(lambda: here.free("a1"))
    await here.quiet()


async def test_a_pause_asked_for_during_a_call_comes_after_it(here: Floor) -> None:
    await begin(here, *agents()[:1])
    [caller] = await reach(here, "on-call")
    await dial(here, "1001", "*46")
    await caller.bye()
    await here.until(lambda: here.state("a1") == "paused")
    [record] = here.happened(AgentPaused)
    assert (record.reason, record.by) == ("", "phone PJSIP/1001")
    await here.quiet()


async def test_who_is_always_signed_in_is_told_that_it_is_not_possible(here: Floor) -> None:
    await begin(here, *agents(sign_in=SignIn.ALWAYS))
    assert await dial(here, "1001", "*45") == heard(prompts.NOT_POSSIBLE)
    await here.until(lambda: here.state("a1") == "available")
    await here.quiet()


# ---------------------------------------------------------------- other phones


async def claim(
    here: Floor, phone: str, *claims: tuple[str, str], how: DtmfMethod = "rfc4733"
) -> list[str]:
    """Dial *45 at a phone and key in extensions and PINs; returns what was heard."""
    ear = Ear(here)
    dialog = await here.phone(phone).call("*45")
    for number, (extension, pin) in enumerate(claims):
        asks = prompts.ASK_EXTENSION if number == 0 else prompts.ASK_EXTENSION_AGAIN
        await here.until(lambda asks=asks: ear.heard(phone)[-1:] == [*asks])  # type: ignore[misc]
        await key(dialog, f"{extension}#", how)
        await here.until(lambda: ear.heard(phone)[-1:] == [*prompts.ASK_PIN])
        await key(dialog, f"{pin}#", how)
    await dialog.wait_ended(15)
    return ear.heard(phone)


ASKED = (*prompts.ASK_EXTENSION, *prompts.ASK_PIN)
AGAIN = (*prompts.ASK_EXTENSION_AGAIN, *prompts.ASK_PIN)


@pytest.mark.parametrize("how", ["rfc4733", "info"])
async def test_from_another_phone_with_extension_and_pin(here: Floor, how: DtmfMethod) -> None:
    await begin(here)
    said = await claim(here, "1003", ("1001", PIN), how=how)
    assert said == heard(ASKED, prompts.SIGNED_IN)
    assert here.state("a1") == "available"
    [record] = here.happened(AgentSignedIn)
    assert record.by == "phone PJSIP/1003, by PIN"
    [told] = here.happened(AgentNotified)  # should it have been somebody else
    assert told.message == "signed in by phone PJSIP/1003, by PIN"
    await here.quiet()


async def test_a_phone_that_several_share_asks_who_it_is(here: Floor) -> None:
    both = [
        person(name, desk(name, "1001"), sign_in=SignIn.MANUAL, extension=extension)
        for name, extension in (("a1", "71"), ("a2", "72"))
    ]
    await begin(here, *both)
    assert await claim(here, "1001", ("71", PIN)) == heard(ASKED, prompts.SIGNED_IN)
    assert here.router.floor.agents["a1"].signed_in
    assert not here.router.floor.agents["a2"].signed_in
    await here.quiet()


@pytest.mark.timeout(120)
async def test_wrong_pins_lock(here: Floor) -> None:
    feature_codes = await begin(here)
    wrong = ("1001", "99999")
    assert await claim(here, "1003", wrong, wrong, wrong) == heard(
        ASKED, AGAIN, AGAIN, prompts.WRONG
    )
    assert await claim(here, "1003", wrong, wrong) == heard(ASKED, AGAIN, prompts.LOCKED)
    assert here.state("a1") == "offline"
    # Right, but too late; and from another phone as well.
    assert await claim(here, "1003", ("1001", PIN)) == heard(ASKED, prompts.LOCKED)
    assert here.state("a1") == "offline"
    # At their own desk nothing is locked.
    assert await dial(here, "1001", "*45") == heard(prompts.SIGNED_IN)
    assert feature_codes.status()["wrong_pins"] == 5
    assert feature_codes.status()["lockouts"] == 2
    await here.quiet()


async def test_nobodys_extension_sounds_like_a_wrong_pin(here: Floor) -> None:
    await begin(here)
    asks = ("1777", "12345")
    assert await claim(here, "1003", asks, asks, asks) == heard(ASKED, AGAIN, AGAIN, prompts.WRONG)
    # a2 has an extension, but no PIN
    assert await claim(here, "1003", ("1002", "12345"), ("1002", "")) == heard(
        ASKED, AGAIN, prompts.LOCKED
    )
    await here.quiet()


async def test_who_keys_in_nothing_is_let_go(here: Floor) -> None:
    await begin(here)
    ear = Ear(here)
    dialog = await here.phone("1003").call("*46")
    await dialog.wait_ended(15)
    assert ear.heard("1003") == heard(prompts.ASK_EXTENSION, prompts.NOTHING_KEYED)
    await here.quiet()


async def test_hanging_up_in_the_middle_leaves_nothing(here: Floor) -> None:
    feature_codes = await begin(here)
    ear = Ear(here)
    dialog = await here.phone("1003").call("*46")
    await here.until(lambda: ear.heard("1003"))
    assert feature_codes.status()["conversations"] == 1
    await dialog.bye()
    await here.until(lambda: feature_codes.status()["conversations"] == 0)
    await here.quiet()


# ---------------------------------------------------------------- without a router

NOT_AVAILABLE = ["im-sorry", "vm-isunavail", "please-try-call-later"]


async def test_a_silent_router_is_not_available(here: Floor) -> None:
    await begin(here)
    await here.crash()
    assert await dial(here, "1001", "*45") == NOT_AVAILABLE


async def test_a_router_that_dies_in_the_middle(here: Floor) -> None:
    await begin(here)
    ear = Ear(here)
    dialog = await here.phone("1003").call("*45")
    await here.until(lambda: ear.heard("1003"))
    await here.crash()
    await key(dialog, "1001#")
    await dialog.wait_ended(15)
    assert ear.heard("1003") == [*prompts.ASK_EXTENSION, *NOT_AVAILABLE]


# ---------------------------------------------------------------- hostile


async def test_a_caller_number_cannot_say_who_it_is(here: Floor) -> None:
    await begin(here)
    ear = Ear(here)
    dialog = await here.phone("1003").call(
        "*45", caller_number="1001", caller_name="1001,Code: *46"
    )
    await here.until(lambda: ear.heard("1003") == [*prompts.ASK_EXTENSION])
    await dialog.bye()
    assert not here.router.floor.agents["a1"].signed_in
    await here.quiet()


async def test_only_the_codes_there_are(here: Floor) -> None:
    await begin(here)
    for target in ("*44", "*4", "*455", "*4x"):
        dialog = await here.phone("1001").call(target)
        await dialog.wait_ended(5)
        assert dialog.final_code in {404, 484}
    assert not here.happened(AgentSignedIn)
    await here.quiet()


async def test_a_conversation_that_takes_too_long_is_ended(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "LONGEST_DIALOGUE", 2.0)
    feature_codes = await begin(here)
    dialog = await here.phone("1003").call("*45")
    await here.until(lambda: feature_codes.status()["conversations"] == 1)
    await dialog.wait_ended(6)
    assert dialog.ended_by == "them"
    assert feature_codes.status()["conversations"] == 0
    await here.quiet()


async def test_a_conversation_of_which_the_end_was_lost_is_found_by_comparing(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature_codes = await begin(here)
    monkeypatch.setattr(here.pbx._dialogues, "_hung_up", lambda _message: None)
    dialog = await here.phone("1003").call("*45")
    await here.until(lambda: feature_codes.status()["conversations"] == 1)
    here.pbx.resync("a test asks for it")
    await here.until(lambda: here.pbx._resync._task is not None and here.pbx._resync._task.done())
    assert feature_codes.status()["conversations"] == 1
    await dialog.bye()
    async with asyncio.timeout(5):
        while await here.channels():  # noqa: ASYNC110 - Asterisk tells nobody
            await asyncio.sleep(0.02)
    assert feature_codes.status()["conversations"] == 1
    here.pbx.resync("a test asks for it")
    await here.until(lambda: feature_codes.status()["conversations"] == 0)
    await here.quiet()
