"""`python -m bench.scale`, or `make scale`."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.scale.cost_model import CostModel, Point, fit
from bench.scale.curves import plot
from bench.scale.load_generator import Load
from bench.scale.routed_pool import Pool, Spent, memory_mb, pool, spent
from bench.versus.plot import can_plot
from bench.versus.results import percentile

FOLDER = Path("bench-results")
SIZES = ((20, 0.0), (1, 100.0), (5, 100.0), (10, 100.0), (20, 200.0), (20, 100.0))
"""Asterisks, and calls a minute at each of them."""


@dataclass
class Found:
    """What one router did with one load.

    Attributes:
        pbxes: telephone systems at this router.
        seconds: measured.
        calls: conversations that ended in that time.
        router: processor time of the router.
        load_s: processor time of the telephone systems, in seconds.
        memory: of the router, in megabytes.
        seen: what the telephone systems counted.
        profile: samples of the loop by part, if it was profiled.
    """

    pbxes: int
    agents: int
    seconds: float
    calls: int
    router: Spent
    load_s: float
    memory: float
    seen: dict[str, Any]
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def calls_per_second(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def ms_per_call(self) -> float:
        """Processor time of the router for a call, in milliseconds."""
        return self.router.both / max(1, self.calls) * 1000

    @property
    def busy(self) -> float:
        """How much of a processor the router's loop took."""
        return self.router.loop / self.seconds


def loads(asked: argparse.Namespace) -> list[Load]:
    """Return the load of each pool."""
    queues = tuple(f"q{n:02d}" for n in range(asked.queues))
    return [
        Load(
            names=tuple(f"p{number * asked.pbxes + n:02d}" for n in range(asked.pbxes)),
            phones=math.ceil(asked.phones * max(1.0, asked.rate / 100.0)),
            queues=queues,
            rate=asked.rate,
            talk=asked.talk,
            seed=asked.seed + number,
        )
        for number in range(asked.pools)
    ]


async def measured(asked: argparse.Namespace) -> list[Found]:
    """Run all pools side by side and measure each."""
    module = "bench.scale.profiled_router" if asked.profile else "callrouter"
    with tempfile.TemporaryDirectory(prefix="cr-scale-") as place:
        found: list[Found] = []
        async with AsyncExitStack() as stack:
            pools = [
                await stack.enter_async_context(pool(load, Path(place) / str(number), module))
                for number, load in enumerate(loads(asked))
            ]
            for one in pools:
                await one.order("go")
            await asyncio.sleep(asked.warm)
            if asked.profile:
                for one in pools:
                    os.kill(one.pid, signal.SIGUSR1)
            befores = [(spent(one.pid), await one.order("begin")) for one in pools]
            await asyncio.sleep(asked.seconds)
            for one, (before, _) in zip(pools, befores, strict=True):
                found.append(await taken(one, before))
        if asked.profile:
            for number, one_found in enumerate(found):
                text = (Path(place) / str(number) / "profile.json").read_text()
                one_found.profile = json.loads(text)
        if asked.keep_log:
            for number in range(asked.pools):
                asked.keep_log.write_text((Path(place) / str(number) / "log").read_text())
    return found


async def taken(one: Pool, before: Spent) -> Found:
    """Return what a pool did since then."""
    router = spent(one.pid).since(before)
    seen = await one.order("end")
    return Found(
        pbxes=len(one.load.names),
        agents=len(one.load.names) * one.load.phones,
        seconds=seen["seconds"],
        calls=seen["counts"].get("conversations over", 0),
        router=router,
        load_s=seen["cpu"],
        memory=memory_mb(one.pid),
        seen=seen,
    )


def spread(values: list[float]) -> str:
    """Return median, 99th percentile and largest of so many seconds, in milliseconds."""
    if not values:
        return "none"
    return " / ".join(f"{percentile(values, share) * 1000:.1f}" for share in (0.5, 0.99, 1.0))


def lines(found: Found) -> list[str]:
    """Return the result of one router, line by line."""
    seen, calls = found.seen, max(1, found.calls)
    percent = f"{found.router.both / found.seconds * 100:.0f} % of a processor"
    work = f"{found.ms_per_call:.2f} ms a call, {percent}" if found.calls else percent
    actions = sum(seen["actions"].values())
    odd = {
        name: count
        for name, count in seen["counts"].items()
        if name.startswith(("not understood", "left alone", "rung though", "not bridged"))
    }
    rows = [
        (
            "calls",
            f"{found.calls_per_second:.1f} a second, {seen['counts'].get('callers', 0)} callers came",
        ),
        ("in conversation, before it", f"{seen['talking']}, {seen['waiting']} at the end"),
        ("router's processor time", work),
        (
            "  its loop",
            f"{found.router.loop / calls * 1000:.2f} ms a call, {found.busy * 100:.0f} % of a processor",
        ),
        ("  its other threads", f"{found.router.threads / calls * 1000:.2f} ms a call"),
        (
            "  its loop waited for one",
            f"{found.router.waited / found.seconds * 100:.0f} % of the time",
        ),
        ("memory", f"{found.memory:.0f} MB"),
        (
            "actions",
            f"{actions / calls:.1f} a call, lamps {seen['counts'].get('lamps', 0) / calls:.1f}",
        ),
        (
            "bytes",
            f"{seen['written'] / calls:.0f} read and {seen['read'] / calls:.0f} written a call",
        ),
        ("caller in → first Originate, ms", f"{spread(seen['offered'])} (p50 / p99 / most)"),
        ("answer → bridge, ms", spread(seen["connected"])),
        ("the load itself", f"{found.load_s / found.seconds * 100:.0f} % of a processor"),
    ]
    if odd:
        rows.append(("not as it should be", ", ".join(f"{name}: {n}" for name, n in odd.items())))
    title = f"{found.pbxes} Asterisks, {found.agents} agents, {found.seconds:.0f} s"
    text = [title, *(f"  {name:34}{value}" for name, value in rows)]
    kinds = found.profile.get("kinds", {})
    total = sum(kinds.values()) or 1
    for name, count in sorted(kinds.items(), key=lambda item: -item[1]):
        share = count / total
        text.append(
            f"    {name:32}{share * 100:5.1f} %  {share * found.router.loop / calls * 1000:6.2f} ms a call"
        )
    return text


def points(found: Sequence[Found]) -> list[Point]:
    """Return what was measured for the model: the work of each router's loop."""
    return [Point(one.pbxes, one.calls_per_second, one.busy) for one in found]


def on_paper(model: CostModel, threads: float, rate: float) -> list[str]:
    """Return what the model says, line by line.

    Args:
        model: of the loop.
        threads: processor time of the other threads for a call, in seconds.
        rate: calls a second at each Asterisk.
    """
    costs = f"{model.call * 1000:.2f} ms, and {model.each * 1e6:.0f} µs for each Asterisk"
    idle = (
        f"an Asterisk {model.idle * 1000:.2f} ms a second, the router {model.fixed * 1000:.1f} ms"
    )
    most = f"{model.most_asterisks(rate)} Asterisks of {rate * 60:.0f} calls a minute"
    text = [
        "",
        "On paper",
        f"  the loop's time for a call: {costs}; without calls {idle}",
        f"  a router's loop is full with {most}, or {model.most_calls(20):.0f} calls a second from 20",
    ]
    for pools in (1, 2, 5):
        size = 100 // pools
        work = model.work(size, size * rate)
        text.append(
            f"  100 Asterisks in {pools} {'pool' if pools == 1 else 'pools'}: each router's loop "
            f"{work * 100:.0f} % of a processor, its other threads {threads * size * rate * 100:.0f} %"
        )
    return text


def series(asked: argparse.Namespace) -> int:
    """Measure several sizes, then two pools, then what the time is spent on."""
    found: list[Found] = []
    for pbxes, rate in SIZES:
        asked.pbxes, asked.rate = pbxes, rate
        found += asyncio.run(measured(asked))
        print("\n".join(lines(found[-1])), flush=True)
    asked.pbxes, asked.rate, asked.pools = *SIZES[-1], 2
    two = asyncio.run(measured(asked))
    asked.pools, asked.profile = 1, True
    [profiled] = asyncio.run(measured(asked))
    for one in (*two, profiled):
        print("\n".join(lines(one)), flush=True)
    rate = asked.rate / 60.0
    full = [one for one in found if one.calls]
    model = fit(points(found))
    threads = sum(one.router.threads for one in full) / sum(one.calls for one in full)
    print("\n".join(on_paper(model, threads, rate)))
    kinds = profiled.profile["kinds"]
    part = profiled.router.loop / max(1, profiled.calls) * 1000 / sum(kinds.values())
    if can_plot():
        plot(points(found), model, rate, {name: n * part for name, n in kinds.items()}, asked.plot)
    save(asked, [*found, *two, profiled])
    return 0


def save(asked: argparse.Namespace, found: Sequence[Found]) -> None:
    """Write everything as JSON."""
    about = {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    routers = [asdict(one) for one in found]
    asked.json.write_text(json.dumps({**about, "routers": routers}, indent=1))


def arguments(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--pbxes", type=int, default=20, help="Asterisks of each router")
    parser.add_argument("--pools", type=int, default=1, help="routers, each with its own Asterisks")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a minute at each Asterisk")
    parser.add_argument(
        "--phones", type=int, default=80, help="agents at each Asterisk, for 100 calls a minute"
    )
    parser.add_argument("--queues", type=int, default=50)
    parser.add_argument("--talk", type=float, default=20.0, help="mean seconds of a conversation")
    parser.add_argument("--warm", type=float, default=25.0, help="seconds before the measurement")
    parser.add_argument("--seconds", type=float, default=35.0, help="of the measurement")
    parser.add_argument("--profile", action="store_true", help="what the loop's time is spent on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--series", action="store_true", help="several sizes, two routers, a profile"
    )
    parser.add_argument("--plot", type=Path, default=FOLDER / "scale.png", metavar="FILE")
    parser.add_argument("--json", type=Path, default=FOLDER / "scale.json", metavar="FILE")
    parser.add_argument("--keep-log", type=Path, metavar="FILE", help="copy the router's log here")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Measure, print and write."""
    asked = arguments(given)
    if asked.series:
        return series(asked)
    found = asyncio.run(measured(asked))
    for one in found:
        print("\n".join(lines(one)))
        for function, count in one.profile.get("functions", [])[:25]:
            print(f"      {count:6} {function}")
    save(asked, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
