"""Cases restated from other people's tests that concern agents and their devices, by id.

Covered here, beside what `test_cases` has: WZ-04 (all states), WZ-13, WZ-18, WZ-19, WZA-23, AST-36 and
OT-03 (what comes of a voicemail), AST-42, FS-09, AI-13 (with a longest length), KZ-02, KZ-07, AST-46 and
OT-02 (a mobile that rings together with others).

Unless a case says otherwise: ring 5 s, retry 1 s, max wait 60 s, no wrap-up, no auto-pause, one queue, all
agents signed in and idle.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from callrouter.core.agents.unavailability_text import device_lines, why_not
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import StopReason
from callrouter.model.events import DeviceState, DeviceSwitchRequested, LegEnd, PauseRequested
from callrouter.model.notices import AgentPaused, AgentResumed, AgentStatusChanged
from callrouter.model.routing_table import PauseEnd, PauseSpec
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table
from tests.core.test_cases import play, q
from tests.core.test_restarts import restarted


def states(p: Play, name: str) -> list[str]:
    """Every state that was told of an agent."""
    return [record.status.state.value for record in p.notices(AgentStatusChanged, agent=name)]


def test_WZ_04_the_full_cycle_of_states() -> None:
    p = play(q("a1", wrap_up=10), signed_in="")
    p.sign_in("a1").on(1).pause("a1").on(1).resume("a1")
    p.phone("a1").lets_it_ring()
    p.call("c1", "q1").on(2).accepts("a1").on(5).agent_hangs_up("a1").on(10).sign_out("a1")
    assert states(p, "a1") == [
        *("available", "paused", "available", "reserved", "ringing", "on-call"),
        *("wrap-up", "available", "offline"),
    ]
    times = [record.at for record in p.notices(AgentStatusChanged, agent="a1")]
    assert times == [0, 1, 2, 2, 2, 4, 9, 19, 19], "each in the instant of what causes it"


@pytest.mark.parametrize("pbx_first", [True, False])
def test_WZ_13_a_restart_keeps_what_people_chose(pbx_first: bool) -> None:
    specs = table(
        agent("a1", desk("a1"), mobile("a1")), q("a1 a2 a3"), queue("q2", "a3", retry_after=1)
    )
    p = Play(specs, signed_in="a1 a2")
    p.feed(DeviceSwitchRequested(agent="a1", device="desk", on=False, by="a1"))
    p.feed(PauseRequested(agent="a2", reason="lunch", by="sam"))
    new = restarted(p, specs, pbx_first=pbx_first)
    assert [new.state(name).value for name in ("a1", "a2", "a3")] == [
        "available", "paused", "offline",
    ]  # fmt: skip
    new.call("c1", "q1")
    assert [leg.ring.device for leg in new.pbxes["office"].legs.values()] == ["mobile"]
    assert why_not(new.router.floor, new.agent("a2")) == ["paused by sam at 00:00: lunch"]


def test_WZ_18_the_phone_of_an_agent_who_is_deleted_is_free() -> None:
    p = play(agent("a1", desk("x")), agent("a2", desk("x")), q("a1 a2"), signed_in="a1")
    p.phone_is("x", DeviceState.UNREACHABLE)
    p.reload(table(agent("a2", desk("x")), q("a2"))).sign_in("a2").call("c1", "q1")
    p.phone_is("x", DeviceState.IDLE)
    assert p.ringing() == {"a2": "c1"}
    assert "a1" not in p.router.floor.agents


def test_WZ_19_signing_out_works_while_the_telephone_system_does_not() -> None:
    p = play(q("a1")).call("c1", "q1").lose().sign_out("a1")
    assert not p.agent("a1").signed_in
    p.back()
    assert p.talking() == {}
    assert p.state("a1") is AgentState.OFFLINE
    assert p.agent("a1").offers == {}


def test_WZA_23_two_desk_phones_of_one_agent() -> None:
    phones = (desk("a1"), desk("a1", id="lab", endpoint="PJSIP/lab"))
    p = play(agent("a1", *phones), q("a1"))
    p.call("c1", "q1").call("c2", "q1")
    pbx = p.pbxes["office"]
    assert sorted((leg.ring.device, leg.ring.call) for leg in pbx.legs.values()) == [
        ("desk", "c1"), ("lab", "c1"),
    ]  # fmt: skip
    pbx.press_1(next(leg for leg in pbx.legs.values() if leg.ring.device == "lab"))
    p.on()
    assert [(order.device, order.why) for _, order in p.stops()] == [
        ("desk", StopReason.ANSWERED_ELSEWHERE)
    ]
    assert p.state("a1") is AgentState.ON_CALL
    assert p.waiting("q1") == ["c2"]


def test_AST_46_OT_02_a_mobile_answered_among_others_stops_none_before_its_key() -> None:
    p = play(agent("m1", mobile("m1")), q("m1 a1", "ring-all", ring_for=20))
    p.phone("m1", "mobile").picks_up(after=1, key_1=3)
    p.call("c1", "q1").until(3.9)
    assert p.ringing() == {"m1": "c1", "a1": "c1"}
    assert p.stops() == []
    p.until(4)
    assert p.talking() == {"m1": "c1"}
    assert [(at, order.why) for at, order in p.stops()] == [(4, StopReason.ANSWERED_ELSEWHERE)]
    a1 = p.agent("a1")
    assert (a1.misses, p.failures("a1"), p.state("a1")) == (0, 0, AgentState.AVAILABLE)


def test_AST_36_OT_03_a_voicemail_never_gets_the_caller_and_is_soon_left_alone() -> None:
    p = play(agent("m1", mobile("m1")), q("m1:1 a2:2", "priority", ring_for=20))
    p.phone("m1", "mobile").is_voicemail(after=1, listens=5)
    p.phone("a2").picks_up()
    waits = []
    for number in range(5):
        began = p.now
        p.call(f"c{number}", "q1")
        while not p.talking():
            p.on(1)
        waits.append(p.now - began)
        assert p.talking() == {"a2": f"c{number}"}
        p.on(2).agent_hangs_up("a2")
    assert waits == [6, 6, 0, 0, 0], "from the second voicemail on nobody waits for it"
    assert p.agent("m1").misses == 0
    assert len(p.told("m1")) == 1


def test_AST_42_an_unreachable_phone_is_flagged_so_and_misses_nothing() -> None:
    p = play(q("a1 a2", "priority", auto_pause=1))
    p.phone("a1").says(LegEnd.UNREACHABLE)
    p.call("c1", "q1")
    assert p.ringing() == {"a2": "c1"}
    assert (p.agent("a1").misses, p.agent("a1").pause) == (0, None)
    assert device_lines(p.router.floor, p.agent("a1")) == [
        "desk (office): could not be reached; rung again in 5 s"
    ]


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (LegEnd.BUSY, "busy"),
        (LegEnd.DECLINED, "declined"),
        (LegEnd.UNAVAILABLE, "unavailable"),
        (LegEnd.UNREACHABLE, "unreachable"),
        (LegEnd.NO_ANSWER, "no answer"),
    ],
)
def test_FS_09_each_way_to_fail_has_its_reason_and_only_ringing_out_is_a_miss(
    why: LegEnd, reason: str
) -> None:
    p = play(q("a1"))
    p.phone("a1").says(why, after=5 if why is LegEnd.NO_ANSWER else 0)
    p.call("c1", "q1").until(5.5)
    assert set(p.outcomes("a1")) == {reason}
    assert (p.agent("a1").misses > 0) is (why is LegEnd.NO_ANSWER)
    rings = [at for at, _ in p.until(30).rings("a1")]
    if why is LegEnd.UNREACHABLE:
        assert all(later - sooner >= 5 for sooner, later in pairwise(rings))


def test_AI_13_each_pause_has_its_whole_length() -> None:
    pauses = {"tea": PauseSpec(reason="tea", longest=20.0, then=PauseEnd.RESUME)}
    p = Play(replace(table(q("a1")), pauses=pauses))
    p.pause("a1", "tea").on(5).resume("a1").on(20).pause("a1", "tea").on(19)
    assert p.state("a1") is AgentState.PAUSED
    p.on(1)
    assert p.state("a1") is AgentState.AVAILABLE
    ends = [r.at for r in p.notices(AgentResumed)]
    starts = [r.at for r in p.notices(AgentPaused)]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [5, 20]


def test_KZ_02_a_device_that_is_added_or_switched_on_rings_the_caller_who_waits() -> None:
    p = play(agent("a1", desk("a1", enabled=False)), q("a1")).call("c1", "q1").on(3)
    assert p.ringing() == {}
    p.reload(table(agent("a1", desk("a1", enabled=False), mobile("a1")), q("a1")))
    assert p.rings() == [(3, "a1")]


@pytest.mark.parametrize("dead_for", [1.0, 5.0, 30.0])
def test_KZ_07_a_wrap_up_ends_when_it_would_have(dead_for: float) -> None:
    specs = table(q("a1", wrap_up=10))
    p = Play(specs).call("c1", "q1").accepts("a1").on(5).agent_hangs_up("a1").on(4)
    p.call("c2", "q1")
    new = restarted(p, specs, after=dead_for, pbx_first=True)
    new.until(40)
    assert new.rings(call="c2")[0] == (max(15.0, 9.0 + dead_for), "a1")
