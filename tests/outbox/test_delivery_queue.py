"""Order, retries and bounds of what waits for one destination, on a clock of its own."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.outbox.delivery_queue import (
    AT_ONCE,
    LONGEST_AWAY_PAUSE,
    LONGEST_PAUSE,
    Attempt,
    DeliveryQueue,
    Outcome,
)
from callrouter.outbox.outbox_rows import OutboxRow

DAY = 86400.0
DOWN, NO = Attempt(Outcome.AWAY, "down"), Attempt(Outcome.REFUSED, "no")


def row(serial: int, key: str = "c1", at: float = 0.0) -> OutboxRow:
    return OutboxRow(
        event=f"e{serial}",
        destination="d",
        serial=serial,
        order_key=key,
        name="n",
        at=at,
        body="{}",
    )


def queue(*rows: OutboxRow, jitter: float = 0.0) -> DeliveryQueue:
    made = DeliveryQueue(lambda: jitter)
    for one in rows:
        assert made.add(one) is None
    return made


def test_a_later_event_waits_for_the_earlier() -> None:
    made = queue(row(1), row(2), row(3, "c2"))
    first, other = made.take(0.0), made.take(0.0)
    assert (first, other) == (row(1), row(3, "c2"))
    assert made.take(0.0) is None
    assert first is not None
    made.delivered(first)
    assert made.take(0.0) == row(2)


def test_it_waits_while_the_earlier_is_tried_again() -> None:
    made = queue(row(1), row(2))
    for attempt in range(1, 4):
        due = made.next_due()
        assert due is not None
        taken = made.take(due)
        assert taken is not None
        assert (taken.event, taken.attempts) == ("e1", attempt - 1)
        assert made.failed(taken, NO, due, DAY) is not None
        assert made.take(due) is None
    assert len(made) == 2


def test_pauses_double_up_to_a_bound_and_jitter_takes_half_at_most() -> None:
    for jitter, part in ((0.0, 1.0), (1.0, 0.5)):
        made, now, pauses = queue(row(1), jitter=jitter), 0.0, []
        for _ in range(12):
            taken = made.take(now)
            assert taken is not None
            waiting = made.failed(taken, NO, now, DAY)
            assert waiting is not None
            pauses.append(waiting.due - now)
            now = waiting.due
        assert pauses[:4] == [2 * part, 4 * part, 8 * part, 16 * part]
        assert pauses[-1] == LONGEST_PAUSE * part


def test_what_is_given_up_lets_the_next_go() -> None:
    made = queue(row(1), row(2))
    now = 0.0
    while True:
        taken = made.take(now)
        assert taken is not None
        if taken.event == "e2":
            break
        waiting = made.failed(taken, NO, now, 3600.0)
        now = waiting.due if waiting is not None else now
    assert now == 3600.0  # the last attempt is at the very end of its time


def test_gone_is_given_up_at_once() -> None:
    made = queue(row(1), row(2))
    taken = made.take(0.0)
    assert taken is not None
    assert made.failed(taken, Attempt(Outcome.GONE), 0.0, DAY) is None
    assert made.take(0.0) == row(2)


def test_a_destination_that_is_away_is_left_alone_and_comes_back_at_once() -> None:
    made = queue(*(row(n, f"c{n}") for n in range(100)))
    now, attempts = 0.0, 0
    while now < 600.0:
        taken = made.take(now)
        if taken is None:
            due = made.next_due()
            assert due is not None
            now = max(now, due)
            continue
        attempts += 1
        made.failed(taken, DOWN, now, DAY)
    assert made.away
    assert attempts < 40  # and not some hundreds
    now += LONGEST_AWAY_PAUSE
    taken = made.take(now)
    assert taken is not None
    made.delivered(taken)
    left = 0
    while (taken := made.take(now)) is not None:
        made.delivered(taken)
        left += 1
    assert left == 99  # no event waits for its own pause


def test_one_at_a_time_while_it_fails_and_more_when_it_works() -> None:
    made = queue(*(row(n, f"c{n}") for n in range(10)))
    taken = [made.take(0.0) for _ in range(AT_ONCE)]
    assert all(taken)
    assert made.take(0.0) is None
    for one in taken:
        assert one is not None
        made.failed(one, DOWN, 0.0, DAY)
    now = 100.0
    assert made.take(now) is not None
    assert made.take(now) is None


def test_an_event_that_is_refused_holds_up_no_other_call() -> None:
    made = queue(row(0, "bad"))
    now = 0.0
    for n in range(1, 50):
        bad = made.take(now)
        if bad is not None:
            made.failed(bad, NO, now, DAY)
        made.add(row(n, f"c{n}"))
        good = made.take(now)
        assert good is not None
        assert good.event == f"e{n}"
        made.delivered(good)
        now += 1.0


def test_the_receiver_says_when() -> None:
    made = queue(row(1))
    taken = made.take(0.0)
    assert taken is not None
    waiting = made.failed(taken, Attempt(Outcome.AWAY, "busy", 120.0), 0.0, DAY)
    assert waiting is not None
    assert waiting.due == 120.0


def test_of_too_many_the_oldest_is_given_up() -> None:
    made = DeliveryQueue(lambda: 0.0, most=3)
    assert [made.add(row(n, f"c{n % 2}")) for n in range(5)] == [None, None, None, row(0, "c0"), row(1)]  # fmt: skip
    assert len(made) == 3
    first = made.take(0.0)
    assert first is not None
    assert made.add(row(9, "c9")) != first  # never the one that is being sent


def test_of_too_many_the_oldest_of_the_same_call() -> None:
    made = DeliveryQueue(lambda: 0.0, most=1)
    made.add(row(0))
    sent = made.take(0.0)
    assert sent is not None
    assert made.add(row(1)) == row(1)  # the older one is on its way
    assert made.add(row(2, "c2")) == row(2, "c2")
    made.delivered(sent)
    assert not len(made)


@pytest.mark.parametrize("being_sent", [False, True])
def test_stored_events_come_first(being_sent: bool) -> None:
    made = queue(row(10), row(11))
    sent = made.take(0.0) if being_sent else None
    made.add_stored([row(2), row(1), row(3, "c2")])
    if sent is not None:
        made.delivered(sent)
    found = []
    while (taken := made.take(0.0)) is not None:
        found.append(taken.event)
        made.delivered(taken)
    rest = ["e11"] if being_sent else ["e10", "e11"]
    assert [event for event in found if event != "e3"] == ["e1", "e2", *rest]


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 40), most=st.integers(3, 50))
def test_random_histories_keep_the_order_and_lose_nothing(seed: int, size: int, most: int) -> None:
    rng = random.Random(seed)
    made = DeliveryQueue(rng.random, most)
    added: dict[str, list[int]] = defaultdict(list)
    ended: dict[str, list[int]] = defaultdict(list)
    given_up: dict[str, list[int]] = defaultdict(list)
    sent: list[OutboxRow] = []
    now, serial = 0.0, 0
    for _ in range(size * 10):
        what = rng.random()
        if what < 0.3 and serial < size:
            serial += 1
            one = row(serial, f"c{rng.randrange(4)}", now)
            added[one.order_key].append(serial)
            dropped = made.add(one)
            if dropped is not None:
                given_up[dropped.order_key].append(dropped.serial)
        elif what < 0.6 and (taken := made.take(now)) is not None:
            assert not [other for other in sent if other.order_key == taken.order_key]
            sent.append(taken)
        elif sent:
            one = sent.pop(rng.randrange(len(sent)))
            outcome = rng.choice(list(Outcome))
            if outcome is Outcome.DELIVERED:
                made.delivered(one)
                ended[one.order_key].append(one.serial)
            elif made.failed(one, Attempt(outcome), now, 50.0) is None:
                ended[one.order_key].append(one.serial)
        else:
            now = max(now, made.next_due() or now) + rng.random()
        assert len(made) <= max(most, len(sent))
    for one in sent:
        made.delivered(one)
        ended[one.order_key].append(one.serial)
    while len(made):
        now = max(now, made.next_due() or now)
        taken = made.take(now)
        assert taken is not None
        made.delivered(taken)
        ended[taken.order_key].append(taken.serial)
    for key, serials in added.items():
        assert ended[key] == sorted(ended[key])
        assert sorted(ended[key] + given_up[key]) == serials
