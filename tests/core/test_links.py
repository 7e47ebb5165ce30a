"""Links that break: what is known, what is ordered, and how the difference is made up for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from callrouter.core.agents.agent_rows import row_of
from callrouter.core.state import CallState
from callrouter.model.agent_row import AgentRow
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallMovedAway,
    CallRequeued,
    ConversationTransferred,
)
from callrouter.model.commands import Connect, Requeue, StopReason
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    CallerEnd,
    CallerLeft,
    CallerTransferred,
    DeviceState,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SeenCall,
    SeenLeg,
    TransferKind,
)
from callrouter.model.notices import WrapUpEnded
from callrouter.model.routing_table import HangUp, ToDialplan
from tests.core.fakepbx import FakePbx
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def office(play: Play) -> FakePbx:
    return play.pbxes["office"]


# ---------------------------------------------------------------- while it is down


def test_nothing_is_ordered_from_a_pbx_that_is_out_of_step() -> None:
    """`Play` refuses every order; here a great deal would have been ordered."""
    play = Play(table(queue("q", "ann bob", max_wait=30, ring_for=5)))
    play.call("c1", "q").call("c2", "q").on(1).lose()
    play.pause("ann").until(60)
    assert play.agent("bob").misses == 0, "nobody knows whether bob answered"
    assert play.find("c1").state is play.find("c2").state is CallState.WAITING
    play.back()
    assert play.left("c1") is not None, "its time was up while nobody could tell it so"


def test_a_call_on_the_other_pbx_goes_on() -> None:
    parts = (agent("ann", desk("ann", pbxes=("east", "west"))),)
    play = Play(table(*parts, queue("q", "ann")), pbxes=("east", "west"))
    play.lose("east").call("c1", "q", pbx="west")
    assert play.ringing() == {"ann": "c1"}


def test_those_who_talk_stay_busy_while_the_link_is_down() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").accepts("ann").on(5).lose().on(300)
    assert play.state("ann") is AgentState.ON_CALL
    play.back()
    assert play.talking() == {"ann": "c1"}


def test_whoever_is_being_connected_stays_so_until_it_can_be_seen() -> None:
    both = agent("ann", desk("ann", pbxes=("east", "west")))
    play = Play(table(both, queue("q", "ann")), pbxes=("east", "west"))
    play.call("c1", "q", pbx="east")
    pbx = play.pbxes["east"]
    (leg,) = pbx.legs.values()
    pbx.press_1(leg)
    play.feed_pending_then_lose("east")
    play.call("c2", "q", pbx="west").on(60)
    assert play.rings() == [(0, "ann")], "she may well be talking"
    play.back("east")
    assert play.find("c1").state is CallState.TALKING


# ---------------------------------------------------------------- what a snapshot brings


def test_a_caller_who_hung_up_meanwhile_has_abandoned() -> None:
    play = Play(table(queue("q", "ann")))
    play.pause("ann").call("c1", "q").call("c2", "q").lose()
    office(play).hang_up("c1")
    play.on(3).back()
    assert play.waiting("q") == ["c2"]
    (record,) = play.notices(CallAbandoned)
    assert (record.call, record.how) == ("c1", CallerEnd.LOST)


def test_a_talk_that_ended_meanwhile_has_ended() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10)))
    play.call("c1", "q").accepts("ann").on(5).lose()
    office(play).hang_up("c1")
    play.on(20).back()
    assert len(play.notices(CallCompleted)) == 1
    assert play.state("ann") is AgentState.WRAP_UP


def test_a_caller_we_never_heard_of_is_taken_in_with_their_age() -> None:
    play = Play(table(queue("q", "ann")))
    play.pause("ann").until(20).call("young", "q").lose()
    old = CallArrived(call="old", pbx="office", queue="q", entered_at=0.0)
    office(play).arrive(old)
    play.until(30).back()
    assert play.waiting("q")[0] == "old"
    assert play.find("old").entered_at == 0


def test_whoever_is_found_waiting_is_taken_in_even_if_the_queue_is_full() -> None:
    play = Play(table(queue("q", "ann", max_waiting=1, on_full=HangUp())))
    play.pause("ann").lose()
    for name in ("c1", "c2"):
        office(play).arrive(CallArrived(call=name, pbx="office", queue="q"))
    play.back()
    assert sorted(play.waiting("q")) == ["c1", "c2"]


def test_a_desk_phone_that_was_picked_up_meanwhile_is_connected() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(1).lose()
    (leg,) = office(play).legs.values()
    office(play).pick_up(leg)
    play.on(3).back()
    assert play.talking() == {"ann": "c1"}


@pytest.mark.parametrize("accepted", [True, False])
def test_a_mobile_that_was_picked_up_meanwhile_still_needs_key_1(accepted: bool) -> None:
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann")))
    play.call("c1", "q").on(1).lose()
    (leg,) = office(play).legs.values()
    leg.answered, leg.accepted = True, accepted
    play.on(3).back()
    assert play.talking() == ({"ann": "c1"} if accepted else {})
    assert "c1" in {*play.ringing().values(), *play.talking().values()}


def test_phones_that_fell_silent_meanwhile_cost_nobody_anything() -> None:
    """Asterisk was restarted: all legs are gone, and it was nobody's doing."""
    play = Play(table(queue("q", "ann", auto_pause=1)))
    play.call("c1", "q").on(1).lose()
    office(play).legs.clear()
    play.on(2).back()
    ann = play.agent("ann")
    assert (ann.misses, play.failures("ann"), ann.pause) == (0, 0, None)
    assert play.rings() == [(0, "ann"), (3, "ann")], "and she is rung again at once"


def test_a_phone_we_had_given_up_on_is_stopped_when_it_is_seen_ringing() -> None:
    play = Play(table(queue("q", "ann", ring_for=5)))
    play.call("c1", "q").on(1).lose().on(30)
    assert play.agent("ann").offers == {}
    play.back()
    assert len(office(play).legs) == 1, "the old leg is stopped, a new one rings"
    assert play.rings()[-1] == (31, "ann")


def test_a_pause_asked_for_while_the_link_was_down_stops_the_phone_afterwards() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(1).lose().pause("ann").on(1).back()
    assert play.ringing() == {}
    assert play.stops()[-1][1].why is StopReason.WITHDRAWN
    assert play.outcomes("ann") == ["withdrawn"]


def test_calls_found_waiting_that_we_thought_were_talking_wait_again() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.call("c1", "q").accepts("ann").on(30).lose()
    office(play).callers["c1"].talks_to = None
    office(play).legs.clear()
    play.on(5).back()
    assert len(play.notices(CallRequeued)) == 1
    assert play.ringing() in ({"ann": "c1"}, {"bob": "c1"})
    assert not any(isinstance(order, Requeue) for _, order in play.log), "they are there already"


def test_a_connect_that_was_carried_out_unheard_is_a_talk() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q")
    (leg,) = office(play).legs.values()
    office(play).press_1(leg)
    play.feed_pending_then_lose("office")
    play.on(1).back()
    assert play.find("c1").state is CallState.TALKING


def test_a_connect_that_was_lost_with_the_link_gives_the_caller_to_the_next() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    office(play).connects = False
    play.call("c1", "q")
    play.accepts("ann").lose().on(1).back()
    assert play.ringing() == {"bob": "c1"}


def test_a_caller_found_talking_to_someone_who_is_none_of_ours_is_served() -> None:
    play = Play(table(queue("q", "ann")))
    play.pause("ann").call("c1", "q").lose()
    snapshot = office(play).snapshot()
    seen = replace(snapshot.calls[0], talking_to="stranger")
    play.back(snapshot=replace(snapshot, calls=(seen,)))
    assert play.gone("c1")
    assert len(play.notices(CallMovedAway)) == 1


def test_a_talk_that_moved_to_another_agent_unheard_is_a_transfer() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.call("c1", "q").accepts("ann").on(9).lose()
    leg = SeenLeg(offer="z-1", device="desk", agent="bob", call="c1", answered=True, bridged=True)
    snapshot = office(play).snapshot()
    seen = replace(snapshot.calls[0], talking_to="z-1")
    play.back(snapshot=replace(snapshot, calls=(seen,), legs=(leg,)))
    assert len(play.notices(ConversationTransferred)) == 1
    assert play.state("bob") is AgentState.ON_CALL
    assert play.state("ann") is AgentState.AVAILABLE


def test_phones_are_as_the_snapshot_says_and_unlisted_ones_are_gone() -> None:
    play = Play(table(queue("q", "ann bob cat")))
    play.lose()
    office(play).endpoints = {"PJSIP/ann": DeviceState.IDLE, "PJSIP/bob": DeviceState.IN_USE}
    play.back()
    states = {name: play.state(name).value for name in ("ann", "bob", "cat")}
    assert states == {"ann": "available", "bob": "on-call", "cat": "offline"}


def test_a_look_for_drift_changes_nothing_when_all_is_well() -> None:
    play = Play(table(queue("q", "ann bob cat", "round-robin", at_once=2)))
    play.call("c1", "q").accepts("ann").call("c2", "q").on(1)
    before = len(play.log)
    play.back()
    assert len(play.log) == before


def test_a_drift_snapshot_made_before_a_caller_was_sent_away_brings_nobody_back() -> None:
    play = Play(table(queue("q", "ann", max_wait=10)))
    play.pause("ann").call("c1", "q").until(9.9)
    stale = office(play).snapshot()
    play.until(10)
    assert play.left("c1") is not None
    play.feed(stale)
    assert play.gone("c1")


def test_events_from_before_the_snapshot_are_harmless_after_it() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q")
    play.accepts("ann").on(5)
    before = [event for event, _ in play.history]
    play.lose().back()
    for event in before:
        if not isinstance(event, PbxSnapshot):
            play.feed(event)
    assert play.talking() == {"ann": "c1"}


# ---------------------------------------------------------------- a router that starts anew


def restarted(old: Play) -> Play:
    """A new router beside the same telephone system."""
    new = Play(old._table, signed_in="", up=False)
    new.now = old.now
    new.pbxes = old.pbxes
    for pbx in new.pbxes.values():
        pbx.say = partial(new._said, pbx.name)
    new.router.floor.run_id = "n"
    return new


def remember(old: Play, new: Play) -> None:
    for known in old.router.floor.agents.values():
        new.feed(AgentRestored(row=row_of(old.router.floor, known, old.now)))


def test_a_restart_keeps_waiting_callers_in_order_and_their_clocks() -> None:
    old = Play(table(queue("q", "ann", max_wait=60)))
    old.pause("ann")
    for name in ("c1", "c2", "c3"):
        old.call(name, "q", entered_at=old.now).on(5)
    new = restarted(old)
    remember(old, new)
    office(new).hang_up("c2")
    new._agenda.clear()
    new.on(5).back()
    assert new.waiting("q") == ["c1", "c3"]
    new.until(60)
    assert new.left("c1") is not None
    assert new.left("c3") is None


def test_a_restart_takes_up_talks_and_their_wrap_up() -> None:
    old = Play(table(queue("q", "ann", wrap_up=10)))
    old.call("c1", "q").accepts("ann").on(5)
    new = restarted(old)
    remember(old, new)
    new.back()
    assert new.state("ann") is AgentState.ON_CALL
    new.on(0.5).agent_hangs_up("ann")
    assert new.gone("c1"), "nobody knows for how long they talked: that was the end of it"
    assert new.state("ann") is AgentState.WRAP_UP


def test_a_restart_in_the_middle_of_a_wrap_up_does_not_stretch_it() -> None:
    old = Play(table(queue("q", "ann", wrap_up=10)))
    old.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").on(4)
    new = restarted(old)
    remember(old, new)
    new.back()
    new.call("c2", "q").until(14.9)
    assert new.ringing() == {}
    new.until(15)
    assert new.ringing() == {"ann": "c2"}


def test_a_clock_that_was_put_back_by_an_hour_does_not_stretch_a_wrap_up_over_a_restart() -> None:
    new = Play(table(queue("q", "ann", wrap_up=10)), signed_in="")
    new.now = 50.0
    hour = 3600.0
    known = AgentRestored(
        row=AgentRow(
            agent="ann",
            signed_in=True,
            wrap_until=45.0 + hour,
            idle_since=35.0 + hour,
            wrap_queue="q",
        )
    )
    new.feed(known)
    new.call("c1", "q").until(59.9)
    assert new.ringing() == {}
    new.until(60)
    assert new.ringing() == {"ann": "c1"}


def test_a_wrap_up_that_ended_while_the_router_was_away_starts_the_idle_clock() -> None:
    new = Play(table(queue("q", "ann")), signed_in="")
    new.now = 100.0
    new.feed(
        AgentRestored(row=AgentRow(agent="ann", signed_in=True, wrap_until=60.0, idle_since=50.0))
    )
    assert new.agent("ann").idle_since == 60


def test_a_restart_lets_ringing_phones_ring_on_with_all_their_legs() -> None:
    old = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann")))
    old.call("c1", "q").on(3)
    new = restarted(old)
    remember(old, new)
    new.back()
    assert new.rings() == []
    assert len(office(new).legs) == 2
    mobile_leg = next(leg for leg in office(new).legs.values() if leg.ring.confirm)
    office(new).press_1(mobile_leg)
    new.on()
    assert new.talking() == {"ann": "c1"}
    assert len(office(new).legs) == 1, "the desk phone was stopped"


def test_a_restart_stops_phones_that_ring_for_nobody() -> None:
    old = Play(table(queue("q", "ann bob", "ring-all")))
    old.call("c1", "q").on(3)
    new = restarted(old)
    remember(old, new)
    new.pause("bob")
    new.back()
    assert new.ringing() == {"ann": "c1"}, "bob takes a break"
    del office(new).callers["c1"]
    third = restarted(new)
    third.router.floor.run_id = "t"
    third.back()
    assert third.ringing() == {}


def test_a_restart_connects_a_leg_that_was_picked_up_meanwhile() -> None:
    old = Play(table(queue("q", "ann")))
    office(old).connects = False
    old.call("c1", "q").accepts("ann")
    new = restarted(old)
    remember(old, new)
    office(new).connects = True
    new.back()
    new.on()
    assert new.rings() == []
    assert new.talking() == {"ann": "c1"}


def test_a_phone_that_a_restart_stops_is_not_rung_before_it_is_quiet() -> None:
    new = Play(table(queue("q", "ann")))
    new.lose()
    new.call("c2", "q")
    leg = SeenLeg(offer="z-1", device="desk", agent="ann", call="c1", answered=True)
    waiting = SeenCall(arrived=CallArrived(call="c2", pbx="office", queue="q", entered_at=0.0))
    idle = {"PJSIP/ann": DeviceState.IDLE}
    new.back(snapshot=PbxSnapshot(pbx="office", calls=(waiting,), legs=(leg,), endpoints=idle))
    assert [order.offer for _, order in new.stops()] == ["z-1"]
    assert new.rings() == []
    new.feed(LegEnded(offer="z-1", device="desk", why=LegEnd.HUNG_UP))
    assert new.ringing() == {"ann": "c2"}


@pytest.mark.parametrize("talks_with", ["bob", "nobody of ours"])
def test_a_losers_phone_that_is_not_quiet_yet_takes_no_caller_out_of_a_talk(
    talks_with: str,
) -> None:
    """The router died between the connect and the losers' end, and its snapshot names the loser first."""
    new = Play(table(queue("q", "ann bob")))
    new.lose()
    loser = SeenLeg(
        offer="z-1", device="desk", agent="ann", call="c1", answered=True, accepted=True
    )
    winner = SeenLeg(
        offer="z-2", device="desk", agent="bob", call="c1", answered=True, bridged=True
    )
    arrived = CallArrived(call="c1", pbx="office", queue="q", entered_at=0.0)
    new.back(
        snapshot=PbxSnapshot(
            pbx="office",
            calls=(SeenCall(arrived=arrived, talking_to="z-2"),),
            legs=(loser, winner) if talks_with == "bob" else (loser,),
            endpoints={"PJSIP/ann": DeviceState.IDLE, "PJSIP/bob": DeviceState.IN_USE},
        )
    )
    assert [order.offer for _, order in new.stops()] == ["z-1"]
    assert not [order for _, order in new.log if isinstance(order, Connect)]
    assert new.agent("ann").offers.keys() == {"z-1"}, "and she is rung for nothing else until then"
    if talks_with == "bob":
        assert new.state("bob") is AgentState.ON_CALL


def test_an_agent_found_talking_to_someone_who_left_us_is_busy() -> None:
    old = Play(table(queue("q", "ann")))
    old.call("c1", "q").accepts("ann").on(5).transfers("c1", TransferKind.ATTENDED)
    new = restarted(old)
    remember(old, new)
    new.back()
    assert new.state("ann") is AgentState.ON_CALL
    new.call("c2", "q")
    assert new.ringing() == {}
    new.on(5).agent_hangs_up("ann")
    assert new.ringing() == {"ann": "c2"}


def test_an_agent_found_talking_who_left_the_table_is_let_finish() -> None:
    old = Play(table(queue("q", "ann bob", "round-robin")))
    old.call("c1", "q").accepts("ann").on(5)
    old._table = table(queue("q", "bob"))
    new = restarted(old)
    new.back()
    assert new.state("ann") is AgentState.ON_CALL
    new.on(5).agent_hangs_up("ann")
    assert "ann" not in new.router.floor.agents
    assert new.gone("c1")


def test_signing_in_counts_for_someone_found_talking_whom_nobody_remembers() -> None:
    old = Play(table(queue("q", "ann")))
    old.call("c1", "q").accepts("ann").on(5)
    new = restarted(old)
    new.back()
    new.sign_out("ann").sign_in("ann").on(5).agent_hangs_up("ann")
    assert new.state("ann") is AgentState.AVAILABLE


def test_a_pause_that_was_remembered_late_waits_for_the_end_of_the_talk() -> None:
    old = Play(table(queue("q", "ann")))
    old.call("c1", "q").accepts("ann").on(5)
    new = restarted(old)
    new.back()
    new.feed(AgentRestored(row=AgentRow(agent="ann", signed_in=True, pause_reason="lunch")))
    assert new.state("ann") is AgentState.ON_CALL
    new.on(5).agent_hangs_up("ann")
    assert new.agent("ann").pause == "lunch"


def test_a_pause_asked_for_during_a_talk_outlives_a_restart() -> None:
    old = Play(table(queue("q", "ann", wrap_up=10)))
    old.call("c1", "q").accepts("ann").on(5).pause("ann")
    assert old.agent("ann").pause is None
    new = restarted(old)
    remember(old, new)
    new.back()
    assert new.state("ann") is AgentState.ON_CALL
    new.on(5).agent_hangs_up("ann")
    assert new.state("ann") is AgentState.PAUSED
    assert new.agent("ann").pause == "lunch"


def test_a_sign_out_asked_for_during_a_talk_outlives_a_restart() -> None:
    old = Play(table(queue("q", "ann", wrap_up=10)))
    old.call("c1", "q").accepts("ann").on(5).sign_out("ann")
    new = restarted(old)
    remember(old, new)
    new.back()
    assert new.state("ann") is AgentState.ON_CALL
    new.on(5).agent_hangs_up("ann")
    assert new.state("ann") is AgentState.OFFLINE
    assert new.agent("ann").wrap_until is None


def test_a_restored_wrap_up_ends_in_the_name_of_its_queue() -> None:
    play = Play(table(queue("q", "ann", wrap_up=9)), signed_in="")
    play.feed(
        AgentRestored(
            row=AgentRow(agent="ann", signed_in=True, signed_in_at=-9, wrap_until=5, wrap_queue="q")
        )
    )
    assert play.agent("ann").signed_in_at == -9
    play.until(6)
    (ended,) = play.notices(WrapUpEnded)
    assert ended.queue == "q"


def test_a_clock_that_was_set_back_keeps_nobody_in_after_call_work() -> None:
    slow = agent("bob", desk("bob"), wrap_up=40.0)
    play = Play(table(slow, queue("q", "ann bob", wrap_up=9)), signed_in="")
    for name, longest in (("ann", 9), ("bob", 40)):
        play.feed(
            AgentRestored(
                row=AgentRow(agent=name, signed_in=True, wrap_until=play.now + 3605, wrap_queue="q")
            )
        )
        assert play.agent(name).wrap_until == play.now + longest
    play.until(play.now + 9)
    play.call("c1", "q")
    assert play.ringing() == {"ann": "c1"}


def test_nobody_is_paused_who_is_not_signed_in() -> None:
    play = Play(table(queue("q", "ann")), signed_in="")
    play.feed(AgentRestored(row=AgentRow(agent="ann", signed_in=False, pause_reason="lunch")))
    play.feed(AgentRestored(row=AgentRow(agent="nobody", signed_in=True)))
    play.sign_in("ann")
    assert play.state("ann") is AgentState.AVAILABLE


# ---------------------------------------------------------------- odd snapshots


def test_a_talk_of_a_queue_that_is_gone_is_left_alone() -> None:
    play = Play(table(queue("q", "ann")))
    seen = SeenCall(arrived=CallArrived(call="c1", pbx="office", queue="gone"), talking_to="z-1")
    leg = SeenLeg(offer="z-1", device="desk", agent="ann", call="c1", answered=True, bridged=True)
    play.lose().back(
        snapshot=PbxSnapshot(
            pbx="office", calls=(seen,), legs=(leg,), endpoints={"PJSIP/ann": DeviceState.IDLE}
        )
    )
    assert play.stops() == []
    assert play.left("c1") is None
    assert play.state("ann") is AgentState.ON_CALL


def test_late_news_of_a_transfer_takes_the_caller_off_our_hands() -> None:
    play = Play(table(queue("q", "ann", on_max_wait=ToDialplan("vm", "s"))))
    play.call("c1", "q").on(1)
    office(play).callers.pop("c1")
    play.feed(CallerTransferred(call="c1", kind=TransferKind.BLIND, to="1234"))
    play.on()
    assert play.quiet()
    assert len(play.notices(CallMovedAway)) == 1


def test_a_leg_that_ends_late_says_nothing() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(1).lose()
    (leg,) = office(play).legs.values()
    office(play).end_leg(leg, LegEnd.BUSY)
    play.back()
    play.feed(CallerLeft(call="c9"))
    assert play.ringing() == {"ann": "c1"}


def test_a_leg_of_ours_for_a_caller_who_is_gone_is_stopped_and_one_of_two_too() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann")))
    play.call("c1", "q").on(1)
    extra = SeenLeg(offer="b-2", device="third", agent="ann", call="c1")
    snapshot = office(play).snapshot()
    play.lose().back(snapshot=replace(snapshot, legs=(*snapshot.legs, extra)))
    assert [order.device for _, order in play.stops()] == ["third"]
    assert len(office(play).legs) == 2


def test_one_of_two_phones_that_fell_silent_meanwhile_ends_alone() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann")))
    play.call("c1", "q").on(1).lose()
    lost = next(leg for leg in office(play).legs.values() if leg.ring.confirm)
    del office(play).legs[lost.id]
    play.back().accepts("ann")
    assert play.talking() == {"ann": "c1"}


def test_a_talk_found_with_an_offer_that_still_rang_is_taken_as_it_is() -> None:
    """The PBX says they talk; we had only got as far as ringing."""
    play = Play(table(queue("q", "ann bob", "ring-all")))
    play.call("c1", "q").on(1).lose()
    leg = next(leg for leg in office(play).legs.values() if leg.ring.agent == "bob")
    leg.answered = leg.accepted = True
    leg.talks_to, office(play).callers["c1"].talks_to = "c1", leg.id
    play.back()
    assert play.find("c1").state is CallState.TALKING
    assert play.state("bob") is AgentState.ON_CALL
    assert play.ringing() == {}
    play.on(9).agent_hangs_up("bob")
    assert play.quiet()


def test_a_connect_to_another_than_we_thought_is_taken_as_it_is() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    office(play).connects = False
    play.call("c1", "q").accepts("ann").lose()
    snapshot = office(play).snapshot()
    leg = SeenLeg(offer="z-1", device="desk", agent="bob", call="c1", answered=True, bridged=True)
    seen = replace(snapshot.calls[0], talking_to="z-1")
    play.back(snapshot=replace(snapshot, calls=(seen,), legs=(*snapshot.legs, leg)))
    assert play.state("bob") is AgentState.ON_CALL
    assert play.state("ann") is AgentState.AVAILABLE


def test_the_key_was_being_asked_for_when_the_link_broke_and_time_is_up_before_it_is_back() -> None:
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann", ring_for=40)))
    play.phone("ann", "mobile").picks_up(after=1)
    play.call("c1", "q").until(2)
    play.lose().until(35)
    assert play.agent("ann").misses == 0
    assert play.agent("ann").offers == {}
    play.back()
    assert play.ringing() == {"ann": "c1"}


def test_a_talk_of_nobody_we_could_name_is_let_be() -> None:
    empty = Play(table(), signed_in="")
    leg = SeenLeg(offer="z-1", device="desk", agent="ann", call="c9", answered=True, bridged=True)
    empty.feed(PbxSnapshot(pbx="office", legs=(leg,)))
    assert empty.stops() == []
    assert empty.router.floor.agents == {}
    assert "let be" in empty.oddities()[0]
