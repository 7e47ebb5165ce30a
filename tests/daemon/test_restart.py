"""Agents' states survive the end of the daemon, kill -9 too."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from typing import Any

import pytest

from tests.daemon.process import BUSY, Daemon, Place, free_port, started, until

TALK = {"talk": 1.2, "calls": [["c1", "support", "+442079460018", "Ann"]]}


def ask(place: Place, path: str, body: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{place.port}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer 0123456789abcdef"},
    )
    with urllib.request.urlopen(request, timeout=BUSY) as answer:
        return json.load(answer)


def agent(place: Place, name: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(place, f"agents/{name}")
    return found


def saved(place: Place) -> bool:
    store = ask(place, "status")["store"]
    return bool(store["state"] == "good" and store["unsaved"] == 0)


def wrap_up_ends(place: Place) -> tuple[float, float]:
    """When alice's wrap-up ends on the monotonic clock: not before, and not after."""
    asked = time.monotonic()
    left = agent(place, "alice")["wrap_up_s"]
    return asked + left, time.monotonic() + left


def end(daemon: Daemon, number: signal.Signals) -> None:
    daemon.signal(number)
    daemon.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_states_before_and_after(place: Place, number: signal.Signals) -> None:
    place.replace("queues", "policy: priority", "policy: priority, wrap_up: 15s")
    with started(place, TALK) as daemon:
        daemon.wait_for("office is in step")
        ask(place, "agents/alice/sign-in", {})
        ask(place, "agents/bob/sign-in", {})
        ask(place, "agents/bob/pause", {"reason": "lunch"})
        ask(place, "agents/front/pause", {"reason": "tea"})
        until(lambda: agent(place, "alice")["state"] == "wrap-up")
        ends = wrap_up_ends(place)
        before = {name: agent(place, name) for name in ("alice", "bob", "front")}
        until(lambda: saved(place))
        end(daemon, number)
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        for name, was in before.items():
            now = agent(place, name)
            for key in ("state", "signed_in", "pause_reason", "reason"):
                assert now[key] == was[key], (name, key)
            assert now["signed_in_at"][:19] == was["signed_in_at"][:19]
        after = wrap_up_ends(place)
        assert max(ends[0], after[0]) <= min(ends[1], after[1]) + 0.05
        until(lambda: agent(place, "alice")["state"] == "available")
        assert time.monotonic() > ends[0] - 0.05
        ask(place, "agents/alice/sign-out", {})
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
    with started(place) as daemon:
        assert not agent(place, "alice")["signed_in"]
        assert agent(place, "bob")["pause_reason"] == "lunch"


RESERVED = {"calls": TALK["calls"]}
RINGS = {"rings": True, "calls": TALK["calls"]}
LONG = {"talk": 60, "calls": TALK["calls"]}


@pytest.mark.parametrize(
    ("scene", "state", "during", "after"),
    [
        ({}, "available", "", "available"),
        ({}, "offline", "sign-out", "offline"),
        (RESERVED, "reserved", "", "available"),
        (RINGS, "ringing", "", "available"),
        (LONG, "on-call", "", "available"),
        (LONG, "on-call", "pause", "paused"),
        (LONG, "on-call", "sign-out", "offline"),
    ],
)
def test_killed_in_every_other_state(
    place: Place, scene: dict[str, Any], state: str, during: str, after: str
) -> None:
    """The PBX has no call any more when the router is back; what was asked for holds all the same."""
    with started(place, scene) as daemon:
        daemon.wait_for("office is in step")
        ask(place, "agents/alice/sign-in", {})
        if scene:
            until(lambda: agent(place, "alice")["state"] == state)
        if during:
            ask(place, f"agents/alice/{during}", {"reason": "lunch"} if during == "pause" else {})
        until(lambda: agent(place, "alice")["state"] == state)
        was = agent(place, "alice")
        until(lambda: saved(place))
        end(daemon, signal.SIGKILL)
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        now = agent(place, "alice")
        assert now["state"] == after
        assert now["signed_in"] is (after != "offline")
        if during != "sign-out":
            assert now["signed_in_at"][:19] == was["signed_in_at"][:19]
        assert now["pause_reason"] == ("lunch" if during == "pause" else None)


def test_killed_in_a_pause_with_a_longest_length(place: Place) -> None:
    text = (place.config / "agents.yaml").read_text()
    place.write("agents", text + "pauses: {lunch: {longest: 6s, then: resume}}\n")
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        ask(place, "agents/alice/sign-in", {})
        began = time.monotonic()
        ask(place, "agents/alice/pause", {"reason": "lunch"})
        until(lambda: saved(place))
        end(daemon, signal.SIGKILL)
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        if time.monotonic() < began + 5:  # else the machine stood still
            assert agent(place, "alice")["state"] == "paused"
        until(lambda: agent(place, "alice")["state"] == "available")
        assert time.monotonic() - began > 5.9


def test_a_database_that_cannot_be_opened_does_not_keep_calls_waiting(place: Place) -> None:
    (place.config / "callrouter.db").mkdir()
    with started(place, TALK) as daemon:
        daemon.wait_for("agents' states can't be kept")
        ask(place, "agents/alice/sign-in", {})
        daemon.wait_for("c1")
        until(lambda: agent(place, "alice")["state"] == "on-call")
        assert ask(place, "status")["store"]["state"] == "bad"
        assert "agents' states are not being saved" in place.call("status").stdout
        assert daemon.stop() == 0
        assert "agents' states were not saved" in daemon.log


def test_a_database_server_that_is_away_does_not_keep_calls_waiting(place: Place) -> None:
    text = (place.config / "callrouter.yaml").read_text()
    url = f"postgresql://u:hunter@127.0.0.1:{free_port()}/d"
    place.write("callrouter", text + f"database: {url}\n")
    with started(place, TALK) as daemon:
        daemon.wait_for("agents' states can't be kept in postgresql://127.0.0.1")
        ask(place, "agents/alice/sign-in", {})
        until(lambda: agent(place, "alice")["state"] == "on-call")
        with urllib.request.urlopen(
            f"http://127.0.0.1:{place.port}/healthz", timeout=BUSY
        ) as answer:
            assert json.load(answer)["store"] == "down"
        assert "not being saved in postgresql://127.0.0.1" in place.call("status").stdout
        assert daemon.stop() == 0
        assert "hunter" not in daemon.log
