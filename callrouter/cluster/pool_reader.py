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
_READ: Final = f"""\
SELECT p.pool, p.holder, p.epoch,
    CASE WHEN isfinite(p.expires_at)
        THEN extract(epoch FROM p.expires_at - clock_timestamp()) ELSE 0 END,
    extract(epoch FROM p.taken_at), coalesce(p.hand_to, ''), p.released,
    n.name, n.run_id, n.pid, n.host, n.url, n.version, n.config_digest, n.config_source,
    extract(epoch FROM n.state_since), extract(epoch FROM clock_timestamp() - n.seen_at), n.problem
FROM {SCHEMA}.pools AS p LEFT JOIN {SCHEMA}.nodes AS n
    ON n.pool = p.pool AND n.seen_at > clock_timestamp() - interval '{FORGOTTEN_AFTER}'
ORDER BY p.pool, n.name"""  # noqa: S608 - a constant
_OF_POOL: Final = 7
"""Number of the first columns, which are the pool's."""

_Row = Sequence[str | None]


def read_pools(link: LeaseLink, *, made: bool = False) -> tuple[ClusterPool, ...]:
    """Return all pools of a database with their nodes; none if no cluster has used it.

    Args:
        link: the connection.
        made: whether the tables are known to be there.

    Raises:
        StoreError: the database cannot be reached or refuses.
    """
    if not made and link.ask(HAS_TABLES) != [("t",)]:
        return ()
    pools: dict[str, _Row] = {}
    nodes: dict[str, list[ClusterNode]] = {}
    for row in link.ask(_READ):
        pools[row[0] or ""] = row[:_OF_POOL]
        if row[_OF_POOL] is not None:
            nodes.setdefault(row[0] or "", []).append(_node(row[_OF_POOL:]))
    return tuple(_pool(row, nodes) for row in pools.values())


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
