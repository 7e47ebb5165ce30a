"""Ringing: how many at once, how long, in which rounds, on which devices."""

from __future__ import annotations

import pytest

from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Ring
from callrouter.model.events import DeviceState, LegEnd
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

# ---------------------------------------------------------------- how many at once


@pytest.mark.parametrize(
    ("at_once", "first"), [(1, {"ann"}), (2, {"ann", "bob"}), (None, {"ann", "bob", "cat"})]
)
def test_at_once_rings_so_many(at_once: int | None, first: set[str]) -> None:
    play = Play(table(queue("q", "ann bob cat", "round-robin", at_once=at_once)))
    play.call("c1", "q")
    assert play.ringing().keys() == first


def test_with_two_at_once_a_refusal_brings_in_the_third_at_once() -> None:
    play = Play(table(queue("q", "ann bob cat", "round-robin", at_once=2)))
    play.phone("ann").says(LegEnd.DECLINED, after=4)
    play.call("c1", "q").on(4)
    assert play.ringing().keys() == {"bob", "cat"}
    assert play.rings("cat") == [(4, "cat")]


@pytest.mark.parametrize(("at_once", "rings"), [(2, False), (3, True), (None, True)])
def test_someone_who_becomes_free_joins_a_call_that_wants_more(
    at_once: int | None, rings: bool
) -> None:
    play = Play(table(queue("q", "ann bob cat", at_once=at_once)), signed_in="ann bob")
    play.call("c1", "q").on(7).sign_in("cat")
    assert ("cat" in play.ringing()) == rings
    if rings:
        play.until(20)
        assert play.ringing() == {"cat": "c1"}, "each rings for `ring_for` from their own start"
        play.until(27)
        assert play.ringing() == {}


# ---------------------------------------------------------------- how long, and in which rounds


def test_each_rings_for_ring_for_and_then_the_next() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", ring_for=7, retry_after=3)))
    play.call("c1", "q").until(40)
    assert play.rings() == [(0, "ann"), (7, "bob"), (17, "ann"), (24, "bob"), (34, "ann")]


def test_retry_after_waits_only_when_everyone_free_has_been_tried() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", ring_for=5, retry_after=10)))
    play.call("c0", "q").accepts("ann")
    play.call("c1", "q").until(8)
    assert play.ringing() == {}, "bob was tried, ann talks: a pause"
    play.agent_hangs_up("ann")
    assert play.rings(call="c1")[-1] == (8, "ann"), "someone untried is rung in the pause"
    play.until(22.9)
    assert play.ringing() == {}, "everyone was tried again"
    play.until(23)
    assert len(play.ringing()) == 1, "ten seconds after the last of them failed"


def test_a_withdrawn_offer_does_not_stretch_the_retry_pause() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", ring_for=5, retry_after=6)))
    play.pause("bob").call("c1", "q").until(7)
    play.resume("bob")
    assert play.ringing() == {"bob": "c1"}
    play.until(9).pause("bob")
    play.until(10.9)
    assert play.ringing() == {}
    play.until(11)
    assert play.ringing() == {"ann": "c1"}, "six seconds after ann missed it"


def test_with_no_pause_at_all_it_still_ends() -> None:
    play = Play(table(queue("q", "ann bob", ring_for=2, retry_after=0, auto_pause=0)))
    play.phone("ann").says(LegEnd.BUSY)
    play.call("c1", "q").until(9)
    assert play.rings("bob") == [(at, "bob") for at in (0, 2, 4, 6, 8)]


# ---------------------------------------------------------------- devices


def test_a_second_device_rings_after_its_delay_and_both_go_on() -> None:
    spec = agent("ann", desk("ann"), mobile("ann", ring_after=10))
    play = Play(table(spec, queue("q", "ann", ring_for=25)))
    play.call("c1", "q").until(9.9)
    assert len(play.rings()) == 1
    play.until(10)
    orders = [order for _, order in play.log if isinstance(order, Ring)]
    assert [order.device for order in orders] == ["desk", "mobile"]
    assert [order.ring_for for order in orders] == [25, 15]
    assert [order.confirm for order in orders] == [False, True]


def test_the_delay_is_counted_from_the_first_device_that_can_ring() -> None:
    spec = agent("ann", desk("ann"), mobile("ann", ring_after=10))
    play = Play(table(spec, queue("q", "ann")))
    play.phone_is("ann", DeviceState.UNREACHABLE).call("c1", "q")
    assert [o.device for _, o in play.log if isinstance(o, Ring)] == ["mobile"]


def test_when_the_first_device_fails_the_next_rings_at_once() -> None:
    spec = agent("ann", desk("ann"), mobile("ann", ring_after=10))
    play = Play(table(spec, queue("q", "ann")))
    play.phone("ann").says(LegEnd.BUSY, after=2)
    play.call("c1", "q").until(2)
    assert [at for at, _ in play.rings()] == [0, 2]
    play.until(19.9)
    assert play.ringing() == {"ann": "c1"}
    play.until(20)
    assert play.ringing() == {}
    assert play.outcomes("ann") == ["no answer"]


def test_a_following_device_that_has_become_unreachable_is_not_rung() -> None:
    spec = agent("ann", desk("ann"), desk("ann", id="home", endpoint="PJSIP/home", ring_after=5))
    play = Play(table(spec, queue("q", "ann")))
    play.phone("ann").says(LegEnd.BUSY, after=2)
    play.call("c1", "q")
    play.phone_is("home", DeviceState.UNREACHABLE).until(2)
    assert len(play.rings()) == 1
    assert play.outcomes("ann") == ["busy"]


def test_two_phones_of_one_person_ring_together_and_one_stops_when_the_other_accepts() -> None:
    spec = agent("ann", desk("ann"), desk("ann", id="home", endpoint="PJSIP/home"))
    play = Play(table(spec, queue("q", "ann")))
    play.call("c1", "q")
    assert len(play.rings("ann")) == 2
    play.accepts("ann")
    assert play.talking() == {"ann": "c1"}
    assert play.ringing() == {}
    assert play.state("ann") is AgentState.ON_CALL


def test_a_reload_does_not_stretch_a_ring_that_goes_on() -> None:
    spec = agent("ann", desk("ann"), mobile("ann", ring_after=10))
    play = Play(table(spec, queue("q", "ann", ring_for=15)))
    play.call("c1", "q").until(5)
    play.reload(table(spec, queue("q", "ann", ring_for=60))).until(15)
    assert [o.ring_for for _, o in play.log if isinstance(o, Ring)] == [15, 5]
    assert play.ringing() == {}


# ---------------------------------------------------------------- mobiles that ask for key 1


def confirming(**rules: float) -> Play:
    spec = agent("ann", mobile("ann"))
    return Play(table(spec, queue("q", "ann bob", "round-robin", **rules)))


def test_a_mobile_that_is_picked_up_is_not_connected_until_key_1() -> None:
    play = confirming()
    play.phone("ann", "mobile").picks_up(after=3, key_1=4)
    play.call("c1", "q").until(6)
    assert play.talking() == {}
    play.until(7)
    assert play.talking() == {"ann": "c1"}


def test_voicemail_never_gets_the_caller() -> None:
    play = confirming()
    play.phone("ann", "mobile").is_voicemail(after=3, listens=10)
    play.call("c1", "q").until(13)
    assert play.talking() == {}
    assert play.outcomes("ann") == ["not accepted"]
    assert play.ringing() == {"bob": "c1"}
    assert (play.agent("ann").misses, play.failures("ann", "mobile")) == (0, 1), (
        "silence is a refusal: only a ring that ran out is a miss"
    )


def test_whoever_picked_up_before_time_was_up_may_still_press_1() -> None:
    play = confirming(ring_for=10)
    play.phone("ann", "mobile").picks_up(after=9, key_1=5)
    play.call("c1", "q").until(13)
    assert play.ringing() == {"ann": "c1"}
    play.until(14)
    assert play.talking() == {"ann": "c1"}


def test_a_picked_up_leg_that_is_never_decided_is_given_up() -> None:
    play = confirming(ring_for=10)
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q").until(7.9)
    assert play.ringing() == {"ann": "c1"}
    play.until(26.9)
    assert play.outcomes("ann") == []
    play.until(27)
    assert play.outcomes("ann") == ["not accepted"]


def test_a_forgotten_mobile_does_not_end_the_ringing_of_the_desk_phone() -> None:
    spec = agent("ann", desk("ann"), mobile("ann"))
    play = Play(table(spec, queue("q", "ann", ring_for=75)))
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q").until(40)
    assert play.ringing() == {"ann": "c1"}, "the mobile was stopped at 27 s, the desk rings on"
    assert len(play.pbxes["office"].legs) == 1
    play.accepts("ann")
    assert play.talking() == {"ann": "c1"}


def test_two_mobiles_accept_at_the_same_instant_and_one_wins() -> None:
    parts = (agent("ann", mobile("ann")), agent("bob", mobile("bob")))
    play = Play(table(*parts, queue("q", "ann bob", "ring-all")))
    for name in ("ann", "bob"):
        play.phone(name, "mobile").picks_up(after=1, key_1=2)
    play.call("c1", "q").until(3)
    assert len(play.talking()) == 1
    assert play.ringing() == {}
    (loser,) = {"ann", "bob"} - play.talking().keys()
    assert play.state(loser) is AgentState.AVAILABLE
    assert play.agent(loser).misses == 0


# ---------------------------------------------------------------- phones that misbehave


def test_an_unreachable_phone_is_passed_over_in_no_time_and_rests_five_seconds() -> None:
    play = Play(table(queue("q", "ann bob", "priority", retry_after=1, ring_for=2)))
    play.phone("ann").says(LegEnd.UNREACHABLE)
    play.phone("bob").says(LegEnd.DECLINED)
    play.call("c1", "q").until(4.9)
    assert play.rings("ann") == [(0, "ann")]
    assert play.state("ann") is AgentState.OFFLINE
    assert play.agent("ann").misses == 0
    play.until(5)
    assert play.rings("ann") == [(0, "ann"), (5, "ann")]


def test_a_phone_that_registers_is_rung_before_its_rest_is_over() -> None:
    play = Play(table(queue("q", "ann", retry_after=60)))
    play.phone("ann").says(LegEnd.UNREACHABLE)
    play.call("c1", "q").until(1)
    play.phone("ann").lets_it_ring()
    play.phone_is("ann", DeviceState.UNREACHABLE).phone_is("ann", DeviceState.IDLE)
    assert play.agent("ann").open
    play.call("c2", "q")
    assert play.ringing() == {"ann": "c2"}


def test_whoever_refuses_call_after_call_is_left_in_peace_for_longer_and_longer() -> None:
    play = Play(table(queue("q", "ann", retry_after=0)))
    play.phone("ann").says(LegEnd.DECLINED)
    play.call("c1", "q").until(130)
    times = [at for at, _ in play.rings("ann")]
    assert times[:8] == [0, 0, 2, 6, 14, 30, 60, 90]


def test_an_accepted_call_ends_the_growing_rests() -> None:
    play = Play(table(queue("q", "ann", retry_after=0)))
    play.phone("ann").says(LegEnd.DECLINED)
    play.call("c1", "q").until(3)
    assert play.failures("ann") == 3
    play.phone("ann").picks_up()
    play.until(6)
    assert play.talking() == {"ann": "c1"}
    assert play.failures("ann") == 0


def test_a_dead_phone_holds_nobody_up_and_its_agent_is_let_go_two_seconds_later() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", ring_for=5)))
    play.pbxes["office"].deaf.add("PJSIP/ann")
    play.phone("ann").is_dead()
    play.call("c1", "q").until(5)
    assert play.rings("bob") == [(3, "bob")], "a phone that does not even ring is not waited for"
    assert play.agent("ann").offers, "its phone is not known to be quiet yet"
    play.until(7)
    assert not play.agent("ann").offers
    assert play.state("ann") is AgentState.OFFLINE, "its phone rests for half a minute"
    assert any("did not stop ringing" in note for note in play.oddities())


def test_a_phone_is_not_rung_for_the_next_call_before_it_is_quiet() -> None:
    play = Play(table(queue("q", "ann", ring_for=5)))
    play.pbxes["office"].deaf.add("PJSIP/ann")
    play.call("c1", "q").call("c2", "q").until(1)
    play.caller_hangs_up("c1")
    assert play.rings() == [(0, "ann")]
    (leg,) = play.pbxes["office"].legs.values()
    play.pbxes["office"].end_leg(leg, LegEnd.HUNG_UP)
    play.on(0)
    assert play.rings() == [(0, "ann"), (1, "ann")]
