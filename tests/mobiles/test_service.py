"""The service: secrets, calls, the store, and a table that has the mobiles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.mobiles.mobile_records import DAY
from callrouter.mobiles.registration_events import (
    RequestDone,
    Requester,
    RequestRefused,
    VerificationStarted,
    VerifyRequested,
)
from callrouter.model.commands import Ring
from callrouter.model.events import ConfigReloaded, LegEnd, SignedIn
from callrouter.model.ivr import Code, CodeDialled, DigitsKeyed, NumberFailed
from tests.mobiles.floor import Floor, settings_for

MOBILE = "+447400123456"


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    made = Floor(settings_for(tmp_path))
    yield made
    await made.close()


def register(floor: Floor, number: str = "07400 123456") -> VerificationStarted:
    made = floor.mobiles.register("alice", number, by="alice", via="phone")
    assert isinstance(made, VerificationStarted), made
    return made


def prove(floor: Floor) -> None:
    started = register(floor)
    floor.pbx.answer()
    floor.pbx.key(started.code)


async def test_OT_02_a_registered_mobile_rings_for_callers_and_asks_for_key_1(floor: Floor) -> None:
    prove(floor)
    assert floor.devices("alice") == ["desk", "mobile"]
    floor.world.runtime.post(SignedIn(agent="alice"))
    floor.world.arrive("c1")
    rings = [item for item in floor.pbx.commands if isinstance(item, Ring)]
    assert {(ring.device, ring.number, ring.confirm) for ring in rings} == {
        ("desk", "", False),
        ("mobile", MOBILE, True),
    }


async def test_codes_are_six_digits_and_differ(floor: Floor) -> None:
    codes, refs = set(), set()
    for _ in range(5):
        started = register(floor)
        codes.add(started.code)
        refs.add(floor.pbx.called[-1].ref)
        assert len(started.code) == 6
        assert started.code.isdecimal()
        floor.mobiles.handle_phone_event(
            NumberFailed(pbx="office", ref=floor.pbx.called[-1].ref, why=LegEnd.BUSY)
        )
    assert len(codes) > 1
    assert len(refs) == 5


async def test_what_is_not_its_own_is_left_to_others(floor: Floor) -> None:
    assert not floor.mobiles.handle_phone_event(
        CodeDialled(pbx="office", channel="x", code=Code.REGISTER, endpoint="PJSIP/1001")
    )
    assert not floor.mobiles.handle_phone_event(DigitsKeyed(pbx="office", channel="x", digits="1"))
    assert not floor.mobiles.handle_phone_event(
        NumberFailed(pbx="office", ref="other", why=LegEnd.BUSY)
    )


async def test_a_restart_finds_them(floor: Floor, tmp_path: Path) -> None:
    prove(floor)
    after = Floor(settings_for(tmp_path), floor.store)
    assert after.devices("alice") == ["desk"]
    await after.mobiles.start()
    assert after.devices("alice") == ["desk", "mobile"]
    assert after.mobiles.status()["calls_today"] == 1
    after.world.clock.at += DAY + 1
    assert after.mobiles.status()["calls_today"] == 0
    [(row, reason)] = after.mobiles.mobiles_of("alice")
    assert (row.number, reason) == ("+447400123456", "")
    await after.close()


async def test_a_store_that_comes_late(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    prove(floor)
    there = asyncio.Event()
    read = floor.store.load_mobiles

    async def late(since: float) -> object:
        await there.wait()
        return await read(since)

    monkeypatch.setattr("callrouter.mobiles.mobile_service.READ_WITHIN", 0.01)
    after = Floor(floor.settings, floor.store)
    monkeypatch.setattr(floor.store, "load_mobiles", late)
    await after.mobiles.start()
    assert after.devices("alice") == ["desk"]
    there.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert after.devices("alice") == ["desk", "mobile"]
    await after.close()


async def test_another_configuration_keeps_them_and_lets_those_of_others_alone(
    floor: Floor,
) -> None:
    prove(floor)
    old = floor.world.floor.agents["bob"].spec
    new = replace(floor.settings, table=replace(floor.settings.table, queues={}))
    before, after = floor.mobiles.begin_reload(new.numbers, new.table)
    assert before is floor.world.floor.table
    made = floor.mobiles.register("alice", "07400 654321", by="alice", via="phone")
    assert isinstance(made, VerificationStarted)
    floor.pbx.answer()
    floor.pbx.key(made.code)
    assert floor.world.floor.table is before  # no table of others in between
    floor.world.runtime.post(ConfigReloaded(table=after))
    assert floor.devices("alice") == ["desk", "mobile"]
    floor.mobiles.end_reload()
    assert floor.devices("alice") == ["desk", "mobile", "mobile-2"]
    assert floor.world.floor.agents["bob"].spec is old
    gone = replace(new.table, agents={"bob": new.table.agents["bob"]})
    _, table = floor.mobiles.begin_reload(new.numbers, gone)
    assert "alice" not in table.agents
    assert floor.mobiles.mobiles_of("alice")[0][1] == "its agent is not in the configuration"


async def test_a_call_that_is_to_wait_is_not_placed_if_there_is_nothing_to_prove(
    floor: Floor,
) -> None:
    made = floor.mobiles.register("alice", MOBILE, by="alice", via="phone", call_after=0.02)
    assert isinstance(made, VerificationStarted)
    assert floor.pbx.called == []
    await asyncio.sleep(0.05)
    assert len(floor.pbx.called) == 1
    floor.mobiles.handle_phone_event(
        NumberFailed(pbx="office", ref=floor.pbx.called[0].ref, why=LegEnd.BUSY)
    )
    alice = Requester(name="alice", via="phone", agent="alice")
    again = VerifyRequested(requester=alice, agent="alice", device="mobile")
    floor.mobiles.request(again, call_after=0.02)
    floor.world.clock.at += 601
    floor.mobiles.request(replace(again, device="none"))
    await asyncio.sleep(0.05)
    assert len(floor.pbx.called) == 1


async def test_all_mobiles_on_and_off(floor: Floor) -> None:
    assert floor.mobiles.switched_on("alice") is None
    prove(floor)
    assert floor.mobiles.switched_on("alice") is True
    done = floor.mobiles.switch("alice", False, by="alice", via="phone")
    assert done == RequestDone(agent="alice", device="", text="mobile is off")
    assert floor.mobiles.switched_on("alice") is False
    assert list(floor.world.floor.agents["alice"].devices_off) == ["mobile"]
    floor.mobiles.switch("bob", False, by="bob", via="phone")
    assert list(floor.world.floor.agents["bob"].devices_off) == ["cell"]
    floor.mobiles.switch("bob", True, by="bob", via="phone")
    assert floor.mobiles.switched_on("bob") is True


async def test_without_a_pbx_in_step_nothing_is_registered(tmp_path: Path) -> None:
    made = Floor(settings_for(tmp_path))
    made.world.floor.up.clear()
    answer = made.mobiles.register("alice", MOBILE, by="alice", via="phone")
    assert isinstance(answer, RequestRefused)
    assert answer.kind == "no-pbx"
    await made.close()


async def test_the_code_and_the_number_are_in_no_log(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    prove(floor)
    floor.mobiles.add_audit_row(
        "alice", who="unknown", via="phone", what="wrong-pin", number=MOBILE
    )
    assert "mobile +44…456 of alice: verified by alice" in caplog.text
    assert MOBILE not in caplog.text
    assert floor.store.audit[-1].number == "+44…456"
