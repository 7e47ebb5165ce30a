"""``/api/log-in`` and ``/api/oidc/…``: how people can log in, and the way through a provider."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from callrouter.api.access.acts import note_act
from callrouter.api.access.auth import SESSIONS
from callrouter.api.access.sessions import COOKIE, TooManySessionsError
from callrouter.api.context import backend_of
from callrouter.api.json_answers import answer
from callrouter.api.oidc.oidc_error import OidcError
from callrouter.api.oidc.oidc_logins import CALLBACK, COOKIE_FOR_LOG_IN, LASTS, OidcLogins
from callrouter.api.problem_json import REFUSED_REQUESTS, ApiProblem
from callrouter.api.routes.session_routes import set_session_cookie
from callrouter.api.schemas.session_answers import LogInWaysJson

logger = logging.getLogger(__name__)

FAILED: Final = "/#log-in-failed/"
"""The page, which says in words why a log-in failed: the word for it follows."""
_LONGEST: Final = 4096
"""Characters of a value in the provider's answer."""


def add_oidc_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/log-in", ways),
            web.get("/api/oidc/log-in", begin),
            web.get(CALLBACK, finish),
            web.get("/api/oidc/log-out", log_out_there),
        ]
    )


async def ways(request: web.Request) -> web.Response:
    """``GET /api/log-in``: whether the browser has a session, and how a person can log in.

    Open to all: the page asks before anyone has logged in.
    """
    logins = backend_of(request).oidc
    provider = logins.provider if logins is not None else None
    secret = request.cookies.get(COOKIE, "")
    view: LogInWaysJson = {
        "session": bool(secret) and request.app[SESSIONS].caller(secret) is not None,
        "oidc": None
        if provider is None
        else {"name": provider.name or urlsplit(provider.issuer).hostname or provider.issuer},
    }
    return answer(view)


def _logins(request: web.Request) -> OidcLogins:
    found = backend_of(request).oidc
    if found is None or found.provider is None:
        detail = "no provider of OpenID Connect is configured: see http.oidc"
        raise ApiProblem(404, "no-oidc", detail)
    return found


async def begin(request: web.Request) -> web.Response:
    """``GET /api/oidc/log-in``: send the browser to the provider.

    Raises:
        ApiProblem: 404, no provider is configured.
    """
    try:
        begun = await _logins(request).begin()
    except OidcError as error:
        return _failed(request, error)
    response = web.Response(status=303, headers={"Location": begun.url})
    # Lax: the provider's page leads back to us, which is no request of our own page.
    response.set_cookie(
        COOKIE_FOR_LOG_IN, begun.cookie, max_age=int(LASTS), path="/", secure=True, httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return response


async def finish(request: web.Request) -> web.Response:
    """``GET /api/oidc/callback``: the browser comes back from the provider; begin a session.

    Whatever goes wrong leads to the page, which says it in words.

    Raises:
        ApiProblem: 404, no provider is configured.
    """
    logins, sessions = _logins(request), request.app[SESSIONS]
    cookie = request.cookies.get(COOKIE_FOR_LOG_IN, "")
    query = {name: value for name, value in request.query.items() if len(value) <= _LONGEST}
    try:
        person = await logins.finish(cookie, query)
        opened = sessions.begin(person, request.remote or "", request.headers.get("User-Agent", ""))
    except OidcError as error:
        return _failed(request, error)
    except TooManySessionsError:
        return _failed(request, OidcError("busy", "too many people are logged in"))
    logger.info(
        "http: %s (%s) has logged in by oidc from %s", person.id, person.role, request.remote
    )
    note_act(
        request,
        act="session.log-in",
        who=person.id,
        role=person.role,
        target=person.id,
        agent=person.agent,
        session=opened.row.id,
        by="oidc",
    )
    response = web.Response(status=303, headers={"Location": "/"})
    set_session_cookie(response, opened.secret)
    _forget(response)
    return response


async def log_out_there(request: web.Request) -> web.Response:
    """``GET /api/oidc/log-out``: send the browser to the provider, to log out there as well.

    Raises:
        ApiProblem: 404, no provider is configured.
    """
    try:
        url = await _logins(request).log_out_url()
    except OidcError as error:
        return _failed(request, error)
    return web.Response(status=303, headers={"Location": url})


def _failed(request: web.Request, error: OidcError) -> web.Response:
    # Anyone can ask for this, so it must not fill the log.
    if count := request.app[REFUSED_REQUESTS].worth_a_line(f"oidc {error.kind}"):
        text = "http: log-in by oidc from %s failed: %s (%d of its kind so far)"
        logger.warning(text, request.remote, error, count)
    note_act(request, act="session.log-in", refused=f"oidc-{error.kind}", by="oidc")
    response = web.Response(status=303, headers={"Location": FAILED + error.kind})
    _forget(response)
    return response


def _forget(response: web.Response) -> None:
    response.del_cookie(COOKIE_FOR_LOG_IN, path="/", secure=True, httponly=True, samesite="Lax")
