"""Waiting: places, limits, overflow, and which call comes first."""

from __future__ import annotations

import pytest

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    WaitingCallMoved,
)
from callrouter.model.call_requests import CallEndRequested, CallMoveRequested
from callrouter.model.commands import Result
from callrouter.model.outcomes import EndedBy
from callrouter.model.routing_table import HangUp, KeepWaiting, ToDialplan, ToQueue
from tests.core.playbook import Play
from tests.core.tables import agent, mobile, queue, table

VOICEMAIL = ToDialplan("voicemail", "support", "1")

# ---------------------------------------------------------------- order


def test_a_higher_priority_goes_ahead_and_equals_keep_their_order() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("first", "q").accepts("ann")
    for name, priority in (("a", 50), ("b", 50), ("vip", 1), ("low", 100), ("c", 50)):
        play.on(1).call(name, "q", priority=priority)
    assert play.waiting("q") == ["vip", "a", "b", "c", "low"]
    play.agent_hangs_up("ann")
    assert play.ringing() == {"ann": "vip"}


def test_of_two_queues_the_heavier_gets_the_agent_whoever_waited_longer() -> None:
    play = Play(table(queue("light", "ann"), queue("heavy", "ann", weight=2)))
    play.call("c0", "light").accepts("ann")
    play.on(1).call("c1", "light").on(60).call("c2", "heavy").agent_hangs_up("ann")
    assert play.ringing() == {"ann": "c2"}


def test_of_equal_queues_priority_and_then_age_decides() -> None:
    play = Play(table(queue("one", "ann"), queue("two", "ann")))
    play.call("c0", "one").accepts("ann")
    play.on(1).call("c1", "one").on(1).call("c2", "two").on(1).call("c3", "two", priority=1)
    order = []
    for _ in range(3):
        play.on(5).agent_hangs_up("ann")
        order.append(play.ringing()["ann"])
        play.accepts("ann")
    assert order == ["c3", "c1", "c2"]


def test_two_agents_who_become_free_at_the_same_instant_are_chosen_by_the_policy() -> None:
    """Not by who is first in the alphabet, or in the list of deadlines."""
    play = Play(table(queue("q", "ann:5 bob:1", "priority", wrap_up=10)))
    play.call("c1", "q").accepts("bob").call("c2", "q").accepts("ann").on(5)
    play.agent_hangs_up("ann").agent_hangs_up("bob").call("c3", "q").until(15)
    assert play.ringing() == {"bob": "c3"}


def test_two_callers_ring_two_agents_at_once() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.call("c1", "q").call("c2", "q")
    assert play.ringing() == {"ann": "c1", "bob": "c2"}


def test_first_agent_is_tried_first_if_free_and_then_anyone() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority", ring_for=5)))
    play.call("c1", "q", agent="bob").until(5)
    assert play.rings() == [(0, "bob"), (5, "ann")]


def test_first_agent_who_is_busy_is_not_waited_for() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    play.pause("bob").call("c1", "q", agent="bob")
    assert play.ringing() == {"ann": "c1"}


def test_first_agent_with_two_hands_is_not_rung_twice_for_one_call() -> None:
    play = Play(table(agent("ann", capacity=2), queue("q", "ann bob", "ring-all")))
    play.call("c1", "q", agent="ann")
    assert play.rings() == [(0, "ann"), (0, "bob")]


# ---------------------------------------------------------------- max_wait


def test_max_wait_runs_from_entry_and_leaves_by_the_target() -> None:
    play = Play(table(queue("q", "ann", max_wait=30, on_max_wait=VOICEMAIL)))
    play.call("c0", "q").accepts("ann").call("c1", "q").until(29.9)
    assert play.left("c1") is None
    play.until(30)
    left = play.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.TIMEOUT, VOICEMAIL)


def test_what_rings_when_max_wait_strikes_may_finish_ringing_and_win() -> None:
    play = Play(table(queue("q", "ann", max_wait=10, ring_for=8, retry_after=1)))
    play.pause("ann").call("c1", "q").until(8).resume("ann").until(12)
    assert play.ringing() == {"ann": "c1"}
    play.accepts("ann").until(60)
    assert play.talking() == {"ann": "c1"}
    assert play.left("c1") is None


def test_what_rings_when_max_wait_strikes_and_fails_ends_the_wait() -> None:
    play = Play(table(queue("q", "ann bob", max_wait=10, ring_for=8)))
    play.pause("bob").pause("ann").call("c1", "q").until(8).resume("ann").until(15.9)
    assert play.left("c1") is None
    play.resume("bob")
    assert play.ringing() == {"ann": "c1"}, "nobody new is rung"
    play.until(16)
    assert play.left("c1") is not None


def test_max_wait_comes_before_the_next_round_at_the_same_instant() -> None:
    play = Play(table(queue("q", "ann", max_wait=3, ring_for=2, retry_after=1)))
    play.call("c1", "q").until(10)
    assert play.rings() == [(0, "ann")]
    assert play.left("c1") is not None


def test_max_wait_and_the_end_of_a_ring_at_the_same_instant() -> None:
    play = Play(table(queue("q", "ann bob", max_wait=4, ring_for=4)))
    play.call("c1", "q").until(4)
    assert len(play.rings()) == 1
    assert play.left("c1") is not None


def test_on_max_wait_wait_means_no_limit() -> None:
    play = Play(table(queue("q", "ann", max_wait=10, on_max_wait=KeepWaiting())))
    play.call("c0", "q").accepts("ann").call("c1", "q").until(100).agent_hangs_up("ann")
    assert play.ringing() == {"ann": "c1"}


def test_no_timer_of_a_caller_who_was_connected_strikes_later() -> None:
    play = Play(table(queue("q", "ann", max_wait=10)))
    play.call("c1", "q").until(9.9).accepts("ann").until(15)
    assert play.talking() == {"ann": "c1"}


# ---------------------------------------------------------------- full, and nobody there


def test_the_one_too_many_leaves_and_not_the_oldest() -> None:
    play = Play(table(queue("q", "ann", max_waiting=2, on_full=HangUp())))
    play.call("c0", "q").accepts("ann")
    for name in ("c1", "c2", "c3"):
        play.call(name, "q")
    assert play.waiting("q") == ["c1", "c2"]
    left = play.left("c3")
    assert left is not None
    assert (left.result, left.target) == (Result.FULL, HangUp())


def test_callers_who_are_connected_do_not_fill_a_queue() -> None:
    play = Play(table(queue("q", "ann bob", max_waiting=1)))
    play.call("c1", "q").accepts("ann" if "ann" in play.ringing() else "bob").call("c2", "q")
    assert play.left("c2") is None


def test_on_full_wait_takes_the_caller_all_the_same() -> None:
    play = Play(table(queue("q", "ann", max_waiting=0, on_full=KeepWaiting())))
    play.call("c1", "q")
    assert play.ringing() == {"ann": "c1"}


def test_a_queue_without_anyone_sends_callers_away_at_once() -> None:
    play = Play(table(queue("q", "ann", on_nobody=VOICEMAIL)), signed_in="")
    play.call("c1", "q")
    left = play.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.NOBODY, VOICEMAIL)
    assert play.notices(CallAbandoned) == []


def test_a_queue_that_may_wait_without_anyone_does_so() -> None:
    play = Play(table(queue("q", "ann", on_nobody=KeepWaiting())), signed_in="")
    play.call("c1", "q").until(100).sign_in("ann")
    assert play.ringing() == {"ann": "c1"}


@pytest.mark.parametrize("how", ["pause", "sign_out"])
def test_when_the_last_agent_goes_the_callers_are_sent_where_the_rules_say(how: str) -> None:
    play = Play(table(queue("q", "ann bob", on_nobody=VOICEMAIL)))
    play.call("c0", "q").accepts("ann").call("c1", "q").call("c2", "q")
    getattr(play, how)("bob")
    assert play.waiting("q") == ["c1", "c2"], "ann is on a call: she is worth waiting for"
    getattr(play, how)("ann")
    assert play.waiting("q") == ["c1", "c2"], "asked for during the call, it waits for its end"
    play.on(5).agent_hangs_up("ann")
    assert [play.left(c) is not None for c in ("c1", "c2")] == [True, True]


# ---------------------------------------------------------------- overflow


def test_an_overflowed_call_keeps_its_entry_time_and_goes_ahead_of_younger_ones() -> None:
    one = queue("one", "ann", max_wait=10, on_max_wait=ToQueue("two"))
    play = Play(table(one, queue("two", "bob")))
    play.call("b", "two").accepts("bob")
    play.call("a", "one").accepts("ann").on(1).call("old", "one").on(5).call("young", "two")
    play.until(11)
    assert play.waiting("two") == ["old", "young"]
    assert play.find("old").entered_at == 1


def test_an_overflowed_call_has_the_whole_max_wait_of_the_queue_it_goes_to() -> None:
    one = queue("one", "ann", max_wait=10, on_max_wait=ToQueue("two"))
    play = Play(table(one, queue("two", "bob", max_wait=10, on_max_wait=VOICEMAIL)))
    play.pause("ann").call("c1", "one").call("c2", "one").until(10)
    assert play.ringing() == {"bob": "c1"}
    play.until(19)
    assert play.left("c2") is None
    play.until(20)
    assert play.left("c2") is not None
    play.until(40)
    assert play.left("c1") is not None


def test_an_overflow_in_a_circle_ends() -> None:
    specs = [
        queue(name, "ann", max_waiting=0, on_full=ToQueue(then))
        for name, then in (("one", "two"), ("two", "three"), ("three", "one"))
    ]
    play = Play(table(*specs))
    play.call("c1", "one")
    left = play.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.FULL, None)
    assert [r.queue for r in play.notices(CallEntered)] == ["one", "two", "three"]


def test_a_circle_of_queues_without_anyone_ends_too() -> None:
    one = queue("one", "ann", on_nobody=ToQueue("two"))
    play = Play(table(one, queue("two", "ann", on_nobody=ToQueue("one"))), signed_in="")
    play.call("c1", "one")
    assert play.left("c1") is not None


def test_an_overflow_to_a_queue_that_is_gone_falls_back() -> None:
    play = Play(table(queue("one", "ann", max_wait=5, on_max_wait=ToQueue("none"))))
    play.pause("ann").call("c1", "one").until(5)
    left = play.left("c1")
    assert left is not None
    assert left.target is None
    assert play.notices(CallLeftQueue)[0].target is None, "the record says where it really went"


def test_an_unknown_queue_is_no_reason_to_keep_a_caller() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "typo")
    left = play.left("c1")
    assert left is not None
    assert left.result is Result.CLOSED


# ---------------------------------------------------------------- a supervisor takes a hand


def test_a_call_is_moved_to_another_queue_with_its_age() -> None:
    play = Play(table(queue("one", "ann"), queue("two", "bob")))
    play.call("b", "two").accepts("bob").call("c1", "one").on(5).call("c2", "two")
    play.feed(CallMoveRequested(call="c1", queue="two"))
    play.on()
    assert play.ringing() == {}, "ann's phone was stopped"
    assert play.waiting("two") == ["c1", "c2"]
    assert play.agent("ann").misses == 0


def test_a_call_is_moved_to_an_agent_first() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    play.call("c1", "q").on(2)
    play.feed(CallMoveRequested(call="c1", agent="bob"))
    play.on()
    assert play.ringing() == {"bob": "c1"}


def test_a_new_priority_changes_the_place_and_stops_no_phone() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").call("c2", "q").call("c3", "q")
    play.feed(CallMoveRequested(call="c3", priority=1))
    play.feed(CallMoveRequested(call="c1", priority=90))
    assert play.waiting("q") == ["c3", "c2", "c1"]
    assert play.ringing() == {"ann": "c1"}
    assert play.stops() == []


@pytest.mark.parametrize(
    ("move", "note"),
    [
        (CallMoveRequested(call="c1", queue="typo"), "no queue 'typo'"),
        (CallMoveRequested(call="c1", agent="bob"), "not an agent of queue"),
        (CallMoveRequested(call="c9"), "no call c9"),
    ],
)
def test_a_move_that_makes_no_sense_changes_nothing(move: CallMoveRequested, note: str) -> None:
    play = Play(table(queue("q", "ann"), queue("two", "bob")))
    play.call("c1", "q")
    play.feed(move)
    assert play.ringing() == {"ann": "c1"}
    assert note in play.oddities()[-1]


def test_a_talking_call_is_not_moved() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").accepts("ann")
    play.feed(CallMoveRequested(call="c1", priority=1))
    assert play.talking() == {"ann": "c1"}
    assert len(play.oddities()) == 1


def test_a_supervisor_ends_a_conversation_and_it_says_who_did() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10.0)))
    play.call("c1", "q").on(2).accepts("ann").on(30)
    play.feed(CallEndRequested(call="c1", by="sam"))
    left = play.left("c1")
    assert left is not None
    assert left.target == HangUp()
    play.on()
    assert play.talking() == {}
    [over] = play.notices(CallCompleted)
    assert (over.agent, over.by, over.ended_by) == ("ann", EndedBy.SUPERVISOR, "sam")
    assert (over.wait_s, over.talk_s, over.first_position) == (2.0, 30.0, 1)
    assert play.state("ann").value == "wrap-up"
    play.on(10)
    assert play.state("ann").value == "available"
    assert play.quiet()


def test_a_call_that_is_being_connected_is_not_ended_in_between() -> None:
    play = Play(table(queue("q", "ann")))
    play.pbxes["office"].connects = False
    play.call("c1", "q").accepts("ann")
    play.feed(CallEndRequested(call="c1"))
    assert [note for note in play.oddities() if "just being connected" in note]


def test_who_moved_or_ended_a_waiting_call_is_told() -> None:
    play = Play(table(queue("q", "ann"), queue("r", "ann")))
    play.call("c1", "q").on(3)
    play.feed(CallMoveRequested(call="c1", queue="r", by="sam"))
    play.feed(CallEndRequested(call="c1", by="kim"))
    [moved] = play.notices(WaitingCallMoved)
    [left] = play.notices(CallLeftQueue)
    assert moved.by == "sam"
    assert left.by == "kim"


def test_a_supervisor_ends_a_waiting_call_and_its_phones_stop() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(3)
    play.feed(CallEndRequested(call="c1"))
    play.on()
    left = play.left("c1")
    assert left is not None
    assert left.target == HangUp()
    assert play.ringing() == {}
    assert play.quiet()


# ---------------------------------------------------------------- callers who leave


@pytest.mark.parametrize("at", [0.0, 3.0, 5.0, 6.0])
def test_a_caller_may_hang_up_at_any_instant(at: float) -> None:
    """Before the ring, while it rings, when it stops, between rounds."""
    play = Play(table(queue("q", "ann", ring_for=5, wrap_up=30)))
    play.call("c1", "q").until(at).caller_hangs_up("c1")
    assert play.ringing() == {}
    assert play.quiet()
    assert len(play.notices(CallAbandoned)) == 1
    assert play.agent("ann").wrap_until is None
    assert play.agent("ann").misses == (1 if at >= 5 else 0)


def test_a_caller_who_hangs_up_while_the_mobile_asks_for_key_1() -> None:
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann")))
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q").until(3).caller_hangs_up("c1")
    assert play.ringing() == {}
    assert play.quiet()


def test_the_phones_of_a_caller_who_left_ring_for_the_next() -> None:
    play = Play(table(queue("q", "ann bob", "ring-all")))
    play.call("c1", "q").call("c2", "q").on(2).caller_hangs_up("c1")
    assert play.ringing() == {"ann": "c2", "bob": "c2"}


def test_a_call_that_is_known_already_does_not_arrive_twice() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").call("c1", "q")
    assert play.waiting("q") == ["c1"]
    assert len(play.rings()) == 1
