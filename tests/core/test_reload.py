"""A new table in the middle of it all: nothing that goes on is disturbed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Result
from callrouter.model.events import CallArrived, ConnectSucceeded, DeviceState, LegEnd
from callrouter.model.hours import Hours, Span
from callrouter.model.notices import AgentSignedOut, QueueDrained
from callrouter.model.routing_table import MemberSpec, ShiftSpec, SignIn, Table, ToQueue
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def test_places_and_clocks_are_kept() -> None:
    play = Play(table(queue("q", "ann", max_wait=60)))
    play.call("c0", "q").accepts("ann")
    play.call("c1", "q").on(10).call("c2", "q", priority=1).on(10)
    play.reload(table(queue("q", "ann bob", max_wait=60, ring_for=7)))
    assert play.waiting("q") == ["c2", "c1"]
    play.until(59.9)
    assert play.left("c1") is None
    play.until(60)
    assert play.left("c1") is not None
    assert play.left("c2") is None


def test_a_pause_between_rounds_is_neither_lost_nor_stretched() -> None:
    spec = queue("q", "ann", ring_for=2, retry_after=10)
    play = Play(table(spec))
    play.call("c1", "q").until(7).reload(table(spec)).until(11.9)
    assert play.rings() == [(0, "ann")]
    play.until(12)
    assert play.rings() == [(0, "ann"), (12, "ann")]


def test_pause_wrap_up_and_idle_clock_are_kept() -> None:
    spec = table(queue("q", "ann bob cat", "round-robin", wrap_up=30))
    play = Play(spec)
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").pause("bob")
    idle = play.agent("cat").idle_since
    play.on(5).reload(spec)
    assert play.state("ann") is AgentState.WRAP_UP
    assert play.state("bob") is AgentState.PAUSED
    assert play.agent("cat").idle_since == idle
    play.until(35)
    assert play.state("ann") is AgentState.AVAILABLE


def test_a_phone_that_rings_rings_on_and_a_talk_goes_on() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.call("c1", "q").accepts("ann").call("c2", "q").on(3)
    play.reload(table(queue("q", "ann bob", "priority", ring_for=3)))
    assert play.talking() == {"ann": "c1"}
    assert play.ringing() == {"bob": "c2"}
    play.until(19.9)
    assert play.ringing() == {"bob": "c2"}


def test_an_agent_who_is_taken_out_finishes_the_call_and_is_gone() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", wrap_up=30)))
    play.call("c1", "q").accepts("ann").reload(table(queue("q", "bob")))
    assert play.talking() == {"ann": "c1"}
    play.on(5).agent_hangs_up("ann")
    assert "ann" not in play.router.floor.agents
    assert play.notices(AgentSignedOut)[0].by == "taken out of the table"


def test_an_agent_who_is_taken_out_while_idle_is_gone_at_once_with_their_rests() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.phone("ann").says(LegEnd.UNREACHABLE)
    play.call("c1", "q").on(1)
    assert play.router.floor.cooldowns
    play.reload(table(queue("q", "bob")))
    assert "ann" not in play.router.floor.agents
    assert play.router.floor.cooldowns == {}


def test_an_agent_who_is_put_back_while_finishing_stays() -> None:
    both = table(queue("q", "ann bob", "round-robin"))
    play = Play(both)
    play.call("c1", "q").accepts("ann").reload(table(queue("q", "bob"))).reload(both)
    play.on(5).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_a_removed_queue_serves_those_who_wait_takes_nobody_new_and_then_is_gone() -> None:
    spec = table(queue("q", "ann bob", "round-robin", ring_for=5), queue("other", "bob", weight=2))
    play = Play(spec, signed_in="ann")
    play.call("c1", "q").call("c2", "q").on(3)
    play.reload(table(agent("ann"), queue("other", "bob", weight=2)))
    assert play.ringing() == {"ann": "c1"}
    play.call("c3", "q")
    left = play.left("c3")
    assert left is not None
    assert left.result is Result.CLOSED
    assert play.waiting("q") == ["c1", "c2"]
    play.accepts("ann").on(10).agent_hangs_up("ann")
    assert play.ringing() == {"ann": "c2"}
    play.sign_in("bob").call("c4", "other").accepts("bob").accepts("ann").on(3)
    assert "q" in play.router.floor.queues
    play.agent_hangs_up("ann")
    assert "q" not in play.router.floor.queues
    assert play.agent("ann").memberships == {}
    assert [record.queue for record in play.notices(QueueDrained)] == ["q"]
    assert [play.left(name).result for name in ("c1", "c2")] == [Result.ANSWERED] * 2  # type: ignore[union-attr]
    play.agent_hangs_up("bob")
    assert play.quiet()


def test_the_limits_of_a_removed_queue_still_hold_and_lead_to_no_queue_that_is_gone() -> None:
    spec = queue("q", "ann", max_wait=20, on_max_wait=ToQueue("r"), ring_for=3)
    both = table(spec, queue("r", "ann"))
    play = Play(both).call("c1", "q").on(5).reload(table(agent("ann"), queue("s", "ann"))).until(60)
    left = play.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.TIMEOUT, None)
    assert set(play.router.floor.queues) == {"s"}


def test_a_queue_that_goes_together_with_its_agents_lets_its_callers_go() -> None:
    play = Play(table(queue("q", "ann"), queue("other", "bob"))).pause("ann").call("c1", "q")
    play.reload(table(queue("other", "bob")))
    left = play.left("c1")
    assert left is not None
    assert left.result is Result.CLOSED
    assert "q" not in play.router.floor.queues
    assert play.quiet()


def test_a_call_whose_connect_fails_after_its_queue_was_removed_is_not_lost() -> None:
    play = Play(table(queue("q", "ann bob", "priority"), queue("other", "bob")))
    play.call("c1", "q").accepts("ann").on(0.5).reload(table(queue("other", "bob ann")))
    play.agent_hangs_up("ann")
    assert play.ringing() == {"bob": "c1"}
    play.accepts("bob").on(5).agent_hangs_up("bob")
    assert set(play.router.floor.queues) == {"other"}


def test_a_queue_that_comes_back_while_it_drains_is_as_it_was() -> None:
    spec = table(queue("q", "ann"), queue("other", "bob"))
    play = Play(spec).call("c1", "q").on(5).reload(table(agent("ann"), queue("other", "bob")))
    play.on(5).reload(spec).call("c2", "q")
    assert play.waiting("q") == ["c1", "c2"]
    play.caller_hangs_up("c1").caller_hangs_up("c2")
    assert set(play.router.floor.queues) == {"q", "other"}


def test_a_shift_of_a_queue_that_drains_begins_and_ends_as_it_would() -> None:
    night = ShiftSpec(hours=Hours((Span(3, 10, 20),), UTC), members=(MemberSpec(agent="bob"),))
    play = Play(table(queue("q", "ann", shifts=(night,)), queue("r", "bob"))).pause("ann")
    play.call("c1", "q").on(60).reload(table(agent("ann"), queue("r", "bob"))).until(599)
    assert play.ringing() == {}
    play.until(600)  # the first day of 1970 was a Thursday
    assert play.ringing() == {"bob": "c1"}


def test_callers_who_are_found_in_a_queue_that_was_taken_out_meanwhile_are_served() -> None:
    old, new = queue("q", "ann"), table(queue("r", "ann"))
    play = Play(new, removed={"q": old, "r": queue("r", "ann")}, up=False)
    assert set(play.router.floor.queues) == {"q", "r"}
    play.down.add("office")
    play.pbxes["office"].arrive(CallArrived(call="c1", pbx="office", queue="q", entered_at=0.0))
    play.back()
    assert play.ringing() == {"ann": "c1"}
    play.accepts("ann").on(5).call("c2", "q")
    assert play.left("c2") is not None
    play.until(130).agent_hangs_up("ann")
    assert set(play.router.floor.queues) == {"r"}


def test_a_queue_that_was_removed_and_put_back_takes_its_caller_up_again() -> None:
    spec = queue("q", "ann bob", "round-robin")
    play = Play(table(spec))
    play.call("c1", "q").accepts("ann").on(0.5)
    play.reload(table(queue("other", "ann bob"))).reload(table(spec)).agent_hangs_up("ann")
    assert play.ringing() == {"bob": "c1"}


def test_a_new_member_is_offered_waiting_calls_at_once() -> None:
    play = Play(table(queue("one", "ann"), queue("two", "bob")))
    play.call("c0", "two").accepts("bob").call("c1", "two").on(3)
    play.reload(table(queue("one", "ann"), queue("two", "bob ann")))
    assert play.rings("ann") == [(3, "ann")]


def test_a_device_added_while_signed_in_rings_and_a_removed_one_does_not() -> None:
    spec = queue("q", "ann")
    play = Play(table(spec))
    play.reload(table(agent("ann", desk("ann"), mobile("ann")), spec)).call("c1", "q")
    assert len(play.rings()) == 2
    play.caller_hangs_up("c1").reload(table(agent("ann", mobile("ann")), spec)).call("c2", "q")
    assert len(play.rings()) == 3


def test_a_deleted_agents_phone_serves_the_next() -> None:
    phone = "PJSIP/desk7"
    one = table(agent("ann", desk("ann", endpoint=phone)), queue("q", "ann"))
    play = Play(one)
    play.phone_is("ann", DeviceState.UNREACHABLE)
    play.reload(table(agent("bob", desk("bob", endpoint=phone)), queue("q", "bob")))
    play.sign_in("bob").call("c1", "q")
    assert play.ringing() == {"bob": "c1"}
    assert [a.id for a in play.router.floor.owners["office", phone]] == ["bob"]


def test_a_longer_max_wait_gives_time_to_one_whose_time_was_up() -> None:
    play = Play(table(queue("q", "ann", max_wait=5, ring_for=20)))
    play.call("c1", "q").until(10).reload(table(queue("q", "ann", max_wait=60, ring_for=20)))
    play.until(30)
    assert play.left("c1") is None
    play.until(60)
    assert play.left("c1") is None, "it rings"
    play.until(90)
    assert play.left("c1") is not None


def test_no_max_wait_any_more_means_no_end() -> None:
    play = Play(table(queue("q", "ann", max_wait=5)))
    play.pause("ann").call("c1", "q").until(3).reload(table(queue("q", "ann"))).until(1000)
    assert play.left("c1") is None


def test_who_becomes_always_signed_in_is_so_at_once_and_stays() -> None:
    spec = queue("q", "ann")
    play = Play(table(spec), signed_in="")
    play.reload(table(agent("ann", sign_in=SignIn.ALWAYS), spec))
    assert play.state("ann") is AgentState.AVAILABLE


def test_a_sign_out_that_was_pending_falls_away_for_who_is_always_signed_in() -> None:
    spec = queue("q", "ann")
    play = Play(table(spec))
    play.call("c1", "q").accepts("ann").sign_out("ann")
    play.reload(table(agent("ann", sign_in=SignIn.ALWAYS), spec)).on(5).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_a_member_who_is_no_agent_is_noted_and_the_rest_applies() -> None:
    spec = queue("q", "ann")
    wrong = replace(spec, members=(*spec.members, MemberSpec(agent="typo")))
    play = Play(table(spec))
    play.reload(Table(agents={"ann": agent("ann")}, queues={"q": wrong})).call("c1", "q")
    assert play.ringing() == {"ann": "c1"}
    assert any("typo" in note for note in play.oddities())


def test_the_weight_of_a_queue_changes_who_comes_first() -> None:
    play = Play(table(queue("one", "ann"), queue("two", "ann")))
    play.call("c0", "one").accepts("ann").call("c1", "one").on(1).call("c2", "two")
    play.reload(table(queue("one", "ann"), queue("two", "ann", weight=9))).on(1)
    play.agent_hangs_up("ann")
    assert play.ringing() == {"ann": "c2"}


def test_another_policy_orders_those_who_are_idle_already() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    play.reload(table(queue("q", "ann:9 bob:2", "priority"))).call("c1", "q")
    assert play.ringing() == {"bob": "c1"}


def test_events_of_the_old_table_are_no_trouble() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").reload(table(queue("other", "bob")))
    play.feed(CallArrived(call="c5", pbx="office", queue="q"))
    play.feed(ConnectSucceeded(call="c1", offer="b-2"))
    assert play.left("c5") is not None
