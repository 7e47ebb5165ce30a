"""A standby passes every request on to the active node of its pool, and the answer back.

Its own are only what is about the node itself (`_is_own`). The target comes from the database, never
from the request. A request that another node has passed on is not passed on again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, get_args

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from callrouter.api.access.auth import SELF_AUTHENTICATED, identify, peer_uid
from callrouter.api.context import BACKEND
from callrouter.api.forwarding.cluster_directory import ClusterDirectory
from callrouter.api.forwarding.live_bridge import (
    BEGUN,
    CLOSE_WITHIN,
    HEARTBEAT,
    MOST_OF_MESSAGE,
    bridge,
    wants_websocket,
)
from callrouter.api.forwarding.node_link import NodeLink, NotSwitchedError, address_of
from callrouter.api.forwarding.node_passes import HEADER, PASSED_ON, LocalUser, PassWriter
from callrouter.api.forwarding.passed_body import MOST_BYTES, PassedBody, too_large
from callrouter.api.forwarding.passed_headers import answer_headers, request_headers
from callrouter.api.problem_json import ApiProblem, Handler
from callrouter.api.server.connection_limit import most_connections
from callrouter.cluster_views import ClusterNode
from callrouter.http_keys import KNOWN
from callrouter.model.text import phrase
from callrouter.settings import Role
from callrouter.tasks import Tasks
from callrouter.transports import cut

logger = logging.getLogger(__name__)

WEBHOOK_WAITS: Final = 8.0
"""Seconds for which a webhook waits for an active node: longer than a take-over, and shorter than the
15 s after which Twilio gives up."""
REQUEST_WAITS: Final = 2.0
"""Seconds for which any other request does: longer than a hand-over."""
MOST_WAITING: Final = 300
"""Webhooks that wait at a time; of other requests half as many."""
SAY_EVERY: Final = 60.0
"""Seconds between two log lines about an active node that cannot be reached."""
_LOOK_EVERY: Final = 0.2
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OWN: Final = frozenset({"/healthz", "/metrics"})
_CLUSTER: Final = "/api/cluster"
_PAGE: Final = "/page/"
_WITHOUT_BODY: Final = frozenset({204, 304})


class Forwarder:
    """Passes requests on.

    Args:
        cluster: the cluster as this node sees it.
        counts: counts the requests that were passed on (``passed``), that failed (``failed``) and
            that found no active node (``no-active-node``).
    """

    def __init__(self, cluster: ClusterDirectory, counts: Counter[str]) -> None:
        self._cluster = cluster
        self._passes = PassWriter(cluster.node)
        self._link = NodeLink()
        self._under_way: dict[asyncio.Timeout, str] = {}
        """Requests under way, with the run of the node that they are at."""
        self._tasks = Tasks()
        self._closed = False
        self._waiting = 0
        self._said = float("-inf")
        self._counts = counts

    async def close(self, _app: web.Application | None = None) -> None:
        """Cut the requests under way. An aiohttp signal, sent when the application stops."""
        self._closed = True
        await self._tasks.close()
        self._cut(set(self._under_way.values()))
        await self._link.close()

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a request on.

        Args:
            request: the request.
            handler: answers it here, if this node has become the active one in the meantime.

        Raises:
            ApiProblem: 400, 403, 408 or 413 the request cannot be passed on; 502 the active node broke
                off; 503 there is none, or it cannot be reached.
        """
        webhook = request.path in request.app[SELF_AUTHENTICATED]
        with self._patience(webhook=webhook) as deadline:
            while True:
                try:
                    if self._cluster.active:
                        return await handler(request)
                    return await self._pass(request)
                except _NotReachedError as error:
                    if asyncio.get_running_loop().time() >= deadline:
                        self._counts["no-active-node"] += 1
                        raise error.problem from error
                await asyncio.sleep(_LOOK_EVERY)

    @contextmanager
    def _patience(self, *, webhook: bool) -> Iterator[float]:
        """Give the time until which a request may wait for an active node.

        A webhook waits for longer: nothing sends it a second time, and its caller would hear that
        the call has failed.
        """
        now = asyncio.get_running_loop().time()
        if self._waiting >= (MOST_WAITING if webhook else MOST_WAITING // 2):
            yield now
            return
        self._waiting += 1
        try:
            yield now + (WEBHOOK_WAITS if webhook else REQUEST_WAITS)
        finally:
            self._waiting -= 1

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if self._closed:  # it came on a connection that was open before
            raise _unavailable(f"{self._cluster.node} is stopping, or about to serve the pool")
        node, key = self._cluster.active_node(), self._cluster.key
        # A request that was passed on already came to the node that is about to serve.
        if node is None or node.name == self._cluster.node or PASSED_ON in request:
            raise _NotReachedError(no_active_node(self._cluster.pool))
        if not key:
            detail = f"{self._cluster.node} has not read the key of the nodes from the database yet"
            raise _NotReachedError(_unavailable(detail))
        address = address_of(node.url, request.raw_path)
        if (request.content_length or 0) > MOST_BYTES:
            raise too_large()
        if len(self._under_way) >= most_connections() // 2:
            raise ApiProblem(
                503,
                "busy",
                phrase("forwarding-busy", "too many requests are being passed on; try again"),
            )
        headers = self._headers(request, key, node)
        async with self._while_at(node, request):
            if wants_websocket(request):
                return await self._pass_websocket(request, address, headers)
            return await self._pass_request(request, address, headers)

    def _headers(self, request: web.Request, key: bytes, node: ClusterNode) -> CIMultiDict[str]:
        headers = request_headers(request.headers)
        uid = peer_uid(request)
        local = None if uid is None else _local_user(request, uid)
        client = "" if uid is not None else request.remote or ""
        headers[HEADER] = self._passes.write(
            key,
            to=node.run_id,
            method=request.method,
            target=request.raw_path,
            client=client,
            local=local,
        )
        if client:
            headers["X-Forwarded-For"] = client
        if host := request.headers.get("Host"):
            headers["Host"] = host
        return headers

    @asynccontextmanager
    async def _while_at(self, node: ClusterNode, request: web.Request) -> AsyncIterator[None]:
        """Let a request go on for as long as the node that it is at serves the pool.

        Raises:
            ApiProblem: 502, another node serves it now.
            ConnectionResetError: so it is, and the answer had begun.
        """
        if not len(self._tasks):
            self._tasks.spawn(self._watch(), "whether requests are in vain")
        try:
            async with asyncio.timeout(None) as limit:
                self._under_way[limit] = node.run_id
                try:
                    yield
                finally:
                    del self._under_way[limit]
        except TimeoutError as error:
            if request.get(BEGUN, False):
                cut(request.transport)
                raise ConnectionResetError("the active node is another one now") from error
            raise _broke_off() from error

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            node = self._cluster.active_node()
            if node is not None or self._cluster.active:
                now = node.run_id if node is not None and not self._cluster.active else ""
                self._cut(set(self._under_way.values()) - {now})

    def _cut(self, runs: set[str]) -> None:
        """End the requests that are at these runs of nodes."""
        for limit, run in list(self._under_way.items()):
            if run in runs:
                with suppress(RuntimeError):  # it has just ended
                    limit.reschedule(asyncio.get_running_loop().time())

    async def _pass_websocket(
        self, request: web.Request, address: URL, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        try:
            async with self._link.websockets().ws_connect(
                address,
                headers=headers,
                max_msg_size=MOST_OF_MESSAGE,
                heartbeat=HEARTBEAT,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
            ) as upstream:
                request[KNOWN] = True
                self._counts["passed"] += 1
                return await bridge(request, upstream)
        except NotSwitchedError as refused:
            self._counts["passed"] += 1
            return web.Response(
                status=refused.status, body=refused.body, headers=answer_headers(refused.headers)
            )
        except aiohttp.ClientError as error:
            raise self._failed(error) from error

    async def _pass_request(
        self, request: web.Request, address: URL, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        body = PassedBody(request) if request.body_exists else None
        if body is not None and request.content_length is not None:
            headers["Content-Length"] = str(request.content_length)
        try:
            async with self._link.http().request(
                request.method,
                address,
                headers=headers,
                data=None if body is None else body.pieces(),
                allow_redirects=False,
            ) as answer:
                self._counts["passed"] += 1
                return await _pass_back(request, answer)
        except (ValueError, aiohttp.InvalidURL) as error:
            # A header or an address with characters that cannot be written.
            raise ApiProblem(400, "not-http", "the request cannot be passed on as it is") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            if body is not None and body.problem is not None:
                raise body.problem from error
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Exception:
        """Return what a failure of the link to the active node is told as."""
        self._counts["failed"] += 1
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            self._say(error)
            return _NotReachedError(
                _unavailable("the active node cannot be reached now; try again")
            )
        return _broke_off()

    def _say(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said >= SAY_EVERY:
            self._said = now
            logger.warning("http: requests cannot be passed on to the active node: %s", error)


class _NotReachedError(Exception):
    """The request has not reached an active node, so it can be tried again."""

    def __init__(self, problem: ApiProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def no_active_node(pool: str) -> ApiProblem:
    """Return the answer while no node serves the pool."""
    return _unavailable(
        f"no node is active for pool {pool} now; a standby takes over within seconds"
    )


def _unavailable(detail: str) -> ApiProblem:
    return ApiProblem(503, "no-active-node", detail, {"Retry-After": "1"})


def _broke_off() -> ApiProblem:
    detail = phrase(
        "node-broke-off",
        "the active node broke off before it answered; what was asked for may have been done",
    )
    return ApiProblem(502, "node-broke-off", detail)


async def _pass_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass an answer back piece by piece, as fast as both sides take it."""
    if answer.status not in {401, 429}:
        request[KNOWN] = True  # the active node knows who asks, so the rest of a body may be read
    response = web.StreamResponse(status=answer.status, headers=answer_headers(answer.headers))
    length = answer.headers.get("Content-Length")
    if length is not None and answer.status not in _WITHOUT_BODY:
        response.content_length = int(length)
    request[BEGUN] = True
    await response.prepare(request)
    try:
        if request.method != "HEAD" and answer.status not in _WITHOUT_BODY:
            async for piece in answer.content.iter_any():
                await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError, asyncio.CancelledError) as error:
        cut(request.transport)  # or the client would take a part for the whole
        if isinstance(error, asyncio.CancelledError):
            raise
    return response


def _local_user(request: web.Request, uid: int) -> LocalUser | None:
    """Return who is at our socket, as what the socket's rules make of the user there.

    None: the request shows other credentials, such as a ticket.

    Raises:
        ApiProblem: 401 or 403, as for a request that is answered here.
    """
    if "ticket" in request.query:
        return None
    caller = identify(request)
    for role in get_args(Role):
        if caller.local and caller.role == role:
            return LocalUser(
                name=caller.name, role=role, user=caller.user, agent=caller.agent, uid=uid
            )
    return None


def _is_own(request: web.Request, cluster: ClusterDirectory) -> bool:
    """Return whether a standby answers a request itself.

    What the cluster's nodes are is answered to callers who can be recognized here: sessions are known
    to the active node alone. The page's files come from the active node, so that they fit its answers;
    without one, the page says what is wrong.
    """
    if request.path in _OWN or request.method not in _METHODS:
        return True
    if cluster.active_node() is None:
        shown = request.path == "/" or request.path.startswith(_PAGE)
        if shown or request.path.startswith(_CLUSTER):
            return True
    by_token = "Authorization" in request.headers or peer_uid(request) is not None
    return request.path == _CLUSTER and by_token


@web.middleware
async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass a request on if this node is a standby.

    Args:
        request: any request.
        handler: the next middleware, or the route's handler.

    Raises:
        ApiProblem: those of `Forwarder.answer`.
    """
    cluster = request.app[BACKEND].cluster
    if cluster is None or cluster.active or _is_own(request, cluster):
        return await handler(request)
    return await request.app[FORWARDER].answer(request, handler)


FORWARDER: Final = web.AppKey("forwarder", Forwarder)
