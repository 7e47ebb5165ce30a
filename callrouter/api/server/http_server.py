"""aiohttp's server, adapted to give strangers brief answers and read no needless data.

aiohttp has no public way for some of this, so `_Server` and `_Protocol` override its
methods.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from callrouter.api.access.refused_requests import RefusedRequests
from callrouter.api.problem_json import REFUSED_REQUESTS, ApiProblem, Handler
from callrouter.http_keys import KNOWN

LINGER: Final = 1.0
"""Seconds for which the rest of an unwanted body is still read, so that an authenticated client can
read the answer before its connection is reset.
"""
HEADERS: Final = {
    "Server": "callrouter",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Default headers of every answer. No versions: they tell an attacker what to try."""
_LOGGERS: Final = ("aiohttp.server", "aiohttp.websocket", "aiohttp.web", "aiohttp.internal")


_EXPECTED: Final = "100-continue"
"""The only expectation of HTTP (RFC 9110, 10.1.1)."""
_SECURE: Final = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
"""Added over TLS: browsers will then insist on it."""


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add our headers. An aiohttp signal, sent before the head of a response.

    A handler's own values win, except for ``Server``. Answers of `_Protocol` to invalid HTTP do not
    come through here.
    """
    response.headers["Server"] = HEADERS["Server"]
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.secure:
        response.headers.setdefault(*_SECURE)


class AiohttpLogFilter:
    """Applies the rate limits of `RefusedRequests` to aiohttp's own loggers.

    The filters hang on loggers of the whole process: `leave` must follow `listen`, or they stay.
    """

    def __init__(self, refusals: RefusedRequests) -> None:
        self._refusals = refusals

    def listen(self) -> None:
        """Start filtering."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self.filter)

    def leave(self) -> None:
        """Stop filtering."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self.filter)

    async def leave_with(self, _app: web.Application) -> None:
        """Stop filtering. An aiohttp signal, sent when the application is done."""
        self.leave()

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop tracebacks for invalid HTTP: it is answered 400, and any stranger can send it.

        Other lines are limited by their logger and the text before its arguments are filled in.

        Returns:
            Whether the line is logged.
        """
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            return False
        return bool(self._refusals.worth_a_line(f"{record.name} {record.msg}"[:100]))


class _Protocol(RequestHandler):
    """aiohttp's protocol of one connection, with our own answers to invalid HTTP."""

    __slots__ = ("_refusals",)

    def __init__(self, refusals: RefusedRequests, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusals = refusals

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that never reached a route or failed outside one.

        Called by aiohttp.

        Args:
            request: the request, as far as it could be read.
            status: aiohttp's choice of the status. It is not used.
            exc: what went wrong; None: the request was no HTTP.
            message: aiohttp's words. They are not used, since they repeat what a stranger sent.

        Raises:
            ConnectionError: nothing can be answered, because the client is gone or an answer has begun.
        """
        if isinstance(exc, ConnectionError):
            raise exc  # the client is gone: there is nothing left to answer
        if exc is not None and not isinstance(exc, HttpProcessingError):
            self._refusals.failed(request, exc)
            problem = ApiProblem(500, "fault", "a fault in callrouter; its log has the details")
        elif isinstance(exc, LineTooLong):
            problem = ApiProblem(431, "head-too-large", "the head of the request is too large")
            self._refusals.refused(problem.kind, problem.status, request)
        else:
            problem = ApiProblem(400, "not-http", "this is not an HTTP/1.1 request")
            self._refusals.refused(problem.kind, problem.status, request)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = problem.response()
        response.headers.update(HEADERS)
        response.force_close()
        return response


class _Server(web.Server):
    """Creates a `_Protocol` for each connection."""

    def __init__(self, refusals: RefusedRequests, made: web.Server) -> None:
        super().__init__(self._answer, request_factory=made.request_factory, **made._kwargs)
        self._refusals = refusals
        self._inner = made.request_handler

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request.

        aiohttp handles ``Expect`` before any of our middlewares, and cannot write an answer to one
        that is no UTF-8.
        """
        if request.headers.get("Expect", _EXPECTED).lower() == _EXPECTED:
            return await self._inner(request)
        problem = ApiProblem(417, "unknown-expectation", "the only one is 100-continue")
        self._refusals.refused(problem.kind, problem.status, request)
        response = problem.response()
        await _hang_up(request, response)
        return response

    def __call__(self) -> RequestHandler:
        return _Protocol(self._refusals, self, loop=self._loop, **self._kwargs)


class HttpRunner(web.AppRunner):
    """Runs the application.

    Bodies are passed on as received: compressed ones are refused, so none is unpacked.
    """

    def __init__(self, app: web.Application, *, keepalive_timeout: float) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            keepalive_timeout=keepalive_timeout,
            lingering_time=LINGER,
            auto_decompress=False,
        )

    async def _make_server(self) -> web.Server:
        return _Server(self.app[REFUSED_REQUESTS], await super()._make_server())


@web.middleware
async def read_no_more(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do not read a stranger's body: close the connection with the answer.

    A stranger is a client whose request was not authenticated (`KNOWN` is not set). Without this,
    aiohttp would read on to keep the connection usable. An answer that has begun is left alone.
    """
    response = await handler(request)
    if request.can_read_body and not request.get(KNOWN, False) and not response.prepared:
        await _hang_up(request, response)
    return response


async def _hang_up(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send an answer and close the connection without reading any further data.

    A client that is gone already is no error.
    """
    response.force_close()
    with contextlib.suppress(ConnectionError):  # gone before its answer
        await response.prepare(request)
        await response.write_eof()
    request.protocol.force_close()
