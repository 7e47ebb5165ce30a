"""Errors as ``application/problem+json`` (RFC 9457). The `type` strings are stable, for scripts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from callrouter.api.access.refused_requests import RefusedRequests
from callrouter.api.json_values import phrase_json
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.model.text import Phrase, clean, phrase, sentence_of, unless_cut

TYPE: Final = "urn:callrouter:problem:"


class ApiProblem(Exception):  # noqa: N818 - named for what it is in the RFC
    """An error answer to a request.

    Args:
        status: the HTTP status.
        kind: the stable end of `type`, such as ``unknown-agent``.
        detail: what is wrong and what would be right, in words; with a code if pages show it.
        headers: additional response headers.
        members: further members of the answer, for programs.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: dict[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.members = members or {}

    def response(self, *, coded: bool = False) -> web.Response:
        """Return the response to send; `coded`: with the code of the detail.

        Control characters in the detail are replaced, since it may repeat what a client sent. Then it
        has no code, whose values would have them.
        """
        detail = unless_cut(self.detail, clean(self.detail))
        said = (
            {"detail_phrase": phrase_json(detail)} if coded and isinstance(detail, Phrase) else {}
        )
        body = {
            "type": TYPE + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": detail,
            **said,
            **self.members,
        }
        return web.Response(
            status=self.status,
            body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
            content_type="application/problem+json",
            headers=self.headers,
        )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


REFUSED_REQUESTS: Final = web.AppKey("refusals", RefusedRequests)
"""Counts refusals and faults."""
PROBLEM_KIND: Final = web.RequestKey("problem-kind", str)
"""Why a request was refused: the end of the problem's `type`."""


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as a problem, without revealing details of internal faults.

    Args:
        request: any request.
        handler: the next middleware, or the route's handler. It may raise `ApiProblem` and
            `UnknownIdError` (404); anything else that is not aiohttp's own is a fault of ours (500).
    """
    refusals = request.app[REFUSED_REQUESTS]
    try:
        return await handler(request)
    except ApiProblem as raised:
        problem = raised
    except UnknownIdError as unknown:
        problem = ApiProblem(404, f"unknown-{unknown.what}", sentence_of(unknown))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        problem = _from_aiohttp(request, error)
    except (web.RequestPayloadError, HttpProcessingError):
        problem = ApiProblem(400, "bad-body", "the body is not framed as HTTP/1.1 has it")
    except Exception as error:  # noqa: BLE001 - logged with its traceback by `failed`
        if isinstance(error, ConnectionError) and _gone(request):
            # No client will read it; a client that hangs up is not our fault.
            return web.Response(status=400)
        refusals.failed(request, error)
        request[PROBLEM_KIND] = "fault"
        return ApiProblem(
            500, "fault", phrase("fault", "a fault in callrouter; its log has the details")
        ).response()
    refusals.refused(problem.kind, problem.status, request)
    request[PROBLEM_KIND] = problem.kind
    return problem.response(coded=_speaks_another_language(request))


def _speaks_another_language(request: web.Request) -> bool:
    """Return whether a request comes from a page in another language than that of the details."""
    return not request.headers.get("Accept-Language", "en").startswith("en")


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> ApiProblem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} can't be done here; {allowed} can"
        return ApiProblem(405, "method-not-allowed", detail, {"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return ApiProblem(
            413, "too-large", phrase("body-too-large", "the body is larger than 64 KiB")
        )
    if error.status == 404:
        detail = f"there is nothing at {request.path[:200]}; see /api/openapi.json"
        return ApiProblem(404, "unknown-path", detail)
    return ApiProblem(error.status, "bad-request", HTTPStatus(error.status).description)
