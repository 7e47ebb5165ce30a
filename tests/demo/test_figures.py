from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callrouter.demo.figures import Figures

T = 1_800_000_000.0


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(kind: str, at: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"type": "record", "kind": kind, "at": moment(T + at), **more}


@pytest.fixture
def figures() -> Figures:
    made = Figures()
    made.serves(
        [
            {"id": "alice", "queues": [{"id": "support", "priority": 1}]},
            {"id": "bob", "queues": [{"id": "sales", "priority": 1}]},
        ]
    )
    return made


def test_a_call_is_counted_once(figures: Figures) -> None:
    figures.record(record("entered", call="c", queue="support"))
    assert figures.waiting == 1
    figures.record(record("offered", call="c", queue="support", agent="alice"))
    figures.record(record("connected", call="c", queue="support", agent="alice", wait_s=2.5))
    figures.record(record("requeued", call="c", queue="support", why="hung up at once"))
    assert figures.waiting == 1
    figures.record(record("connected", call="c", queue="support", agent="alice", wait_s=9.0))
    figures.record(record("completed", call="c", queue="support", agent="alice", talk_s=1.0))
    assert (len(figures.entered), len(figures.answered), len(figures.completed)) == (1, 1, 1)
    assert figures.waits == [2.5]
    assert figures.median_wait == 2.5
    assert figures.waiting == 0


def test_nothing_has_no_median(figures: Figures) -> None:
    assert figures.median_wait is None
    assert figures.median_reaction is None


@pytest.mark.parametrize("invite_first", [True, False])
def test_the_reaction_is_from_free_to_the_invite(figures: Figures, invite_first: bool) -> None:
    figures.record(record("entered", call="c", queue="support"))
    free = record("wrap-up-ended", 5.0, agent="alice")
    if invite_first:
        figures.invited("alice", T + 5.004)
        figures.record(free)
    else:
        figures.record(free)
        figures.record(record("offered", 5.0, call="c", queue="support", agent="alice"))
        figures.invited("alice", T + 5.004)
    assert figures.median_reaction == pytest.approx(0.004, abs=1e-5)
    figures.invited("alice", T + 5.5)
    assert len(figures.reactions) == 1


def test_nobody_waiting_is_no_reaction(figures: Figures) -> None:
    figures.record(record("wrap-up-ended", 1.0, agent="alice"))
    figures.invited("alice", T + 1.004)
    # Someone waits, but in a queue that is not hers, or while another phone rings for them.
    figures.record(record("entered", 2.0, call="d", queue="sales"))
    figures.record(record("wrap-up-ended", 3.0, agent="alice"))
    figures.invited("alice", T + 3.004)
    figures.record(record("entered", 4.0, call="e", queue="support"))
    figures.record(record("offered", 4.0, call="e", queue="support", agent="carol"))
    figures.record(record("wrap-up-ended", 5.0, agent="alice"))
    figures.invited("alice", T + 5.004)
    assert figures.reactions == []


def test_a_late_invite_is_of_another_moment(figures: Figures) -> None:
    figures.record(record("entered", call="c", queue="support"))
    figures.record(record("wrap-up-ended", 5.0, agent="alice"))
    figures.invited("alice", T + 9.0)
    assert figures.reactions == []
