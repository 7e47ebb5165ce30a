"""The record of a daemon that is killed at random moments: whole, consistent, and nothing twice."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.request
from itertools import pairwise

from callrouter.record.record_reader import CallFilter, RecordReader
from callrouter.record.rows import CallOutcome, ConversationEnd, GapKind, StayOutcome
from callrouter.store.location import File
from tests.daemon.process import Place, started, until

KILLS = 3
CALLS = 12
TALK = 0.15
EVER = 1e11
NUMBERS = "441632960"


def test_killed_again_and_again(place: Place) -> None:
    chance = random.Random(4)
    database = File(place.config / "callrouter.db")
    place.replace("queues", "agents: [front]", "agents: [front], wrap_up: 0")
    killed_at = []
    for run in range(KILLS + 1):
        calls = [[f"c{run}-{n}", "desk", f"+{NUMBERS}{n:03}", ""] for n in range(CALLS)]
        with started(place, {"talk": TALK, "calls": calls}) as daemon:
            daemon.wait_for("office is in step")
            if run < KILLS:
                time.sleep(chance.uniform(0.1, CALLS * TALK))
                daemon.signal(signal.SIGKILL)
                daemon.wait()
                killed_at.append(time.time())
            else:
                reader = RecordReader(database)
                until(lambda reader=reader: _ended(reader, f"c{KILLS}-") == CALLS)  # type: ignore[misc]
                assert _record(place) == {"waiting": 0, "lost": 0}
                reader.close()
                assert daemon.stop() == 0
                assert "Traceback" not in daemon.log
    _is_consistent(RecordReader(database), killed_at)


def _record(place: Place) -> object:
    request = urllib.request.Request(
        f"http://127.0.0.1:{place.port}/api/status",
        headers={"Authorization": "Bearer 0123456789abcdef"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["record"]


def _ended(reader: RecordReader, prefix: str) -> int:
    rows = reader.ended_calls(CallFilter(), most=1000)
    return sum(row.call.startswith(prefix) for row in rows)


def _is_consistent(reader: RecordReader, killed_at: list[float]) -> None:
    calls = reader.calls(0.0, EVER)
    assert len(calls) == len({call.call for call in calls})
    for row in calls:
        story = reader.story(row.call)
        assert story is not None
        (stay,) = story.stays
        assert row.stays == 1
        assert row.conversations == len(story.conversations) <= 1
        assert len(story.offers) == row.offers <= 1
        if row.ended_at is None:
            assert not row.call.startswith(f"c{KILLS}-"), "the last run ended in order"
            continue
        assert row.outcome is CallOutcome.ANSWERED
        assert stay.outcome is StayOutcome.ANSWERED
        (talk,) = story.conversations
        assert talk.ended_by is ConversationEnd.CALLER
        assert row.talk_s == talk.talk_s
        assert TALK - 0.01 <= row.talk_s < 5
        assert row.wait_s == stay.wait_s
    gaps = [gap for gap in reader.gaps(0.0, EVER) if gap.kind is GapKind.ROUTER_DOWN]
    assert len(gaps) == KILLS
    for gap, at in zip(gaps, killed_at, strict=True):
        assert gap.began_at <= at <= gap.ended_at
    states = reader.agent_states(0.0, EVER, ["front"])
    assert [row.serial for row in states] == sorted({row.serial for row in states})
    for state, following in pairwise(states):
        assert state.until is not None, "a state of a run that was killed has an end"
        assert state.until <= following.at + 1e-6
    reader.close()
