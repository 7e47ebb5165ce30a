"""Pools and nodes as they are shown, and which node can take a pool over. Imports no HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.api.json_values import moment, phrases_json, seconds
from callrouter.api.schemas.cluster_answers import ClusterJson, ClusterNodeJson, ClusterPoolJson
from callrouter.cluster_views import ClusterNode, ClusterPool
from callrouter.model.text import PhraseValue, joined, phrase


class HandOverError(Exception):
    """A pool cannot be handed over so; the text says why.

    Attributes:
        status: the HTTP status of a refusal.
        kind: the end of the problem's `type`.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def chosen(pool: ClusterPool, wanted: str) -> str:
    """Return the node that takes a pool over.

    Args:
        pool: the pool.
        wanted: the node that was asked for; empty: any that could, rather one with the same
            configuration as the active node.

    Raises:
        HandOverError: none could, none is active, or there is no such node.
    """
    if pool.active is None:
        text = "no node is active for pool {pool}; a standby takes over by itself"
        detail = phrase("standby-takes-over", text, pool=pool.name)
        raise HandOverError(409, "no-active-node", detail)
    ready = sorted(pool.standbys, key=lambda node: (pool.differs(node), node.seen_s, node.name))
    if not wanted:
        if not ready:
            text = "pool {pool} has no standby that could take over; see `callrouter cluster`"
            detail = phrase("pool-without-standby", text, pool=pool.name)
            raise HandOverError(409, "no-standby", detail)
        return ready[0].name
    node = pool.node(wanted)
    if node is None:
        text, known = (
            "pool {pool} has no node {node}; it has: {nodes}",
            _names(sorted(pool.nodes, key=lambda one: one.name)),
        )
        detail = phrase("unknown-node", text, pool=pool.name, node=wanted, nodes=known)
        raise HandOverError(422, "unknown-node", detail)
    if node == pool.active:
        text = "{node} is active for pool {pool} already"
        detail = phrase("node-active-already", text, node=wanted, pool=pool.name)
        raise HandOverError(409, "active-already", detail)
    if node not in ready:
        text = "{node} cannot take pool {pool} over: {why}; ready are: {nodes}"
        why = joined(node_trouble(pool, node))
        detail = phrase(
            "node-not-ready", text, node=wanted, pool=pool.name, why=why, nodes=_names(ready)
        )
        raise HandOverError(409, "not-ready", detail)
    return wanted


def _names(nodes: Sequence[ClusterNode]) -> PhraseValue:
    return [node.name for node in nodes] or phrase("no-nodes", "none")


def cluster_json(
    node: str, pool: str, pools: Sequence[ClusterPool], *, active: bool
) -> ClusterJson:
    """Return what is known of all pools.

    Args:
        node: who tells it.
        pool: the pool of that node.
        pools: all pools.
        active: whether that node is active.
    """
    return {
        "node": node,
        "pool": pool,
        "role": "active" if active else "standby",
        "pools": [_pool_json(one) for one in sorted(pools, key=lambda one: one.name)],
    }


def _pool_json(pool: ClusterPool) -> ClusterPoolJson:
    """Return a pool. It and its nodes have their trouble in words."""
    active = pool.active
    return {
        "pool": pool.name,
        "active": None if active is None else active.name,
        "since": None if active is None else moment(pool.taken_at),
        "epoch": pool.epoch,
        "lease_left_s": 0.0 if pool.released else seconds(pool.lease_left_s),
        "hand_to": pool.hand_to or None,
        "trouble": (lines := pool_trouble(pool)),
        "trouble_phrases": phrases_json(lines),
        "nodes": [_node_json(pool, node) for node in sorted(pool.nodes, key=lambda one: one.name)],
    }


def _node_json(pool: ClusterPool, node: ClusterNode) -> ClusterNodeJson:
    ready = node in pool.standbys
    return {
        "name": node.name,
        "role": "active" if node == pool.active else "standby" if ready else "away",
        "since": moment(node.since),
        "seen_s": seconds(node.seen_s),
        "host": node.host,
        "url": node.url,
        "pid": node.pid,
        "version": node.version,
        "config": node.config_digest,
        "config_source": node.config_source,
        "config_differs": pool.differs(node),
        "trouble": (lines := node_trouble(pool, node)),
        "trouble_phrases": phrases_json(lines),
    }


def pool_trouble(pool: ClusterPool) -> list[str]:
    """Return what is wrong with a pool as a whole, in words."""
    if pool.active is not None:
        return [] if pool.standbys else [phrase("no-standby", "no standby could take over")]
    if not pool.standbys:
        return [phrase("no-node", "no node is active; no standbys could take over")]
    one = "no node is active; {count} standby could take over"
    many = "no node is active; {count} standbys could take over"
    return [phrase("no-active-node", one, many, count=len(pool.standbys))]


def node_trouble(pool: ClusterPool, node: ClusterNode) -> list[str]:
    """Return what is wrong with a node, in words."""
    told = phrase("node-says", "{problem}", problem=node.problem)
    found: list[str] = [told] if node.problem else []
    if node.away and node != pool.active:
        one, many = "no sign of life for {count} second", "no sign of life for {count} seconds"
        found.append(phrase("no-sign-of-life", one, many, count=round(node.seen_s)))
    if pool.differs(node):
        text = "its configuration is not the active node's"
        found.append(phrase("other-configuration", text))
    active = pool.active
    if active is not None and node.version != active.version and not node.away:
        text = "it runs version {version}, the active node {active}"
        found.append(phrase("other-version", text, version=node.version, active=active.version))
    return found


def find_pool(pools: Sequence[ClusterPool], name: str) -> ClusterPool:
    """Return the pool of this name.

    Raises:
        HandOverError: there is none.
    """
    found = next((one for one in pools if one.name == name), None)
    if found is None:
        known = sorted(one.name for one in pools)
        there = phrase("no-daemon-yet", "no daemon of a cluster has run with it yet")
        if known:
            there = phrase("pools-there", "there are: {pools}", pools=known)
        detail = phrase("unknown-pool", "there is no pool {pool}; {hint}", pool=name, hint=there)
        raise HandOverError(404, "unknown-pool", detail)
    return found
