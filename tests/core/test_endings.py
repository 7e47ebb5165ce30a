"""Connecting, talking, and every way that comes to an end or to nothing."""

from __future__ import annotations

import pytest

from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallMovedAway,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
)
from callrouter.model.commands import Requeue, Result
from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    ConnectFailed,
    ConnectFault,
    LegEnd,
    TransferKind,
)
from callrouter.model.outcomes import EndedBy
from tests.core.playbook import Play, is_talking
from tests.core.tables import agent, mobile, queue, table


def talk(**rules: object) -> Play:
    """ann and bob, ann first; c1 talks with ann since 0 s."""
    play = Play(table(queue("q", "ann:1 bob:2", "priority", **rules)))
    return play.call("c1", "q").accepts("ann")


def mute(play: Play) -> Play:
    """The PBX does not carry out a connect, nor say so."""
    play.pbxes["office"].connects = False
    return play


# ---------------------------------------------------------------- the end of a talk


def test_the_agent_hangs_up_first() -> None:
    play = talk().on(42).agent_hangs_up("ann")
    (record,) = play.notices(CallCompleted)
    assert (record.by, record.wait_s, record.talk_s) == (EndedBy.AGENT, 0, 42)
    left = play.left("c1")
    assert left is not None
    assert left.result is Result.ANSWERED


def test_the_caller_hangs_up_first() -> None:
    play = talk().on(42).caller_hangs_up("c1")
    (record,) = play.notices(CallCompleted)
    assert (record.by, record.wait_s, record.talk_s) == (EndedBy.CALLER, 0, 42)
    assert play.left("c1") is None
    assert play.state("ann") is AgentState.AVAILABLE


def test_both_hang_up_within_an_instant_and_it_is_one_end() -> None:
    play = talk().on(42)
    pbx = play.pbxes["office"]
    (leg,) = pbx.legs.values()
    pbx.end_leg(leg, LegEnd.HUNG_UP)
    play.feed(CallerLeft(call="c1"))
    play.on()
    assert len(play.notices(CallCompleted)) == 1
    assert play.quiet()


def test_the_agent_is_on_the_call_until_their_own_phone_is_on_hook() -> None:
    """The caller has gone, and the agent's phone is (say) sent elsewhere by a colleague."""
    play = talk(wrap_up=10).on(5)
    pbx = play.pbxes["office"]
    (leg,) = pbx.legs.values()
    caller = pbx.callers.pop("c1")
    assert caller.talks_to == leg.id
    leg.talks_to = "?"
    play.feed(CallerLeft(call="c1"))
    play.call("c2", "q").on(60)
    assert play.rings("ann") == [(0, "ann")]
    assert play.state("ann") is AgentState.ON_CALL
    pbx.end_leg(leg, LegEnd.HUNG_UP)
    play.on()
    assert play.state("ann") is AgentState.WRAP_UP
    assert play.agent("ann").talk == 65


@pytest.mark.parametrize("kind", TransferKind)
def test_a_transfer_ends_the_call_and_the_wrap_up_starts_on_hook(kind: TransferKind) -> None:
    play = talk(wrap_up=10).on(5).transfers("c1", kind).on(0)
    (record,) = play.notices(ConversationTransferred)
    assert (record.transfer, record.to) == (kind, "1234")
    assert play.gone("c1")
    if kind is TransferKind.ATTENDED:
        assert play.state("ann") is AgentState.ON_CALL, "still consulting"
        play.on(20).agent_hangs_up("ann")
    assert play.state("ann") is AgentState.WRAP_UP


def test_a_caller_who_comes_back_after_a_transfer_is_a_call_again_with_its_age() -> None:
    play = talk(wrap_up=10).on(30).transfers("c1")
    play.call("c1", "q", entered_at=0.0)
    assert play.ringing() == {"bob": "c1"}, "ann is in wrap-up"
    assert play.find("c1").entered_at == 0


def test_a_talk_taken_away_by_a_supervisor_leaves_the_agent_busy() -> None:
    play = talk().on(5)
    (leg,) = play.pbxes["office"].legs.values()
    play.pbxes["office"].callers.pop("c1")
    leg.talks_to = "?"
    play.feed(CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY))
    assert play.gone("c1")
    assert play.state("ann") is AgentState.ON_CALL


def test_a_waiting_caller_who_is_taken_by_someone_else_did_not_abandon() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(3)
    play.pbxes["office"].callers.pop("c1")
    play.feed(CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY))
    play.on()
    assert play.ringing() == {}
    assert len(play.notices(CallMovedAway)) == 1
    assert play.notices(CallAbandoned) == []


# ---------------------------------------------------------------- hardly a talk


def test_an_agent_who_hangs_up_at_once_loses_the_caller_to_the_next() -> None:
    play = talk(wrap_up=10).call("c2", "q").on(0.5)
    play.pause("bob").call("c3", "q", priority=90)
    play.resume("bob")
    play.agent_hangs_up("ann")
    assert play.waiting("q")[0] == "c1", "first in line, as before"
    assert isinstance(next(o for _, o in reversed(play.log) if isinstance(o, Requeue)), Requeue), (
        "the caller hears music again"
    )
    assert play.state("ann") is not AgentState.WRAP_UP
    assert play.agent("ann").calls == 0


def test_a_talk_of_a_second_is_a_talk() -> None:
    play = talk(wrap_up=10).on(1.0).agent_hangs_up("ann")
    assert play.gone("c1")
    assert play.state("ann") is AgentState.WRAP_UP


def test_counts_of_calls_are_those_of_talks() -> None:
    play = talk().on(0.5).agent_hangs_up("ann").accepts("bob").on(9).agent_hangs_up("bob")
    floor = play.router.floor
    assert floor.queues["q"].answered == 1
    assert sum(agent.calls for agent in floor.agents.values()) == 1


# ---------------------------------------------------------------- a connect that fails


def test_the_caller_had_just_gone() -> None:
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q")
    del play.pbxes["office"].callers["c1"]
    play.accepts("ann")
    assert play.quiet()
    assert play.state("ann") is AgentState.AVAILABLE, "no wrap-up for a call that was none"
    assert len(play.notices(CallAbandoned)) == 1


def test_the_agents_phone_had_just_gone() -> None:
    play = mute(Play(table(queue("q", "ann:1 bob:2", "priority"))))
    play.call("c0", "q").call("c1", "q", priority=60).accepts("ann").on(0.2)
    play.agent_hangs_up("ann")
    assert play.waiting("q") == ["c0", "c1"], "first in line again"
    assert list(play.find("c0").tried) == ["ann"]


def test_the_pbx_refuses_to_connect() -> None:
    play = mute(Play(table(queue("q", "ann:1 bob:2", "priority"))))
    play.call("c1", "q").accepts("ann")
    (leg,) = play.pbxes["office"].legs.values()
    play.feed(ConnectFailed(call="c1", offer=leg.ring.offer, why=ConnectFault.FAILED))
    play.on()
    assert play.ringing() == {"bob": "c1"}, "ann's phone was hung up, bob's rings"
    assert len(play.notices(CallRequeued)) == 1


def test_a_connect_that_nobody_hears_of_is_given_up_after_ten_seconds() -> None:
    play = mute(Play(table(queue("q", "ann:1 bob:2", "priority"))))
    play.call("c1", "q").accepts("ann").until(9.9)
    assert play.rings() == [(0, "ann")]
    play.until(10)
    assert play.rings() == [(0, "ann"), (10, "bob")]


def test_the_caller_hangs_up_while_being_connected() -> None:
    play = mute(Play(table(queue("q", "ann", wrap_up=30))))
    play.call("c1", "q").accepts("ann").on(0.1).caller_hangs_up("c1")
    assert play.quiet()
    assert play.talking() == play.ringing() == {}
    assert play.state("ann") is AgentState.AVAILABLE


def test_an_answer_and_a_hang_up_that_cross() -> None:
    """The caller's hang-up is heard before the acceptance that came first."""
    play = Play(table(queue("q", "ann", wrap_up=30)))
    play.call("c1", "q")
    pbx = play.pbxes["office"]
    (leg,) = pbx.legs.values()
    pbx.hang_up("c1")
    pbx.press_1(leg)
    play.on()
    assert play.quiet()
    assert play.ringing() == {}
    assert play.state("ann") is AgentState.AVAILABLE


def test_all_accept_in_the_same_instant_and_one_wins() -> None:
    names = "ann bob cat dan"
    play = Play(table(queue("q", names, "ring-all", wrap_up=30)))
    for name in names.split():
        play.phone(name).picks_up(after=1.0)
    play.call("c1", "q").until(1)
    assert len(play.talking()) == 1
    assert play.ringing() == {}
    assert len(play.notices(ConversationStarted)) == 1
    for loser in set(names.split()) - play.talking().keys():
        assert play.state(loser) is AgentState.AVAILABLE


def test_both_phones_of_one_person_accept_in_the_same_instant() -> None:
    play = Play(table(agent("ann", mobile("ann"), mobile("ann", id="other")), queue("q", "ann")))
    for device in ("mobile", "other"):
        play.phone("ann", device).picks_up(after=1.0, key_1=0.0)
    play.call("c1", "q").until(1)
    assert play.talking() == {"ann": "c1"}
    assert len(play.pbxes["office"].legs) == 1


# ---------------------------------------------------------------- pickup


def picked_up(play: Play, whose: str, endpoint: str) -> Play:
    pbx = play.pbxes["office"]
    (leg,) = [leg for leg in pbx.legs.values() if leg.ring.agent == whose]
    pbx.picked_up_at(leg, endpoint)
    return play.on()


def test_a_colleague_picks_the_call_up_and_has_it() -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority", wrap_up=10)))
    play.call("c1", "q").on(2)
    picked_up(play, "ann", "PJSIP/bob")
    assert play.state("bob") is AgentState.ON_CALL
    assert play.state("ann") is AgentState.AVAILABLE
    assert (play.agent("ann").misses, play.outcomes("ann")) == (0, [])
    assert play.notices(ConversationStarted)[0].agent == "bob"
    play.on(5).caller_hangs_up("c1")
    assert play.state("bob") is AgentState.WRAP_UP


def test_a_colleague_whose_own_phone_rings_for_the_same_call_picks_up_ann_s() -> None:
    play = Play(table(queue("q", "ann bob", "ring-all")))
    play.call("c1", "q").on(2)
    picked_up(play, "ann", "PJSIP/bob")
    assert is_talking(play, "c1")
    assert play.state("bob") is AgentState.ON_CALL
    assert play.state("ann") is AgentState.AVAILABLE
    assert len(play.pbxes["office"].legs) == 1


def test_what_rang_for_the_colleague_goes_to_someone_else() -> None:
    play = Play(table(queue("q", "ann bob cat", "round-robin")))
    play.call("c1", "q").call("c2", "q")
    picked_up(play, "ann", "PJSIP/bob")
    assert play.find("c1").winner is not None
    assert play.ringing() == {"ann": "c2"}, "her phone is quiet, and she had no turn"


def test_a_phone_of_nobody_picks_up_and_the_call_stays_with_whom_it_rang() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(2)
    picked_up(play, "ann", "PJSIP/reception")
    assert play.state("ann") is AgentState.ON_CALL
    assert "is not the phone of an agent who could" in play.oddities()[0]


def test_a_colleague_on_a_call_can_not_have_two() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin")))
    play.call("c0", "q").accepts("ann").call("c1", "q")
    picked_up(play, "bob", "PJSIP/ann")
    assert play.state("bob") is AgentState.ON_CALL


def test_BT_09_who_sends_a_caller_back_to_the_queue_is_the_last_choice() -> None:
    play = Play(table(queue("q", "ann:1 bob:50", "priority", retry_after=5)))
    play.call("c1", "q").accepts("ann").on(5).transfers("c1")
    play.call("c1", "q", entered_at=0.0)
    assert play.ringing() == {"bob": "c1"}, "ann is free, first in level, and has just had the call"
    play.pause("bob").on(5)
    assert play.ringing() == {"ann": "c1"}, "nobody else is there: after the pause it is ann's turn"
