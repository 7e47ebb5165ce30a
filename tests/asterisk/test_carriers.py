"""Carriers that refuse a call for the number it shows: that is no agent who declines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Dialog, Install, Refuse
from callrouter.lab.behaviour import Behaviour
from callrouter.model.call_notices import CallerIdRefused
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.diagnostics.examination import Examination, examine
from callrouter.settings import AsteriskSettings
from callrouter.settings.schema.number_parsing import numbering
from tests.asterisk.floor import Answer, Floor, mobile, person, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

M1 = "+447700900123"
BUSINESS = "+442079460000"
CALLER = "02079460018"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2) as made:
        yield made


async def begin(here: Floor, site: dict[str, str], after: float = 0.0, code: int = 403) -> None:
    """m1 has a mobile only and is first; the carrier takes calls that show the business's number."""
    here.site = site
    try:
        people = [person("m1", mobile("m1", M1)), staff(2)[1]]
        rules = queue("support", {"m1": 1, "a2": 2}, policy=("priority",), auto_pause=1)
        await here.fresh(*people, queues=[rules])
    finally:
        here.site = {}

    def takes(dialog: Dialog) -> Behaviour:
        if dialog.peer_number == BUSINESS:
            return Answer(after=0.2, dtmf=((0.3, "1", "rfc4733"),))
        return Refuse(code, after=after)

    here.phone("carrier").behaviour = takes


@pytest.mark.parametrize("code", [403, 603, 607, 608])
async def test_the_business_is_shown_once_and_the_agent_is_not_blamed(
    here: Floor, code: int
) -> None:
    await begin(here, {"caller_id": BUSINESS}, code=code)
    caller = await here.call(caller_number=CALLER)
    await caller.wait_heard("carrier")
    assert [one.peer_number for one in here.phone("carrier").incoming] == [CALLER, BUSINESS]
    assert here.outcomes() == []
    [record] = here.happened(CallerIdRefused)
    assert (record.agent, record.device, record.rung_again) == ("m1", "mobile", True)
    assert here.router.floor.agents["m1"].failure_streaks == {}
    assert here.pbx.health().counts["callers' numbers refused by the carrier"] == 1
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize("site", [{}, {"caller_id": BUSINESS[:-1] + "9", "show": "business"}])
async def test_without_another_number_to_show_the_next_agent_is_rung(
    here: Floor, site: dict[str, str]
) -> None:
    await begin(here, site)
    caller = await here.call(caller_number=CALLER)
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "number refused")]
    assert len(here.phone("carrier").incoming) == 1
    agent = here.router.floor.agents["m1"]
    assert (agent.failure_streaks, agent.misses, agent.pause) == ({}, 0, None)
    await caller.bye()
    await here.quiet()


async def test_a_carrier_that_refuses_every_number_is_asked_twice(here: Floor) -> None:
    await begin(here, {"caller_id": BUSINESS[:-1] + "9"})
    caller = await here.call(caller_number=CALLER)
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "number refused")]
    assert len(here.phone("carrier").incoming) == 2
    await caller.bye()
    await here.quiet()


async def test_a_person_who_declines_declines(here: Floor) -> None:
    await begin(here, {"caller_id": BUSINESS}, after=0.5, code=603)  # it rings until then
    caller = await here.call(caller_number=CALLER)
    await caller.wait_heard("1002")
    assert here.outcomes() == [("m1", "declined")]
    assert len(here.phone("carrier").incoming) == 1
    await caller.bye()
    await here.quiet()


async def test_the_next_trunk_is_used_where_one_fails_and_numbers_are_national(here: Floor) -> None:
    here.site = {
        "dial_number": "PJSIP/{number}@nowhere",
        "dial_numbers": ("PJSIP/{number}@carrier",),
        "number_format": "national",
        "home": numbering("GB"),
    }
    try:
        people = [person("m1", mobile("m1", M1)), staff(2)[1]]
        await here.fresh(
            *people, queues=[queue("support", {"m1": 1, "a2": 2}, policy=("priority",))]
        )
    finally:
        here.site = {}
    carrier = here.phone("carrier")
    carrier.behaviour = Answer(after=0.2, dtmf=((0.3, "1", "rfc4733"),))
    caller = await here.call(caller_number=CALLER)
    leg = await carrier.wait_incoming()
    assert leg.peer_number == CALLER
    await caller.wait_heard("carrier")
    assert here.outcomes() == []
    assert here.pbx.health().counts["calls by the next dial_number"] == 1
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(("code", "tries"), [(503, 2), (404, 1)])
async def test_a_trunk_that_is_out_of_order_is_passed_over_and_a_wrong_number_is_not(
    here: Floor, code: int, tries: int
) -> None:
    here.site = {
        "dial_number": "PJSIP/1{number}@carrier",
        "dial_numbers": ("PJSIP/2{number}@carrier",),
    }
    try:
        people = [person("m1", mobile("m1", M1)), staff(2)[1]]
        rules = queue("support", {"m1": 1, "a2": 2}, policy=("priority",))
        await here.fresh(*people, queues=[rules])
    finally:
        here.site = {}
    carrier = here.phone("carrier")
    carrier.behaviour = Refuse(code)
    caller = await here.call(caller_number=CALLER)
    await caller.wait_heard("1002")
    assert len(carrier.incoming) == tries
    assert here.outcomes() == [("m1", "unreachable")]
    await caller.bye()
    await here.quiet()


async def test_doctor_tells_of_what_the_router_has_counted(here: Floor) -> None:
    counts = {contract.NUMBERS_REFUSED: 3, contract.NEXT_TRUNK: 2}
    settings = AsteriskSettings(
        id="office",
        port=here.lab.asterisk.ami_port,
        username="callrouter",
        secret="change-me",
        dial_number="PJSIP/{number}@carrier",
    )
    wanted = Examination(spoken={}, router=None, counts=counts)
    found = [one.what async for one in examine("office", settings, here.spec, wanted)]
    assert (
        "dial_number: 3 calls to agents' phones were refused for the caller's number they showed"
        in found
    )
    assert (
        "dial_number: 2 calls to agents' phones failed by the first dial_number and went on by the next"
        in found
    )
