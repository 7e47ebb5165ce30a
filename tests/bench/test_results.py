"""The arithmetic of the comparison with app_queue."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from statistics import fmean, quantiles

import pytest

from bench.versus.plot import panels, steps
from bench.versus.results import BACKLOG, FREED, QUEUED, Effort, Results, percentile, ratio, spread
from bench.versus.scenes import idle
from bench.versus.targets import as_they_come, targets
from bench.versus.work import SERVICE, TALK, call_of, endless, number_of, poisson
from callrouter.lab.call_record import Record


@pytest.mark.parametrize(
    ("values", "share", "is_"),
    [
        ([5.0], 0.99, 5.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.9, 3.7),
        ([1.0, 2.0, 3.0, 4.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0, 4.0], 1.0, 4.0),
    ],
)
def test_percentile(values: list[float], share: float, is_: float) -> None:
    assert percentile(values, share) == pytest.approx(is_)


def test_percentiles_are_those_of_the_standard_library() -> None:
    values = [random.Random(3).lognormvariate(0, 1) for _ in range(777)]
    cuts = quantiles(values, n=100, method="inclusive")
    assert percentile(values, 0.5) == pytest.approx(cuts[49])
    assert percentile(values, 0.99) == pytest.approx(cuts[98])


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1)])
def test_no_percentile_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_spread() -> None:
    found = spread([float(n) for n in range(101)])
    assert found is not None
    assert (found.count, found.median, found.p90, found.p99, found.most) == (101, 50, 90, 99, 100)
    assert spread([]) is None


def test_ratio() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(6.0, 0.0) is None
    assert ratio(None, 3.0) is None
    assert ratio(3.0, None) is None


def test_efforts_add_up() -> None:
    effort = Effort()
    effort.add(Effort(seconds=20, answered=100, idle=4, agent_seconds=400, asterisk=2, router=1))
    effort.add(Effort(seconds=10, answered=50, idle=2, agent_seconds=200, asterisk=1))
    assert effort.per_minute() == 300
    assert effort.idle_share() == 1.0
    assert effort.asterisk_ms() == 20.0
    assert effort.router_ms() == pytest.approx(6.667, abs=0.001)
    assert Effort().asterisk_ms() is None


def test_idle_is_from_each_end_to_the_next_invite() -> None:
    def leg(invite: float, ended: float | None) -> Record:
        record = Record("in", "", lambda _: None)
        record.invite_at, record.ended_at = invite, ended
        return record

    legs = [leg(0, 2), leg(3, 5), leg(6, 9), leg(9.5, 20)]
    assert list(idle(legs, 2.5, 10)) == [(2, 3), (5, 6), (9, 9.5)]
    assert list(idle(legs[:2], 2.5, 10)) == [(2, 3), (5, float("inf"))]
    assert list(idle([leg(0, None)], 0, 10)) == []


def test_steps() -> None:
    assert steps([3.0, 1.0]) == ([1.0, 3.0], [0.5, 1.0])


def test_the_picture_has_what_was_measured() -> None:
    assert [name for _, name in panels(found(), (0.7,))] == [FREED]
    assert panels(Results(), (0.7,)) == []


# ---------------------------------------------------------------- the work


def test_the_same_seed_is_the_same_work() -> None:
    assert poisson(0.9, 20, 30, 1) == poisson(0.9, 20, 30, 1)
    assert poisson(0.9, 20, 30, 1) != poisson(0.9, 20, 30, 2)
    one, other = endless(1), endless(1)
    assert [next(one) for _ in range(9)] == [next(other) for _ in range(9)]


def test_poisson_arrivals_keep_agents_as_busy_as_asked() -> None:
    calls = poisson(0.9, 20, 5000, 1)
    assert all(0 < call.at < 5000 and TALK[0] <= call.talk <= TALK[1] for call in calls)
    assert len(calls) == round(0.9 * 20 * 5000 / SERVICE)
    assert fmean(call.talk for call in calls) == pytest.approx(sum(TALK) / 2, rel=0.01)
    gaps = [after.at - before.at for before, after in pairwise(calls)]
    assert min(gaps) >= 0
    mean = fmean(gaps)
    # Of exponential gaps the variance is the mean's square, and 1 - 1/e are below the mean.
    assert fmean((gap - mean) ** 2 for gap in gaps) == pytest.approx(mean**2, rel=0.05)
    assert sum(gap < mean for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.01)


def test_a_higher_load_is_the_lower_one_and_more() -> None:
    low, high = poisson(0.7, 20, 20, 1), poisson(0.98, 20, 20, 1)
    assert set(low) < set(high)
    assert len(high) == round(0.98 * 20 * 20 / SERVICE)


def test_a_call_is_known_by_its_callers_number() -> None:
    assert call_of(number_of(0)) == 0
    assert call_of(number_of(1234)) == 1234
    for other in ("", "9", "1001", "caller", "9000000x", "90000001234"):
        assert call_of(other) is None


# ---------------------------------------------------------------- the targets


def found(*, ours: float = 4.0, p99: float = 8.0, calls: int = 600, work: float = 6.0) -> Results:
    results = Results()
    for system, queued, freed, last, answered, asterisk in (
        ("app_queue", 3.0, 400.0, 1000.0, 500, 5.5),
        ("floor", 3.5, 3.0, 5.0, 600, 5.0),
        ("callrouter", 5.0, ours, p99, calls, work),
    ):
        results.samples[system][QUEUED] = [queued]
        results.samples[system][FREED] = [freed] * 99 + [last] * 2
        effort = Effort(seconds=60, answered=answered, asterisk=asterisk)
        results.efforts[system][BACKLOG] = effort
        results.efforts[system]["wait at 70%"] = Effort(answered=100, asterisk=asterisk / 5)
        results.efforts[system]["wait at 90%"] = Effort(answered=100, asterisk=asterisk / 5)
    return results


def verdicts(results: Results) -> list[tuple[str, bool]]:
    return [(aim.part, aim.met) for aim in targets(results)]


def test_targets_that_are_met() -> None:
    assert verdicts(found()) == [
        *[("a", True), ("b", True), ("b", True), ("b", True)],
        *[("c", True), ("c", True), ("d", True), ("d", True)],
    ]


def test_targets_that_are_missed() -> None:
    missed = found(ours=8.5, p99=16.0, calls=500, work=6.5)
    assert verdicts(missed) == [
        *[("a", True), ("b", False), ("b", False), ("b", False)],
        *[("c", False), ("c", False), ("d", False), ("d", False)],
    ]


def test_figures_of_targets() -> None:
    figures = [aim.figure for aim in targets(found())]
    assert figures == [
        *["+2.0 ms", "100 times", "1.33 times", "1.60 times"],
        *["+20.0%", "100.0%", "-9%", "+9%"],
    ]


def test_no_target_without_its_figure() -> None:
    results = found()
    del results.samples["app_queue"], results.efforts["app_queue"]
    assert [aim.part for aim in targets(results)] == ["b", "b", "c"]
    assert targets(Results()) == []


def test_all_loads_together() -> None:
    total = as_they_come(found(), "callrouter")
    assert total is not None
    assert total.answered == 200
    assert total.asterisk == pytest.approx(2.4)
    assert as_they_come(Results(), "callrouter") is None


def test_json_has_every_value() -> None:
    said = json.loads(json.dumps(found().as_json()))
    assert said["callrouter"]["samples"][QUEUED] == {
        "count": 1,
        **dict.fromkeys(("median", "p90", "p99", "most"), 5.0),
        "values": [5.0],
    }
    assert said["app_queue"]["efforts"][BACKLOG]["answered_per_minute"] == 500
