"""Faults of the machine under the router. As in `faults`: over and mended when it returns."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

from tests.chaos.centre import Centre

HOUR = 3600.0
MOST_OFF = 2 * HOUR
VISITORS = 400


async def clock_set(centre: Centre, rng: random.Random) -> str:
    """The wall clock jumps by an hour, and stays so; a router that is started anew goes by it."""
    step = rng.choice((HOUR, -HOUR))
    if abs(centre.router.clock_off + step) > MOST_OFF:
        step = -step
    centre.router.set_clock(centre.router.clock_off + step)
    how = f"by {step / HOUR:+.0f} h, to {centre.router.clock_off / HOUR:+.0f} h"
    if rng.random() < 0.4:
        await asyncio.sleep(rng.uniform(0.5, 3.0))
        return how
    await asyncio.sleep(rng.uniform(0.1, 1.0))
    number = rng.choice((signal.SIGTERM, signal.SIGKILL))
    await centre.router.end(number)
    await centre.router.start()
    return f"{how}; {number.name}, and started again"


async def memory_used_up(centre: Centre, rng: random.Random) -> str:
    """No more is to be had; or the kernel ends the router for it, which looks like any SIGKILL."""
    if rng.random() < 0.3:
        with centre.router.may_end():
            centre.router.signal(signal.SIGKILL)
            await asyncio.sleep(1.0)
        return "ended by the kernel (SIGKILL), started again by its keeper"
    seconds = rng.uniform(1.0, 5.0)
    ends = centre.router.ends
    with centre.router.may_end():
        with _limited(centre.router.pid, resource.RLIMIT_AS, _address_space):
            async with _visitors(centre.router.port):
                centre.link.cut()  # what there is must do for a comparison of everything
                await asyncio.sleep(seconds)
        await asyncio.sleep(1.0)
    ended = centre.router.ends - ends
    return f"for {seconds:.1f} s{'; it ended, and was started again' if ended else ''}"


async def disk_full(centre: Centre, rng: random.Random) -> str:
    """No file of the router's can grow any more, its log no more than its database."""
    seconds = rng.uniform(1.0, 6.0)
    with _limited(centre.router.pid, resource.RLIMIT_FSIZE, lambda _: 0):
        await asyncio.sleep(seconds)
    return f"for {seconds:.1f} s"


async def database_locked(centre: Centre, rng: random.Random) -> str:
    seconds = rng.uniform(1.0, 6.0)
    try:
        with closing(sqlite3.connect(centre.router.database, timeout=0.5)) as base:
            base.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
    except sqlite3.Error as error:
        return f"could not be locked: {error}"
    return f"for {seconds:.1f} s"


async def database_gone(centre: Centre, rng: random.Random) -> str:
    for path in centre.router.folder.glob("callrouter.db*"):
        path.unlink()
    await asyncio.sleep(rng.uniform(0.5, 2.0))
    return "its files were deleted"


async def configuration_gone(centre: Centre, rng: random.Random) -> str:
    seconds, aside = rng.uniform(1.0, 4.0), centre.router.folder / "aside"
    centre.router.config.rename(aside)
    await asyncio.sleep(seconds)
    aside.rename(centre.router.config)
    return f"for {seconds:.1f} s"


async def no_descriptors(centre: Centre, rng: random.Random) -> str:
    """Nothing more can be opened; the link is cut besides, so that something must be."""
    seconds = rng.uniform(1.0, 5.0)
    with _limited(centre.router.pid, resource.RLIMIT_NOFILE, _open_files):
        centre.link.cut()
        await asyncio.sleep(seconds)
    return f"for {seconds:.1f} s"


# ------------------------------------------------------------------ limits


@contextmanager
def _limited(pid: int | None, what: int, least: Callable[[Path], int]) -> Iterator[None]:
    """A process may have no more of something than it has (`least` tells from its folder in /proc)."""
    if pid is None:
        yield
        return
    soft, hard = resource.prlimit(pid, what)
    wanted = least(Path(f"/proc/{pid}"))
    resource.prlimit(pid, what, (wanted if soft < 0 else min(wanted, soft), hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, what, (soft, hard))


@asynccontextmanager
async def _visitors(port: int) -> AsyncIterator[None]:
    """Open connections to the API, each with a request that does not end: they take up memory."""
    writers: list[asyncio.StreamWriter] = []
    try:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                for _ in range(VISITORS):
                    writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
                    writers[-1].write(b"POST /api/agents HTTP/1.1\r\nX: " + b"x" * 6000)
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


def _open_files(process: Path) -> int:
    return max(int(path.name) for path in (process / "fd").iterdir()) + 1


def _address_space(process: Path) -> int:
    pages = int((process / "statm").read_text().split()[0])
    return pages * resource.getpagesize()
