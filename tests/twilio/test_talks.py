"""Hold, blind and attended transfer over the scripted peer: who hears whom, and what each request was."""

from __future__ import annotations

import pytest

from callrouter.core.calls.conversations import refusal
from callrouter.model.call_notices import CallCompleted, CallPutThrough
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    UpdateParticipant,
)
from tests.twilio.peer import Line, Mischief, Phone, refused
from tests.twilio.world import START, World, desk, mobile, table

A, B = "+447700900001", "+447700900002"
ANN, BOB = mobile("ann", A), mobile("bob", B)
W = ConversationAction


def talk(**changes: object) -> tuple[World, Line]:
    """ann talks to a caller."""
    world = World(table(ANN, BOB, wrap_up=5.0, **changes))
    world.peer.default = Phone(hangs_up_after=None)
    caller = world.peer.call()
    world.run(10.0)
    assert world.peer.talks == [(caller.sid, A)]
    return world, caller


def line(world: World, number: str) -> Line:
    return next(line for line in reversed(world.peer.lines.values()) if line.number == number)


def ask(world: World, what: ConversationAction, caller: Line, run: float = 2.0, **to: str) -> None:
    event = ConversationRequested(call=f"cloud-{caller.sid}", action=what, **to)
    assert refusal(world.router.floor, event) == ""
    world.post(event)
    world.run(run)


def seats(world: World) -> list[tuple[bool | None, bool | None]]:
    return [
        (ask.hold, ask.ends) for _, ask in world.peer.asks if isinstance(ask, UpdateParticipant)
    ]


def test_a_caller_on_hold_hears_music_and_nobody_hears_them() -> None:
    world, caller = talk()
    assert world.peer.hear(caller) == [A]
    ask(world, W.HOLD, caller)
    assert world.peer.hear(caller) == world.peer.hear(line(world, A)) == []
    ask(world, W.UNHOLD, caller)
    assert world.peer.hear(caller) == [A]
    assert world.peer.hear(line(world, A)) == [caller.number]
    assert seats(world) == [(True, None), (None, False), (False, None), (None, True)]
    world.peer.hang_up(line(world, A))
    world.run(10.0)
    assert caller.over
    world.nothing_left()


def test_a_caller_on_hold_who_hangs_up_and_an_agent_who_does() -> None:
    for first in ("caller", "agent"):
        world, caller = talk()
        ask(world, W.HOLD, caller)
        world.peer.hang_up(caller if first == "caller" else line(world, A))
        world.run(10.0)
        assert caller.over
        assert [record.by.value for record in world.happened(CallCompleted)] == [first]
        world.nothing_left()


def test_a_hold_that_twilio_does_not_grant_at_once_is_asked_for_again() -> None:
    world, caller = talk()
    left = [3]

    def trouble(_ask: ApiRequest) -> tuple[ApiResult, bool] | None:
        left[0] -= 1
        unknown = ApiResult(outcome=ApiOutcome.UNKNOWN, status=500, detail="Twilio says 500")
        return (unknown if left[0] % 2 else refused(429, 20429), False) if left[0] >= 0 else None

    world.peer.trouble = trouble
    ask(world, W.HOLD, caller, run=8.0)
    assert world.peer.hear(caller) == []


def test_hold_and_back_in_quick_succession_ends_as_wanted_last() -> None:
    world, caller = talk()
    world.peer.latency = 1.5
    for what in (W.HOLD, W.UNHOLD, W.HOLD, W.UNHOLD, W.HOLD):
        ask(world, what, caller, run=0.1)
    world.run(10.0)
    assert world.peer.hear(caller) == []


def test_hold_works_though_no_callback_told_the_conference() -> None:
    world = World(table(ANN))
    world.peer.default = Phone(hangs_up_after=None)
    world.peer.mischief = Mischief(lost=1.0)
    caller = world.peer.call()
    world.run(10.0)
    ask(world, W.HOLD, caller)
    [seat, _] = [ask for _, ask in world.peer.asks if isinstance(ask, UpdateParticipant)]
    assert (seat.conference_sid, seat.conference_name) == ("", caller.room)
    assert world.peer.hear(caller) == []


# ---------------------------------------------------------------- blind


@pytest.mark.parametrize("look", [True, False])
def test_after_a_restart_a_transferred_caller_has_waited_since_the_transfer(look: bool) -> None:
    """Found by a look, or by the next turn of music, whichever comes first."""
    world, caller = talk(max_wait=40.0)
    world.run(60.0)
    world.peer.default = Phone(answers_after=None)
    ask(world, W.TRANSFER, caller, run=3.0, queue="support")
    passed_on = world.now - 3.0
    if look:
        world.restart()
    else:
        world.boot()
        world.post(world.control.account.snapshot())
        world.run(25.0)
    call = world.router.floor.calls[f"cloud-{caller.sid}"]
    assert call.entered_at == pytest.approx(START, abs=1.0)
    assert call.queued_at == pytest.approx(passed_on, abs=2.0)
    assert not caller.over


def test_a_blind_transfer_keeps_first_entry_and_rings_the_colleague() -> None:
    world, caller = talk()
    ask(world, W.TRANSFER, caller, run=1.0, agent="bob")
    assert line(world, A).over, "the agent is let go at once"
    call = world.router.floor.calls[f"cloud-{caller.sid}"]
    assert call.state.value == "waiting"
    assert call.entered_at == pytest.approx(START, abs=0.1)
    assert caller.queue == "callrouter-support"
    world.run(10.0)
    assert world.peer.talks[-1] == (caller.sid, B)
    assert world.peer.hear(caller) == [B]
    assert world.router.floor.agents["ann"].offers == {}


def test_a_blind_transfer_of_a_caller_who_hangs_up_in_that_moment() -> None:
    world, caller = talk()
    world.post(ConversationRequested(call=f"cloud-{caller.sid}", action=W.TRANSFER, agent="bob"))
    world.peer.hang_up(caller)
    world.run(10.0)
    assert world.router.floor.calls == {}
    world.nothing_left()


# ---------------------------------------------------------------- attended


def consult(world: World, caller: Line) -> None:
    ask(world, W.CONSULT, caller, run=8.0, agent="bob")


def test_an_attended_transfer_two_agents_talk_and_the_caller_hears_neither() -> None:
    world, caller = talk()
    consult(world, caller)
    ann, bob = line(world, A), line(world, B)
    assert world.peer.hear(ann) == [B]
    assert world.peer.hear(bob) == [A]
    assert world.peer.hear(caller) == []
    agents = world.router.floor.agents
    assert agents["ann"].offers
    assert agents["bob"].offers
    ask(world, W.COMPLETE, caller)
    assert ann.over
    assert world.peer.hear(caller) == [B]
    assert world.peer.hear(bob) == [caller.number]
    world.run(10.0)
    assert agents["ann"].offers == {}
    assert agents["bob"].offers
    world.peer.hang_up(caller)
    world.run(10.0)
    world.nothing_left()


def test_an_attended_transfer_by_hanging_up() -> None:
    world, caller = talk()
    consult(world, caller)
    world.peer.hang_up(line(world, A))
    world.run(3.0)
    assert world.peer.hear(caller) == [B]
    assert [record.to for record in world.happened(CallPutThrough)] == ["bob"]
    world.peer.hang_up(line(world, B))
    world.run(10.0)
    assert caller.over, "the conference ends with who has the caller"
    world.nothing_left()


def test_hanging_up_while_the_colleague_s_phone_rings_puts_the_caller_back_in_line() -> None:
    world, caller = talk()
    world.peer.phones[B] = Phone(answers_after=15.0, hangs_up_after=None)
    ask(world, W.CONSULT, caller, run=5.0, agent="bob")
    world.peer.hang_up(line(world, A))
    world.run(3.0)
    assert not caller.over
    call = world.router.floor.calls[f"cloud-{caller.sid}"]
    assert call.state.value == "waiting"
    assert call.entered_at == pytest.approx(START, abs=0.1)
    world.peer.phones.clear()
    world.run(40.0)
    assert len(world.peer.hear(caller)) == 1


@pytest.mark.parametrize("answered", [False, True])
def test_taking_the_caller_back(answered: bool) -> None:
    world, caller = talk()
    world.peer.phones[B] = Phone(answers_after=2.0 if answered else None, hangs_up_after=None)
    consult(world, caller)
    ask(world, W.CANCEL, caller)
    assert line(world, B).over
    assert world.peer.hear(caller) == [A]
    world.peer.hang_up(line(world, A))
    world.run(10.0)
    assert caller.over, "the conference ends with the agent again"
    world.nothing_left()


def test_a_colleague_s_voicemail_never_hears_the_caller_nor_the_agent() -> None:
    world, caller = talk()
    world.peer.phones[B] = Phone(key=None)
    consult(world, caller)
    world.run(20.0)
    assert line(world, B).over
    assert world.peer.hear(line(world, A)) == []
    ask(world, W.UNHOLD, caller)
    assert world.peer.hear(caller) == [A]


def test_a_colleague_who_hangs_up_leaves_the_caller_with_who_asked() -> None:
    world, caller = talk()
    consult(world, caller)
    world.peer.hang_up(line(world, B))
    world.run(2.0)
    ask(world, W.UNHOLD, caller)
    assert world.peer.hear(caller) == [A]


def test_a_caller_who_hangs_up_while_two_agents_talk_frees_both() -> None:
    world, caller = talk()
    consult(world, caller)
    world.peer.hang_up(caller)
    world.run(15.0)
    assert world.router.floor.calls == {}
    world.nothing_left()


def test_a_desk_phone_is_brought_in_when_it_answers() -> None:
    world = World(table(ANN, desk("eve")))
    world.peer.default = Phone(hangs_up_after=None)
    world.peer.phones[A] = Phone(answers_after=0.5, hangs_up_after=None)
    caller = world.peer.call()
    world.run(10.0)
    ask(world, W.CONSULT, caller, run=5.0, agent="eve")
    assert world.peer.hear(line(world, A)) == ["sip:eve@acme.sip.twilio.com"]


def test_a_restart_in_the_midst_of_it_leaves_both_agents_busy() -> None:
    world, caller = talk()
    consult(world, caller)
    world.restart()
    agents = world.router.floor.agents
    assert agents["ann"].offers
    assert agents["bob"].offers
    assert world.router.floor.calls[f"cloud-{caller.sid}"].state.value == "talking"
    world.peer.call()
    world.run(10.0)
    assert len([ask for ask in world.ring() if ask in {A, B}]) == 2, "neither is rung for another"
    world.peer.hang_up(caller)
    world.run(10.0)


def test_a_caller_who_was_on_hold_before_a_restart_can_be_taken_back() -> None:
    world, caller = talk()
    ask(world, W.HOLD, caller)
    world.restart()
    assert world.peer.hear(caller) == []
    ask(world, W.UNHOLD, caller)
    assert world.peer.hear(caller) == [A]
    world.peer.hang_up(line(world, A))
    world.run(10.0)
    assert caller.over
    world.nothing_left()


@pytest.mark.parametrize("seed", range(12))
def test_wishes_at_any_moment_lose_nobody(seed: int) -> None:
    """With callbacks late, double and lost; `World` checks the invariants after each event."""
    people = [mobile(f"a{n}", f"+44770090100{n}") for n in range(4)]
    world = World(table(*people, wrap_up=1.0, ring_for=8.0), seed=seed)
    rng = world.router.floor.rng
    world.peer.mischief = Mischief(delay=0.5, twice=0.2, lost=0.15)
    wishes = list(W)
    callers = []
    for n in range(60):
        world.peer.default = Phone(
            answers_after=1.0, key_after=0.3, hangs_up_after=[4.0, 12.0][n % 2]
        )
        if n % 5 == 0:
            callers.append(world.peer.call())
        for call in list(world.router.floor.calls):
            what = wishes[rng.randrange(len(wishes))]
            to = (
                {"agent": f"a{rng.randrange(4)}"}
                if what is not W.TRANSFER
                else {"queue": "support"}
            )
            world.post(ConversationRequested(call=call, action=what, **to))
        world.run(1.3)
    world.peer.default = Phone(hangs_up_after=5.0)
    world.peer.mischief = Mischief()
    from callrouter.pbx.twilio import resync_account  # noqa: PLC0415 - here alone

    for _ in range(8):
        world.run(60.0)
        world.control.account.set_time(world.now)
        resync_account.drop_vanished(world.control.account, world.look())
    assert [caller.sid for caller in callers if not caller.over] == []
    assert world.router.floor.calls == {}
    world.nothing_left()
