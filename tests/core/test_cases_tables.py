"""Cases about policies, tables and rules, by their ids; the others are in `test_cases.py`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from callrouter.settings import ConfigError, load
from tests.core.playbook import Play
from tests.core.tables import queue, table


def serve(play: Play, number: int, queue_id: str = "q") -> str:
    """One call from entry to end; gives who took it."""
    play.call(f"c{number}", queue_id)
    ((who, _),) = play.ringing().items()
    play.accepts(who).on(3).agent_hangs_up(who)
    return who


def test_CW_02_06_fewest_calls_picks_the_minimum_every_time() -> None:
    play = Play(table(queue("q", "ann bob cat", "fewest-calls")))
    counts = dict.fromkeys(("ann", "bob", "cat"), 0)
    for number in range(30):
        least = min(counts.values())
        who = serve(play.on(1), number)
        assert counts[who] == least
        counts[who] += 1
    assert set(counts.values()) == {10}


def test_CW_06_least_utilised_picks_the_minimum() -> None:
    play = Play(table(queue("q", "ann bob", "average-utilization")))
    play.call("c0", "q").accepts("ann").on(600).agent_hangs_up("ann")
    assert [serve(play.on(60), number) for number in range(1, 6)] == ["bob"] * 5


def test_CW_07_a_fresh_agent_catches_up_and_ties_rotate() -> None:
    """A newcomer with 0 calls gets the next ones, one at a time; then the ties go round."""
    play = Play(table(queue("q", "ann bob cat", "fewest-calls"))).sign_out("cat")
    assert [serve(play.on(1), number) for number in range(6)] == ["ann", "bob"] * 3
    play.sign_in("cat")
    play.call("x1", "q").call("x2", "q")
    assert play.ringing()["cat"] == "x1"  # no flood: the second rings another while cat is busy
    assert len(play.ringing()) == 2
    for who in list(play.ringing()):
        play.accepts(who).on(1).agent_hangs_up(who)
    taken = [serve(play.on(1), 100 + number) for number in range(8)]
    assert taken[:2] == ["cat", "cat"]
    assert {taken.count(who) for who in ("ann", "bob")} <= {2, 3, 4}
    assert all(one != other for one, other in pairwise(taken[2:]))


def test_AI_17_an_unknown_policy_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "pbx: {office: {driver: simulated}}\nagents: {ann: {devices: {desk: PJSIP/1}}}\n"
        "queues:\n  q:\n    agents: [ann]\n    policy: longest_idle\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={})
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "all.yaml:6:13: unknown policy 'longest_idle' (did you mean 'longest-idle'?"
    )
    assert problem.source_line == "    policy: longest_idle"
