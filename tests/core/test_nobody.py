"""`on_nobody` looks at phones as well: who is signed in and has nothing that could ring is not waited for."""

from __future__ import annotations

from datetime import UTC

import pytest

from callrouter.model.events import DeviceState, DeviceSwitchRequested, LegEnd
from callrouter.model.hours import Hours, Span
from callrouter.model.routing_table import KeepWaiting, QueueSpec, ToDialplan
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

OUT = ToDialplan("out", "s")


def q(members: str = "ann", **more: object) -> QueueSpec:
    return queue("q", members, **{"on_nobody": OUT, **more})  # type: ignore[arg-type]


def test_all_desks_unplugged_callers_leave_after_nobody_after() -> None:
    play = Play(table(q("ann bob")))
    play.phone_is("ann", DeviceState.UNREACHABLE).until(50)
    play.phone_is("bob", DeviceState.UNREACHABLE).call("c1", "q").until(59)
    assert play.left("c1") is None
    play.until(60)
    left = play.left("c1")
    assert left is not None
    assert (left.result.value, left.target) == ("nobody", OUT)
    play.call("c2", "q")
    assert play.left("c2") is not None, "there has been none for long enough"


def test_a_phone_that_registers_again_in_time_keeps_the_callers() -> None:
    play = Play(table(q(nobody_after=30.0)))
    play.phone_is("ann", DeviceState.UNREACHABLE).call("c1", "q").until(29)
    play.phone_is("ann", DeviceState.IDLE)
    assert play.ringing() == {"ann": "c1"}
    play.until(40)
    assert play.left("c1") is None


def test_each_outage_is_counted_by_itself() -> None:
    play = Play(table(q()))
    for at in (0, 20, 40):
        play.until(at).phone_is("ann", DeviceState.UNREACHABLE)
        if not at:
            play.call("c1", "q")
        play.until(at + 9).phone_is("ann", DeviceState.IN_USE)
    assert play.left("c1") is None


@pytest.mark.parametrize("state", [DeviceState.IN_USE, DeviceState.IDLE])
def test_busy_is_present(state: DeviceState) -> None:
    play = Play(table(q(ring_for=5.0, auto_pause=0)))
    play.phone_is("ann", state).call("c0", "q").call("c1", "q").until(60)
    assert play.left("c1") is None


def test_agents_in_a_talk_and_in_wrap_up_are_waited_for() -> None:
    play = Play(table(q(wrap_up=100.0)))
    play.call("c0", "q").accepts("ann").call("c1", "q").until(60)
    play.agent_hangs_up("ann").until(120)
    assert play.left("c1") is None


def test_without_anyone_signed_in_and_unpaused_callers_leave_at_once() -> None:
    play = Play(table(q(nobody_after=60.0)), signed_in="")
    play.call("c1", "q")
    assert play.left("c1") is not None
    play.sign_in("ann").call("c2", "q").until(5).pause("ann")
    assert play.left("c2") is not None


def test_phones_on_the_other_pbx_only_are_none_for_a_caller_here() -> None:
    people = agent("ann", desk("ann", pbxes=("cloud",)))
    play = Play(table(people, q()), pbxes=("office", "cloud"))
    play.call("c1", "q").until(9)
    assert play.left("c1") is None
    play.until(10)
    assert play.left("c1") is not None
    play.call("c2", "q", pbx="cloud").until(30)
    assert play.left("c2") is None


def test_when_the_last_who_has_a_phone_here_goes_on_a_break_others_do_not_count() -> None:
    away = agent("ann", desk("ann", pbxes=("cloud",)))
    play = Play(table(away, q("ann bob", nobody_after=5.0)), pbxes=("office", "cloud"))
    play.until(100).call("c0", "q").accepts("bob").call("c1", "q").until(110)
    assert play.left("c1") is None
    play.agent_hangs_up("bob").accepts("bob").on(5).call("c2", "q")
    play.feed(DeviceSwitchRequested(agent="bob", device="desk", on=False))
    start = play.now
    play.until(start + 4.5)
    assert play.left("c2") is None
    play.until(start + 5)
    assert play.left("c2") is not None


def test_a_mobile_outside_its_hours_is_none() -> None:
    day = Hours(tuple(Span(day, 0, 60) for day in range(7)), UTC)  # the first hour of each day
    people = agent("ann", mobile("ann", number="+447700900123", hours=day))
    play = Play(table(people, q()), now=3590.0)
    play.call("c1", "q").until(3609)
    assert play.left("c1") is None
    play.until(3625)
    assert play.left("c1") is not None


def test_a_mobile_that_is_out_of_reach_for_minutes_is_none_and_one_that_declines_is() -> None:
    people = [agent(n, mobile(n, number=f"+4477009001{k}")) for k, n in ((1, "ann"), (2, "bob"))]
    one = queue("q", "ann", on_nobody=OUT, retry_after=1.0)
    two = queue("r", "bob", on_nobody=OUT, retry_after=1.0)
    play = Play(table(*people, one, two))
    play.phone("ann", "mobile").says(LegEnd.UNREACHABLE)
    play.phone("bob", "mobile").says(LegEnd.DECLINED)
    play.call("c1", "q").call("c2", "r").until(40)
    assert play.left("c1") is not None
    assert play.left("c2") is None


def test_where_callers_are_to_wait_they_do() -> None:
    play = Play(table(q(on_nobody=KeepWaiting())))
    play.phone_is("ann", DeviceState.UNREACHABLE).call("c1", "q").until(500)
    assert play.left("c1") is None


def test_a_reload_that_changes_how_long_is_taken_up() -> None:
    play = Play(table(q(nobody_after=100.0)))
    play.phone_is("ann", DeviceState.UNREACHABLE).call("c1", "q").until(20)
    play.reload(table(q(nobody_after=30.0))).until(29)
    assert play.left("c1") is None
    play.until(30)
    assert play.left("c1") is not None


def test_a_break_of_the_link_changes_nothing_until_the_phones_are_seen_again() -> None:
    play = Play(table(q()))
    play.call("c0", "q").accepts("ann").call("c1", "q").until(5)
    play.lose().until(60)
    play.back().until(61)
    assert play.left("c1") is None
