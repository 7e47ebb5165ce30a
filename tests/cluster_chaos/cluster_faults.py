"""The faults, one small coroutine each. Each is over, and everything mended, when it returns.

Each finds its victim, waits for the stage of an offer that it is to hit, strikes, and says what it did.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

from tests.cluster_chaos.ledger import Strike
from tests.cluster_chaos.site import EXCHANGES, HOUR, SERVERS, Site
from tests.cluster_chaos.stages import STAGES, StageWatch

LEASE = 3.0


@dataclass
class Blow:
    """One fault on its way: what it may use, and what it says of itself."""

    site: Site
    stages: StageWatch
    rng: random.Random
    strike: Strike
    _struck: list[float] = field(default_factory=list)

    async def aim(self) -> None:
        """Wait for the stage; what follows at once is the strike."""
        moment = await self.stages.reach(self.strike.stage, self.rng)
        self.strike.stage = moment.stage
        self.strike.how = moment.what
        self.strike.at = time.monotonic()

    def say(self, text: str, *, fails_over: bool = False) -> None:
        self.strike.how = f"{text} ({self.strike.how})"
        self.strike.fails_over = fails_over

    async def wait(self, least: float, most: float) -> float:
        seconds = self.rng.uniform(least, most)
        await asyncio.sleep(seconds)
        return seconds

    def sever(self, one: str, other: str) -> str:
        """Cut the link between two machines: both ways or one way; how, in words."""
        way = self.rng.choice(("both", "to", "from"))
        if way in {"both", "to"}:
            self.site.network.cut(one, other)
        if way in {"both", "from"}:
            self.site.network.cut(other, one)
        return {
            "both": f"{one} | {other}",
            "to": f"{one} -/-> {other}",
            "from": f"{other} -/-> {one}",
        }[way]


Fault: TypeAlias = Callable[[Blow], Awaitable[None]]

# ------------------------------------------------------------------ the active router


async def active_killed(blow: Blow) -> None:
    node = await blow.site.active()
    await blow.aim()
    await node.end(signal.SIGKILL)
    blow.say(f"{node.name} by SIGKILL", fails_over=True)
    await blow.wait(5.0, 9.0)
    await node.start()


async def active_frozen(blow: Blow) -> None:
    """For longer than the lease; then it goes on where it stood, and must not act."""
    node = await blow.site.active()
    await blow.aim()
    node.freeze()
    seconds = await blow.wait(LEASE + 0.2, 10.0)
    node.thaw()
    blow.say(f"{node.name} by SIGSTOP, SIGCONT after {seconds:.1f} s", fails_over=True)


async def active_frozen_briefly(blow: Blow) -> None:
    node = await blow.site.active()
    await blow.aim()
    node.freeze()
    seconds = await blow.wait(0.1, LEASE)
    node.thaw()
    blow.say(f"{node.name} by SIGSTOP, SIGCONT after {seconds:.1f} s", fails_over=True)


async def active_stopped(blow: Blow) -> None:
    """As an upgrade does: the service manager ends it, and starts it again."""
    node = await blow.site.active()
    await blow.aim()
    blow.say(f"{node.name} by SIGTERM", fails_over=True)
    await node.end(signal.SIGTERM)
    await blow.wait(0.2, 4.0)
    await node.start()


async def handed_over(blow: Blow) -> None:
    """By a row in the database, as the command does where no daemon answers."""
    node = await blow.site.active()
    await blow.aim()
    await blow.site.base.primary.ask(
        "UPDATE callrouter_cluster.pools SET hand_to = '*' WHERE NOT released", "calls"
    )
    blow.say(f"from {node.name}", fails_over=True)


async def standby_killed(blow: Blow) -> None:
    node = await blow.site.active()
    other = blow.rng.choice(
        [one for one in blow.site.routers.values() if one is not node] or [node]
    )
    await blow.aim()
    await other.end(signal.SIGKILL)
    blow.say(other.name, fails_over=True)
    await blow.wait(0.5, 3.0)
    await other.start()


async def clock_set(blow: Blow) -> None:
    """A router's wall clock jumps by an hour while it runs, and stays so."""
    node = blow.rng.choice(list(blow.site.routers.values()))
    step = -HOUR if node.clock_off > 0 else HOUR
    await blow.aim()
    node.set_clock(node.clock_off + step)
    blow.say(
        f"{node.name} by {step / HOUR:+.0f} h, to {node.clock_off / HOUR:+.0f} h", fails_over=True
    )


# ------------------------------------------------------------------ links


async def active_off_database(blow: Blow) -> None:
    """The active router alone loses the database."""
    node = await blow.site.active()
    await blow.aim()
    ways = [blow.sever(node.name, server) for server in SERVERS]
    seconds = await blow.wait(3.0, 10.0)
    blow.site.network.mend()
    blow.say(f"{', '.join(ways)} for {seconds:.1f} s", fails_over=True)


async def active_off_all(blow: Blow) -> None:
    """The active router's machine loses its network: Asterisks, database, other routers."""
    node = await blow.site.active()
    await blow.aim()
    others = [name for name in blow.site.network.machines if name != node.name]
    way = blow.rng.choice(("both", "out", "in"))
    for other in others:
        if way in {"both", "out"}:
            blow.site.network.cut(node.name, other)
        if way in {"both", "in"}:
            blow.site.network.cut(other, node.name)
    seconds = await blow.wait(3.5, 10.0)
    blow.site.network.mend()
    blow.say(f"{node.name}, {way}, for {seconds:.1f} s", fails_over=True)


async def active_off_asterisk(blow: Blow) -> None:
    node = await blow.site.active()
    place = blow.rng.choice(EXCHANGES)
    await blow.aim()
    way = blow.sever(node.name, place)
    blow.strike.cut_off = frozenset({place})
    seconds = await blow.wait(2.0, 9.0)
    blow.site.network.mend()
    blow.say(f"{way} for {seconds:.1f} s", fails_over=True)


async def asterisk_alone(blow: Blow) -> None:
    """No router reaches it for so long that its callers go to the fallback."""
    place = blow.rng.choice(EXCHANGES)
    await blow.aim()
    for router in blow.site.routers:
        blow.site.network.cut(router, place)
        blow.site.network.cut(place, router)
    blow.strike.cut_off = frozenset({place})
    seconds = await blow.wait(16.0, 22.0)
    blow.site.network.mend()
    blow.say(f"{place} for {seconds:.1f} s", fails_over=True)


async def trunk_cut(blow: Blow) -> None:
    one, other = blow.rng.choice(list(combinations(EXCHANGES, 2)))
    await blow.aim()
    way = blow.sever(one, other)
    blow.strike.apart = frozenset({one, other})
    seconds = await blow.wait(1.0, 8.0)
    blow.site.network.mend()
    blow.say(f"{way} for {seconds:.1f} s", fails_over=True)


# ------------------------------------------------------------------ the database


async def _fail_over(blow: Blow, after: float) -> None:
    """As an operator's tool does, so many seconds after the strike; then the old one comes back."""
    await asyncio.sleep(after)
    await blow.site.base.fail_over()
    await blow.wait(2.0, 5.0)
    await blow.site.base.join()


async def primary_killed(blow: Blow) -> None:
    await blow.aim()
    await blow.site.base.primary.kill()
    after = blow.rng.uniform(0.2, 4.0)
    blow.say(f"failed over after {after:.1f} s", fails_over=True)
    await _fail_over(blow, after)


async def primary_frozen(blow: Blow) -> None:
    await blow.aim()
    blow.site.base.primary.signal(signal.SIGSTOP)
    after = blow.rng.uniform(0.2, 4.0)
    blow.say(f"failed over after {after:.1f} s", fails_over=True)
    await _fail_over(blow, after)


async def primary_and_active_killed(blow: Blow) -> None:
    """No router can take the lease before the database has failed over, which takes 0.2 to 1.5 s."""
    node = await blow.site.active()
    await blow.aim()
    await asyncio.gather(node.end(signal.SIGKILL), blow.site.base.primary.kill())
    after = blow.rng.uniform(0.2, 1.5)
    blow.say(f"and {node.name}; failed over after {after:.1f} s", fails_over=True)
    await _fail_over(blow, after)
    await node.start()


async def database_away(blow: Blow) -> None:
    """From every router: the active one goes on."""
    await blow.aim()
    for router in blow.site.routers:
        for server in SERVERS:
            blow.site.network.cut(router, server)
            blow.site.network.cut(server, router)
    seconds = await blow.wait(4.0, 12.0)
    blow.site.network.mend()
    blow.say(f"for {seconds:.1f} s", fails_over=True)


async def database_frozen(blow: Blow) -> None:
    """It answers no router, and goes on where it stood."""
    await blow.aim()
    primary = blow.site.base.primary
    primary.signal(signal.SIGSTOP)
    seconds = await blow.wait(0.5, 8.0)
    primary.signal(signal.SIGCONT)
    blow.say(f"for {seconds:.1f} s", fails_over=True)
    await blow.site.base.in_step()


async def standby_server_killed(blow: Blow) -> None:
    """Commits wait for it until the operator's tool says that they need not."""
    await blow.aim()
    await blow.site.base.standby.kill()
    blow.say("commits waited for 2 s", fails_over=True)
    await asyncio.sleep(2.0)
    await blow.site.base.relax()
    await blow.site.base.join()


async def replication_cut(blow: Blow) -> None:
    await blow.aim()
    way = blow.sever(*SERVERS)
    await asyncio.sleep(2.0)
    await blow.site.base.relax()
    seconds = 2.0 + await blow.wait(1.0, 4.0)
    blow.site.network.mend()
    blow.say(f"{way} for {seconds:.1f} s", fails_over=True)
    await blow.site.base.in_step()


# ------------------------------------------------------------------ Asterisk


async def asterisk_killed(blow: Blow) -> None:
    exchange = blow.site.exchanges[blow.rng.choice(EXCHANGES)]
    await blow.aim()
    exchange.die()
    blow.strike.cut_off = frozenset({exchange.name})
    blow.strike.apart = frozenset(EXCHANGES)
    seconds = await blow.wait(0.2, 4.0)
    await exchange.be_born_again()
    blow.say(f"{exchange.name}, started again after {seconds:.1f} s", fails_over=True)


async def asterisk_killed_with_active(blow: Blow) -> None:
    """The next router must find the fence there again, which AstDB keeps."""
    node = await blow.site.active()
    exchange = blow.site.exchanges[blow.rng.choice(EXCHANGES)]
    await blow.aim()
    node.freeze()
    exchange.die()
    blow.strike.cut_off = frozenset({exchange.name})
    blow.strike.apart = frozenset(EXCHANGES)
    await exchange.be_born_again()
    with suppress(TimeoutError):
        await blow.wait(LEASE, 7.0)
    node.thaw()
    blow.say(f"{exchange.name}, while {node.name} was frozen", fails_over=True)


ALL: dict[str, tuple[Fault, int]] = {
    "active killed": (active_killed, len(STAGES)),
    "active frozen": (active_frozen, len(STAGES)),
    "active frozen briefly": (active_frozen_briefly, 3),
    "active stopped": (active_stopped, 2),
    "handed over": (handed_over, 3),
    "standby killed": (standby_killed, 1),
    "clock set": (clock_set, 1),
    "active off the database": (active_off_database, 3),
    "active off the network": (active_off_all, 3),
    "active off one Asterisk": (active_off_asterisk, 2),
    "Asterisk off all routers": (asterisk_alone, 1),
    "trunk cut": (trunk_cut, 2),
    "primary killed": (primary_killed, 3),
    "primary frozen": (primary_frozen, 2),
    "primary and active killed": (primary_and_active_killed, 2),
    "database away": (database_away, 2),
    "database frozen": (database_frozen, 2),
    "standby server killed": (standby_server_killed, 1),
    "replication cut": (replication_cut, 2),
    "Asterisk killed": (asterisk_killed, 2),
    "Asterisk killed, active frozen": (asterisk_killed_with_active, 1),
}
"""By name: what to do, and how often in each round. Each time it hits another stage."""
ALONE = ("Asterisk off all routers", "trunk cut", "primary killed", "Asterisk killed", "clock set")
"""What a single router without a cluster can be asked to stand."""
