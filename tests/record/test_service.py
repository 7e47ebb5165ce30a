"""The record in a real database: written behind the loop, across restarts and with the database away."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from callrouter.model.events import CallArrived, DeviceState, PbxSnapshot, SeenCall, SignedIn
from callrouter.record import record_service
from callrouter.record.call_steps import members_of, unpack_steps
from callrouter.record.record_tables import CALLS, RUNS
from callrouter.record.rows import (
    CallOutcome,
    ConversationEnd,
    ConversationKind,
    GapKind,
    HowIn,
    OfferResult,
    StayOutcome,
)
from callrouter.store import recorded_queue
from tests.record.world import recording
from tests.store.tried import Tried
from tests.store.world import Clock, until

BEFORE = 0.0
EVER = 1e11


async def test_a_call_is_written_as_it_was(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        clock.at += 10
        began = clock.at
        await world.whole_call(
            "c1", caller_number="441632960000", caller_name="Zo\ud800\0é", called_number="4420",
            tag="vip", priority=7,
        )  # fmt: skip
        await world.written()
        story = world.story("c1")
    call = story.call
    assert (call.pbx, call.entered_at, call.ended_at) == ("office", began, began + 8)
    assert (call.caller_number, call.caller_name) == ("+441632960000", "Zo??é")
    assert (call.called_number, call.tag, call.priority) == ("4420", "vip", 7)
    assert (call.outcome, call.result, call.agent) == (CallOutcome.ANSWERED, "answered", "ann")
    assert (call.wait_s, call.talk_s, call.ended_by) == (3.0, 5.0, "caller")
    assert (call.stays, call.offers, call.conversations, call.transfers) == (1, 1, 1, 0)
    (stay,), (offer,), (talk,) = story.stays, story.offers, story.conversations
    assert (stay.outcome, stay.how_in, stay.wait_s) == (StayOutcome.ANSWERED, HowIn.NEW, 3.0)
    assert (stay.first_position, stay.answered_at, stay.talk_s) == (1, began + 3, 5.0)
    assert (offer.result, offer.agent, offer.taker) == (OfferResult.ACCEPTED, "ann", "ann")
    assert (offer.device, offer.idle_s, offer.rang_at) == ("desk", 10.0, began)
    assert (offer.accepted_at, offer.rang_s) == (began + 3, 3.0)
    assert (talk.kind, talk.started_at) == (ConversationKind.FIRST, began + 3)
    assert (talk.ended_by, talk.talk_s) == (ConversationEnd.CALLER, 5.0)
    assert talk.offer == offer.offer


async def test_the_steps_explain_the_call(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        await world.whole_call("c1")
        await world.written()
        (part,) = world.story("c1").decisions
        steps = unpack_steps(part.steps)
        digests = [step.digest for step in steps if step.digest]
        lists = world.reader.member_lists(digests)
        states = world.reader.states_at(steps[0].notice.at, serial=steps[0].serial)
    assert [step.notice.kind for step in steps] == [
        "entered", "offered", "decided", "rang", "accepted", "connected", "completed",
    ]  # fmt: skip
    assert [members_of(text) for text in lists.values()] == [{"ann": (0, {}), "bob": (0, {})}]
    assert {name: row.state for name, row in states.items()} == {"ann": "available"}


async def test_states_of_agents_follow_each_other(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        began = clock.at
        clock.at += 10
        await world.whole_call("c1")
        await world.written()
        rows = world.reader.agent_states(BEFORE, EVER)
    assert [row.state for row in rows][1:5] == ["available", "reserved", "ringing", "on-call"]
    assert rows[1].at == began
    for row, following in pairwise(rows):
        assert row.until == following.at


async def test_a_waiting_call_goes_on_after_a_kill(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock, killed=True) as world:
        world.connect()
        world.arrives("c1", caller_number="441632960000", tag="vip")
        began = clock.at
        await world.written()
        clock.at += 5
        world.post(SignedIn(agent="ann"))
        await world.written()
        offer = world.offer()
        await world.written()
    clock.at += 20
    async with recording(tried.place, clock, run="r2") as world:
        arrived = CallArrived(
            call="c1", pbx="office", queue="q", entered_at=began, queued_at=began,
            caller_number="441632960000",
        )  # fmt: skip
        phones = {"PJSIP/ann": DeviceState.IDLE}
        seen = (SeenCall(arrived=arrived),)
        world.post(PbxSnapshot(pbx="office", calls=seen, endpoints=phones))
        world.answers(2.0)
        clock.at += 5
        world.caller_hangs_up("c1")
        await world.written()
        story = world.story("c1")
        gaps = world.reader.gaps(BEFORE, EVER)
    assert (story.call.entered_at, story.call.ended_at) == (began, began + 32)
    assert (story.call.tag, story.call.stays, story.call.offers) == ("vip", 1, 2)
    assert (story.call.wait_s, story.call.outcome) == (27.0, CallOutcome.ANSWERED)
    assert [stay.how_in for stay in story.stays] == [HowIn.NEW]
    assert story.offers[0].offer == offer
    assert [row.result for row in story.offers] == [OfferResult.ROUTER_DOWN, OfferResult.ACCEPTED]
    kinds = [step.notice.kind for part in story.decisions for step in unpack_steps(part.steps)]
    assert kinds.count("entered") == 2, "of both runs"
    assert kinds[-1] == "completed"
    (gap,) = gaps
    last = began + 5
    assert (gap.kind, gap.began_at, gap.ended_at) == (GapKind.ROUTER_DOWN, last, began + 25)


async def test_a_call_that_is_gone_after_a_kill_is_ended(
    tried: Tried, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with recording(tried.place, clock, killed=True) as world:
        world.begin()
        world.arrives("c1")
        world.answers()
        world.arrives("c2")
        clock.at += 4
        world.record._note_alive()
        await world.written()
        known = clock.at
    clock.at += 100
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(record_service, "GRACE", 0.0)
    async with recording(tried.place, clock, run="r2") as world:
        await until(lambda: "2 calls of before this run are gone" in caplog.text)
        await world.written()
        one, two = world.story("c1"), world.story("c2")
        states = world.reader.agent_states(BEFORE, EVER)
    assert (one.call.outcome, one.call.ended_at) == (CallOutcome.ANSWERED, known)
    assert [talk.ended_by for talk in one.conversations] == [ConversationEnd.LOST]
    assert [talk.talk_s for talk in one.conversations] == [4.0]
    assert (two.call.outcome, two.call.wait_s) == (CallOutcome.LOST, 4.0)
    assert [stay.outcome for stay in two.stays] == [StayOutcome.LOST]
    assert {row.until for row in states if row.until is not None and row.until > known} == set()
    assert all(row.until is not None for row in states), "nothing is known of agents since"


async def test_a_call_that_comes_back_much_later_is_the_same(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        await world.whole_call("c1")
    clock.at += 9000
    async with recording(tried.place, clock, run="r2") as world:
        world.begin()
        await world.whole_call("c1")
        await world.written()
        story = world.story("c1")
    assert [stay.how_in for stay in story.stays] == [HowIn.NEW, HowIn.RE_ENTRY]
    assert [talk.n for talk in story.conversations] == [0, 1]
    assert (story.call.wait_s, story.call.talk_s) == (6.0, 10.0)


async def test_nothing_is_lost_while_the_database_is_away(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        await world.written()
        with tried.away():
            for n in range(20):
                await world.whole_call(f"c{n}")
                world.record._flush()
            assert world.record.status()["waiting"] > 20
        await until(lambda: world.record.status()["waiting"] == 0)
        await world.written()
        calls = world.reader.calls(BEFORE, EVER)
        assert world.record.status() == {"waiting": 0, "lost": 0}
        assert world.reader.gaps(BEFORE, EVER) == []
    assert sorted(row.call for row in calls) == sorted(f"c{n}" for n in range(20))
    assert all(row.talk_s == 5.0 for row in calls)


async def test_what_is_lost_beyond_the_bound_is_stated(
    tried: Tried, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with recording(tried.place, clock) as world:
        monkeypatch.setattr(world.store._writer, "_recorded", recorded_queue.RecordedQueue(100))
        world.begin()
        await world.written()
        began = clock.at
        with tried.away():
            for n in range(30):
                await world.whole_call(f"c{n}")
                world.record._flush()
        await world.written()
        lost = world.record.status()["lost"]
        gaps = world.reader.gaps(BEFORE, EVER)
        kept = world.reader.calls(BEFORE, EVER)
    assert sum(gap.rows_lost for gap in gaps) == lost > 0, gaps
    assert {gap.kind for gap in gaps} == {GapKind.ROWS_LOST}
    assert {"calls", "stays", "offers", "agent_states"} <= {gap.table_name for gap in gaps}
    assert all(began <= gap.began_at <= gap.ended_at <= clock.at for gap in gaps)
    calls_lost = next(gap.rows_lost for gap in gaps if gap.table_name == "calls")
    assert len(kept) >= 30 - calls_lost
    assert kept[-1].call == "c29", "the oldest go first"
    assert caplog.text.count("rows of calls are dropped from now on") == 1


async def test_a_row_that_the_database_refuses_keeps_no_other_back(
    tried: Tried, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        await world.written()
        tried.ask("CREATE UNIQUE INDEX once ON calls (tag)")
        await world.whole_call("c1", tag="a")
        await world.whole_call("c2", tag="a")
        await world.whole_call("c3", tag="b")
        await world.written()
        calls = world.reader.calls(BEFORE, EVER)
    assert [row.call for row in calls] == ["c1", "c3"]
    assert "left out" in caplog.text


async def test_a_reload_changes_the_members_of_later_decisions(tried: Tried, clock: Clock) -> None:
    from callrouter.model.events import ConfigReloaded  # noqa: PLC0415
    from tests.core.tables import queue, table  # noqa: PLC0415

    async with recording(tried.place, clock) as world:
        world.begin()
        world.arrives("c1")
        offer = world.answers()
        world.post(ConfigReloaded(table=table(queue("q", "ann cid"))))
        clock.at += 5
        world.caller_hangs_up("c1")
        world.agent_hangs_up(offer)
        clock.at += 60
        world.connect()
        world.arrives("c2")
        await world.written()
        found = []
        for call in ("c1", "c2"):
            steps = unpack_steps(world.story(call).decisions[0].steps)
            (digest,) = [step.digest for step in steps if step.digest]
            found.append(members_of(world.reader.member_lists([digest])[digest]))
    assert [sorted(members) for members in found] == [["ann", "bob"], ["ann", "cid"]]


async def test_a_call_whose_end_was_never_reported_is_ended(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        world.arrives("c1")
        await world.written()
        clock.at += 7
        del world.router.floor.calls["c1"]  # a fault in the core loses the notices of its step
        world.record._note_alive()
        await world.written()
        call = world.story("c1").call
    assert (call.outcome, call.wait_s, call.ended_at) == (CallOutcome.LOST, 7.0, clock.at)


async def test_a_stop_in_order_is_known_to_the_second(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        clock.at += 4
        world.arrives("c1")
        stopped = clock.at
    clock.at += 33
    async with recording(tried.place, clock, run="r2") as world:
        await world.written()
        (gap,) = world.reader.gaps(BEFORE, EVER)
        assert (gap.began_at, gap.ended_at) == (stopped, stopped + 33)
        assert world.story("c1").call.ended_at is None, "it was handed over at the end"


async def test_a_clock_that_was_set_back_overwrites_nothing(tried: Tried, clock: Clock) -> None:
    async with recording(tried.place, clock) as world:
        world.begin()
        await world.whole_call("c1")
        await world.written()
        before = world.reader.agent_states(BEFORE, EVER)
    clock.at -= 3600
    async with recording(tried.place, clock, run="r2") as world:
        await world.written()
        world.begin()
        await world.whole_call("c2")
        await world.written()
        after = {row.serial: row for row in world.reader.agent_states(BEFORE, EVER)}
    assert all(after[row.serial].at == row.at for row in before)
    assert len(after) > len(before)
    assert max(row.serial for row in before) < max(after)


def test_rows_that_could_not_be_written_go_back_before_the_others() -> None:
    waiting = recorded_queue.RecordedQueue(4)
    waiting.put([(CALLS, (name,), name) for name in "abc"], 1.0)
    taken = waiting.take(2)
    assert [row for (_, _, row), _ in taken] == ["a", "b"]
    assert len(waiting) == 3, "what is being written is not written yet"
    waiting.put([(CALLS, ("b",), "newer"), (RUNS, ("r",), "run")], 2.0)
    waiting.put_back(taken)
    assert waiting.dropped == 0
    waiting.put([(CALLS, ("d",), "d"), (CALLS, ("e",), "e")], 3.0)
    assert [row for (_, _, row), _ in waiting.take(9)] == ["c", "newer", "run", "d", "e"]
    ((table, loss),) = waiting.take_losses().items()
    assert (table, loss.count, loss.first, loss.last) == (CALLS, 1, 1.0, 1.0)
    waiting.written()
    assert len(waiting) == 0
