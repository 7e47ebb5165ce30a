"""``/api/cluster``: which node is active for which pool, and handing a pool over to another."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from callrouter.api.access.acts import note_act
from callrouter.api.context import Backend, backend_of
from callrouter.api.forwarding.cluster_directory import ClusterDirectory, DirectoryAwayError
from callrouter.api.forwarding.pool_views import (
    HandOverError,
    chosen,
    cluster_json,
    find_pool,
)
from callrouter.api.json_answers import answer, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.bodies import HandOverBody
from callrouter.api.schemas.cluster_answers import ClusterStatusJson, HandOverJson
from callrouter.api.shared_answers import FILES
from callrouter.cluster_views import ClusterPool
from callrouter.model.text import phrase, sentence_of


def add_cluster_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/cluster", show_cluster),
            web.post("/api/cluster/hand-over", hand_over),
        ]
    )


async def show_cluster(request: web.Request) -> web.Response:
    """``GET /api/cluster``: all pools of the database, as they are now.

    The database is asked once for all who ask at the same time.

    Raises:
        ApiProblem: 404 this daemon belongs to no cluster, 503 the database can't be read.
    """
    cluster = _cluster(request)

    async def make() -> bytes:
        return encode(
            cluster_json(cluster.node, cluster.pool, await _pools(cluster), active=cluster.active)
        )

    return encoded(await request.app[FILES].answer("cluster", make))


async def hand_over(request: web.Request) -> web.Response:
    """``POST /api/cluster/hand-over``: let another node take a pool over.

    Raises:
        ApiProblem: 404 this daemon belongs to no cluster, or there is no such pool; 409 there is no
            node that could take over, or it is active already; 422 there is no such node; 503 the
            database can't be asked.
    """
    body = await read_body(request, HandOverBody)
    cluster = _cluster(request)
    pools = await _pools(cluster)
    name = body.get("pool", cluster.pool)
    try:
        pool = find_pool(pools, name)
        to = chosen(pool, body.get("to", ""))
    except HandOverError as error:
        raise ApiProblem(error.status, error.kind, sentence_of(error)) from error
    before = pool.active.name if pool.active is not None else None
    note_act(request, target=to, pool=name, before=before or "")
    try:
        await cluster.hand_over(name, to)
    except DirectoryAwayError as error:
        raise _away(error) from error
    made: HandOverJson = {"pool": name, "active": before, "to": to, "epoch": pool.epoch}
    return answer(made)


def cluster_status(backend: Backend) -> ClusterStatusJson | None:
    """Return the section of ``/api/status``; None: the daemon belongs to no cluster."""
    cluster = backend.cluster
    if cluster is None:
        return None
    known = cluster.known()
    return {
        "node": cluster.node,
        "pool": cluster.pool,
        "role": "active" if cluster.active else "standby",
        "epoch": 0 if known is None else known.epoch,
        "standbys": 0 if known is None else len(known.standbys),
        "forwarded": dict(backend.forwarded),
    }


def _cluster(request: web.Request) -> ClusterDirectory:
    cluster = backend_of(request).cluster
    if cluster is None:
        text = "this daemon belongs to no cluster; give it one with `cluster:` in callrouter.yaml"
        raise ApiProblem(404, "no-cluster", phrase("no-cluster", text))
    return cluster


async def _pools(cluster: ClusterDirectory) -> Sequence[ClusterPool]:
    try:
        return await cluster.pools()
    except DirectoryAwayError as error:
        raise _away(error) from error


def _away(error: DirectoryAwayError) -> ApiProblem:
    text = "the database can't be asked about the cluster: {error}"
    detail = phrase("cluster-database-away", text, error=sentence_of(error))
    return ApiProblem(503, "no-database", detail)
