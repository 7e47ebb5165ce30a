"""After a restart: who waits where and since when, who talks, and what still rings from before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.model.call_notices import ConversationStarted
from callrouter.model.call_requests import (
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.events import CallArrived, SignedIn
from callrouter.model.routing_table import MemberSpec, NumberPattern, Rule, Table, ToQueue
from callrouter.pbx.twilio.calls_and_legs import (
    decode_queue_name,
    decode_time_before_queue,
    decode_turn,
    encode_queue_name,
    encode_turn,
)
from callrouter.pbx.twilio.rest.api_requests import EndCall, RedirectCall
from callrouter.pbx.twilio.twiml import OUR_PREFIX
from tests.twilio.peer import Line, Phone
from tests.twilio.world import World, mobile, table

A, B = "+447700900001", "+447700900002"
ANN, BOB = mobile("ann", A), mobile("bob", B)


def two_queues(**changes: object) -> Table:
    """Callers come to support, where Ann is; Bob serves sales."""
    both = table(ANN, BOB, **changes)
    support = replace(both.queues["support"], members=(MemberSpec(agent="ann"),))
    sales = replace(
        support, id="sales", name="Sales", members=(MemberSpec(agent="bob"),), max_wait=None
    )
    return replace(both, queues={"support": support, "sales": sales})


def busy(routes: Table) -> World:
    """Nobody ever picks up."""
    world = World(routes)
    world.peer.default = Phone(answers_after=None)
    return world


def restarted(world: World, how: str) -> None:
    """By looking at the REST API, or by the next turn of each caller's music."""
    if how == "look":
        world.restart()
        return
    world.boot()
    world.post(world.control.account.snapshot())
    for name in world.routes.agents:
        world.post(SignedIn(agent=name))
    world.run(21.0)


def call_of(world: World, line: Line):  # type: ignore[no-untyped-def]
    return world.router.floor.calls[f"cloud-{line.sid}"]


@pytest.mark.parametrize("how", ["look", "music"])
def test_order_priority_and_first_entry_outlive_a_restart(how: str) -> None:
    world = busy(two_queues())
    lines = []
    for _ in range(4):
        lines.append(world.peer.call())
        world.run(7.0)
    world.post(CallMoveRequested(call=f"cloud-{lines[3].sid}", priority=1))
    world.run(3.0)
    before = {line.sid: call_of(world, line).entered_at for line in lines}
    restarted(world, how)
    order = [
        call.id.removeprefix("cloud-")
        for call in world.router.floor.queues["support"].waiting.values()
    ]
    assert order == [lines[n].sid for n in (3, 0, 1, 2)]
    assert call_of(world, lines[3]).priority == 1
    for line in lines:
        assert call_of(world, line).entered_at == pytest.approx(before[line.sid], abs=1.0)


@pytest.mark.parametrize("how", ["look", "music"])
def test_a_caller_who_was_sent_to_another_queue_is_found_there(how: str) -> None:
    world = busy(two_queues(max_wait=10.0, on_max_wait=ToQueue("sales")))
    overflowed = world.peer.call()
    world.run(40.0)
    assert call_of(world, overflowed).queue.id == "sales"
    assert overflowed.queue == "callrouter-sales", "Twilio has them there too"
    restarted(world, how)
    assert call_of(world, overflowed).queue.id == "sales"


def test_a_transferred_and_a_moved_caller_are_found_where_they_were_sent() -> None:
    world = World(two_queues())
    world.peer.default = Phone(hangs_up_after=None)
    talks = world.peer.call()
    world.run(10.0)
    world.peer.default = Phone(answers_after=None)
    world.post(
        ConversationRequested(
            call=f"cloud-{talks.sid}", action=ConversationAction.TRANSFER, queue="sales"
        )
    )
    moved = world.peer.call()
    world.run(3.0)
    world.post(CallMoveRequested(call=f"cloud-{moved.sid}", queue="sales", priority=7, by="sam"))
    world.run(3.0)
    assert (talks.queue, moved.queue) == ("callrouter-sales", "callrouter-sales.7")
    world.restart()
    assert call_of(world, talks).queue.id == call_of(world, moved).queue.id == "sales"
    assert call_of(world, moved).priority == 7


def test_a_rule_s_queue_is_twilio_s_from_the_first_answer_on() -> None:
    rule = Rule(name="to sales", callers=(NumberPattern("+33", prefix=True),), queue="sales")
    world = busy(replace(two_queues(), rules=(rule,)))
    line = world.peer.call()
    world.run(2.0)
    assert line.queue == "callrouter-sales"
    assert not [ask for _, ask in world.peer.asks if isinstance(ask, RedirectCall)]


def test_phones_that_ring_from_before_are_stopped_and_their_agents_rung_anew() -> None:
    world = busy(two_queues())
    caller = world.peer.call()
    world.run(3.0)
    assert world.ring() == [A]
    [old] = [line for line in world.peer.lines.values() if line.number == A]
    world.peer.default = Phone(answers_after=2.0, hangs_up_after=None)
    world.restart()
    world.run(10.0)
    assert any(isinstance(ask, EndCall) and ask.sid == old.sid for _, ask in world.peer.asks)
    assert old.over
    assert world.control.account.counts["phones from before stopped"] == 1
    assert world.peer.talks == [(caller.sid, A)]
    assert len(world.happened(ConversationStarted)) == 1


QUEUES = ("support", "a_b-c", "x", "q" * 64, "q" * 63 + "r")


@pytest.mark.parametrize(
    ("text", "queue", "priority"),
    [
        ("support", "support", 50),
        ("a_b-c.1", "a_b-c", 1),
        ("x.0", "x", 50),
        ("x.101", "x", 50),
        ("x.½", "x", 50),
        ("", "", 50),
        ("gone.7", "", 7),
    ],
)
def test_places_are_read_back(text: str, queue: str, priority: int) -> None:
    assert decode_queue_name(text, QUEUES) == (queue, priority)


@pytest.mark.parametrize("queue", QUEUES)
def test_the_longest_names_fit_and_are_told_apart(queue: str) -> None:
    arrived = CallArrived(call="c", pbx="cloud", queue=queue, priority=100)
    place = encode_queue_name(arrived)
    assert len(OUR_PREFIX + place) <= 64
    assert decode_queue_name(place, QUEUES) == (queue, 100)
    assert decode_turn(encode_turn(arrived, 1_800_000_000.4), QUEUES) == (
        queue,
        100,
        1_800_000_000.0,
    )


def test_a_turn_tells_of_the_entry_into_the_queue_when_it_is_a_later_one() -> None:
    arrived = CallArrived(call="c", pbx="cloud", queue=QUEUES[0], priority=7)
    first = 1_800_000_000.0
    assert encode_turn(arrived, first, first) == encode_turn(arrived, first)
    later = encode_turn(arrived, first, first + 95)
    assert decode_turn(later, QUEUES) == (QUEUES[0], 7, first)
    assert [decode_time_before_queue(text) for text in (later, encode_turn(arrived, first), "x", "a.1-x", "a.1--5")] == [
        95, 0, 0, 0, 0,
    ]  # fmt: skip


def test_a_place_says_only_what_is_not_usual() -> None:
    world = busy(two_queues())
    line = world.peer.call()
    world.run(1.0)
    arrived = world.control.account.callers[line.sid].arrived
    assert encode_queue_name(arrived) == "support"
    assert encode_queue_name(replace(arrived, priority=7)) == "support.7"


@pytest.mark.parametrize("since", ["", "x", "-1", "1" * 11, "½"])
def test_a_turn_that_tells_nonsense_of_the_first_entry(since: str) -> None:
    assert decode_turn(f"support.7.{since}", QUEUES) == ("support", 7, None)
