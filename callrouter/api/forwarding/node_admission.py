"""Takes requests in that another node of the cluster has passed on."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from callrouter.api.access.auth import WRONG_TOKENS
from callrouter.api.context import BACKEND
from callrouter.api.forwarding.node_passes import HEADER, PASSED_ON, PassReader
from callrouter.api.problem_json import ApiProblem, Handler

PASS_READER: Final = web.AppKey("pass-reader", PassReader)


@web.middleware
async def see_node(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a request with a good pass as its client's own: with the client's address.

    Args:
        request: any request. Without a cluster, the header of passes means nothing.
        handler: the next middleware.
    """
    cluster = request.app[BACKEND].cluster
    if cluster is None or HEADER not in request.headers:
        return await handler(request)
    texts = request.headers.getall(HEADER)
    found = request.app[PASS_READER].read(
        cluster.key,
        texts[0] if len(texts) == 1 else "",
        run=cluster.run_id,
        method=request.method,
        target=request.raw_path,
    )
    if found is not None:
        request = request.clone(remote=found.client)
        request[PASSED_ON] = found
    return await handler(request)


@web.middleware
async def refuse_wrong_pass(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request whose pass is not good. It is counted and delayed like a wrong token.

    Args:
        request: any request.
        handler: the next middleware.

    Raises:
        ApiProblem: 403, or 429 if too many come from this address.
    """
    cluster = request.app[BACKEND].cluster
    if cluster is not None and HEADER in request.headers and PASSED_ON not in request:
        if await request.app[WRONG_TOKENS].refused(request.remote):
            detail = "too many requests with wrong passes come from your address"
            raise ApiProblem(429, "too-many-wrong-tokens", detail, {"Retry-After": "60"})
        detail = (
            f"{HEADER} is for requests between the nodes of one cluster, and this one is no pass"
        )
        raise ApiProblem(403, "wrong-node-pass", detail)
    return await handler(request)
