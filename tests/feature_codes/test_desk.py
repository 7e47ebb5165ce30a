"""Conversations with phones: how many, for how long, and which PINs are taken from where."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from callrouter.audit.act_log import Act
from callrouter.core.router import Router
from callrouter.credentials.lockout import FIRST
from callrouter.feature_codes import FeatureCodes, prompts
from callrouter.feature_codes.code_requests import dialled
from callrouter.feature_codes.dialogue import MOST_OTHERS
from callrouter.feature_codes.pins import ENDPOINT_MOST, HOUSE_MOST
from callrouter.model.access_rows import LockRow
from callrouter.model.events import PbxSnapshot
from callrouter.model.ivr import (
    SHIPPED_CODES,
    Code,
    CodeDialled,
    DigitsKeyed,
    PersonLeft,
    PhoneCodes,
    Say,
)
from callrouter.pbx.phone_events import LONGEST_DIALOGUE
from callrouter.runtime import Runtime
from callrouter.tasks import Tasks
from tests.core.tables import agent, desk, queue, table

PBX = "office"
PIN = "831640"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PIN)


class Clock:
    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def now(self) -> float:
        return self.at


@dataclass
class Locks:
    """A store that forgets nothing but what it is told to."""

    rows: dict[str, LockRow] = field(default_factory=dict)

    def put(self, row: LockRow) -> None:
        self.rows[row.key] = row

    def forget(self, key: str) -> None:
        self.rows.pop(key, None)


class House:
    """Ann at PJSIP/ann, a trunk, and phones of nobody's."""

    def __init__(self, locks: Locks | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.locks = locks or Locks()
        self.said: list[Say] = []
        self.tasks = Tasks()
        self.acts: list[Act] = []
        spec = table(agent("ann", desk("ann"), extension="501"), queue("q", "ann"))
        router = Router(spec, rng=random.Random(1), run_id="b", now=self.clock.at)
        self.runtime = Runtime(router, self.clock)
        self.runtime.post(PbxSnapshot(pbx=PBX, endpoints={}))
        self.floor = router.floor
        self.feature_codes = FeatureCodes(
            board=router.board,
            post=self.runtime.post,
            pins=lambda: {"ann": HASH},
            clock=self.clock,
            tasks=self.tasks,
            region=lambda: "GB",
            codes=lambda: self.codes,
            locks=self.locks,
            record=self.acts.append,
        )
        self.codes = SHIPPED_CODES
        self.feature_codes.attach(PBX, self)  # type: ignore[arg-type]  # it only says

    def say(self, command: Say) -> None:
        self.said.append(command)

    def last(self) -> tuple[str, ...]:
        """What was said last."""
        return self.said[-1].sounds

    def dial(self, channel: str, endpoint: str = "PJSIP/trunk", number: str = "") -> None:
        self.feature_codes.handle(
            CodeDialled(
                pbx=PBX,
                channel=channel,
                code=Code.SIGN_IN_OUT,
                endpoint=endpoint,
                caller_number=number,
            )
        )

    async def key(self, channel: str, *digits: str) -> tuple[str, ...]:
        for item in digits:
            self.feature_codes.handle(DigitsKeyed(pbx=PBX, channel=channel, digits=item))
            async with asyncio.timeout(5):
                while len(self.tasks):  # noqa: ASYNC110 - the PIN is looked up in a thread
                    await asyncio.sleep(0.001)
        return self.last()

    async def tries(self, n: int, number: str, endpoint: str = "PJSIP/trunk") -> tuple[str, ...]:
        """One call, one wrong PIN, hung up."""
        self.dial(f"w{n}", endpoint, number)
        said = await self.key(f"w{n}", f"9{n:04d}", "000000")
        self.feature_codes.handle(PersonLeft(pbx=PBX, channel=f"w{n}"))
        return said


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.tasks.close()


async def test_strangers_use_up_nothing_that_an_agents_own_phone_needs(house: House) -> None:
    for n in range(MOST_OTHERS + 20):
        house.dial(f"s{n}")
    assert house.feature_codes.status()["conversations"] == MOST_OTHERS
    assert house.last() == prompts.NOT_NOW
    house.dial("own", "PJSIP/ann")
    assert house.last() == prompts.SIGNED_IN
    assert house.floor.agents["ann"].signed_in


async def test_conversations_of_which_the_end_was_lost_are_over_after_two_minutes(
    house: House,
) -> None:
    for n in range(MOST_OTHERS):
        house.dial(f"s{n}")
    house.clock.at += LONGEST_DIALOGUE - 1
    house.dial("late")
    assert house.last() == prompts.NOT_NOW
    house.clock.at += 1
    house.dial("next")
    assert house.last() == prompts.ASK_EXTENSION
    assert house.feature_codes.status()["conversations"] == 1


async def test_a_number_written_in_four_ways_is_one_phone(house: House) -> None:
    spellings = ["+447700900123", "447700900123", "07700900123", "00447700900123"]
    said = [await house.tries(n, number) for n, number in enumerate([*spellings, spellings[0]])]
    assert said[-1] == prompts.LOCKED
    assert [key for key in house.locks.rows if key.startswith("phone")] == [
        "phone PJSIP/trunk +447700900123"
    ]


async def test_spraying_from_outside_closes_the_door_and_a_restart_does_not_open_it() -> None:
    house = House()
    for n in range(HOUSE_MOST):
        await house.tries(n, f"+4477009{n:05d}", f"PJSIP/trunk{n % 2}")
    assert house.feature_codes.status()["outside_closed_s"] == FIRST
    house.dial("right", "PJSIP/trunk9", "+447700900999")
    assert await house.key("right", "501", PIN) == prompts.LOCKED
    await house.tasks.close()

    again = House(house.locks, house.clock)
    again.feature_codes.restore_locks([*house.locks.rows.values()])
    again.dial("right", "PJSIP/trunk9", "+447700900999")
    assert await again.key("right", "501", PIN) == prompts.LOCKED
    again.dial("own", "PJSIP/ann")
    assert again.last() == prompts.SIGNED_IN
    again.clock.at += FIRST
    again.dial("later", "PJSIP/trunk9", "+447700900999")
    assert await again.key("later", "501", PIN) == prompts.SIGNED_OUT
    assert "outside_closed_s" not in again.feature_codes.status()
    await again.tasks.close()


async def test_an_endpoint_that_is_no_agents_phone_is_locked_by_itself(house: House) -> None:
    for n in range(ENDPOINT_MOST):
        await house.tries(n, f"+4477009{n:05d}")
    house.dial("x", number="+447700900777")
    assert await house.key("x", "501", PIN) == prompts.LOCKED
    house.dial("y", "PJSIP/other")
    assert await house.key("y", "501", PIN) == prompts.SIGNED_IN


async def test_what_a_code_asks_for_is_on_record() -> None:
    house = House()
    house.dial("c1", "PJSIP/ann")
    house.dial("c2", "PJSIP/ann")
    assert [(one.who, one.act, one.source, one.outcome.value) for one in house.acts] == [
        ("ann", "agents.sign-in", "phone PJSIP/ann", "done"),
        ("ann", "agents.sign-out", "phone PJSIP/ann", "done"),
    ]
    assert house.acts[0].values == {"code": "*45"}


async def test_the_record_and_the_log_name_the_code_that_the_site_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.codes = PhoneCodes(sign_in="*65", pause="*66", ready="")
    house.dial("c1", "PJSIP/ann")
    with caplog.at_level("INFO"):
        house.dial("c2", "PJSIP/ann")
        for code, digit in ((Code.PAUSE_RESUME, ""), (Code.READY, "")):
            house.feature_codes.handle(
                CodeDialled(
                    pbx=PBX, channel=code.name, code=code, digit=digit, endpoint="PJSIP/ann"
                )
            )
    assert [one.values["code"] for one in house.acts] == ["*65", "*65", "*66", "ready"]
    assert "*66 at PJSIP/ann: ann is not signed in" in caplog.text
    assert "*46" not in caplog.text
    assert dialled(house.codes, Code.PAUSE_RESUME, "2") == "*662"
    assert dialled(PhoneCodes(pause=""), Code.PAUSE_RESUME, "2") == "pause-2"
