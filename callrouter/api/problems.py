"""Errors as ``application/problem+json`` (RFC 9457). The `type` strings are stable: scripts may rely on them."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from callrouter.logs import clean

logger = logging.getLogger(__name__)

TYPE: Final = "urn:callrouter:problem:"


class ApiProblem(Exception):  # noqa: N818 - named for what it is in the RFC
    """What is wrong with a request, for whoever made it.

    Args:
        status: the HTTP status.
        kind: the stable end of `type`, such as ``unknown-agent``.
        detail: what is wrong and what would be right, in words.
        headers: to be sent along.
    """

    def __init__(
        self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}

    def response(self) -> web.Response:
        """The answer to be sent."""
        body = {
            "type": TYPE + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": clean(self.detail),
        }
        return web.Response(
            status=self.status,
            body=json.dumps(body, ensure_ascii=False).encode(),
            content_type="application/problem+json",
            headers=self.headers,
        )


def not_found(what: str, name: str) -> ApiProblem:
    """There is no agent, queue or call of this name."""
    return ApiProblem(404, f"unknown-{what}", f"there is no {what} '{name[:80]}'")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def speak_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as a problem, and tell nobody outside of our own faults' insides."""
    try:
        return await handler(request)
    except ApiProblem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _from_aiohttp(request, error).response()
    except Exception as error:
        if isinstance(error, ConnectionError) and _gone(request):
            return web.Response(status=400)  # nobody reads it; to hang up is no fault of ours
        logger.exception("%s %s failed", request.method, request.path)
        return ApiProblem(500, "fault", "a fault in callrouter; its log has the details").response()


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> ApiProblem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} can't be done here; {allowed} can"
        return ApiProblem(405, "method-not-allowed", detail, {"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return ApiProblem(413, "too-large", "the body is larger than 64 KiB")
    if error.status == 404:
        detail = f"there is nothing at {request.path[:200]}; see /api/openapi.json"
        return ApiProblem(404, "unknown-path", detail)
    return ApiProblem(error.status, "bad-request", error.reason)
