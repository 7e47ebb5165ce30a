"""Agents: what they ask for, in every state, and what is true of them."""

from __future__ import annotations

import pytest

from callrouter.core.agents.unavailability_text import why_not
from callrouter.core.requests import refusal
from callrouter.model.agent_status import AgentState
from callrouter.model.events import (
    DeviceState,
    LegEnd,
    PauseRequested,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
)
from callrouter.model.notices import AgentPaused, AgentSignedIn, AgentSignedOut, WrapUpEnded
from tests.core.playbook import Play
from tests.core.tables import agent, always, desk, mobile, queue, table

# ---------------------------------------------------------------- the whole cycle


def test_every_state_is_shown_as_it_comes() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10)), signed_in="")
    seen = [play.state("ann")]
    play.phone("ann").is_dead()

    def then(_play: Play) -> None:
        seen.append(play.state("ann"))
        assert play.agent("ann").status.state is seen[-1]

    then(play.sign_in("ann"))
    then(play.call("c1", "q"))
    (leg,) = play.pbxes["office"].legs.values()
    play.pbxes["office"].ring(leg)
    then(play.on())
    then(play.accepts("ann"))
    then(play.on(5).agent_hangs_up("ann"))
    then(play.on(10))
    then(play.pause("ann"))
    then(play.sign_out("ann"))
    assert [state.value for state in seen] == [
        "offline",
        "available",
        "reserved",
        "ringing",
        "on-call",
        "wrap-up",
        "available",
        "paused",
        "offline",
    ]


# ---------------------------------------------------------------- sign-in and sign-out


def test_signing_in_again_changes_nothing() -> None:
    play = Play(table(queue("q", "ann")))
    play.pause("ann").on(5).sign_in("ann")
    assert play.state("ann") is AgentState.PAUSED
    assert len(play.notices(AgentSignedIn)) == 1


def test_signing_in_offers_a_waiting_call_at_once() -> None:
    play = Play(table(queue("q", "ann")), signed_in="")
    play.call("c1", "q").on(5).sign_in("ann")
    assert play.rings() == [(5, "ann")]


def test_signing_out_while_ringing_withdraws_the_offer_and_is_no_miss() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    play.call("c1", "q").on(3).sign_out("ann")
    assert play.ringing() == {"bob": "c1"}
    assert play.outcomes("ann") == ["withdrawn"]
    assert play.agent("ann").misses == 0
    assert play.state("ann") is AgentState.OFFLINE


def test_signing_out_during_a_call_takes_effect_after_it_and_there_is_no_wrap_up() -> None:
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q").accepts("ann").sign_out("ann")
    assert play.state("ann") is AgentState.ON_CALL
    play.on(5).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.OFFLINE
    assert play.notices(AgentSignedOut)[0].at == 5
    play.until(100)
    assert play.rings() == [(0, "ann")]


def test_a_sign_out_asked_for_during_a_call_is_taken_back_by_signing_in() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").accepts("ann").sign_out("ann").sign_in("ann").on(5).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_signing_in_again_while_the_phone_is_still_being_silenced_counts() -> None:
    play = Play(table(queue("q", "ann")))
    play.pbxes["office"].deaf.add("PJSIP/ann")
    play.call("c1", "q").on(1).sign_out("ann").sign_in("ann")
    assert play.agent("ann").signed_in


def test_signing_out_ends_a_wrap_up_and_its_record_is_closed() -> None:
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").on(2).sign_out("ann")
    assert len(play.notices(WrapUpEnded)) == 1
    play.on(100).sign_in("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_who_is_always_signed_in_can_only_pause() -> None:
    play = Play(table(always("ann"), queue("q", "ann")), signed_in="")
    assert play.state("ann") is AgentState.AVAILABLE
    assert "pause instead" in refusal(play.router.floor, SignedOut(agent="ann"))
    play.sign_out("ann")
    assert play.state("ann") is AgentState.AVAILABLE
    play.pause("ann")
    assert play.state("ann") is AgentState.PAUSED


# ---------------------------------------------------------------- pauses


def test_pausing_while_ringing_withdraws_the_offer_at_once() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority")))
    play.call("c1", "q").on(3).pause("ann")
    assert play.ringing() == {"bob": "c1"}
    assert play.state("ann") is AgentState.PAUSED
    assert play.agent("ann").misses == 0
    assert play.agent("ann").memberships["q"].turn == 0


def test_pausing_during_a_call_takes_effect_after_it() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10)))
    play.call("c1", "q").accepts("ann").on(1).pause("ann", "lunch").on(5)
    assert play.notices(AgentPaused) == []
    play.agent_hangs_up("ann")
    assert play.state("ann") is AgentState.PAUSED
    assert play.agent("ann").pause == "lunch"
    play.until(60).resume("ann")
    assert play.state("ann") is AgentState.AVAILABLE, "the wrap-up is long over"


def test_resuming_takes_a_pending_pause_back() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").accepts("ann").pause("ann").resume("ann").on(5).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_coming_back_from_a_pause_goes_to_the_back_of_the_line() -> None:
    play = Play(table(queue("q", "ann bob")), signed_in="")
    play.sign_in("ann").on(10).sign_in("bob").on(10).pause("ann").on(1).resume("ann")
    play.call("c1", "q")
    assert play.ringing() == {"bob": "c1"}


def test_pause_during_wrap_up_leaves_the_wrap_up_running() -> None:
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").on(2)
    play.pause("ann").on(3).resume("ann")
    assert play.state("ann") is AgentState.WRAP_UP
    play.until(35)
    assert play.state("ann") is AgentState.AVAILABLE


def test_a_signed_out_agent_can_not_pause_and_carries_no_hidden_pause() -> None:
    play = Play(table(queue("q", "ann")), signed_in="")
    for event in (PauseRequested(agent="ann"), Resumed(agent="ann"), ReadyPressed(agent="ann")):
        assert "not signed in" in refusal(play.router.floor, event)
    play.pause("ann").sign_in("ann")
    assert play.state("ann") is AgentState.AVAILABLE


def test_unknown_people_are_noted() -> None:
    play = Play(table(queue("q", "ann")))
    play.feed(SignedIn(agent="nobody"))
    assert "no agent 'nobody'" in play.oddities()[0]


# ---------------------------------------------------------------- wrap-up


def test_wrap_up_holds_across_queues_and_is_that_of_the_call() -> None:
    specs = (queue("one", "ann", wrap_up=10), queue("two", "ann", wrap_up=99))
    play = Play(table(*specs))
    play.call("c1", "one").accepts("ann").on(5).agent_hangs_up("ann").call("c2", "two")
    play.until(14.9)
    assert play.ringing() == {}
    play.until(15)
    assert play.ringing() == {"ann": "c2"}


@pytest.mark.parametrize(("own", "free_at"), [(None, 15), (30.0, 35), (0.0, 5)])
def test_an_agents_own_wrap_up_overrides_that_of_the_queue(
    own: float | None, free_at: float
) -> None:
    play = Play(table(agent("ann", wrap_up=own), queue("q", "ann", wrap_up=10)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").call("c2", "q").until(100)
    assert play.rings(call="c2")[0] == (free_at, "ann")


def test_ready_ends_wrap_up_early_and_starts_the_idle_clock() -> None:
    play = Play(table(queue("q", "ann", wrap_up=60)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").on(3).ready("ann")
    assert play.state("ann") is AgentState.AVAILABLE
    assert play.agent("ann").idle_since == 8


def test_the_idle_clock_starts_at_the_end_of_wrap_up() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann").until(60)
    assert play.agent("ann").idle_since == 15


def test_a_wrap_up_is_struck_on_time_even_if_the_router_is_late() -> None:
    play = Play(table(queue("q", "ann", wrap_up=10)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann")
    play.now = 40.0
    play.sign_in("ann")
    assert play.agent("ann").idle_since == 15
    assert play.notices(WrapUpEnded)[0].at == 15


def test_with_two_hands_the_longer_wrap_up_goes_on() -> None:
    specs = (queue("one", "ann", wrap_up=60), queue("two", "ann", wrap_up=5))
    play = Play(table(agent("ann", capacity=2), *specs))
    play.call("c1", "one").accepts("ann").call("c2", "two")
    (leg,) = [leg for leg in play.pbxes["office"].legs.values() if leg.ring.call == "c2"]
    play.pbxes["office"].press_1(leg)
    play.on(10).caller_hangs_up("c1").caller_hangs_up("c2").until(69)
    assert play.state("ann") is AgentState.WRAP_UP
    play.until(70)
    assert play.state("ann") is AgentState.AVAILABLE


# ---------------------------------------------------------------- two hands


def test_an_agent_with_two_hands_takes_two_calls_and_no_third() -> None:
    play = Play(table(agent("ann", capacity=2), queue("q", "ann")))
    for name in ("c1", "c2", "c3"):
        play.call(name, "q")
    assert len(play.rings()) == 2
    for leg in list(play.pbxes["office"].legs.values()):
        play.pbxes["office"].press_1(leg)
    play.on(5)
    assert {leg.talks_to for leg in play.pbxes["office"].legs.values()} == {"c1", "c2"}
    play.caller_hangs_up("c1")
    assert play.rings(call="c3") == [(5, "ann")]


def test_pausing_in_one_call_stops_what_rings_for_the_other_hand() -> None:
    play = Play(table(agent("ann", capacity=2), queue("q", "ann")))
    play.call("c1", "q").accepts("ann").call("c2", "q").on(3).pause("ann")
    assert play.talking() == {"ann": "c1"}
    assert play.ringing() == {}
    play.on(2).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.PAUSED


def test_an_auto_pause_during_a_call_waits_for_its_end() -> None:
    spec = queue("q", "ann", auto_pause=1, ring_for=5)
    play = Play(table(agent("ann", capacity=2), spec))
    play.call("c1", "q").accepts("ann").call("c2", "q").on(5)
    assert play.state("ann") is AgentState.ON_CALL
    assert play.agent("ann").pending_pause == "missed calls"
    play.agent_hangs_up("ann")
    assert play.state("ann") is AgentState.PAUSED


# ---------------------------------------------------------------- missed calls


def test_three_misses_in_a_row_pause_and_coming_back_starts_anew() -> None:
    play = Play(table(queue("q", "ann", ring_for=2, retry_after=1)))
    play.call("c1", "q").until(100)
    assert play.rings() == [(0, "ann"), (3, "ann"), (6, "ann")]
    (paused,) = play.notices(AgentPaused)
    assert paused.at == 8
    assert (paused.reason, paused.by) == ("missed calls", "callrouter")
    play.resume("ann").until(104)
    assert play.agent("ann").misses == 1


def test_an_accepted_call_resets_the_count() -> None:
    play = Play(table(queue("q", "ann", ring_for=2, retry_after=1)))
    play.call("c1", "q").until(6).accepts("ann").on(5).agent_hangs_up("ann")
    play.call("c2", "q").until(16)
    assert play.state("ann") is not AgentState.PAUSED
    assert play.agent("ann").misses == 2


@pytest.mark.parametrize(
    "why",
    [LegEnd.BUSY, LegEnd.DECLINED, LegEnd.UNAVAILABLE, LegEnd.UNREACHABLE, LegEnd.FAILED],
)
def test_busy_refused_and_unreachable_are_no_misses(why: LegEnd) -> None:
    play = Play(table(queue("q", "ann", auto_pause=1)))
    play.phone("ann").says(why)
    play.call("c1", "q").until(60)
    assert len(play.rings()) > 1
    assert play.notices(AgentPaused) == []


def test_auto_pause_0_never_pauses() -> None:
    play = Play(table(queue("q", "ann", ring_for=2, retry_after=1, auto_pause=0)))
    play.call("c1", "q").until(300)
    assert len(play.rings()) == 100 + 1
    assert play.notices(AgentPaused) == []


# ---------------------------------------------------------------- phones


def test_a_private_call_counts_as_busy_and_its_end_offers_at_once() -> None:
    play = Play(table(queue("q", "ann")))
    play.phone_is("ann", DeviceState.IN_USE)
    assert play.state("ann") is AgentState.ON_CALL
    play.call("c1", "q").on(9)
    assert play.ringing() == {}
    assert why_not(play.router.floor, play.agent("ann")) == ["in a private call on desk"]
    play.phone_is("ann", DeviceState.IDLE)
    assert play.rings() == [(9, "ann")]


def test_a_private_call_on_the_desk_phone_keeps_the_mobile_quiet_too() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann")))
    play.phone_is("ann", DeviceState.IN_USE).call("c1", "q")
    assert play.ringing() == {}


def test_a_private_call_on_one_pbx_is_busy_on_both() -> None:
    phones = (
        desk("ann", pbxes=("east",)),
        desk("ann", id="other", endpoint="PJSIP/ann-west", pbxes=("west",)),
    )
    play = Play(table(agent("ann", *phones), queue("q", "ann")), pbxes=("east", "west"))
    play.phone_is("ann", DeviceState.IN_USE, pbx="east").call("c1", "q", pbx="west")
    assert play.ringing() == {}
    play.phone_is("ann", DeviceState.IDLE, pbx="east")
    assert play.ringing() == {"ann": "c1"}


def test_an_agent_whose_phone_is_unplugged_is_offline_and_says_why() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.phone_is("ann", DeviceState.UNREACHABLE).call("c1", "q")
    assert play.ringing() == {"bob": "c1"}
    assert play.state("ann") is AgentState.OFFLINE
    assert why_not(play.router.floor, play.agent("ann")) == ["desk (office): not reachable"]


def test_an_agent_without_a_device_is_never_rung() -> None:
    spec = agent("ann", desk("ann", enabled=False))
    play = Play(table(spec, queue("q", "ann bob", "round-robin")))
    play.call("c1", "q")
    assert play.ringing() == {"bob": "c1"}
    assert why_not(play.router.floor, play.agent("ann")) == [
        "desk (office): switched off in the configuration"
    ]


def test_why_not_names_every_reason() -> None:
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q").accepts("ann").pause("ann")
    reasons = why_not(play.router.floor, play.agent("ann"))
    assert reasons == ["pausing after this call", "on a call or being rung for one"]
    play.on(5).agent_hangs_up("ann").on(10)
    play.feed(TimePassed())
    reasons = why_not(play.router.floor, play.agent("ann"))
    assert reasons == ["paused: lunch", "in wrap-up for 20 s more"]
    play.sign_out("ann")
    assert why_not(play.router.floor, play.agent("ann")) == ["signed out"]


# ---------------------------------------------------------------- two PBXes


def test_a_call_is_only_offered_to_devices_of_its_own_pbx() -> None:
    parts = (agent("ann", desk("ann", pbxes=("east",))), agent("bob", desk("bob", pbxes=("west",))))
    play = Play(table(*parts, queue("q", "ann bob")), pbxes=("east", "west"))
    play.call("c1", "q", pbx="west").call("c2", "q", pbx="west")
    assert play.rings() == [(0, "bob")]
    play.call("c3", "q", pbx="east")
    assert play.ringing() == {"bob": "c1", "ann": "c3"}


def test_busy_on_one_pbx_is_busy_on_both() -> None:
    both = agent("ann", desk("ann", pbxes=("east", "west")))
    play = Play(table(both, queue("q", "ann", wrap_up=5)), pbxes=("east", "west"))
    play.call("c1", "q", pbx="east").call("c2", "q", pbx="west")
    assert play.rings() == [(0, "ann")]
    play.accepts("ann").on(5).agent_hangs_up("ann").until(10)
    assert play.ringing() == {"ann": "c2"}
