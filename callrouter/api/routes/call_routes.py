"""``/api/queues…`` and ``/api/calls…``: queues, calls, and moving or ending a call."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from callrouter.api.access.auth import identify, not_yours
from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import answer, answer_large, answer_list
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import check_query
from callrouter.api.request_bodies import read_body
from callrouter.api.routes.conversation_routes import request_action
from callrouter.api.routes.record_routes import unreadable_call
from callrouter.api.schemas.bodies import EmptyBody, MoveBody
from callrouter.api.schemas.call_answers import CallDetailJson, CallJson
from callrouter.api.views.floor_values import ActiveCall
from callrouter.api.views.floor_views import FloorViews
from callrouter.api.views.sight import Sight
from callrouter.model.call_requests import (
    CallEndRequested,
    CallMoveRequested,
    ConversationAction,
    no_queue,
    not_agent_of,
)
from callrouter.model.routing_table import FIRST_PRIORITY, LAST_PRIORITY
from callrouter.model.text import phrase
from callrouter.store.location import StoreError


def add_call_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/queues", queues),
            web.get("/api/queues/{id}", queue),
            web.get("/api/calls", calls),
            web.get("/api/calls/{id}", call),
            web.delete("/api/calls/{id}", end_call),
            web.post("/api/calls/{id}/move", move_call),
        ]
    )


async def queues(request: web.Request) -> web.Response:
    """``GET /api/queues``.

    Only those the caller may see, by id. An agent's token sees no other names, and masked numbers.
    """
    floor, sight = floor_of(request), request[SIGHT]
    most = floor.queue_count + floor.call_count
    return await answer_list(request, ("queues", sight), lambda: floor.queues(sight), most)


async def queue(request: web.Request) -> web.Response:
    """``GET /api/queues/{id}``.

    Raises:
        UnknownIdError: there is none of this id.
    """
    floor, sight, name = floor_of(request), request[SIGHT], request.match_info["id"]
    key = ("queue", name, sight)
    return await answer_large(
        request, key, lambda: floor.queue(name, sight), floor.queue_size(name)
    )


async def calls(request: web.Request) -> web.Response:
    """``GET /api/calls``: active calls, then ended ones, latest first.

    ``?only=live`` or ``?only=ended`` leaves out the others.

    Raises:
        ApiProblem: 422, `only` is something else, or there is another parameter.
    """
    floor, sight = floor_of(request), request[SIGHT]
    check_query(request, ("only",))
    only = request.query.get("only", "")
    if only not in {"", "live", "ended"}:
        raise ApiProblem(422, "wrong-query", "'only' must be live or ended")

    def every() -> Iterator[CallJson]:
        if only != "ended":
            yield from floor.calls(sight)
        if only != "live":
            yield from floor.ended_calls(sight)

    most = floor.call_count + (0 if only == "live" else floor.ended_count)
    return await answer_list(request, ("calls", only, sight), every, most)


async def call(request: web.Request) -> web.Response:
    """``GET /api/calls/{id}``.

    The id must be whole, unlike for ``/why``.

    Raises:
        ApiProblem: 403 the caller may not see it, 503 the record cannot be read.
        UnknownIdError: there is none of this id.
    """
    name = request.match_info["id"]
    past = await _past(request, name)
    return answer(_shown(request, name, past))


async def _past(request: web.Request, name: str) -> LoggedCall | None:
    """Return a call that ended before this run, or so long ago that only the record has it.

    None: this run knows it, or there is no record, or no call of this id in it.

    Raises:
        ApiProblem: 503, the record cannot be read.
    """
    backend = backend_of(request)
    here = backend.call_log.call(name)
    if backend.past_calls is None or (here is not None and not here.in_record):
        return None
    try:
        return await backend.past_calls.call(name)
    except StoreError as error:
        raise unreadable_call(name, error) from error


def _shown(request: web.Request, name: str, past: LoggedCall | None = None) -> CallDetailJson:
    """Return an active or ended call with what happened to it; `past` is it if it is of the record.

    Raises:
        ApiProblem: 403, the caller may not see it.
        UnknownIdError: there is none of this id.
    """
    found = floor_of(request).call(name, request[SIGHT], past)
    if found is None:
        raise not_yours(request)
    return found


def _active(floor: FloorViews, name: str) -> ActiveCall:
    """Return an active call.

    Raises:
        ApiProblem: 409, it is over.
        UnknownIdError: there is none of this id.
    """
    found = floor.active_call(name)
    if found is None:
        raise ApiProblem(409, "call-over", phrase("call-is-over", "call {name} is over", name=name))
    return found


def _not_waiting(found: ActiveCall, what: str) -> ApiProblem:
    text = "call {call} is {state}; only a waiting call can be {what}"
    detail = phrase("call-not-waiting", text, call=found.id, state=found.state, what=what)
    return ApiProblem(409, "not-waiting", detail)


async def move_call(request: web.Request) -> web.Response:
    """``POST /api/calls/{id}/move``: to another queue, to an agent first, or to a priority.

    A connected call is transferred to a queue or an agent, as its agent would do it.

    Raises:
        ApiProblem: 403 the caller may not see the call, 409 the call is over or neither waits nor
            talks, or a transfer is refused, 422 no such place; those of `read_body`.
        UnknownIdError: there is no call of this id.
    """
    body = await read_body(request, MoveBody)
    floor = floor_of(request)
    found = _active(floor, request.match_info["id"])
    queue_id, agent = body.get("queue", ""), body.get("agent", "")
    if found.talking and body and "priority" not in body:
        request_action(request, found.id, ConversationAction.TRANSFER, queue_id, agent)
        return answer(_shown(request, found.id))
    if not found.waiting:
        raise _not_waiting(found, phrase("can-be-moved", "moved"))
    _check_move(floor, request[SIGHT], found, body)
    backend_of(request).post(
        CallMoveRequested(
            call=found.id,
            queue=queue_id,
            agent=agent,
            priority=body.get("priority"),
            by=identify(request).person,
        )
    )
    return answer(_shown(request, found.id))


def _check_move(floor: FloorViews, sight: Sight, found: ActiveCall, body: MoveBody) -> None:
    """Refuse here, with a reason, what the core would ignore with a note.

    Raises:
        ApiProblem: 422.
    """
    if not body:
        raise ApiProblem(
            422,
            "wrong-body",
            phrase("say-queue-agent-priority", "say where to: queue, agent or priority"),
        )
    name = body.get("queue", found.queue)
    if not floor.accepts_calls(name):
        raise ApiProblem(422, "unknown-queue", no_queue(name, floor.ids("queue", sight)))
    agent = body.get("agent")
    if agent is not None and not floor.is_member(agent, name):
        raise ApiProblem(422, "unknown-agent", not_agent_of(agent, name))
    priority = body.get("priority", FIRST_PRIORITY)
    if not FIRST_PRIORITY <= priority <= LAST_PRIORITY:
        raise ApiProblem(
            422,
            "wrong-priority",
            phrase("priority-range", "'priority' must be from 1 (first) to 100"),
        )


async def end_call(request: web.Request) -> web.Response:
    """``DELETE /api/calls/{id}``: hang up a waiting caller, or end a conversation.

    Answers with the call as it is now.

    Raises:
        ApiProblem: 403 the caller may not see it, 409 it is over, being connected, or its PBX is
            away; those of `read_body`.
        UnknownIdError: there is none of this id.
    """
    await read_body(request, EmptyBody)
    floor = floor_of(request)
    found = _active(floor, request.match_info["id"])
    if not (found.talking or found.waiting):
        ended = "ended; a conversation can, once both hear each other"
        raise _not_waiting(found, phrase("can-be-ended", ended))
    if not floor.in_step(found.pbx):
        detail = phrase(
            "call-cannot-be-ended",
            "call {call} can't be ended now: {pbx} is not connected",
            call=found.id,
            pbx=found.pbx,
        )
        raise ApiProblem(409, "refused", detail)
    backend_of(request).post(CallEndRequested(call=found.id, by=identify(request).person))
    return answer(_shown(request, found.id))
