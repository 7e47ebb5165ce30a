"""`ring_all: dial` over the scripted peer, which is our reading of `<Dial>` with several nouns."""

from __future__ import annotations

import pytest

from callrouter.core.calls.conversations import refusal
from callrouter.model.call_notices import CallAbandoned, CallCompleted, OfferRang
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.events import LegEnd, PauseRequested
from callrouter.model.routing_table import AgentSpec
from callrouter.pbx.twilio import resync_account, twiml
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    PlaceCall,
    RedirectCall,
)
from tests.twilio.peer import Line, Mischief, Phone, refused
from tests.twilio.world import World, desk, mobile, table

A, B, C = (f"sip:{name}@acme.sip.twilio.com" for name in ("ann", "bob", "cat"))
DESKS = (desk("ann"), desk("bob"), desk("cat"))
M = "+447700900001"


def world_of(*agents: AgentSpec, seed: int = 1, rate: float = 1.0, **changes: object) -> World:
    rules = {"at_once": None, "dial": True, "retry_after": 2.0, **changes}
    world = World(table(*(agents or DESKS), **rules), seed=seed, calls_per_second=rate)
    world.peer.default = Phone(answers_after=None, hangs_up_after=None)
    return world


def placed(world: World) -> list[str]:
    return [ask.to for _, ask in world.peer.asks if isinstance(ask, PlaceCall)]


def line(world: World, number: str) -> Line:
    return next(line for line in reversed(world.peer.lines.values()) if line.number == number)


def test_all_phones_ring_at_once_without_a_request_for_any_of_them() -> None:
    world = world_of()
    world.peer.call()
    world.run(1.0)
    assert sorted(world.ring()) == [A, B, C]
    assert world.peer.asks == [], "the answer to the caller's own request was enough"
    rang = [record.at for record in world.happened(OfferRang)]
    assert len(rang) == 3
    assert max(rang) - min(rang) < 0.2, "no staircase, at one call a second"


def test_the_first_to_pick_up_has_the_caller_and_the_others_missed_nothing() -> None:
    world = world_of(auto_pause=1)
    world.peer.phones[B] = Phone(answers_after=3.0, hangs_up_after=20.0)
    caller = world.peer.call()
    world.run(6.0)
    assert world.peer.talks == [(caller.sid, B)]
    assert world.ring() == [B]
    agents = world.router.floor.agents
    assert [name for name in agents if agents[name].offers] == ["bob"]
    assert [agents[name].misses for name in agents] == [0, 0, 0]
    world.run(40.0)
    assert [record.by.value for record in world.happened(CallCompleted)] == ["agent"]
    assert caller.over
    world.nothing_left()


def test_a_caller_who_hangs_up_while_phones_ring_or_in_the_talk() -> None:
    for talks in (False, True):
        world = world_of()
        if talks:
            world.peer.phones[A] = Phone(answers_after=1.0, hangs_up_after=None)
        caller = world.peer.call()
        world.run(5.0)
        assert bool(world.peer.talks) is talks
        world.peer.hang_up(caller)
        world.run(5.0)
        assert world.router.floor.calls == {}
        assert len(world.happened(CallCompleted if talks else CallAbandoned)) == 1
        world.nothing_left()


def test_nobody_picks_up_and_the_caller_waits_on_with_music_and_is_rung_for_again() -> None:
    world = world_of(ring_for=10.0)
    caller = world.peer.call()
    world.run(11.5)
    assert {end.why for end in world.outcomes} == {LegEnd.NO_ANSWER}
    assert caller.queue == "callrouter-support", "between two rounds there is music"
    world.run(3.0)
    assert sorted(world.ring()) == [A, B, C]
    assert len(world.peer.dials) == 2
    [move] = [
        ask for _, ask in world.peer.asks if isinstance(ask, RedirectCall) and "<Sip" in ask.twiml
    ]
    assert move.sid == caller.sid
    assert placed(world) == []


def test_a_mobile_is_called_besides_and_asked_for_key_1() -> None:
    world = world_of(*DESKS, mobile("dan", M), rate=5.0)
    world.peer.phones[M] = Phone(answers_after=2.0, key_after=1.0, hangs_up_after=None)
    caller = world.peer.call()
    world.run(1.5)
    assert sorted(world.ring()) == sorted([A, B, C, M])
    assert placed(world) == [M]
    world.run(8.0)
    assert world.peer.hear(caller) == [M]
    assert world.ring() == [M]


def test_a_voicemail_of_a_mobile_does_not_stop_the_others() -> None:
    world = world_of(*DESKS, mobile("dan", M), rate=5.0)
    world.peer.phones[M] = Phone(answers_after=1.0, key=None)
    world.peer.phones[A] = Phone(answers_after=6.0, hangs_up_after=None)
    caller = world.peer.call()
    world.run(12.0)
    assert world.peer.talks == [(caller.sid, A)]


def test_one_phone_alone_and_more_than_ten() -> None:
    world = world_of(desk("ann"))
    world.peer.call()
    world.run(2.0)
    assert placed(world) == [A]
    world = world_of(*(desk(f"a{n}") for n in range(13)), rate=5.0)
    world.peer.call()
    world.run(3.0)
    assert [count for _, count in world.peer.dials] == [10]
    assert len(placed(world)) == 3


def test_an_agent_who_pauses_is_left_out_and_the_others_ring_on() -> None:
    world = world_of()
    world.peer.call()
    world.run(2.0)
    world.post(PauseRequested(agent="bob"))
    world.run(1.0)
    assert sorted(world.ring()) == [A, C]


def test_two_who_pick_up_in_the_same_instant_one_is_connected() -> None:
    for seed in range(10):
        world = world_of(seed=seed)
        for number in (A, B):
            world.peer.phones[number] = Phone(answers_after=2.0, hangs_up_after=None)
        caller = world.peer.call()
        world.run(6.0)
        assert len(world.peer.talks) == 1
        assert len(world.peer.hear(caller)) == 1
        assert (
            len([o for o in world.router.floor.offers.values() if o.state.value == "talking"]) == 1
        )


def test_picked_up_for_a_caller_who_has_just_gone() -> None:
    world = world_of()
    caller = world.peer.call()
    world.run(3.0)
    token = line(world, A).token
    world.peer.hang_up(caller)
    world.run(3.0)
    agent = line(world, A)
    said = world.control.handlers.answer("agent", token, {"CallSid": agent.sid}, world.now)
    assert twiml.GONE in said


def test_such_a_talk_has_no_hold_and_can_be_transferred_blind() -> None:
    world = world_of()
    world.peer.phones[A] = Phone(answers_after=1.0, hangs_up_after=None)
    caller = world.peer.call()
    world.run(5.0)
    call = f"cloud-{caller.sid}"
    no = refusal(
        world.router.floor, ConversationRequested(call=call, action=ConversationAction.HOLD)
    )
    assert no == "this call was taken by ring_all: dial, and can only be transferred blind"
    world.peer.phones[C] = Phone(answers_after=1.0, hangs_up_after=None)
    world.post(ConversationRequested(call=call, action=ConversationAction.TRANSFER, agent="cat"))
    world.run(8.0)
    assert world.peer.hear(caller) == [C]
    assert line(world, A).over


@pytest.mark.parametrize("outcome", [ApiOutcome.REFUSED, ApiOutcome.UNKNOWN, ApiOutcome.NOT_SENT])
def test_a_dial_that_cannot_be_ordered_leaves_nobody_without_a_ring(outcome: ApiOutcome) -> None:
    world = world_of(ring_for=10.0, rate=5.0)

    def trouble(ask: ApiRequest) -> tuple[ApiResult, bool] | None:
        if isinstance(ask, RedirectCall) and "<Sip" in ask.twiml:
            return ApiResult(outcome=outcome, status=400, code=21205, detail="no"), False
        return None

    world.peer.trouble = trouble
    caller = world.peer.call()
    world.run(15.0)  # the second round is ordered by a request
    world.run(60.0)
    assert not caller.over
    assert world.router.floor.calls
    if outcome is ApiOutcome.UNKNOWN:
        assert len(world.peer.dials) > 2, "the next turn of music does it"
    else:
        assert sorted(set(placed(world))) == [A, B, C], "they are called one by one"
    world.peer.trouble = lambda _ask: None
    world.peer.default = Phone(answers_after=1.0, hangs_up_after=3.0)
    world.run(60.0)
    assert world.peer.talks


def test_a_caller_who_is_gone_when_the_dial_is_ordered() -> None:
    world = world_of(ring_for=10.0)
    world.peer.trouble = lambda ask: (
        (refused(400, 21220), False) if isinstance(ask, RedirectCall) else None
    )
    world.peer.call()
    world.run(40.0)
    assert world.router.floor.calls == {}
    assert world.router.floor.offers == {}


def test_a_talk_from_before_a_restart_keeps_its_agent_busy() -> None:
    world = world_of()
    world.peer.phones[A] = Phone(answers_after=1.0, hangs_up_after=None)
    caller = world.peer.call()
    world.run(5.0)
    world.restart()
    floor = world.router.floor
    assert floor.agents["ann"].offers
    assert floor.calls[f"cloud-{caller.sid}"].state.value == "talking"
    world.peer.call()
    world.run(3.0)
    assert world.ring().count(A) == 1, "ann is not rung for another"
    world.peer.hang_up(caller)
    world.run(8.0)
    assert f"cloud-{caller.sid}" not in {offer.call.id for offer in floor.offers.values()}


@pytest.mark.parametrize("seed", range(16))
def test_dials_with_callbacks_late_double_and_lost_lose_nobody(seed: int) -> None:
    world = world_of(*DESKS, mobile("dan", M), seed=seed, ring_for=8.0, wrap_up=1.0)
    rng = world.router.floor.rng
    world.peer.mischief = Mischief(delay=0.8, twice=0.3, lost=0.2)
    callers = []
    for _ in range(14):
        waits = [None, 0.5, 2.0, 6.0][rng.randrange(4)]
        world.peer.default = Phone(
            answers_after=waits, key_after=0.5, hangs_up_after=[0.3, 5.0][rng.randrange(2)]
        )
        callers.append(world.peer.call())
        world.run(1.0 + rng.randrange(5))
        if rng.randrange(10) < 3:
            world.peer.hang_up(callers[rng.randrange(len(callers))])
    world.peer.default = Phone(answers_after=1.0, hangs_up_after=4.0)
    for _ in range(8):
        world.run(60.0)
        world.control.account.set_time(world.now)
        resync_account.drop_vanished(world.control.account, world.look())
    assert [caller.sid for caller in callers if not caller.over] == []
    assert world.router.floor.calls == {}
    world.nothing_left()
