"""Calls from end to end over the scripted peer: what it plays is our reading of Twilio's documents."""

from __future__ import annotations

import pytest

from callrouter.core.state import OfferState
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallLeftQueue,
    CallRequeued,
    ConversationStarted,
    OfferEnded,
    OfferMade,
    OfferRang,
)
from callrouter.model.events import LegEnd, PauseRequested
from callrouter.model.notices import AgentPaused
from callrouter.model.routing_table import AgentSpec, AnnounceSpec, DeviceSpec, HangUp, ToDialplan
from callrouter.pbx.twilio import resync_account, twiml
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    CallInProgress,
    EndCall,
    PlaceCall,
    RedirectCall,
)
from callrouter.policies import REGISTRY
from callrouter.policies.base import Candidate, Needs
from tests.twilio.peer import Line, Phone, refused
from tests.twilio.world import FALLBACK, START, VOICEMAIL, World, desk, mobile, table

A, B, C = "+447700900001", "+447700900002", "+447700900003"
ANN, BOB, CAT = mobile("ann", A), mobile("bob", B), mobile("cat", C)
RING_ALL = {"at_once": None}


def test_a_mobile_is_asked_for_key_1_and_then_they_talk() -> None:
    world = World(table(ANN))
    caller = world.peer.call()
    world.run(10.0)
    agent = next(line for line in world.peer.lines.values() if line.number == A)
    assert agent.heard == ["Call for Support. Press 1 to take it, or 2 to decline."]
    assert world.peer.talks == [(caller.sid, A)]
    assert len(world.happened(ConversationStarted)) == 1
    world.run(60.0)
    [done] = world.happened(CallCompleted)
    assert done.by.value == "agent"
    assert caller.over
    assert world.outcomes[0].why is LegEnd.HUNG_UP
    world.nothing_left()
    assert world.control.account.callers == {}


def test_a_desk_phone_is_connected_at_once() -> None:
    world = World(table(desk("ann")))
    caller = world.peer.call()
    world.run(5.0)
    assert world.peer.talks == [(caller.sid, "sip:ann@acme.sip.twilio.com")]
    agent = next(line for line in world.peer.lines.values() if not line.inbound)
    assert agent.heard == []
    world.peer.hang_up(caller)
    world.run(5.0)
    assert world.happened(CallCompleted)[0].by.value == "caller"
    world.nothing_left()


def test_a_voicemail_is_not_connected_and_the_next_agent_is_rung() -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = Phone(key=None)
    caller = world.peer.call()
    world.run(20.0)
    assert world.peer.talks == [(caller.sid, B)]
    assert [r.outcome.value for r in world.happened(OfferEnded)] == ["lost"]


def test_a_voicemail_is_asked_again_and_again_for_accept_within() -> None:
    world = World(table(ANN))
    world.peer.phones[A] = Phone(key=None)
    world.peer.call()
    world.run(24.0)
    agent = next(line for line in world.peer.lines.values() if line.number == A)
    assert len(agent.heard) == 3
    world.run(5.0)
    assert world.outcomes[0].why is LegEnd.NOT_ACCEPTED
    assert [r.outcome.value for r in world.happened(OfferEnded)] == ["not accepted"]


@pytest.mark.parametrize(
    ("phone", "why"),
    [
        (Phone(refuses=("busy", "486")), LegEnd.BUSY),
        (Phone(refuses=("busy", "603")), LegEnd.DECLINED),
        (Phone(refuses=("failed", "404")), LegEnd.UNREACHABLE),
        (Phone(refuses=("no-answer", "480")), LegEnd.UNAVAILABLE),
        (Phone(key="2"), LegEnd.DECLINED),
        (Phone(key="7"), LegEnd.WRONG_KEY),
        (Phone(answers_after=None), LegEnd.NO_ANSWER),
    ],
)
def test_a_phone_that_does_not_take_it(phone: Phone, why: LegEnd) -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = phone
    caller = world.peer.call()
    world.run(40.0)
    assert world.outcomes[0].why is why
    assert world.peer.talks == [(caller.sid, B)]


def test_a_caller_who_gives_up_stops_every_phone() -> None:
    world = World(table(ANN, BOB, **RING_ALL))
    world.peer.default = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(5.0)
    assert sorted(world.ring()) == [A, B]
    world.peer.hang_up(caller)
    world.run(1.5)
    world.nothing_left()
    assert len(world.happened(CallAbandoned)) == 1


def test_a_withdrawn_offer_stops_at_once_and_is_no_miss() -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = Phone(answers_after=None)
    world.peer.call()
    world.run(5.0)
    world.post(PauseRequested(agent="ann"))
    world.run(1.0)
    assert world.ring() == [B]


@pytest.mark.parametrize(
    ("target", "where"),
    [(ToDialplan("voicemail", "support"), VOICEMAIL), (ToDialplan("elsewhere", "x"), FALLBACK), (None, FALLBACK)],
)  # fmt: skip
def test_a_caller_who_has_waited_enough_is_sent_on(target: ToDialplan | None, where: str) -> None:
    world = World(table(ANN, max_wait=30.0, on_max_wait=target))
    world.peer.default = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(60.0)
    assert caller.elsewhere == where
    world.peer.hang_up(caller)
    world.run(5.0)
    assert world.control.account.callers == {}
    assert len(world.happened(CallLeftQueue)) == 1
    world.nothing_left()


def test_a_full_queue_is_left_by_the_first_answer_already() -> None:
    world = World(table(ANN, max_waiting=0, on_full=HangUp()))
    caller = world.peer.call()
    world.run(1.0)
    assert caller.over
    assert caller.heard == []
    assert world.peer.asks == []


def test_without_a_fallback_callers_hear_an_apology() -> None:
    world = World(table(ANN, max_waiting=0), fallback="")
    caller = world.peer.call()
    world.run(1.0)
    assert caller.heard == [twiml.NOT_NOW]
    stranger = world.peer.call(to="+442079469999")
    world.run(1.0)
    assert stranger.heard == [twiml.NOT_NOW]
    assert world.control.account.counts["number without a queue"] == 1


def test_an_agent_who_hangs_up_at_once_puts_the_caller_back_in_line() -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = Phone(hangs_up_after=0.3)
    caller = world.peer.call()
    world.run(20.0)
    assert world.peer.talks == [(caller.sid, A), (caller.sid, B)]
    assert len(world.happened(CallRequeued)) == 1
    assert not caller.over


def test_a_waiting_caller_keeps_hearing_something() -> None:
    world = World(table(ANN), music={"default": "https://example.com/m.mp3"})
    world.peer.default = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(300.0)
    assert caller.queue == "callrouter-support"
    assert not caller.over


def test_place_and_estimate_are_spoken_between_two_turns_of_music() -> None:
    said = AnnounceSpec(position=True, estimate=True, every=45.0)
    world = World(table(ANN, announce=said, ring_for=600.0))
    world.peer.default = Phone(answers_after=None)
    first, second = world.peer.call(), world.peer.call()
    world.run(70.0)
    assert news(first) == ["You are next."] * 2
    assert news(second) == ["You are number 2 in line."] * 2
    world.run(27.0)  # the third is due at 95 s, and the music goes on until 100 s
    world.peer.hang_up(first)
    world.run(10.0)
    assert news(second)[2:] == ["You are next."], "it is said as it is true by then"


def news(line: Line) -> list[str]:
    return [text for text in line.told if text != twiml.HOLD_THE_LINE]


def test_an_announcement_does_not_hold_up_an_agent_who_accepts() -> None:
    world = World(table(ANN, announce=AnnounceSpec(position=True, every=20.0)))
    world.peer.phones[A] = Phone(answers_after=10.0, key_after=1.0)
    caller = world.peer.call()
    world.run(15.0)
    assert world.peer.talks == [(caller.sid, A)]
    told = list(caller.told)
    world.run(15.0)
    assert caller.told == told, "who talks is told nothing"


# ---------------------------------------------------------------- the rate


def test_ring_all_at_one_call_a_second_is_a_staircase() -> None:
    world = World(table(ANN, BOB, CAT, **RING_ALL), calls_per_second=1.0)
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(3.0)
    times = [at for at, ask in world.peer.asks if isinstance(ask, PlaceCall)]
    assert [round(at - times[0], 3) for at in times] == [0.0, 1.0, 2.0]


def crowd(count: int) -> list[AgentSpec]:
    return [mobile(f"a{n}", f"+4477009001{n:02d}") for n in range(count)]


def places(world: World) -> list[float]:
    return [at - START for at, ask in world.peer.asks if isinstance(ask, PlaceCall)]


def test_no_more_agents_are_held_than_can_be_rung_before_the_first_has_rung_out() -> None:
    """The core knows the rate: with one call a second and 6 s of ringing, 6 phones; and then the next."""
    world = World(
        table(*crowd(10), **RING_ALL, ring_for=6.0, retry_after=600.0), calls_per_second=1.0
    )
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    for _ in range(120):
        world.run(0.25)
        offers = world.router.floor.offers.values()
        assert sum(offer.state is OfferState.RINGING for offer in offers) <= 6
    assert [round(at) for at in places(world)][:6] == [0, 1, 2, 3, 4, 5]
    assert len(places(world)) == 10, "everybody was rung once"
    assert world.control.account.counts["no turn in time"] == 0


def test_agents_whose_turn_never_came_have_missed_nothing() -> None:
    world = World(table(*crowd(12), **RING_ALL, ring_for=6.0, auto_pause=1), calls_per_second=1.0)
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.peer.call()
    world.run(6.5)
    assert world.control.account.counts["no turn in time"] > 0
    failed = [end for end in world.outcomes if end.why is LegEnd.FAILED]
    world.run(3.0)
    paused = {record.agent for record in world.happened(AgentPaused)}
    silent = {end.offer for end in failed}
    rung = {record.offer: record.agent for record in world.happened(OfferMade)}
    assert paused.isdisjoint({rung[offer] for offer in silent})


def test_ring_for_counts_from_the_ring_and_not_from_the_turn_in_line() -> None:
    world = World(
        table(*crowd(5), **RING_ALL, ring_for=8.0, retry_after=600.0), calls_per_second=0.5
    )
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(60.0)
    rang = {record.offer: record.at for record in world.happened(OfferRang)}
    ended = {record.offer: record.at for record in world.happened(OfferEnded)}
    assert len(rang) == 5
    for offer, at in rang.items():
        assert ended[offer] - at == pytest.approx(8.0, abs=0.05)
    placed = {record.offer: record.at for record in world.happened(OfferMade)}
    assert max(rang[offer] - placed[offer] for offer in rang) > 5.0, "the last waited for its turn"
    assert [end.why for end in world.outcomes] == [LegEnd.NO_ANSWER] * 5


def test_a_second_phone_of_an_agent_follows_the_first_one_s_ring() -> None:
    """`ring_after` is the time after the first phone, not after that one got in line."""
    first, second = "+447700900101", "+447700900102"
    devices = [
        DeviceSpec(
            id=f"m{n}",
            agent="ann",
            pbxes=("cloud",),
            number=number,
            confirm=True,
            ring_after=n * 4.0,
        )
        for n, number in enumerate((first, second))
    ]
    ann = AgentSpec(id="ann", name="Ann", devices=tuple(devices))
    world = World(
        table(*crowd(3), ann, policy=("linear",), **RING_ALL, ring_for=20.0), calls_per_second=0.5
    )
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(30.0)
    at = {ask.to: when - START for when, ask in world.peer.asks if isinstance(ask, PlaceCall)}
    assert at[first] == pytest.approx(6.0, abs=0.1)
    [rang] = [one.at - START for one in world.happened(OfferRang) if one.agent == "ann"]
    assert rang > at[first]
    assert at[second] == pytest.approx(rang + 4.0, abs=0.01)


class Patient:
    """A policy that looks at the rate."""

    name = "patient"
    draws = rings_all = False

    def __init__(self) -> None:
        self.seen: list[float] = []

    def rank(self, candidate: Candidate, _needs: Needs, /) -> float:
        self.seen.append(candidate.offers_per_second)
        return -candidate.offers_per_second


def test_a_policy_sees_how_many_phones_a_second_may_be_rung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = Patient()
    monkeypatch.setitem(REGISTRY, "patient", policy)
    world = World(table(ANN, policy=("patient",)), calls_per_second=2.0)
    world.peer.call()
    world.run(1.0)
    assert policy.seen[-1] == 2.0
    assert world.router.floor.paces == {"cloud": 2.0}


def test_what_twilio_queues_for_too_long_is_taken_back() -> None:
    world = World(table(ANN), calls_per_second=30.0)
    world.peer.rate = 0.02  # the account allows less than was configured
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(12.0)
    world.peer.call()
    world.run(30.0)
    assert world.control.account.counts["queued too long by Twilio"] > 0


# ---------------------------------------------------------------- refusals and outages


def test_one_bad_number_among_many_stops_nobody() -> None:
    world = World(table(ANN, BOB, CAT, **RING_ALL))

    def trouble(ask: ApiRequest) -> tuple[ApiResult, bool] | None:
        bad = isinstance(ask, PlaceCall) and ask.to == A
        return (refused(400, 21211), False) if bad else None

    world.peer.trouble = trouble
    world.peer.phones[B] = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(10.0)
    assert world.outcomes[0].why is LegEnd.UNREACHABLE
    assert world.peer.talks == [(caller.sid, C)]


def test_too_many_requests_are_asked_again() -> None:
    world = World(table(ANN))
    left = [3]

    def trouble(_ask: ApiRequest) -> tuple[ApiResult, bool] | None:
        left[0] -= 1
        return (refused(429, 20429), False) if left[0] >= 0 else None

    world.peer.trouble = trouble
    caller = world.peer.call()
    world.run(12.0)
    assert world.peer.talks == [(caller.sid, A)]
    left[0] = 2
    world.peer.hang_up(next(line for line in world.peer.lines.values() if line.number == A))
    world.run(10.0)
    world.nothing_left()


def unknown(_ask: ApiRequest) -> ApiResult:
    return ApiResult(outcome=ApiOutcome.UNKNOWN, status=500, detail="Twilio says 500")


@pytest.mark.parametrize("done", [True, False])
def test_a_call_whose_fate_is_unknown_is_never_placed_twice(done: bool) -> None:
    world = World(table(ANN))
    world.peer.trouble = lambda ask: (unknown(ask), done) if isinstance(ask, PlaceCall) else None
    caller = world.peer.call()
    world.run(15.0)
    assert sum(isinstance(ask, PlaceCall) for _, ask in world.peer.asks) == 1
    assert world.peer.talks == ([(caller.sid, A)] if done else [])
    assert not caller.over
    world.peer.trouble = lambda _ask: None
    world.run(60.0)
    assert len(world.peer.talks) == 1 if done else world.peer.talks


@pytest.mark.parametrize("done", [True, False])
def test_a_connect_whose_fate_is_unknown_ends_well(done: bool) -> None:
    world = World(table(ANN, BOB))
    first = [True]

    def trouble(ask: ApiRequest) -> tuple[ApiResult, bool] | None:
        if isinstance(ask, RedirectCall) and first[0]:
            first[0] = False
            return (unknown(ask), done)
        return None

    world.peer.trouble = trouble
    caller = world.peer.call()
    world.run(25.0)
    assert world.peer.talks == [(caller.sid, A if done else B)]
    assert not caller.over


def test_a_caller_is_let_out_even_when_requests_fail() -> None:
    world = World(table(ANN, max_wait=10.0))
    world.peer.default = Phone(answers_after=None)
    world.peer.trouble = lambda ask: (
        (unknown(ask), False) if isinstance(ask, RedirectCall) else None
    )
    caller = world.peer.call()
    world.run(45.0)
    assert caller.elsewhere == FALLBACK


def test_a_phone_that_cannot_be_stopped_is_given_up_on_and_never_talks() -> None:
    world = World(table(ANN))
    world.peer.phones[A] = Phone(answers_after=18.0)
    world.peer.trouble = lambda ask: (unknown(ask), False) if isinstance(ask, EndCall) else None
    caller = world.peer.call()
    world.run(15.0)
    world.peer.hang_up(caller)
    world.run(60.0)
    agent = next(line for line in world.peer.lines.values() if line.number == A)
    assert agent.heard == [twiml.GONE]
    assert world.peer.talks == []
    world.nothing_left()


# ---------------------------------------------------------------- restart


def test_restart_takes_up_who_waits_and_who_talks() -> None:
    world = World(table(ANN, BOB))
    world.peer.phones[A] = Phone(hangs_up_after=120.0)
    first = world.peer.call()
    world.run(10.0)
    assert world.peer.talks == [(first.sid, A)]
    world.peer.default = Phone(answers_after=None)
    second = world.peer.call()
    world.run(5.0)
    world.restart()
    floor = world.router.floor
    assert {call.id: call.state.value for call in floor.calls.values()} == {
        f"cloud-{first.sid}": "talking",
        f"cloud-{second.sid}": "waiting",
    }
    assert floor.calls[f"cloud-{second.sid}"].entered_at == START + 10.0
    assert floor.agents["ann"].offers
    world.peer.default = Phone()
    world.run(40.0)
    assert (second.sid, B) in world.peer.talks
    assert first.status == "in-progress"
    world.run(200.0)
    assert first.over
    world.nothing_left()


def test_callers_of_another_router_on_the_same_account_are_left_to_it() -> None:
    world = World(table(ANN))
    theirs = CallInProgress(sid="CA" + "7" * 32, called_number="+442079461111", queue="support")
    room = f"callrouter-{theirs.sid}-x-1"
    talks = CallInProgress(sid=theirs.sid, called_number="+442079461111", conference=room)
    agent = CallInProgress(sid="CA" + "8" * 32, conference=room, label="ann|mobile")
    stranger = CallInProgress(sid="CA" + "9" * 32, called_number="+442079460000")
    for found in ([theirs], [talks, agent], [stranger], [agent]):
        resync_account.adopt(world.control.account, world.settings, found)
    assert world.control.account.callers == {}
    assert world.control.account.legs == {}


def test_restart_before_anybody_is_known_adopts_by_the_next_turn_of_music() -> None:
    world = World(table(ANN))
    world.peer.default = Phone(answers_after=None)
    caller = world.peer.call()
    world.run(3.0)
    world.boot()
    world.post(world.control.account.snapshot())
    assert list(world.control.account.callers) == []
    world.run(25.0)
    assert caller.sid in world.control.account.callers
    assert world.control.account.counts["adopted"] == 1
    call = world.router.floor.calls[f"cloud-{caller.sid}"]
    assert call.entered_at == pytest.approx(START, abs=1.0)


def test_a_phone_that_rings_from_before_a_restart_hears_that_there_is_nothing() -> None:
    world = World(table(ANN))
    world.peer.phones[A] = Phone(answers_after=6.0)
    world.peer.call()
    world.run(3.0)
    world.boot()
    world.run(20.0)
    agent = next(line for line in world.peer.lines.values() if line.number == A)
    assert agent.heard == [twiml.NOTHING_HERE]
    assert world.peer.talks == []
