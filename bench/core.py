"""Cost of a decision by size of the call centre: whole calls per second, microseconds per event.

    python -m bench.core                         # everything, in about four minutes
    python -m bench.core --agents 100 10000      # some rows
    python -m bench.core --profile               # where the time goes, at the largest size
    python -m bench.core --json

What is measured is `Router.handle` with everything it calls and reports, the creation of the
events, and a harness of a few lines: no PBX, no event loop, no store. A whole call arrives, is
offered, rings, is accepted, is connected and ends, and its wrap-up ends. With a backlog, the agent
who ends it is offered the next call at once. `calls/s` discards the notices; `with why` keeps all
of them in `api.calllog.call_log.CallLog`, as the daemon does. Times are CPU time, from the best of several
slices: other programs distort wall-clock time and, through the caches they share with us, also CPU
time. The garbage collector is on.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import platform
import pstats
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from math import log
from pathlib import Path
from typing import Any

from bench.floor import PBX, WRAP_UP, Floor, deaf_table, make_table
from callrouter.core.router import Router
from callrouter.model.commands import PbxCommand
from callrouter.model.events import Event, SignedIn
from callrouter.pbx.simulated import Engine, Spread, Traffic
from callrouter.policies import REGISTRY

SLICES = 8


@dataclass
class Row:
    """One row of the table."""

    agents: int
    queues: int
    backlog: int
    per_second: float
    per_event: float
    with_why: float

    @property
    def cost(self) -> float:
        """Microseconds per whole call."""
        return 1e6 / self.per_second


def filled(agents: int, queues: int, backlog: int, policy: str, *, why: bool = False) -> Floor:
    """Return a floor in its steady state: with a backlog all agents are busy, otherwise half."""
    table = make_table(agents, queues, policy)
    floor = Floor(table, busy=agents if backlog else agents // 2, why=why)
    for _ in range(backlog + agents if backlog else 0):
        floor.arrive()
    floor.answer_all()
    # Until as many agents as intended are on calls and in wrap-up.
    for _ in range(agents + agents // 2):
        floor.step()
    return floor


def slices(floor: Floor, calls: int) -> tuple[float, float]:
    """Return whole calls per second and microseconds per event, in the best slice."""
    gc.collect()
    gc.freeze()
    found = []
    for _ in range(SLICES):
        floor.events = floor.ended = 0
        start = time.process_time()
        for _ in range(max(1, calls // SLICES)):
            floor.step()
        seconds = time.process_time() - start
        found.append((floor.ended / seconds, seconds / floor.events * 1e6))
    gc.unfreeze()
    return max(found)


def measure(agents: int, queues: int, backlog: int, calls: int, policy: str) -> Row:
    """Measure one size, with and without the journal."""
    per_second, per_event = slices(filled(agents, queues, backlog, policy), calls)
    with_why, _ = slices(filled(agents, queues, backlog, policy, why=True), calls)
    return Row(agents, queues, backlog, per_second, per_event, with_why)


def slope(points: Iterable[tuple[float, float]]) -> float | None:
    """Return the exponent of the power law that fits cost over size (least squares of logs)."""
    logs = [(log(size), log(cost)) for size, cost in points if size > 0]
    if len({size for size, _ in logs}) < 2:
        return None
    x = sum(size for size, _ in logs) / len(logs)
    y = sum(cost for _, cost in logs) / len(logs)
    over = sum((size - x) * (cost - y) for size, cost in logs)
    return over / sum((size - x) ** 2 for size, _ in logs)


def exponents(
    rows: list[Row], agents: int, queues: int, backlog: int, calls: int, policy: str
) -> dict[str, float]:
    """Return the exponents over agents, queues and backlog, with the other two at their largest."""
    lines = {
        "agents": [(r.agents, r.cost) for r in rows if (r.queues, r.backlog) == (queues, backlog)],
        "queues": [(r.queues, r.cost) for r in rows if (r.agents, r.backlog) == (agents, backlog)],
    }
    if backlog:
        waiting = (backlog // 10, backlog, backlog * 4)
        floors = [(number, filled(agents, queues, number, policy)) for number in waiting]
        lines["backlog"] = [(number, 1e6 / slices(floor, calls)[0]) for number, floor in floors]
    found = {name: slope(points) for name, points in lines.items()}
    return {name: exponent for name, exponent in found.items() if exponent is not None}


# ---------------------------------------------------------------- other rows


def policies(agents: int, queues: int, calls: int) -> dict[str, float]:
    """Return whole calls per second for each policy with half of the agents idle.

    ring-all rings all of them.
    """
    return {
        name: slices(filled(agents, queues, 0, name), calls // 10 if name == "ring-all" else calls)[
            0
        ]
        for name in sorted(REGISTRY)
    }


def refused(backlog: int, deaf: int, working: int = 10) -> tuple[float, float]:
    """Return the microseconds for a call behind `backlog` calls refused by `deaf` idle agents.

    First with working agents becoming available one by one, then with all of them at the same
    instant.
    """
    table = deaf_table(deaf, working)
    floor = Floor(table, busy=working)
    nobody = set(list(table.agents)[:deaf])
    for _ in range(backlog + working):
        floor.arrive()
        floor.answer_all(nobody)
    costs = []
    for pause in (WRAP_UP / working, 0.0):
        best = float("inf")
        for _ in range(SLICES):
            start = time.process_time()
            for _ in range(len(floor.talking)):
                floor.rest(pause)
                floor.hang_up()
                floor.answer_all(nobody)
            floor.rest(WRAP_UP)
            floor.answer_all(nobody)
            best = min(best, (time.process_time() - start) / working * 1e6)
        costs.append(best)
    return costs[0], costs[1]


def simulated(agents: int, queues: int, calls: int) -> float:
    """Return whole calls per second of core and simulated PBX, with abandoned and missed calls."""
    table = make_table(agents, queues, "longest-idle")
    each = (
        agents / 25.0 / 2 * 60 / queues
    )  # a call occupies an agent for about 25 s, and half of them should be busy
    traffic = Traffic(otherwise=each, talk=Spread(median=11.0, sigma=0.4, least=3.0, most=300.0))
    router = Router(table, rng=random.Random(1), run_id="b", now=1.0)
    engine = Engine(PBX, table, traffic, random.Random(3), now=1.0)
    now = 1.0

    def feed(event: Event) -> None:
        for command in router.handle(event, now):
            if isinstance(command, PbxCommand):
                engine.order(command, now)

    def run(talks: int) -> None:
        nonlocal now
        until = engine.fates["talked"] + talks
        while engine.fates["talked"] < until and (at := engine.next_at()) is not None:
            now = max(now, at)
            for event in engine.step(now):
                feed(event)

    feed(engine.snapshot())
    for name in table.agents:
        feed(SignedIn(agent=name))
    run(agents // 2)
    start = time.process_time()
    run(calls)
    return calls / (time.process_time() - start)


def bare_heaps(pairs: int = 100_000) -> float:
    """Return reserve-and-release pairs per second of two bare heaps, as a gauge of the machine."""
    agents = [(float(number), number) for number in range(10_000)]
    best = 0.0
    for _ in range(SLICES):
        start = time.process_time()
        for number in range(pairs // SLICES):
            _, agent = heappop(agents)
            heappush(agents, (10_000.0 + number, agent))
        best = max(best, pairs / SLICES / (time.process_time() - start))
    return best


def memory(agents: int, queues: int, waiting: int) -> float:
    """Return the megabytes Python uses for a floor with this many waiting calls."""
    tracemalloc.start()
    floor = Floor(make_table(agents, queues, "longest-idle"), busy=agents)
    for _ in range(agents + waiting):
        floor.arrive()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 1e6


def profile(agents: int, queues: int, backlog: int, calls: int, policy: str, top: int = 30) -> None:
    """Return the functions that take most of the time.

    The profiler exaggerates the cost of each call.
    """
    floor = filled(agents, queues, backlog, policy)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        floor.step()
    profiler.disable()
    # The stubs of pstats omit this attribute: per function, its number of calls and its own
    # seconds.
    stats: dict[Any, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    rows = sorted(
        ((own, count, where) for where, (_, count, own, *_) in stats.items()), reverse=True
    )
    whole = sum(own for own, _, _ in rows)
    print(f"{sum(count for _, count, _ in rows) / calls:.0f} function calls a whole call")
    print(f"{'share':>6} {'calls':>6}  function, calls of it in a whole call")
    for own, count, (file, _, name) in rows[:top]:
        print(f"{own / whole:>6.1%} {count / calls:>6.1f}  {Path(file).name} {name}")


# ---------------------------------------------------------------- the whole


def report(args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, object]:
    """Measure everything and report each figure as soon as it is known."""
    agents, queues, backlog = max(args.agents), max(args.queues), max(args.backlog)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} processors"
    say(f"{machine}, policy {args.policy}, {args.calls} calls a row\n")
    say("agents  queues  backlog   calls/s  us/event  us/call  with why  cost against first row")
    rows: list[Row] = []
    for waiting in args.backlog:
        for count in args.agents:
            for number in args.queues:
                row = measure(count, number, waiting, args.calls, args.policy)
                rows.append(row)
                first = next(r for r in rows if r.backlog == waiting)
                say(
                    f"{count:>6} {number:>7} {waiting:>8} {row.per_second:>9.0f} "
                    f"{row.per_event:>9.2f} {row.cost:>8.1f} {row.with_why:>9.0f} "
                    f"{row.cost / first.cost:>9.2f}"
                )
    found = exponents(rows, agents, queues, backlog, args.calls, args.policy)
    grows = ", ".join(f"{name} {exponent:+.3f}" for name, exponent in found.items())
    say(f"\ncost of a call grows with the power of: {grows}")
    costs = {waiting: refused(waiting, 10) for waiting in sorted({backlog // 10, backlog} - {0})}
    for waiting, (one, many) in costs.items():
        say(
            f"{waiting} calls that all 10 idle agents have refused: {one:.0f} us a call as others become "
            f"free one by one, {many:.0f} us as they do all at once"
        )
    by_policy = policies(1_000, 50, args.calls // 2)
    say("\nwhole calls a second by policy, 1,000 agents, 50 queues, half of them idle:")
    for name, speed in by_policy.items():
        say(f"  {name:<20} {speed:>7.0f}")
    speed = simulated(agents, queues, args.calls)
    say(f"\nsimulated PBX and core, {agents} agents: {speed:.0f} whole calls a second")
    size = memory(agents, queues, 5_000)
    say(f"memory at {agents} agents, {queues} queues, 5,000 waiting: {size:.0f} MB")
    heaps = bare_heaps()
    say(f"bare heaps on this machine in this run: {heaps:.0f} pairs a second")
    return {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "policy": args.policy,
        "rows": [asdict(row) for row in rows],
        "exponents": found,
        "refused_us": costs,
        "by_policy": by_policy,
        "simulated": speed,
        "memory_mb": size,
        "bare_heaps": heaps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--queues", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--backlog", type=int, nargs="+", default=[0, 5_000])
    parser.add_argument("--calls", type=int, default=10_000, help="whole calls to measure")
    parser.add_argument("--policy", default="longest-idle", choices=sorted(REGISTRY))
    parser.add_argument(
        "--profile", action="store_true", help="where the time goes, and nothing else"
    )
    parser.add_argument("--json", action="store_true", help="all figures, for programs")
    args = parser.parse_args()
    if args.profile:
        size = (max(args.agents), max(args.queues), max(args.backlog))
        profile(*size, args.calls, args.policy)
    elif args.json:
        figures = report(args, lambda line: print(line, file=sys.stderr))
        print(json.dumps(figures, indent=2))
    else:
        report(args, print)


if __name__ == "__main__":
    main()
