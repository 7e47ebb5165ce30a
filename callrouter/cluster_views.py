"""Pools and their nodes as the database has them. Every age and rest is counted by its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AWAY_AFTER: Final = 3.0
"""Seconds without a sign of life after which a node counts as away. It gives one every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A daemon that is registered for a pool.

    Attributes:
        name: as its configuration names it.
        run_id: of its present run.
        pid: its process.
        host: the machine's name.
        url: where its HTTP side is reached by the other nodes.
        version: of callrouter.
        config_digest: of the configuration that it has in force; empty: not known.
        config_source: ``files`` or ``database``.
        since: when it took its present role, in epoch seconds; None: not known.
        seen_s: seconds since its last sign of life.
        problem: what keeps it from serving, in words; empty: nothing.
    """

    name: str
    run_id: str
    pid: int
    host: str
    url: str
    version: str
    config_digest: str
    config_source: str
    since: float | None
    seen_s: float
    problem: str = ""

    @property
    def away(self) -> bool:
        """Whether it gives no sign of life."""
        return self.seen_s > AWAY_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPool:
    """A pool: its lease and its nodes.

    Attributes:
        name: of the pool.
        holder: the node that holds the lease, or held it last; empty: none has.
        epoch: how many times the lease was taken.
        lease_left_s: seconds for which the lease is still valid; 0 or less: it is over.
        taken_at: when the holder took it, in epoch seconds; None: it never was taken.
        hand_to: the node that is to take it next; empty: none in particular.
        released: whether the holder has given it back.
        nodes: by name.
    """

    name: str
    holder: str
    epoch: int
    lease_left_s: float
    taken_at: float | None
    hand_to: str
    released: bool
    nodes: tuple[ClusterNode, ...]

    @property
    def active(self) -> ClusterNode | None:
        """The node that serves; None: none does, or it is not registered."""
        if self.released or self.lease_left_s <= 0:
            return None
        return self.node(self.holder)

    @property
    def standbys(self) -> tuple[ClusterNode, ...]:
        """The nodes that could take over now: they give signs of life and have no problem."""
        active = self.active
        return tuple(
            node for node in self.nodes if node != active and not node.away and not node.problem
        )

    def node(self, name: str) -> ClusterNode | None:
        """Return the node of this name; None: it is not registered."""
        return next((node for node in self.nodes if node.name == name), None)

    def differs(self, node: ClusterNode) -> bool:
        """Return whether a node has another configuration in force than the active one.

        What is not known differs from nothing.
        """
        reference = self.active or next(iter(self.standbys), None)
        return (
            reference is not None
            and bool(node.config_digest and reference.config_digest)
            and node.config_digest != reference.config_digest
        )
