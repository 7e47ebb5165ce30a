"""``/api/config/…``: what the files would change, reloading, and earlier changes.

Changes are described in words. The contents of the files are not exposed, since they contain
secrets.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.change_json import change_json
from callrouter.api.context import ConfigFilesAccess, ConfigReadResult, backend_of
from callrouter.api.json_answers import answer, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import check_query
from callrouter.api.request_bodies import read_body
from callrouter.api.routes.status_routes import mistake_json
from callrouter.api.schemas.bodies import ReloadBody
from callrouter.api.schemas.config_answers import OutcomeJson
from callrouter.api.shared_answers import FILES
from callrouter.model.text import phrase


def add_config_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/config/diff", diff),
            web.get("/api/config/history", history),
            web.post("/api/config/reload", reload),
        ]
    )


def _files(request: web.Request) -> ConfigFilesAccess:
    files = backend_of(request).files
    if files is None:
        raise ApiProblem(404, "no-files", "this daemon was not started from a configuration folder")
    return files


def _outcome(outcome: ConfigReadResult) -> OutcomeJson:
    view: OutcomeJson = {
        "ok": not outcome.problems,
        "changes": list(outcome.changes),
        "problems": [mistake_json(item) for item in outcome.problems],
        "warnings": [mistake_json(item) for item in outcome.warnings],
    }
    if outcome.held:
        view["held"] = list(outcome.held)
    return view


async def diff(request: web.Request) -> web.Response:
    """``GET /api/config/diff``: what the files would change.

    ``?folder=`` names another folder, whose files are read as if they were the daemon's. Only the
    command line may use it, because the daemon may be able to read files that the caller cannot.

    Raises:
        ApiProblem: 403 the caller may not name a folder, 404 there are no files, 422 the folder is
            no absolute path.
    """
    files = _files(request)
    folder = None
    check_query(request, ("folder",))
    if given := request.query.get("folder", ""):
        caller = identify(request)
        if not (caller.local and caller.role == "admin" and not caller.node):
            detail = (
                "only root and the daemon's user may name a folder, on the machine of the daemon"
            )
            raise ApiProblem(403, "not-allowed", detail)
        folder = Path(given)
        if not folder.is_absolute() or "\0" in given:
            raise ApiProblem(422, "wrong-query", "'folder' must be an absolute path")

    async def make() -> bytes:
        return encode(_outcome(await files.diff(folder)))

    return encoded(await request.app[FILES].answer(("diff", given), make))


async def reload(request: web.Request) -> web.Response:
    """``POST /api/config/reload``: read the files now; the answer says what has changed.

    The request itself confirms changes that remove a lot. With ``{"confirm": false}`` they are only
    reported.

    Mistakes in the files are no error of the request: they are in the answer, whose `ok` is false.

    Raises:
        ApiProblem: 404 there are no files; those of `read_body`.
    """
    body = await read_body(request, ReloadBody)
    files, who = _files(request), identify(request).person
    return answer(_outcome(await files.reload(who, confirm=body.get("confirm", True))))


async def history(request: web.Request) -> web.Response:
    """``GET /api/config/history``: the recorded changes, newest first.

    Reads files, so it is made in a thread, and once for all who ask at the same time.

    Raises:
        ApiProblem: 404 there are no files, 503 the history cannot be read now.
    """
    files = _files(request)

    async def make() -> bytes:
        try:
            found = await asyncio.to_thread(files.changes)
        except OSError as error:
            text = "the history cannot be read now: {error}"
            detail = phrase("history-unreadable-now", text, error=str(error.strerror))
            raise ApiProblem(503, "no-history", detail) from error
        return encode({"changes": [change_json(change) for change in found]})

    return encoded(await request.app[FILES].answer("history", make))
