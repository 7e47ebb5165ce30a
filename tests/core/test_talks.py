"""Hold, blind and attended transfer as the core sees them: who is busy, who is next, what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callrouter.core.calls.conversations import refusal
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import (
    CallCompleted,
    CallEntered,
    CallPutThrough,
    ConversationTransferred,
    HoldChanged,
)
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.commands import Announce, Consult, DialOutside, PutThrough, Requeue, SetHold
from callrouter.model.events import LegEnd, TimePassed
from callrouter.model.notices import AgentNotified
from callrouter.model.outcomes import EndedBy
from callrouter.model.routing_table import AnnounceSpec, OutsideTransfers
from tests.core.playbook import Play, is_talking
from tests.core.tables import queue, table

W = ConversationAction


def floor(*queues: Any, can_hold: bool = True) -> Play:
    specs = queues or (queue("q", "ann bob cat", "linear", wrap_up=10, ring_for=20),)
    play = Play(table(*specs), up=False)
    play.pbxes["office"].can_hold = can_hold
    return play.back()


def talk(*queues: Any, **more: Any) -> Play:
    """ann talks to c1 for 30 s."""
    play = floor(*queues, **more).call("c1", "q", priority=7).accepts("ann").on(30)
    assert is_talking(play, "c1")
    return play


def ask(play: Play, what: ConversationAction, call: str = "c1", **to: str) -> Play:
    event = ConversationRequested(call=call, action=what, by="ann", **to)
    no = refusal(play.router.floor, event)
    assert no == "", no
    play.feed(event)
    return play.on()


def no(play: Play, what: ConversationAction, call: str = "c1", **to: str) -> str:
    """What is said against it; it changes nothing."""
    event = ConversationRequested(call=call, action=what, **to)
    before = len(play.log)
    said = refusal(play.router.floor, event)
    play.feed(event)
    assert said
    assert play.oddities()[-1] == said
    assert len(play.log) == before + 1
    return said


def orders(play: Play, kind: type) -> list[Any]:
    return [item for _, item in play.log if isinstance(item, kind)]


def state(play: Play, agent: str) -> str:
    return play.state(agent).value


# ---------------------------------------------------------------- hold


def test_hold_and_back() -> None:
    play = ask(talk(), W.HOLD)
    assert play.find("c1").held
    assert [order.on for order in orders(play, SetHold)] == [True]
    assert no(play, W.HOLD) == "the caller of c1 is on hold already"
    ask(play, W.UNHOLD)
    assert not play.find("c1").held
    assert no(play, W.UNHOLD) == "the caller of c1 is not on hold"
    assert [(r.on, r.by) for r in play.notices(HoldChanged)] == [(True, "ann"), (False, "ann")]
    assert state(play, "ann") == "on-call"


def test_a_caller_on_hold_hangs_up() -> None:
    play = ask(talk(), W.HOLD).on(5).caller_hangs_up("c1")
    assert [r.by.value for r in play.notices(CallCompleted)] == ["caller"]
    assert state(play, "ann") == "wrap-up"


def test_where_the_phones_do_it_nothing_is_ordered() -> None:
    play = talk(can_hold=False)
    for what in (W.HOLD, W.UNHOLD, W.CONSULT):
        assert (
            no(play, what, agent="bob")
            == "callrouter cannot hold calls on office: use the keys of the phone"
        )
    ask(play, W.TRANSFER, agent="bob")
    assert play.ringing() == {"bob": "c1"}


def test_what_is_no_talk_can_be_neither_held_nor_transferred() -> None:
    play = floor().call("c1", "q")
    for what in W:
        assert (
            no(play, what) == "call c1 is waiting; only a conversation can be held or transferred"
        )
    assert no(play, W.HOLD, "c9") == "there is no call c9"
    play.accepts("ann").lose("office")
    assert "not connected" in no(play, W.HOLD)


# ---------------------------------------------------------------- blind


def two() -> Play:
    return talk(
        queue("q", "ann bob", "linear", wrap_up=10), queue("r", "cat dan", wrap_up=3, ring_for=20)
    )


def test_a_transfer_to_a_queue_keeps_priority_and_first_entry() -> None:
    play = two().call("c2", "r").accepts("cat").call("c3", "r").accepts("dan")
    play.on(1).call("c4", "r").call("c5", "r", priority=1)
    ask(play, W.TRANSFER, queue="r")
    call = play.find("c1")
    assert (call.priority, call.entered_at) == (7, 0.0)
    assert play.waiting("r") == ["c5", "c1", "c4"]
    assert len(orders(play, Requeue)) == 1
    assert state(play, "ann") == "wrap-up"
    assert play.agent("ann").wrap_until == play.now + 10, "of the queue that the talk was for"
    [gone] = play.notices(ConversationTransferred)
    assert (gone.transfer.value, gone.to) == ("blind", "r")
    assert [r.queue for r in play.notices(CallEntered, call="c1")] == ["q", "r"]


def test_a_transfer_to_a_colleague_rings_that_one() -> None:
    play = ask(talk(), W.TRANSFER, agent="cat")
    assert play.ringing() == {"cat": "c1"}, "linear would have taken bob"
    play.accepts("cat")
    assert play.talking() == {"cat": "c1"}


def test_a_colleague_who_refuses_leaves_the_caller_to_the_others() -> None:
    play = talk(queue("q", "ann bob cat", "linear", retry_after=5, ring_for=20))
    play.phone("bob").says(LegEnd.DECLINED)
    ask(play, W.TRANSFER, agent="bob")
    assert play.ringing() == {"cat": "c1"}


def test_who_gave_a_caller_away_is_not_rung_for_them_before_everybody_was() -> None:
    play = talk(queue("q", "ann bob", "linear", retry_after=5, ring_for=20, wrap_up=0))
    play.pause("bob")
    ask(play, W.TRANSFER, queue="q")
    assert play.ringing() == {}
    play.on(5)
    assert play.ringing() == {"ann": "c1"}, "rather than nobody"


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({}, "say where to: a queue, or an agent"),
        ({"queue": "x"}, "there is no queue 'x'"),
        ({"agent": "x"}, "'x' is not an agent of queue 'q'"),
        ({"agent": "ann"}, "ann is the one who has the call"),
        ({"agent": "bob"}, "bob can't be rung now: paused: lunch"),
        ({"agent": "bob", "queue": "r"}, "'bob' is not an agent of queue 'r'"),
    ],
)
def test_transfers_that_cannot_be(to: dict[str, str], said: str) -> None:
    play = two().pause("bob")
    assert no(play, W.TRANSFER, **to) == said
    assert is_talking(play, "c1")


def test_an_agent_who_transfers_stays_busy_until_their_phone_is_quiet() -> None:
    play = talk(queue("q", "ann bob", "linear", ring_for=20))
    (leg,) = play.pbxes["office"].legs.values()
    leg.deaf = True
    ask(play, W.TRANSFER, queue="q")
    assert play.rings(call="c1")[-1][1] == "bob"
    play.call("c2", "q").on(60)
    assert state(play, "ann") == "on-call"
    assert "ann" not in [who for at, who in play.rings() if at > 0]
    play.pbxes["office"].end_leg(leg, LegEnd.HUNG_UP)
    play.on()
    assert state(play, "ann") != "on-call"


def test_a_caller_who_was_transferred_is_told_their_place_in_the_other_line() -> None:
    told = AnnounceSpec(position=True, every=60.0)
    play = talk(queue("q", "ann"), queue("r", "cat", announce=told, ring_for=600))
    play.call("c2", "r").accepts("cat")
    ask(play, W.TRANSFER, queue="r").on(5)
    assert [(said.call, said.position) for said in orders(play, Announce)] == [("c1", 1)]


# ---------------------------------------------------------------- attended


def asked(play: Play | None = None) -> Play:
    return ask(play or talk(), W.CONSULT, agent="bob")


def test_a_colleague_is_asked_and_has_the_caller_after_that() -> None:
    play = asked()
    assert play.find("c1").held
    assert state(play, "bob") == "ringing"
    assert no(play, W.COMPLETE) == "bob has not answered yet"
    play.on(2).accepts("bob")
    assert (state(play, "ann"), state(play, "bob")) == ("on-call", "on-call")
    assert [order.offer for order in orders(play, Consult)] == [play.find("c1").consult.id]  # type: ignore[union-attr]
    play.on(10)
    ask(play, W.COMPLETE)
    assert play.talking() == {"bob": "c1"}
    assert (state(play, "ann"), state(play, "bob")) == ("wrap-up", "on-call")
    assert not play.find("c1").held
    assert [(r.to, r.by) for r in play.notices(CallPutThrough)] == [("bob", "ann")]
    play.on(20).agent_hangs_up("bob")
    [done] = play.notices(CallCompleted)
    assert (done.agent, done.by) == ("bob", EndedBy.AGENT)
    assert play.agent("bob").calls == play.agent("ann").calls == 1
    play.on(60)
    assert play.quiet()


def test_hanging_up_puts_the_caller_through() -> None:
    play = asked().on(2).accepts("bob").on(5).agent_hangs_up("ann")
    assert play.talking() == {"bob": "c1"}
    assert state(play, "ann") == "wrap-up"
    assert len(orders(play, PutThrough)) == 1


def test_hanging_up_before_the_colleague_answers_puts_the_caller_back_in_line() -> None:
    play = asked().on(2).agent_hangs_up("ann").on(30)
    call = play.find("c1")
    assert (call.priority, call.entered_at) == (7, 0.0)
    assert play.notices(ConversationTransferred)[0].transfer.value == "blind"
    assert play.ringing(), "somebody is rung for the caller"
    assert call.consult is None


def test_taking_the_caller_back() -> None:
    for answered in (False, True):
        play = asked()
        if answered:
            play.on(2).accepts("bob").on(5)
        ask(play, W.CANCEL)
        assert play.talking() == {"ann": "c1"}
        assert not play.find("c1").held
        assert state(play, "bob") in {"available", "wrap-up"}
        assert play.agent("bob").misses == 0
        assert no(play, W.COMPLETE) == "no colleague is being asked"


@pytest.mark.parametrize("why", [LegEnd.DECLINED, LegEnd.BUSY, LegEnd.UNREACHABLE])
def test_a_colleague_who_is_not_to_be_had(why: LegEnd) -> None:
    play = talk()
    play.phone("bob").says(why, after=1.0)
    asked(play).on(2)
    assert play.find("c1").consult is None
    assert play.find("c1").held, "the caller is not to hear that"
    assert play.told("ann") == [f"bob did not come: {why.value}"]
    ask(play, W.UNHOLD)
    assert play.talking() == {"ann": "c1"}
    assert not play.find("c1").tried, "nothing is held against them for this caller"


def test_a_colleague_who_lets_it_ring_has_missed_a_call() -> None:
    play = asked().on(25)
    assert play.agent("bob").misses == 1
    assert play.told("ann") == ["bob did not come: no answer"]


def test_a_colleague_who_pauses_while_being_rung_is_let_go() -> None:
    play = asked().on(2).pause("bob")
    assert play.find("c1").consult is None
    assert state(play, "bob") == "paused"


def test_a_colleague_who_hangs_up_leaves_the_caller_with_who_asked() -> None:
    play = asked().on(2).accepts("bob").on(5).agent_hangs_up("bob")
    assert play.find("c1").consult is None
    assert play.told("ann") == ["bob has hung up"]
    ask(play, W.UNHOLD)
    assert play.talking() == {"ann": "c1"}


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_who_hangs_up_meanwhile(answered: bool) -> None:
    play = asked()
    if answered:
        play.on(2).accepts("bob").on(5)
    play.caller_hangs_up("c1").on(30)
    assert play.gone("c1")
    assert (state(play, "ann"), state(play, "bob")) == ("available", "available")
    assert len(play.notices(CallCompleted)) == 1


@pytest.mark.parametrize("answered", [False, True])
def test_a_phone_of_its_own_that_transfers_the_caller_lets_the_colleague_go(answered: bool) -> None:
    play = asked()
    if answered:
        play.on(2).accepts("bob").on(5)
    play.transfers("c1").on()
    assert not play.ringing()
    assert play.talking() == {}
    assert len(play.notices(ConversationTransferred)) == 1
    play.on(30)
    assert (state(play, "ann"), state(play, "bob")) == ("available", "available")


def test_the_first_who_is_free_of_another_queue_is_asked() -> None:
    play = ask(two(), W.CONSULT, queue="r")
    assert play.find("c1").consult.agent.id == "cat"  # type: ignore[union-attr]
    play.accepts("cat")
    ask(play, W.COMPLETE)
    assert play.talking() == {"cat": "c1"}


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({}, "say who to ask: an agent, or a queue"),
        ({"agent": "cat", "queue": "r"}, "say who to ask: an agent, or a queue"),
        ({"queue": "x"}, "there is no queue 'x'"),
        ({"agent": "x"}, "there is no agent 'x'"),
        ({"agent": "ann"}, "ann is the one who has the call"),
        ({"agent": "bob"}, "bob can't be rung now: paused: lunch"),
        ({"queue": "r"}, "no agent is free in r"),
    ],
)
def test_colleagues_who_cannot_be_asked(to: dict[str, str], said: str) -> None:
    play = two().pause("bob").pause("cat").pause("dan")
    assert no(play, W.CONSULT, **to) == said


def test_one_colleague_at_a_time_and_no_hold_ends_while_one_is_there() -> None:
    play = asked()
    assert no(play, W.CONSULT, agent="cat") == "bob is being asked already"
    assert no(play, W.UNHOLD) == "a colleague is being asked: complete the transfer, or cancel it"


def test_a_colleague_who_answers_and_cannot_be_brought_in_is_let_go() -> None:
    play = asked()
    play.pbxes["office"].consults = False
    play.on(2).accepts("bob").on(10)
    assert play.find("c1").consult is None
    assert state(play, "bob") == "available"
    assert state(play, "ann") == AgentState.ON_CALL.value


# ---------------------------------------------------------------- a number outside

NUMBER = "+442079460018"


def outside(**rules: Any) -> Play:
    """ann talks to c1; numbers that begin with +44 are allowed."""
    allowed = OutsideTransfers(**{"allowed": ("+44",), "at_once": 2, "per_hour": 3, **rules})
    spec = replace(table(queue("q", "ann bob", "linear", wrap_up=10, ring_for=20)), outside=allowed)
    play = Play(spec, up=False)
    play.pbxes["office"].dials = True
    play.back().call("c1", "q", priority=7, entered_at=-5.0).accepts("ann").on(30)
    return play


def test_a_caller_is_passed_on_to_a_number_outside_and_the_agent_wraps_up() -> None:
    play = ask(outside(), W.TRANSFER, number=NUMBER)
    [order] = orders(play, DialOutside)
    assert (order.call, order.number, order.agent, order.ring_for) == ("c1", NUMBER, "ann", 30.0)
    [gone] = play.notices(ConversationTransferred)
    assert (gone.transfer.value, gone.to, gone.by) == ("blind", NUMBER, "ann")
    assert state(play, "ann") == "wrap-up"
    assert play.router.floor.calls == {}
    play.pbxes["office"].number_ends("c1", reached=True)
    play.on()
    assert play.router.floor.outside.calls == {}
    assert play.notices(AgentNotified) == []


def test_a_number_that_is_not_reached_gives_the_caller_back_to_the_agent_first() -> None:
    play = ask(outside(), W.TRANSFER, number=NUMBER).on(15)
    play.call("c2", "q").on(1)
    assert play.ringing() == {"ann": "c2"}
    play.accepts("ann").on(30).agent_hangs_up("ann").on(20)
    play.pbxes["office"].number_ends("c1", reached=False)
    play.on()
    assert play.ringing() == {"ann": "c1"}
    call = play.find("c1")
    assert (call.priority, call.entered_at, call.tried) == (7, -5.0, {})
    assert [one.message for one in play.notices(AgentNotified)] == [
        "+44…018 was not reached: the caller is back"
    ]


def test_what_is_refused_says_what_and_where() -> None:
    play = outside()
    said = no(play, W.TRANSFER, number="+33123456789")
    assert said == "+33…789 is not among the numbers allowed here: +44"
    assert "not among" in no(play, W.TRANSFER, number="+44&PJSIP/1002")
    assert no(play, W.TRANSFER, number=NUMBER, queue="q").startswith("say one place")
    assert no(outside(allowed=()), W.TRANSFER, number=NUMBER).endswith(
        "(transfers: outside is not set)"
    )
    play.pbxes["office"].dials = False
    play.lose("office").back()
    assert no(play, W.TRANSFER, number=NUMBER) == (
        "office can't pass a caller on to a number outside: it has no trunk"
    )


def test_how_many_are_outside_is_limited_also_after_a_restart_and_how_many_in_an_hour() -> None:
    play = outside(per_hour=2)
    for n in (1, 2):
        ask(play, W.TRANSFER, f"c{n}", number=NUMBER)
        play.on(60).call(f"c{n + 1}", "q").accepts("ann").on(5)
    assert no(play, W.TRANSFER, "c3", number=NUMBER).startswith(
        "2 callers are with numbers outside"
    )
    play.lose("office").back()
    assert len(play.router.floor.outside.calls) == 2
    play.pbxes["office"].number_ends("c1", reached=True)
    play.on()
    said = no(play, W.TRANSFER, "c3", number=NUMBER)
    assert said.startswith("ann may pass on 2 callers to numbers outside in an hour")
    assert "; again in " in said
    play.on(3600).feed(TimePassed())
    ask(play, W.TRANSFER, "c3", number=NUMBER)
    assert set(play.router.floor.outside.calls) == {"c2", "c3"}
