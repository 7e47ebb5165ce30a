"""*47 and *48 on real phones: a mobile registered, proved by a real call, switched off and on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from callrouter.clock import SystemClock
from callrouter.feature_codes import FeatureCodes, own_mobiles, prompts
from callrouter.lab import Answer, Install
from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.mobile_service import MobileService, MobileServiceParts
from callrouter.settings.builders.pbx_builder import dialling_pbxes
from callrouter.tasks import Tasks
from tests.asterisk.ear import Ear, dial, heard, key
from tests.asterisk.floor import PBX, Dialog, Floor, stage
from tests.asterisk.test_codes import HASH, PIN
from tests.mobiles.memory import MemoryStore
from tests.settings.cases import loaded

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

MOBILE = "+447400123456"
# A number of the centre's, at which agents register the mobile that they call from.
LAB_IN = "exten => 7000,1,Goto(callrouter-codes,register,1)\n"
SITE = """
pbx:
  office: {driver: asterisk, username: x, secret: y, dial_number: "PJSIP/{number}@carrier"}
numbers: {region: GB, countries: [GB]}
"""
AGENTS = "agents:\n  a1: {devices: {desk: PJSIP/1001}}\n  a2: {devices: {desk: PJSIP/1002}}\n"
QUEUES = "queues: {support: {agents: [a1, a2]}}\n"
CODE_IS = list(prompts.CODE_IS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, lab_in=LAB_IN) as made:
        yield made


class Office:
    """The router, the reception and the mobiles, as the daemon puts them together."""

    def __init__(self, here: Floor, folder: Path) -> None:
        self.settings = loaded(folder, pbx=SITE, agents=AGENTS, queues=QUEUES)
        self.here, self.store = here, MemoryStore()

    async def open(self) -> MobileService:
        here, clock, tasks = self.here, SystemClock(), Tasks()
        table = self.settings.table
        assert isinstance(self.settings.numbers, NumberSettings)
        await here.fresh(*table.agents.values(), queues=list(table.queues.values()))
        parts = MobileServiceParts(
            board=here.router.board,
            post=here.post,
            pbxes=CallingPbxes({PBX: here.pbx}, lambda _name: here.pbx.in_step),
            store=self.store,
            now=clock.now,
            spawn=tasks.spawn,
        )
        mobiles = MobileService(
            self.settings.numbers, table, dialling_pbxes(self.settings.pbxes), parts
        )
        feature_codes = FeatureCodes(
            board=here.router.board,
            post=here.post,
            pins=lambda: {"a1": HASH},
            clock=clock,
            tasks=tasks,
            mobiles=mobiles,
        )
        feature_codes.attach(PBX, here.pbx)
        here.pbx.report_phone_events(
            lambda event: (mobiles.handle_phone_event(event) or feature_codes.handle(event), None)[
                1
            ]
        )
        return mobiles

    def steps(self) -> list[str]:
        return [row.what for row in self.store.audit]


@pytest.fixture
def office(here: Floor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(own_mobiles, "READ_FIRST", 1.0)
    monkeypatch.setattr(own_mobiles, "HANGS_UP", 16.0)
    return Office(here, tmp_path)


async def read_out(here: Floor, ear: Ear, phone: str) -> str:
    """The code that somebody is read."""
    await here.until(lambda: ear.heard(phone).count("vm-password") == 2, 20)
    said = ear.heard(phone)
    digits = said[said.index("vm-password") + 2 :]
    return "".join(name.removeprefix("digits/") for name in digits[:6])


async def prove(here: Floor, ear: Ear, code: str) -> Dialog:
    """The mobile rings, is picked up, and is given the code."""
    mobile = await here.phone("carrier").wait_incoming(within=20)
    await here.until(lambda: ear.heard("carrier")[-1:] == ["agent-pass"])
    await key(mobile, f"{code}#")
    await mobile.wait_ended(10)
    assert ear.heard("carrier")[-3:] == ["agent-pass", "auth-thankyou", "vm-goodbye"]
    return mobile


@pytest.mark.timeout(120)
async def test_registered_at_the_desk_then_off_and_on(here: Floor, office: Office) -> None:
    mobiles = await office.open()
    here.phone("carrier").behaviour = Answer(after=0.1)
    assert await dial(here, "1001", "*47") == heard(prompts.NOT_POSSIBLE)  # there is none yet
    ear = Ear(here)
    at_desk = await here.phone("1001").call("*48")
    await here.until(lambda: ear.heard("1001") == [prompts.ASK_NUMBER[0]])
    await key(at_desk, "07400123456#")
    code = await read_out(here, ear, "1001")
    mobile = await prove(here, ear, code)
    assert mobile.called == MOBILE.removeprefix("+")
    await at_desk.wait_ended(10)
    once = [*CODE_IS, *(f"digits/{digit}" for digit in code)]
    assert ear.heard("1001") == [prompts.ASK_NUMBER[0], *once, "silence/1", *once]
    [device] = here.router.floor.agents["a1"].spec.devices[1:]
    assert (device.number, device.confirm) == (MOBILE, True)
    assert office.steps() == ["registered", "called", "answered", "verified"]

    assert await dial(here, "1001", "*47") == heard(prompts.MOBILE_OFF)
    assert mobiles.switched_on("a1") is False
    assert await dial(here, "1001", "*47") == heard(prompts.MOBILE_ON)
    assert mobiles.switched_on("a1") is True

    # It is registered now: once more is refused, in true words.
    ear = Ear(here)
    at_desk = await here.phone("1001").call("*48")
    await here.until(lambda: ear.heard("1001") == [prompts.ASK_NUMBER[0]])
    await key(at_desk, "07400123456#")
    await at_desk.wait_ended(10)
    assert ear.heard("1001") == [prompts.ASK_NUMBER[0], *prompts.IN_USE]
    await here.quiet()


@pytest.mark.timeout(120)
async def test_registered_by_calling_in_from_the_mobile_itself(here: Floor, office: Office) -> None:
    await office.open()
    here.phone("carrier").behaviour = Answer(after=0.1)
    ear = Ear(here)
    calling_in = await here.phone("carrier").call("7000", caller_number=MOBILE)
    await here.until(lambda: ear.heard("carrier") == [*prompts.ASK_EXTENSION])
    await key(calling_in, "1001#", "info")
    await here.until(lambda: ear.heard("carrier")[-1:] == [*prompts.ASK_PIN])
    await key(calling_in, f"{PIN}#", "info")
    code = await read_out(here, ear, "carrier")
    assert not here.phone("carrier").incoming  # not while they are on it
    await calling_in.wait_ended(15)
    mobile = await prove(here, ear, code)
    assert mobile.called == MOBILE.removeprefix("+")
    assert here.router.floor.agents["a1"].spec.devices[1].number == MOBILE
    await here.quiet()


@pytest.mark.parametrize(
    "number", ["09061234567", "999", "0012125550123", "07400123456*67", "447400123456447400"]
)
async def test_numbers_that_are_not_taken(here: Floor, office: Office, number: str) -> None:
    await office.open()
    ear = Ear(here)
    at_desk = await here.phone("1001").call("*48")
    await here.until(lambda: ear.heard("1001") == [prompts.ASK_NUMBER[0]])
    await key(at_desk, f"{number}#")
    await at_desk.wait_ended(10)
    assert ear.heard("1001") == [prompts.ASK_NUMBER[0], *prompts.NO_NUMBER]
    assert not here.phone("carrier").incoming
    assert office.steps() == ["refused"]
    await here.quiet()


async def test_without_the_service_it_is_not_available(here: Floor, office: Office) -> None:
    await office.open()
    feature_codes = FeatureCodes(
        board=here.router.board,
        post=here.post,
        pins=dict,
        clock=SystemClock(),
        tasks=Tasks(),
    )
    feature_codes.attach(PBX, here.pbx)
    here.pbx.report_phone_events(lambda event: (feature_codes.handle(event), None)[1])
    for code in ("*47", "*48"):
        assert await dial(here, "1001", code) == heard(prompts.NOT_POSSIBLE)
    await here.quiet()


async def test_wrong_pins_are_audited(here: Floor, office: Office) -> None:
    await office.open()
    ear = Ear(here)
    dialog = await here.phone("1003").call("*47")
    await here.until(lambda: ear.heard("1003") == [*prompts.ASK_EXTENSION])
    await key(dialog, "1001#")
    await here.until(lambda: ear.heard("1003")[-1:] == [*prompts.ASK_PIN])
    await key(dialog, "70913#")
    await here.until(lambda: ear.heard("1003")[-1:] == [*prompts.ASK_EXTENSION_AGAIN])
    await dialog.bye()
    [row] = office.store.audit
    assert (row.agent, row.via, row.what) == ("a1", "phone", "wrong-pin")
    assert row.detail == "at PJSIP/1003 1003"
    await here.quiet()
