"""Callers wait as queueing theory says: Erlang C if they are patient, Erlang A if not.

Arrivals are a Poisson process, talk times are exponential, phones are answered at once, and one pool serves first come
first served. Each wait must be the one that the arrivals and talk times before it leave, to the millisecond. The figures of
all of them must be those of theory, except for chance.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Final, NamedTuple

import pytest

from callrouter.core.router import Router
from callrouter.model.call_notices import CallAbandoned, CallCompleted, CallEntered
from callrouter.model.events import CallArrived, Event, SignedIn, TimePassed
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table
from callrouter.pbx.simulated import Engine, Traffic
from callrouter.pbx.simulated.traffic import Spread
from tests.simulated.world import PBX, START, agent, queue

BATCHES: Final = 25
STANDARD_ERRORS: Final = 4.0
"""A figure of a run may be this far from theory; seeds are fixed, so a run is always the same."""
ROUNDED: Final = 0.00006
"""Half of the last digit of a row."""


class Row(NamedTuple):
    """A case of Erlang C, as published or as two independent programs compute it."""

    calls: int
    interval: float
    handling: float
    agents: int
    within: float
    waits: float
    service_level: float
    mean_wait: float


ROWS: Final = {
    "E1": Row(100, 1800, 180, 14, 20, 0.1741, 0.8884, 7.836),
    "E2": Row(100, 1800, 180, 15, 19.8, 0.1020, 0.9411, 3.674),
    "E3": Row(100, 1800, 180, 13, 20, 0.2853, 0.7956, 17.116),
    "E4": Row(100, 1800, 180, 12, 20, 0.4494, 0.6402, 40.445),
    "E5": Row(100, 1800, 180, 11, 20, 0.6821, 0.3896, 122.781),
    "E6": Row(360, 1800, 240, 55, 15, 0.2387, 0.8459, 8.184),
    "E7": Row(100, 1800, 240, 20, 20, 0.0623, 0.9642, 2.244),
    "E8": Row(100, 1800, 300, 20, 20, 0.3381, 0.7293, 30.431),
    "E9": Row(2880, 3600, 60, 50, 20, 0.6945, 0.6435, 20.834),
    "E10": Row(7380, 3600, 60, 132, 20, 0.3211, 0.9840, 2.141),
    "E11": Row(60, 3600, 300, 7, 20, 0.3241, 0.7163, 48.622),
    "E12": Row(40, 3600, 180, 3, 20, 4 / 9, 0.6023, 80.0),
}
PLAYED: Final = ("E1", "E4", "E7", "E8", "E11", "E12")
"""The rows that are played: few agents and many, little load and much."""
CALLS: Final = 8_000


def erlang_b(load: float, agents: int) -> float:
    """The share of calls that find all lines taken, by the recursion over the number of lines."""
    blocked = 1.0
    for lines in range(1, agents + 1):
        blocked = load * blocked / (lines + load * blocked)
    return blocked


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_are_erlang_c(name: str) -> None:
    row = ROWS[name]
    load = row.calls / row.interval * row.handling
    blocked = erlang_b(load, row.agents)
    waits = row.agents * blocked / (row.agents - load * (1 - blocked))
    spare = (row.agents - load) / row.handling
    assert waits == pytest.approx(row.waits, abs=ROUNDED)
    assert waits / spare == pytest.approx(row.mean_wait, abs=0.0006)
    within = 1 - waits * math.exp(-spare * row.within)
    assert within == pytest.approx(row.service_level, abs=ROUNDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential(Spread):
    """Durations without memory; `median` is their mean here."""

    def draw(self, rng: random.Random) -> float:
        return rng.expovariate(1 / self.median)


AT_ONCE: Final = Spread(median=0.0)
FOREVER: Final = Spread(median=1e9, sigma=0.0, most=1e9)


@dataclass
class Played:
    """What the router reports of the callers, in the order in which they entered."""

    arrived: dict[str, float] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    talked: dict[str, float] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def note(self, notice: Notice) -> None:
        match notice:
            case CallEntered(call=call):
                self.waited[call] = math.nan
            case CallAbandoned(call=call, wait_s=wait):
                self.waited[call] = wait
                self.abandoned.add(call)
            case CallCompleted(call=call, wait_s=wait, talk_s=talk):
                self.waited[call] = wait
                self.talked[call] = talk
            case _:
                pass


def play(calls: int, per_minute: float, handling: float, agents: int, patience: Spread) -> Played:
    """Play calls on a virtual clock, until the last has gone."""
    names = [f"a{n}" for n in range(agents)]
    table = Table(
        agents={name: agent(name, f"PJSIP/{1000 + n}") for n, name in enumerate(names)},
        queues={"q": queue("q", dict.fromkeys(names, 1), wrap_up=0.0)},
    )
    traffic = Traffic(
        per_minute={"q": per_minute},
        patience=patience,
        talk=Exponential(median=handling),
        answer=AT_ONCE,
        lag=AT_ONCE,
        caller_ends=1.0,  # an agent who hangs up within a second sends the caller back into line
        misses=0.0,
        refusals=0.0,
    )
    now, played = START, Played()
    engine = Engine(PBX, table, traffic, random.Random(200), now=now)
    router = Router(table, rng=random.Random(2), run_id="b", now=now)

    def post(event: Event) -> None:
        if isinstance(event, CallArrived):
            played.arrived[event.call] = now
        for command in router.handle(event, now):
            if isinstance(command, Notice):
                played.note(command)
            else:
                engine.order(command, now)

    post(engine.snapshot())
    for name in names:
        post(SignedIn(agent=name))
    while engine.callers or engine.came < calls:
        ours, theirs = engine.next_at(), router.next_deadline()
        now = max(now, min(at for at in (ours, theirs) if at is not None))
        if ours is not None and ours <= now:
            for event in engine.step(now):
                post(event)
        else:
            post(TimePassed())
        if engine.came >= calls:
            engine.close_doors()
    played.seconds = now - START
    return played


def assert_first_come_first_served(played: Played, agents: int) -> None:
    """Serve the same callers again with nothing but a list of the times at which agents become free."""
    free = [START] * agents
    for call, arrived in played.arrived.items():
        soonest = max(arrived, free[0])
        if call in played.abandoned:
            assert soonest - arrived >= played.waited[call] - 0.001, (
                f"{call} was not served in turn"
            )
            continue
        assert played.waited[call] == pytest.approx(soonest - arrived, abs=0.001), call
        heapq.heapreplace(free, soonest + played.talked[call])


def close(values: Sequence[float], theory: float) -> bool:
    """Whether the mean is that of theory, but for chance: waits depend on each other, means of batches hardly do."""
    size = len(values) // BATCHES
    means = [fmean(values[n * size : (n + 1) * size]) for n in range(BATCHES)]
    error = stdev(means) / BATCHES**0.5
    return abs(fmean(values) - theory) < STANDARD_ERRORS * error


@pytest.mark.parametrize("name", PLAYED)
def test_patient_callers_wait_as_by_erlang_c(name: str) -> None:
    row = ROWS[name]
    played = play(CALLS, row.calls / row.interval * 60, row.handling, row.agents, FOREVER)
    waits = list(played.waited.values())
    assert len(waits) == CALLS
    assert_first_come_first_served(played, row.agents)
    assert close([float(wait > 0.001) for wait in waits], row.waits)
    assert close([float(wait <= row.within) for wait in waits], row.service_level)
    assert close(waits, row.mean_wait)


def test_impatient_callers_wait_and_leave_as_by_erlang_a() -> None:
    played = play(CALLS, 48, 60, 50, Exponential(median=120))
    waits = list(played.waited.values())
    assert_first_come_first_served(played, 50)
    assert close([float(wait > 0.001) for wait in waits], 0.4678)
    assert close([float(call in played.abandoned) for call in played.waited], 0.0309)
    assert close(waits, 3.71)
    assert sum(played.talked.values()) / played.seconds / 50 == pytest.approx(0.93, abs=0.02)
