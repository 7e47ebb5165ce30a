"""What was measured, and the arithmetic on it. No I/O."""

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
    """The value below which `share` (0 to 1) of the sample lies, between neighbours in proportion.

    Hyndman and Fan (1996), type 7, as NumPy and R have it: the sample's smallest is 0, its largest 1.

    Raises:
        ValueError: the sample is empty, or `share` is no share.
    """
    if not values or not 0.0 <= share <= 1.0:
        raise ValueError("a percentile needs a sample, and a share from 0 to 1")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> Spread | None:
    """The sample's five figures; None if there is nothing in it."""
    if not values:
        return None
    median, p90, p99 = (percentile(values, share) for share in (0.5, 0.9, 0.99))
    return Spread(len(values), median, p90, p99, max(values))


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times `other` is `one`; None where that cannot be said."""
    return one / other if one is not None and other else None


@dataclass(slots=True)
class Effort:
    """What a stretch of work came to, summed over its turns.

    Attributes:
        seconds: how long it was, on the clock.
        answered: calls answered within it.
        idle: seconds of all agents together between the end of a call and the next INVITE.
        agent_seconds: seconds of all agents together.
        asterisk, router: seconds of the processor that Asterisk and the process beside it used.
    """

    seconds: float = 0.0
    answered: int = 0
    idle: float = 0.0
    agent_seconds: float = 0.0
    asterisk: float = 0.0
    router: float = 0.0

    def add(self, other: Effort) -> None:
        """Take another turn's into account."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def per_minute(self) -> float | None:
        """Calls answered in 60 s."""
        return ratio(self.answered * 60.0, self.seconds)

    def idle_share(self) -> float | None:
        """The share of the agents' time in which they waited to be rung, in percent."""
        return ratio(self.idle * 100.0, self.agent_seconds)

    def asterisk_ms(self) -> float | None:
        """Milliseconds of the processor that Asterisk used for a call."""
        return ratio(self.asterisk * 1000.0, self.answered)

    def router_ms(self) -> float | None:
        """The same of the process beside it."""
        return ratio(self.router * 1000.0, self.answered)


BACKLOG = "backlog"
QUEUED = "queued to INVITE"
FREED = "free to INVITE"


def waited(load: float) -> str:
    """The name of the sample of waits at a load."""
    return f"wait at {load:.0%}"


def spreading(size: int) -> str:
    """The name of the sample: first to last INVITE of a group."""
    return f"first to last of {size}"


def cancelling(size: int) -> str:
    """The name of the sample: answer to the last loser's CANCEL."""
    return f"answer to CANCEL of {size}"


@dataclass(slots=True)
class Results:
    """Samples (in milliseconds) and efforts, by system and name. `missing` counts what never came."""

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
        """The five figures of a sample; None where nothing was measured."""
        return spread(self.samples.get(system, {}).get(name, ()))

    def effort(self, system: str, name: str) -> Effort | None:
        """What a stretch of work came to; None where there was none."""
        return self.efforts.get(system, {}).get(name)

    def as_json(self) -> dict[str, Any]:
        """Everything, the samples value by value (milliseconds, to a microsecond)."""
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
