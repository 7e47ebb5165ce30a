"""``callrouter call``: hold and transfer from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.daemon.process import Daemon, Place, started

SCENE = {"parks": True, "talk": 600, "calls": [["c1", "desk", "+442079460018", ""]]}


@pytest.fixture(scope="module")
def running(shared: Place) -> Iterator[Daemon]:
    """A daemon with a caller who talks to the front desk."""
    with started(shared, SCENE) as daemon:
        daemon.wait_for("call c1 talks to front")
        yield daemon


def test_hold_by_the_agent_and_by_the_call(place: Place, running: Daemon) -> None:
    held = place.call("call", "front", "hold")
    assert (held.returncode, held.stdout) == (0, "call c1: on hold with front\n"), held
    again = place.call("call", "c1", "hold")
    assert (again.returncode, again.stderr) == (
        1,
        "callrouter: the caller of c1 is on hold already\n",
    )
    back = place.call("call", "c1", "unhold", "--json")
    assert json.loads(back.stdout)["held"] is False


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["front", "transfer"], 2, "transfer needs --queue, --agent or --number"),
        (["front", "hold", "--queue", "support"], 2, "hold takes neither --queue nor --agent"),
        (["front", "transfer", "--queue", "nowhere"], 1, "there is no queue 'nowhere'"),
        (["front", "transfer", "--queue", "suport"], 1, "'suport'; did you mean 'support'?"),
        (["front", "consult", "--agent", "bob"], 1, "bob can't be rung now: signed out"),
        (["bob", "hold"], 1, "bob is not talking to a caller"),
        (["c9", "hold"], 2, "there is no agent or call 'c9'"),
        (["front", "complete"], 1, "no colleague is being asked"),
    ],
)
def test_what_cannot_be(
    place: Place, running: Daemon, words: list[str], status: int, said: str
) -> None:
    answer = place.call("call", *words)
    assert answer.returncode == status, answer
    assert said in answer.stderr
    assert answer.stdout == ""


def test_a_conversation_is_ended_by_hand(place: Place, running: Daemon) -> None:
    """Last in this file: it ends the call that the others ask for."""
    none = place.call("call", "bob", "end")
    assert (none.returncode, none.stderr) == (1, "callrouter: bob is on no call\n")
    unknown = place.call("call", "c9", "end")
    assert (unknown.returncode, "c9" in unknown.stderr) == (2, True), unknown
    ended = place.call("call", "front", "end")
    assert (ended.returncode, ended.stdout) == (0, "call c1: ended\n"), ended
    running.wait_for("ended by")
