"""``/api/calls/{id}/why`` and ``/api/agents/{id}/why-not``."""

from __future__ import annotations

from aiohttp import web

from callrouter.api.access.auth import not_yours
from callrouter.api.explain import why_call
from callrouter.api.explain import why_not as whynot
from callrouter.api.explain.decision_journal import ENOUGH, Ambiguous
from callrouter.api.json_answers import answer_large, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_context import SIGHT, backend_of
from callrouter.api.shared_answers import LISTS
from callrouter.api.views.floor_views import UnknownIdError


def add_why_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [web.get("/api/calls/{id}/why", why), web.get("/api/agents/{id}/why-not", why_not)]
    )


async def why(request: web.Request) -> web.Response:
    """``GET /api/calls/{id}/why``. The id may be abbreviated; ``last`` is the latest call."""
    b = backend_of(request)
    part = request.match_info["id"]
    try:
        trail = b.journal.find(part)
    except Ambiguous as error:
        seen = request[SIGHT]
        some = ", ".join(
            found.call for found in error.trails if seen.sees_queue(why_call.queue_of(found))
        )
        if not some:
            raise not_yours(request) from None
        detail = f"'{part[:80]}' fits several calls, such as {some}: give more of the id"
        raise ApiProblem(409, "ambiguous-call", detail) from error
    if trail is None:
        detail = f"call '{part[:80]}' is not known ({ENOUGH})"
        if part == "last":
            detail = f"no call has come yet ({ENOUGH})"
        raise ApiProblem(404, "unknown-call", detail)
    if not request[SIGHT].sees_queue(why_call.queue_of(trail)):
        raise not_yours(request)

    async def make() -> bytes:
        return encode(await why_call.answer(b.journal, b.floor, trail, b.clock.now()))

    return encoded(await request.app[LISTS].answer(("why", trail.call), make))


async def why_not(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/why-not``, for all the agent's queues or ``?queue=``."""
    b = backend_of(request)
    name = request.match_info["id"]
    agent = b.floor.agents.get(name)
    if agent is None:
        raise UnknownIdError("agent", name)
    queue = None
    if wanted := request.query.get("queue", ""):
        queue = b.floor.queues.get(wanted)
        if not request[SIGHT].sees_queue(wanted):
            raise not_yours(request)
        if queue is None:
            raise UnknownIdError("queue", wanted)
    seen = request[SIGHT]
    queues = [queue] if queue is not None else [m.queue for m in agent.memberships.values()]
    return await answer_large(
        request,
        ("why-not", name, wanted, seen),
        lambda: whynot.answer(b.floor, agent, queue, b.clock.now(), seen),
        sum(len(one.members) for one in queues),
    )
