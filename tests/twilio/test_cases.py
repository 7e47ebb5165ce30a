"""Cases of others, restated, that the scripted peer can play; by id. TW-08, TW-13 and TW-14 are races."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import ConversationStarted
from callrouter.model.events import PauseRequested, Resumed, SignedOut
from callrouter.model.routing_table import AgentSpec, NumberPattern, Rule, ToQueue
from tests.twilio.peer import Phone
from tests.twilio.world import World, mobile, table

A, B, C = "+447700900001", "+447700900002", "+447700900003"
ANN, BOB, CAT = mobile("ann", A), mobile("bob", B), mobile("cat", C)


def test_TW_01_a_preferred_agent_alone_for_15_s_then_anyone() -> None:
    routes = table(ANN, BOB, CAT, prefer_for=15.0, ring_for=60.0)
    rule = Rule(name="regular", callers=(NumberPattern("+33123456789"),), agent="cat")
    world = World(replace(routes, rules=(rule,)))
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(5.0)
    assert world.ring() == [C], "although Ann and Bob are idle"
    world.post(PauseRequested(agent="cat"))
    world.peer.call()
    world.run(2.0)
    assert A in world.ring(), "the preferred one is not there: nobody is waited for"


def test_TW_01_nobody_matches_and_the_next_queue_has_the_caller() -> None:
    routes = table(ANN, skills={"french": 1}, max_wait=15.0, on_max_wait=ToQueue("rest"))
    rest = replace(routes.queues["support"], id="rest", skills={}, max_wait=None, on_max_wait=None)
    world = World(replace(routes, queues={**routes.queues, "rest": rest}))
    caller = world.peer.call()
    world.run(14.0)
    assert world.ring() == []
    world.run(10.0)
    assert world.peer.talks == [(caller.sid, A)]


def test_TW_03_agents_on_a_call_count_as_present() -> None:
    world = World(table(ANN, on_nobody=None))
    world.peer.default = Phone(hangs_up_after=None)
    world.peer.call()
    world.run(10.0)
    second = world.peer.call()
    world.run(30.0)
    assert not second.over, "Ann talks, and is waited for"
    assert second.elsewhere == ""
    world.post(SignedOut(agent="ann"))
    world.peer.hang_up(next(line for line in world.peer.lines.values() if line.number == A))
    world.run(10.0)
    assert second.elsewhere, "nobody is there any more"


def test_TW_04_longest_idle_and_ties_by_the_second_key() -> None:
    def skilled(agent: AgentSpec, level: int) -> AgentSpec:
        return replace(agent, skills={"finance": 10, "support": level})

    people = (skilled(ANN, 8), skilled(BOB, 10), skilled(CAT, 5))
    world = World(table(*people, policy=("skills", "longest-idle"), skills={"support": 1}))
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(2.0)
    assert world.ring() == [B]
    world = World(table(ANN, BOB, CAT))
    world.post(PauseRequested(agent="ann"))
    world.run(5.0)
    world.post(Resumed(agent="ann"))
    world.peer.call()
    world.run(2.0)
    assert world.ring() in ([B], [C]), "whoever comes back stands at the back of the line"


def test_TW_10_an_agent_who_was_away_has_their_capacity_again() -> None:
    world = World(table(replace(ANN, capacity=2)))
    world.peer.default = Phone(hangs_up_after=None)
    world.post(PauseRequested(agent="ann"))
    world.run(1.0)
    world.post(Resumed(agent="ann"))
    for _ in range(3):
        world.peer.call()
    world.run(15.0)
    assert len(world.happened(ConversationStarted)) == 2
    assert world.router.floor.agents["ann"].status.state is AgentState.ON_CALL


@pytest.mark.parametrize("shown", ["Anonymous", "+266696687", "+7378742833", "anonymous", ""])
def test_callers_who_withhold_their_number_are_not_one_regular_customer(shown: str) -> None:
    hidden = Rule(name="hidden", callers=(NumberPattern(""),), priority=80)
    world = World(replace(table(ANN, BOB, last_agent=3600.0, prefer_for=30.0), rules=(hidden,)))
    world.peer.default = Phone(hangs_up_after=3.0)
    world.post(PauseRequested(agent="ann"))
    first = world.peer.call(number=shown)
    world.run(15.0)
    assert world.peer.talks == [(first.sid, B)]
    assert world.router.floor.last_talks == {}
    world.post(Resumed(agent="ann"))
    world.peer.default = Phone(answers_after=None)
    second = world.peer.call(number=shown)
    world.run(2.0)
    call = world.router.floor.calls[f"cloud-{second.sid}"]
    assert (call.caller_number, call.first_agent, call.priority) == ("", "", 80)
