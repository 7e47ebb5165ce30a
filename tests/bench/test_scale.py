"""`make scale`: the load against a real Asterisk, a small run, and the arithmetic."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.scale.__main__ import Found, arguments, lines, main, on_paper
from bench.scale.comparison import compared
from bench.scale.cost_model import CostModel, Point, fit
from bench.scale.load_generator import Load
from bench.scale.profiled_router import KINDS, kind_of
from bench.scale.routed_pool import Spent, configuration
from callrouter.settings import load


@pytest.mark.asterisk
@pytest.mark.timeout(180)
async def test_the_load_speaks_as_asterisk_does() -> None:
    assert await compared() == []


@pytest.mark.timeout(120)
def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--pbxes 2 --phones 6 --queues 3 --rate 60 --talk 2.4 --warm 6 --seconds 6 --profile"
    assert main([*words.split(), "--json", str(tmp_path / "scale.json")]) == 0
    [router] = json.loads((tmp_path / "scale.json").read_text())["routers"]
    assert router["calls"] > 1
    assert router["router"]["loop"] > 0
    odd = ("not understood", "left alone", "rung though", "not bridged")
    assert [name for name in router["seen"]["counts"] if name.startswith(odd)] == []
    said = capsys.readouterr().out
    assert "2 Asterisks, 12 agents, 6 s" in said
    assert "core" in router["profile"]["kinds"], "of a dozen calls, some 8 samples are the core's"
    assert " core " in said


def test_its_configuration_is_one(tmp_path: Path) -> None:
    queues = tuple(f"q{n}" for n in range(5))
    made = Load(names=("p0", "p1", "p2"), phones=4, queues=queues, spread=3)
    (tmp_path / "callrouter.yaml").write_text(configuration(made, [1, 2, 3], tmp_path))
    settings = load(tmp_path, environ={})
    assert [pbx.id for pbx in settings.pbxes.values()] == ["p0", "p1", "p2"]
    assert len(settings.table.agents) == 12
    for name in made.names:
        for queue in made.queues_at(name):
            members = [member.agent for member in settings.table.queues[queue].members]
            assert any(agent.startswith(name) for agent in members), (name, queue)


MODEL = CostModel(call=0.004, each=0.0001, idle=0.002, fixed=0.01)


def test_the_model_is_found_again() -> None:
    sizes = ((20, 0.0), (1, 1.7), (5, 8.3), (10, 16.7), (20, 33.3))
    found = fit([Point(n, calls, MODEL.work(n, calls)) for n, calls in sizes])
    for one, other in zip(asdict(found).values(), asdict(MODEL).values(), strict=True):
        assert one == pytest.approx(other, rel=1e-6)


def test_no_cost_is_negative() -> None:
    points = [Point(1, 10, 0.05), Point(10, 10, 0.04), Point(20, 10, 0.03), Point(20, 20, 0.1)]
    assert min(asdict(fit(points)).values()) >= 0.0
    with pytest.raises(ValueError, match="four measurements"):
        fit(points[:3])


def test_what_the_model_says() -> None:
    assert MODEL.work(20, 10.0) == pytest.approx(10 * (0.004 + 0.002) + 0.04 + 0.01)
    assert MODEL.most_calls(20) == pytest.approx((1 - 0.05) / 0.006)
    most = MODEL.most_asterisks(1.0)
    assert MODEL.work(most, most) <= 1.0 < MODEL.work(most + 1, most + 1)
    text = "\n".join(on_paper(MODEL, 0.002, 1.0))
    assert (
        "4.00 ms, and 100 µs for each Asterisk; without calls an Asterisk 2.00 ms a second, the router 10.0 ms"
        in text
    )
    assert "100 Asterisks in 5 pools: each router's loop 17 % of a processor" in text


def test_what_is_not_as_it_should_be_is_said() -> None:
    seen = {
        "counts": {"callers": 9, "rung though in use": 2},
        "actions": {"Originate": 8},
        "offered": [0.001],
        "connected": [],
        "read": 80,
        "written": 160,
        "talking": 1,
        "waiting": 0,
    }
    found = Found(2, 8, 4.0, 8, Spent(0.04, 0.01), 0.1, 99.0, seen)
    text = "\n".join(lines(found))
    assert "rung though in use: 2" in text
    assert "6.25 ms a call" in text
    assert "1.0 / 1.0 / 1.0" in text


def test_a_sample_belongs_to_a_part_of_the_router() -> None:
    assert kind_of(None) == ("event loop", "")
    root = Path(__file__).parents[2] / "callrouter"
    for start, kind in KINDS:
        place = root / start.strip("/")
        assert place.exists(), f"{kind} is said to be in {place}"


def test_what_is_asked_for() -> None:
    asked = arguments([])
    assert (asked.pbxes, asked.rate, asked.pools) == (20, 100.0, 1)
