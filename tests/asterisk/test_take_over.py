"""A router of a cluster takes over: at every stage of a call, and against late orders of the old one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Dialog, Install
from callrouter.model.call_notices import ConversationStarted
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.diagnostics.examination import Examination, examine
from callrouter.pbx.asterisk.execution import write_gate
from callrouter.pbx.asterisk.execution.write_gate import ARRIVES_WITHIN
from callrouter.pbx.interface import ALONE, ClusterPbx
from callrouter.settings import AsteriskSettings
from tests.asterisk.floor import DIALPLAN, Answer, RingOnly, mobile, person, queue, staff, tell
from tests.asterisk.pair import Pair, pair

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Pair]:
    async with pair(install, 3) as made:
        yield made


# ---------------------------------------------------------------- standing by


async def test_a_standby_is_connected_and_writes_nothing(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    await here.end()
    here.held.active = here.held.valid = False  # now the one behind the proxy stands by
    here.between.sent.clear()
    here.old.begin()
    assert isinstance(here.old.pbx, ClusterPbx)
    await here.old.until(lambda: here.old.pbx.client.up)
    here.old.phone("1001").behaviour = RingOnly()
    caller = await here.old.call()
    await asyncio.sleep(2.2)
    written = {line.strip() for line in here.between.sent.decode().splitlines() if line.strip()}
    actions = {line for line in written if line.startswith("Action:")}
    assert actions <= {"Action: Challenge", "Action: Login", "Action: Getvar", "Action: Ping"}
    assert {line for line in written if line.startswith("Variable:")} == {
        f"Variable: {contract.EPOCH}"
    }
    assert "Events: system" in written
    health = here.old.pbx.health()
    assert health.up
    assert health.detail.endswith("standby")
    assert not here.old.router.floor.calls
    assert here.rung("1001") == 0
    await caller.bye()


# ---------------------------------------------------------------- at every stage of an offer


async def waiting(here: Pair) -> tuple[Dialog, Dialog]:
    """One caller talks with the only agent, another one waits."""
    talks = await talking(here)
    waits = await here.old.call(caller_number="222")
    await here.old.until(lambda: len(here.old.router.floor.calls) == 2)
    await here.old.written()
    return talks, waits


async def called(here: Pair, answer_after: float) -> Dialog:
    """A caller comes, and the first agent's phone will answer after so many seconds."""
    here.old.phone("1001").behaviour = Answer(after=answer_after)
    return await here.old.call()


async def ordered(here: Pair) -> Dialog:
    """The order has been given, and the phone has not rung yet."""
    caller = await called(here, 1.5)
    await here.old.until(lambda: b"Originate" in here.between.sent)
    return caller


async def ringing(here: Pair) -> Dialog:
    caller = await called(here, 1.5)
    await here.old.phone("1001").wait_incoming(1)
    await asyncio.sleep(0.1)
    return caller


async def picked_up_meanwhile(here: Pair) -> Dialog:
    """The phone is picked up after Asterisk has the new epoch and before its leg is adopted."""
    caller = await called(here, 0.3 + ARRIVES_WITHIN / 2)
    await here.old.phone("1001").wait_incoming(1)
    await asyncio.sleep(0.3)
    return caller


async def accepted(here: Pair) -> Dialog:
    """The phone was picked up, and the old router's connect never left it."""
    caller = await called(here, 0.3)
    await here.old.phone("1001").wait_incoming(1)
    await asyncio.sleep(0.1)
    here.between.hold()
    await asyncio.sleep(0.4)
    return caller


async def connecting(here: Pair) -> Dialog:
    caller = await called(here, 0.1)
    await here.old.until(lambda: b"Redirect" in here.between.sent)
    return caller


async def talking(here: Pair) -> Dialog:
    caller = await called(here, 0.1)
    await caller.wait_heard("1001")
    return caller


@pytest.mark.parametrize(
    ("stage", "handed_over"),
    [
        (ordered, False),
        (ringing, False),
        (picked_up_meanwhile, False),
        (accepted, False),
        (connecting, False),
        (talking, False),
        (ringing, True),
        (connecting, True),
    ],
)
async def test_a_take_over_rings_no_phone_twice(
    here: Pair, stage: object, handed_over: bool
) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.between.sent.clear()
    assert callable(stage)
    caller = await stage(here)
    began = asyncio.get_running_loop().time()
    await here.take_over(handed_over=handed_over)
    tell(f"in step {asyncio.get_running_loop().time() - began:.2f} s after the lease was taken")
    await caller.wait_heard("1001")
    await asyncio.sleep(0.3)
    assert caller.state == "up"
    assert here.rung("1001") == 1
    assert await here.value() == str(here.epoch + 1)
    await caller.bye()
    await here.new.quiet()
    here.fault_free()


async def test_waiting_callers_keep_their_order(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"], wrap_up=0.0)])
    talks, first = await waiting(here)
    second = await here.old.call(caller_number="333")
    await here.old.until(lambda: len(here.old.router.floor.calls) == 3)
    await here.old.written()
    await here.take_over()
    for before, served in ((talks, first), (first, second)):
        await before.bye()
        await served.wait_heard("1001")
    await second.bye()
    await here.new.quiet()


async def test_a_mobile_that_was_asked_is_not_asked_again(here: Pair) -> None:
    """Key 1 is pressed after the take-over; the leg is of the old epoch by its birth."""
    here.old.lab["carrier"].behaviour = Answer(after=0.1, dtmf=((2.0, "1", "rfc4733"),))
    await here.begin(person("m1", mobile("m1", "+447700900123")), queues=[queue("support", ["m1"])])
    here.old.lab["carrier"].behaviour = Answer(after=0.1, dtmf=((2.0, "1", "rfc4733"),))
    caller = await here.old.call()
    carrier = here.old.lab["carrier"]
    await carrier.wait_incoming(1)
    await asyncio.sleep(0.4)
    await here.take_over()
    await here.new.until(lambda: here.new.happened(ConversationStarted), 8)
    assert len(carrier.incoming) == 1
    await caller.bye()
    await here.new.quiet()


async def test_wrap_up_goes_on_without_a_second_call(here: Pair) -> None:
    """A conversation ends while no router acts; the caller is not put back into the queue."""
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    caller = await talking(here)
    here.held.valid = False
    await here.old.crash()
    await asyncio.sleep(4.0)
    await here.old.phone("1001").incoming[-1].bye()
    here.next.take(here.epoch + 1)
    here.new.pbx.activate()
    await caller.wait_ended(within=6)
    assert here.rung("1001") == 1


async def test_asterisk_obeys_before_what_is_stored_has_been_read(here: Pair) -> None:
    """The wait for late orders passes beside the reading, and nothing is served until it is done."""
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = False
    await here.old.crash()
    caller = await here.old.call()
    here.next.take(here.epoch + 1)
    here.new.pbx.claim()
    await here.new.until(lambda: here.new.pbx.health().comparing, 1)
    await asyncio.sleep(ARRIVES_WITHIN + 0.3)
    assert await here.value() == str(here.epoch + 1)
    assert not here.new.pbx.in_step
    assert here.rung("1001") == 0
    here.new.pbx.activate()
    await here.new.until(lambda: here.new.pbx.in_step, ARRIVES_WITHIN)
    await caller.wait_heard("1001")
    await caller.bye()
    await here.new.quiet()


async def test_a_router_that_is_overtaken_while_it_reads_what_is_stored_stays_silent(
    here: Pair,
) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = False
    await here.old.crash()
    here.next.take(here.epoch + 1)
    here.new.pbx.claim()
    await asyncio.sleep(ARRIVES_WITHIN + 0.3)
    newest = here.epoch + 2
    await here.old.lab.asterisk.cli(f"dialplan set global CALLROUTER_EPOCH {newest}")
    await here.new.until(lambda: here.next.newer == [newest], 2)
    here.new.pbx.activate()
    await asyncio.sleep(0.3)
    assert not here.new.pbx.in_step
    assert await here.value() == str(newest)


# ---------------------------------------------------------------- late orders of the old router


async def test_a_late_leg_is_ended_and_never_connected(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.between.hold()
    caller = await here.old.call()
    await here.old.until(lambda: b"Originate" in b"".join(d for _, d in here.between.held or ()))
    here.held.valid = False
    here.next.take(here.epoch + 1)
    here.new.pbx.activate()
    await caller.wait_heard("1001")
    here.old.phone("1001").behaviour = Answer(after=0.2)
    here.between.deliver()
    await asyncio.sleep(1.0)
    assert here.count(contract.OLDER_LEGS) == 1
    channels = [row for row in await here.new.channels() if row.startswith("PJSIP/1001")]
    assert len(channels) == 1
    assert caller.state == "up"
    assert len(here.new.happened(ConversationStarted)) == 1
    await caller.bye()
    await here.new.quiet()


async def test_a_late_connect_leaves_a_waiting_caller_in_line(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    talks, caller = await waiting(here)
    [_, call] = here.old.pbx.tracker.callers
    await here.take_over(kill=False)
    orders = (
        f"Action: Setvar\r\nChannel: {call}\r\nVariable: CALLROUTER_LEG\r\nValue: cr-x-1-desk.1\r\n\r\n"
        f"Action: Redirect\r\nChannel: {call}\r\nContext: {contract.CONNECT}\r\n"
        f"Exten: {contract.order_extension(here.epoch, 'support')}\r\nPriority: order\r\n\r\n"
    )
    await smuggle(here, orders)
    await here.new.until(lambda: here.count(contract.FENCED_ORDERS) == 1)
    assert len(here.new.router.floor.calls) == 2
    assert talks.state == caller.state == "up"
    assert here.rung("1001") == 1
    await talks.bye()
    await caller.wait_heard("1001")
    await caller.bye()
    await here.new.quiet()


async def smuggle(here: Pair, text: str) -> None:
    """Deliver bytes on the old router's connection, as if they had been under way.

    It may be a new one: the old router has seen the epoch by now and stands by.
    """
    await here.old.until(lambda: len(here.between._pairs) == 1 and here.old.pbx.client.up)
    [(_, out)] = list(here.between._pairs)
    out.write(text.encode())
    await out.drain()


async def test_a_late_connect_of_a_caller_in_a_conversation_loses_nobody(here: Pair) -> None:
    """What the bounds of time exclude, and no dialplan can undo: the caller is served again."""
    await here.begin(*staff(1), queues=[queue("support", ["a1"], wrap_up=0.0)])
    caller = await talking(here)
    [uid] = here.old.pbx.tracker.callers
    await here.take_over(kill=False)
    await here.new.until(lambda: here.new.router.floor.calls)
    place = contract.order_extension(here.epoch, "support")
    await smuggle(
        here,
        f"Action: Redirect\r\nChannel: {uid}\r\nContext: {contract.CONNECT}\r\n"
        f"Exten: {place}\r\nPriority: order\r\n\r\n",
    )
    await here.new.phone("1001").wait_incoming(2, within=8)
    await caller.wait_heard("1001", within=8)
    assert here.count(contract.FENCED_ORDERS) == 1
    await caller.bye()
    await here.new.quiet()


async def test_late_ticks_and_variables_change_nothing(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    caller = await talking(here)
    [uid] = here.old.pbx.tracker.callers
    await here.take_over(kill=False)
    await smuggle(
        here,
        "Action: Setvar\r\nVariable: CALLROUTER_TICK\r\nValue: abcdef-77\r\n\r\n"
        f"Action: Setvar\r\nChannel: {uid}\r\nVariable: CALLROUTER_LEG\r\nValue: cr-x-1-desk.1\r\n\r\n"
        "Action: Hangup\r\nChannel: cr-x-1-desk.1\r\nCause: 26\r\n\r\n",
    )
    await asyncio.sleep(1.3)
    assert caller.state == "up"
    assert here.new.pbx.drift == 0
    await caller.bye()
    await here.new.quiet()


async def test_the_old_router_sees_the_newer_epoch_and_stops(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = True
    here.next.take(here.epoch + 1)
    here.new.pbx.activate()
    await here.old.until(lambda: here.held.newer, 3)
    assert here.held.newer[0] == here.epoch + 1
    here.between.sent.clear()
    caller = await here.old.call()
    await caller.wait_heard("1001")
    await asyncio.sleep(1.2)
    assert b"Originate" not in here.between.sent
    assert b"Setvar" not in here.between.sent
    assert here.rung("1001") == 1
    assert here.old.pbx.health().detail.endswith("standby")
    await caller.bye()
    await here.new.quiet()


# ---------------------------------------------------------------- not sure of the lease


async def test_without_a_database_the_active_router_asks_first_and_goes_on(
    here: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_gate, "ASK_WITHIN", 0.9)  # the machine may be busy
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = False
    caller = await here.old.call()
    await caller.wait_heard("1001")
    counts = here.old.pbx.health().counts
    assert counts[contract.ASKED_FIRST] >= 2
    assert contract.NOT_WRITTEN not in counts
    await caller.bye()
    await here.old.quiet()
    assert await here.value("CALLROUTER_TICK")


async def test_a_router_that_stood_still_writes_nothing_into_a_newer_epoch(here: Pair) -> None:
    """Its lease has ended unnoticed, the epoch is newer, and an event makes it order."""
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = False
    await here.old.lab.asterisk.cli(f"dialplan set global CALLROUTER_EPOCH {here.epoch + 1}")
    here.between.sent.clear()
    caller = await here.old.call()
    await here.old.until(lambda: here.held.newer)
    await asyncio.sleep(0.5)
    sent = here.between.sent
    assert b"Originate" not in sent
    assert not re.search(rb"Variable: CALLROUTER_CALL\b", sent)
    assert here.rung("1001") == 0
    await caller.bye()


async def test_an_answer_that_is_late_permits_nothing(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    here.held.valid = False
    here.between.spoil = lambda _: (0.3,)
    try:
        caller = await here.old.call()
        await asyncio.sleep(1.5)
        assert here.rung("1001") == 0
        assert here.old.pbx.health().counts[contract.NOT_WRITTEN] >= 1
    finally:
        here.between.spoil = None
    here.held.valid = True
    await caller.wait_heard("1001", within=8)  # the comparison finds that nobody was rung
    await caller.bye()
    await here.old.quiet()


# ---------------------------------------------------------------- what happens to Asterisk


async def test_an_epoch_that_asterisk_lost_is_written_again(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    await here.old.lab.asterisk.cli('dialplan set global CALLROUTER_EPOCH ""')
    async with asyncio.timeout(4):
        while await here.value() != str(here.epoch):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    caller = await here.old.call()
    await caller.wait_heard("1001")
    await caller.bye()
    await here.old.quiet()


async def test_after_a_restart_an_unsure_router_is_recognised_by_what_asterisk_kept(
    here: Pair,
) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    await asyncio.sleep(0.3)  # the dialplan writes AstDB
    here.held.valid = False
    await here.old._another_asterisk()
    await here.old.until(lambda: here.old.pbx.in_step, 15)
    assert await here.value() == str(here.epoch)
    caller = await here.old.call()
    await caller.wait_heard("1001")
    await caller.bye()
    await here.old.quiet()


async def test_after_a_restart_a_router_of_an_older_epoch_does_not_serve(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    await here.take_over(kill=False)
    await asyncio.sleep(0.3)
    await here.new.crash()
    await here.old.crash()
    here.held.active, here.held.newer = True, []
    await here.old._another_asterisk()
    here.old.begin()
    await here.old.until(lambda: here.held.newer, 8)
    assert not here.old.pbx.in_step
    assert here.held.newer[0] == here.epoch + 1


# ---------------------------------------------------------------- dialplans and routers of two versions


async def test_a_router_without_a_cluster_clears_what_a_cluster_left(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])
    assert await here.value()
    await here.end()
    here.new.authority = ALONE
    await here.new.start()
    caller = await here.new.call()
    await caller.wait_heard("1001", within=8)
    assert await here.value() == ""
    await caller.bye()
    await here.new.quiet()


def before_clusters(text: str) -> str:
    """The dialplan without what it knows of epochs."""
    text = re.sub(r"\[callrouter-epoch\]\n(?:.*\n)*?(?=\[)", "", text)
    text = re.sub(r"exten => _=X\.,1\(order\).*\n(?: same => .*\n)*", "", text)
    text = re.sub(r" same => n\(turn\),GotoIf.*\?older\)\n", "", text)
    return re.sub(r"mobile,1\(turn\),GotoIf.*\?older\)\n same => n,", "mobile,1,", text)


async def test_an_older_dialplan_serves_and_is_complained_of(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    old = before_clusters(DIALPLAN)
    assert "GLOBAL(CALLROUTER_EPOCH)" not in old
    async with pair(install, 1, dialplan=old) as here:
        await here.begin(*staff(1), queues=[queue("support", ["a1"])])
        assert "the dialplan knows no epochs" in caplog.text
        caller = await here.old.call()
        await caller.wait_heard("1001")
        await here.take_over()
        assert caller.state == "up"
        assert here.rung("1001") == 1
        assert await here.value() == str(here.epoch + 1)
        await caller.bye()
        await here.new.quiet()


async def test_doctor_tells_which_router_asterisk_obeys(here: Pair) -> None:
    await here.begin(*staff(1), queues=[queue("support", ["a1"])])

    async def said(*, cluster: bool) -> dict[str, bool | None]:
        settings = AsteriskSettings(
            id="office",
            port=here.old.lab.asterisk.ami_port,
            username="callrouter",
            secret="change-me",
        )
        wanted = Examination(spoken={}, router=None, cluster=cluster)
        looks = examine("office", settings, Table(), wanted)
        return {re.sub(r" \(.*?\)", "", one.what): one.ok async for one in looks}

    found = await said(cluster=True)
    assert found[f"obeys the router of epoch {here.epoch}"]
    assert "another router serves this Asterisk" not in found
    await here.end()
    found = await said(cluster=False)
    assert found["Asterisk still obeys a router of a cluster, and none is running"] is None
