"""Reasons for pauses, how long they may last and what comes then; who did it, and what is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.core.requests import refusal
from callrouter.model.agent_status import AgentState
from callrouter.model.events import (
    DeviceSwitchRequested,
    PauseRequested,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
)
from callrouter.model.notices import AgentNotified, AgentPaused, AgentResumed
from callrouter.model.routing_table import AgentSpec, PauseEnd, PauseSpec, Table
from tests.core.playbook import Play
from tests.core.tables import agent, always, queue, table
from tests.core.test_restarts import restarted

PAUSES = {
    spec.reason: spec
    for spec in (
        PauseSpec(reason="lunch", longest=2700.0, then=PauseEnd.RESUME),
        PauseSpec(reason="training", longest=7200.0, then=PauseEnd.SIGN_OUT),
        PauseSpec(reason="short", longest=600.0, then=PauseEnd.TELL, default=True),
        PauseSpec(reason="meeting"),
    )
}


def centre(*parts: AgentSpec, pauses: dict[str, PauseSpec] = PAUSES) -> Table:
    return replace(table(queue("q", "ann bob", wrap_up=5), *parts), pauses=pauses)


def paused(reason: str, by: str = "ann") -> Play:
    play = Play(centre())
    play.feed(PauseRequested(agent="ann", reason=reason, by=by))
    return play


# ---------------------------------------------------------------- reasons


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("lnch", "there is no pause reason 'lnch'; did you mean 'lunch'? the reasons are: "),
        ("Lunhc", "did you mean 'lunch'?"),
        ("x", "there is no pause reason 'x'; the reasons are: lunch, training, short, meeting"),
    ],
)
def test_an_unknown_reason_is_refused_with_those_there_are(asked: str, text: str) -> None:
    play = Play(centre())
    event = PauseRequested(agent="ann", reason=asked)
    assert text in refusal(play.router.floor, event)
    play.feed(event)
    assert play.state("ann") is AgentState.AVAILABLE
    assert text in play.oddities()[0]


def test_a_bare_pause_has_the_default_reason_where_there_is_one() -> None:
    assert paused("").agent("ann").pause == "short"
    assert paused("LUNCH").agent("ann").pause == "lunch"
    play = Play(centre(pauses={"lunch": PAUSES["lunch"]})).pause("ann", "")
    assert play.agent("ann").pause == ""
    play = Play(centre(pauses={})).pause("ann", "anything at all")
    assert play.agent("ann").pause == "anything at all"


def test_missed_calls_is_a_reason_of_the_routers_own() -> None:
    spec = queue("q", "ann", ring_for=2, retry_after=1)
    play = Play(replace(table(spec), pauses=PAUSES)).call("c1", "q").until(20)
    assert play.agent("ann").pause == "missed calls"
    assert play.told("ann") == [
        "3 calls in a row were missed: you are paused; resume when you are back"
    ]


# ---------------------------------------------------------------- how long


def test_after_the_longest_length_the_agent_is_back() -> None:
    play = paused("lunch").until(2699.9)
    assert play.state("ann") is AgentState.PAUSED
    play.until(2700)
    assert play.state("ann") is AgentState.AVAILABLE
    [resumed] = play.notices(AgentResumed)
    assert (resumed.reason, resumed.by) == ("lunch", "callrouter")
    assert play.agent("ann").idle_since == 2700
    assert play.told("ann") == [
        "the pause 'lunch' has lasted 45 min: you are back, and calls ring again"
    ]


def test_or_signed_out() -> None:
    play = paused("training").until(7200)
    assert not play.agent("ann").signed_in
    assert play.agent("ann").changed_by == "callrouter"
    assert play.told("ann") == ["the pause 'training' has lasted 2 h: you were signed out"]


def test_or_told_once_while_the_pause_goes_on() -> None:
    play = paused("short").until(9999)
    assert play.state("ann") is AgentState.PAUSED
    assert [record.at for record in play.notices(AgentNotified)] == [600]
    assert play.told("ann") == [
        "the pause 'short' has lasted 10 min, the longest it may; resume when you are back"
    ]


def test_who_is_always_signed_in_is_told_instead_of_signed_out() -> None:
    play = Play(centre(always("ann"))).pause("ann", "training").until(9000)
    assert play.state("ann") is AgentState.PAUSED
    assert len(play.told("ann")) == 1


def test_who_is_back_in_time_hears_nothing_and_the_next_pause_starts_anew() -> None:
    play = paused("lunch").until(2000).resume("ann").on(100).pause("ann", "lunch").until(4799)
    assert play.state("ann") is AgentState.PAUSED
    play.until(4800)
    assert play.state("ann") is AgentState.AVAILABLE
    assert len(play.told("ann")) == 1


def test_another_reason_has_its_own_length() -> None:
    play = paused("short").until(500).pause("ann", "lunch").until(3199)
    assert play.agent("ann").pause == "lunch"
    assert play.until(3200).state("ann") is AgentState.AVAILABLE


def test_signing_out_ends_the_length() -> None:
    play = paused("lunch").until(10).sign_out("ann").sign_in("ann").until(9000)
    assert play.told("ann") == []


def test_a_pause_asked_for_in_a_call_is_measured_from_its_beginning() -> None:
    play = Play(centre(), signed_in="ann").call("c1", "q").accepts("ann")
    play.pause("ann", "lunch").on(1000).agent_hangs_up("ann").until(3699)
    assert play.state("ann") is AgentState.PAUSED
    assert play.until(3700).state("ann") is AgentState.AVAILABLE


def test_a_reload_that_changes_the_length_moves_the_end_and_not_the_beginning() -> None:
    play = paused("lunch").until(100)
    longer = {**PAUSES, "lunch": PauseSpec(reason="lunch", longest=4000, then=PauseEnd.RESUME)}
    play.reload(centre(pauses=longer)).until(3999)
    assert play.state("ann") is AgentState.PAUSED
    assert play.until(4000).state("ann") is AgentState.AVAILABLE
    play = paused("lunch").until(1000)
    shorter = {**PAUSES, "lunch": PauseSpec(reason="lunch", longest=600, then=PauseEnd.RESUME)}
    assert play.reload(centre(pauses=shorter)).state("ann") is AgentState.AVAILABLE


def test_a_reload_that_takes_the_reason_away_leaves_the_pause_without_an_end() -> None:
    play = paused("lunch").until(100).reload(centre(pauses={})).until(9000)
    assert play.agent("ann").pause == "lunch"
    play.reload(centre())
    assert play.state("ann") is AgentState.AVAILABLE, "and its limit again, once it is back"


def test_told_once_is_told_again_only_if_the_length_is_longer_now() -> None:
    play = paused("short").until(700)
    longer = {**PAUSES, "short": replace(PAUSES["short"], longest=1200)}
    play.reload(centre(pauses=longer)).until(1300)
    assert [record.at for record in play.notices(AgentNotified)] == [600, 1200]


@pytest.mark.parametrize("pbx_first", [True, False])
def test_a_restart_keeps_what_is_left_of_the_length(pbx_first: bool) -> None:
    new = restarted(paused("lunch").until(600), centre(), after=300, pbx_first=pbx_first)
    assert new.until(2699).state("ann") is AgentState.PAUSED
    assert new.until(2700).state("ann") is AgentState.AVAILABLE


def test_a_length_that_ran_out_while_the_router_was_dead_strikes_at_its_start() -> None:
    new = restarted(paused("lunch").until(600), centre(), after=9000, pbx_first=True)
    assert new.state("ann") is AgentState.AVAILABLE
    new = restarted(paused("training").until(600), centre(), after=9000, pbx_first=True)
    assert not new.agent("ann").signed_in


def test_who_was_told_before_a_restart_is_not_told_again_and_who_was_not_is() -> None:
    new = restarted(paused("short").until(700), centre(), after=10, pbx_first=True)
    new.on(5000)
    assert new.notices(AgentNotified) == []
    new = restarted(paused("short").until(500), centre(), after=5000, pbx_first=True)
    assert len(new.notices(AgentNotified)) == 1


def test_a_clock_that_jumps_strikes_once() -> None:
    play = paused("lunch")
    play.now = 99_999.0
    play.feed(TimePassed())
    assert len(play.notices(AgentResumed)) == 1


# ---------------------------------------------------------------- who did it


def test_what_a_supervisor_does_is_kept_and_the_agent_is_told() -> None:
    play = Play(centre(agent("cat")), signed_in="")
    for event in (
        SignedIn(agent="ann", by="sam"),
        PauseRequested(agent="ann", reason="lunch", by="sam"),
        Resumed(agent="ann", by="sam"),
        DeviceSwitchRequested(agent="ann", device="desk", on=False, by="sam"),
        SignedOut(agent="ann", by="sam"),
    ):
        play.on(1).feed(event)
    assert play.told("ann") == [
        "signed in by sam",
        "paused by sam: lunch",
        "resumed by sam",
        "desk switched off by sam",
        "signed out by sam",
    ]
    assert (play.agent("ann").changed_by, play.agent("ann").changed_at) == ("sam", 5.0)
    assert [record.at for record in play.notices(AgentNotified)] == [1, 2, 3, 4, 5]


def test_what_agents_do_themselves_they_need_not_be_told() -> None:
    play = paused("lunch", by="ann")
    play.feed(Resumed(agent="ann", by=""))
    assert play.told("ann") == []


def test_what_a_supervisor_asks_for_in_a_call_is_told_at_once_and_when_it_is_so() -> None:
    play = Play(centre(), signed_in="ann").call("c1", "q").accepts("ann")
    play.feed(PauseRequested(agent="ann", by="sam"))
    assert play.told("ann") == ["sam asked for a pause after this call"]
    play.on(5).agent_hangs_up("ann")
    assert play.told("ann")[1:] == ["paused by sam: short"]
    paused = play.notices(AgentPaused)[0]
    assert (paused.reason, paused.by) == ("short", "sam")


def test_only_the_last_things_are_kept() -> None:
    play = Play(centre())
    for number in range(20):
        play.feed(PauseRequested(agent="ann", reason="lunch", by=f"sam{number}"))
        play.feed(Resumed(agent="ann", by="ann"))
    assert play.told("ann") == [f"paused by sam{number}: lunch" for number in range(15, 20)]


def test_a_pause_waits_for_the_end_of_the_call_and_leaves_its_wrap_up() -> None:
    """And its length is measured from then."""
    play = Play(centre(), signed_in="ann").call("c1", "q").accepts("ann").pause("ann", "short")
    play.until(1000)
    assert play.talking() == {"ann": "c1"}
    assert play.told("ann") == [], "the length has not begun"
    play.agent_hangs_up("ann")
    assert play.outcomes("ann") == []
    assert play.agent("ann").wrap_until == 1005
