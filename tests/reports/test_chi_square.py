from __future__ import annotations

import math

import pytest

from callrouter.reports.chi_square import compare, survival


@pytest.mark.parametrize(
    ("statistic", "degrees", "chance"),
    [  # percentage points as printed in tables of the distribution
        (0.0158, 1, 0.90), (2.706, 1, 0.10), (3.841, 1, 0.05), (6.635, 1, 0.01), (10.828, 1, 0.001),
        (0.211, 2, 0.90), (5.991, 2, 0.05), (13.816, 2, 0.001),
        (2.733, 8, 0.95), (15.507, 8, 0.05), (18.307, 10, 0.05), (43.773, 30, 0.05), (40.256, 30, 0.10),
        (124.342, 100, 0.05), (149.449, 100, 0.001), (77.929, 100, 0.95),
    ],
)  # fmt: skip
def test_the_survival_function_is_that_of_printed_tables(
    statistic: float, degrees: int, chance: float
) -> None:
    assert survival(statistic, degrees) == pytest.approx(chance, rel=2e-3)


def test_with_an_even_number_of_degrees_it_is_a_sum_of_poisson() -> None:
    """A closed form that shares nothing with the series and the fraction."""
    for half in (1, 2, 5, 20, 100, 500):
        for statistic in (0.001, 0.5, 2.0, half * 1.0, half * 2.0, half * 2.5, half * 4.0):
            mean = statistic / 2
            terms = (step * math.log(mean) - mean - math.lgamma(step + 1) for step in range(half))
            assert survival(statistic, 2 * half) == pytest.approx(
                math.fsum(map(math.exp, terms)), rel=1e-9, abs=1e-12
            )


def test_with_one_degree_it_is_the_error_function() -> None:
    for statistic in (1e-9, 0.01, 0.5, 1.0, 2.9, 3.1, 10.0, 50.0, 200.0):
        assert survival(statistic, 1) == pytest.approx(
            math.erfc(math.sqrt(statistic / 2)), rel=1e-9
        )
    assert survival(0, 3) == 1
    assert survival(math.inf, 3) == 0
    with pytest.raises(ValueError, match="degrees must be 1 or more"):
        survival(1, 0)


def test_counts_are_compared() -> None:
    # 60 throws of a die: 5, 8, 9, 8, 10, 20. The textbook's statistic is 13.4 with 5 degrees.
    found = compare((5, 8, 9, 8, 10, 20), (1,) * 6)
    assert found is not None
    assert found.statistic == pytest.approx(13.4)
    assert found.degrees == 5
    assert 0.01 < found.chance < 0.025


def test_nothing_to_compare_and_what_must_not_be() -> None:
    assert compare((), ()) is None
    assert compare((50,), (1,)) is None
    assert compare((3, 4), (1, 1)) is None
    assert compare((50, 50), (0, 0)) is None
    found = compare((50, 50, 1), (1, 1, 0))
    assert found is not None
    assert found.chance == 0
