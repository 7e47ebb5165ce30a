"""`kill -9` in every state of an agent: what the store kept, told to a new router, is the same state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callrouter.core.agents.agent_rows import row_of
from callrouter.model.agent_row import AgentRow
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Ring
from callrouter.model.device_failures import DeviceFailure, FailureStreak
from callrouter.model.events import (
    AgentRestored,
    DeviceSwitchRequested,
    LegEnd,
    PauseRequested,
    SignedIn,
    SignedOut,
)
from callrouter.model.notices import AgentPaused, AgentSignedOut
from callrouter.model.routing_table import Table
from callrouter.store.codec import parse, values
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

TWO = table(queue("q", "ann bob", wrap_up=30))


def restarted(old: Play, new_table: Table = TWO, *, after: float = 1.0, pbx_first: bool) -> Play:
    """A new router in the same world, told of what the old one's store had of everybody."""
    floor = old.router.floor
    rows = [row_of(floor, agent, old.now) for agent in floor.agents.values()]
    kept = [row for kept in map(values, rows) if (row := parse(AgentRow, [*kept.values()]))]
    assert kept == rows
    new = Play(new_table, signed_in="", up=False, now=old.now + after, run_id="n")
    pbx, new.pbxes["office"] = new.pbxes["office"], old.pbxes["office"]
    new.pbxes["office"].say = pbx.say
    new.down = {"office"}
    if pbx_first:
        new.back()
    for row in kept:
        new.feed(AgentRestored(row=row))
    if not pbx_first:
        new.back()
    return new.on()


STATES: dict[str, tuple[Callable[[Play], Play], AgentState, str]] = {
    "signed out": (lambda p: p.sign_out("ann"), AgentState.OFFLINE, ""),
    "available": (lambda p: p, AgentState.AVAILABLE, ""),
    "ringing": (lambda p: p.call("c1", "q"), AgentState.RINGING, ""),
    "on call": (lambda p: p.call("c1", "q").accepts("ann"), AgentState.ON_CALL, ""),
    "on call, pause asked for": (
        lambda p: p.call("c1", "q").accepts("ann").pause("ann"),
        AgentState.ON_CALL,
        "pause",
    ),
    "on call, sign-out asked for": (
        lambda p: p.call("c1", "q").accepts("ann").sign_out("ann"),
        AgentState.ON_CALL,
        "sign-out",
    ),
    "wrap-up": (
        lambda p: p.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann"),
        AgentState.WRAP_UP,
        "",
    ),
    "paused": (lambda p: p.pause("ann"), AgentState.PAUSED, ""),
}


@pytest.mark.parametrize("pbx_first", [True, False])
@pytest.mark.parametrize("name", STATES)
def test_each_state_is_the_same_after_a_restart(name: str, pbx_first: bool) -> None:
    begin, state, pending = STATES[name]
    old = begin(Play(TWO, signed_in="ann"))
    assert old.state("ann") is state
    new = restarted(old, pbx_first=pbx_first)
    was, agent = old.agent("ann"), new.agent("ann")
    assert new.state("ann") is state
    assert (agent.pause, agent.pending_pause) == (was.pause, was.pending_pause)
    assert agent.pending_sign_out is was.pending_sign_out is (pending == "sign-out")
    assert (agent.paused_at, agent.wrap_until) == (was.paused_at, was.wrap_until)
    assert agent.signed_in is was.signed_in
    if agent.signed_in:
        assert agent.signed_in_at == was.signed_in_at
    assert agent.pending_by == was.pending_by
    if not (pbx_first and state is AgentState.RINGING):  # it was stopped, and rings anew
        assert agent.since == was.since


def test_since_when_is_told_anew_of_whoever_is_something_else_by_now() -> None:
    old = Play(TWO, signed_in="ann").call("c1", "q").on(5).accepts("ann").on(5)
    old.pbxes["office"].hang_up("c1")
    new = restarted(old, after=20, pbx_first=False)
    assert (new.state("ann"), new.agent("ann").since) == (AgentState.AVAILABLE, 30.0)
    new.on(10).call("c2", "q").on(5).accepts("ann")
    assert (new.state("ann"), new.agent("ann").since) == (AgentState.ON_CALL, 45.0)
    new = Play(TWO, signed_in="")
    new.feed(
        AgentRestored(
            row=AgentRow(agent="ann", signed_in=True, shown=AgentState.AVAILABLE, since=-50.0)
        )
    )
    new.on(5).sign_out("ann").on(5).sign_in("ann")
    assert new.agent("ann").since == 10.0, "what was before is over"
    new.feed(AgentRestored(row=AgentRow(agent="bob", shown=None, since=-50.0)))
    assert new.agent("bob").before is None


@pytest.mark.parametrize("pbx_first", [True, False])
def test_what_was_pending_takes_effect_after_the_call_that_went_on(pbx_first: bool) -> None:
    for ask, state in (
        (PauseRequested(agent="ann", reason="lunch", by="sam"), AgentState.PAUSED),
        (SignedOut(agent="ann", by="sam"), AgentState.OFFLINE),
    ):
        old = Play(TWO, signed_in="ann").call("c1", "q").accepts("ann")
        old.feed(ask)
        new = restarted(old, pbx_first=pbx_first)
        assert new.state("ann") is AgentState.ON_CALL
        new.on(50).agent_hangs_up("ann")
        assert new.state("ann") is state
        assert (new.agent("ann").changed_by, new.agent("ann").changed_at) == ("sam", 51.0)
        done = new.notices(AgentPaused)[:1] if state is AgentState.PAUSED else []
        by = [one.by for one in done or new.notices(AgentSignedOut)[:1]]
        assert by == ["sam"]


def test_what_was_pending_is_done_when_the_call_ended_meanwhile() -> None:
    for kind, state in ((PauseRequested, AgentState.PAUSED), (SignedOut, AgentState.OFFLINE)):
        old = Play(TWO, signed_in="ann").call("c1", "q").accepts("ann")
        old.feed(kind(agent="ann", by="sam"))
        old.pbxes["office"].hang_up("c1")
        new = restarted(old, pbx_first=False)
        assert new.state("ann") is state
        assert new.agent("ann").changed_by == "sam"


def test_a_rest_goes_on_where_it_was_and_a_row_is_counted_on() -> None:
    phones = table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann", retry_after=1))
    old = Play(phones, signed_in="ann")
    old.phone("ann", "mobile").says(LegEnd.NOT_ACCEPTED)
    old.phone("ann", "desk").says(LegEnd.DECLINED, after=0.5)
    old.call("c1", "q").on(5)
    assert old.failures("ann", "mobile") == 2
    until = old.router.floor.cooldowns["ann", "mobile"]
    new = restarted(old, phones, after=20, pbx_first=False)
    assert new.router.floor.cooldowns == {("ann", "mobile"): until}
    assert new.agent("ann").failure_streaks["mobile"] == old.agent("ann").failure_streaks["mobile"]
    new.phone("ann", "mobile").says(LegEnd.NOT_ACCEPTED)
    new.until(until - 0.1)
    assert all(order.device == "desk" for _, order in new.log if isinstance(order, Ring))
    new.until(until + 20)
    assert new.failures("ann", "mobile") == 3
    assert new.router.floor.cooldowns["ann", "mobile"] - until > 120


def test_a_rest_that_ended_meanwhile_is_over_and_the_row_goes_on() -> None:
    phones = table(agent("ann", mobile("ann")), queue("q", "ann", retry_after=1))
    old = Play(phones, signed_in="ann")
    old.phone("ann", "mobile").says(LegEnd.UNREACHABLE)
    old.call("c1", "q").on(1)
    new = restarted(old, phones, after=30, pbx_first=False)
    assert new.router.floor.cooldowns == {}
    assert new.failures("ann", "mobile") == 1
    assert new.state("ann") is AgentState.RINGING


def of_number(number: str) -> Table:
    return table(agent("ann", mobile("ann", number=number)), queue("q", "ann", retry_after=1))


def unreached_once() -> Play:
    old = Play(of_number("+447700900123"), signed_in="ann")
    old.phone("ann", "mobile").says(LegEnd.UNREACHABLE)
    return old.call("c1", "q").on(1)


def test_what_another_phone_did_is_not_held_against_this_one() -> None:
    new = restarted(unreached_once(), of_number("+447700900999"), pbx_first=False)
    assert (new.agent("ann").failure_streaks, new.router.floor.cooldowns) == ({}, {})


@pytest.mark.parametrize(("number", "strikes"), [("+447700900123", 1), ("+447700900999", 0)])
def test_registered_mobiles_come_after_the_agents(number: str, strikes: int) -> None:
    new = restarted(unreached_once(), table(queue("q", "ann")), pbx_first=False)
    assert list(new.router.floor.cooldowns) == [("ann", "mobile")]
    new.reload(of_number(number))
    assert new.failures("ann", "mobile") == len(new.router.floor.cooldowns) == strikes


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "[" * 100_000, '{"mobile": 1}', '{"m": []}'),
        '{"mobile": ["NOT_REACHED", "2", "x", 9e9]}',
        '{"mobile": ["SULKED", 1, "x", 9e9]}',
        '{"mobile": [["REFUSED"], 1, "x", 9e9]}',
        '{"mobile": ["REFUSED", 1, "x", NaN]}',
    ],
)
def test_strikes_that_make_no_sense_are_left_out(text: str) -> None:
    row = values(AgentRow(agent="ann")) | {"strikes": text}
    read = parse(AgentRow, [*row.values()])
    assert read is not None
    assert read.failure_streaks == {}


def test_no_cooldown_is_longer_than_the_longest() -> None:
    new = Play(TWO, signed_in="")
    known = {
        "desk": FailureStreak(DeviceFailure.NOT_REACHED, 2, "PJSIP/ann", 9e9),
        "to-come": FailureStreak(DeviceFailure.NOT_REACHED, 2, "+447700900321", 9e9),
    }
    new.feed(AgentRestored(row=AgentRow(agent="ann", failure_streaks=known)))
    assert new.router.floor.cooldowns == {("ann", "desk"): 5.0, ("ann", "to-come"): 900.0}


@pytest.mark.parametrize("ahead", [3.0, 3600.0])
@pytest.mark.parametrize(
    ("kind", "count", "longest"),
    [
        (DeviceFailure.REFUSED, 1, 0.0),
        (DeviceFailure.REFUSED, 3, 4.0),
        (DeviceFailure.NOT_REACHED, 1, 5.0),
        (DeviceFailure.SILENT, 1, 5.0),
        (DeviceFailure.DROPPED, 1, 0.0),
        (DeviceFailure.DROPPED, 3, 10.0),
        (DeviceFailure.DROPPED, 20, 300.0),
    ],
)
def test_a_cooldown_by_the_clock_of_another_machine_lasts_no_longer_than_its_failure_does(
    kind: DeviceFailure, count: int, longest: float, ahead: float
) -> None:
    new = Play(TWO, signed_in="")
    known = {"desk": FailureStreak(kind, count, "PJSIP/ann", ahead)}
    new.feed(AgentRestored(row=AgentRow(agent="ann", failure_streaks=known)))
    until = new.router.floor.cooldowns.get(("ann", "desk"), 0.0)
    assert until == min(ahead, longest)


def test_who_did_it_and_what_was_switched_off_are_kept() -> None:
    old = Play(TWO, signed_in="")
    old.feed(SignedIn(agent="ann", by="sam"))
    old.on(5).feed(DeviceSwitchRequested(agent="ann", device="desk", on=False, by="ann"))
    old.agent("ann").messages.append((3.0, "hello"))
    new = restarted(old, pbx_first=True)
    ann = new.agent("ann")
    assert (ann.changed_by, ann.changed_at) == ("sam", 0.0)
    assert ann.devices_off == {"desk": ("ann", 5.0)}
    assert list(ann.messages) == [(0.0, "signed in by sam"), (3.0, "hello")]
    assert new.state("ann") is AgentState.OFFLINE
    new.feed(DeviceSwitchRequested(agent="ann", device="desk", on=True, by="ann"))
    assert new.state("ann") is AgentState.AVAILABLE


def test_nothing_that_was_kept_by_a_clock_that_was_ahead_is_later_than_now() -> None:
    play = Play(TWO, signed_in="", now=1000.0)
    year = 365 * 86_400.0
    play.feed(
        AgentRestored(
            row=AgentRow(
                agent="ann",
                signed_in=True,
                signed_in_at=year,
                pause_reason="lunch",
                paused_at=year,
                idle_since=year,
                changed_at=year,
                devices_off={"desk": ("ann", year)},
                messages=((year, "told"),),
                shown=AgentState.PAUSED,
                since=year,
                failure_streaks={
                    "desk": FailureStreak(DeviceFailure.REFUSED, 3, "PJSIP/ann", year)
                },
            )
        )
    )
    ann = play.router.floor.agents["ann"]
    now = play.router.floor.now
    assert ann.changed_at == now
    assert ann.devices_off["desk"] == ("ann", now)
    assert [at for at, _ in ann.messages] == [now]
    assert not ann.overstayed
    for at in (ann.signed_in_at, ann.paused_at, ann.idle_since, ann.since):
        assert at is not None
        assert at <= now
    assert all(until <= now + 3600 for until in play.router.floor.cooldowns.values())


def took_one(policy: str) -> tuple[Play, Table]:
    """Ann has talked for ten seconds for `q`, and nobody for `r`."""
    spec = table(queue("q", "ann bob", policy=policy), queue("r", "ann bob", policy=policy))
    old = Play(spec, signed_in="ann")
    old.call("c1", "q").accepts("ann").on(10).caller_hangs_up("c1").on(1)
    return old.sign_in("bob"), spec


@pytest.mark.parametrize("policy", ["fewest-calls", "least-talk-time"])
def test_what_was_done_today_ranks_after_a_restart_as_before(policy: str) -> None:
    old, spec = took_one(policy)
    new = restarted(old, spec, pbx_first=True)
    member = new.agent("ann").memberships["q"]
    assert (member.calls, member.talk) == (1, 10.0)
    assert new.call("c2", "q").ringing() == {"bob": "c2"}
    assert new.call("c3", "r").ringing() == {"bob": "c2", "ann": "c3"}


@pytest.mark.parametrize("policy", ["fewest-calls", "least-talk-time"])
def test_what_was_done_yesterday_does_not_count(policy: str) -> None:
    old, spec = took_one(policy)
    new = restarted(old, spec, after=86_400.0, pbx_first=True)
    member = new.agent("ann").memberships["q"]
    assert (new.agent("ann").calls, member.calls, member.talk) == (0, 0, 0.0)
    assert new.call("c2", "q").ringing() == {"ann": "c2"}, "idle for longer"


def test_todays_calls_go_with_a_queue_that_was_renamed_while_no_router_ran() -> None:
    old, _ = took_one("fewest-calls")
    new = restarted(old, table(queue("p", "ann bob", renamed_from="q")), pbx_first=True)
    assert new.agent("ann").memberships["p"].calls == 1


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("[]", {}),
        ('{"q": 1, "r": [1], "s": ["1", 2.0], "t": [1, NaN], "u": [true, 1]}', {}),
        ('{"q": [2, 7]}', {"q": (2, 7.0)}),
        ('{"q": [-2, -7.5]}', {"q": (0, 0.0)}),
    ],
)
def test_totals_that_make_no_sense_are_left_out(
    text: str, read: dict[str, tuple[int, float]]
) -> None:
    row = values(AgentRow(agent="ann")) | {"queue_totals": text}
    found = parse(AgentRow, [*row.values()])
    assert found is not None
    assert found.queue_totals == read
