"""The measurements and their arithmetic. No I/O."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """A sample in five figures, in the unit of the sample."""

    count: int
    median: float
    p90: float
    p99: float
    most: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sample lies, interpolated linearly.

    Hyndman and Fan (1996), type 7, the default of NumPy and R: the smallest value is 0, the largest
    1.

    Raises:
        ValueError: the sample is empty, or `share` is out of range.
    """
    if not values or not 0.0 <= share <= 1.0:
        raise ValueError("a percentile needs a sample, and a share from 0 to 1")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the sample's five figures; None if it is empty."""
    if not values:
        return None
    median, p90, p99 = (percentile(values, share) for share in (0.5, 0.9, 0.99))
    return Spread(len(values), median, p90, p99, max(values))


def ratio(one: float | None, other: float | None) -> float | None:
    """Return `one` divided by `other`; None if that is undefined."""
    return one / other if one is not None and other else None


@dataclass(slots=True)
class Effort:
    """The totals of a stretch of work over its turns.

    Attributes:
        seconds: its duration in wall-clock time.
        answered: calls answered within it.
        idle: seconds between the end of a call and the next INVITE, summed over all agents.
        agent_seconds: seconds summed over all agents.
        asterisk, router: CPU seconds used by Asterisk and by the process beside it.
    """

    seconds: float = 0.0
    answered: int = 0
    idle: float = 0.0
    agent_seconds: float = 0.0
    asterisk: float = 0.0
    router: float = 0.0

    def add(self, other: Effort) -> None:
        """Add another turn."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def per_minute(self) -> float | None:
        """Calls answered per 60 s."""
        return ratio(self.answered * 60.0, self.seconds)

    def idle_share(self) -> float | None:
        """Percentage of the agents' time spent waiting to be rung."""
        return ratio(self.idle * 100.0, self.agent_seconds)

    def asterisk_ms(self) -> float | None:
        """Milliseconds of CPU time that Asterisk used per call."""
        return ratio(self.asterisk * 1000.0, self.answered)

    def router_ms(self) -> float | None:
        """Milliseconds of CPU time per call of the process beside Asterisk."""
        return ratio(self.router * 1000.0, self.answered)


BACKLOG = "backlog"
QUEUED = "queued to INVITE"
FREED = "free to INVITE"


def waited(load: float) -> str:
    """Return the name of the sample of waits at a load."""
    return f"wait at {load:.0%}"


def spreading(size: int) -> str:
    """Return the name of the sample: first to last INVITE of a group."""
    return f"first to last of {size}"


def cancelling(size: int) -> str:
    """Return the name of the sample: answer to the last loser's CANCEL."""
    return f"answer to CANCEL of {size}"


@dataclass(slots=True)
class Results:
    """Samples (in milliseconds) and efforts, by system and name.

    `missing` counts what never arrived.
    """

    samples: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    efforts: dict[str, dict[str, Effort]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Effort))
    )
    missing: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    def spread(self, system: str, name: str) -> Spread | None:
        """Return the five figures of a sample; None if nothing was measured."""
        return spread(self.samples.get(system, {}).get(name, ()))

    def effort(self, system: str, name: str) -> Effort | None:
        """Return the totals of a stretch of work; None if there was none."""
        return self.efforts.get(system, {}).get(name)

    def as_json(self) -> dict[str, Any]:
        """Return everything, with each value of the samples (milliseconds, to a microsecond)."""
        systems = dict.fromkeys([*self.samples, *self.efforts])
        return {
            system: {
                "samples": {
                    name: {**_figures(spread(values)), "values": [round(v, 3) for v in values]}
                    for name, values in self.samples.get(system, {}).items()
                },
                "efforts": {
                    name: {
                        **{key: round(getattr(effort, key), 3) for key in effort.__slots__},
                        "answered_per_minute": effort.per_minute(),
                        "idle_percent": effort.idle_share(),
                        "asterisk_ms_per_call": effort.asterisk_ms(),
                        "router_ms_per_call": effort.router_ms(),
                    }
                    for name, effort in self.efforts.get(system, {}).items()
                },
                "missing": dict(self.missing.get(system, {})),
            }
            for system in systems
        }


def _figures(found: Spread | None) -> dict[str, float]:
    if found is None:
        return {}
    return {name: round(getattr(found, name), 3) for name in found.__slots__}
