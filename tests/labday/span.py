"""A figure known within limits: counts are exact, times are as exact as a phone can tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """From `low` to `high`."""

    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Span:
        return cls(value, value)

    def holds(self, value: object) -> bool:
        """Whether a reported value fits; reports round to the millisecond."""
        return isinstance(value, int | float) and self.low - 1e-3 <= value <= self.high + 1e-3

    def plus(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def less(self, other: Span) -> Span:
        return Span(self.low - other.high, self.high - other.low)

    def over(self, count: int) -> Span | None:
        """Return the mean; None: of nothing."""
        return Span(self.low / count, self.high / count) if count else None

    def percent_of(self, other: Span) -> Span | None:
        """Return the share in percent; None: of nothing."""
        if not other.high:
            return None
        low = 100 * self.low / other.high
        return Span(low, 100.0 * self.high / other.low if other.low else 100.0)


@dataclass(frozen=True, slots=True)
class Gauge:
    """How exactly times are seen.

    Attributes:
        limit: seconds by which a time may differ from the one at the phone.
    """

    limit: float

    def about(self, value: float, times: int = 1) -> Span:
        """A time, or a sum of so many of them."""
        return Span(max(0.0, value - self.limit * times), value + self.limit * times)

    def total(self, values: Iterable[float], times: int = 1) -> Span:
        """Return the sum of durations, each of which has so many times that may be off."""
        found = list(values)
        return self.about(sum(found), len(found) * times) if found else Span.exactly(0.0)

    def at_most(self, values: Iterable[float], most: float) -> Span:
        """Return how many durations are at most `most`; those near it may be or not."""
        found = list(values)
        return Span(
            sum(value <= most - self.limit for value in found),
            sum(value <= most + self.limit for value in found),
        )
