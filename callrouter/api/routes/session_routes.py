"""``/api/session`` and ``/api/sessions``: people at the page log in and out."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web

from callrouter.api.access.acts import note_act
from callrouter.api.access.auth import SESSIONS, TICKETS, identify
from callrouter.api.access.logins import Logins
from callrouter.api.access.origins import as_origin, check_origin
from callrouter.api.access.sessions import COOKIE, LONGEST, TooManySessionsError, csrf_token
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import backend_of
from callrouter.api.forwarding.node_passes import PASSED_ON
from callrouter.api.json_answers import answer, answer_list
from callrouter.api.json_values import moment
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_body
from callrouter.api.routes.cluster_routes import cluster_status
from callrouter.api.schemas.bodies import EmptyBody, LogInBody, TicketBody
from callrouter.api.schemas.session_answers import SessionItemJson, SessionJson, TicketJson
from callrouter.model.access_rows import SessionRow
from callrouter.model.text import phrase

logger = logging.getLogger(__name__)

LOGINS: Final = web.AppKey("logins", Logins)
_BODY_WITHIN: Final = 3.0
"""Seconds for the body of a log-in, which comes from a stranger."""
_MOST_BYTES: Final = 2048


def add_session_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.post("/api/session", log_in),
            web.get("/api/session", who_am_i),
            web.delete("/api/session", log_out),
            web.post("/api/session/ticket", ticket),
            web.get("/api/sessions", list_sessions),
            web.get("/api/sessions/{id}", one_session),
            web.delete("/api/sessions/{id}", revoke),
        ]
    )


async def log_in(request: web.Request) -> web.Response:
    """``POST /api/session``: log in with a name and a password, and get the session's cookie.

    Raises:
        ApiProblem: 401 wrong name or password, 403 a page of another site, 422 a field is missing,
            429 locked, 503 too many log in at once, and those of `read_body`.
    """
    check_origin(request, backend_of(request).public_url())
    body = await read_body(request, LogInBody, within=_BODY_WITHIN, most=_MOST_BYTES)
    for field in ("user", "password"):
        if not body.get(field):
            raise ApiProblem(422, "missing-field", f"'{field}' is missing")
    known = request.app[SESSIONS].people.named(body["user"])
    if known is not None:  # what is typed as an unknown name may be a password
        note_act(request, target=known.id, agent=known.agent)
    person = await request.app[LOGINS].check(body["user"], body["password"], request.remote)
    sessions = request.app[SESSIONS]
    try:
        opened = sessions.begin(person, request.remote or "", request.headers.get("User-Agent", ""))
    except TooManySessionsError as error:
        detail = phrase(
            "too-many-logged-in", "too many people are logged in; have an admin end sessions"
        )
        raise ApiProblem(503, "too-many-sessions", detail) from error
    logger.info("http: %s (%s) has logged in from %s", person.id, person.role, request.remote)
    caller = sessions.caller(opened.secret)
    if caller is None:
        raise ApiProblem(
            401,
            "wrong-login",
            phrase("password-just-changed", "the password has just been changed; try again"),
        )
    note_act(request, who=person.id, role=person.role, session=opened.row.id)
    response = answer(_session_json(request, caller, opened.secret))
    set_session_cookie(response, opened.secret)
    return response


def set_session_cookie(response: web.Response, secret: str) -> None:
    """Give the browser the cookie of a session, which no script can read and no other site send."""
    response.set_cookie(
        COOKIE, secret, max_age=int(LONGEST), path="/", secure=True, httponly=True,
        samesite="Strict",
    )  # fmt: skip


async def who_am_i(request: web.Request) -> web.Response:
    """``GET /api/session``: who sends the request."""
    return answer(_session_json(request, identify(request), request.cookies.get(COOKIE, "")))


async def log_out(request: web.Request) -> web.Response:
    """``DELETE /api/session``: end the session of the cookie.

    Raises:
        ApiProblem: 409 the request has a token and no session.
    """
    await read_body(request, EmptyBody)
    caller = identify(request)
    if not caller.session:
        raise ApiProblem(409, "no-session", f"'{caller.name}' has no session that could be ended")
    note_act(request, target=caller.name, agent=caller.agent, session=caller.session)
    request.app[SESSIONS].end(caller.session)
    logger.info("http: %s has logged out", caller.name)
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
    return response


async def ticket(request: web.Request) -> web.Response:
    """``POST /api/session/ticket``: a ticket with which another site's page opens one live view.

    Raises:
        ApiProblem: 422 `origin` is missing or no origin; those of `read_body`.
    """
    body = await read_body(request, TicketBody)
    origin = as_origin(body.get("origin", ""))
    if origin is None:
        detail = (
            "'origin' must be the scheme, host and port of the page: https://intranet.example.com"
        )
        raise ApiProblem(422, "wrong-origin", detail)
    note_act(request, act="session.ticket", origin=origin)
    secret, made = request.app[TICKETS].issue(identify(request), origin)
    view: TicketJson = {"ticket": secret, "origin": origin, "expires_at": moment(made.expires_at)}
    return answer(view, 201)


async def list_sessions(request: web.Request) -> web.Response:
    """``GET /api/sessions``: the caller's own sessions; for an admin, all sessions."""
    caller = identify(request)
    found = sorted(_visible(request, caller), key=lambda row: row.seen_at, reverse=True)
    return await answer_list(
        request,
        ("sessions", caller),
        lambda: (_item_json(request, row, caller) for row in found),
        len(found),
    )


async def one_session(request: web.Request) -> web.Response:
    """``GET /api/sessions/{id}``.

    Raises:
        ApiProblem: 404 there is none of this id, or it is another person's.
    """
    caller = identify(request)
    return answer(_item_json(request, _find(request, caller), caller))


async def revoke(request: web.Request) -> web.Response:
    """``DELETE /api/sessions/{id}``: end a session. Its live views are closed.

    Raises:
        ApiProblem: 404 there is none of this id, or it is another person's.
    """
    await read_body(request, EmptyBody)
    caller = identify(request)
    row = _find(request, caller)
    person = request.app[SESSIONS].people.of(row.user)
    note_act(request, target=row.user, agent="" if person is None else person.agent)
    request.app[SESSIONS].end(row.id)
    logger.info("http: a session of %s was ended by %s", row.user, caller.person)
    return web.Response(status=204)


def _visible(request: web.Request, caller: ApiCaller) -> list[SessionRow]:
    if caller.role == "admin":
        return list(request.app[SESSIONS].of())
    return list(request.app[SESSIONS].of(caller.name)) if caller.session else []


def _find(request: web.Request, caller: ApiCaller) -> SessionRow:
    """Return the session in the path, if the caller may see it.

    Raises:
        ApiProblem: 404.
    """
    row = request.app[SESSIONS].get(request.match_info["id"])
    own = row is not None and bool(caller.session) and row.user == caller.name
    if row is None or not (own or caller.role == "admin"):
        raise ApiProblem(
            404, "unknown-session", phrase("no-such-session", "you have no session of this id")
        )
    return row


def _session_json(request: web.Request, caller: ApiCaller, secret: str) -> SessionJson:
    sessions = request.app[SESSIONS]
    row = sessions.get(caller.session)
    person = sessions.people.of(caller.name) if row is not None else None
    made: SessionJson = {
        "user": caller.person,
        "name": person.name if person is not None else caller.person,
        "role": caller.role,
        "agent": caller.agent or None,
        "queues": list(caller.queues),
        "session": caller.session or None,
        "csrf_token": csrf_token(secret) if row is not None else None,
        "expires_at": moment(sessions.expires_at(row)) if row is not None else None,
    }
    cluster = cluster_status(backend_of(request))
    if cluster is not None:
        made["cluster"] = {
            "node": cluster["node"],
            "pool": cluster["pool"],
            "via": request[PASSED_ON].node if PASSED_ON in request else None,
            "standbys": cluster["standbys"],
        }
    return made


def _item_json(request: web.Request, row: SessionRow, caller: ApiCaller) -> SessionItemJson:
    return {
        "id": row.id,
        "user": row.user,
        "created_at": moment(row.created_at),
        "seen_at": moment(row.seen_at),
        "expires_at": moment(request.app[SESSIONS].expires_at(row)),
        "address": row.address,
        "program": row.program,
        "current": row.id == caller.session,
    }
