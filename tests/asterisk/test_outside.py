"""An agent passes a caller on to a number outside: what the trunk rings, and what becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.core.calls.conversations import refusal
from callrouter.lab import Answer, Dialog, Install, Refuse, RingOnly
from callrouter.lab.behaviour import Behaviour
from callrouter.model.call_notices import CallEntered, ConversationStarted, ConversationTransferred
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.commands import DialOutside
from callrouter.model.notices import AgentNotified
from callrouter.model.routing_table import OutsideTransfers
from callrouter.pbx.asterisk.execution import actions
from tests.asterisk.floor import Floor, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

NUMBER = "+442079460018"
BUSINESS = "+442079460000"
RULES = OutsideTransfers(allowed=("+44",), ring_for=5.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2) as made:
        yield made


async def talk(
    here: Floor, rules: OutsideTransfers = RULES, **site: object
) -> tuple[Dialog, Dialog]:
    """A caller and a1, in a talk that counts; a2 is not in the queue."""
    here.site = dict(site)
    try:
        await here.fresh(*staff(2), queues=[queue("support", ["a1"], wrap_up=0.0)])
    finally:
        here.site = {}
    spec = replace(here.spec, outside=rules)
    here.router.floor.table = spec
    return await here.talk(caller_number="02079460999")


def ask(here: Floor, number: str = NUMBER) -> str:
    """Ask for the transfer; why it is refused, or an empty text."""
    [call] = here.router.floor.calls.values()
    event = ConversationRequested(
        call=call.id, action=ConversationAction.TRANSFER, number=number, by="sam"
    )
    why = refusal(here.router.floor, event)
    here.post(event)
    return why


async def test_the_caller_talks_outside_and_the_agent_is_free(here: Floor) -> None:
    caller, agent = await talk(here)
    here.phone("carrier").behaviour = Answer(after=0.3)
    assert ask(here) == ""
    await agent.wait_ended(5.0)
    await caller.wait_heard("carrier")
    await here.until(lambda: here.free("a1"), 3.0)
    [leg] = here.phone("carrier").incoming
    assert leg.peer_number == "02079460999"
    [passed] = here.happened(ConversationTransferred)
    assert (passed.transfer.value, passed.to, passed.by) == ("blind", NUMBER, "sam")
    [line] = [line for line in here.queue_log() if line[4] == "BLINDTRANSFER"]
    assert line[5:7] == [NUMBER, ""]
    [outside] = here.router.floor.outside.calls.values()
    assert (outside.agent, outside.number) == ("a1", NUMBER)
    await caller.bye()
    await here.until(lambda: not here.router.floor.outside.calls, 3.0)
    await here.quiet()


@pytest.mark.parametrize("way", ["busy", "unanswered", "trunk"])
async def test_a_number_that_is_not_reached_gives_the_caller_back(here: Floor, way: str) -> None:
    rules = replace(RULES, ring_for=1.0) if way == "unanswered" else RULES
    caller, agent = await talk(here, rules)
    first = here.happened(CallEntered)[0]
    ways: dict[str, Behaviour] = {
        "busy": Refuse(486),
        "unanswered": RingOnly(),
        "trunk": Refuse(503),
    }
    here.phone("carrier").behaviour = ways[way]
    assert ask(here) == ""
    await agent.wait_ended(5.0)
    await here.until(lambda: len(here.happened(ConversationStarted)) == 2, 10.0)
    assert len(here.phone("1001").incoming) == 2
    back = here.happened(CallEntered)[1]
    assert back.call == first.call
    assert back.facts is not None
    assert first.facts is not None
    assert back.facts.first_entered_at == pytest.approx(first.facts.first_entered_at, abs=1.0)
    assert here.router.floor.outside.calls == {}
    assert len(here.phone("carrier").incoming) == 1, "the number rang once"
    [told] = here.happened(AgentNotified)
    assert (told.agent, "not reached" in told.message) == ("a1", True)
    await caller.bye()
    await here.quiet()


async def test_the_next_trunk_and_the_business_number_are_tried_before_it_rings(
    here: Floor,
) -> None:
    caller, _ = await talk(
        here,
        dial_number="PJSIP/{number}@nowhere",
        dial_numbers=("PJSIP/{number}@carrier",),
        caller_id=BUSINESS,
    )
    here.phone("carrier").behaviour = lambda dialog: (
        Answer(after=0.1) if dialog.peer_number == BUSINESS else Refuse(403)
    )
    assert ask(here) == ""
    await caller.wait_heard("carrier")
    shown = [leg.peer_number for leg in here.phone("carrier").incoming]
    assert shown == ["02079460999", BUSINESS]
    await caller.bye()
    await here.quiet()


async def test_a_restart_neither_loses_the_caller_nor_rings_twice(here: Floor) -> None:
    caller, _ = await talk(here)
    carrier = here.phone("carrier")
    carrier.behaviour = RingOnly()
    assert ask(here) == ""
    await carrier.wait_incoming()
    call = next(iter(here.router.floor.outside.calls))
    await here.crash()
    await here.start(replace(here.spec, outside=RULES))
    floor = here.router.floor
    assert {name: (one.agent, one.number) for name, one in floor.outside.calls.items()} == {
        call: ("a1", NUMBER)
    }
    assert floor.calls == {}
    await here.until(lambda: here.happened(ConversationStarted))  # five seconds are over
    assert here.phone("1001").incoming[-1].state == "up"
    assert list(floor.calls) == [call]
    assert floor.outside.calls == {}
    assert len(carrier.incoming) == 1
    await caller.bye()
    await here.quiet()


async def test_an_order_of_a_router_that_was_replaced_dials_nothing(here: Floor) -> None:
    caller, agent = await talk(here)
    [known] = here.pbx.tracker.callers.values()
    order = DialOutside(pbx="office", call="x", number=NUMBER, agent="a1", ring_for=5.0)
    shown = actions.ShownNumber()
    late = actions.dial_outside(known, order, [f"PJSIP/{NUMBER[1:]}@carrier"], shown)
    await here.lab.asterisk.cli("dialplan set global CALLROUTER_EPOCH 8")
    try:
        here.pbx._writer.send(*late, actions.redirect_outside(known, epoch=7))
        await here.until(lambda: len(here.happened(CallEntered)) == 2, 5.0)
        first, again = here.happened(CallEntered)
        assert first.call == again.call
    finally:
        await here.lab.asterisk.cli('dialplan set global CALLROUTER_EPOCH ""')
    await here.until(lambda: len(here.happened(ConversationStarted)) == 2, 10.0)
    assert here.phone("carrier").incoming == []
    assert (caller.state, agent.state) == ("up", "ended")
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(
    ("number", "rules", "said"),
    [
        (NUMBER, OutsideTransfers(), "transfers: outside is not set"),
        ("+33123456789", RULES, "not among the numbers allowed"),
        ("+44207946&PJSIP/1002", RULES, "not among the numbers allowed"),
        ("+4420794600,60,g)", RULES, "not among the numbers allowed"),
        ("${SHELL(id)}", RULES, "not among the numbers allowed"),
        (NUMBER, replace(RULES, at_once=0), "no more may be at once"),
        (NUMBER, replace(RULES, per_hour=0), "in an hour"),
    ],
)
async def test_what_is_refused_dials_nothing_and_the_talk_goes_on(
    here: Floor, number: str, rules: OutsideTransfers, said: str
) -> None:
    caller, agent = await talk(here, rules)
    assert said in ask(here, number)
    await asyncio.sleep(0.3)
    assert (agent.state, caller.state) == ("up", "up")
    assert here.phone("carrier").incoming == []
    assert here.happened(ConversationTransferred) == []
    await caller.bye()
    await here.quiet()


async def test_a_pbx_without_a_trunk_says_so(here: Floor) -> None:
    caller, _ = await talk(here, dial_number="")
    assert "it has no dial_number" in ask(here)
    await caller.bye()
    await here.quiet()
