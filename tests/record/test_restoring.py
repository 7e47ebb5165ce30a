"""What a new run needs of the record: who was tried, turns, intervals, last talks, the day."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from callrouter.model.restored_history import LastTalk, TriedBefore
from callrouter.record import restoring
from callrouter.record.record_reader import RecordReader
from callrouter.record.restoring import DayCounts, QueueNeeds
from callrouter.record.rows import ConversationKind, HowIn, OfferResult, OfferRow, StayOutcome
from callrouter.store.location import Place
from tests.record.rows import call_row, conversation_row, fill, offer_row, stay_row

DAY = 86_400.0
LIVE: dict[str, Any] = {"ended_at": None, "outcome": None}
WAITS: dict[str, Any] = {"left_at": None, "outcome": None, "wait_s": None}


def made(agent: str, at: float, result: OfferResult | None, **more: Any) -> OfferRow:
    values: dict[str, Any] = {
        "agent": agent, "taker": "", "result": result, "ended_at": at + 1, "stay": 1,
    }  # fmt: skip
    return offer_row(f"{agent}{at}", "c", at, **{**values, **more})


MISSED, BUSY, LOST = OfferResult.NO_ANSWER, OfferResult.BUSY, OfferResult.LOST


@pytest.mark.parametrize(
    ("offers", "agents", "failed_at"),
    [
        ([], (), 0.0),
        ([made("ann", 1, MISSED), made("bob", 2, BUSY)], ("ann", "bob"), 3.0),
        ([made("ann", 1, MISSED), made("bob", 2, LOST)], ("ann",), 2.0),
        # bob is rung a second time: all had been tried, and another round began.
        ([made("ann", 1, MISSED), made("bob", 2, BUSY), made("bob", 9, BUSY)], ("bob",), 10.0),
        ([made("ann", 1, MISSED), made("ann", 9, None, ended_at=None)], (), 0.0),
        ([made("bob", 5, BUSY), made("ann", 1, MISSED)], ("ann", "bob"), 6.0),
        ([made("ann", 1, OfferResult.HUNG_UP_AT_ONCE, taker="bob")], ("bob",), 2.0),
        ([made("ann", 1, MISSED, stay=0)], (), 0.0),
    ],
)
def test_who_was_tried(offers: list[OfferRow], agents: tuple[str, ...], failed_at: float) -> None:
    stays = [stay_row("c", 0, 0.0, queue="q"), stay_row("c", 1, 0.5, queue="r", **WAITS)]
    found = restoring.tried_before(call_row("c", 0.0, **LIVE), stays, offers, [])
    if agents:
        assert found == TriedBefore(call="c", queue="r", agents=agents, failed_at=failed_at)
    else:
        assert found is None


def test_the_agent_who_sent_a_caller_back_is_tried_in_the_next_queue() -> None:
    stays = [
        stay_row("c", 0, 0.0),
        stay_row("c", 1, 70.0, queue="r", how_in=HowIn.TRANSFER, **WAITS),
    ]
    talks = [conversation_row("c", 0, 10.0, agent="ann", ended_at=70.0)]
    found = restoring.tried_before(call_row("c", 0.0, **LIVE), stays, [], talks)
    assert found == TriedBefore(call="c", queue="r", agents=("ann",), failed_at=70.0)


def test_intervals_count_only_while_the_queue_was_never_empty() -> None:
    def stay(n: int, entered: float, left: float, **more: Any) -> Any:
        return stay_row(f"c{n}", 0, entered, left_at=left, **more)

    taken = [stay(1, 0, 10), stay(2, 5, 30), stay(3, 6, 70)]
    assert restoring.advances_of(taken) == (20.0, 40.0)
    assert restoring.advances_of([stay(1, 0, 10), stay(2, 20, 30)]) == ()
    gone = stay(4, 8, 50, outcome=StayOutcome.ABANDONED)
    assert restoring.advances_of([*taken, gone]) == (20.0, 40.0)
    full = stay(5, 9, 9, outcome=StayOutcome.FULL, first_position=0)
    assert restoring.advances_of([*taken, full]) == (20.0, 40.0)
    many = [stay(n, 0, 10.0 * n) for n in range(1, 40)]
    assert restoring.advances_of(many) == (10.0,) * 20


def test_turns_are_those_of_offers_that_count() -> None:
    offers = [
        made("ann", 1, MISSED),
        made("bob", 2, OfferResult.ACCEPTED),
        made("ann", 3, LOST),
        made("cat", 4, OfferResult.WITHDRAWN),
        made("dan", 5, OfferResult.ACCEPTED, taker="eve"),
    ]
    assert restoring.turns_of(reversed(offers)) == ("ann", "bob", "eve")


def test_what_is_read(place: Place) -> None:
    now = 100 * DAY
    fill(
        place,
        call_row("old", now - 2 * DAY, caller_number="441"),
        conversation_row("old", 0, now - 2 * DAY, ended_at=now - 2 * DAY + 60, agent="bob"),
        call_row("a", now - 600, caller_number="441"),
        stay_row("a", 0, now - 600, wait_s=12.0),
        offer_row("o1", "a", now - 600),
        conversation_row("a", 0, now - 590, ended_at=now - 540),
        call_row("b", now - 500, caller_number=""),
        stay_row("b", 0, now - 500, outcome=StayOutcome.ABANDONED, wait_s=33.0),
        conversation_row("b", 0, now - 490, ended_at=now - 480, kind=ConversationKind.FOUND),
        call_row("c", now - 60, **LIVE),
        stay_row("c", 0, now - 60, **WAITS),
        offer_row("o2", "c", now - 50, result=MISSED, agent="bob", taker="", ended_at=now - 30),
        stay_row("d", 0, now - 40, how_in=HowIn.MOVED, outcome=StayOutcome.TIMEOUT, wait_s=5.0),
    )
    reader = RecordReader(place)

    def read(what: Any, *more: Any) -> Any:
        with reader.connection() as link:
            assert isinstance(link, sa.Connection)
            return what(link, *more)

    assert read(restoring.read_tried) == (
        TriedBefore(call="c", queue="support", agents=("bob",), failed_at=now - 30),
    )
    assert read(restoring.read_live) == {"c"}
    assert read(restoring.read_day, now - 3600, {"support": 12.0}) == {
        "support": DayCounts(
            entered=3, answered=1, in_time=1, abandoned=1, left=1, longest_wait=33.0
        )
    }
    assert read(restoring.read_day, now - 550, {})["support"].entered == 2
    late = read(restoring.read_day, now - 3600, {"support": 11.9, "sales": 99.0})
    assert late["support"].in_time == 0
    turned = read(restoring.read_queue, "support", QueueNeeds(None, turns=True), now)
    assert turned.turns == ("ann", "bob")
    assert read(restoring.read_queue, "support", QueueNeeds(None, turns=False), now).turns == ()
    assert read(restoring.read_last_talks, "support", DAY, now) == [
        LastTalk(queue="support", number="441", agent="ann", at=now - 540)
    ]
    assert len(read(restoring.read_last_talks, "support", 3 * DAY, now)) == 2
    assert read(restoring.read_work, now) == {
        "ann": ((now - 590, now - 540), (now - 490, now - 480))
    }
    reader.close()
