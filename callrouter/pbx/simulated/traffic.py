"""The behaviour of simulated callers, phones and agents, as distributions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A duration in seconds, log-normal around `median`, never below `least` or above `most`.

    In call centres, talk times and times to answer fit a log-normal distribution well (Brown et
    al., "Statistical Analysis of a Telephone Call Center", 2005, section 4). `sigma` is the
    standard deviation of the logarithm; with 0, every duration is the median.
    """

    median: float
    sigma: float = 0.5
    least: float = 0.0
    most: float = 3600.0

    def draw(self, rng: random.Random) -> float:
        """Draw one duration.

        In seconds, and within `least` and `most`, also where the distribution goes beyond them.
        """
        return min(self.most, max(self.least, self.median * rng.lognormvariate(0.0, self.sigma)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Which calls arrive, and how phones, callers and agents behave. Shares are from 0 to 1.

    Attributes:
        per_minute: arrivals per minute by queue, as a Poisson process.
        otherwise: arrivals per minute of a queue that `per_minute` does not name.
        patience: how long a caller waits.
        talk: time from the connect until the first party hangs up.
        caller_ends: share of conversations that the caller ends. The agent ends the others.
        answer: time from ringing to answering.
        lag: how long the telephone system takes to ring, stop or connect.
        misses: share of rings that are not answered.
        refusals: share of rings that are declined.
        unreachable: share of rings that reach no phone.
        machines: share of answered mobiles on which 1 is not pressed, since a voicemail answered.
        key: time from answering a mobile to pressing 1.
    """

    per_minute: Mapping[str, float] = field(default_factory=dict)
    otherwise: float = 10.0
    patience: Spread = Spread(median=40.0, sigma=0.7, least=3.0)
    talk: Spread = Spread(median=11.0, sigma=0.4, least=3.0, most=300.0)
    caller_ends: float = 0.6
    answer: Spread = Spread(median=2.2, sigma=0.4, least=0.8)
    lag: Spread = Spread(median=0.02, sigma=0.5, least=0.002, most=0.2)
    misses: float = 0.06
    refusals: float = 0.05
    unreachable: float = 0.0
    machines: float = 0.15
    key: Spread = Spread(median=2.0, sigma=0.3, least=0.8)

    def arrivals(self, queue: str) -> float:
        """Arrivals per minute of a queue; 0 or less: it gets no calls.

        The engine asks when a queue is new and after each arrival.
        """
        return self.per_minute.get(queue, self.otherwise)
