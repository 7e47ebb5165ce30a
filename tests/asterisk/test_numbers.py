"""Numbers as trunks write them, callers who withhold theirs, and rules about how many wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.events import ConfigReloaded, PauseRequested
from callrouter.model.routing_table import Comparison, KeepWaiting, NumberPattern, Rule
from callrouter.settings.schema.number_parsing import numbering
from tests.asterisk.floor import Floor, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LAB_IN = """
exten => 6020,1,Set(CALLERID(num)=02079460018)
 same => n,Goto(callrouter,support,1)
exten => 6021,1,Set(CALLERID(num)=02079460018)
 same => n,Set(CALLERID(name)=Ann Smith)
 same => n,Set(CALLERID(num-pres)=prohib_passed_screen)
 same => n,Goto(callrouter,support,1)
exten => 6022,1,Set(CALLERID(num)=+266696687)
 same => n,Set(CALLERID(dnid)=account17)
 same => n,Set(CALLROUTER_CALLED=020 7946 0000)
 same => n,Goto(callrouter,support,1)
exten => 6023,1,Set(CALLERID(num)=Private Number)
 same => n,Goto(callrouter,support,1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 1, lab_in=LAB_IN) as made:
        yield made


async def prepared(here: Floor, *rules: Rule) -> None:
    queues = [queue(name, ["a1"], on_nobody=KeepWaiting()) for name in ("support", "overflow")]
    await here.fresh(*staff(1), queues=queues)
    here.post(ConfigReloaded(table=replace(here.spec, rules=rules, numbering=numbering("GB"))))
    here.spec = here.router.floor.table
    here.post(PauseRequested(agent="a1"))


async def test_numbers_in_one_form_and_withheld_ones(here: Floor) -> None:
    vip = Rule(name="vip", callers=(NumberPattern("+442079460018"),), priority=3)
    hidden = Rule(name="hidden", callers=(NumberPattern(""),), priority=80)
    line = Rule(name="line", called=(NumberPattern("+442079460000"),), priority=90)
    await prepared(here, line, vip, hidden)
    floor = here.router.floor
    found: dict[str, tuple[str, str, int]] = {}
    callers = []
    for number in ("6020", "6021", "6022", "6023"):
        callers.append(await here.call(number))
        await here.until(lambda: len(floor.calls) == len(callers))
        call = list(floor.calls.values())[-1]
        found[number] = (call.caller_number, call.caller_name, call.priority)
    assert found["6020"][::2] == ("+442079460018", 3)
    assert found["6021"] == ("", "", 80), "its network does not allow it to be shown"
    assert found["6022"][::2] == ("", 90)
    assert found["6023"][::2] == ("", 80)
    called = [call.called_number for call in floor.calls.values()]
    assert "+442079460000" in called
    await here.crash()
    await here.start()
    again = sorted((c.caller_number, c.priority) for c in here.router.floor.calls.values())
    assert again == sorted((number, priority) for number, _, priority in found.values())
    for caller in callers:
        await caller.bye()
    await here.quiet()


async def test_a_rule_about_how_many_wait(here: Floor) -> None:
    busy = Rule(
        name="busy", queues=frozenset({"support"}), waiting=Comparison(">", 1), queue="overflow"
    )
    await prepared(here, busy)
    callers = []
    for _ in range(3):
        callers.append(await here.call())
        await here.until(lambda: len(here.router.floor.calls) == len(callers))
    queues = sorted(call.queue.id for call in here.router.floor.calls.values())
    assert queues == ["overflow", "support", "support"]
    for caller in callers:
        await caller.bye()
    await here.quiet()
