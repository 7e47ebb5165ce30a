"""A run: callers and agents at three Asterisks, one fault after the other, and the account at its end."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Sequence

from callrouter.lab import Answer, Install
from callrouter.tasks import Tasks
from tests.chaos.people import hang_up, not_rung, set_moods
from tests.chaos.run import tracebacks
from tests.cluster_chaos.cluster_faults import ALL, ALONE, Blow
from tests.cluster_chaos.crowd import CrowdOfMany
from tests.cluster_chaos.exchange import NIGHT, emptied
from tests.cluster_chaos.fake_clock import library
from tests.cluster_chaos.ledger import Ledger, Strike, ledger
from tests.cluster_chaos.network import Network
from tests.cluster_chaos.site import EXCHANGES, ROUTERS, SERVERS, Site, site
from tests.cluster_chaos.stages import STAGES, StageWatch

MACHINES = (*EXCHANGES, *ROUTERS, *SERVERS)
BACKLOG = 6
TALK = (4.0, 7.0)
DRAIN = 150.0
"""Seconds in which, after the last fault, every caller who waits must be served."""


def new_network() -> Network:
    """All machines; call it before any thread is started. Routers' steady clocks are days apart."""
    days = {name: 3 * n for n, name in enumerate(ROUTERS, 1)}
    return Network(MACHINES, days_apart=lambda n: days.get(MACHINES[n - 1], 0))


class ClusterRun:
    """One run. What happens when depends on the seed alone; what comes of it does not."""

    def __init__(self, here: Site, seed: int, only: Sequence[str]) -> None:
        self.here = here
        self.rng = random.Random(seed)
        self.crowd = CrowdOfMany(here, random.Random(seed + 1))
        self.stages = StageWatch(here.desks)
        self.strikes: list[Strike] = []
        self.lag = 0.0
        self._began = time.monotonic()
        self._names = only or (tuple(ALL) if len(here.routers) > 1 else ALONE)
        self._drawn: list[tuple[str, str]] = []

    def say(self, text: str) -> None:
        now = time.monotonic()
        sys.stdout.write(f"\n    {now - self._began:7.1f} s  ({now:.2f})  {text}")
        sys.stdout.flush()

    async def go(self, seconds: float) -> Ledger:
        """Break things for so many seconds, let all be served, and give the account."""
        here, agents = self.here, random.Random(self.rng.random())

        set_moods(here.desks, agents, TALK)
        for exchange in here.exchanges.values():
            exchange.phones[NIGHT].behaviour = Answer(after=0.1, talk=1.5)
        tasks = Tasks()
        tasks.spawn(self.crowd.come_and_go(), "the crowd")
        tasks.spawn(here.keep(), "the keeper")
        tasks.spawn(self._watch_lag(), "the harness's own lag")
        self.crowd.wanted = len(here.desks) + BACKLOG
        try:
            await asyncio.sleep(8)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                await self._break()
                await here.in_step()
                await asyncio.sleep(self.rng.uniform(1.0, 4.0))
            await self._drain()
            stuck = await self._last_round()
        finally:
            await tasks.close()
        await asyncio.sleep(1.0)
        made = ledger(here, self.crowd.callers, self.strikes)
        made.stuck, made.lag = stuck, self.lag
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        made.channels = await emptied(list(here.exchanges.values()), 20.0)
        return made

    async def _watch_lag(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.1)
            self.lag = max(self.lag, time.monotonic() - before - 0.1)

    async def _break(self) -> None:
        name, stage = self._draw()
        blow = Blow(
            self.here,
            self.stages,
            random.Random(self.rng.random()),
            Strike(name, stage, time.monotonic()),
        )
        self.say(f"{name} at '{stage}' …")
        self.strikes.append(blow.strike)
        await ALL[name][0](blow)
        blow.strike.over = time.monotonic()
        self.say(f"{name}: {blow.strike.how}; {len(self.crowd.live)} callers are in")

    def _draw(self) -> tuple[str, str]:
        """A fault and a stage. No pair comes again before all others of the round had their turns."""
        if not self._drawn:
            for name in self._names:
                stages = list(STAGES)
                self.rng.shuffle(stages)
                self._drawn += [(name, stages[n % len(stages)]) for n in range(ALL[name][1])]
            self.rng.shuffle(self._drawn)
        return self._drawn.pop()

    async def _drain(self) -> None:
        """No caller comes any more and none gives up: all must be served."""
        self.say("no more faults and no more callers")
        await self.crowd.drain(DRAIN)
        self.say("all were served")

    async def _one_for_each(self) -> None:
        desks = len(self.here.desks)
        for place in [*EXCHANGES * desks][:desks]:
            await self.crowd.call(self.here.exchanges[place])
            await asyncio.sleep(0.02)

    async def _last_round(self) -> list[str]:
        """All hang up, and each agent must then be rung for one of as many new callers."""
        here = self.here
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        for phone in here.desks:
            phone.behaviour = Answer(after=0.1)
        await here.in_step()
        await asyncio.sleep(3.0)
        self.crowd.lasting = True  # each occupies an agent for good, so that every agent is needed
        stuck = await not_rung(here.desks, self._one_for_each)
        self.say("each agent was rung" if not stuck else f"not rung: {', '.join(stuck)}")
        return stuck


async def cluster_chaos(
    install: Install,
    network: Network,
    seconds: float,
    seed: int,
    *,
    only: Sequence[str] = (),
    routers: int = 3,
    agents: int = 4,
    keep: str = "",
) -> tuple[Ledger, list[str]]:
    """A whole run; prints as it goes. Returns the account and what must not be, in words.

    Args:
        install: the Asterisk to run.
        network: from `new_network`.
        seconds: how long faults are played.
        seed: the same seed plays the same faults at the same stages.
        only: names of faults; empty: all.
        routers: how many; one alone is no cluster.
        agents: at each Asterisk.
        keep: where the routers' logs are kept if anything is not as it must be.
    """
    sys.stdout.write(f"\n    cluster chaos with seed {seed} for {seconds:.0f} s")
    many = routers > 1
    if library() is None:
        sys.stdout.write(
            "\n    libfaketime could not be had: only the routers' clocks are an hour apart"
        )
    async with site(install, network, agents=agents, routers=routers, many=many) as here:
        run = ClusterRun(here, seed, only)
        made = await run.go(seconds)
        bad = made.bad()
        for node in here.routers.values():
            bad += [f"a router ended by itself: {text}" for text in node.surprises]
            text = node.log.read_text(errors="replace")
            bad += [f"{node.name}'s log has a traceback: {line}" for line in tracebacks(text)]
        verdict = "all is well" if not bad else f"{len(bad)} things that must not be"
        sys.stdout.write(f"\n\n    cluster chaos with seed {seed}: {verdict}\n{made.table()}\n")
        for line in bad[:60]:
            sys.stdout.write(f"\n    {line}")
        if bad and keep:
            parts = [
                f"{name}\n{one.log.read_text(errors='replace')}"
                for name, one in here.routers.items()
            ]
            with open(keep, "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
                file.write("\n".join([*bad, made.table(), *parts]))
            sys.stdout.write(f"\n    all of it, with the routers' logs, is in {keep}\n")
        sys.stdout.write("\n")
    return made, bad
