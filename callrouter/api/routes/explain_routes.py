"""``/api/calls/{id}/why`` and ``/api/agents/{id}/why-not``."""

from __future__ import annotations

from aiohttp import web

from callrouter.api.access.auth import not_yours
from callrouter.api.calllog.call_log import ENOUGH, AmbiguousIdError
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import answer_large, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.shared_answers import LISTS


def add_why_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [web.get("/api/calls/{id}/why", why), web.get("/api/agents/{id}/why-not", why_not)]
    )


async def why(request: web.Request) -> web.Response:
    """``GET /api/calls/{id}/why``. The id may be abbreviated; ``last`` is the latest call.

    Raises:
        ApiProblem: 403 the caller may not see it, 404 no call fits, 409 several do.
    """
    backend, sight = backend_of(request), request[SIGHT]
    part = request.match_info["id"]
    try:
        call = backend.call_log.find(part)
    except AmbiguousIdError as error:
        some = ", ".join(
            found.call for found in error.calls if sight.sees_queue(found.last_queue())
        )
        if not some:
            raise not_yours(request) from None
        detail = f"'{part[:80]}' fits several calls, such as {some}: give more of the id"
        raise ApiProblem(409, "ambiguous-call", detail) from error
    if call is None:
        detail = f"call '{part[:80]}' is not known ({ENOUGH})"
        if part == "last":
            detail = f"no call has come yet ({ENOUGH})"
        raise ApiProblem(404, "unknown-call", detail)
    if not sight.sees_queue(call.last_queue()):
        raise not_yours(request)

    async def make() -> bytes:
        return encode(await backend.views.why(call))

    return encoded(await request.app[LISTS].answer(("why", call.call), make))


async def why_not(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/why-not``, for all the agent's queues or ``?queue=``.

    Raises:
        ApiProblem: 403, the caller may not see the queue.
        UnknownIdError: there is no such agent or queue.
    """
    floor, sight, name = floor_of(request), request[SIGHT], request.match_info["id"]
    queue = request.query.get("queue", "")
    floor.check_agent(name)
    if queue and not sight.sees_queue(queue):
        raise not_yours(request)
    return await answer_large(
        request,
        ("why-not", name, queue, sight),
        lambda: floor.why_not(name, queue, sight),
        floor.why_not_size(name, queue),
    )
