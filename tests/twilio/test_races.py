"""The races of Twilio's documentation and of projects that were bitten by them, by name; the scripted
peer plays them, so they show what the driver does if Twilio is as we read it."""

from __future__ import annotations

from random import Random

import pytest

from callrouter.model.call_notices import (
    CallAbandoned,
    CallRequeued,
    ConversationStarted,
    OfferAccepted,
)
from callrouter.model.events import LegEnd
from callrouter.pbx.twilio import resync_account, twiml
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiResult,
    EndCall,
    PlaceCall,
    RedirectCall,
)
from callrouter.pbx.twilio.webhook import MalformedWebhook
from tests.twilio.peer import ACCOUNT, Line, Mischief, Phone
from tests.twilio.world import NUMBER, World, desk, mobile, table

A, B, C = "+447700900001", "+447700900002", "+447700900003"
ANN, BOB, CAT = mobile("ann", A), mobile("bob", B), mobile("cat", C)
RING_ALL = {"at_once": None}


def line_of(world: World, number: str) -> Line:
    return next(line for line in world.peer.lines.values() if line.number == number)


def params(line: Line, **more: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "CallSid": line.sid, "CallStatus": line.status, **more}


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.05, 0.1])
def test_TW_08_two_who_accept_within_100_ms_one_is_connected(gap: float) -> None:
    world = World(table(ANN, BOB, **RING_ALL))
    world.peer.phones = {A: Phone(key_after=1.0), B: Phone(key_after=1.0 + gap)}
    caller = world.peer.call()
    world.run(8.0)
    assert len(world.peer.talks) == 1
    [(who, winner)] = world.peer.talks
    assert who == caller.sid
    loser = line_of(world, B if winner == A else A)
    assert loser.over
    assert world.ring() == [winner]
    assert loser.heard[-1] in {
        twiml.TAKEN,
        "Call for Support. Press 1 to take it, or 2 to decline.",
    }
    assert len(world.happened(OfferAccepted)) == 1


@pytest.mark.parametrize("seed", range(12))
def test_TW_13_a_cancel_that_races_with_an_answer_leaves_no_leg(seed: int) -> None:
    world = World(table(ANN, BOB, **RING_ALL), seed=seed)
    rng = Random(seed)
    # Bob picks up while his phone is being stopped because Ann has accepted.
    world.peer.phones = {A: Phone(answers_after=2.0, key_after=1.0), B: Phone(answers_after=rng.uniform(2.8, 3.6))}  # fmt: skip
    world.peer.call()
    world.run(10.0)
    assert len(world.peer.talks) == 1
    assert world.ring() == [world.peer.talks[0][1]]
    assert not any(isinstance(ask, EndCall) and ask.sid == "" for _, ask in world.peer.asks)


def test_TW_14_no_caller_hears_music_without_a_place_in_a_queue() -> None:
    world = World(table(ANN))
    world.peer.default = Phone(answers_after=None)
    waiting = [world.peer.call() for _ in range(5)]
    world.run(2.0)
    world.boot()  # forgets all of them
    world.post(world.control.account.snapshot())
    world.run(21.0)
    known = {call.removeprefix("cloud-") for call in world.router.floor.calls}
    assert known == {line.sid for line in waiting} == set(world.control.account.callers)


def test_three_callers_and_three_agents_nobody_gets_two() -> None:
    """bmlt-enabled/yap#540: one agent got two calls, one none."""
    world = World(table(ANN, BOB, CAT))
    callers = [world.peer.call() for _ in range(3)]
    world.run(10.0)
    assert sorted(sid for sid, _ in world.peer.talks) == sorted(line.sid for line in callers)
    assert sorted(number for _, number in world.peer.talks) == [A, B, C]


def test_the_ringing_callback_comes_before_the_answer_to_create() -> None:
    world = World(table(ANN))
    world.peer.latency = 3.0
    caller = world.peer.call()
    world.run(20.0)
    assert world.peer.talks == [(caller.sid, A)]


def test_a_phone_is_stopped_although_create_has_not_answered_yet() -> None:
    """bmlt-enabled/yap#159: calls that ring once, for a caller who is gone."""
    world = World(table(ANN))
    world.peer.latency = 2.0
    world.peer.phones[A] = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(0.5)
    world.peer.hang_up(caller)
    world.run(8.0)
    world.nothing_left()


def test_the_caller_hangs_up_in_the_moment_of_the_connect() -> None:
    """bmlt-enabled/yap#570: the redirect of a caller who has gone."""
    world = World(table(ANN))
    world.peer.mischief = Mischief(lost=1.0)
    caller = world.peer.call()
    while not any(isinstance(ask, RedirectCall) for _, ask in world.peer.asks):
        world.run(0.01)
    caller.status = "completed"  # and no callback says so
    world.run(3.0)
    assert len(world.happened(CallAbandoned)) == 1
    assert not world.happened(ConversationStarted)
    assert line_of(world, A).over
    world.nothing_left()


def test_the_agent_hangs_up_in_the_moment_of_the_connect() -> None:
    world = World(table(ANN, BOB))
    caller = world.peer.call()
    while not any(isinstance(ask, RedirectCall) for _, ask in world.peer.asks):
        world.run(0.01)
    world.peer.hang_up(line_of(world, A))
    world.run(25.0)
    assert world.peer.talks == [(caller.sid, B)]
    assert not caller.over


def test_a_talk_begins_though_no_callback_arrives() -> None:
    world = World(table(ANN))
    world.peer.mischief = Mischief(lost=1.0)
    world.peer.phones[A] = Phone(hangs_up_after=None)
    caller = world.peer.call()
    world.run(60.0)
    assert world.peer.talks == [(caller.sid, A)]
    assert len(world.happened(ConversationStarted)) == 1
    assert not world.happened(CallRequeued)
    assert not caller.over


def test_a_leg_of_which_nothing_is_heard_is_ended_by_our_own_deadline() -> None:
    """bmlt-enabled/yap#971: the count of those who failed never came together."""
    world = World(table(ANN, ring_for=20.0, retry_after=60.0))
    world.peer.mischief = Mischief(lost=1.0)
    world.peer.default = Phone(refuses=("failed", ""))
    world.peer.call()
    world.run(40.0)
    assert sum(world.ends.values()) >= 1
    assert world.control.account.legs == {}
    assert world.router.floor.offers == {}


@pytest.mark.parametrize("status", [400, 500])
def test_one_request_of_a_blast_fails_and_the_others_ring_on(status: int) -> None:
    """bmlt-enabled/yap#960: one bad number or one 500, and it rang for ever."""
    world = World(table(ANN, BOB, CAT, **RING_ALL, retry_after=60.0))
    outcome = ApiOutcome.REFUSED if status < 500 else ApiOutcome.UNKNOWN
    bad = ApiResult(outcome=outcome, status=status, code=21211 if status < 500 else 0, detail="no")
    world.peer.trouble = lambda ask: (
        (bad, False) if isinstance(ask, PlaceCall) and ask.to == A else None
    )
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(5.0)
    assert sorted(world.ring()) == [B, C]
    world.run(60.0)
    assert sum(world.ends.values()) >= 3
    assert set(world.ends.values()) == {1}


@pytest.mark.parametrize(
    "told", [("left",), ("caller-status",), ("left", "caller-status"), ("caller-status", "left")]
)
def test_a_caller_leaves_and_either_word_of_it_comes_first_or_alone(told: tuple[str, ...]) -> None:
    world = World(table(ANN, BOB, **RING_ALL))
    world.peer.default = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(5.0)
    caller.status = "completed"
    caller.epoch += 1
    for part in told:
        more = {"QueueResult": "hangup"} if part == "left" else {}
        world.control.handlers.answer(part, "", params(caller, **more), world.now)
    world.run(2.0)
    assert len(world.happened(CallAbandoned)) == 1
    world.nothing_left()


def test_after_a_redirect_the_queue_s_action_is_asked_for_as_well_and_changes_nothing() -> None:
    """Seen live by qisoft/i-hate-making-calls: the interrupted verb's action, and the new document."""
    world = World(table(ANN))
    world.peer.phones[A] = Phone(hangs_up_after=None)
    caller = world.peer.call()
    world.run(10.0)
    records = len(world.notices)
    for result in ("redirected", "redirected-from-bridged"):
        said = world.control.handlers.answer(
            "left", "", params(caller, QueueResult=result), world.now
        )
        assert said == twiml.nothing()
    wait = world.control.handlers.answer(
        "wait", "support.50.1800000000", params(caller, QueueTime="9"), world.now
    )
    assert "<Dial" not in wait, "a document that came late is run by nobody, and moves nobody"
    assert len(world.notices) == records
    assert world.peer.hear(caller) == [A]


def test_callers_and_legs_that_vanish_without_a_word_are_noticed_by_looking() -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = Phone(hangs_up_after=None)
    talking, waiting = world.peer.call(), world.peer.call()
    world.peer.phones[B] = Phone(answers_after=None)
    world.run(40.0)
    for line in (talking, waiting, line_of(world, A)):
        line.status = "completed"
        line.epoch += 1
    for _ in range(resync_account.MISSED_RESYNCS):
        world.run(1.0)
        world.control.account.set_time(world.now)
        resync_account.drop_vanished(world.control.account, world.look())
    world.run(3.0)
    assert world.control.account.counts["vanished callers"] == 2
    assert world.router.floor.calls == {}
    world.nothing_left()


def test_a_young_call_is_not_taken_for_gone_because_a_list_lags() -> None:
    world = World(table(ANN))
    world.peer.call()
    world.run(1.0)
    for _ in range(5):
        resync_account.drop_vanished(world.control.account, [])
    assert len(world.control.account.callers) == 1


# ---------------------------------------------------------------- the same thing twice


def test_the_same_question_gets_the_same_answer_and_nothing_happens_twice() -> None:
    world = World(table(ANN))
    caller = world.peer.call()
    world.run(10.0)
    agent = line_of(world, A)
    records, desk_ = len(world.notices), world.control.handlers
    voice = params(caller, From=caller.number, To=NUMBER)
    assert "Conference" in desk_.answer("voice", "", voice, world.now)
    for _ in range(3):
        again = desk_.answer("accept", agent.token, params(agent, Digits="1"), world.now)
        assert "<Conference" in again
        assert desk_.answer("agent", agent.token, params(agent), world.now) == again
    for status in ("initiated", "ringing", "in-progress", "ringing"):
        desk_.answer("offer", agent.token, params(agent, CallStatus=status), world.now)
    assert len(world.notices) == records
    assert world.router.floor.agents["ann"].calls == 1


def test_replays_after_the_end_bring_nobody_back() -> None:
    world = World(table(ANN))
    caller = world.peer.call()
    world.run(60.0)
    agent = line_of(world, A)
    assert caller.over
    assert agent.over
    records, asks = len(world.notices), len(world.peer.asks)
    desk_ = world.control.handlers
    live = {"CallStatus": "in-progress", "From": caller.number, "To": NUMBER}
    for part in ("voice", "wait", "left", "caller-done", "caller-status"):
        desk_.answer(part, "", params(caller) | live, world.now)
    for part in ("agent", "accept", "agent-done"):
        answer = desk_.answer(part, agent.token, params(agent) | {"Digits": "1"}, world.now)
        assert "<Conference" not in answer
    world.run(5.0)
    assert len(world.notices) == records
    assert len(world.peer.asks) == asks
    assert world.router.floor.calls == {}
    assert world.control.account.counts["stale"] == 2


def test_a_token_is_good_for_its_own_call_only() -> None:
    world = World(table(ANN))
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(3.0)
    agent, stranger = line_of(world, A), Line("CA" + "f" * 32, "+1", NUMBER, "x")
    desk_ = world.control.handlers
    for token, line in ((agent.token, stranger), ("guess", agent), ("", agent)):
        said = desk_.answer("accept", token, params(line, Digits="1"), world.now)
        assert twiml.NOTHING_HERE in said
    assert not world.happened(OfferAccepted)
    assert world.control.account.counts["token of another call"] == 1
    assert world.control.account.counts["unknown token"] == 2


@pytest.mark.parametrize("sid", ["", "CA1", "CA" + "g" * 32, "CA" + "0" * 33, "AC" + "0" * 32])
def test_malformed_requests_are_refused_and_change_nothing(sid: str) -> None:
    world = World(table(ANN))
    records = len(world.notices)
    for part in (
        "voice",
        "wait",
        "left",
        "caller-done",
        "caller-status",
        "agent",
        "accept",
        "offer",
    ):
        with pytest.raises(MalformedWebhook):
            world.control.handlers.answer(part, "t1-1", {"CallSid": sid}, world.now)
    assert world.control.handlers.answer("conference", "", {}, world.now) == twiml.nothing()
    assert len(world.notices) == records


def test_odd_values_are_data_and_no_crash() -> None:
    world = World(table(ANN))
    caller = world.peer.call()
    world.run(0.5)
    for value in ("", "9" * 50, "-1", "½", "nan"):
        world.control.handlers.answer("wait", "", params(caller, QueueTime=value), world.now)
        world.control.handlers.answer(
            "caller-status", "", params(caller, CallStatus=value), world.now
        )
        world.control.handlers.answer("offer", "t1-1", params(caller, CallStatus=value), world.now)


# ---------------------------------------------------------------- everything at once


@pytest.mark.parametrize("seed", range(40))
def test_callbacks_late_double_lost_and_in_any_order(seed: int) -> None:
    """After each event the core's invariants hold (`World` checks); in the end nobody is left over."""
    rng = Random(seed)
    people = [mobile(f"a{n}", f"+44770090100{n}") for n in range(3)] + [desk("dan"), desk("eve")]
    world = World(
        table(*people, at_once=rng.choice([1, 2, None]), ring_for=12.0, wrap_up=2.0),
        seed=seed,
        calls_per_second=rng.choice([1.0, 5.0, 30.0]),
    )
    world.peer.mischief = Mischief(
        delay=rng.choice([0.05, 1.0, 4.0]), twice=rng.random() / 2, lost=rng.random() / 3
    )
    world.peer.latency = rng.choice([0.05, 0.3, 1.5])
    callers = []
    for _ in range(12):
        world.peer.default = Phone(
            answers_after=rng.choice([None, 0.0, 0.5, 2.0]),
            key=rng.choice(["1", "1", "1", None, "5"]),
            key_after=rng.choice([0.0, 0.5]),
            refuses=rng.choice([None, None, None, ("busy", "486"), ("failed", "")]),
            hangs_up_after=rng.choice([0.0, 5.0, 15.0]),
        )
        callers.append(world.peer.call())
        world.run(rng.uniform(0.0, 4.0))
        if rng.random() < 0.4:
            world.peer.hang_up(rng.choice(callers))
    world.peer.default = Phone(hangs_up_after=5.0)
    for _ in range(6):
        world.run(60.0)
        world.control.account.set_time(world.now)
        resync_account.drop_vanished(world.control.account, world.look())
    for caller in callers:
        assert caller.over, "a caller hangs on the line"
    assert world.router.floor.calls == {}
    assert world.control.account.callers == {}
    world.nothing_left()
    assert {end.why for end in world.outcomes} <= set(LegEnd)
    placed = [ask.token for _, ask in world.peer.asks if isinstance(ask, PlaceCall)]
    assert len(placed) == len(set(placed)), "a leg was asked for twice"
