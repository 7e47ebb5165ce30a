"""The chi-square test: whether counts differ more than chance alone explains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PRECISION: Final = 1e-15
_TINY: Final = 1e-300
_ROUNDS: Final = 100_000
LEAST_EXPECTED: Final = 5.0
"""Below this expected count in a cell the test is not to be trusted (Cochran's rule)."""


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """The outcome of a test.

    Attributes:
        statistic: the sum of (observed - expected) squared over expected.
        degrees: degrees of freedom.
        chance: the probability of a statistic at least this large if only chance is at work.
    """

    statistic: float
    degrees: int
    chance: float


def compare(observed: Sequence[float], expected: Sequence[float]) -> ChiSquare | None:
    """Compare counts with those expected (Pearson's test of goodness of fit).

    Args:
        observed: the counts.
        expected: as many numbers, in proportion to what is expected; they are scaled to the sum of
            `observed`.

    Returns None if there is nothing to compare: fewer than two cells in which anything is expected,
    or a count below `LEAST_EXPECTED` is expected in one of them. A count where nothing is expected
    makes the probability 0.
    """
    total, weight = math.fsum(observed), math.fsum(expected)
    if weight <= 0:
        return None
    cells = [
        (seen, share * total / weight)
        for seen, share in zip(observed, expected, strict=True)
        if share > 0
    ]
    if len(cells) < 2 or min(due for _, due in cells) < LEAST_EXPECTED:
        return None
    if any(seen for seen, share in zip(observed, expected, strict=True) if share <= 0):
        return ChiSquare(math.inf, len(cells) - 1, 0.0)
    statistic = math.fsum((seen - due) ** 2 / due for seen, due in cells)
    return ChiSquare(statistic, len(cells) - 1, survival(statistic, len(cells) - 1))


def survival(statistic: float, degrees: int) -> float:
    """Return the probability that a chi-square variable is larger than `statistic`.

    It is the regularized upper incomplete gamma function Q(degrees / 2, statistic / 2), by its power
    series below the mean and by its continued fraction above (Abramowitz and Stegun, 6.5.29 and
    6.5.31, the latter by Lentz's method).

    Args:
        statistic: at least 0.
        degrees: degrees of freedom, at least 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if degrees < 1 or statistic < 0:
        raise ValueError("degrees must be 1 or more, and the statistic 0 or more")
    shape, at = degrees / 2, statistic / 2
    if at == 0:
        return 1.0
    if math.isinf(at):
        return 0.0
    front = math.exp(shape * math.log(at) - at - math.lgamma(shape))
    if at < shape + 1:
        return max(0.0, 1 - front * _series(shape, at))
    return min(1.0, front * _fraction(shape, at))


def _series(shape: float, at: float) -> float:
    term = total = 1 / shape
    for step in range(1, _ROUNDS):
        term *= at / (shape + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _fraction(shape: float, at: float) -> float:
    below = at + 1 - shape
    ratio, inverse = 1 / _TINY, 1 / below
    value = inverse
    for step in range(1, _ROUNDS):
        factor = step * (shape - step)
        below += 2
        inverse = 1 / _not_zero(factor * inverse + below)
        ratio = _not_zero(below + factor / ratio)
        change = inverse * ratio
        value *= change
        if abs(change - 1) < _PRECISION:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
