"""The faults, one small coroutine each. Each is over, and everything mended, when it returns."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from callrouter.lab.console import ConsoleError
from tests.chaos import machine
from tests.chaos.centre import Centre

Fault: TypeAlias = Callable[[Centre, random.Random], Awaitable[str]]
"""Does it; returns a few words on how."""


# ------------------------------------------------------------------ the router


async def router_killed(centre: Centre, rng: random.Random) -> str:
    return await _router_away(centre, signal.SIGKILL, rng.uniform(0.2, 6.0))


async def router_stopped(centre: Centre, rng: random.Random) -> str:
    return await _router_away(centre, signal.SIGTERM, rng.uniform(0.2, 3.0))


async def router_gone(centre: Centre, rng: random.Random) -> str:
    """For so long that waiting callers go to the fallback."""
    return await _router_away(centre, signal.SIGKILL, rng.uniform(17.0, 21.0))


async def _router_away(centre: Centre, number: signal.Signals, seconds: float) -> str:
    await centre.router.end(number)
    await asyncio.sleep(seconds)
    await centre.router.start()
    return f"{number.name}, started again after {seconds:.1f} s"


async def router_frozen(centre: Centre, rng: random.Random) -> str:
    seconds = rng.choice((rng.uniform(0.3, 3.0), rng.uniform(4.0, 9.0)))
    centre.router.signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    centre.router.signal(signal.SIGCONT)
    return f"for {seconds:.1f} s"


# ------------------------------------------------------------------ Asterisk


async def asterisk_killed(centre: Centre, rng: random.Random) -> str:
    seconds = rng.uniform(0.2, 3.0)
    centre.doomed()
    centre.asterisk.kill()
    await asyncio.sleep(seconds)
    await centre.reborn()
    return f"started again after {seconds:.1f} s"


async def asterisk_frozen(centre: Centre, rng: random.Random) -> str:
    seconds = rng.choice((rng.uniform(0.3, 2.0), rng.uniform(3.0, 7.0)))
    centre.asterisk.pause()
    await asyncio.sleep(seconds)
    centre.asterisk.resume()
    return f"for {seconds:.1f} s"


async def asterisk_stopped(centre: Centre, rng: random.Random) -> str:
    return await _told_to_end(centre, "core stop now", rng.uniform(0.2, 3.0))


async def asterisk_restarted(centre: Centre, rng: random.Random) -> str:
    return await _told_to_end(centre, "core restart now", rng.uniform(0.2, 1.0))


async def _told_to_end(centre: Centre, command: str, seconds: float) -> str:
    """Whether Asterisk comes back by itself or not, its keeper starts it again."""
    centre.doomed()
    with suppress(OSError, ConsoleError, EOFError):  # it ends before it has answered
        async with asyncio.timeout(1.0):
            await centre.asterisk.cli(command)
    await asyncio.sleep(1.0 + seconds)
    await centre.reborn()
    return command


async def modules_reloaded(centre: Centre, rng: random.Random) -> str:
    del rng
    await centre.asterisk.cli("module reload")
    return "module reload"


# ------------------------------------------------------------------ the link


async def link_cut(centre: Centre, rng: random.Random) -> str:
    times = rng.randint(1, 4)
    for _ in range(times):
        centre.link.cut()
        await asyncio.sleep(rng.uniform(0.05, 1.0))
    return f"{times} times"


async def link_half_open(centre: Centre, rng: random.Random) -> str:
    seconds = rng.uniform(1.0, 9.0)
    centre.link.frozen = True
    await asyncio.sleep(seconds)
    centre.link.cut()
    centre.link.frozen = False
    return f"for {seconds:.1f} s"


async def link_slow(centre: Centre, rng: random.Random) -> str:
    seconds = rng.uniform(3.0, 7.0)
    centre.link.pause = rng.choice((0.05, 0.5, 2.0))
    centre.link.slow = True
    await asyncio.sleep(seconds)
    centre.link.slow = False
    return f"a byte at a time, {centre.link.pause:g} s of pause every 400, for {seconds:.1f} s"


async def link_torn(centre: Centre, rng: random.Random) -> str:
    del rng
    centre.link.tear = True
    await asyncio.sleep(1.5)
    centre.link.tear = False
    return "in the middle of a message"


async def events_lost(centre: Centre, rng: random.Random) -> str:
    before = centre.link.dropped
    centre.link.drop = rng.uniform(0.05, 0.4)
    await asyncio.sleep(rng.uniform(2.0, 5.0))
    centre.link.drop = 0.0
    return f"{centre.link.dropped - before} events"


async def events_doubled(centre: Centre, rng: random.Random) -> str:
    before = centre.link.doubled
    centre.link.double = rng.uniform(0.3, 1.0)
    await asyncio.sleep(rng.uniform(2.0, 5.0))
    centre.link.double = 0.0
    return f"{centre.link.doubled - before} events"


async def events_shuffled(centre: Centre, rng: random.Random) -> str:
    before = centre.link.shuffled
    centre.link.shuffle = rng.uniform(0.2, 0.5)
    await asyncio.sleep(rng.uniform(2.0, 5.0))
    centre.link.shuffle = 0.0
    return f"{centre.link.shuffled - before} events"


async def link_deaf(centre: Centre, rng: random.Random) -> str:
    """Asterisk reads nothing more of what the router sends, and goes on telling what happens."""
    seconds = rng.choice((rng.uniform(1.0, 4.0), rng.uniform(5.0, 9.0)))
    centre.link.deaf = True
    await asyncio.sleep(seconds)
    centre.link.deaf = False
    return f"for {seconds:.1f} s"


async def events_flooded(centre: Centre, rng: random.Random) -> str:
    """Twenty thousand events a second for ten seconds: of channels that are nobody's of ours."""
    del rng
    sent, took = await centre.link.storm(20_000, 10.0)
    return f"{sent} events in {took:.1f} s"


ALL: dict[str, tuple[Fault, int]] = {
    "router killed": (router_killed, 3),
    "router told to stop": (router_stopped, 2),
    "router gone for long": (router_gone, 1),
    "router frozen": (router_frozen, 2),
    "Asterisk killed": (asterisk_killed, 1),
    "Asterisk frozen": (asterisk_frozen, 2),
    "Asterisk stopped": (asterisk_stopped, 1),
    "Asterisk restarted": (asterisk_restarted, 1),
    "modules reloaded": (modules_reloaded, 1),
    "link cut": (link_cut, 2),
    "link half-open": (link_half_open, 2),
    "link slow": (link_slow, 2),
    "link torn": (link_torn, 2),
    "events lost": (events_lost, 2),
    "events doubled": (events_doubled, 2),
    "events out of order": (events_shuffled, 1),
    "send buffer full": (link_deaf, 2),
    "events flooded": (events_flooded, 1),
    "clock set": (machine.clock_set, 3),
    "memory used up": (machine.memory_used_up, 2),
    "disk full": (machine.disk_full, 1),
    "database locked": (machine.database_locked, 1),
    "database gone": (machine.database_gone, 1),
    "configuration gone": (machine.configuration_gone, 1),
    "no descriptors left": (machine.no_descriptors, 1),
}
"""By name: what to do, and how often beside the others."""
