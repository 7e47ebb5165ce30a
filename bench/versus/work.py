"""When calls arrive and how long they take: drawn once from a seed, the same for every system.

The duration belongs to the call, not to the agent who happens to take it: the caller's number
contains the number of the call, and a phone that is rung looks it up. So each system has the same
work.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

TALK = (1.5, 2.5)
"""Seconds from an agent's answer to their hang-up: uniform between these two."""

ANSWER_AFTER = 0.05
"""Seconds a phone rings before its agent answers."""

SERVICE = ANSWER_AFTER + sum(TALK) / 2
"""Mean seconds of an agent's time per call."""

_PREFIX = "9"
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Call:
    """A future call: `at` seconds after the start, with a conversation of `talk` seconds."""

    at: float
    talk: float


def number_of(call: int) -> str:
    """Return the caller's number for the call with this index."""
    return f"{_PREFIX}{call:0{_DIGITS}d}"


def call_of(number: str) -> int | None:
    """Return the index of the call with this caller's number; None if it is not one of ours."""
    if len(number) != len(_PREFIX) + _DIGITS or not number.startswith(_PREFIX):
        return None
    digits = number.removeprefix(_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else None


def poisson(load: float, agents: int, seconds: float, seed: int) -> list[Call]:
    """Return independently arriving calls, just enough to keep agents busy to `load`.

    Given the number of arrivals, a Poisson process is that many points distributed uniformly at
    random (Kingman, Poisson Processes, 1993, 2.4). The number is the mean one, so that a short
    window has its load. Of two loads, the higher one has all the calls of the lower one, and more.
    """
    rng = random.Random(f"{seed} load")
    count = round(load * agents * seconds / SERVICE)
    calls = [Call(rng.uniform(0.0, seconds), rng.uniform(*TALK)) for _ in range(count)]
    return sorted(calls, key=lambda call: call.at)


def endless(seed: int) -> Iterator[Call]:
    """Yield calls for an endless queue: whenever one leaves, the next one arrives."""
    rng = random.Random(f"{seed} backlog")
    yield from (Call(0.0, rng.uniform(*TALK)) for _ in repeat(None))
