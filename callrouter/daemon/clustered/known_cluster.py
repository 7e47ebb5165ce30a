"""The cluster as the database tells it: a thread of its own asks twice a second."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from callrouter.api.forwarding.cluster_directory import DirectoryAwayError
from callrouter.clock import since_boot
from callrouter.cluster.lease_queries import ask_to_hand_over
from callrouter.cluster.pool_reader import read_key, read_pools
from callrouter.cluster_views import ClusterNode, ClusterPool
from callrouter.settings.loaded import ClusterSettings
from callrouter.store.location import Address, StoreError

if TYPE_CHECKING:
    from callrouter.cluster.lease_link import LeaseLink

logger = logging.getLogger(__name__)

T = TypeVar("T")

EVERY: Final = 0.5
"""Seconds between two questions."""


class PoolsRead(NamedTuple):
    """The pools as the database told them, and when: in seconds since boot."""

    pools: tuple[ClusterPool, ...]
    at: float


class KnownCluster:
    """A `ClusterDirectory` of the database's tables.

    Args:
        own: this node.
        address: the database.
        run_id: this run of the node, as it is registered.

    Attributes:
        is_active: returns whether a router of this process serves the pool.
        on_hand_over: called when a hand-over was ordered here.
    """

    def __init__(self, own: ClusterSettings, address: Address, run_id: str) -> None:
        from callrouter.cluster.lease_link import LeaseLink  # noqa: PLC0415 - an optional extra

        self.is_active: Callable[[], bool] = lambda: False
        self.on_hand_over: Callable[[], None] = lambda: None
        self._own = own
        self._run_id = run_id
        self._polling, self._asking = LeaseLink(address), LeaseLink(address)
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="cluster", daemon=True)
        # Written by the thread: each is replaced as a whole.
        self._key = b""
        self._read = PoolsRead((), since_boot())
        # Of the thread alone.
        self._fault = ""

    def start(self) -> None:
        """Begin to ask the database, in a thread. Call it once."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more. A question under way ends by itself, and the thread closes the connections after it."""
        self._stop.set()

    @property
    def node(self) -> str:
        """This node's name."""
        return self._own.name

    @property
    def pool(self) -> str:
        """The pool that it serves."""
        return self._own.pool

    @property
    def run_id(self) -> str:
        """This run of the node, as it is registered."""
        return self._run_id

    @property
    def active(self) -> bool:
        """Whether this node serves the pool."""
        return self.is_active()

    @property
    def key(self) -> bytes:
        """The key that the nodes share; empty: it is not known yet."""
        return self._key

    def active_node(self) -> ClusterNode | None:
        """Return the node that serves the pool, as far as is known.

        It does so although its lease is over, until another takes it: the database may be away for
        all of them.
        """
        pool = self._own_pool(self._read)
        return None if pool is None or pool.released else pool.node(pool.holder)

    def known(self) -> ClusterPool | None:
        """Return the pool as it was last read; None: it was not read yet.

        Its nodes have grown older since, so while the database is away none counts as ready.
        """
        read = self._read
        pool = self._own_pool(read)
        if pool is None:
            return None
        past = since_boot() - read.at
        nodes = tuple(replace(node, seen_s=node.seen_s + past) for node in pool.nodes)
        return replace(pool, nodes=nodes, lease_left_s=pool.lease_left_s - past)

    async def pools(self) -> Sequence[ClusterPool]:
        """Return all pools of the database, as they are now.

        Raises:
            DirectoryAwayError: the database can't be read.
        """
        return await asyncio.to_thread(self._ask, read_pools)

    async def hand_over(self, pool: str, to: str) -> None:
        """Order that a pool be taken over by a node.

        Raises:
            DirectoryAwayError: the database can't be written.
        """
        await asyncio.to_thread(self._ask, lambda link: ask_to_hand_over(link, pool, to))
        self.on_hand_over()

    def _own_pool(self, read: PoolsRead) -> ClusterPool | None:
        return next((pool for pool in read.pools if pool.name == self._own.pool), None)

    def _ask(self, question: Callable[[LeaseLink], T]) -> T:
        with self._one_at_a_time:
            try:
                return question(self._asking)
            except StoreError as error:
                raise DirectoryAwayError(str(error)) from error

    def _is_due(self) -> bool:
        """Whether to ask now. The node that serves passes no request on, so it asks half as often."""
        return not self.active or since_boot() - self._read.at > 1.5 * EVERY

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                self._poll_once()
                self._fault = ""
            except StoreError:
                logger.debug("the cluster cannot be read", exc_info=True)  # the keeper warns of it
            except Exception as error:
                # Without this thread, requests would go to the router of this moment for good.
                if repr(error) != self._fault:
                    logger.exception("a fault in reading the cluster")
                self._fault = repr(error)
            self._stop.wait(EVERY)
        self._polling.close()
        with self._one_at_a_time:
            self._asking.close()

    def _poll_once(self) -> None:
        if not self._key:
            self._key = read_key(self._polling)
        if self._is_due():
            pools = read_pools(self._polling, made=self._key != b"")
            self._read = PoolsRead(pools, since_boot())
