"""The same calls through callrouter and through app_queue, on one Asterisk: what queue_log says of both.

The figures come from the lines alone, by what Asterisk's documentation says of each event. Where both
count alike they are equal; where not, `docs/operator.md` has the difference and its reason, and the test
holds that it is as written there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio

from callrouter.lab import Install, Refuse
from callrouter.queue_log.file_listener import FileListener
from callrouter.queue_log.log_file import QueueLogFile
from tests.asterisk.floor import Answer, Dialog, Floor, RingOnly, queue, staff, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

QUEUES = """\
[general]
persistentmembers=no
log-caller-id-name=yes
[support]
strategy=linear
timeout=3
retry=1
wrapuptime=0
autofill=yes
ringinuse=no
joinempty=yes
member => PJSIP/1001,0,A1
member => PJSIP/1002,0,A2
"""
# The time limit is an argument of Queue(); Ringing instead of music makes no difference to the lines.
BY_APP_QUEUE = """\
exten => app_queue,1,Answer()
 same => n,Queue(support)
 same => n,Hangup()
exten => app_queue_brief,1,Answer()
 same => n,Queue(support,,,,3)
 same => n,Hangup()
"""
FIRST = {"callrouter": "02070", "app_queue": "02071"}
"""How the numbers of the callers begin."""


@dataclass
class Figures:
    """What a report makes of the lines of one system."""

    events: Counter[str] = field(default_factory=Counter)
    calls: dict[str, list[str]] = field(default_factory=dict)
    """By the caller's number: the events of the call, in order, without those of ringing."""
    answered_by: dict[str, str] = field(default_factory=dict)
    hold: dict[str, int] = field(default_factory=dict)
    """Seconds from entry to connect, abandon or exit, by the caller's number."""
    talk: dict[str, int] = field(default_factory=dict)
    position: dict[str, str] = field(default_factory=dict)
    """The position at entry, as each later line repeats it."""


WAIT_AT = {"CONNECT": 0, "ABANDON": 2, "EXITWITHTIMEOUT": 2}
TALK_AT = {"COMPLETECALLER": 1, "COMPLETEAGENT": 1, "BLINDTRANSFER": 3}
POSITION_AT = {
    **dict.fromkeys(("COMPLETECALLER", "COMPLETEAGENT"), 2),
    "BLINDTRANSFER": 4,
    "ABANDON": 1,
}


def figures(lines: list[list[str]], begins: str) -> Figures:
    made = Figures()
    number_of = {
        row[1]: row[6] for row in lines if row[4] == "ENTERQUEUE" and row[6].startswith(begins)
    }
    for _, call, _, agent, event, *values in lines:
        number = number_of.get(call)
        if number is None:
            continue
        number = number.removeprefix(begins)
        made.events[event] += 1
        if event.startswith("RING"):
            continue
        made.calls.setdefault(number, []).append(event)
        if event == "CONNECT":
            made.answered_by[number] = agent
        if event in WAIT_AT:
            made.hold[number] = int(values[WAIT_AT[event]])
        if event in TALK_AT:
            made.talk[number] = int(values[TALK_AT[event]])
        if event in POSITION_AT:
            made.position[number] = values[POSITION_AT[event]]
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3, files=(("queues.conf", QUEUES),), lab_in=BY_APP_QUEUE) as made:
        yield made


class Play:
    """The calls, one after another, as callers, agents and their phones make them."""

    def __init__(self, here: Floor, target: str, brief: str, begins: str) -> None:
        self._here = here
        self._target = target
        self._brief = brief
        """Where callers wait for 3 s at most."""
        self._begins = begins

    async def all(self) -> None:
        calls: list[Callable[[str], Awaitable[None]]] = [
            self.caller_ends, self.agent_ends, self.caller_gives_up, self.first_agent_declines,
            self.nobody_answers, self.agent_transfers,
        ]  # fmt: skip
        for number, call in enumerate(calls):
            for name in ("1001", "1002", "1003"):
                self._here.phone(name).behaviour = Answer()
                self._here.phone(name).incoming.clear()
            await call(f"{self._begins}{number}")
            await self._here.quiet(12)

    async def _call(self, number: str, target: str = "") -> Dialog:
        target = target or self._target
        return await self._here.call(target, caller_number=number, caller_name="Jo")

    async def caller_ends(self, number: str) -> None:
        caller = await self._call(number)
        await caller.wait_heard("1001")
        await asyncio.sleep(2.3)
        await caller.bye()

    async def agent_ends(self, number: str) -> None:
        caller = await self._call(number)
        agent = await self._here.phone("1001").wait_incoming()
        await caller.wait_heard("1001")
        await asyncio.sleep(1.3)
        await agent.bye()
        await caller.wait_ended()

    async def caller_gives_up(self, number: str) -> None:
        self._here.phone("1001").behaviour = RingOnly()
        caller = await self._call(number)
        await asyncio.sleep(1.4)
        await caller.bye()

    async def first_agent_declines(self, number: str) -> None:
        self._here.phone("1001").behaviour = Refuse(486)
        caller = await self._call(number)
        await caller.wait_heard("1002")
        await asyncio.sleep(1.3)
        await caller.bye()

    async def nobody_answers(self, number: str) -> None:
        for name in ("1001", "1002"):
            self._here.phone(name).behaviour = RingOnly()
        caller = await self._call(number, self._brief)
        await asyncio.sleep(4.0)  # one second after the time limit
        await caller.bye()

    async def agent_transfers(self, number: str) -> None:
        caller = await self._call(number)
        agent = await self._here.phone("1001").wait_incoming()
        await caller.wait_heard("1001")
        await asyncio.sleep(1.3)
        await agent.blind_transfer("1003")
        await caller.wait_heard("1003")
        await caller.bye()


@pytest.mark.timeout(120)
async def test_equal_figures_where_both_count_alike(here: Floor, tmp_path: Path) -> None:
    rules = queue("support", {"a1": 1, "a2": 2}, policy=("priority",), ring_for=3.0)
    brief = replace(rules, id="brief", name="Brief", max_wait=3.0)
    await here.fresh(*staff(2), queues=[rules, brief])
    file = QueueLogFile(tmp_path / "queue_log")
    board = here.router.board
    listener = FileListener(file, lambda: board.table, board.signed_in, here.pbx.call_channels)
    here.runtime.listen(listener.listen)
    file.start()
    await Play(here, "support", "brief", FIRST["callrouter"]).all()
    await here.until(lambda: len(here.pbx.queue_log) == 0)
    await Play(here, "app_queue", "app_queue_brief", FIRST["app_queue"]).all()
    file.close(10.0)

    lines = here.queue_log()
    ours, theirs = (figures(lines, begins) for begins in FIRST.values())
    assert theirs.calls == {
        "0": ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"],
        "1": ["ENTERQUEUE", "CONNECT", "COMPLETEAGENT"],
        "2": ["ENTERQUEUE", "ABANDON"],
        "3": ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"],
        "4": ["ENTERQUEUE", "EXITWITHTIMEOUT"],
        "5": ["ENTERQUEUE", "CONNECT", "BLINDTRANSFER"],
    }
    assert ours.calls == theirs.calls
    assert ours.events == theirs.events, "RINGNOANSWER and RINGCANCELED as well"
    assert ours.answered_by == theirs.answered_by == {"0": "A1", "1": "A1", "3": "A2", "5": "A1"}
    assert ours.position == theirs.position
    for mine, its in ((ours.hold, theirs.hold), (ours.talk, theirs.talk)):
        assert mine.keys() == its.keys()
        for number, value in mine.items():
            assert abs(value - its[number]) <= 1, f"call {number}: {value} s and {its[number]} s"

    # Its own file has the same lines as Asterisk's, whose logger stamps them a moment later.
    own = [line.split("|") for line in (tmp_path / "queue_log").read_text().splitlines()]
    through_asterisk = [line for line in lines if line[1] in {row[1] for row in own}]
    assert [line[1:] for line in own] == [line[1:] for line in through_asterisk]
    assert all(0 <= int(b[0]) - int(a[0]) <= 1 for a, b in zip(own, through_asterisk, strict=True))
