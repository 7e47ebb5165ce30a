"""How calls come in and go out: Goto and Gosub, results, targets, variables, and hostile callers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.commands import Happened
from callrouter.model.events import PauseRequested
from callrouter.model.table import HangUp, KeepWaiting, ToDialplan, ToQueue
from tests.asterisk.floor import DIALPLAN, Answer, Dialog, Floor, RingOnly, queue, staff, stage

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
 same => n,Set(CALLROUTER_TAG=x${CHR(10)}Queue: sales)
 same => n,Set(CALLROUTER_AGENT=a1\\,Tag: y)
 same => n,Goto(callrouter,support,1)
"""

TARGETS = """
[after]
exten => s,1,Set(CALLERID(name)=after ${CALLROUTER_RESULT})
 same => n,Dial(PJSIP/1004,10)
[callrouter-fallback-user]
exten => _[a-z0-9]!,1,Set(CALLERID(name)=fallback ${CALLROUTER_RESULT})
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
    await here.until(lambda: here.happened(Happened.CONNECTED))
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
    assert not here.happened(Happened.ABANDONED)
    await done(here, caller)


async def test_goto_goes_to_the_fallback(here: Floor) -> None:
    await here.fresh(*staff(2), queues=[queue("support", ["a1"])])
    here.post(PauseRequested(agent="a1"))
    await here.until(lambda: here.pbx._known is not None and here.pbx._known.told("support"), 3)
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
    assert call.tag == "xQueue:sales"
    assert call.first_agent not in here.router.floor.agents
    await done(here, caller)


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
