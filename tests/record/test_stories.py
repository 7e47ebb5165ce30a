"""What the record has of each kind of story: transfers, overflow, moves, ring-all, consultations, gaps."""

from __future__ import annotations

from typing import Any

import pytest

from callrouter.model.call_requests import (
    CallEndRequested,
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    CallerReplaced,
    LegEnd,
    PauseRequested,
    Resumed,
    SignedOut,
    TransferKind,
)
from callrouter.model.routing_table import HangUp, ToDialplan, ToQueue
from callrouter.record.call_heads import CallHead
from callrouter.record.rows import (
    CallOutcome,
    ConversationEnd,
    ConversationKind,
    HowIn,
    OfferResult,
    StayOutcome,
)
from tests.core.playbook import Play
from tests.core.tables import queue, table
from tests.record.recording import Recording

W = ConversationAction
ANN_BOB = "ann bob cat"


class Story:
    """A play, and what is on record of it."""

    def __init__(self, *queues: Any, can_hold: bool = True, **more: Any) -> None:
        specs = queues or (queue("q", ANN_BOB, "linear", wrap_up=10, ring_for=20),)
        self.play = Play(table(*specs), up=False, **more)
        self.play.pbxes["office"].can_hold = can_hold
        self.record = Recording(self.play.router)
        self._heard = 0
        self.play.back()

    def hear(self) -> Recording:
        """Record what was reported since the last time."""
        log = [item for _, item in self.play.log]
        self.record.hear(log[self._heard :])
        self._heard = len(log)
        return self.record

    def talk(self) -> Story:
        """After 5 s of waiting, ann talks to c1 for 30 s."""
        self.play.call("c1", "q", priority=7).on(5).accepts("ann").on(30)
        return self

    def ask(self, what: ConversationAction, **to: str) -> Story:
        self.play.feed(ConversationRequested(call="c1", action=what, **to))
        self.play.on()
        return self


def outcomes(story: Story, call: str = "c1") -> list[tuple[str, StayOutcome | None, HowIn]]:
    return [(row.queue, row.outcome, row.how_in) for row in story.hear().stays(call)]


def talks(story: Story) -> list[tuple[str, ConversationKind, ConversationEnd | None, float | None]]:
    rows = story.hear().conversations("c1")
    return [(row.agent, row.kind, row.ended_by, row.talk_s) for row in rows]


def test_a_call_that_is_answered_and_ended_by_the_agent() -> None:
    story = Story().talk()
    story.play.agent_hangs_up("ann").on(4).ready("ann")
    call = story.hear().call("c1")
    assert (call.outcome, call.ended_by, call.result) == (CallOutcome.ANSWERED, "agent", "answered")
    assert (call.wait_s, call.talk_s, call.priority) == (5, 30, 7)
    assert talks(story) == [("ann", ConversationKind.FIRST, ConversationEnd.AGENT, 30)]
    (talk,) = story.record.conversations("c1")
    assert talk.wrap_up_s == 4, "ready before the ten seconds were over"


def test_a_supervisor_who_ends_a_conversation_is_named() -> None:
    story = Story().talk()
    story.play.feed(CallEndRequested(call="c1", by="sam"))
    call = story.hear().call("c1")
    assert (call.ended_by, call.ended_by_name) == ("supervisor", "sam")
    assert [row.by for row in story.record.conversations("c1")] == ["sam"]


def test_a_caller_who_hangs_up_while_waiting() -> None:
    story = Story(queue("q", "ann", ring_for=20), signed_in="")
    story.play.call("c0", "q").call("c1", "q").on(7).caller_hangs_up("c1")
    call = story.hear().call("c1")
    assert (call.outcome, call.result, call.ended_by) == (
        CallOutcome.ABANDONED,
        "abandoned",
        "caller",
    )
    assert (call.wait_s, call.talk_s, call.ended_at) == (7, 0, 7)
    (stay,) = story.record.stays("c1")
    assert (stay.outcome, stay.first_position, stay.position) == (StayOutcome.ABANDONED, 2, 2)


@pytest.mark.parametrize(
    ("target", "text", "result"),
    [
        (None, "", "timeout"),
        (HangUp(), "hangup", "timeout"),
        (ToDialplan("voicemail", "s"), "dialplan:voicemail,s,1", "timeout"),
    ],
)
def test_a_call_that_waits_too_long(target: Any, text: str, result: str) -> None:
    story = Story(queue("q", "ann", max_wait=30, on_max_wait=target), signed_in="")
    story.play.call("c1", "q").on(31)
    call = story.hear().call("c1")
    assert (call.outcome, call.result, call.ended_by) == (CallOutcome.LEFT, result, "rule")
    (stay,) = story.record.stays("c1")
    assert (stay.outcome, stay.wait_s, stay.target) == (StayOutcome.TIMEOUT, 30, text)


def test_a_call_that_overflows_is_one_call_with_two_stays() -> None:
    queues = (queue("q", "ann", max_wait=30, on_max_wait=ToQueue("p")), queue("p", "bob"))
    story = Story(*queues, signed_in="bob")
    story.play.call("c1", "q").on(31).on(4).accepts("bob").on(10).caller_hangs_up("c1")
    assert outcomes(story) == [
        ("q", StayOutcome.TIMEOUT, HowIn.NEW),
        ("p", StayOutcome.ANSWERED, HowIn.OVERFLOW),
    ]
    call = story.record.call("c1")
    assert (call.queue, call.last_queue, call.stays) == ("q", "p", 2)
    assert (call.outcome, call.result, call.wait_s) == (CallOutcome.ANSWERED, "answered", 35)
    assert story.record.stays("c1")[0].target == "queue:p"


def test_a_call_that_finds_the_queue_full() -> None:
    story = Story(queue("q", "ann", max_waiting=1, on_full=HangUp()), signed_in="")
    story.play.call("c0", "q").call("c1", "q", tag="vip", called_number="4420")
    call = story.hear().call("c1")
    assert (call.outcome, call.result, call.pbx) == (CallOutcome.LEFT, "full", "office")
    assert call.tag == "vip"
    (stay,) = story.record.stays("c1")
    assert (stay.outcome, stay.first_position, stay.wait_s) == (StayOutcome.FULL, 0, 0)


def test_a_call_without_any_agent_leaves() -> None:
    story = Story(queue("q", "ann", on_nobody=HangUp(), nobody_after=0), signed_in="")
    story.play.call("c1", "q").on(60)
    assert outcomes(story) == [("q", StayOutcome.NOBODY, HowIn.NEW)]


def test_a_supervisor_ends_a_call_that_waits() -> None:
    story = Story(queue("q", "ann"), signed_in="")
    story.play.call("c1", "q").on(9).feed(CallEndRequested(call="c1", by="sam"))
    call = story.hear().call("c1")
    assert (call.outcome, call.ended_by, call.ended_by_name) == (
        CallOutcome.LEFT,
        "supervisor",
        "sam",
    )
    (stay,) = story.record.stays("c1")
    assert (stay.outcome, stay.by) == (StayOutcome.ENDED, "sam")
    assert CallHead(row=call, stay=stay, conversation=None).result == "ended"


def test_a_call_that_another_program_takes() -> None:
    story = Story(queue("q", "ann"), signed_in="")
    story.play.call("c1", "q").on(9).feed(CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY))
    assert story.hear().call("c1").outcome is CallOutcome.MOVED_AWAY
    assert outcomes(story) == [("q", StayOutcome.MOVED_AWAY, HowIn.NEW)]


def test_a_call_that_a_supervisor_moves() -> None:
    story = Story(queue("q", "ann"), queue("p", "bob"), signed_in="")
    story.play.call("c1", "q").on(9)
    story.play.feed(CallMoveRequested(call="c1", queue="p", priority=3, by="sam"))
    story.play.on(4).caller_hangs_up("c1")
    assert outcomes(story) == [
        ("q", StayOutcome.MOVED, HowIn.NEW),
        ("p", StayOutcome.ABANDONED, HowIn.MOVED),
    ]
    first, second = story.record.stays("c1")
    assert (first.wait_s, first.target, first.by) == (9, "queue:p", "sam")
    assert (second.wait_s, second.priority) == (4, 3)
    assert story.record.call("c1").wait_s == 13


def test_a_move_within_the_queue_begins_no_stay() -> None:
    story = Story(queue("q", "ann"), signed_in="")
    story.play.call("c1", "q").on(9).feed(CallMoveRequested(call="c1", queue="q", priority=3))
    (stay,) = story.hear().stays("c1")
    assert (stay.priority, stay.outcome) == (3, None)


def test_every_result_of_an_offer() -> None:
    story = Story(queue("q", "ann bob cat dan", "linear", ring_for=20, auto_pause=0))
    play = story.play
    play.phone("ann").says(LegEnd.BUSY)
    play.phone("bob").says(LegEnd.DECLINED, 2)
    play.phone("cat").lets_it_ring()
    play.call("c1", "q").on(25)
    play.accepts("dan").on(5).caller_hangs_up("c1")
    offers = {row.agent: row for row in story.hear().offers("c1")}
    assert {name: row.result for name, row in offers.items()} == {
        "ann": OfferResult.BUSY,
        "bob": OfferResult.DECLINED,
        "cat": OfferResult.NO_ANSWER,
        "dan": OfferResult.ACCEPTED,
    }
    assert offers["ann"].rang_at is None
    assert (offers["bob"].rang_at, offers["bob"].rang_s) == (0, 2)
    assert (offers["cat"].made_at, offers["cat"].rang_s) == (2, 20)
    assert offers["dan"].policy == "linear"


def test_ring_all_has_one_winner_and_the_others_lost() -> None:
    story = Story(queue("q", ANN_BOB, "ring-all"))
    story.play.call("c1", "q").on(3).accepts("bob").on(9).caller_hangs_up("c1")
    rows = story.hear().offers("c1")
    assert sorted((row.agent, row.result, row.rang_s) for row in rows) == [
        ("ann", OfferResult.LOST, 3),
        ("bob", OfferResult.ACCEPTED, 3),
        ("cat", OfferResult.LOST, 3),
    ]
    assert story.record.call("c1").offers == 3


def test_a_pause_withdraws_an_offer_and_says_who() -> None:
    story = Story(queue("q", "ann", ring_for=20))
    story.play.call("c1", "q").on(3).feed(PauseRequested(agent="ann", reason="lunch", by="sam"))
    story.play.on(60).feed(Resumed(agent="ann"))
    story.play.on(3).feed(SignedOut(agent="ann", by="sam"))
    assert story.hear().offers("c1")[0].result is OfferResult.WITHDRAWN
    states = [(row.state, row.reason, row.by) for row in story.record.states("ann")]
    assert ("paused", "lunch", "sam") in states
    assert states[-1] == ("offline", "", "sam")
    pause = next(row for row in story.record.states("ann") if row.state == "paused")
    assert (pause.at, pause.until) == (3, 63)


def test_a_blind_transfer_to_a_queue() -> None:
    story = Story(queue("q", "ann", wrap_up=0), queue("p", "bob")).talk()
    story.ask(W.TRANSFER, queue="p", by="ann").play.on(6).accepts("bob").on(10).caller_hangs_up(
        "c1"
    )
    assert outcomes(story) == [
        ("q", StayOutcome.ANSWERED, HowIn.NEW),
        ("p", StayOutcome.ANSWERED, HowIn.TRANSFER),
    ]
    assert talks(story) == [
        ("ann", ConversationKind.FIRST, ConversationEnd.BLIND_TRANSFER, 30),
        ("bob", ConversationKind.FIRST, ConversationEnd.CALLER, 10),
    ]
    call = story.record.call("c1")
    assert (call.transfers, call.wait_s, call.talk_s, call.agent) == (1, 11, 40, "bob")
    assert (call.entered_at, call.ended_at) == (0, 51)
    assert story.record.conversations("c1")[0].to == "p"


def test_a_transferred_caller_who_hangs_up_has_abandoned() -> None:
    story = Story(queue("q", "ann", wrap_up=0), queue("p", "bob")).talk()
    story.ask(W.TRANSFER, queue="p").play.on(6).caller_hangs_up("c1")
    assert story.hear().call("c1").outcome is CallOutcome.ABANDONED
    assert outcomes(story)[1] == ("p", StayOutcome.ABANDONED, HowIn.TRANSFER)


@pytest.mark.parametrize("kind", TransferKind)
def test_a_transfer_to_a_place_outside(kind: TransferKind) -> None:
    story = Story().talk()
    story.play.transfers("c1", kind)
    ended = {
        TransferKind.BLIND: ConversationEnd.BLIND_TRANSFER,
        TransferKind.ATTENDED: ConversationEnd.ATTENDED_TRANSFER,
    }[kind]
    assert talks(story) == [("ann", ConversationKind.FIRST, ended, 30)]
    (talk,) = story.record.conversations("c1")
    assert talk.to == "1234"
    assert story.record.call("c1").outcome is CallOutcome.ANSWERED


def test_a_caller_who_comes_back_from_there_re_enters() -> None:
    story = Story().talk()
    story.play.transfers("c1").on(50)
    story.play.call("c1", "q", entered_at=0.0).on(4).caller_hangs_up("c1")
    assert outcomes(story) == [
        ("q", StayOutcome.ANSWERED, HowIn.NEW),
        ("q", StayOutcome.ABANDONED, HowIn.RE_ENTRY),
    ]
    call = story.record.call("c1")
    assert (call.outcome, call.entered_at, call.stays) == (CallOutcome.ABANDONED, 0, 2)


def test_a_consultation_and_the_transfer_to_the_colleague() -> None:
    story = Story().talk()
    story.ask(W.CONSULT, agent="bob").play.on(4).accepts("bob").on(8)
    story.ask(W.COMPLETE).play.on(20).caller_hangs_up("c1")
    (asked,) = story.hear().consultations("c1")
    assert (asked.agent, asked.colleague, asked.outcome) == ("ann", "bob", "put-through")
    assert (asked.asked_at, asked.talked_at, asked.ended_at) == (35, 39, 47)
    assert talks(story) == [
        ("ann", ConversationKind.FIRST, ConversationEnd.PUT_THROUGH, 42),
        ("bob", ConversationKind.PUT_THROUGH, ConversationEnd.CALLER, 20),
    ]
    (hold,) = story.record.holds("c1")
    assert (hold.began_at, hold.ended_at) == (35, 47)
    call = story.record.call("c1")
    assert (call.hold_s, call.talk_s, call.agent, call.transfers) == (12, 62, "bob", 1)
    assert (call.stays, call.offers, call.conversations) == (1, 1, 2)


@pytest.mark.parametrize(("end", "outcome"), [(LegEnd.BUSY, "busy"), (LegEnd.DECLINED, "declined")])
def test_a_colleague_who_does_not_join(end: LegEnd, outcome: str) -> None:
    story = Story().talk()
    story.play.phone("bob").says(end, 0 if end is LegEnd.BUSY else 2)
    story.ask(W.CONSULT, agent="bob").play.on(3)
    (asked,) = story.hear().consultations("c1")
    assert (asked.outcome, asked.talked_at) == (outcome, None)
    assert [row.agent for row in story.record.offers("c1")] == ["ann"], (
        "it is no offer for the caller"
    )


def test_hold_is_counted() -> None:
    story = Story().talk()
    story.ask(W.HOLD, by="sam").play.on(12)
    story.ask(W.UNHOLD).play.on(5)
    story.ask(W.HOLD).play.on(3).caller_hangs_up("c1")
    rows = story.hear().holds("c1")
    assert [(row.began_at, row.ended_at, row.by) for row in rows] == [(35, 47, "sam"), (52, 55, "")]
    assert story.record.call("c1").hold_s == 15
    assert [row.hold_s for row in story.record.conversations("c1")] == [15]
    assert story.record.call("c1").talk_s == 50, "hold is part of it"


def test_an_agent_who_hangs_up_at_once_has_not_answered() -> None:
    story = Story(queue("q", "ann bob", "linear", wrap_up=0))
    story.play.call("c1", "q").on(5).accepts("ann").on(0.5).agent_hangs_up("ann").on(4)
    story.play.accepts("bob").on(10).caller_hangs_up("c1")
    assert talks(story) == [
        ("ann", ConversationKind.FIRST, ConversationEnd.REQUEUED, 0.5),
        ("bob", ConversationKind.FIRST, ConversationEnd.CALLER, 10),
    ]
    (stay,) = story.record.stays("c1")
    assert (stay.outcome, stay.wait_s, stay.requeues, stay.agent) == (
        StayOutcome.ANSWERED,
        9,
        1,
        "bob",
    )
    call = story.record.call("c1")
    assert (call.conversations, call.agent, call.wait_s) == (1, "bob", 9)
    assert [row.result for row in story.record.offers("c1")] == [
        OfferResult.HUNG_UP_AT_ONCE,
        OfferResult.ACCEPTED,
    ]


def test_another_caller_gets_the_place() -> None:
    story = Story(queue("q", "ann"), signed_in="")
    story.play.call("c1", "q", caller_number="441632960001").on(9)
    story.play.feed(CallerReplaced(call="c1", caller_number="441632960002", caller_name="Zoe"))
    call = story.hear().call("c1")
    assert (call.caller_number, call.caller_name) == ("441632960002", "Zoe")


def test_a_call_across_midnight_is_one_call() -> None:
    midnight = 86_400.0
    story = Story(queue("q", "ann"), now=midnight - 10)
    story.play.call("c1", "q").on(5).accepts("ann").on(20).caller_hangs_up("c1")
    call = story.hear().call("c1")
    assert (call.entered_at, call.ended_at) == (midnight - 10, midnight + 15)
    (talk,) = story.record.conversations("c1")
    assert (talk.started_at, talk.talk_s) == (midnight - 5, 20)


def test_a_lost_link_ends_nothing() -> None:
    story = Story().talk()
    story.play.lose().on(20).back().on(5).caller_hangs_up("c1")
    assert talks(story) == [("ann", ConversationKind.FIRST, ConversationEnd.CALLER, 55)]
    assert outcomes(story) == [("q", StayOutcome.ANSWERED, HowIn.NEW)]


def test_a_long_call_keeps_its_steps_in_parts() -> None:
    story = Story(queue("q", "ann", ring_for=5, retry_after=1, auto_pause=0))
    story.play.call("c1", "q").on(600).caller_hangs_up("c1")
    steps = story.hear().steps("c1")
    assert len(steps) > 300
    assert [step.serial for step in steps] == sorted({step.serial for step in steps})
    assert steps[0].notice.kind == "entered"
    assert steps[-1].notice.kind == "abandoned"
