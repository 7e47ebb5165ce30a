"""The web application.

`make_app` puts the routes, the middlewares and what they share together. `HttpServer` serves them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from callrouter.api.access.acts import record_acts
from callrouter.api.access.auth import (
    API_TOKENS,
    SCREENS,
    SELF_AUTHENTICATED,
    SESSIONS,
    TICKETS,
    WRONG_TOKENS,
    authorize,
    holds,
)
from callrouter.api.access.logins import Logins
from callrouter.api.access.people import People
from callrouter.api.access.proxies import see_client
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tickets import Tickets
from callrouter.api.access.tokens import ApiTokens, WrongTokens
from callrouter.api.access.wall_screens import WallScreens
from callrouter.api.changes import ChangeFeed
from callrouter.api.context import BACKEND, Backend
from callrouter.api.editing.large_bodies import LARGE_BODIES, LargeBodies
from callrouter.api.forwarding.node_admission import PASS_READER, refuse_wrong_pass, see_node
from callrouter.api.forwarding.node_passes import PassReader
from callrouter.api.forwarding.request_forwarder import FORWARDER, Forwarder, pass_on
from callrouter.api.live import CHANGES, LIVE, LiveViews, live
from callrouter.api.metrics import Metrics
from callrouter.api.problem_json import REFUSED_REQUESTS, answer_errors
from callrouter.api.routes.agent_routes import add_agent_routes
from callrouter.api.routes.audit_routes import add_audit_routes
from callrouter.api.routes.call_routes import add_call_routes
from callrouter.api.routes.cluster_routes import add_cluster_routes
from callrouter.api.routes.config_routes import add_config_routes
from callrouter.api.routes.conversation_routes import add_conversation_routes
from callrouter.api.routes.device_routes import add_device_routes
from callrouter.api.routes.editor_routes import add_editor_routes
from callrouter.api.routes.explain_routes import add_why_routes
from callrouter.api.routes.oidc_routes import add_oidc_routes
from callrouter.api.routes.page_routes import add_page_routes
from callrouter.api.routes.record_routes import add_record_routes
from callrouter.api.routes.report_routes import add_report_routes
from callrouter.api.routes.screen_routes import add_screen_routes
from callrouter.api.routes.session_routes import LOGINS, add_session_routes
from callrouter.api.routes.status_routes import add_status_routes
from callrouter.api.server.connection_limit import (
    IDLE,
    LIMITER,
    ConnectionLimiter,
    most_connections,
    report_to_limiter,
)
from callrouter.api.server.http_server import (
    AiohttpLogFilter,
    HttpRunner,
    add_headers,
    read_no_more,
)
from callrouter.api.server.refusal_pace import PACE, RefusalPace, delay_refusals
from callrouter.api.server.sockets import BACKLOG, ONE_AT_A_TIME, ListeningSockets
from callrouter.api.shared_answers import (
    EDITS,
    EDITS_REST,
    FILES,
    FILES_APART,
    FILES_FREE,
    FILES_REST,
    LISTS,
    LISTS_REST,
    RATES,
    REPORTS,
    REPORTS_REST,
    RateLimits,
    SharedAnswers,
)
from callrouter.api.watched_reports import WATCHED, WatchedReports

MOST_BYTES: Final = 64 * 1024
"""Size limit of a request body."""


def make_app(
    backend: Backend,
    tokens: ApiTokens,
    watchers: LiveViews,
    doors: Sequence[web.RouteDef] = (),
    changes: ChangeFeed | None = None,
) -> web.Application:
    """Create the application.

    Args:
        backend: the daemon.
        tokens: the API tokens in force. Live views whose token is removed are closed.
        watchers: the live views. The caller connects them to the runtime.
        doors: routes of other parts, such as the webhooks of a PBX. They authenticate requests
            themselves.
        changes: the feed of changes. The caller connects it to the runtime. None: one that hears
            of nothing.
    """
    app = web.Application(
        middlewares=[
            see_node,
            see_client,
            report_to_limiter,
            read_no_more,
            delay_refusals,
            record_acts,
            answer_errors,
            refuse_wrong_pass,
            pass_on,
            authorize,
        ],
        client_max_size=MOST_BYTES,
    )
    app[LIMITER] = []
    app[BACKEND] = backend
    app[REFUSED_REQUESTS] = backend.refusals
    app[API_TOKENS] = tokens
    app[WRONG_TOKENS] = WrongTokens(backend.refusals.delayed)
    app[PACE] = RefusalPace(backend.refusals.delayed)
    app[SESSIONS] = backend.sessions or Sessions(People(), backend.clock)
    app[LOGINS] = backend.logins or Logins(app[SESSIONS].people, backend.clock)
    app[TICKETS] = Tickets(backend.clock)
    app[RATES] = RateLimits()
    app[LISTS] = SharedAnswers(LISTS_REST)
    app[FILES] = SharedAnswers(FILES_REST, FILES_APART, FILES_FREE)
    app[REPORTS] = SharedAnswers(REPORTS_REST)
    app[EDITS] = SharedAnswers(EDITS_REST)
    app[LARGE_BODIES] = LargeBodies()
    app[WATCHED] = WatchedReports()
    app[LIVE] = watchers
    app[CHANGES] = changes or ChangeFeed(backend.views, backend.clock)
    app[SCREENS] = backend.screens or WallScreens(backend.clock)

    if backend.cluster is not None:
        app[PASS_READER] = PassReader()
        app[FORWARDER] = Forwarder(backend.cluster, backend.forwarded)
        app.on_shutdown.append(app[FORWARDER].close)

    def close_those_over() -> None:
        watchers.check(partial(holds, app))

    app[SESSIONS].changed = app[SCREENS].changed = tokens.changed = close_those_over
    _add_routes(app)
    app.router.add_get("/metrics", Metrics(backend).answer)
    app.router.add_routes(doors)
    app[SELF_AUTHENTICATED] = frozenset(door.path for door in doors)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_goodbye)
    quiet = AiohttpLogFilter(backend.refusals)
    quiet.listen()
    app.on_cleanup.append(quiet.leave_with)
    return app


def _add_routes(app: web.Application) -> None:
    add_page_routes(app)
    add_status_routes(app)
    add_cluster_routes(app)
    add_session_routes(app)
    add_oidc_routes(app)
    add_screen_routes(app)
    add_agent_routes(app)
    add_call_routes(app)
    add_why_routes(app)
    add_record_routes(app)
    add_report_routes(app)
    add_audit_routes(app)
    add_config_routes(app)
    add_editor_routes(app)
    add_device_routes(app)
    add_conversation_routes(app)
    app.router.add_get("/api/live", live)


async def _goodbye(app: web.Application) -> None:
    app[CHANGES].close()
    await app[LIVE].close()


def make_runner(app: web.Application) -> web.AppRunner:
    """Create the runner of the application. It waits `IDLE` seconds for a request.

    It keeps a connection for as long between two requests. The caller sets it up and cleans it up.
    """
    return HttpRunner(app, keepalive_timeout=IDLE)


async def open_tcp(runner: web.AppRunner, listening: ListeningSockets) -> None:
    """Serve the open sockets, with a limit of connections. From here on the runner closes them.

    Args:
        runner: the runner of the application.
        listening: the sockets.

    Raises:
        RuntimeError: the runner is not set up.
    """
    if runner.server is None:
        raise RuntimeError("set the runner up first")
    limiter = ConnectionLimiter(runner.server, most_connections(), listening.tls)
    runner.app[LIMITER].append(limiter)
    for sock in listening.sockets:
        await _Site(runner, sock, listening, limiter).start()


class HttpServer:
    """Serves the application on TCP and on the command line's Unix socket.

    The sockets listen already. Clients that connect before `start` wait in the listen backlog and
    are answered afterwards.

    Args:
        app: the application.
        listening: the TCP side.
        local: the Unix socket.
    """

    def __init__(
        self, app: web.Application, listening: ListeningSockets, local: socket.socket
    ) -> None:
        self._runner = make_runner(app)
        self._listening = listening
        self._local = local

    async def start(self) -> None:
        """Begin to answer.

        TCP is opened first, then the Unix socket.
        """
        await self._runner.setup()
        await open_tcp(self._runner, self._listening)
        await web.SockSite(self._runner, self._local, backlog=ONE_AT_A_TIME).start()
        self._local.listen(BACKLOG)

    async def close(self) -> None:
        """Stop answering, and close the TCP side even if it was never served.

        Live views are told to go, then the application is cleaned up.
        """
        await self._runner.cleanup()
        self._listening.close()


class _Site(web.BaseSite):
    """One listening TCP socket.

    aiohttp's own sites let no protocol factory but the server's be used; the limiter is one.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        sock: socket.socket,
        listening: ListeningSockets,
        limiter: ConnectionLimiter,
    ) -> None:
        super().__init__(runner)
        self._sock = sock
        self._limiter = limiter
        self._url = listening.url

    @property
    def name(self) -> str:
        return self._url

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._limiter, sock=self._sock, backlog=ONE_AT_A_TIME
        )
        self._sock.listen(BACKLOG)
