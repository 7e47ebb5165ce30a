"""A stay: the time a call spends in one queue. Limits count from its beginning, the order never does."""

from __future__ import annotations

from typing import Any

from callrouter.model.call_notices import (
    CallCompleted,
    CallLeftQueue,
    ConversationStarted,
    ConversationTransferred,
)
from callrouter.model.call_requests import (
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.events import CallArrived, ConnectFailed, ConnectFault, PbxSnapshot, SeenCall
from callrouter.model.outcomes import EndedBy
from callrouter.model.routing_table import ToDialplan, ToQueue, WidenStep
from tests.core.playbook import Play
from tests.core.tables import queue, table

OUT = ToDialplan("out", "s")


def talked(**sales: Any) -> Play:
    """A caller who waited 3 s in support, talked to ann for 30 s and was passed on to sales at 33."""
    play = Play(table(queue("support", "ann"), queue("sales", "bob", ring_for=60.0, **sales)))
    play.pause("bob").phone("ann").picks_up(after=3)
    play.call("c1", "support").until(33)
    play.feed(ConversationRequested(call="c1", action=ConversationAction.TRANSFER, queue="sales"))
    return play


def test_a_transferred_caller_has_the_whole_max_wait() -> None:
    play = talked(max_wait=8, on_max_wait=OUT)
    play.until(40)
    assert play.left("c1") is None
    play.until(41)
    assert play.left("c1") is not None
    assert play.notices(CallLeftQueue)[0].wait_s == 8


def test_a_transferred_caller_is_not_widened_for_at_once() -> None:
    play = talked(widen=(WidenStep(after=8, members=queue("x", "ann").members),))
    assert play.find("c1").escalation_step == 0
    play.until(40.5)
    assert play.find("c1").escalation_step == 0
    play.until(41)
    assert play.find("c1").escalation_step == 1


def test_the_hold_time_that_is_told_is_that_of_the_queue() -> None:
    play = talked()
    play.phone("bob").picks_up(after=1)
    play.until(35).resume("bob").until(40).caller_hangs_up("c1")
    assert [r.wait_s for r in play.notices(ConversationStarted, call="c1")] == [3, 3]
    assert [r.wait_s for r in play.notices(ConversationTransferred, call="c1")] == [3]
    [over] = play.notices(CallCompleted, call="c1")
    assert (over.by, over.wait_s, over.talk_s) == (EndedBy.CALLER, 3, 4)


def test_a_call_that_comes_back_after_a_timeout_waits_as_long_again_and_keeps_its_place() -> None:
    play = Play(table(queue("q", "ann", max_wait=10, on_max_wait=OUT, ring_for=60.0)))
    play.call("busy", "q").accepts("ann").call("c1", "q").until(9).call("c2", "q").until(10)
    assert play.left("c1") is not None
    play.pbxes["office"].callers.clear()
    play.feed(CallArrived(call="c1", pbx="office", queue="q", entered_at=0.0))
    assert play.waiting("q") == ["c1", "c2"], "by first entry"
    play.until(19)
    assert [play.left("c2") is not None, "c1" in play.router.floor.calls] == [True, True]
    play.until(20)
    assert "c1" not in play.router.floor.calls
    assert [r.wait_s for r in play.notices(CallLeftQueue, call="c1")] == [10, 10]


def test_a_connect_that_fails_does_not_start_the_clock_again() -> None:
    play = Play(table(queue("q", "ann", max_wait=10, on_max_wait=OUT)))
    play.phone("ann").picks_up(after=2)
    play.pbxes["office"].connects = False
    play.call("c1", "q").until(2)
    [leg] = play.pbxes["office"].legs.values()
    play.phone("ann").lets_it_ring()
    play.feed(ConnectFailed(call="c1", offer=leg.ring.offer, why=ConnectFault.LEG_GONE))
    play.pause("ann")
    play.until(9.5)
    assert play.find("c1").queued_at == 0
    play.until(10)
    assert play.left("c1") is not None


def test_found_after_a_gap_a_call_goes_on_waiting_from_the_entry_into_its_queue() -> None:
    play = Play(table(queue("q", "ann", max_wait=10, on_max_wait=OUT)), up=False, now=100.0)
    play.pause("ann")
    seen = CallArrived(call="c1", pbx="office", queue="q", entered_at=20.0, queued_at=95.0)
    old = CallArrived(call="c2", pbx="office", queue="q", entered_at=91.0)
    play.feed(PbxSnapshot(pbx="office", calls=(SeenCall(arrived=seen), SeenCall(arrived=old))))
    assert play.waiting("q") == ["c1", "c2"]
    play.until(101)
    assert [play.left(c) is not None for c in ("c1", "c2")] == [False, True], (
        "no entry known: the first"
    )
    play.until(105)
    assert play.left("c1") is not None


def test_nonsense_about_the_entry_into_a_queue_is_kept_within_bounds() -> None:
    play = Play(table(queue("q", "ann")), now=100.0)
    for name, queued in (("c1", 10.0), ("c2", 500.0)):
        play.feed(
            CallArrived(call=name, pbx="office", queue="q", entered_at=50.0, queued_at=queued)
        )
    assert [play.find(name).queued_at for name in ("c1", "c2")] == [50, 100]


def test_a_supervisors_move_to_another_queue_begins_a_stay_and_one_within_it_does_not() -> None:
    one = queue("one", "ann", max_wait=20, on_max_wait=OUT)
    play = Play(table(one, queue("two", "bob", max_wait=20, on_max_wait=OUT)), signed_in="ann bob")
    play.call("b1", "one").accepts("ann").call("b2", "two").accepts("bob")
    play.call("c1", "one").call("c2", "one").until(15)
    play.feed(CallMoveRequested(call="c1", queue="two"))
    play.feed(CallMoveRequested(call="c2", priority=1))
    play.until(20)
    assert [play.left(c) is not None for c in ("c1", "c2")] == [False, True]
    play.until(35)
    assert play.left("c1") is not None


def test_who_asked_for_an_agent_is_not_tied_to_them_in_the_next_queue() -> None:
    one = queue("one", "ann", prefer_for=30, max_wait=5, on_max_wait=ToQueue("two"))
    play = Play(table(one, queue("two", "ann bob", "linear", prefer_for=30)))
    play.call("b1", "one").accepts("ann")
    play.call("c1", "one", agent="ann").until(4.5)
    assert play.ringing() == {}
    play.until(5)
    assert play.ringing() == {"bob": "c1"}


def test_a_caller_moved_to_an_agent_of_another_queue_prefers_that_one() -> None:
    play = Play(table(queue("one", "cat"), queue("two", "ann bob", "linear", prefer_for=30)))
    play.call("b1", "one").accepts("cat").call("b2", "two").accepts("ann")
    play.call("c1", "one", agent="cat").until(2)
    play.feed(CallMoveRequested(call="c1", queue="two", agent="ann"))
    play.until(4)
    assert play.find("c1").first_agent == "ann"
    assert play.ringing() == {}
