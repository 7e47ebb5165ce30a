"""queue_log: the lines that app_queue would have written, one for each event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from callrouter.clock import SystemClock
from callrouter.lab import Install, Refuse
from callrouter.model.call_notices import CallCompleted, CallLeftQueue, ConversationStarted
from callrouter.model.events import (
    ConfigReloaded,
    PauseRequested,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.notices import AgentResumed
from callrouter.model.outcomes import EndedBy
from callrouter.model.routing_table import AgentSpec, KeepWaiting, SignIn
from callrouter.pbx.asterisk import queue_log_writer as queuelogwriter
from callrouter.pbx.asterisk.ami import AmiError, AmiNotPermitted, AmiReply
from callrouter.queue_log import log_lines as queuelog
from tests.asterisk.floor import (
    Dialog,
    Floor,
    RingOnly,
    desk,
    person,
    queue,
    staff,
    stage,
    table,
)
from tests.asterisk.proxy import proxy

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

Story = list[tuple[str, str, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 3) as made:
        yield made


async def story(here: Floor, before: int) -> Story:
    """(agent, event, parameters) of the lines since `before`, once there are no more to come."""
    await here.until(lambda: len(here.pbx.queue_log) == 0)
    return [(line[3], line[4], "|".join(line[5:])) for line in here.queue_log()[before:]]


async def begin(here: Floor, **changes: object) -> int:
    rules = queue("support", {"a1": 1, "a2": 2}, policy=("priority",), **changes)
    await here.fresh(*staff(2), queues=[rules, queue("sales", ["a1"])])
    return len(here.queue_log())


def age(here: Floor) -> None:
    for call in here.router.floor.calls.values():
        call.connected_at = (call.connected_at or 0.0) - 10.0
        if call.winner is not None and call.winner.talked_since is not None:
            call.winner.talked_since -= 10.0


async def talk(here: Floor) -> tuple[Dialog, Dialog]:
    caller = await here.call(caller_number="0207", caller_name='Jane | "X"')
    agent = await here.phone("1001").wait_incoming()
    await caller.wait_heard("1001")
    await here.until(lambda: here.happened(ConversationStarted))
    age(here)
    return caller, agent


async def test_KZ_08_a_call_that_its_caller_ends(here: Floor) -> None:
    before = await begin(here)
    caller, _ = await talk(here)
    leg = next(iter(here.pbx.tracker.legs))
    await caller.bye()
    await here.quiet()
    assert await story(here, before) == [
        ("NONE", "ENTERQUEUE", "|0207|1|Jane X"),
        ("A1", "CONNECT", f"0|{leg}|0"),
        ("A1", "COMPLETECALLER", "0|10|1"),
    ]
    calls = {line[1] for line in here.queue_log()[before:]}
    assert len(calls) == 1
    assert {line[2] for line in here.queue_log()[before:]} == {"support"}


async def test_WZA_13_a_call_that_its_agent_ends(here: Floor) -> None:
    before = await begin(here)
    caller, agent = await talk(here)
    await agent.bye()
    await caller.wait_ended()
    await here.quiet()
    assert [event for _, event, _ in await story(here, before)] == [
        "ENTERQUEUE",
        "CONNECT",
        "COMPLETEAGENT",
    ]


async def test_AST_44_abandoned_while_ringing(here: Floor) -> None:
    before = await begin(here)
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    await here.until(lambda: here.state("a1") == "ringing")
    await caller.bye()
    await here.quiet()
    lines = await story(here, before)
    assert sorted(line[:2] for line in lines) == [
        ("A1", "RINGCANCELED"),
        ("NONE", "ABANDON"),
        ("NONE", "ENTERQUEUE"),
    ]
    assert ("NONE", "ABANDON", "1|1|0") in lines


async def test_AST_04_refused_missed_and_timed_out(here: Floor) -> None:
    before = await begin(here, ring_for=1.0, max_wait=1.5, retry_after=9.0)
    here.phone("1001").behaviour = Refuse(486)
    here.phone("1002").behaviour = RingOnly()
    caller = await here.call()
    await here.until(lambda: here.happened(CallLeftQueue), 4)
    await caller.bye()
    await here.quiet(8)
    lines = await story(here, before)
    assert [line[:2] for line in lines] == [
        ("NONE", "ENTERQUEUE"),
        ("A1", "RINGNOANSWER"),
        ("A2", "RINGNOANSWER"),
        ("NONE", "EXITWITHTIMEOUT"),
    ]
    assert int(lines[2][2]) == pytest.approx(1000, abs=100)
    assert lines[3][2] == "1|1|1"


async def test_transfers_and_people(here: Floor) -> None:
    before = await begin(here)
    caller, agent = await talk(here)
    await agent.blind_transfer("1003")
    await caller.wait_heard("1003")
    await caller.bye()
    here.post(PauseRequested(agent="a1", reason="tea|time\n"))
    here.post(Resumed(agent="a1"))
    await here.quiet()
    lines = await story(here, before)
    assert lines[2:] == [
        ("A1", "BLINDTRANSFER", "1003|lab-phones|0|10|1"),
        ("A1", "PAUSE", "tea time"),
        ("A1", "PAUSE", "tea time"),
        ("A1", "PAUSEALL", "tea time"),
        ("A1", "UNPAUSE", "tea time"),
        ("A1", "UNPAUSE", "tea time"),
        ("A1", "UNPAUSEALL", "tea time"),
    ]


async def test_WZ_22_one_sign_in_is_one_line(here: Floor) -> None:
    people = staff(2, sign_in=SignIn.MANUAL)
    rules = queue("support", ["a1"], on_nobody=KeepWaiting())
    await here.fresh(*people, queues=[rules])
    before = len(here.queue_log())
    here.post(SignedIn(agent="a1", by="phone"))
    here.post(SignedIn(agent="a1", by="web"))
    here.post(SignedOut(agent="a1", by="web"))
    assert await story(here, before) == [
        ("A1", "AGENTLOGIN", "phone"),
        ("A1", "ADDMEMBER", ""),
        ("A1", "REMOVEMEMBER", ""),
        ("A1", "AGENTLOGOFF", "web|0"),
    ]
    await here.quiet()


async def test_who_joins_or_leaves_a_queue_by_a_reload(here: Floor) -> None:
    people = staff(2)
    rules = queue("support", ["a1"], on_nobody=KeepWaiting())
    await here.fresh(*people, queues=[rules])
    before = len(here.queue_log())
    changed = table(people, queue("support", ["a2"], on_nobody=KeepWaiting()))
    here.post(ConfigReloaded(table=changed.reusing(here.spec)))
    assert await story(here, before) == [("A1", "REMOVEMEMBER", ""), ("A2", "ADDMEMBER", "")]
    await here.quiet()


async def test_a_crowd_at_once_loses_no_line(here: Floor) -> None:
    people = [*staff(1), *(person(f"x{n}", desk(f"x{n}", "1003")) for n in range(260))]
    rules = queue("support", [agent.id for agent in people], on_nobody=KeepWaiting())
    await here.fresh(*people, queues=[rules])
    before = len(here.queue_log())
    for agent in people:
        here.post(PauseRequested(agent=agent.id, reason="fire drill"))
    lines = await story(here, before)
    assert len(lines) == 2 * len(people)
    assert {event for _, event, _ in lines} == {"PAUSE", "PAUSEALL"}
    assert here.pbx.queue_log.lost == 0
    await here.quiet()


async def test_what_happens_during_an_outage_is_written_afterwards_with_its_time(
    here: Floor,
) -> None:
    await here.crash()
    async with proxy(here.lab.asterisk.ami_port) as (between, port):
        here.port = port
        try:
            before = await begin(here)
            here.post(PauseRequested(agent="a1", reason="tea"))
            await story(here, before)
            between.shut = True
            between.cut()
            await here.until(lambda: not here.pbx.in_step)
            here.post(Resumed(agent="a1"))
            resumed = here.happened(AgentResumed)[-1].at
            await asyncio.sleep(2.2)
            between.shut = False
            await here.until(lambda: here.pbx.in_step)
            lines = await story(here, before)
        finally:
            await here.crash()
            here.port = 0
    assert lines[3:] == [
        ("A1", "UNPAUSE", f"tea|at={int(resumed)}"),
        ("A1", "UNPAUSE", f"tea|at={int(resumed)}"),
        ("A1", "UNPAUSEALL", f"tea|at={int(resumed)}"),
    ]


async def test_two_agents_of_one_name_are_told_apart(here: Floor) -> None:
    people = [
        AgentSpec(id=id_, name="Sam", devices=(desk(id_, number),), sign_in=SignIn.MANUAL)
        for id_, number in (("s1", "1001"), ("s2", "1002"))
    ]
    await here.fresh(*people, queues=[queue("support", ["s1", "s2"], on_nobody=KeepWaiting())])
    before = len(here.queue_log())
    here.post(SignedIn(agent="s2", by="phone"))
    assert {agent for agent, _, _ in await story(here, before)} == {"s2"}
    await here.quiet()


async def test_lines_beyond_all_measure_are_counted_and_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queuelogwriter, "MAX_WAITING", 10)
    up = False
    sent: list[str] = []
    writer = queuelogwriter.QueueLogWriter(
        "office", lambda action, _told: sent.append(str(action["Event"])), lambda: up, SystemClock()
    )
    for n in range(14):
        writer.add(queuelog.QueueLogLine(f"E{n}"), None)
    assert (len(writer), writer.lost, sent) == (10, 4, [])
    assert "4 lines of queue_log missing" in caplog.text
    up = True
    writer.write()
    assert sent == [f"E{n}" for n in range(4, 14)]


async def test_lines_that_were_not_permitted_are_sent_again_in_their_order() -> None:
    """In a cluster, while the lease is uncertain. They were certainly not written, so none is lost."""
    told: list[tuple[str, Callable[[AmiReply | AmiError], None]]] = []
    up = True
    writer = queuelogwriter.QueueLogWriter(
        "office",
        lambda action, tell: told.append((str(action["Event"]), tell)),
        lambda: up,
        SystemClock(),
    )
    for n in range(4):
        writer.add(queuelog.QueueLogLine(f"E{n}"), None)
    for round_up in (True, False):  # the gate is only unsure, or it is closed
        up = round_up
        held, told[:] = list(told), []
        for _, tell in held:
            tell(AmiNotPermitted("not now"))
        up = True
        writer.write()
        assert [event for event, _ in told] == ["E0", "E1", "E2", "E3"]
    assert (len(writer), writer.lost) == (4, 0)


async def test_everyone_left(here: Floor) -> None:
    before = await begin(here)
    here.post(PauseRequested(agent="a1"))
    here.post(PauseRequested(agent="a2"))
    caller = await here.call()
    await here.until(lambda: here.happened(CallLeftQueue))
    await caller.bye()
    await here.quiet(8)
    lines = [line for line in await story(here, before) if "PAUSE" not in line[1]]
    assert lines == [("NONE", "ENTERQUEUE", "|caller|1|"), ("NONE", "EXITEMPTY", "1|1|0")]


async def test_WZ_25_seconds_are_whole_and_never_negative() -> None:
    notice = CallCompleted(
        at=0.0,
        call="c1",
        queue="support",
        agent="a1",
        offer="o1",
        by=EndedBy.CALLER,
        wait_s=-0.4,
        talk_s=1.999,
        first_position=1,
    )
    [line] = queuelog.lines(notice, queuelog.LineContext(channels=queuelog.CallChannels("1.2")))
    assert line.parameters == ("0", "1", "1")
    hostile = queuelog.QueueLogLine("PAUSE", ("a|b\r\nc\u2028d" + "x" * 200,), agent="e|vil")
    assert hostile.action()["Message"] == ("a b c d" + "x" * 200)[:80]
    assert hostile.action()["Interface"] == "e vil"
