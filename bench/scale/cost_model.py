"""What a router's work comes to at any size, from what was measured at a few. No I/O.

The work of a second is taken as ``fixed + calls * (own + each * Asterisks) + idle * Asterisks``: a call costs what it costs
at its own Asterisk, and something at each other one; an Asterisk costs something without any call, and so does the router.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Point:
    """A measurement: processor time of each second at so many Asterisks and calls a second."""

    asterisks: int
    calls: float
    work: float


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds of a processor.

    Attributes:
        call: of a call.
        each: of a call, for each Asterisk.
        idle: of each Asterisk in a second.
        fixed: of the router in a second.
    """

    call: float
    each: float = 0.0
    idle: float = 0.0
    fixed: float = 0.0

    def work(self, asterisks: int, calls: float) -> float:
        """Return the work of a second."""
        return self.fixed + calls * (self.call + self.each * asterisks) + self.idle * asterisks

    def most_calls(self, asterisks: int, limit: float = 1.0) -> float:
        """Return the calls a second at which the work reaches `limit` processors."""
        left = max(0.0, limit - self.work(asterisks, 0.0))
        return left / (self.call + self.each * asterisks)

    def most_asterisks(self, calls_each: float, limit: float = 1.0) -> int:
        """Return how many Asterisks with so many calls a second each stay below `limit` processors."""
        count = 0
        while count < 10_000 and self.work(count + 1, calls_each * (count + 1)) <= limit:
            count += 1
        return count


def fit(points: Sequence[Point]) -> CostModel:
    """Return the model that fits best (least squares), without negative costs.

    Raises:
        ValueError: fewer than four points, or nothing fits.
    """
    if len(points) < 4:
        raise ValueError("four measurements are needed for four costs")
    rows = [(one.calls, one.calls * one.asterisks, float(one.asterisks), 1.0) for one in points]
    targets = [one.work for one in points]
    best: tuple[float, CostModel] | None = None
    for used in ((0, *more) for size in range(4) for more in combinations((1, 2, 3), size)):
        found = _solve([[row[n] for n in used] for row in rows], targets)
        if found is None or min(found) < 0.0:
            continue
        costs = dict(zip(used, found, strict=True))
        model = CostModel(*(costs.get(n, 0.0) for n in range(4)))
        error = sum((model.work(one.asterisks, one.calls) - one.work) ** 2 for one in points)
        if best is None or error < best[0]:
            best = error, model
    if best is None:
        raise ValueError("the measurements contradict each other")
    return best[1]


def _solve(rows: Sequence[Sequence[float]], targets: Sequence[float]) -> list[float] | None:
    """Solve the normal equations by elimination; None if they have no single solution."""
    size = len(rows[0])
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)]
        + [sum(row[i] * target for row, target in zip(rows, targets, strict=True))]
        for i in range(size)
    ]
    for at in range(size):
        pivot = max(range(at, size), key=lambda n: abs(table[n][at]))
        if abs(table[pivot][at]) < 1e-12:
            return None
        table[at], table[pivot] = table[pivot], table[at]
        for other in range(size):
            if other != at:
                share = table[other][at] / table[at][at]
                table[other] = [a - share * b for a, b in zip(table[other], table[at], strict=True)]
    return [table[n][size] / table[n][n] for n in range(size)]
