"""``/api/calls/{id}/why`` and ``/api/agents/{id}/why-not``."""

from __future__ import annotations

from aiohttp import web

from callrouter.api.access.auth import not_yours
from callrouter.api.calllog.call_log import ENOUGH, AmbiguousIdError
from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.calllog.past_calls import PastCall, ReasonsGoneError
from callrouter.api.context import SIGHT, Backend, backend_of, floor_of
from callrouter.api.json_answers import answer_large, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.shared_answers import LISTS
from callrouter.store.location import StoreError


def add_why_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [web.get("/api/calls/{id}/why", why), web.get("/api/agents/{id}/why-not", why_not)]
    )


async def why(request: web.Request) -> web.Response:
    """``GET /api/calls/{id}/why``. The id may be abbreviated; ``last`` is the latest call.

    Raises:
        ApiProblem: 403 the caller may not see it, 404 no call fits, or its steps are no longer kept,
            409 several do, 503 the record cannot be read.
    """
    backend = backend_of(request)
    found = await _explained(request, request.match_info["id"])

    async def make() -> bytes:
        return encode(await backend.views.why(found.call, found.standings))

    return encoded(await request.app[LISTS].answer(("why", found.call.call), make))


async def _explained(request: web.Request, part: str) -> PastCall:
    """Return the call that is meant, and what agents were doing at its steps.

    Raises:
        ApiProblem: 403 the caller may not see it, 404 no call fits, or its steps are no longer kept,
            409 several do, 503 the record cannot be read.
    """
    backend, sight = backend_of(request), request[SIGHT]
    try:
        found = await _find(backend, part)
    except AmbiguousIdError as error:
        some = ", ".join(one.call for one in error.calls if sight.sees_queue(_queue_of(one)))
        if not some:
            raise not_yours(request) from None
        detail = f"'{part[:80]}' fits several calls, such as {some}: give more of the id"
        raise ApiProblem(409, "ambiguous-call", detail) from error
    except ReasonsGoneError as gone:
        if not sight.sees_queue(gone.call.queue):
            raise not_yours(request) from None
        detail = (
            f"call {gone.call.call} is on record, and why its agents were rung is no longer kept "
            "(decisions of history)"
        )
        raise ApiProblem(404, "reasons-gone", detail) from gone
    except StoreError as error:
        detail = f"call '{part[:80]}' is not of this run, and the record can't be read: {error}"
        raise ApiProblem(503, "no-record", detail) from error
    if found is None:
        raise _unknown(backend, part)
    if not sight.sees_queue(found.call.last_queue()):
        raise not_yours(request)
    return found


async def _find(backend: Backend, part: str) -> PastCall | None:
    """Return a call of this run, or of the record if this run does not know all of it."""
    call, past = backend.call_log.find(part), backend.past_calls
    if past is None:
        return None if call is None else PastCall(call, backend.call_log)
    if call is None:
        return await past.find(part)
    if call.in_record or call.found:
        try:
            return await past.read(call.call) or PastCall(call, backend.call_log)
        except StoreError:
            if call.in_record:
                raise
    return PastCall(call, backend.call_log)


def _queue_of(call: LoggedCall) -> str:
    return call.queue if call.in_record else call.last_queue()


def _unknown(backend: Backend, part: str) -> ApiProblem:
    why = ENOUGH if backend.past_calls is None else "kept as long as history says"
    detail = f"call '{part[:80]}' is not known ({why})"
    if part == "last":
        detail = f"no call has come yet ({why})"
    return ApiProblem(404, "unknown-call", detail)


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
