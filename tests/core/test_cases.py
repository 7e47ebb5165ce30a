"""Cases restated from other people's tests, those that show on the core alone, by id.

Covered here: AST-02 (without requested positions), AST-04, AST-05, AST-08, AST-09, AST-15, AST-18,
AST-20, AST-25, AST-26, AST-30, AST-32, AST-36, AST-42, AST-43, AST-44, AST-46, AST-47, AST-50, AST-51,
AST-52, AST-54, AST-56, AST-60, AST-62, AST-65, AST-66, AST-70, AST-71, AST-78, FS-01, FS-02, FS-05,
FS-07, FS-09, FS-14, FS-16, FS-20, FS-21, FS-22 (as devices of one agent), FS-26, FS-30, FS-31, OS-02,
OS-03, OS-04, OS-06, OS-08, WZ-04, WZ-05, WZ-07, WZ-08, WZ-12, WZ-14, WZ-18, WZ-20, WZ-22, WZ-25,
WZA-01, WZA-09, WZA-11, WZA-12, WZA-13, WZA-16, WZA-23, WZA-25, WZA-26, WZA-27, WZC-01, WZC-02, WZC-03,
WZC-04, WZC-07, CW-08, CW-09, CW-11, CW-14, CW-16, TW-03, TW-04, TW-08, TW-14, BT-01, BT-04, BT-09,
BT-11, BT-18, OA-01, OA-03, OA-04, OA-05, BB-01, BB-02, BB-04, BB-05, BB-08, KZ-02, KZ-03, KZ-07, AI-04,
AI-05, AI-07, AI-08, AI-09, AI-10, AI-13, AI-15, AI-19, CW-02, CW-06, CW-07, WZ-19, OT-02, OT-14.

Unless a case says otherwise: ring 5 s, retry 1 s, max wait 60 s, no wrap-up, no auto-pause, one queue, all
agents signed in and idle. A desk phone's SIP answer is the `LegEnd` that the driver makes of it.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import pytest

from callrouter.core.calls.waiting import position
from callrouter.model.agent_row import AgentRow
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallRequeued,
    ConversationStarted,
    WrapUpStarted,
)
from callrouter.model.commands import Result, StopReason
from callrouter.model.events import (
    AgentRestored,
    CallerEnd,
    CallerLeft,
    DeviceState,
    EndpointChanged,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    SignedIn,
    TransferKind,
)
from callrouter.model.notices import AgentSignedIn, WrapUpEnded
from callrouter.model.routing_table import QueueSpec, ToDialplan, ToQueue
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def q(
    members: str = "a1 a2", policy: str = "longest-idle", name: str = "q1", **more: Any
) -> QueueSpec:
    """A queue as the cases have it."""
    rules = {"ring_for": 5.0, "retry_after": 1.0, "max_wait": 60.0, "auto_pause": 0}
    return queue(name, members, policy, **{**rules, **more})


def play(*parts: Any, **more: Any) -> Play:
    return Play(table(*parts), **more)


def test_AST_02_positions_by_priority_and_then_by_arrival() -> None:
    p = play(q(max_waiting=5))
    p.pause("a1").pause("a2")
    for number, priority in enumerate((50, 50, 40, 40, 30)):
        p.call(f"c{number}", "q1", priority=priority)
    assert [r.position for r in p.notices(CallEntered)] == [1, 2, 1, 2, 1]
    before = p.waiting("q1")
    p.call("one-too-many", "q1", priority=1)
    left = p.left("one-too-many")
    assert left is not None
    assert left.result is Result.FULL
    assert p.waiting("q1") == before


def test_AST_04_ring_all_twice_then_timeout() -> None:
    p = play(q(policy="ring-all", ring_for=2.0, max_wait=3.0)).call("c1", "q1")
    assert p.rings() == [(0, "a1"), (0, "a2")]
    p.until(4)
    assert [at for at, _ in p.stops()] == [2, 2]
    left = p.left("c1")
    assert left is not None
    assert left.result is Result.TIMEOUT
    assert p.notices(CallLeftQueue)[0].at == 3
    assert p.ringing() == {}
    assert p.outcomes("a1") == p.outcomes("a2") == ["no answer"]


def test_AST_05_a_paused_agent_stays_quiet() -> None:
    p = play(q(policy="ring-all", ring_for=2.0, max_wait=3.0)).pause("a1").call("c1", "q1").until(9)
    assert p.rings() == [(0, "a2")]
    assert p.notices(CallLeftQueue)[0].at == 3


def test_AST_08_a_forward_to_nowhere_is_a_failed_phone() -> None:
    p = play(q(policy="ring-all"))
    p.phone("a1").says(LegEnd.DECLINED)
    p.phone("a2").picks_up(after=1)
    p.call("c1", "q1").until(3)
    assert p.talking() == {"a2": "c1"}
    assert p.state("a1") is AgentState.AVAILABLE
    assert len(p.pbxes["office"].legs) == 1


@pytest.mark.parametrize("case", ["AST-09", "AST-62", "AST-70"])
def test_AST_09_62_70_the_agents_own_leg_keeps_the_agent(case: str) -> None:
    """The caller is gone, the agent's leg is in another extension or in a conference."""
    p = play(q("a1")).call("c1", "q1").accepts("a1").on(5)
    (leg,) = p.pbxes["office"].legs.values()
    leg.talks_to = "?"
    p.pbxes["office"].callers.pop("c1")
    p.feed(
        CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY if case == "AST-70" else CallerEnd.HUNG_UP)
    )
    p.call("c2", "q1").on(30)
    assert p.rings(call="c2") == []
    assert len(p.notices(CallCompleted)) == 1, "closed once"
    p.agent_hangs_up("a1")
    assert p.ringing() == {"a1": "c2"}


def test_AST_15_a_pause_is_of_the_whole_agent() -> None:
    p = play(q("a1"), q("a1", name="q2", max_wait=3.0)).pause("a1")
    p.call("c1", "q1").call("c2", "q2").until(3)
    assert p.rings() == []
    assert p.left("c2") is not None


def test_AST_18_an_agent_who_still_consults_is_not_offered_the_next() -> None:
    p = play(q("a1")).call("c1", "q1").accepts("a1").on(5)
    p.transfers("c1", TransferKind.ATTENDED).call("c2", "q1").on(20)
    assert p.rings(call="c2") == []


def test_AST_20_wrap_up_holds_across_queues() -> None:
    rules: dict[str, Any] = {"wrap_up": 60.0, "policy": "priority", "max_wait": 9.0}
    p = play(q("a1:1 a2:2", **rules), q("a1:1 a2:2", name="q2", **rules))
    p.call("c1", "q1")
    assert p.ringing() == {"a1": "c1"}
    p.accepts("a1").on(2).agent_hangs_up("a1").call("c2", "q2")
    assert p.ringing() == {"a2": "c2"}
    p.accepts("a2").on(2).agent_hangs_up("a2").call("c3", "q1").on(9)
    assert p.rings(call="c3") == []
    left = p.left("c3")
    assert left is not None
    assert left.result is Result.TIMEOUT


def test_AST_25_not_accepted_when_nobody_is_signed_in() -> None:
    overflow = ToDialplan("voicemail", "s")
    p = play(q("a1", on_nobody=overflow), signed_in="").call("c1", "q1")
    left = p.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.NOBODY, overflow)
    assert p.notices(CallAbandoned) == []


def test_AST_26_nobody_signed_in_but_waiting_allowed() -> None:
    p = play(q("a1", max_wait=1.0), signed_in="").call("c1", "q1").until(0.9)
    assert p.left("c1") is None
    p.until(1)
    left = p.left("c1")
    assert left is not None
    assert left.result is Result.TIMEOUT


def test_AST_30_WZA_16_WZ_22_signing_in_twice_is_signing_in_once() -> None:
    p = play(q("a1")).pause("a1").sign_in("a1").sign_in("a1")
    assert len(p.notices(AgentSignedIn)) == 1
    assert p.state("a1") is AgentState.PAUSED
    p.resume("a1").sign_in("a1").call("c1", "q1")
    assert len(p.rings()) == 1


def test_AST_32_WZ_04_the_states_of_a_cycle() -> None:
    p = play(q("a1", wrap_up=3.0))
    seen = [
        p.state("a1").value,
        p.call("c1", "q1").state("a1").value,
        p.accepts("a1").state("a1").value,
        p.on(5).agent_hangs_up("a1").state("a1").value,
        p.on(3).state("a1").value,
    ]
    assert seen == ["available", "ringing", "on-call", "wrap-up", "available"]


@pytest.mark.parametrize("after", [1.0, 5.0], ids=["AST-60 wrong key", "AST-36 no key in time"])
def test_AST_36_60_OT_02_a_mobile_without_key_1_is_never_connected(after: float) -> None:
    p = play(agent("m1", mobile("m1")), q("m1 a2", "round-robin", ring_for=20.0))
    p.phone("m1", "mobile").is_voicemail(after=1.0, listens=after)
    p.call("c1", "q1").until(1 + after)
    assert p.talking() == {}
    assert p.outcomes("m1") == ["not accepted"]
    assert p.ringing() == {"a2": "c1"}
    assert p.waiting("q1") == ["c1"]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("AST-42", LegEnd.UNREACHABLE),
        ("AST-50", LegEnd.FAILED),
        ("AST-51", LegEnd.UNAVAILABLE),
        ("AST-52", LegEnd.UNREACHABLE),
        ("AST-54", LegEnd.FAILED),
        ("AST-56", LegEnd.UNREACHABLE),
        ("OS-08", LegEnd.DECLINED),
    ],
)
def test_AST_42_50_51_52_54_56_OS_08_a_phone_that_fails_brings_the_next_at_once(
    case: str, why: LegEnd
) -> None:
    p = play(q("a1 a2", "round-robin"))
    p.phone("a1").says(why)
    p.call("c1", "q1")
    assert p.rings() == [(0, "a1"), (0, "a2")], case
    assert p.agent("a1").misses == 0
    assert p.waiting("q1") == ["c1"]
    assert p.state("a1") is (
        AgentState.OFFLINE if why in {LegEnd.UNREACHABLE, LegEnd.FAILED} else AgentState.AVAILABLE
    )


def test_AST_43_the_phone_is_quiet_before_it_rings_again() -> None:
    p = play(q("a1", ring_for=2.0))
    p.pbxes["office"].deaf.add("PJSIP/a1")
    p.call("c1", "q1").until(3.5)
    assert p.stops()[0][0] == 2
    assert len(p.rings()) == 1, "its 487 has not come"


def test_AST_44_the_caller_hangs_up_while_it_rings() -> None:
    p = play(q("a1", auto_pause=1, wrap_up=9.0)).call("c1", "q1").on(2).caller_hangs_up("c1")
    assert p.stops()[0][1].why is StopReason.CALLER_GONE
    assert len(p.notices(CallAbandoned)) == 1
    assert p.outcomes("a1") == ["caller gone"]
    assert p.state("a1") is AgentState.AVAILABLE


def test_AST_46_47_losers_are_told_and_charged_nothing() -> None:
    p = play(q(policy="ring-all", wrap_up=9.0, auto_pause=1))
    p.phone("a2").picks_up(after=0.5)
    p.call("c1", "q1").until(0.5)
    assert p.talking() == {"a2": "c1"}
    ((at, stop),) = p.stops()
    assert (at, stop.why) == (0.5, StopReason.ANSWERED_ELSEWHERE)
    assert p.state("a1") is AgentState.AVAILABLE
    assert p.agent("a1").misses == 0


def test_AST_65_early_media_is_no_answer() -> None:
    """A network's announcement rings, as far as the core hears."""
    p = play(agent("m1", mobile("m1")), q("m1")).call("c1", "q1").until(4.9)
    assert p.talking() == {}
    p.until(5)
    assert p.outcomes("m1") == ["no answer"]


def test_AST_66_a_colleague_picks_up() -> None:
    p = play(q("a1 a2", "round-robin")).call("c1", "q1").on(1)
    (leg,) = p.pbxes["office"].legs.values()
    p.pbxes["office"].picked_up_at(leg, "PJSIP/a2")
    p.on()
    assert p.state("a2") is AgentState.ON_CALL
    assert p.state("a1") is AgentState.AVAILABLE
    assert p.agent("a1").misses == 0


def test_AST_71_a_caller_taken_out_of_the_waiting_room() -> None:
    p = play(q("a1")).call("c1", "q1").on(1)
    p.pbxes["office"].callers.pop("c1")
    p.feed(CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY))
    p.on()
    assert p.ringing() == {}
    assert len(p.notices(CallMovedAway)) == 1
    assert p.notices(CallAbandoned) == []


def test_AST_78_BT_18_a_private_call_from_before_the_start() -> None:
    p = play(q("a1"), up=False, signed_in="")
    p.pbxes["office"].endpoints["PJSIP/a1"] = DeviceState.IN_USE
    p.back().sign_in("a1").call("c1", "q1").on(30)
    assert p.rings() == []
    assert p.state("a1") is AgentState.ON_CALL
    p.phone_is("a1", DeviceState.IDLE)
    assert p.ringing() == {"a1": "c1"}


def test_FS_01_an_unanswered_offer_does_not_reset_the_idle_time() -> None:
    p = play(q("a1 a2 a3"), signed_in="")
    for name in ("a1", "a2", "a3"):
        p.sign_in(name).on(100)
    p.call("c1", "q1").on(5)
    assert p.ringing() == {"a2": "c1"}
    p.accepts("a2").on(9).agent_hangs_up("a2").call("c2", "q1")
    assert p.ringing() == {"a1": "c2"}


def test_FS_02_AI_10_one_agent_of_two_queues_gets_one_call_and_then_the_next_by_age() -> None:
    p = play(q("a1", name="q1"), q("a1", name="q2"))
    p.call("c1", "q1").on(0.01).call("c2", "q2").on(0.01).call("c3", "q1")
    served = []
    for _ in range(3):
        assert len(p.pbxes["office"].legs) == 1
        served.append(p.ringing()["a1"])
        p.accepts("a1").on(5).agent_hangs_up("a1")
    assert served == ["c1", "c2", "c3"]


def test_FS_05_what_rings_when_the_wait_is_over_may_finish() -> None:
    p = play(q("a1", max_wait=10.0)).pause("a1").call("c1", "q1").until(8).resume("a1")
    p.until(10.5).accepts("a1")
    assert p.talking() == {"a1": "c1"}


def test_FS_07_a_paused_last_agent_stalls_nothing() -> None:
    p = play(q("a1:1 a2:2 a3:3", "priority")).pause("a3").call("c1", "q1").until(30)
    who = [name for _, name in p.rings()]
    assert who == ["a1", "a2"] * 3
    gaps = [b - a for (a, _), (b, _) in pairwise(p.rings())]
    assert set(gaps) == {5, 6}


def test_FS_09_26_six_ways_to_fail_six_reasons_one_miss() -> None:
    reasons = []
    missed = 0
    for why in (LegEnd.BUSY, LegEnd.DECLINED, LegEnd.UNAVAILABLE, LegEnd.UNREACHABLE, None):
        p = play(q("a1"))
        if why is not None:
            p.phone("a1").says(why)
        p.call("c1", "q1").until(5)
        reasons.append(p.outcomes("a1")[0])
        missed += p.agent("a1").misses
    p = play(q("a1")).call("c1", "q1").on(1).caller_hangs_up("c1")
    reasons.append(p.outcomes("a1")[0])
    assert len(set(reasons)) == 6
    assert (missed, p.agent("a1").misses) == (1, 0)
    p = play(q("a1"))
    p.phone("a1").says(LegEnd.UNREACHABLE)
    p.call("c1", "q1").until(59)
    assert len(p.rings()) <= 12


def test_FS_14_a_long_ring() -> None:
    p = play(q("a1", ring_for=75.0, max_wait=None)).call("c1", "q1").until(74.9)
    assert p.ringing() == {"a1": "c1"}
    p.until(75)
    assert p.ringing() == {}


def test_FS_16_answered_and_gone_in_an_instant() -> None:
    p = play(q("a1")).call("c1", "q1").accepts("a1").on(0.02).agent_hangs_up("a1")
    assert p.waiting("q1") == ["c1"]
    assert p.state("a1") is AgentState.AVAILABLE
    assert p.left("c1") is None


def test_FS_20_a_phone_that_ignores_cancel() -> None:
    p = play(q("a1 a2", "round-robin"))
    p.pbxes["office"].deaf.add("PJSIP/a1")
    p.call("c1", "q1").until(7)
    assert p.rings()[1] == (5, "a2")
    assert p.agent("a1").offers == {}
    assert p.state("a1") is AgentState.OFFLINE


def test_FS_21_a_queue_removed_while_two_wait() -> None:
    p = play(q("a1"), q("a2", name="q2")).pause("a1").call("c1", "q1").call("c2", "q1")
    p.reload(table(q("a2", name="q2")))
    assert [p.left(name) is not None for name in ("c1", "c2")] == [True, True]
    assert p.oddities() == []
    assert p.quiet()


def test_FS_22_phones_that_join_in_and_ring_on() -> None:
    phones = [desk("a1", id=f"d{n}", endpoint=f"PJSIP/d{n}", ring_after=10.0 * n) for n in range(3)]
    p = play(agent("a1", *phones), q("a1", ring_for=60.0)).call("c1", "q1").until(20)
    assert [at for at, _ in p.rings()] == [0, 10, 20]
    assert len(p.pbxes["office"].legs) == 3
    p.accepts("a1")
    assert len(p.pbxes["office"].legs) == 1


def test_FS_30_wrap_up_from_the_end_of_the_call() -> None:
    p = play(q("a1", wrap_up=10.0)).call("c1", "q1").accepts("a1").call("c2", "q1").on(7)
    p.agent_hangs_up("a1").until(16.9)
    assert p.rings(call="c2") == []
    p.until(17)
    assert p.rings(call="c2") == [(17, "a1")]


def test_FS_31_ties_are_settled_the_same_way_every_time() -> None:
    orders = {play(q("a3 a1 a2"), seed=n).call("c1", "q1").rings()[0] for n in range(20)}
    assert orders == {(0, "a1")}, "by name"


def test_OS_02_both_settings_for_an_empty_queue() -> None:
    assert play(q("a1"), signed_in="").call("c1", "q1").waiting("q1") == ["c1"]
    assert play(q("a1", on_nobody=None), signed_in="").call("c1", "q1").waiting("q1") == []


def test_OS_03_by_number_the_newest_leaves_by_wait_the_oldest() -> None:
    p = play(q("a1", max_waiting=2, max_wait=20.0)).pause("a1")
    p.call("c1", "q1").on(1).call("c2", "q1").on(1).call("c3", "q1")
    assert p.waiting("q1") == ["c1", "c2"]
    p.until(20)
    assert p.waiting("q1") == ["c2"]


def test_OS_04_the_heavier_queue_goes_first() -> None:
    p = play(q("a1", name="low"), q("a1", name="high", weight=5))
    p.call("c0", "low").accepts("a1").call("c1", "low").on(59).call("c2", "high")
    p.agent_hangs_up("a1")
    assert p.ringing() == {"a1": "c2"}


def test_OS_06_positions_start_at_one_and_fall_only_when_someone_ahead_leaves() -> None:
    p = play(q("a1")).pause("a1")
    for name in ("c1", "c2", "c3"):
        p.call(name, "q1")
    assert [position(p.find(name)) for name in ("c1", "c2", "c3")] == [1, 2, 3]
    p.caller_hangs_up("c3")
    assert position(p.find("c2")) == 2
    p.caller_hangs_up("c1")
    assert position(p.find("c2")) == 1


def test_WZ_05_no_hidden_pause() -> None:
    p = play(q("a1"), signed_in="").pause("a1").sign_in("a1")
    assert "not signed in" in p.oddities()[0]
    assert p.state("a1") is AgentState.AVAILABLE


def test_WZ_07_12_14_joining_a_queue_while_signed_in_and_while_not() -> None:
    p = play(q("a1", name="q1"), q("", name="q2"), agent("a2"), signed_in="a1")
    p.call("c1", "q2").on(3).reload(table(q("a1", name="q1"), q("a1 a2", name="q2")))
    assert p.rings() == [(3, "a1")]
    p.call("c2", "q2").sign_in("a2")
    assert p.ringing() == {"a1": "c1", "a2": "c2"}


def test_WZ_08_CW_16_membership_and_sign_in_are_both_needed() -> None:
    p = play(q("a1", name="q1"), q("a2", name="q2"), signed_in="a2").call("c1", "q1").on(30)
    assert p.rings() == []


def test_WZ_18_a_deleted_agents_phone_is_free() -> None:
    shared = "PJSIP/shared"
    p = play(agent("a1", desk("a1", endpoint=shared)), q("a1"))
    p.reload(table(agent("a2", desk("a2", endpoint=shared)), q("a2"))).sign_in("a2")
    assert p.call("c1", "q1").ringing() == {"a2": "c1"}


def test_WZ_19_signing_out_needs_nothing_of_the_pbx() -> None:
    p = play(q("a1")).call("c1", "q1")
    p.lose().sign_out("a1")
    assert not p.agent("a1").signed_in
    p.back().on(5)
    assert p.state("a1") is AgentState.OFFLINE
    assert p.ringing() == {}
    assert p.waiting("q1") == ["c1"]


def test_WZ_20_late_events_are_harmless() -> None:
    p = play(q("a1"))
    p.feed(EndpointChanged(pbx="office", endpoint="PJSIP/nobody", state=DeviceState.IDLE))
    p.feed(LegAccepted(offer="b-99", device="desk"))
    p.feed(LegEnded(offer="b-99", device="desk", why=LegEnd.BUSY))
    assert p.call("c1", "q1").ringing() == {"a1": "c1"}


def test_WZ_25_no_duration_is_negative() -> None:
    p = play(q("a1", wrap_up=3.0))
    p.call("c1", "q1", entered_at=99.0).accepts("a1").on(2).agent_hangs_up("a1").on(9)
    for _, item in p.log:
        detail = getattr(item, "detail", ())
        assert all(value >= 0 for value in detail if isinstance(value, int | float)), item


def test_WZA_01_levels() -> None:
    p = play(q("a1:1 a2:5", "priority"))
    p.phone("a1").says(LegEnd.DECLINED)
    assert p.call("c1", "q1").rings() == [(0, "a1"), (0, "a2")]
    p.phone("a1").lets_it_ring()
    p.caller_hangs_up("c1").call("c2", "q1").accepts("a1").call("c3", "q1")
    assert p.ringing() == {"a2": "c3"}


def test_WZA_09_wrap_up_belongs_to_the_queue_of_the_call() -> None:
    p = play(q("a1", name="q1", wrap_up=2.0), q("a1", name="q2", wrap_up=50.0))
    p.call("c1", "q1").accepts("a1").on(5).agent_hangs_up("a1").until(7)
    assert p.state("a1") is AgentState.AVAILABLE
    assert p.agent("a1").talk == 5


def test_WZA_11_one_waits_three_are_refused() -> None:
    p = play(q("a1", max_waiting=1)).pause("a1")
    for number in range(4):
        p.call(f"c{number}", "q1")
    assert len([r for r in p.notices(CallLeftQueue) if r.result.value == "full"]) == 3


def test_WZA_12_three_hang_up_three_abandoned() -> None:
    p = play(q("a1")).pause("a1")
    for number in range(3):
        p.call(f"c{number}", "q1").on(1)
    for number in range(3):
        p.caller_hangs_up(f"c{number}")
        p.feed(CallerLeft(call=f"c{number}"))
    assert len(p.notices(CallAbandoned)) == len(p.notices(CallEntered)) == 3


@pytest.mark.parametrize("first", ["agent", "caller"])
def test_WZA_13_who_hung_up_first_and_only_once(first: str) -> None:
    p = play(q("a1")).call("c1", "q1").accepts("a1").on(9)
    (leg,) = p.pbxes["office"].legs.values()
    over = LegEnded(offer=leg.ring.offer, device="desk", why=LegEnd.HUNG_UP)
    events: list[Event] = [over, CallerLeft(call="c1")]
    for event in events if first == "agent" else reversed(events):
        p.feed(event)
    (record,) = p.notices(CallCompleted)
    assert record.by.value == first


def test_WZA_23_two_desk_phones_are_one_agent() -> None:
    spec = agent("a1", desk("a1"), desk("a1", id="other", endpoint="PJSIP/other"))
    p = play(spec, q("a1")).call("c1", "q1")
    assert len(p.rings()) == 2
    p.accepts("a1").call("c2", "q1")
    assert len(p.rings()) == 2
    p.on(5).agent_hangs_up("a1").caller_hangs_up("c2")
    p.feed(EndpointChanged(pbx="office", endpoint="PJSIP/other", state=DeviceState.IN_USE))
    p.call("c3", "q1")
    assert p.rings(call="c3") == []


def test_WZA_25_a_talk_of_any_length_keeps_the_agent_quiet() -> None:
    p = play(q("a1")).call("c1", "q1").accepts("a1").call("c2", "q1").on(30)
    assert p.rings(call="c2") == []


def test_WZA_26_two_phones_that_forward_to_each_other() -> None:
    p = play(q(ring_for=5.0))
    for phone in p.everyone():
        phone.says(LegEnd.FAILED)
    p.call("c1", "q1").until(60)
    assert len(p.rings()) < 60
    assert p.left("c1") is not None


def test_WZA_27_a_connect_just_before_the_end_of_the_wait() -> None:
    p = play(q("a1", max_wait=10.0, ring_for=20.0)).call("c1", "q1").until(9.9).accepts("a1")
    p.until(15)
    assert p.talking() == {"a1": "c1"}


@pytest.mark.parametrize("kind", [desk, mobile], ids=["WZC-01 desk", "TW-08 mobile"])
def test_WZC_01_TW_08_two_accept_in_the_same_instant(kind: Any) -> None:
    p = play(agent("a1", kind("a1")), agent("a2", kind("a2")), q(policy="ring-all"))
    p.call("c1", "q1")
    for leg in list(p.pbxes["office"].legs.values()):
        p.pbxes["office"].press_1(leg)
    p.on()
    assert len(p.talking()) == 1
    assert p.ringing() == {}
    assert len(p.notices(ConversationStarted)) == 1
    (loser,) = {"a1", "a2"} - p.talking().keys()
    assert p.state(loser) is AgentState.AVAILABLE


def test_WZC_02_hang_up_and_answer_cross() -> None:
    p = play(q("a1", wrap_up=9.0)).call("c1", "q1")
    (leg,) = p.pbxes["office"].legs.values()
    p.pbxes["office"].hang_up("c1")
    p.pbxes["office"].press_1(leg)
    p.on()
    assert p.pbxes["office"].legs == {}
    assert len(p.notices(CallAbandoned)) == 1
    assert p.state("a1") is AgentState.AVAILABLE


def test_WZC_03_a_stop_with_three_waiting() -> None:
    p = play(q("a1")).pause("a1")
    for name in ("c1", "c2", "c3"):
        p.call(name, "q1", entered_at=p.now).on(2)
    p.lose()
    p.pbxes["office"].hang_up("c2")
    p.on(5).back()
    assert p.waiting("q1") == ["c1", "c3"]
    assert [p.find(name).entered_at for name in ("c1", "c3")] == [0, 4]
    p.resume("a1").accepts("a1").on(5).agent_hangs_up("a1")
    assert p.ringing() == {"a1": "c3"}


def test_WZC_04_the_list_is_right_after_a_hang_up() -> None:
    p = play(q("a1")).pause("a1").call("c1", "q1").call("c2", "q1").caller_hangs_up("c1")
    assert p.waiting("q1") == ["c2"]


@pytest.mark.parametrize("at", [0.0, 2.0, 4.0], ids=["before 180", "ringing", "prompt"])
def test_WZC_07_the_caller_hangs_up_at_each_stage_of_a_mobile(at: float) -> None:
    p = play(agent("m1", mobile("m1")), q("m1", ring_for=20.0))
    p.phone("m1", "mobile").picks_up(after=3.0)
    p.call("c1", "q1").until(at).caller_hangs_up("c1")
    assert p.pbxes["office"].legs == {}
    assert p.quiet()


def test_CW_02_two_calls_go_to_the_two_who_are_there() -> None:
    p = play(q("a1 a2 a3", "round-robin"), signed_in="a2 a3").call("c1", "q1").call("c2", "q1")
    assert p.rings() == [(0, "a2"), (0, "a3")]


def test_CW_06_fewest_calls_picks_the_minimum() -> None:
    p = play(q("a1 a2 a3", "fewest-calls"))
    for name, count in (("a1", 3), ("a2", 1), ("a3", 2)):
        for other in {"a1", "a2", "a3"} - {name}:
            p.pause(other)
        for number in range(count):
            p.call(f"{name}-{number}", "q1").accepts(name).on(5).agent_hangs_up(name)
        for other in {"a1", "a2", "a3"} - {name}:
            p.resume(other)
    p.call("next", "q1")
    assert p.ringing() == {"a2": "next"}


def test_CW_07_a_newcomer_catches_up_and_ties_go_round() -> None:
    p = play(q("a1 a2 a3", "fewest-calls"), signed_in="a1 a2")
    for number in range(4):
        p.call(f"early-{number}", "q1")
        (name,) = p.ringing()
        p.accepts(name).on(5).agent_hangs_up(name)
    p.sign_in("a3")
    served = []
    for number in range(8):
        p.call(f"late-{number}", "q1")
        (name,) = p.ringing()
        served.append(name)
        p.accepts(name).on(5).agent_hangs_up(name)
    assert served[:2] == ["a3", "a3"], "until even, and no further"
    assert [sorted(served[2:5]), sorted(served[5:])] == [["a1", "a2", "a3"]] * 2


def test_CW_08_the_order_is_that_of_the_first_arrival() -> None:
    p = play(q("a1", name="q1", max_wait=9.0, on_max_wait=ToQueue("q2")), q("a2", name="q2"))
    p.pause("a1").pause("a2").call("old", "q1").on(5).call("young", "q2").until(9)
    assert p.waiting("q2") == ["old", "young"]


def test_CW_09_11_one_call_one_agent_one_agent_one_call() -> None:
    p = play(q("a1 a2")).call("c1", "q1").call("c2", "q1").call("c3", "q1").on(3)
    assert len(p.ringing()) == len(set(p.ringing().values())) == 2
    for name in ("a1", "a2"):
        p.accepts(name)
    assert sorted(p.talking().values()) == ["c1", "c2"]


def test_CW_14_whoever_waits_longest_comes_first() -> None:
    p = play(q("a1"), signed_in="")
    for name in ("c1", "c2", "c3"):
        p.call(name, "q1").on(1)
    p.call("c4", "q1").sign_in("a1")
    assert p.ringing() == {"a1": "c1"}


def test_TW_03_agents_on_a_call_count_as_present() -> None:
    p = play(q("a1", on_nobody=ToQueue("q2")), q("a2", name="q2"))
    p.call("c1", "q1").accepts("a1").call("c2", "q1")
    assert p.waiting("q1") == ["c2"]
    p.on(5).agent_hangs_up("a1").pause("a1")
    assert p.ringing() == {"a2": "c2"}


def test_TW_04_longest_idle_by_default_and_second_keys() -> None:
    assert QueueSpec(id="x", name="X").policy == ("longest-idle",)
    p = play(q("a1:10 a2:10 a3:11", "priority round-robin"))
    p.call("c1", "q1").accepts("a1").on(5).agent_hangs_up("a1").call("c2", "q1")
    assert p.ringing() == {"a2": "c2"}


def test_TW_14_who_waits_is_known_and_who_is_known_waits() -> None:
    p = play(q("a1 a2", policy="ring-all"))
    for number in range(8):
        p.call(f"c{number}", "q1").on(1)
    p.caller_hangs_up("c3").accepts("a1").lose().on(2).back()
    channels = {n for n, c in p.pbxes["office"].callers.items() if c.talks_to is None}
    assert channels == set(p.waiting("q1"))


def test_BT_01_a_pause_sends_to_the_back_of_the_line() -> None:
    p = play(q("a1 a2"), signed_in="").sign_in("a1").on(5).sign_in("a2").on(5)
    p.pause("a1").on(1).resume("a1").call("c1", "q1")
    assert p.ringing() == {"a2": "c1"}


@pytest.mark.parametrize(("limit", "rings"), [(0, 10), (1, 1), (3, 3)])
def test_BT_04_after_how_many_misses_one_is_paused(limit: int, rings: int) -> None:
    p = play(q("a1", auto_pause=limit)).call("c1", "q1").until(59.9)
    assert len(p.rings()) == rings
    assert (p.state("a1") is AgentState.PAUSED) == bool(limit)


def test_BT_09_a_transfer_back_to_the_queue_goes_to_another_agent() -> None:
    p = play(q("a1 a2", "round-robin", wrap_up=20.0)).call("c1", "q1").accepts("a1").on(9)
    p.transfers("c1").call("c1", "q1", entered_at=0.0)
    assert p.ringing() == {"a2": "c1"}
    assert p.find("c1").entered_at == 0


def test_BT_11_both_are_busy_until_their_own_leg_ends() -> None:
    p = play(q("a1 a2")).call("c1", "q1").accepts("a1").on(5)
    p.transfers("c1", TransferKind.ATTENDED).phone_is("a2", DeviceState.IN_USE).call("c2", "q1")
    assert p.ringing() == {}
    p.agent_hangs_up("a1")
    assert p.ringing() == {"a1": "c2"}


def test_OA_01_the_direction_of_priority() -> None:
    p = play(q("a1")).pause("a1").call("low", "q1", priority=100)
    p.call("x", "q1").call("y", "q1").call("high", "q1", priority=1)
    assert p.waiting("q1") == ["high", "x", "y", "low"]


@pytest.mark.parametrize("policy", ["random", "priority", "round-robin", "longest-idle"])
def test_OA_03_twenty_callers_five_agents(policy: str) -> None:
    p = play(q("a1 a2 a3 a4 a5", policy))
    for number in range(20):
        p.call(f"c{number:02}", "q1").on(0.002)
    assert sorted(name for _, name in p.rings()) == ["a1", "a2", "a3", "a4", "a5"]
    assert sorted(p.ringing().values()) == [f"c{number:02}" for number in range(5)]
    assert [n for n in p.waiting("q1") if n not in p.ringing().values()] == [
        f"c{number:02}" for number in range(5, 20)
    ]


def test_OA_04_a_phone_that_registers_anew_while_it_rings() -> None:
    p = play(q("a1", auto_pause=3)).call("c1", "q1").on(1)
    p.phone_is("a1", DeviceState.UNREACHABLE).phone_is("a1", DeviceState.IDLE)
    assert p.ringing() == {"a1": "c1"}
    p.until(6)
    assert p.ringing() == {"a1": "c1"}
    assert p.agent("a1").pause is None


def test_OA_05_signing_out_during_wrap_up_closes_it() -> None:
    p = play(q("a1", wrap_up=60.0)).call("c1", "q1").accepts("a1").on(5).agent_hangs_up("a1")
    p.sign_out("a1")
    assert len(p.notices(WrapUpStarted)) == len(p.notices(WrapUpEnded)) == 1


def test_BB_01_the_rate_of_rings() -> None:
    p = play(q("a1 a2 a3", "ring-all", ring_for=5.0, retry_after=1.0, max_wait=600.0))
    p.call("c1", "q1").until(700)
    assert len(p.rings()) == 3 * 600 / 6


def test_BB_02_ring_all_with_two_callers() -> None:
    p = play(q("a1 a2", "ring-all")).call("c1", "q1").call("c2", "q1").on(3)
    assert len(p.rings()) == 2
    p.accepts("a2")
    assert p.talking() == {"a2": "c1"}
    assert p.ringing() == {"a1": "c2"}


def test_BB_02_the_first_of_two_abandons() -> None:
    p = play(q("a1 a2", "ring-all")).call("c1", "q1").call("c2", "q1").on(3).caller_hangs_up("c1")
    assert p.ringing() == {"a1": "c2", "a2": "c2"}


def test_BB_04_round_robin_with_refusals_alternates() -> None:
    p = play(q("a1 a2", "round-robin", max_wait=None))
    for phone in p.everyone():
        phone.says(LegEnd.DECLINED, after=1.0)
    p.call("c1", "q1").until(400)
    who = [name for _, name in p.rings()]
    assert abs(who.count("a1") - who.count("a2")) <= 1
    assert all(a != b for a, b in pairwise(who))


def test_BB_05_no_head_of_line_blocking() -> None:
    assert play(q()).call("c1", "q1").call("c2", "q1").ringing() == {"a1": "c1", "a2": "c2"}


def test_BB_08_one_is_picked_the_other_rings_on() -> None:
    p = play(q()).call("c1", "q1").call("c2", "q1").accepts("a1")
    assert p.ringing() == {"a2": "c2"}
    assert p.stops() == []


def test_KZ_02_devices_change_without_a_new_sign_in() -> None:
    p = play(agent("a1", desk("a1")), q("a1"))
    p.reload(table(agent("a1", desk("a1"), mobile("a1")), q("a1"))).call("c1", "q1")
    assert len(p.rings()) == 2


def test_KZ_03_pausing_while_ringing() -> None:
    p = play(q("a1 a2", "round-robin")).call("c1", "q1").on(2).pause("a1")
    assert p.rings() == [(0, "a1"), (2, "a2")]
    assert p.agent("a1").misses == 0


def test_KZ_07_a_restart_in_wrap_up() -> None:
    p = play(q("a1", wrap_up=9.0), signed_in="")
    p.now = 4.0
    p.feed(AgentRestored(row=AgentRow(agent="a1", signed_in=True, wrap_until=10.0, idle_since=0.0)))
    p.call("c1", "q1").until(30)
    assert p.rings()[0] == (10, "a1")


def test_AI_04_each_wraps_up_from_their_own_end() -> None:
    p = play(q("a1", name="q1", wrap_up=5.0), q("a2", name="q2", wrap_up=5.0))
    p.call("c1", "q1").accepts("a1").on(9).transfers("c1")
    assert p.state("a1") is AgentState.WRAP_UP
    p.call("c1", "q2", entered_at=0.0).accepts("a2").on(20)
    assert p.state("a1") is AgentState.AVAILABLE
    p.agent_hangs_up("a2")
    assert p.state("a2") is AgentState.WRAP_UP


def test_AI_05_counts_are_exact() -> None:
    names = " ".join(f"a{n:02}" for n in range(40))
    p = play(q(names, at_once=2, wrap_up=1.0, max_wait=None))
    for phone in p.everyone():
        phone.picks_up(after=1.0)
    for number in range(100):
        p.call(f"c{number}", "q1").on(0.1)
    while not p.quiet():
        p.on(5)
        for name in list(p.talking()):  # some of them have hardly talked
            p.agent_hangs_up(name)
    counted = sum(agent.calls for agent in p.router.floor.agents.values())
    requeued = len(p.notices(CallRequeued))
    assert counted == len(p.notices(ConversationStarted)) - requeued == 100
    assert requeued > 0
    assert p.router.floor.queues["q1"].answered == 100


def test_AI_07_a_heavier_queue_without_this_agent_blocks_nothing() -> None:
    p = play(q("a1", name="q1", weight=9), q("a2", name="q2"), signed_in="")
    p.call("c1", "q1").call("c2", "q2").sign_in("a2")
    assert p.ringing() == {"a2": "c2"}


def test_AI_08_09_two_queues_one_agent_and_an_urgent_call() -> None:
    p = play(q("a1", name="q1"), q("a1", name="q2"), signed_in="")
    p.call("c1", "q1").on(1).call("c2", "q2").on(1).call("c3", "q1", priority=1).sign_in("a1")
    served = []
    for _ in range(3):
        served.append(p.ringing()["a1"])
        p.accepts("a1").on(5).agent_hangs_up("a1")
    assert served == ["c3", "c1", "c2"]


def test_AI_13_each_pause_starts_its_own_clock() -> None:
    p = play(q("a1")).pause("a1").on(5).resume("a1").on(20).pause("a1")
    assert p.agent("a1").paused_at == 25


@pytest.mark.parametrize("size", [(20, 5), (2000, 50)])
def test_AI_15_a_phones_change_costs_the_same_at_any_size(size: tuple[int, int]) -> None:
    agents, queues = size
    names = [f"a{n}" for n in range(agents)]
    parts = [q(" ".join(names[n::queues]), name=f"q{n}", max_wait=None) for n in range(queues)]
    p = play(*parts, signed_in="")
    for name in names:  # without `check` after each
        p.router.handle(SignedIn(agent=name), p.now)
    events = [
        EndpointChanged(pbx="office", endpoint=f"PJSIP/{names[n]}", state=state)
        for n in range(20)
        for state in (DeviceState.IN_USE, DeviceState.IDLE)
    ]
    for event in events:  # what is made once is made
        p.router.handle(event, p.now)
    calls = 0

    def count(_frame: Any, what: str, _arg: Any) -> None:
        nonlocal calls
        calls += what in {"call", "c_call"}

    sys.setprofile(count)
    try:
        for event in events:
            p.router.handle(event, p.now)
    finally:
        sys.setprofile(None)
    assert calls / len(events) < 200, "function calls for one change"
    p.call("c1", "q0")
    assert p.ringing() == {"a0": "c1"}


def test_AI_19_talk_time_ends_when_the_agent_leaves() -> None:
    p = play(q("a1")).call("c1", "q1").accepts("a1").on(30)
    p.transfers("c1", TransferKind.ATTENDED).on(10).agent_hangs_up("a1").on(3600)
    assert p.agent("a1").talk == 40


def test_OT_14_an_overflow_that_comes_back_keeps_the_first_arrival() -> None:
    p = play(q("a1", name="q1", max_wait=9.0, on_max_wait=ToQueue("q2")), q("a1", name="q2"))
    p.pause("a1").call("c1", "q1").until(12)
    assert p.find("c1").entered_at == 0
    assert p.find("c1").queue.id == "q2"
