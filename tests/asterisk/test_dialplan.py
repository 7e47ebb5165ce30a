"""How calls come in and go out: Goto and Gosub, results, targets, variables, and hostile callers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, timedelta
from typing import Any

import pytest
import pytest_asyncio

from callrouter.core.state import Call
from callrouter.lab import Install
from callrouter.model.call_notices import CallAbandoned, CallLeftQueue, ConversationStarted
from callrouter.model.events import PauseRequested
from callrouter.model.hours import Hours, Span
from callrouter.model.routing_table import HangUp, KeepWaiting, ToDialplan, ToQueue
from tests.asterisk.floor import (
    DIALPLAN,
    Answer,
    Dialog,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    staff,
    stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

# The result of a Gosub is told by the number that is dialled next; 8001 rings a phone that shows it.
LAB_IN = """
exten => 6001,1,Gosub(callrouter,support,1)
 same => n,Set(CALLERID(name)=result ${CALLROUTER_RESULT})
 same => n,Dial(PJSIP/1004,10)
exten => 6002,1,Set(CALLROUTER_PRIORITY=7)
 same => n,Set(CALLROUTER_AGENT=a2)
 same => n,Set(CALLROUTER_TAG=gold)
 same => n,Goto(callrouter,support,1)
exten => 6003,1,Set(CALLROUTER_PRIORITY=1,Agent: a2)
 same => n,Set(CALLROUTER_TAG=x${URIDECODE(%0a)}Queue: sales)
 same => n,Set(CALLROUTER_AGENT=a1\\,Tag: y)
 same => n,Goto(callrouter,support,1)
exten => 6201,1,Set(CALLROUTER_PRIORITY= 7)
 same => n,Set(CALLROUTER_AGENT=A1)
 same => n,Set(CALLROUTER_SKILLS=french=2&Billing=1)
 same => n,Goto(callrouter,support,1)
exten => 6301,1,Set(CALLROUTER_PRIORITY=7)
 same => n,Set(CALLROUTER_TAG=Gold Kunde)
 same => n,Gosub(callrouter,support,1)
 same => n,Goto(callrouter,sales,1)
exten => 6401,1,Goto(callrouter,Support,1)
exten => 6402,1,Gosub(callrouter,SUPPORT,1)
exten => 6403,1,Goto(callrouter,suport,1)
exten => 6404,1,Goto(callrouter,sup port,1)
exten => 6405,1,Goto(callrouter,Übung,1)
"""
TAGS = [
    *("Gold Kunde", "Größe", "a,b", "((x", "x))", "50 % off", "q?a:b", "日本", 'so-"so"', "it's"),
    *("a&b=c|d", "C:\\x", "x" * 200),
]
WRONG = [
    *("PRIORITY=1.5", "PRIORITY=-1", "PRIORITY=500", "AGENT=aa1", "SKILLS=french"),
    *("SKILLS=fench=1", f"TAG={'x' * 201}"),
]
LAB_IN += "".join(
    f"exten => {number},1,Set(CALLROUTER_{value})\n same => n,Goto(callrouter,support,1)\n"
    for number, value in [
        *((6100 + n, f"TAG={tag}") for n, tag in enumerate(TAGS)),
        *((6202 + n, value) for n, value in enumerate(WRONG)),
    ]
)
NEVER = Hours(
    (Span(0, 0, 1),), UTC, frozenset(date(2020, 1, 1) + timedelta(n) for n in range(9000))
)

TARGETS = """
[after]
exten => s,1,Set(CALLERID(name)=after ${CALLROUTER_RESULT})
 same => n,Dial(PJSIP/1004,10)
[callrouter-fallback-user]
exten => _[su][a-z0-9]!,1,Set(CALLERID(name)=fallback ${CALLROUTER_RESULT})
 same => n,Dial(PJSIP/1004,10)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 4, lab_in=LAB_IN, dialplan=DIALPLAN + TARGETS) as made:
        yield made


async def shown(here: Floor, count: int = 1) -> str:
    """What the phone 1004 shows of the caller whom the dialplan sent there."""
    dialog = await here.phone("1004").wait_incoming(count)
    return dialog.peer_name


async def done(here: Floor, caller: Dialog) -> None:
    await caller.bye()
    await here.quiet()


async def test_gosub_returns_with_answered(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    caller = await here.call("6001")
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await here.until(lambda: here.happened(ConversationStarted))
    for offer in here.router.floor.offers.values():
        offer.talked_since = 1.0
    await agent.bye()
    assert await shown(here) == "result answered"
    await done(here, caller)


async def test_gosub_returns_with_timeout(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], max_wait=0.5, ring_for=0.7)])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call("6001")
    assert await shown(here) == "result timeout"
    await done(here, caller)


async def test_gosub_returns_with_full(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], max_waiting=1)])
    here.phone("1001").behaviour = RingOnly()
    first = await here.call("6001")
    await here.until(lambda: len(here.router.floor.calls) == 1)
    caller = await here.call("6001")
    assert await shown(here) == "result full"
    await first.bye()
    await done(here, caller)


async def test_AST_25_gosub_returns_with_nobody(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.post(PauseRequested(agent="a1"))
    caller = await here.call("6001")
    assert await shown(here) == "result nobody"
    assert not here.happened(CallAbandoned)
    await done(here, caller)


async def test_goto_goes_to_the_fallback(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.post(PauseRequested(agent="a1"))
    await here.until(lambda: here.pbx._fallback._published.get("support"), 3)
    caller = await here.call()
    assert await shown(here) == "fallback nobody"
    await done(here, caller)


async def test_no_context_takes_a_hangup_for_a_queue() -> None:
    """Asterisk runs the extension h when a caller hangs up, and a pattern for queues matches it too."""
    contexts = re.split(r"^\[([a-z-]+)\]$", DIALPLAN, flags=re.MULTILINE)[1:]
    matching = [
        name
        for name, text in zip(contexts[::2], contexts[1::2], strict=True)
        if "exten => _[a-z0-9]!," in text and "\nexten => h,1,Hangup()\n" not in text
    ]
    assert len(contexts) > 20
    assert matching == []


async def test_targets(here: Floor) -> None:
    target = ToDialplan("after", "s")
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], on_nobody=target)])
    here.post(PauseRequested(agent="a1"))
    caller = await here.call()
    assert await shown(here) == "after nobody"
    await done(here, caller)

    missing = ToDialplan("no-such-place", "s")
    await here.fresh(*staff(2), queues=[queue("support", ["a1"], on_nobody=missing)])
    here.post(PauseRequested(agent="a1"))
    caller = await here.call()
    assert await shown(here) == "fallback nobody"
    log = here.lab.asterisk.log_path.read_text(errors="replace")
    assert "no-such-place,s,1 does not exist" in log
    await done(here, caller)

    await here.fresh(*staff(2), queues=[queue("support", ["a1"], on_nobody=HangUp())])
    here.post(PauseRequested(agent="a1"))
    caller = await here.call()
    await caller.wait_ended()
    await here.quiet()


async def test_overflow_to_another_queue_keeps_the_channel_up_to_date(here: Floor) -> None:
    rules = [
        queue("support", ["a1"], on_nobody=ToQueue("sales")),
        queue("sales", ["a2"], on_nobody=KeepWaiting()),
    ]
    await here.fresh(*staff(2), queues=rules)
    here.post(PauseRequested(agent="a1"))
    here.post(PauseRequested(agent="a2"))
    caller = await here.call()
    await here.until(lambda: len(here.router.floor.queues["sales"].waiting) == 1)
    entered = next(iter(here.router.floor.calls.values())).entered_at
    await caller.wait_heard("")
    await here.crash()
    await here.start()
    [call] = here.router.floor.calls.values()
    assert call.queue.id == "sales"
    assert call.entered_at == pytest.approx(entered, abs=0.01)
    await caller.wait_heard("1002")
    await done(here, caller)


async def test_TW_01_variables_of_the_dialplan(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", {"a1": 1, "a2": 2}, policy=("priority",))])
    caller = await here.call("6002")
    await caller.wait_heard("1002")
    [call] = here.router.floor.calls.values()
    assert (call.priority, call.tag) == (7, "gold")
    await done(here, caller)


async def test_variables_cannot_smuggle_in_others(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"]), queue("sales", ["a2"])])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call("6003")
    await here.until(lambda: here.router.floor.calls)
    [call] = here.router.floor.calls.values()
    assert call.queue.id == "support"
    assert (call.priority, call.tag, call.first_agent, dict(call.skills)) == (50, "", "", {})
    assert [note.mistake for note in here.oddities] == ["priority", "agent", "tag"]
    assert "'1,Agent: a2'" in here.oddities[0].text
    await done(here, caller)


async def came(here: Floor, number: str) -> Call:
    """The call that a number of the dialplan sends in, while no agent is rung for it."""
    here.oddities.clear()
    caller = await here.call(number)
    await here.until(lambda: here.router.floor.calls)
    [call] = here.router.floor.calls.values()
    await caller.bye()
    await here.quiet()
    return call


async def test_values_of_the_dialplan_are_kept_exactly(here: Floor) -> None:
    skilled = [person("a1", desk("a1", "1001"), skills={"french": 3, "billing": 1})]
    await here.fresh(*skilled, queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = RingOnly()
    for number, tag in enumerate(TAGS, 6100):
        assert ((await came(here, str(number))).tag, here.oddities) == (tag, [])
    call = await came(here, "6201")
    assert (call.priority, call.first_agent, call.skills) == (
        *(7, "a1"),
        {"french": 2, "billing": 1},
    )
    assert here.oddities == []


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [
        ("6202", "priority", "from 1 to 100, not '1.5'; 50 is used"),
        ("6203", "priority", "not '-1'"),
        ("6204", "priority", "not '500'"),
        ("6205", "agent", "'aa1', who does not exist; did you mean 'a1'?"),
        ("6206", "skills", "not 'french'; no skill is asked for"),
        ("6207", "skills", "'fench', which no agent has; did you mean 'french'?"),
        ("6208", "tag", "more than 200 characters"),
    ],
)
async def test_values_that_cannot_be_right_are_refused_with_a_word(
    here: Floor, number: str, what: str, text: str
) -> None:
    agent = person("a1", desk("a1", "1001"), skills={"french": 3})
    await here.fresh(agent, queues=[queue("support", ["a1"])])
    call = await came(here, number)
    assert (call.priority, call.tag, call.first_agent, call.skills) == (50, "", "", {})
    [note] = here.oddities
    assert note.mistake == what
    assert text in note.text


async def test_values_apply_to_one_entry_and_outlive_the_router(here: Floor) -> None:
    rules = [
        queue("support", ["a1"], max_wait=1.0, on_nobody=KeepWaiting()),
        queue("sales", ["a2"]),
    ]
    await here.fresh(*staff(2), queues=rules)
    here.phone("1001").behaviour = here.phone("1002").behaviour = RingOnly()
    caller = await here.call("6301")
    await here.until(lambda: here.router.floor.calls)
    await here.crash()
    await here.start()
    [call] = here.router.floor.calls.values()
    assert (call.queue.id, call.priority, call.tag) == ("support", 7, "Gold Kunde")
    await here.until(lambda: [c.queue.id for c in here.router.floor.calls.values()] == ["sales"])
    [call] = here.router.floor.calls.values()
    assert (call.priority, call.tag) == (7, "")  # a priority is kept, a tag is not
    await done(here, caller)


async def test_capital_letters_name_the_same_queue(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    for number in ("6401", "6402"):
        caller = await here.call(number)
        await caller.wait_heard("1001")
        assert here.oddities == []
        await done(here, caller)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("6403", "arrived for 'suport', which is not a queue; did you mean 'support'?"),
        ("6404", "arrived for 'sup port', which is not a queue; did you mean 'support'?"),
        ("6405", "arrived for 'Übung', which is not a queue"),
    ],
)
async def test_a_queue_that_does_not_exist(here: Floor, number: str, text: str) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    caller = await here.call(number)
    assert await shown(here) == "fallback closed"
    [note] = here.oddities
    assert (note.mistake, text in note.text) == ("queue", True)
    assert here.phone("1001").incoming == []
    await caller.bye()


@pytest.mark.parametrize(
    ("result", "rules"),
    [
        ("closed", {"hours": NEVER}),
        ("full", {"max_waiting": 0}),
        ("timeout", {"max_wait": 0.5, "skills": {"x": 1}}),
    ],
)
async def test_who_leaves_without_a_target_rings_no_phone(
    here: Floor, result: str, rules: dict[str, Any]
) -> None:
    """The fallback is for a router that is silent. This one has said that no agent is to be rung."""
    await here.fresh(*staff(2), queues=[queue("box", ["a1"], **rules)])
    await here.until(lambda: here.pbx._fallback._published.get("box"), 3)
    caller = await here.call("box")
    await caller.wait_ended(within=20)
    await here.until(lambda: here.happened(CallLeftQueue))
    assert here.happened(CallLeftQueue)[0].result.value == result
    assert here.phone("1001").incoming == []
    log = here.lab.asterisk.log_path.read_text(errors="replace")
    assert "Playing 'im-sorry" in log
    await here.quiet()


HOSTILE = [
    'Jane "The Boss" Doe',
    "a\\\\b",
    "x, CALLROUTER_TAG=evil",
    '"; DROP TABLE calls; --',
    "${SHELL(touch /tmp/pwned)}",
    "$[1+1] ${EXTEN}",
    "<script>alert(1)</script>",
    "N" * 300,
    "Zoë Müller 日本 \u202egnp.exe",
    "a\u2028Action: Originate",
    "'|&;`id`",
    "Variable: CALLROUTER_AGENT=a2",
    "B\udcff\udcc3ob",  # bytes that are no UTF-8
]


async def test_hostile_names_are_shown_as_text(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"]), queue("sales", ["a2"])])
    for number, name in enumerate(HOSTILE, 1):
        caller = await here.call(caller_name=name, caller_number="+442079460018")
        rung = await here.phone("1001").wait_incoming(number)
        await caller.wait_heard("1001")
        assert len(rung.peer_name) <= 80
        assert not set(rung.peer_name) & set("\r\n\u2028\u202e")
        assert rung.peer_number == "+442079460018"
        kept = [c for c in name if c.isalnum() and c.isascii()][:10]
        assert [c for c in rung.peer_name if c.isalnum() and c.isascii()][:10] == kept
        leg = next(iter(here.router.floor.offers.values()))
        await caller.bye()
        await here.until(lambda: not here.router.floor.offers)
        assert leg.call.tag == ""
    await here.quiet()
    assert len(here.phone("1002").incoming) == 0


@pytest.mark.parametrize(
    "number", ["anonymous", "1" * 300, "+44 20 7946", "x,y", "${EXTEN}", "%22%0d%0aEvil", "a'b\"c"]
)
async def test_hostile_numbers(here: Floor, number: str) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.phone("1001").behaviour = Answer(after=0.05)
    caller = await here.call(caller_number=number)
    if caller.state != "ended":
        await caller.wait_heard("1001")
        rung = await here.phone("1001").wait_incoming()
        assert len(rung.peer_number) <= 64
        await caller.bye()
    await here.quiet()
