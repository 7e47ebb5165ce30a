"""Other names for queues and agents, with the real daemon and its database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.daemon.process import Place, started, until

SCENE = {"calls": [["c1", "support", "+44770090001", "x"]], "in_step": True}
FOUND = {"found": [["c1", "support"]], "in_step": True}


def rename(place: Place) -> None:
    place.replace("agents", "  alice: {", "  alicia: {renamed_from: alice, ")
    place.replace("queues", "  support: {", "  helpdesk: {renamed_from: support, ")
    place.replace("queues", "alice: 1", "alicia: 1")


def agents(place: Place) -> dict[str, Any]:
    return {one["id"]: one for one in json.loads(place.call("agents", "--json").stdout)}


def waiting(place: Place) -> list[tuple[str, str]]:
    view = json.loads(place.call("calls", "--json").stdout)
    return [(call["id"], call["queue"]) for call in view if call["state"] != "ended"]


@pytest.mark.parametrize("running", [True, False])
def test_everything_goes_along(place: Place, running: bool) -> None:
    with started(place, SCENE) as daemon:
        until(lambda: waiting(place) == [("c1", "support")])
        assert place.call("agent", "alice", "sign-in").returncode == 0
        assert place.call("agent", "alice", "pause", "lunch").returncode == 0
        paused = agents(place)["alice"]
        if running:
            rename(place)
            daemon.wait_for("agent alice is called alicia from now on")
            daemon.wait_for("queue support is called helpdesk from now on")
            assert "held back" not in daemon.log
            assert waiting(place) == [("c1", "helpdesk")]
            assert agents(place)["alicia"]["since"] == paused["since"]
    if not running:
        rename(place)
    for _ in range(2):  # the second time from what the first one has written
        with started(place, FOUND) as daemon:
            until(lambda: waiting(place) == [("c1", "helpdesk")])
            now = agents(place)
            assert set(now) == {"alicia", "bob", "front"}
            assert (now["alicia"]["state"], now["alicia"]["since"]) == ("paused", paused["since"])
            assert "held back" not in daemon.log
