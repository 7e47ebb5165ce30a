"""Two nodes of one pool, each a small call centre behind the API, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web
from aiohttp.test_utils import TestClient

from callrouter.api.forwarding.cluster_directory import DirectoryAwayError
from callrouter.audit.act_log import Act
from callrouter.cluster_views import ClusterNode, ClusterPool
from callrouter.settings import ApiToken
from tests.api.served import Served
from tests.api.world import T0, TOKENS, Client, World

KEY = b"k" * 32


def node(name: str, url: str = "", **changes: object) -> ClusterNode:
    made = ClusterNode(
        name=name,
        run_id=f"run of {name}",
        pid=1,
        host=f"{name}.example",
        url=url or f"http://{name}.example:8080",
        version="1.0",
        config_digest="abc",
        config_source="files",
        since=T0,
        seen_s=0.2,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def pool(holder: str, *nodes: ClusterNode, **changes: object) -> ClusterPool:
    made = ClusterPool(
        name="main",
        holder=holder,
        epoch=7,
        lease_left_s=2.5,
        taken_at=T0,
        hand_to="",
        released=False,
        nodes=nodes,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass
class Shared:
    """What the database has. The lease has no time here: a test says who holds it."""

    pool: ClusterPool
    others: list[ClusterPool] = field(default_factory=list)
    orders: list[tuple[str, str]] = field(default_factory=list)
    away: str = ""
    slow_to_serve: str = ""
    """The node that holds the lease and cannot answer requests yet."""
    obeys: bool = False
    """Whether a pool that is to be handed over is taken over at once."""


class MemoryDirectory:
    """A cluster in memory, as one node sees it."""

    def __init__(self, shared: Shared, name: str) -> None:
        self.shared = shared
        self.node = name
        self.pool = "main"
        self.run_id = f"run of {name}"
        self.key = KEY

    @property
    def active(self) -> bool:
        found = self.active_node()
        ready = self.shared.slow_to_serve != self.node
        return found is not None and found.name == self.node and ready

    def active_node(self) -> ClusterNode | None:
        return self.shared.pool.active

    def known(self) -> ClusterPool | None:
        return self.shared.pool

    async def pools(self) -> Sequence[ClusterPool]:
        if self.shared.away:
            raise DirectoryAwayError(self.shared.away)
        return [self.shared.pool, *self.shared.others]

    async def hand_over(self, pool: str, to: str) -> None:
        if self.shared.away:
            raise DirectoryAwayError(self.shared.away)
        self.shared.orders.append((pool, to))
        if self.shared.obeys:
            before = self.shared.pool
            self.shared.pool = replace(before, holder=to, epoch=before.epoch + 1)


class Acts:
    """Keeps what is taken down."""

    def __init__(self) -> None:
        self.all: list[Act] = []

    def add(self, act: Act) -> None:
        self.all.append(act)


@dataclass
class Pair:
    """north-1 is active at first, and north-2 a standby.

    Attributes:
        active: asks north-1 directly.
        standby: asks north-2.
    """

    shared: Shared
    first: World
    second: World
    active: Client
    standby: Client
    acts: Acts
    servers: tuple[Served, Served]

    def serve(self, name: str) -> None:
        """From now on this node holds the lease; empty: none does."""
        self.shared.pool = replace(self.shared.pool, holder=name)


@asynccontextmanager
async def pair(
    *, tokens: Sequence[ApiToken] = TOKENS, doors: Sequence[web.RouteDef] = ()
) -> AsyncIterator[Pair]:
    shared = Shared(pool("north-1"))
    worlds = [
        World(tokens=tokens, doors=doors, cluster=MemoryDirectory(shared, name))
        for name in ("north-1", "north-2")
    ]
    acts = Acts()
    worlds[0].backend.acts = acts  # type: ignore[assignment]
    servers = [Served(world.app) for world in worlds]
    async with TestClient(servers[0]) as active, TestClient(servers[1]) as standby:
        nodes = (
            node(name, f"http://127.0.0.1:{server.port}")
            for name, server in zip(("north-1", "north-2"), servers, strict=True)
        )
        shared.pool = replace(shared.pool, nodes=tuple(nodes))
        yield Pair(shared, worlds[0], worlds[1], active, standby, acts, (servers[0], servers[1]))
    for world in worlds:
        world.close()
