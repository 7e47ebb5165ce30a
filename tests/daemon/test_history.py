"""What the record knows is there after `kill -9`: ended calls, why, and the counts of the day."""

from __future__ import annotations

import signal
import sqlite3
import time
from typing import Any

from tests.daemon.process import Place, started, until
from tests.daemon.test_restart import ask, end, saved

TALKS = {
    "talk": 0.4,
    "calls": [
        ["c1", "support", "+442079460018", "Ann"],
        ["c2", "support", "+442079460019", "Eve"],
    ],
}
DAY = 86_400.0


def recorded(place: Place, ended: int, steps: int) -> bool:
    """Whether the database has so many ended calls, and steps of so many."""
    link = sqlite3.connect(place.config / "callrouter.db")
    try:
        chosen = (
            "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL",
            "SELECT count(*) FROM decisions",
        )
        found = [link.execute(text).fetchone()[0] for text in chosen]
    finally:
        link.close()
    return saved(place) and found == [ended, steps]


def ended(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(place, "calls?only=ended")
    return found


def answers(place: Place) -> dict[str, Any]:
    """Everything that is said of calls that have ended."""
    names = [call["id"] for call in ended(place)]
    return {
        "calls": ended(place),
        "details": {name: ask(place, f"calls/{name}") for name in names},
        "why": {name: ask(place, f"calls/{name}/why") for name in names},
        "last": ask(place, "calls/last/why")["call"],
        "today": ask(place, "queues/support")["today"],
        "listed": place.call("calls", "--ended").stdout,
        "said": [place.call("why", name).stdout for name in names],
        "why not": [
            ask(place, f"agents/{agent}/why-not?call={name}")
            for agent in ("alice", "bob")
            for name in names
        ],
        "said of agents": [place.call("why-not", "bob", "--call", name).stdout for name in names],
    }


def test_ended_calls_and_their_reasons_are_the_same_after_kill_9(place: Place) -> None:
    with started(place, TALKS) as daemon:
        daemon.wait_for("office is in step")
        ask(place, "agents/alice/sign-in", {})
        until(lambda: len(ended(place)) == 2)
        until(lambda: recorded(place, 2, 2))
        time.sleep(1)  # after-call work and what agents did next follow
        before = answers(place)
        assert before["today"]["answered"] == 2
        assert all("alice was rung; bob: signed out" in said for said in before["said of agents"])
        end(daemon, signal.SIGKILL)
    with started(place) as daemon:
        daemon.wait_for("the record is read")
        assert answers(place) == before
        assert ask(place, "queues/support")["today"] == before["today"]
        end(daemon, signal.SIGKILL)
    link = sqlite3.connect(place.config / "callrouter.db")
    with link:  # some days pass
        for table, columns in {
            "calls": ("entered_at", "ended_at"),
            "stays": ("entered_at", "left_at"),
            "conversations": ("started_at", "ended_at"),
        }.items():
            moved = ", ".join(f"{name} = {name} - {3 * DAY}" for name in columns)
            link.execute(f"UPDATE {table} SET {moved}")
    link.close()
    with started(place) as daemon:
        daemon.wait_for("the record is read")
        assert [call["id"] for call in ended(place)] == [call["id"] for call in before["calls"]]
        assert ask(place, "queues/support")["today"]["answered"] == 0
        for name in before["why"]:
            now, was = ask(place, f"calls/{name}/why"), before["why"][name]
            assert now["steps"] == was["steps"]
        assert "Traceback" not in daemon.log


def test_a_call_that_waits_over_kill_9_counts_once_and_its_story_goes_on(place: Place) -> None:
    with started(place, {"calls": [["c1", "support", "+442079460018", "Ann"]]}) as daemon:
        daemon.wait_for("office is in step")
        until(lambda: ask(place, "queues/support")["today"]["entered"] == 1)
        until(lambda: recorded(place, 0, 1))
        end(daemon, signal.SIGKILL)
    with started(place, {"found": [["c1", "support"]]}) as daemon:
        daemon.wait_for("the record is read")
        until(lambda: len(ask(place, "calls?only=live")) == 1)
        assert ask(place, "queues/support")["today"]["entered"] == 1
        steps = ask(place, "calls/c1/why")["steps"]
        assert [step["kind"] for step in steps].count("entered") == 2


def test_a_call_that_no_run_had_is_not_known(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        said = place.call("why", "nothing")
        assert said.returncode == 2
        assert "call 'nothing' is not known (kept as long as history says)" in said.stderr
