"""The service level of now."""

from __future__ import annotations

import pytest

from callrouter.alerting.recent_answers import LEAST, WINDOW, RecentAnswers
from callrouter.model.call_notices import (
    CallAbandoned,
    CallLeftQueue,
    CallRequeued,
    ConversationStarted,
)
from callrouter.model.commands import Result
from callrouter.model.events import CallerEnd
from callrouter.model.notices import QueueRenamed
from callrouter.model.outcomes import RequeueReason


def answered(at: float, wait: float, queue: str = "q") -> ConversationStarted:
    return ConversationStarted(
        at=at, call="c", queue=queue, agent="a", offer="o", wait_s=wait, rang_s=1.0
    )


def abandoned(at: float, wait: float) -> CallAbandoned:
    return CallAbandoned(
        at=at, call="c", queue="q", position=1, first_position=1, wait_s=wait, how=CallerEnd.HUNG_UP
    )


def left(at: float, result: Result) -> CallLeftQueue:
    return CallLeftQueue(
        at=at, call="c", queue="q", result=result, target=None, position=1, first_position=1,
        wait_s=60.0, by="",
    )  # fmt: skip


def level(*notices: object, overdue: int = 0, now: float = 100.0) -> float | None:
    recent = RecentAnswers()
    for notice in notices:
        recent.listen(notice)  # type: ignore[arg-type]
    return recent.level("q", 20.0, overdue, now)


def test_what_counts() -> None:
    good, late = [answered(1, 20.0)] * 6, [answered(1, 20.1)] * 2
    assert level(*good, *late) == 75.0
    assert level(*good, abandoned(2, 5.0), abandoned(2, 50.0)) == 75.0
    assert level(*good, left(2, Result.TIMEOUT), left(2, Result.NOBODY)) == 75.0
    assert level(*good, *late, left(2, Result.FULL), left(2, Result.CLOSED)) == 75.0
    again = CallRequeued(at=2, call="c", queue="q", why=RequeueReason.FOUND_WAITING)
    assert level(*good, again) == 100.0


def test_callers_who_wait_too_long_are_missed_already() -> None:
    good = [answered(1, 1.0)] * 6
    assert level(*good, overdue=2) == 75.0
    assert level(overdue=LEAST) == 0.0


def test_a_few_calls_say_nothing() -> None:
    assert level(*[answered(1, 1.0)] * (LEAST - 1)) is None
    assert level() is None


def test_what_is_old_does_not_count() -> None:
    recent = RecentAnswers()
    for n in range(10):
        recent.listen(answered(n, 99.0))
    for n in range(5):
        recent.listen(answered(WINDOW + n, 1.0))
    assert recent.level("q", 20.0, 0, WINDOW + 4.0) == pytest.approx(100 * 5 / 11)
    assert recent.level("q", 20.0, 0, WINDOW + 10.0) == 100.0


def test_a_renamed_queue_keeps_its_calls() -> None:
    recent = RecentAnswers()
    for _ in range(5):
        recent.listen(answered(1, 1.0, "old"))
    recent.listen(QueueRenamed(at=2, queue="q", former_id="old"))
    assert recent.level("q", 20.0, 0, 10.0) == 100.0
    assert recent.level("old", 20.0, 0, 10.0) is None
