"""A chaos run: a busy call centre, one fault after the other, and the account at its end."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence

from callrouter.lab import Answer, Install
from callrouter.tasks import Tasks
from tests.chaos.account import Account, account
from tests.chaos.centre import LATE, NIGHT, RULES, Centre, centre
from tests.chaos.faults import ALL
from tests.chaos.people import Crowd, hang_up, not_rung, set_moods

AGENTS = 20
BACKLOG = 12
TALK = (4.0, 7.0)
DRAIN = 150.0
"""Seconds in which, after the last fault, everyone who waits must be served."""
# One that led to another is told of by that one.
_TRACEBACK = re.compile(
    r"^Traceback [^\n]*\n(?: [^\n]*\n)*+([^\n]*)$(?!\n\n(?:During handling|The above exception))",
    re.MULTILINE,
)
QUEUE = f"    wrap_up: 500ms\n{RULES}"


class Run:
    """One run. What happens when depends on the seed alone; what comes of it does not."""

    def __init__(self, here: Centre, seed: int, only: Sequence[str] = ()) -> None:
        self.here = here
        self.rng = random.Random(seed)
        self.crowd = Crowd(here, random.Random(seed + 1))
        self.log: list[str] = []
        self._began = time.monotonic()
        self._names = only or tuple(ALL)
        self._drawn: list[str] = []
        self.faults: Counter[str] = Counter()

    def say(self, text: str) -> None:
        now = time.monotonic()
        self.log.append(f"{now - self._began:7.1f} s  ({now:.2f})  {text}")
        sys.stdout.write(f"\n    {self.log[-1]}")
        sys.stdout.flush()

    async def go(self, seconds: float) -> Account:
        """Break things for so many seconds, let all be served, and give the account."""
        here, agents = self.here, random.Random(self.rng.random())

        set_moods(here.desks, agents, TALK)
        for name in (NIGHT, LATE):
            here.lab[name].behaviour = Answer(after=0.1, talk=1.5)
        tasks = Tasks()
        tasks.spawn(self.crowd.come_and_go(), "the crowd")
        tasks.spawn(self._keep(), "the keeper")
        self.crowd.wanted = AGENTS + BACKLOG
        try:
            await asyncio.sleep(6)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                await self._break()
                await asyncio.sleep(self.rng.uniform(2.0, 8.0))
            await self._drain()
            stuck = await self._last_round()
        finally:
            await tasks.close()
        made = account(here, self.crowd.callers)
        made.stuck = stuck
        made.faults = self.faults
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        made.channels = await here.emptied()
        made.shells = len(await here.channels()) - len(made.channels)
        return made

    async def _break(self) -> None:
        name = self._draw()
        self.faults[name] += 1
        self.say(f"{name} …")
        how = await ALL[name][0](self.here, random.Random(self.rng.random()))
        self.say(f"{name}: {how}; {len(self.crowd.live)} callers are in")

    def _draw(self) -> str:
        """One at random; none comes a second time before all others had their turns."""
        if not self._drawn:
            self._drawn = [name for name in self._names for _ in range(ALL[name][1])]
            self.rng.shuffle(self._drawn)
        return self._drawn.pop()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await self.here.router.keep()

    async def _drain(self) -> None:
        """Nobody comes any more and nobody gives up: everyone must be served."""
        self.say("no more faults and no more callers")
        await self.crowd.drain(DRAIN)
        self.say("everybody was served")

    async def _one_for_each(self) -> None:
        for _ in range(AGENTS):
            await self.crowd.call()
            await asyncio.sleep(0.02)

    async def _last_round(self) -> list[str]:
        """Everyone hangs up, and each agent must then be rung for one of as many new callers."""
        here = self.here
        await asyncio.gather(*(hang_up(dialog) for dialog in here.dialogs()))
        for phone in here.desks:
            phone.behaviour = Answer(after=0.1)
        await here.router.in_step()
        await asyncio.sleep(3.0)
        # Each occupies an agent for good, so that every agent is needed.
        self.crowd.lasting = True
        stuck = await not_rung(here.desks, self._one_for_each)
        self.say("each agent was rung" if not stuck else f"not rung: {', '.join(stuck)}")
        for name in stuck:  # why, as the router has it: to find the cause, not for the account
            self.log.append(f"{await here.router.ask(f'agents/a{int(name) - 1000}')}")
        return stuck


def tracebacks(log: str) -> list[str]:
    """The last line of each traceback, but for those of a router that had no memory left."""
    found = (match[1] for match in _TRACEBACK.finditer(log))
    return [text for text in found if not text.startswith("MemoryError")]


async def chaos(
    install: Install, seconds: float, seed: int, only: Sequence[str] = ()
) -> tuple[Account, list[str]]:
    """A whole run; prints as it goes. Returns the account and what must not be, in words."""
    sys.stdout.write(f"\n    chaos with seed {seed} for {seconds:.0f} s")
    async with centre(install, AGENTS, random.Random(seed + 2), queue=QUEUE) as here:
        run = Run(here, seed, only)
        made = await run.go(seconds)
        bad = made.bad()
        bad += [f"the router ended by itself: {text}" for text in here.router.surprises]
        log = here.router.log.read_text(errors="replace")
        status = await here.router.ask("status")
        bad += [
            f"the router's log has a traceback: {text}" for text in tracebacks(here.router.said())
        ]
        if status["faults"]:
            bad.append(f"the router counts {status['faults']} faults of its own")
        verdict = "all is well" if not bad else f"{len(bad)} things that must not be"
        sys.stdout.write(f"\n\n    chaos with seed {seed}: {verdict}\n{made.table()}\n")
        if bad:
            keep = f"/tmp/callrouter-chaos-{seed}.log"
            with open(keep, "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
                file.write("\n".join([*run.log, *bad, "", log]))
            sys.stdout.write(f"\n    the faults and the router's log are in {keep}\n")
            sys.stdout.write("".join(f"\n    {text}" for text in bad[:40]))
        sys.stdout.write("\n")
    return made, bad
