"""What the API knows of the cluster, and asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from callrouter.cluster_views import ClusterNode, ClusterPool


class DirectoryAwayError(Exception):
    """The database can't be asked about the cluster; the text says why."""


class ClusterDirectory(Protocol):
    """The cluster as this node sees it. What it knows is at most a second old.

    Nothing here waits but `pools` and `hand_over`.
    """

    @property
    def node(self) -> str:
        """This node's name."""

    @property
    def pool(self) -> str:
        """The pool that it serves."""

    @property
    def run_id(self) -> str:
        """This run of the node, as it is registered."""

    @property
    def active(self) -> bool:
        """Whether this node serves the pool. Otherwise it is a standby."""

    @property
    def key(self) -> bytes:
        """The key that the nodes share; empty: it is not known yet."""

    def active_node(self) -> ClusterNode | None:
        """Return the node that serves the pool.

        While the database is away it is the last one known, since none can take over then. None: no
        node serves, as far as is known.
        """

    def known(self) -> ClusterPool | None:
        """Return the pool as it was last read; None: it was not read yet."""

    async def pools(self) -> Sequence[ClusterPool]:
        """Return all pools of the database, as they are now.

        Raises:
            DirectoryAwayError: the database can't be read.
        """

    async def hand_over(self, pool: str, to: str) -> None:
        """Order that a pool be taken over by a node. It is done a moment later.

        Raises:
            DirectoryAwayError: the database can't be written.
        """
