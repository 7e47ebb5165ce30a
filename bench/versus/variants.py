"""callrouter against itself: (b) with watchers on the page's feed or in a cluster, and without, in turns."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import aiohttp

from bench.page_watchers import PER_TOKEN, watchers
from bench.versus import results
from bench.versus.results import Results, Spread
from bench.versus.stage import Stage
from bench.versus.systems import Callrouter, System, configuration
from callrouter.demo.demo_config import free_port
from tests.store.server import PostgresServer

MOST_MORE = 0.05
"""By how much the median of (b) may be more with than without."""
_TOKEN = "bench-watcher-token-{}"


class Watched(Callrouter):
    """`callrouter run` with pages on its feed, in a process of their own."""

    name = "watched"
    entry = "callrouter"
    count = 20
    """How many watch."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        super().__init__()
        self._port = 0
        self._stack = AsyncExitStack()

    async def start(self, stage: Stage) -> None:
        """Start the router, then those who watch."""
        await super().start(stage)
        watching = watchers(self._port, self.count, self._tokens)
        await self._stack.enter_async_context(watching)

    async def stop(self) -> None:
        """Stop both."""
        await self._stack.aclose()
        await super().stop()

    @property
    def _tokens(self) -> list[str]:
        return [_TOKEN.format(n) for n in range(math.ceil(self.count / PER_TOKEN))]

    def configured(self, stage: Stage) -> str:
        """Return the file with the tokens of those who watch."""
        self._port = free_port()
        tokens = [
            f"    - {{name: wall-{n}, role: supervisor, token: {token}}}"
            for n, token in enumerate(self._tokens)
        ]
        lines = [f"http:\n  listen: 127.0.0.1:{self._port}\n  api_tokens:", *tokens]
        return without_http(configuration(stage)) + "\n".join(lines) + "\n"


class OnPostgres(Callrouter):
    """`callrouter run` on PostgreSQL, with a database of its own for all its turns.

    Asterisk remembers the last epoch of a cluster. With a new database for each turn, the epochs would begin again at 1
    and the router would have to catch up before its first call.
    """

    name = "postgres"
    entry = "callrouter"

    def __init__(self) -> None:
        """Nothing runs yet."""
        super().__init__()
        self._url = ""

    async def start(self, stage: Stage) -> None:
        """Make the database before the first turn, and start the router."""
        if self.name not in stage.databases:
            stage.databases[self.name] = await _new_database(stage)
        self._url = stage.databases[self.name]
        await super().start(stage)

    def configured(self, stage: Stage) -> str:
        """Return the file with the database."""
        return f'{configuration(stage)}database: "{self._url}"\n'


class Clustered(OnPostgres):
    """The active router of a cluster of two; the other is its standby."""

    name = "clustered"

    def __init__(self) -> None:
        """Nothing runs yet."""
        super().__init__()
        self._standby: asyncio.subprocess.Process | None = None

    async def start(self, stage: Stage) -> None:
        """Start the active router, then the standby.

        Raises:
            RuntimeError: the standby does not answer.
        """
        await super().start(stage)
        folder, port = stage.folder / "standby", free_port()
        folder.mkdir(exist_ok=True)
        (folder / "bench.yaml").write_text(self._named(stage, "bench-2", port))
        with (stage.folder / "standby.log").open("ab") as log:
            self._standby = await asyncio.create_subprocess_exec(
                *("chrt", "--idle", "0"),  # a real one is on another machine
                *(sys.executable, "-m", "callrouter", "--config", str(folder), "run"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if not await _answers(port):
            said = (stage.folder / "standby.log").read_text()
            await self.stop()
            raise RuntimeError(said)

    async def stop(self) -> None:
        """Stop the standby first, so that it does not take over."""
        standby, self._standby = self._standby, None
        if standby is not None:
            with suppress(ProcessLookupError):
                standby.terminate()
            await standby.wait()
        await super().stop()

    def configured(self, stage: Stage) -> str:
        """Return the active router's file."""
        return self._named(stage, "bench-1", free_port())

    def _named(self, stage: Stage, node: str, port: int) -> str:
        text = without_http(super().configured(stage))
        return f"{text}http: {{listen: 127.0.0.1:{port}}}\ncluster: {{name: {node}, pool: main}}\n"


async def _new_database(stage: Stage) -> str:
    """Return the address of a new database on a server that runs until the end of the run."""
    server = await asyncio.to_thread(PostgresServer)
    stage.kept.callback(server.close)
    await asyncio.to_thread(server.start)
    return await asyncio.to_thread(server.database)


async def _answers(port: int, within: float = 60.0) -> bool:
    """Wait until a daemon answers, as a standby does too; False: it did not in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within), aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/healthz"):
                        return True
                await asyncio.sleep(0.1)
    return False


def without_http(text: str) -> str:
    """Return a configuration without its line for HTTP."""
    return "".join(line for line in text.splitlines(True) if not line.startswith("http:"))


def kinds(watched: int, *, cluster: bool) -> tuple[type[System], ...]:
    """Return what takes turns: without, then with."""
    made: list[type[System]] = []
    if watched:
        made += [Callrouter, type("Watched", (Watched,), {"count": watched})]
    if cluster:
        made += [OnPostgres, Clustered]
    return tuple(made)


def pairs(found: Results) -> list[tuple[str, str]]:
    """Return the names of what was measured without and with."""
    both = (("callrouter", "watched"), ("postgres", "clustered"))
    return [pair for pair in both if all(found.spread(one, results.FREED) for one in pair)]


_TITLES = {
    "callrouter": "without", "watched": "watched", "postgres": "without", "clustered": "in a cluster",
}  # fmt: skip


def report(found: Results, head: str) -> str:
    """Return (b) and the processor time of both, side by side."""
    lines = ["", head]
    for pair in pairs(found):
        spreads = [found.spread(name, results.FREED) for name in pair]
        one, other = (spread for spread in spreads if spread is not None)
        lines += ["", "(b) agent hangs up → their next INVITE (ms)".ljust(44) + _titles(pair)]
        lines += _figures(one, other)
        efforts = [found.effort(name, results.BACKLOG) for name in pair]
        work = [effort.router_ms() if effort else None for effort in efforts]
        lines.append(_line("router's processor time for a call", work))
        beside = [effort.asterisk_ms() if effort else None for effort in efforts]
        lines.append(_line("Asterisk's processor time for a call", beside))
        more = other.median / one.median - 1
        met = "met" if more <= MOST_MORE else "missed"
        lines.append(f"  the median at most {MOST_MORE:+.0%}".ljust(66) + f"{more:+.1%}  {met}")
    return "\n".join([*lines, ""])


def _titles(pair: Sequence[str]) -> str:
    return "".join(_TITLES[name].rjust(14) for name in pair)


def _figures(one: Spread, other: Spread) -> list[str]:
    counts = f"{'  how many':44}{one.count:>14}{other.count:>14}"
    return [
        counts,
        *(_line(name, [getattr(one, name), getattr(other, name)]) for name in ("median", "p90", "p99", "most")),
    ]  # fmt: skip


def _line(label: str, values: Sequence[float | None]) -> str:
    cells = "".join("–".rjust(14) if value is None else f"{value:14.2f}" for value in values)  # noqa: RUF001
    return f"  {label}".ljust(44) + cells
