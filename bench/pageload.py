"""How quickly a change is on a supervisor's screen, and what the page costs: `make pageload`.

    python -m bench.pageload --seconds 600 --agents 1000 --queues 50 --changes 300 --watchers 20

The daemon runs as a process of its own, with calls simulated in memory, so that as many agents change
their state each second as is asked for. A real Chromium shows the page to a supervisor, and all other
watchers are WebSocket clients. In the page, each change is timed from the daemon's own stamp (an agent's
`since`, a call's `entered_at`; both clocks are this machine's) to the end of the frame that shows it. How busy the main thread is and how large its heap tell Chromium's own figures. The timing itself
reads every message a second time, which counts as the page's work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from argon2 import PasswordHasher
from playwright.async_api import async_playwright

from bench.page_watchers import PER_TOKEN, watchers
from bench.scripted import cpu_of
from bench.versus.results import percentile
from callrouter.demo.demo_config import free_port
from tests.browser import chromium

PASSWORD = "bench"
TOKEN = "bench-watcher-token-{}"
SETTLE = 20.0
"""Seconds until as many agents talk as will, and the page is warm."""
MOST_MS, MOST_BUSY = 100.0, 35.0
"""What is aimed at: milliseconds from a change to the screen (p99), and the main thread's work in percent."""
CALL_CHANGES = 5
"""States through which a call leads an agent: reserved, ringing, on a call, wrap-up, available."""

_TIMER = """(() => {
  const samples = [], arrivals = [], seen = new Map();
  let waiting = [], first = true;
  window.timed = { samples, arrivals, messages: 0, bytes: 0, rows: 0 };
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", event => {
        const message = JSON.parse(event.data), now = Date.now();
        window.timed.messages++;
        window.timed.bytes += event.data.length;
        const stamps = [];
        for (const row of message.agents ?? []) {
          if (seen.get(row.id) !== row.since) stamps.push(Date.parse(row.since));
          seen.set(row.id, row.since);
        }
        for (const row of message.calls ?? []) {
          if (!seen.has(row.id)) { stamps.push(Date.parse(row.entered_at)); seen.set(row.id, ""); }
        }
        for (const item of message.gone ?? []) seen.delete(item.id);
        if (message.type !== "changes") return;
        window.timed.rows += stamps.length;
        for (const at of stamps) arrivals.push(now - at);
        waiting.push(...stamps);
      });
    }
  };
  const paint = window.requestAnimationFrame.bind(window);
  const after = task => { // run when the frame that is being made, or the next one, has been painted
    const channel = new MessageChannel();
    channel.port1.onmessage = task;
    channel.port2.postMessage(0);
  };
  let inFrame = false;
  window.requestAnimationFrame = task => paint(at => {
    if (!inFrame) { inFrame = true; after(() => { inFrame = false; }); }
    task(at);
  });
  const watch = () => new MutationObserver(() => {
    if (!waiting.length) return;
    const batch = waiting;
    waiting = [];
    const painted = () => after(() => { for (const at of batch) samples.push(Date.now() - at); });
    if (inFrame) painted();
    else paint(painted);
  }).observe(document.documentElement, { subtree: true, childList: true, characterData: true });
  document.documentElement ? watch() : document.addEventListener("readystatechange", watch, { once: true });
})()"""
_TAKE = """() => {
  const { samples, arrivals, messages, bytes, rows } = window.timed;
  Object.assign(window.timed, { messages: 0, bytes: 0, rows: 0 });
  return { samples: samples.splice(0), arrivals: arrivals.splice(0), messages, bytes, rows };
}"""
_TAKE_EVERY = 20.0
"""Seconds between two readings of what was timed, so that the heap is the page's and not that of our figures."""


@dataclass
class Timed:
    """What was timed in the page.

    Attributes:
        screen: milliseconds from each change to the screen.
        arrived: milliseconds from each change to its message in the page.
        changes: how many changes the page was told of.
        messages: how many messages it got, and `bytes` of text in them.
    """

    screen: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    changes: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass
class Found:
    """What was measured.

    Attributes:
        seconds: for how long.
        timed: in the page.
        page: the page's own work in seconds, by kind.
        heaps: megabytes of the page's heap after a collection, at the start and at the end.
        nodes: elements of the page after a collection, at the start and at the end.
        daemon_s: the daemon's processor time in seconds.
        flushes: seconds of the loop for each message's making, for all watchers.
        answers: milliseconds in which the daemon answered `/healthz`, once a second.
        other: bytes that each of the other watchers got.
    """

    seconds: float
    timed: Timed
    page: dict[str, float]
    heaps: list[float]
    nodes: list[int]
    daemon_s: float
    daemon_mb: tuple[float, float]
    flushes: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    other: list[int] = field(default_factory=list)


def write(folder: Path, port: int, agents: int, queues: int, watchers: int) -> None:
    """Write the configuration: every agent in two queues, and a token for five watchers each."""
    digest = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    tokens = [
        f"    - {{name: wall-{n}, role: supervisor, token: {TOKEN.format(n)}}}"
        for n in range(-(-watchers // PER_TOKEN))
    ]
    lines = [
        "pbx: {office: {driver: simulated}}",
        f"http:\n  listen: 127.0.0.1:{port}\n  api_tokens:",
        *tokens,
        f"database: {folder}/callrouter.db",
        f'users: {{sam: {{role: supervisor, password: "{digest}"}}}}',
        "agents:",
    ]
    lines += [
        f"  a{n:04d}: {{name: Agent {n:04d}, sign_in: always, devices: {{desk: PJSIP/{1000 + n}}}}}"
        for n in range(agents)
    ]
    lines.append("queues:")
    for n in range(queues):
        members = (f"a{m:04d}" for m in range(agents) if n in {m % queues, (m * 7 + 3) % queues})
        lines.append(
            f"  q{n:02d}: {{name: Queue {n:02d}, policy: longest-idle, wrap_up: 2s, auto_pause: 0,"
        )
        lines.append(f"    on_nobody: wait, agents: [{', '.join(members)}]}}")
    (folder / "callrouter.yaml").write_text("\n".join(lines) + "\n", "utf-8")


@asynccontextmanager
async def daemon(folder: Path, calls: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """The daemon's process."""
    command = ("-m", "bench.page_daemon", str(folder), str(calls), str(folder / "flushes"))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(session: aiohttp.ClientSession, took: list[float], every: float) -> None:
    """Ask for the daemon's health again and again, and note in how many milliseconds it answers."""
    while True:
        began = time.perf_counter()
        async with session.get("/healthz") as answer:
            await answer.read()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(every)


async def ready(session: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    """Wait until the daemon answers."""
    async with asyncio.timeout(60):
        while True:
            if process.returncode is not None:
                raise SystemExit("the daemon did not start: see its log")
            try:
                async with session.get("/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def memory_of(pid: int) -> float:
    """Megabytes of memory that a process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Shown:
    """The page in Chromium."""

    def __init__(self, page: Any, session: Any) -> None:
        self.page = page
        self._session = session

    async def metrics(self) -> dict[str, float]:
        """Chromium's figures of the page."""
        found = await self._session.send("Performance.getMetrics")
        return {item["name"]: item["value"] for item in found["metrics"]}

    async def memory(self) -> tuple[float, int]:
        """Megabytes of the heap and the number of nodes, after a collection."""
        await self._session.send("HeapProfiler.collectGarbage")
        found = await self.metrics()
        return found["JSHeapUsedSize"] / 1e6, int(found["Nodes"])

    async def take(self, timed: Timed) -> None:
        """Add what was timed since the last call."""
        found = await self.page.evaluate(_TAKE)
        timed.screen += found["samples"]
        timed.arrived += found["arrivals"]
        timed.changes += found["rows"]
        timed.messages += found["messages"]
        timed.bytes += found["bytes"]


@asynccontextmanager
async def shown(url: str, view: str) -> AsyncIterator[Shown]:
    """The page as a supervisor sees it on a large screen."""
    found = chromium.find()
    if found is None:
        raise SystemExit(chromium.missing())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.path,
            env={**os.environ, **found.environ},
            args=list(chromium.OPTIONS),
            chromium_sandbox=False,
        )
        try:
            page = await browser.new_page(viewport={"width": 1920, "height": 1080})
            page.on("pageerror", lambda error: print(f"the page: {error}", file=sys.stderr))
            await page.add_init_script(_TIMER)
            page.set_default_timeout(120_000)
            await page.goto(f"{url}/#{view}")
            await page.locator("input[name=user]").fill("sam")
            await page.locator("input[name=password]").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await page.locator(".age.good").wait_for()
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable", {"timeDomain": "threadTicks"})
            yield Shown(page, session)
        finally:
            await browser.close()


async def measure(words: argparse.Namespace, folder: Path) -> Found:
    """Start everything, wait until it is busy, and measure."""
    port = free_port()
    others = words.watchers - 1
    write(folder, port, words.agents, words.queues, others)
    url = f"http://127.0.0.1:{port}"
    tokens = [TOKEN.format(n) for n in range(-(-others // PER_TOKEN))]
    async with daemon(folder, words.changes / CALL_CHANGES) as process:
        async with aiohttp.ClientSession(url) as session:
            await ready(session, process)
            async with watchers(port, others, tokens) as got, shown(url, words.view) as page:
                await asyncio.sleep(min(SETTLE, words.seconds))
                found = await observe(page, process.pid, session, words.seconds)
        found.other = got
    found.flushes = json.loads((folder / "flushes").read_text("utf-8"))
    return found


async def observe(page: Shown, pid: int, session: aiohttp.ClientSession, seconds: float) -> Found:
    """Measure for so many seconds."""
    timed, took = Timed(), list[float]()
    await page.take(Timed())
    memory = [await page.memory()]
    asking = asyncio.ensure_future(answers(session, took, min(1.0, seconds / 10)))
    before, cpu, began, mb = await page.metrics(), cpu_of(pid), time.monotonic(), memory_of(pid)
    while (left := began + seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _TAKE_EVERY))
        await page.take(timed)
    after, lasted = await page.metrics(), time.monotonic() - began
    cpu = cpu_of(pid) - cpu
    asking.cancel()
    memory.append(await page.memory())
    kinds = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    return Found(
        seconds=lasted,
        timed=timed,
        page={kind: after[kind] - before[kind] for kind in kinds},
        heaps=[heap for heap, _ in memory],
        nodes=[nodes for _, nodes in memory],
        daemon_s=cpu,
        daemon_mb=(mb, memory_of(pid)),
        answers=took,
    )


def table(found: Found, words: argparse.Namespace) -> list[str]:
    """The result, line by line."""

    def spread(values: list[float], unit: float = 1.0) -> str:
        if not values:
            return "none"
        cuts = (percentile(values, share) * unit for share in (0.5, 0.9, 0.99, 1.0))
        return " / ".join(f"{cut:.1f}" for cut in cuts)

    timed = found.timed
    p99 = percentile(timed.screen, 0.99) if timed.screen else float("inf")
    busy = found.page["TaskDuration"] / found.seconds * 100
    parts = ", ".join(
        f"{name.removesuffix('Duration').lower()} {value / found.seconds * 100:.1f} %"
        for name, value in found.page.items()
        if name != "TaskDuration"
    )
    rate, kilobytes = timed.messages / found.seconds, timed.bytes / max(1, timed.messages) / 1000
    heaps = " → ".join(f"{heap:.1f}" for heap in found.heaps)
    megabytes = " → ".join(f"{mb:.0f}" for mb in found.daemon_mb)
    others = [count / 1e6 for count in found.other] or [0.0]
    size = f"{words.agents} agents, {words.queues} queues, {words.watchers} watchers"
    rows = (
        ("changes on the page", f"{timed.changes / found.seconds:.0f} a second"),
        ("messages to it", f"{rate:.1f} a second, of {kilobytes:.1f} kB"),
        ("change → screen, ms", f"{spread(timed.screen)} (p50 / p90 / p99 / most)"),
        ("", f"p99 at most {MOST_MS:.0f}: {verdict(p99 <= MOST_MS)}"),
        ("change → message, ms", spread(timed.arrived)),
        ("main thread busy", f"{busy:.1f} % ({parts})"),
        ("", f"at most {MOST_BUSY:.0f} %: {verdict(busy <= MOST_BUSY)}"),
        ("heap after collection, MB", heaps),
        ("nodes", f"{found.nodes[0]} → {found.nodes[1]}"),
        ("daemon", f"{found.daemon_s / found.seconds * 100:.1f} % of a processor"),
        ("its memory, MB", megabytes),
        ("its loop for a message, ms", f"{spread(found.flushes, 1000)}, for all watchers"),
        ("/healthz answered in, ms", spread(found.answers)),
        ("another watcher got, MB", f"{min(others):.1f} to {max(others):.1f}"),
    )
    title = f"{size}, view {words.view}, {found.seconds:.0f} s"
    return [title, *(f"  {name:28}{value}" for name, value in rows)]


def verdict(met: bool) -> str:
    """A target, met or missed."""
    return "met" if met else "MISSED"


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.pageload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--queues", type=int, default=50)
    parser.add_argument("--changes", type=float, default=300.0, help="of agents, a second")
    parser.add_argument("--watchers", type=int, default=20, help="the page among them")
    parser.add_argument("--view", default="board")
    return parser.parse_args(words)


def main() -> int:
    """Measure and print the table."""
    words = arguments()
    with tempfile.TemporaryDirectory(prefix="cr-pageload-") as folder:
        found = asyncio.run(measure(words, Path(folder)))
    print("\n".join(table(found, words)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
