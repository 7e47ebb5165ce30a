"""What waiting callers are told: place and estimate, when, and when nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callrouter.core.calls.announcements import estimate
from callrouter.model.call_requests import CallMoveRequested
from callrouter.model.commands import Announce
from callrouter.model.events import CallerListens
from callrouter.model.routing_table import AnnounceSpec, QueueSpec, Table
from tests.core.playbook import Play
from tests.core.tables import queue, table

PLACE = AnnounceSpec(position=True, every=30.0)
BOTH = AnnounceSpec(position=True, estimate=True, every=30.0)


def q(name: str = "q", members: str = "ann", **more: Any) -> QueueSpec:
    return queue(name, members, **{"announce": PLACE, "ring_for": 600.0, **more})


def busy(*specs: QueueSpec) -> Play:
    """Everyone who waits waits for ann, who talks."""
    return Play(table(*(specs or (q(),)))).call("c0", "q").accepts("ann")


def told(play: Play, call: str) -> list[tuple[float, int, int]]:
    return [
        (at, said.position, said.minutes)
        for at, said in play.log
        if isinstance(said, Announce) and said.call == call
    ]


def test_a_caller_is_told_after_five_seconds_and_then_every_so_often() -> None:
    play = busy()
    play.on(10).call("c1", "q").on(1).call("c2", "q").until(110)
    assert told(play, "c1") == [(at, 1, 0) for at in (15, 45, 75, 105)]
    assert told(play, "c2") == [(at, 2, 0) for at in (16, 46, 76, 106)]


def test_who_is_taken_at_once_hears_nothing_and_who_talks_hears_no_more() -> None:
    play = Play(table(q())).call("c1", "q").on(3).accepts("ann").until(100)
    assert told(play, "c1") == []
    play.call("c2", "q").on(10).agent_hangs_up("ann").accepts("ann").until(300)
    assert told(play, "c2") == [(105, 1, 0)]


def test_a_phone_that_rings_does_not_keep_the_caller_from_being_told() -> None:
    play = Play(table(q())).call("c1", "q").until(40)
    assert play.ringing() == {"ann": "c1"}
    assert told(play, "c1") == [(5, 1, 0), (35, 1, 0)]


def test_the_place_is_the_one_by_priority_and_moves_on() -> None:
    play = busy()
    play.call("c1", "q").on(1).call("vip", "q", priority=1).on(1).call("c2", "q").until(10)
    assert told(play, "vip") == [(6, 1, 0)]
    assert told(play, "c1") == [(5, 2, 0)]
    assert told(play, "c2") == [(7, 3, 0)]
    play.agent_hangs_up("ann").accepts("ann").until(40)
    assert told(play, "c2")[1:] == [(37, 2, 0)]


def test_nothing_is_said_where_there_is_nothing_to_say() -> None:
    only = AnnounceSpec(estimate=True, every=10.0)
    play = busy(q(announce=only)).call("c1", "q").until(200)
    assert told(play, "c1") == []
    plain = busy(q(announce=None)).call("c1", "q").until(200)
    assert told(plain, "c1") == []


def advances(play: Play, seconds: float, count: int) -> None:
    """So many callers are taken, one every so many seconds, while others wait."""
    for _ in range(count):
        play.on(seconds).agent_hangs_up("ann").accepts("ann")


def test_the_estimate_is_the_place_times_what_the_line_takes_to_move_on() -> None:
    play = busy(q(announce=BOTH))
    for n in range(1, 12):
        play.call(f"c{n}", "q")
    advances(play, 90.0, 5)  # the first of these begins an interval
    line = play.router.floor.queues["q"]
    assert list(line.advances) == [90.0] * 4
    assert [estimate(play.router.floor, line, place) for place in (1, 2, 4)] == [2, 3, 6]
    play.on(30)
    assert told(play, "c11")[-1][1:] == (6, 9)


def test_no_estimate_before_there_are_three_intervals() -> None:
    play = busy(q(announce=BOTH))
    for n in range(1, 8):
        play.call(f"c{n}", "q")
    advances(play, 60.0, 3)
    assert {minutes for _, _, minutes in told(play, "c7")} == {0}
    advances(play, 60.0, 1)
    play.on(30)
    assert told(play, "c7")[-1][1:] == (3, 3)


def test_intervals_in_which_nobody_stood_in_line_do_not_count() -> None:
    play = busy(q(announce=BOTH))
    for n in range(1, 30, 2):
        play.call(f"c{n}", "q").on(20).agent_hangs_up("ann").accepts("ann").on(500)
    line = play.router.floor.queues["q"]
    assert list(line.advances) == []
    assert line.advanced_at is None


def test_a_line_that_has_come_to_a_stop_is_not_praised() -> None:
    play = busy(q(announce=BOTH))
    for n in range(1, 8):
        play.call(f"c{n}", "q")
    advances(play, 60.0, 4)
    floor, line = play.router.floor, play.router.floor.queues["q"]
    assert estimate(floor, line, 1) == 1
    play.on(60 * 17)
    assert estimate(floor, line, 1) == 5  # three of 1 min, and this one of 17
    assert estimate(floor, line, 13) == 0  # more than an hour: nobody would believe it


def test_another_queue_goes_on_telling_in_its_own_rhythm() -> None:
    play = busy(
        q(), q("other", announce=AnnounceSpec(position=True, every=50.0)), q("mute", announce=None)
    )
    play.call("c1", "q").until(10)
    play.feed(CallMoveRequested(call="c1", queue="other"))
    play.until(60)
    assert told(play, "c1") == [(5, 1, 0), (55, 1, 0)]
    play.feed(CallMoveRequested(call="c1", queue="mute"))
    play.until(300)
    assert len(told(play, "c1")) == 2


def reloaded(play: Play, before: Table, announce: AnnounceSpec | None) -> None:
    spec = replace(before.queues["q"], announce=announce)
    play.reload(replace(before, queues={"q": spec}))


def test_a_reload_neither_doubles_nor_stretches_what_is_planned() -> None:
    routes = table(q())
    play = Play(routes).call("c0", "q").accepts("ann").call("c1", "q").until(3)
    for _ in range(3):
        reloaded(play, routes, AnnounceSpec(position=True, every=40.0))
        reloaded(play, routes, PLACE)
    play.until(20)
    reloaded(play, routes, AnnounceSpec(position=True, every=60.0))
    play.until(70)
    assert told(play, "c1") == [(5, 1, 0), (65, 1, 0)]
    reloaded(play, routes, None)
    play.until(400)
    assert len(told(play, "c1")) == 2


def test_while_the_pbx_is_away_nobody_can_be_told_and_then_they_are() -> None:
    play = busy().call("c1", "q").until(1)
    play.lose("office").until(40)
    assert told(play, "c1") == []
    play.back("office").until(70)
    assert told(play, "c1") == [(65, 1, 0)]


@pytest.mark.parametrize("waits", [True, False])
def test_a_pbx_that_can_speak_now_is_told_what_is_true_now(waits: bool) -> None:
    play = busy().call("c1", "q").call("c2", "q").until(6)
    play.caller_hangs_up("c1")
    play.until(10)
    before = len(told(play, "c2"))
    if not waits:
        play.agent_hangs_up("ann").accepts("ann")
    play.feed(CallerListens(call="c2"))
    assert told(play, "c2")[before:] == ([(10, 1, 0)] if waits else [])


def test_a_place_never_grows_and_is_told_again_once_it_is_what_it_was() -> None:
    play = busy(q(members="ann")).call("c1", "q").until(10)
    play.call("v1", "q", priority=1).call("v2", "q", priority=1).until(70)
    assert told(play, "c1") == [(5, 1, 0)], "two have come before, which nobody could explain"
    for _ in range(2):
        play.agent_hangs_up("ann").accepts("ann").on(5)
    play.until(100)
    assert told(play, "c1") == [(5, 1, 0), (95, 1, 0)]


def test_in_another_queue_the_place_begins_afresh() -> None:
    play = busy(q(), q("other", "bob")).call("b0", "other").accepts("bob").call("b1", "other")
    play.call("b2", "other").call("c1", "q").until(5)
    play.feed(CallMoveRequested(call="c1", queue="other"))
    play.until(40)
    assert [place for _, place, _ in told(play, "c1")] == [1, 3]


def test_nobody_is_told_to_be_next_while_every_agent_is_on_a_break() -> None:
    play = Play(table(q(members="ann bob"))).pause("ann").pause("bob")
    play.call("c1", "q").call("c2", "q").until(10)
    assert (told(play, "c1"), told(play, "c2")) == ([], [(5, 2, 0)])
    play.call("x", "q", priority=1).on(0.5)
    play.caller_hangs_up("x").resume("ann").until(40)
    assert told(play, "c1") == [(35, 1, 0)]


def test_nor_while_a_heavier_queue_goes_first_with_all_of_them() -> None:
    heavy = queue("heavy", "ann", weight=5, ring_for=600.0)
    play = busy(q(), heavy).call("h1", "heavy").call("c1", "q").until(10)
    assert told(play, "c1") == []
    play.agent_hangs_up("ann").accepts("ann").until(40)
    assert told(play, "c1") == [(35, 1, 0)]
    other = busy(q(members="ann bob"), heavy).pause("bob")
    other.call("h1", "heavy").call("c1", "q").on(1).resume("bob")
    assert other.ringing()["bob"] == "c1", "bob serves no other queue"


def test_there_is_no_estimate_while_no_agent_is_there() -> None:
    play = busy(q(announce=BOTH))
    for n in range(6):
        play.call(f"c{n + 1}", "q")
    for _ in range(4):
        play.on(20).agent_hangs_up("ann").accepts("ann")
    assert estimate(play.router.floor, play.router.floor.queues["q"], 1) > 0
    play.pause("ann").on(1).agent_hangs_up("ann")
    since = play.now
    play.until(since + 60)
    assert {minutes for at, _, minutes in told(play, "c6") if at > since} <= {0}
