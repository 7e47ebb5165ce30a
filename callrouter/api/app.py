"""The web application, and where it listens."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from callrouter.api.auth import DOORS, TOKENS, Tokens, authorize
from callrouter.api.backend import Backend
from callrouter.api.configroutes import add_config_routes
from callrouter.api.deviceroutes import add_device_routes
from callrouter.api.doorkeeper import (
    HANDSHAKE,
    IDLE,
    KEEPER,
    Doorkeeper,
    most_connections,
    seen_by_the_doorkeeper,
)
from callrouter.api.live import LIVE, Live, live
from callrouter.api.problems import Handler, speak_problems
from callrouter.api.routes import BACKEND, add_routes
from callrouter.api.whyroutes import add_why_routes
from callrouter.settings import HttpSettings

MOST_BYTES: Final = 64 * 1024
"""The largest body that is taken."""


class CannotListen(Exception):  # noqa: N818 - named for what happened
    """The HTTP side cannot be opened; `str()` says why and what to do."""


def make_app(
    backend: Backend, tokens: Tokens, watchers: Live, doors: Sequence[web.RouteDef] = ()
) -> web.Application:
    """The application; the caller makes `watchers` listen to the runtime.

    `doors` are routes of others, such as a PBX that calls us, who check by themselves who asks.
    """
    app = web.Application(
        middlewares=[seen_by_the_doorkeeper, speak_problems, authorize, _never_cached],
        client_max_size=MOST_BYTES,
    )
    app[KEEPER] = []
    app[BACKEND] = backend
    app[TOKENS] = tokens
    app[LIVE] = watchers
    add_routes(app)
    add_why_routes(app)
    add_config_routes(app)
    add_device_routes(app)
    app.router.add_get("/api/live", live)
    app.router.add_get("/metrics", backend.metrics.answer)
    app.router.add_routes(doors)
    app[DOORS] = frozenset(door.path for door in doors)
    app.on_shutdown.append(_goodbye)
    logging.getLogger("aiohttp.server").addFilter(_no_strangers_noise)
    return app


def _no_strangers_noise(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP are answered 400, and are worth no traceback: anybody can send them."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _goodbye(app: web.Application) -> None:
    await app[LIVE].close()


@web.middleware
async def _never_cached(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if not response.prepared:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def tls_context(http: HttpSettings) -> ssl.SSLContext | None:
    """What HTTPS needs; None when no certificate is configured.

    Raises:
        CannotListen: the certificate or its key cannot be used.
    """
    if http.certificate is None or http.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(http.certificate, http.key)
    except (OSError, ssl.SSLError) as error:
        raise CannotListen(
            f"http.tls: {http.certificate} with {http.key} cannot be used ({error.strerror or error})"
        ) from error
    return context


def make_runner(app: web.Application) -> web.AppRunner:
    """What serves the application; `doorkeeper.IDLE` is how long it waits for a request."""
    return web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=IDLE)


async def listen_tcp(runner: web.AppRunner, http: HttpSettings) -> str:
    """Open the TCP side; returns its URL.

    Raises:
        CannotListen: the address is in use, is not ours, or the certificate cannot be used.
    """
    tls = tls_context(http)
    place = f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"
    site = _Site(runner, http, tls)
    try:
        await site.start()
    except OSError as error:
        raise CannotListen(_why(place, error)) from error
    return site.name


class _Site(web.BaseSite):
    """The TCP side, with a doorkeeper."""

    def __init__(
        self, runner: web.AppRunner, http: HttpSettings, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(runner, ssl_context=tls)
        self._http = http
        assert runner.server is not None  # noqa: S101 - BaseSite has refused that
        self._keeper = Doorkeeper(runner.server, most_connections())
        runner.app[KEEPER].append(self._keeper)

    @property
    def name(self) -> str:
        host = f"[{self._http.host}]" if ":" in self._http.host else self._http.host
        return f"{'https' if self._ssl_context else 'http'}://{host}:{self._http.port}"

    async def start(self) -> None:
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._keeper,
            self._http.host,
            self._http.port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=HANDSHAKE if self._ssl_context else None,
            reuse_address=True,
        )


def _why(place: str, error: OSError) -> str:
    what = "set http.listen in callrouter.yaml"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{place} is in use: {what} or stop what uses it"
        case errno.EACCES:
            return f"{place} is not allowed to this user: {what} to a port above 1023"
        case errno.EADDRNOTAVAIL:
            return f"{place} is not an address of this machine: {what}"
        case _:
            return f"cannot listen on {place} ({error.strerror or error}): {what}"
