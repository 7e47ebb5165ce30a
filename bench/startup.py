"""How long a killed router takes until calls are served again: `python -m bench.startup`.

`callrouter run` is started as a process, killed (SIGKILL) and started again, with a database that
contains every agent. The figures are the seconds, from the start of the process and from the answer
to its login, until every waiting caller is adopted and until the first and the last phone that can
ring is rung:

* scripted: our own AMI server with 1,000 phones and 500 waiting callers (`bench.scripted`);
* asterisk: a real Asterisk with as many endpoints and waiting callers (--real; `bench.realstart`).

CPU time is reported too, since on a busy machine it is the meaningful figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bench.realstart import real
from bench.scripted import SECRET, USER, Exchange, cpu_of, serving

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figures:
    """One start. Seconds count from the start of the process unless they are named after the login.

    Attributes:
        connected: the connection to the manager.
        logged_in: the answer to the login.
        taken_up: the channel of the last waiting caller is marked as adopted.
        first_ring, last_ring: the first and the last Originate of the first round.
        step_after_login: from the answer to the login to `taken_up`.
        ring_after_login: from the answer to the login to `first_ring`.
        page: /healthz answers.
        cpu_first_ring: CPU time of the process until the first ring.
        cpu: CPU time until all callers are adopted.
    """

    connected: float
    logged_in: float
    taken_up: float
    first_ring: float
    last_ring: float
    step_after_login: float
    ring_after_login: float
    page: float
    cpu_first_ring: float
    cpu: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def write(folder: Path, ami: int, http: int, phones: int, queues: int) -> None:
    """Write a configuration of this many agents with a desk phone each, spread over the queues."""
    agents = "\n".join(
        f"  a{n}: {{sign_in: always, devices: {{desk: PJSIP/{1000 + n}}}}}" for n in range(phones)
    )
    lines = []
    for q in range(queues):
        names = ", ".join(f"a{n}" for n in range(q, phones, queues))
        lines.append(f"  q{q}: {{agents: [{names}], on_nobody: wait}}")
    (folder / "callrouter.yaml").write_text(
        f"pbx:\n  office: {{driver: asterisk, port: {ami}, username: {USER}, secret: {SECRET}}}\n"
        f"http: {{listen: '127.0.0.1:{http}'}}\n"
        f"agents:\n{agents}\nqueues:\n" + "\n".join(lines) + "\n"
    )


@contextmanager
def router(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run `callrouter run` and kill it at the end; also yields the time of its start."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(folder.parent / "run"),
    }
    command = [sys.executable, "-m", "callrouter", "--config", str(folder), "run"]
    with (folder.parent / "log").open("ab") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            yield process, began
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _page(port: int) -> float:
    while True:
        with suppress(OSError, urllib.error.URLError):
            with suppress(urllib.error.HTTPError):  # an error status is an answer too
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read()
            return time.monotonic()
        time.sleep(0.01)


async def scripted(folder: Path, phones: int, waiting: int, queues: int) -> Figures:
    """Measure one start against a scripted AMI server."""
    exchange, http = Exchange(phones, waiting, queues), free_port()
    marks = exchange.marks
    async with serving(exchange) as port:
        write(folder, port, http, phones, queues)
        with router(folder) as (process, began):
            marks.pid = process.pid
            page = asyncio.create_task(asyncio.to_thread(_page, http))
            await marks.until("taken up", waiting)
            await marks.until("Originate", min(waiting, phones))
            cpu = cpu_of(process.pid)
            answered = await page - began
    logged_in = marks.first["logged in"] - began
    taken_up, first = marks.last["taken up"] - began, marks.first["Originate"] - began
    return Figures(
        connected=marks.first["connected"] - began,
        logged_in=logged_in,
        taken_up=taken_up,
        first_ring=first,
        last_ring=marks.last["Originate"] - began,
        step_after_login=taken_up - logged_in,
        ring_after_login=first - logged_in,
        page=answered,
        cpu_first_ring=marks.cpu["Originate"],
        cpu=cpu,
    )


def show(name: str, rounds: list[Any]) -> None:
    print(f"\n{name}, {len(rounds)} starts: median, slowest (s)")
    for field in fields(rounds[0]):
        values = [getattr(one, field.name) for one in rounds]
        print(
            f"  {field.name.replace('_', ' '):18} {statistics.median(values):7.3f} {max(values):7.3f}"
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--waiting", type=int, default=500)
    parser.add_argument("--queues", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--real", action="store_true", help="beside a real Asterisk as well")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "config"
        folder.mkdir()
        sizes = (wanted.phones, wanted.waiting, wanted.queues)
        first = await scripted(folder, *sizes)
        again = [await scripted(folder, *sizes) for _ in range(wanted.rounds)]
    results: dict[str, list[Any]] = {
        "scripted, no database yet": [first],
        "scripted, started again": again,
    }
    if wanted.real:
        results["asterisk, started again"] = await real(
            lambda folder, port: write(folder, port, free_port(), wanted.phones, wanted.queues),
            router,
            phones=wanted.phones,
            waiting=wanted.waiting,
            queues=wanted.queues,
            rounds=wanted.rounds,
        )
    load = os.getloadavg()[0]
    if wanted.json:
        rows = {name: [asdict(one) for one in rounds] for name, rounds in results.items()}
        print(json.dumps({"load": load, **rows}, indent=1))
        return
    print(
        f"{wanted.phones} phones, {wanted.waiting} waiting callers, {wanted.queues} queues; load {load:.1f}"
    )
    for name, rounds in results.items():
        show(name, rounds)


if __name__ == "__main__":
    asyncio.run(main())
