"""A whole call centre to break: Asterisk, twenty phones, callers, a link, and the router's process."""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from callrouter.lab import Asterisk, Dialog, Install, Lab, Pace, Phone, RegistrationFailedError
from callrouter.lab.fixtures import close_phones, start_phones
from callrouter.pbx.asterisk.contract import is_dead_shell
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.chaos.proxy import BadLink, bad_link
from tests.chaos.router import RouterProcess

NIGHT = "night"
"""The phone where callers arrive whom the fallback's last step sends on."""
LATE = "late"
"""The phone where those arrive who waited as long as the queue lets them: the rules send them."""
MAX_WAIT = 90.0
"""Seconds that the queue lets a caller wait, where it has such a rule."""
RULES = f"    max_wait: {MAX_WAIT:.0f}s\n    on_max_wait: 'dialplan:late,s,1'\n"

_PLACES = f"""
[callrouter-fallback-user]
exten => _[a-z0-9]!,1,Dial(PJSIP/{NIGHT},60)
 same => n,Hangup()
[late]
exten => s,1,Dial(PJSIP/{LATE},60)
 same => n,Hangup()
"""


@dataclass
class Centre:
    """Everything, and the faults' ways to it.

    Attributes:
        gone: calls at phones that Asterisk took with it when it died, by object id.
        ends: when it died, or was told to end, and when it was back (`time.monotonic`).
        away: it is dead, or being told to end: nobody calls.
    """

    lab: Lab
    link: BadLink
    router: RouterProcess

    def __post_init__(self) -> None:
        self.gone: set[int] = set()
        self.ends: list[tuple[float, float]] = []
        self.away = False

    @property
    def asterisk(self) -> Asterisk:
        return self.lab.asterisk

    @property
    def desks(self) -> list[Phone]:
        """The agents' phones."""
        return [phone for name, phone in self.lab.phones.items() if name.startswith("1")]

    def dialogs(self) -> list[Dialog]:
        """Every call at any phone that has not ended."""
        return [dialog for phone in self.lab.phones.values() for dialog in phone.dialogs]

    def doomed(self) -> None:
        """Asterisk dies now, and every call with it."""
        self.ends.append((time.monotonic(), math.inf))
        self.away = True
        self.gone |= {id(dialog) for dialog in self.dialogs()}

    async def reborn(self) -> None:
        """Start Asterisk again; the phones hear nothing more of their calls, and register anew."""
        for dialog in self.dialogs():
            if id(dialog) in self.gone:
                dialog.vanish()
        await self.asterisk.restart()
        await self.register()
        self.ends[-1] = (self.ends[-1][0], time.monotonic())
        self.away = False

    def was_away(self, at: float) -> bool:
        """Whether Asterisk was dead at a moment, or about to be."""
        return any(began - 1.0 <= at <= ended for began, ended in self.ends)

    async def register(self) -> None:
        """Every phone says where it is."""
        names = [*self.asterisk.options.phones, self.asterisk.options.carrier]
        for _ in range(5):
            done = await asyncio.gather(
                *(self.lab[name].register() for name in names), return_exceptions=True
            )
            names = [
                name
                for name, result in zip(names, done, strict=True)
                if isinstance(result, RegistrationFailedError)
            ]
            if not names:
                return
        raise AssertionError(f"phones that could not register: {names}")

    async def channels(self) -> list[str]:
        """The channels that Asterisk has, by its own console."""
        text = await self.asterisk.cli("core show channels concise")
        return [line for line in text.splitlines() if "!" in line]

    async def emptied(self, within: float = 15.0) -> list[str]:
        """The channels left once everybody had time to hang up, but for the shells of dead ones."""
        left: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while left := [line for line in await self.channels() if not is_dead_shell(line)]:
                    await asyncio.sleep(0.1)
        return left


def agents_yaml(count: int) -> str:
    lines = [
        f"  a{n}: {{sign_in: always, devices: {{desk: PJSIP/{1000 + n}}}}}"
        for n in range(1, count + 1)
    ]
    return "\n".join(["agents:", *lines, ""])


def queues_yaml(count: int, extra: str = "") -> str:
    names = ", ".join(f"a{n}" for n in range(1, count + 1))
    return (
        f"queues:\n  support:\n    agents: [{names}]\n    policy: longest-idle\n    ring_for: 6s\n"
        f"    retry_after: 1s\n    auto_pause: 0\n    on_nobody: wait\n{extra}"
    )


@asynccontextmanager
async def centre(
    install: Install, agents: int, rng: random.Random, *, queue: str = ""
) -> AsyncIterator[Centre]:
    """Start it all, the router last; at the end nothing is left."""
    numbers = tuple(str(1000 + n) for n in range(1, agents + 1))
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        asterisk = await Asterisk.start(
            install, phones=(*numbers, NIGHT, LATE), dialplan=DIALPLAN + _PLACES, manager=MANAGER
        )
        phones: dict[str, Phone] = {}
        try:
            pace = Pace(first=5, every_s=0.5)
            wanted = asterisk.options
            phones |= await start_phones(asterisk, [*wanted.phones, wanted.carrier], pace=pace)
            phones |= await start_phones(asterisk, wanted.callers, register=False, pace=pace)
            async with bad_link(asterisk.ami_port, rng) as (link, port):
                router = RouterProcess(
                    Path(folder), port, agents_yaml(agents), queues_yaml(agents, queue)
                )
                made = Centre(Lab(asterisk, phones), link, router)
                try:
                    await router.start()
                    await router.in_step()
                    yield made
                finally:
                    await router.end()
        finally:
            await close_phones(phones.values())
            await asterisk.stop(graceful=False)
