"""What the record told a new router of earlier runs, beside the agents' rows."""

from __future__ import annotations

import pytest

from callrouter.core.calls import announcements
from callrouter.model.call_notices import CallCompleted
from callrouter.model.events import LegEnd
from callrouter.model.restored_history import (
    HistoryRestored,
    LastTalk,
    QueueHistory,
    TalkingBefore,
    TriedBefore,
)
from callrouter.model.routing_table import AnnounceSpec, Table
from tests.core.playbook import Play
from tests.core.tables import agent, queue, table

THREE = table(queue("q", "ann bob cat", "linear"))


def restarted(
    old: Play,
    new_table: Table,
    *told: HistoryRestored,
    signed_in: str = "",
    after: float = 1.0,
    pbx_first: bool = False,
) -> Play:
    """A new router in the same world, which hears from the record before or after the PBX."""
    new = Play(new_table, signed_in=signed_in, up=False, now=old.now + after, run_id="n")
    pbx, new.pbxes["office"] = new.pbxes["office"], old.pbxes["office"]
    new.pbxes["office"].say = pbx.say
    new.down = {"office"}
    if pbx_first:
        new.back()
    for event in told:
        new.feed(event)
    if not pbx_first:
        new.back()
    return new.on()


# ---------------------------------------------------------------- who was tried for a call


def tried(*agents: str, call: str = "c1", queue: str = "q", at: float = 0.0) -> HistoryRestored:
    return HistoryRestored(
        tried=(TriedBefore(call=call, queue=queue, agents=agents, failed_at=at),)
    )


def test_an_agent_who_refused_a_call_is_rung_for_it_last_after_a_restart() -> None:
    old = Play(THREE, signed_in="ann bob")
    for name in ("ann", "bob"):
        old.phone(name).says(LegEnd.DECLINED)
    old.call("c1", "q").on(1)
    assert [*old.find("c1").tried] == ["ann", "bob"]
    told = tried("ann", "bob", at=old.find("c1").failed_at)
    new = restarted(old, THREE, told, signed_in="ann bob cat")
    assert new.ringing() == {"cat": "c1"}


def test_without_the_record_the_same_agent_would_be_rung_again_at_once() -> None:
    old = Play(THREE, signed_in="ann")
    old.phone("ann").says(LegEnd.DECLINED)
    old.call("c1", "q").on(1)
    assert restarted(old, THREE, signed_in="ann bob cat").ringing() == {"ann": "c1"}


def test_the_round_goes_on_from_the_last_failure() -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(100)
    told = tried("ann", at=98.0)
    new = restarted(old, table(queue("q", "ann bob cat", "linear", retry_after=10)), told)
    new.sign_in("ann").on()
    assert not new.ringing()
    new.on(6.9)
    assert not new.ringing()
    assert new.on(0.2).ringing() == {"ann": "c1"}


def test_a_late_record_holds_for_calls_that_were_found_before_it() -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(5)
    new = restarted(old, THREE, tried("ann", at=4.0), pbx_first=True)
    new.sign_in("ann").sign_in("bob").on()
    assert new.ringing() == {"bob": "c1"}


def test_an_agent_whose_phone_rings_for_the_call_already_goes_on_ringing() -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(5)
    new = restarted(old, THREE, signed_in="ann", pbx_first=True)
    assert new.ringing() == {"ann": "c1"}
    new.feed(tried("ann", "bob", at=4.0))
    assert new.on().ringing() == {"ann": "c1"}
    assert [*new.find("c1").tried] == ["bob"]


@pytest.mark.parametrize(
    "told",
    [
        tried("ann", call="another"),
        tried("ann", queue="r"),
        tried("no-longer-here"),
        tried(),
    ],
)
def test_what_does_not_concern_the_call_changes_nothing(told: HistoryRestored) -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(5)
    assert restarted(old, THREE, told, signed_in="ann").ringing() == {"ann": "c1"}


def test_a_clock_that_was_ahead_delays_no_round() -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(5)
    new = restarted(old, THREE, tried("ann", at=1e9), signed_in="ann")
    assert new.on(60).rings("ann", "c1")


def test_renamed_agents_and_queues_are_meant() -> None:
    old = Play(THREE, signed_in="").call("c1", "q").on(5)
    renamed = table(
        queue("r", "eve bob", "linear", renamed_from="q"), agent("eve", renamed_from="ann")
    )
    new = restarted(old, renamed, tried("ann", at=4.0), signed_in="eve bob")
    assert new.ringing() == {"bob": "c1"}


# ---------------------------------------------------------------- last_agent

FAITHFUL = table(queue("q", "ann bob", "linear", last_agent=3600.0, prefer_for=30.0))


def talked(name: str, at: float, number: str = "+441", queue: str = "q") -> LastTalk:
    return LastTalk(queue=queue, number=number, agent=name, at=at)


def test_a_caller_gets_the_agent_of_the_run_before() -> None:
    play = Play(FAITHFUL, signed_in="ann bob", now=5000.0)
    play.feed(HistoryRestored(last_talks=(talked("ann", 3000.0), talked("bob", 4000.0))))
    assert play.call("c1", "q", caller_number="+441").on().ringing() == {"bob": "c1"}
    assert play.call("c2", "q", caller_number="+442").on().ringing()["ann"] == "c2"


def test_a_talk_of_this_run_is_newer_than_the_record() -> None:
    play = Play(FAITHFUL, signed_in="ann bob", now=5000.0)
    play.call("c1", "q", caller_number="+441").accepts("ann").on(5).agent_hangs_up("ann").on(1)
    play.feed(HistoryRestored(last_talks=(talked("bob", 4999.0),)))
    assert play.call("c2", "q", caller_number="+441").find("c2").first_agent == "ann"


@pytest.mark.parametrize(
    "talk",
    [
        talked("ann", 1000.0),
        talked("bob", 4000.0, queue="r"),
        talked("gone", 4000.0),
        talked("bob", 4000.0, number=""),
    ],
)
def test_a_talk_that_does_not_count(talk: LastTalk) -> None:
    play = Play(FAITHFUL, signed_in="ann bob", now=5000.0)
    play.feed(HistoryRestored(last_talks=(talk,)))
    play.call("c1", "q", caller_number="+441")
    assert play.find("c1").first_agent == ""


# ---------------------------------------------------------------- turns

ROUND = table(queue("q", "ann bob cat", "round-robin"))


def test_the_round_goes_on_with_the_agent_who_was_next() -> None:
    play = Play(ROUND, signed_in="ann bob cat")
    play.feed(HistoryRestored(queues=(QueueHistory(queue="q", turns=("bob", "ann")),)))
    assert play.call("c1", "q").on().ringing() == {"cat": "c1"}
    assert play.call("c2", "q").on().ringing()["bob"] == "c2"


def test_turns_of_this_run_come_after_those_of_the_record() -> None:
    play = Play(ROUND, signed_in="ann bob cat")
    play.phone("ann").says(LegEnd.DECLINED)
    play.call("c1", "q").on(0.1)  # ann declines, bob rings
    play.feed(
        HistoryRestored(queues=(QueueHistory(queue="q", turns=("ann", "bob", "cat", "gone")),))
    )
    play.accepts("bob").on(5).agent_hangs_up("bob").on(40)
    play.phone("ann").lets_it_ring()
    assert play.call("c2", "q").on().ringing() == {"cat": "c2"}
    turns = {name: play.agent(name).memberships["q"].turn for name in ("ann", "bob", "cat")}
    assert turns["cat"] < turns["ann"] < turns["bob"]


# ---------------------------------------------------------------- the estimate, and utilisation


def test_the_estimate_stands_on_the_intervals_of_the_run_before() -> None:
    told = AnnounceSpec(every=30.0)
    play = Play(table(queue("q", "ann", announce=told)), signed_in="ann")
    play.feed(HistoryRestored(queues=(QueueHistory(queue="q", advances=(60.0, 120.0, 180.0)),)))
    floor = play.router.floor
    assert announcements.estimate(floor, floor.queues["q"], 3) == 6
    play.feed(HistoryRestored(queues=(QueueHistory(queue="elsewhere", advances=(1.0,)),)))
    assert [*floor.queues["q"].advances] == [60.0, 120.0, 180.0]


def test_the_share_of_time_on_calls_is_known_again() -> None:
    play = Play(
        table(queue("q", "ann bob", "average-utilization")), signed_in="ann bob", now=7200.0
    )
    play.feed(HistoryRestored(work={"ann": ((6000.0, 6900.0),), "gone": ((1.0, 2.0),)}))
    assert play.agent("ann").busy_share == pytest.approx(0.25)
    assert play.call("c1", "q").on().ringing() == {"bob": "c1"}
    play.accepts("bob").on(3000)
    assert play.agent("ann").busy_share == pytest.approx(300 / 3600, abs=0.02)


# ---------------------------------------------------------------- who talks


def talking(agent: str, since: float) -> HistoryRestored:
    return HistoryRestored(talking=(TalkingBefore(call="c1", agent=agent, since=since),))


@pytest.mark.parametrize("pbx_first", [True, False])
@pytest.mark.parametrize(
    ("agent", "since", "wait", "talk"),
    [
        ("ann", 4.0, 4.0, 27.0),
        ("bob", 4.0, 11.0, 20.0),
        ("ann", 500.0, 11.0, 20.0),
        ("ann", -3600.0, 0.0, 31.0),
    ],
)
def test_a_conversation_of_before_counts_from_its_beginning(
    agent: str, since: float, wait: float, talk: float, *, pbx_first: bool
) -> None:
    """Not if the record knows one with another agent, or one that begins in the future.

    Nor before the caller came, if the clock of the router before was an hour slow.
    """
    old = Play(THREE, signed_in="ann")
    old.phone("ann").picks_up(after=4)
    old.call("c1", "q", entered_at=0.0, queued_at=0.0).on(10)
    new = restarted(old, THREE, talking(agent, since), pbx_first=pbx_first)
    new.on(20).caller_hangs_up("c1")
    [ended] = new.notices(CallCompleted)
    assert (ended.wait_s, ended.talk_s) == (wait, talk)
    assert not new.router.floor.before.talking
    assert new.agent("ann").talk == 20.0  # what was before is in the agent's row
