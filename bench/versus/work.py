"""Who calls when and talks how long: drawn once from a seed, the same for every system.

How long a call is talked about belongs to the call, not to the agent who happens to take it: a call bears
its number in its caller's, and a phone that is rung by it looks it up. So each system has the same work.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

TALK = (1.5, 2.5)
"""Seconds from an agent's answer to their hanging up: between these, evenly."""

ANSWER_AFTER = 0.05
"""Seconds a phone rings before its agent answers."""

SERVICE = ANSWER_AFTER + sum(TALK) / 2
"""Seconds of an agent that a call takes in the mean."""

_PREFIX = "9"
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Call:
    """A call to come: `at` seconds after the beginning, talked about for `talk` seconds."""

    at: float
    talk: float


def number_of(call: int) -> str:
    """The caller's number of the call with this index."""
    return f"{_PREFIX}{call:0{_DIGITS}d}"


def call_of(number: str) -> int | None:
    """The index of the call whose caller has this number; None if it is none of ours."""
    if len(number) != len(_PREFIX) + _DIGITS or not number.startswith(_PREFIX):
        return None
    digits = number.removeprefix(_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else None


def poisson(load: float, agents: int, seconds: float, seed: int) -> list[Call]:
    """Calls that arrive independently of each other, just so many that agents would be busy to `load`.

    A Poisson process of which the number of arrivals is known is so many points thrown evenly at random
    (Kingman, Poisson Processes, 1993, 2.4). The number is the mean one, so that a short window has its load; of
    two loads the higher one has all the calls of the lower one, and more.
    """
    dice = random.Random(f"{seed} load")
    count = round(load * agents * seconds / SERVICE)
    calls = [Call(dice.uniform(0.0, seconds), dice.uniform(*TALK)) for _ in range(count)]
    return sorted(calls, key=lambda call: call.at)


def endless(seed: int) -> Iterator[Call]:
    """Calls for a line that never gets shorter: whenever one is gone, the next one comes."""
    dice = random.Random(f"{seed} backlog")
    yield from (Call(0.0, dice.uniform(*TALK)) for _ in repeat(None))
