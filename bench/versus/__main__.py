"""`python -m bench.versus`, or `make bench`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.versus import plot, report, variants
from bench.versus.results import Results
from bench.versus.run import PARTS, Plan, Say, run
from bench.versus.stage import QuietError
from bench.versus.systems import SYSTEMS
from bench.versus.targets import Target, targets
from callrouter.demo.child import DaemonFailedError
from callrouter.lab import (
    AsteriskFailedError,
    Install,
    NoAsteriskError,
    NoFreePortsError,
    RegistrationFailedError,
    find_asterisk,
)

FOLDER = Path("bench-results")


def arguments(given: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    plan = Plan()
    parser = argparse.ArgumentParser(
        prog="python -m bench.versus",
        description="callrouter against app_queue and a bare AMI script, on one Asterisk.",
        epilog="(a) queued to first INVITE (b) agent free to next INVITE (c) calls answered "
        "(d) processor time (e) ring-all (f) waits under load. With make: make bench BENCH='--only b'",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(PARTS),
        metavar="PART",
        help="all, or b of callrouter's own",
    )
    parser.add_argument(
        "--watchers",
        type=int,
        default=0,
        help="instead: (b) with so many pages on the feed, and without",
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="instead: (b) on PostgreSQL in a cluster with a standby, and without",
    )
    parser.add_argument("--agents", type=int, default=plan.agents)
    parser.add_argument(
        "--waiting", type=int, default=plan.waiting, help="callers in line, (b) to (d)"
    )
    parser.add_argument(
        "--seconds", type=float, default=plan.seconds, help="of (b) to (d) over all rounds"
    )
    parser.add_argument(
        "--rounds", type=int, default=plan.rounds, help="how often the turns go round"
    )
    parser.add_argument("--queued", type=int, default=plan.queued, help="calls of (a)")
    parser.add_argument("--rings", type=int, default=plan.rings, help="rings of (e) for each size")
    parser.add_argument("--ring-all", type=int, nargs="+", default=plan.ring_all, metavar="PHONES")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--json", type=Path, default=FOLDER / "bench.json", metavar="FILE")
    parser.add_argument("--markdown", type=Path, default=FOLDER / "bench.md", metavar="FILE")
    parser.add_argument("--plot", type=Path, default=FOLDER / "bench.png", metavar="FILE")
    found = parser.parse_args(given)
    if found.agents < 1 or found.rounds < 1 or found.seconds <= 0 or found.waiting < 0:
        parser.error("agents and rounds must be 1 or more, seconds more than 0, waiting 0 or more")
    if (found.watchers or found.cluster) and set(found.only or "b") != {"b"}:
        parser.error("--watchers and --cluster compare (b) alone")
    found.only = found.only or ("b" if found.watchers or found.cluster else list(PARTS))
    if min(found.ring_all) < 2:
        parser.error("--ring-all: a group has two phones at least")
    return found


def plan_of(asked: argparse.Namespace) -> Plan:
    """Return the requested plan."""
    return Plan(
        parts="".join(sorted(set(asked.only))),
        agents=asked.agents,
        waiting=asked.waiting,
        seconds=asked.seconds,
        rounds=asked.rounds,
        queued=asked.queued,
        rings=asked.rings,
        seed=asked.seed,
        ring_all=tuple(asked.ring_all),
        systems=variants.kinds(asked.watchers, cluster=asked.cluster) or SYSTEMS,
    )


def about(install: Install, plan: Plan) -> dict[str, Any]:
    """Return where and when the measurement was made."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "callrouter": version("callrouter"),
        "asterisk": ".".join(map(str, install.version)),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "plan": {key: value for key, value in asdict(plan).items() if key != "systems"},
    }


def write(
    asked: argparse.Namespace, plan: Plan, facts: dict[str, Any], found: Results, head: str
) -> list[Target]:
    """Write every output file; returns the targets."""
    aims = targets(found)
    for path in (asked.json, asked.markdown, asked.plot):
        path.parent.mkdir(parents=True, exist_ok=True)
    said = {
        **facts,
        "targets": [{**asdict(aim), "met": aim.met} for aim in aims],
        "systems": found.as_json(),
    }
    asked.json.write_text(json.dumps(said, indent=1) + "\n")
    lines = report.rows(found, plan.loads, plan.ring_all)
    asked.markdown.write_text(report.markdown(head, lines, aims))
    if plot.can_plot():
        plot.plot(found, plan.loads, head, asked.plot)
    return aims


def main(given: list[str]) -> int:
    """Measure, print and write; returns 1 if that failed. A missed target is not a failure."""
    asked = arguments(given)
    plan = plan_of(asked)
    began = time.monotonic()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    say(f"about {plan.estimate() / 60:.0f} minutes; {len(plan.systems)} systems take turns")
    try:
        install = asyncio.run(find_asterisk(say))
        facts = about(install, plan)
        found = asyncio.run(run(plan, install, say))
    except (
        AsteriskFailedError,
        DaemonFailedError,
        NoAsteriskError,
        NoFreePortsError,
        QuietError,
        RegistrationFailedError,
    ) as error:
        say(f"the benchmark could not be run: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130
    facts["took_s"] = round(time.monotonic() - began)
    head = (
        f"{facts['when']}: callrouter {facts['callrouter']}, Asterisk {facts['asterisk']}, "
        f"Python {facts['python']}, {facts['processors']} processors, {plan.agents} agents"
    )
    if variants.pairs(found):
        print(variants.report(found, head))
        return 0
    aims = write(asked, plan, facts, found, head)
    print(report.text(head, report.rows(found, plan.loads, plan.ring_all), aims))
    _say_missing(found, say)
    drawn = f", {asked.plot}" if plot.panels(found, plan.loads) else ""
    if not plot.can_plot():
        drawn = "; no picture: pip install matplotlib"
    say(f"\ntook {facts['took_s']} s; written: {asked.json}, {asked.markdown}{drawn}")
    return 0


def _say_missing(found: Results, say: Say) -> None:
    for system, counts in found.missing.items():
        for name, count in counts.items():
            if count:
                say(f"{system}: {name}: {count} never came and are in no figure")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
