"""Phones rung through the dialplan (``Local/…``), with and without /n: extensions, and mobiles by a route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from callrouter.core.agents.unavailability_text import why_not
from callrouter.lab import Install, Refuse
from callrouter.model.call_notices import CallCompleted, ConversationTransferred
from callrouter.model.ivr import CodeDialled
from callrouter.model.routing_table import AgentSpec, DeviceSpec, SignIn
from tests.asterisk.floor import (
    DIALPLAN,
    PBX,
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

INTERNAL = """
[from-internal]
; an extension as FreePBX has it: the phone, and a hint that do-not-disturb is part of
exten => _1XXX,1,Dial(PJSIP/${EXTEN},60)
 same => n,Hangup(${HANGUPCAUSE})
exten => _1XXX,hint,PJSIP/${EXTEN}&Custom:DND${EXTEN}
; the way out
exten => _XXXXXXXXXX.,1,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n,Hangup(${HANGUPCAUSE})
[lab-phones](+)
exten => *45,1,Goto(callrouter-person,sign-in,1)
"""
TALK = 1.1
"""Seconds. A talk that is shorter has hardly been one, and the caller waits on."""
M1 = "+447700900123"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, dialplan=DIALPLAN + INTERNAL) as made:
        yield made


def extension(agent: str, number: str, **changes: object) -> DeviceSpec:
    """An agent's extension, rung with all its rules."""
    made = DeviceSpec(
        id="desk", agent=agent, pbxes=(PBX,), endpoint=f"Local/{number}@from-internal/n"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def first(*, by: DeviceSpec) -> list[AgentSpec]:
    return [person("a1", by), person("a2", desk("a2", "1002"))]


FIRST_1 = {"a1": 1, "a2": 2}
BOTH = ["Local/1001@from-internal", "Local/1001@from-internal/n"]


async def start(here: Floor, *people: AgentSpec, **changes: object) -> None:
    rules = queue("support", FIRST_1, policy=("priority",), **changes)
    await here.fresh(*people, queues=[rules])


@pytest.mark.parametrize("dial", BOTH)
async def test_an_extension_takes_a_call(here: Floor, dial: str) -> None:
    await start(here, *first(by=extension("a1", "1001", endpoint=dial)))
    caller = await here.call(caller_number="0207946001")
    leg = await here.phone("1001").wait_incoming()
    assert leg.peer_number == "0207946001"
    await caller.wait_heard("1001")
    await leg.wait_heard("caller")
    assert here.state("a1") == "on-call"
    await asyncio.sleep(TALK)
    await leg.bye()
    await caller.wait_ended(3.0)
    await here.until(lambda: here.free("a1"))
    assert not here.phone("1002").incoming
    assert here.happened(CallCompleted)[0].agent == "a1"
    await here.quiet()


@pytest.mark.parametrize("dial", BOTH)
async def test_the_caller_hangs_up_first(here: Floor, dial: str) -> None:
    await start(here, *first(by=extension("a1", "1001", endpoint=dial)))
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await asyncio.sleep(TALK)
    await caller.bye()
    await leg.wait_ended(2.0)
    await here.until(lambda: here.free("a1"))
    assert here.happened(CallCompleted)[0].by.value == "caller"
    await here.quiet()


async def test_an_extension_rings_and_is_stopped_as_any_phone(here: Floor) -> None:
    here.phone("1001").behaviour = RingOnly()
    people = [
        person("a1", extension("a1", "1001", endpoint=BOTH[1])),
        person("a2", desk("a2", "1002")),
    ]
    await here.fresh(*people, queues=[queue("support", FIRST_1, at_once=None)])
    here.phone("1001").behaviour = RingOnly()
    here.phone("1002").behaviour = Answer(after=0.5)
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await here.until(lambda: here.state("a1") == "ringing")
    await caller.wait_heard("1002")
    await leg.wait_ended(2.0)
    assert leg.answered_elsewhere
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(("code", "outcome"), [(486, "busy"), (603, "declined")])
async def test_what_an_extension_says_is_heard(here: Floor, code: int, outcome: str) -> None:
    await start(here, *first(by=extension("a1", "1001")))
    here.phone("1001").behaviour = Refuse(code)
    caller = await here.call()
    await caller.wait_heard("1002")
    assert here.outcomes() == [("a1", outcome)]
    await caller.bye()
    await here.quiet()


@pytest.mark.parametrize(
    "dial",
    [
        "Local/{number}@from-internal",
        "Local/{number}@from-internal/n",
        "Local/00{number}@from-internal/n",
    ],
)
async def test_a_mobile_is_dialled_by_the_routes(here: Floor, dial: str) -> None:
    here.site = {"dial_number": dial}
    await start(here, person("a1", mobile("a1", M1)), person("a2", desk("a2", "1002")))
    here.site = {}
    carrier = here.phone("carrier")
    carrier.behaviour = Answer(after=0.2, dtmf=((0.3, "1", "rfc4733"),))
    caller = await here.call()
    leg = await carrier.wait_incoming()
    assert leg.called == dial.partition("/")[2].partition("@")[0].replace("{number}", M1[1:])
    await caller.wait_heard("carrier")
    await asyncio.sleep(TALK)
    await leg.bye()
    await caller.wait_ended(3.0)
    await here.until(lambda: here.free("a1"))
    assert not here.phone("1002").incoming
    await here.quiet()


@pytest.mark.parametrize("dial", BOTH)
async def test_a_talk_is_found_after_a_restart(here: Floor, dial: str) -> None:
    both = [person("a1", extension("a1", "1001", endpoint=dial, states=("PJSIP/1001",)))]
    await start(here, *both, person("a2", desk("a2", "1002")))
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await here.until(lambda: here.state("a1") == "on-call")
    await here.crash()
    await here.start()
    assert here.state("a1") == "on-call"
    await asyncio.sleep(TALK)
    assert [offer.agent.id for offer in here.router.floor.offers.values()] == ["a1"]
    await leg.bye()
    await caller.wait_ended(3.0)
    await here.until(lambda: here.free("a1"))
    assert not here.phone("1002").incoming
    await here.quiet()


@pytest.mark.parametrize("dial", BOTH)
async def test_an_agent_passes_the_caller_on_from_their_phone(here: Floor, dial: str) -> None:
    await start(here, *first(by=extension("a1", "1001", endpoint=dial)))
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await asyncio.sleep(TALK)
    await leg.blind_transfer("1003")
    third = await here.phone("1003").wait_incoming()
    await third.wait_heard("caller")
    await here.until(lambda: here.free("a1"))
    assert here.happened(ConversationTransferred)
    here.pbx.resync("a test asks for it")
    await here.until(lambda: here.pbx._resync._task is not None and here.pbx._resync._task.done())
    assert here.free("a1"), "the channel that is left is none of theirs"
    assert (caller.state, third.state) == ("up", "up")
    await caller.bye()
    await here.quiet()


STATES = ["hint:1001@from-internal", "PJSIP/1001"]


@pytest.mark.parametrize("state", STATES)
async def test_a_private_call_on_the_extension_is_busy_and_our_own_is_not(
    here: Floor, state: str
) -> None:
    await start(here, *first(by=extension("a1", "1001", states=(state,))), wrap_up=0.0)
    private = await here.phone("1001").call("1003")
    await here.until(lambda: here.state("a1") == "on-call")
    floor = here.router.floor
    [why] = why_not(floor, floor.agents["a1"])
    assert why.startswith("in a private call on desk (PJSIP/1001-"), why
    caller = await here.call()
    await caller.wait_heard("1002")
    await caller.bye()
    await private.bye()
    await here.until(lambda: here.free("a1"))
    again = await here.call()
    await again.wait_heard("1001")
    await again.bye()
    await here.until(lambda: here.free("a1"), 1.0)
    await here.quiet()


async def test_do_not_disturb_that_the_pbx_keeps_is_honoured(here: Floor) -> None:
    watched = desk("a1", "1001", states=("Custom:DND1001",))
    hinted = extension("a3", "1003", states=("hint:1003@from-internal",))
    people = [person("a1", watched), person("a2", desk("a2", "1002")), person("a3", hinted)]
    rules = queue("support", {"a1": 1, "a3": 2, "a2": 3}, policy=("priority",))
    await here.fresh(*people, queues=[rules])
    floor = here.router.floor
    assert here.free("a1")
    for number in ("1001", "1003"):
        await here.lab.asterisk.cli(f"devstate change Custom:DND{number} BUSY")
    await here.until(lambda: not here.free("a1") and not here.free("a3"))
    [why] = why_not(floor, floor.agents["a1"])
    assert "Custom:DND1001" in why
    caller = await here.call()
    await caller.wait_heard("1002")
    assert not here.phone("1001").incoming
    assert not here.phone("1003").incoming
    await caller.bye()
    await here.crash()
    await here.start()
    assert not here.free("a1"), "a router that has just started knows it too"
    assert not here.free("a3")
    for number in ("1001", "1003"):
        await here.lab.asterisk.cli(f"devstate change Custom:DND{number} NOT_INUSE")
    await here.until(lambda: here.free("a1") and here.free("a3"))
    await here.quiet()


async def test_an_extension_that_is_not_in_the_dialplan_cannot_ring(here: Floor) -> None:
    await start(here, *first(by=extension("a1", "2001")))
    assert here.state("a1") == "offline"
    caller = await here.call()
    await caller.wait_heard("1002")
    await caller.bye()
    await here.quiet()


async def test_another_pbx_s_extension_over_a_trunk(here: Floor) -> None:
    branch = extension("a1", "", endpoint="PJSIP/2004@carrier", confirm=True)
    await start(here, *first(by=branch))
    here.phone("carrier").behaviour = Answer(after=0.1, dtmf=((0.3, "1", "rfc4733"),))
    assert here.free("a1")
    caller = await here.call()
    leg = await here.phone("carrier").wait_incoming()
    assert leg.called == "2004"
    await caller.wait_heard("carrier")
    await caller.bye()
    await here.quiet()


async def test_the_fallback_honours_states_and_asks_for_key_1(here: Floor) -> None:
    """Router away: one agent's extension is on do-not-disturb, the other's is free and asks for key 1."""
    people = [
        person("a1", extension("a1", "1001", states=("hint:1001@from-internal",), confirm=True)),
        person("a3", extension("a3", "1003", states=("hint:1003@from-internal",), confirm=True)),
    ]
    await here.fresh(*people, queues=[queue("support", {"a1": 1, "a3": 2})])
    await here.lab.asterisk.cli("devstate change Custom:DND1001 BUSY")
    here.phone("1003").behaviour = Answer(after=0.1, dtmf=((0.5, "1", "rfc4733"),))
    await here.fallback_known("support")
    await here.crash()
    caller = await here.call()
    await caller.wait_heard("1003", 14.0)
    assert not here.phone("1001").incoming
    await here.lab.asterisk.cli("devstate change Custom:DND1001 NOT_INUSE")
    await caller.bye()
    await here.hang_all_up()


async def test_the_phone_behind_an_extension_is_its_agents(here: Floor) -> None:
    """Codes and a picked-up call: the table names the extension, the channel its phone."""
    hinted = extension("a1", "1001", states=("hint:1001@from-internal",))
    people = [
        person("a1", hinted, sign_in=SignIn.MANUAL),
        person("a3", extension("a3", "1003", states=("PJSIP/1003",))),
        person("a2", desk("a2", "1002")),
    ]
    rules = queue("support", {"a2": 1, "a1": 2, "a3": 3}, policy=("priority",))
    await here.fresh(*people, queues=[rules])
    dialled: list[CodeDialled] = []
    here.pbx.report_phone_events(
        lambda event: dialled.append(event) if isinstance(event, CodeDialled) else None
    )
    calling = await here.phone("1001").call("*45")
    await here.until(lambda: dialled)
    owners = here.router.floor.owners[PBX, dialled[0].endpoint]
    assert [agent.id for agent in owners] == ["a1"]
    await calling.bye()
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    await here.phone("1002").wait_incoming()
    colleague = await here.phone("1003").call("*8")
    await caller.wait_heard("1003")
    assert here.state("a3") == "on-call"
    assert here.free("a2")
    await asyncio.sleep(TALK)
    await colleague.bye()
    await caller.wait_ended(4)
    await here.quiet()


async def test_a_phone_behind_two_extensions_is_the_phone_of_neither_agent(here: Floor) -> None:
    """Then a code asks who it is."""
    people = [
        person("a1", extension("a1", "1001", states=("PJSIP/1001",))),
        person("a3", extension("a3", "1003", states=("PJSIP/1001", "PJSIP/1003"))),
    ]
    await here.fresh(*people, queues=[queue("support", ["a1", "a3"])])
    assert here.pbx.tracker.phones.endpoint_at("PJSIP/1001") == "PJSIP/1001"
    assert here.pbx.tracker.phones.endpoint_at("PJSIP/1003") == people[1].devices[0].endpoint
