"""``/api/wall-screens`` and ``/api/session/screen``: links for screens on the wall."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web

from callrouter.api.access.acts import note_act
from callrouter.api.access.auth import SCREENS, WRONG_TOKENS, identify
from callrouter.api.access.origins import check_origin
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.access.wall_screens import KEPT_FOR, SCREEN_COOKIE, TooManyScreensError
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import answer, answer_list
from callrouter.api.json_values import moment
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.bodies import EmptyBody, OpenScreenBody, WallScreenBody
from callrouter.api.schemas.screen_answers import (
    MadeWallScreenJson,
    OpenedWallScreenJson,
    WallScreenJson,
)
from callrouter.model.access_rows import WallScreenRow
from callrouter.model.call_requests import no_queue
from callrouter.model.text import clean, phrase

logger = logging.getLogger(__name__)

LONGEST_NAME: Final = 64
_BODY_WITHIN: Final = 3.0
"""Seconds for a body that comes from a stranger."""
_MOST_BYTES: Final = 1024


def add_screen_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/wall-screens", list_screens),
            web.post("/api/wall-screens", make_screen),
            web.delete("/api/wall-screens/{id}", revoke_screen),
            web.post("/api/session/screen", open_screen),
        ]
    )


async def list_screens(request: web.Request) -> web.Response:
    """``GET /api/wall-screens``: the links whose queues the caller may all see, the newest first."""
    caller = identify(request)
    found = [row for row in request.app[SCREENS].all() if _sees(caller, row)]
    key = ("wall-screens", caller)
    return await answer_list(request, key, lambda: map(_row_json, found), len(found))


async def make_screen(request: web.Request) -> web.Response:
    """``POST /api/wall-screens``: make a link. The answer alone has its secret.

    Raises:
        ApiProblem: 403 a queue that is not the caller's, 409 too many links, 422 no name, or a queue
            that does not exist; those of `read_body`.
    """
    body = await read_body(request, WallScreenBody)
    caller = identify(request)
    name = clean(body.get("name", "")).strip()
    if not 0 < len(name) <= LONGEST_NAME:
        detail = phrase(
            "screen-name",
            "'name' says which screen it is, in 1 to {most} characters",
            most=LONGEST_NAME,
        )
        raise ApiProblem(422, "wrong-name", detail)
    queues = list(dict.fromkeys(body.get("queues", [])))
    for queue in queues:
        if not floor_of(request).accepts_calls(queue):
            known = floor_of(request).ids("queue", request[SIGHT])
            raise ApiProblem(422, "unknown-queue", no_queue(queue[:80], known))
    if caller.queues and not (queues and set(queues) <= set(caller.queues)):
        detail = phrase(
            "name-your-queues",
            "name some of your queues: {queues}",
            queues=", ".join(caller.queues),
        )
        raise ApiProblem(403, "not-allowed", detail)
    try:
        made = request.app[SCREENS].make(name, queues, caller.person)
    except TooManyScreensError as error:
        raise ApiProblem(
            409, "too-many-screens", phrase("revoke-links", "revoke links that are not used")
        ) from error
    note_act(request, target=made.row.id, name=name, queues=", ".join(queues) or "all")
    view: MadeWallScreenJson = {
        **_row_json(made.row),
        "token": made.secret,
        "path": f"/?board={','.join(queues)}#screen={made.secret}",
    }
    return answer(view, 201)


async def revoke_screen(request: web.Request) -> web.Response:
    """``DELETE /api/wall-screens/{id}``: revoke a link. Its screens are closed.

    Raises:
        ApiProblem: 404 there is none of this id, or it shows queues of others.
    """
    await read_body(request, EmptyBody)
    caller = identify(request)
    row = request.app[SCREENS].get(request.match_info["id"])
    if row is None or not _sees(caller, row):
        raise ApiProblem(
            404,
            "unknown-screen",
            phrase("no-such-link", "there is no link of this id for you to revoke"),
        )
    note_act(request, target=row.id, name=row.name)
    request.app[SCREENS].revoke(row.id)
    logger.info("http: the wall screen '%s' was revoked by %s", row.name, caller.person)
    return web.Response(status=204)


async def open_screen(request: web.Request) -> web.Response:
    """``POST /api/session/screen``: exchange a link's secret for a cookie that scripts cannot read.

    The cookie is used only by requests with ``as=screen`` in their query.

    Raises:
        ApiProblem: 401 the link is unknown or revoked, 403 a page of another site, 422 no token, 429
            too many wrong ones; those of `read_body`.
    """
    check_origin(request, backend_of(request).public_url())
    body = await read_body(request, OpenScreenBody, within=_BODY_WITHIN, most=_MOST_BYTES)
    secret = body.get("token", "")
    if not secret:
        raise ApiProblem(422, "missing-field", "'token' is missing")
    caller = request.app[SCREENS].opened_by(secret)
    if caller is None:
        if await request.app[WRONG_TOKENS].refused(request.remote):
            detail = phrase(
                "too-many-wrong-tokens",
                "too many requests with wrong tokens come from your address",
            )
            raise ApiProblem(429, "too-many-wrong-tokens", detail, {"Retry-After": "60"})
        raise ApiProblem(
            401, "no-screen", phrase("link-revoked", "this link was revoked, or is incomplete")
        )
    note_act(request, act="screen.open", who=caller.name, role=caller.role, target=caller.session)
    view: OpenedWallScreenJson = {"name": caller.name, "queues": list(caller.queues)}
    response = answer(view)
    response.set_cookie(
        SCREEN_COOKIE, secret, max_age=KEPT_FOR, path="/", secure=True, httponly=True,
        samesite="Strict",
    )  # fmt: skip
    return response


def _sees(caller: ApiCaller, row: WallScreenRow) -> bool:
    """Return whether a link shows nothing but what the caller may see."""
    return not caller.queues or (bool(row.queue_ids) and set(row.queue_ids) <= set(caller.queues))


def _row_json(row: WallScreenRow) -> WallScreenJson:
    return {
        "id": row.id,
        "name": row.name,
        "queues": list(row.queue_ids),
        "created_by": row.created_by,
        "created_at": moment(row.created_at),
        "seen_at": moment(row.seen_at) if row.seen_at else None,
    }
