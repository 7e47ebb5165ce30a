"""The benchmark itself, with tiny sizes: that it runs and finds something, never how fast."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.versus import results, variants
from bench.versus.__main__ import about, arguments, plan_of, write
from bench.versus.results import Results
from bench.versus.run import Plan, run
from bench.versus.stage import Size, queues
from bench.versus.systems import SYSTEMS
from callrouter.lab import find_asterisk


def test_turns_go_round() -> None:
    plan = Plan(rounds=4, queued=10)
    assert [plan.order(n)[0].name for n in range(4)] == [
        *["app_queue", "floor", "callrouter", "app_queue"]
    ]
    assert [plan.loads_of(n) for n in range(4)] == [(0.7,), (0.9,), (0.98,), (0.7,)]
    assert Plan(rounds=2).loads_of(0) == (0.7, 0.98)
    assert [plan.in_round(10, n) for n in range(4)] == [2, 3, 2, 3]


def test_the_defaults_finish_in_ten_minutes() -> None:
    assert Plan().estimate() < 600


def test_what_is_asked_for() -> None:
    plan = plan_of(arguments(["--only", "d", "b", "--agents", "3", "--seed", "9"]))
    assert (plan.parts, plan.agents, plan.seed) == ("bd", 3, 9)
    assert plan.lines
    assert plan.as_they_come
    assert not plan_of(arguments(["--only", "a", "e"])).lines


def test_callrouter_against_itself_with_watchers_or_in_a_cluster() -> None:
    plan = plan_of(arguments(["--watchers", "7", "--cluster", "--rounds", "2"]))
    assert plan.parts == "b"
    assert [kind.name for kind in plan.systems] == [
        "callrouter",
        "watched",
        "postgres",
        "clustered",
    ]
    assert {kind.entry or kind.name for kind in plan.systems} == {"callrouter"}
    watched = plan.systems[1]
    assert issubclass(watched, variants.Watched)
    assert watched.count == 7
    assert plan_of(arguments(["--only", "b"])).systems == SYSTEMS


def test_both_are_shown_side_by_side() -> None:
    found = Results()
    for name, times in (("callrouter", [4.0, 5.0, 6.0]), ("watched", [4.1, 5.1, 6.1])):
        found.samples[name][results.FREED] = times
        found.efforts[name][results.BACKLOG].add(results.Effort(answered=100, router=0.9))
    found.samples["postgres"][results.FREED] = [5.0]
    found.samples["clustered"][results.FREED] = [5.4]
    lines = [line.split() for line in variants.report(found, "a run").splitlines()]
    assert ["median", "5.00", "5.10"] in lines
    assert [*["router's", "processor", "time", "for", "a", "call"], "9.00", "9.00"] in lines
    verdicts = [line[-2:] for line in lines if line[:2] == ["the", "median"]]
    assert verdicts == [["+2.0%", "met"], ["+8.0%", "missed"]]


@pytest.mark.parametrize(
    "given",
    [
        ["--only", "a", "--cluster"],
        ["--only", "x"],
        ["--agents", "0"],
        ["--seconds", "0"],
        ["--ring-all", "1"],
    ],
)
def test_what_cannot_be_asked_for(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(given)
    assert "error:" in capsys.readouterr().err


def test_app_queue_at_its_best() -> None:
    text = queues(Size(3, (2,)))
    for setting in ("autofill = yes", "retry = 1", "ringinuse = no"):
        assert text.count(f"\n{setting}\n") >= 2
    assert text.count("member => ") == 5


@pytest.mark.asterisk
@pytest.mark.timeout(240)
async def test_all_of_it(tmp_path: Path) -> None:
    small = "--agents 3 --waiting 3 --seconds 3 --rounds 1 --queued 2 --rings 1 --ring-all 3"
    files = [f"--{name}={tmp_path / name}" for name in ("json", "markdown", "plot")]
    asked = arguments([*small.split(), *files])
    plan = replace(plan_of(asked), loads=(0.9,))
    install = await find_asterisk()
    said: list[str] = []
    found = await run(plan, install, said.append)

    assert sum(": 3 callers in line for 3 s" in line for line in said) == 3
    for system in ("app_queue", "floor", "callrouter"):
        mine = found.samples[system]
        assert len(mine[results.QUEUED]) + found.missing[system][results.QUEUED] == 2
        assert all(value > 0 for sample in mine.values() for value in sample)
        assert found.efforts[system][results.BACKLOG].answered > 0
        assert found.efforts[system][results.BACKLOG].asterisk > 0
        if system != "floor":
            rings = len(mine[results.spreading(3)]) + found.missing[system][results.spreading(3)]
            assert rings == 1
    assert found.efforts["callrouter"][results.BACKLOG].router > 0

    await asyncio.to_thread(write, asked, plan, about(install, plan), found, "a small run")
    told = json.loads(asked.json.read_text())
    assert told["plan"]["agents"] == 3
    assert {aim["part"] for aim in told["targets"]} >= {"c", "d"}
    assert "calls answered in 60 s" in asked.markdown.read_text()
