"""Reads all pools and nodes of a database, for those who ask about the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from callrouter.cluster.cluster_tables import HAS_TABLES, SCHEMA
from callrouter.cluster_views import ClusterNode, ClusterPool

if TYPE_CHECKING:
    from callrouter.cluster.lease_link import LeaseLink

FORGOTTEN_AFTER: Final = "7 days"
"""A node that was not stopped in order, and has given no sign of life for so long, is shown no more."""
_KEY: Final = f"SELECT value FROM {SCHEMA}.secrets WHERE name = 'nodes'"  # noqa: S608 - a constant
_POOLS: Final = f"""\
SELECT pool, holder, epoch,
    CASE WHEN isfinite(expires_at)
        THEN extract(epoch FROM expires_at - clock_timestamp()) ELSE 0 END,
    extract(epoch FROM taken_at), coalesce(hand_to, ''), released
FROM {SCHEMA}.pools ORDER BY pool"""  # noqa: S608 - a constant
_NODES: Final = f"""\
SELECT pool, name, run_id, pid, host, url, version, config_digest, config_source,
    extract(epoch FROM state_since), extract(epoch FROM clock_timestamp() - seen_at), problem
FROM {SCHEMA}.nodes WHERE seen_at > clock_timestamp() - interval '{FORGOTTEN_AFTER}'
ORDER BY pool, name"""  # noqa: S608 - a constant

_Row = Sequence[str | None]


def read_pools(link: LeaseLink) -> tuple[ClusterPool, ...]:
    """Return all pools of a database with their nodes; none if no cluster has used it.

    Raises:
        StoreError: the database cannot be reached or refuses.
    """
    if link.ask(HAS_TABLES) != [("t",)]:
        return ()
    nodes: dict[str, list[ClusterNode]] = {}
    for pool, *rest in link.ask(_NODES):
        nodes.setdefault(pool or "", []).append(_node(rest))
    return tuple(_pool(row, nodes) for row in link.ask(_POOLS))


def read_key(link: LeaseLink) -> bytes:
    """Return the key by which nodes know each other; empty: there is none yet.

    Raises:
        StoreError: the database cannot be reached or refuses.
    """
    if link.ask(HAS_TABLES) != [("t",)]:
        return b""
    found = link.ask(_KEY)
    return (found[0][0] or "").encode() if found else b""


def _pool(row: _Row, nodes: dict[str, list[ClusterNode]]) -> ClusterPool:
    name, holder, epoch, left, taken, hand_to, released = row
    return ClusterPool(
        name=name or "",
        holder=holder or "",
        epoch=int(epoch or 0),
        lease_left_s=float(left or 0),
        taken_at=None if taken is None else float(taken),
        hand_to=hand_to or "",
        released=released == "t",
        nodes=tuple(nodes.get(name or "", ())),
    )


def _node(row: _Row) -> ClusterNode:
    name, run, pid, host, url, version, digest, source, since, seen, problem = row
    return ClusterNode(
        name=name or "",
        run_id=run or "",
        pid=int(pid or 0),
        host=host or "",
        url=url or "",
        version=version or "",
        config_digest=digest or "",
        config_source=source or "",
        since=None if since is None else float(since),
        seen_s=float(seen or 0),
        problem=problem or "",
    )
