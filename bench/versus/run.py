"""One run: the order of the turns, and its progress."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from bench.versus import scenes, work
from bench.versus.results import Results
from bench.versus.stage import Size, Stage, stage
from bench.versus.systems import SYSTEMS, System, settled
from callrouter.lab import Install

PARTS = "abcdef"
LOADS = (0.7, 0.9, 0.98)
RING_ALL = (5, 20, 50)

Say = Callable[[str], None]
Scene = tuple[str, Callable[[], Awaitable[object]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures.

    Attributes:
        parts: letters of `PARTS`.
        agents: agents of the one queue.
        waiting: callers waiting, in addition to the connected ones, in (b), (c) and (d).
        seconds: the measured window of (b) to (d), over all rounds; (f) takes a third of it at each
            load.
        rounds: number of times the turns rotate.
        queued: calls of (a), over all rounds.
        rings: rings of (e) for each size, over all rounds.
        seed: seed of all random numbers.
    """

    parts: str = PARTS
    agents: int = 20
    waiting: int = 40
    seconds: float = 60.0
    rounds: int = 3
    queued: int = 30
    rings: int = 9
    seed: int = 1
    loads: tuple[float, ...] = LOADS
    ring_all: tuple[int, ...] = RING_ALL
    systems: tuple[type[System], ...] = field(default=SYSTEMS)

    def loads_of(self, number: int) -> tuple[float, ...]:
        """Return the loads of a round. They are spread over the rounds and repeat if need be."""
        return self.loads[number :: self.rounds] or (self.loads[number % len(self.loads)],)

    def in_round(self, total: int, number: int) -> int:
        """Return a round's share of a total."""
        return total * (number + 1) // self.rounds - total * number // self.rounds

    def order(self, number: int) -> tuple[type[System], ...]:
        """Return the order of the systems; the first one changes from round to round."""
        first = number % len(self.systems)
        return self.systems[first:] + self.systems[:first]

    def estimate(self) -> float:
        """Return the approximate duration of the run in seconds."""
        turns = self.rounds * len(self.systems)
        total = 5.0 + 4.0 * turns
        total += 0.4 * self.queued * len(self.systems) * ("a" in self.parts)
        if self.lines:
            total += turns * (scenes.WARM_UP + 3.0) + self.seconds * len(self.systems)
        if "e" in self.parts:
            total += 0.7 * self.rings * len(self.ring_all) * sum(s.ring_all for s in self.systems)
        if self.as_they_come:
            windows = sum(len(self.loads_of(number)) for number in range(self.rounds))
            total += windows * len(self.systems) * (self.seconds / len(self.loads) + 3.0)
        return total

    @property
    def lines(self) -> bool:
        """Whether the endless queue is part of the run."""
        return not set("bcd").isdisjoint(self.parts)

    @property
    def as_they_come(self) -> bool:
        """Whether random arrivals are part of the run."""
        return not set("df").isdisjoint(self.parts)


async def run(plan: Plan, install: Install, say: Say) -> Results:
    """Measure everything in the plan.

    Raises:
        AsteriskFailedError, DaemonFailedError, RegistrationFailedError, QuietError: it could not
            continue.
    """
    found = Results()
    began = time.monotonic()
    estimate = plan.estimate()
    groups = plan.ring_all if "e" in plan.parts else ()
    say(f"starting Asterisk and {len(Size(plan.agents, groups).phones)} phones")
    async with stage(install, Size(plan.agents, groups)) as here:
        for number in range(plan.rounds):
            for kind in plan.order(number):
                system = kind()
                await system.start(here)
                try:
                    await settled(here.asterisk.pid, system.pid)
                    for what, scene in _scenes(plan, here, system, found, number):
                        gone = time.monotonic() - began
                        left = max(0.0, estimate - gone)
                        where = f"round {number + 1} of {plan.rounds}, {system.name}: {what}"
                        say(f"{_clock(gone)}  {where} (about {_clock(left)} left)")
                        await scene()
                finally:
                    await system.stop()
    return found


def _scenes(
    plan: Plan, here: Stage, system: System, found: Results, number: int
) -> Iterator[Scene]:
    seed = plan.seed + 1000 * number
    if "a" in plan.parts:
        calls = plan.in_round(plan.queued, number)
        what = f"{calls} callers, agents idle"
        yield what, partial(scenes.queued, here, system, found, calls, seed)
    if plan.lines:
        seconds = plan.seconds / plan.rounds
        what = f"{plan.waiting} callers in line for {seconds:g} s"
        yield what, partial(scenes.backlog, here, system, found, plan.waiting, seconds, seed)
    if "e" in plan.parts and system.ring_all:
        times = plan.in_round(plan.rings, number)
        for size in plan.ring_all:
            what = f"{size} phones ring together, {times} times"
            yield what, partial(scenes.ring_all, here, system, found, size, times, seed)
    if plan.as_they_come:
        for share in plan.loads_of(number):
            again = number // len(plan.loads)
            window = plan.seconds / len(plan.loads)
            coming = work.poisson(share, plan.agents, window, plan.seed + 1000 * again)
            what = f"{len(coming)} callers as they come, agents {share:.0%} busy"
            yield what, partial(scenes.load, here, system, found, share, coming)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
