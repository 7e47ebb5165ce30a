"""``/api/calls/{id}/why`` and ``/api/agents/{id}/why-not``."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Final

from aiohttp import web

from callrouter.api.access.auth import identify, not_yours
from callrouter.api.calllog.call_log import ENOUGH, AmbiguousIdError
from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.calllog.past_calls import PastCall, ReasonsGoneError
from callrouter.api.context import SIGHT, Backend, backend_of, floor_of
from callrouter.api.explain.past_moment import PastMoment, knows_agent, read_moment_of
from callrouter.api.explain.why_not_then import Asked, explain_call_for, explain_moment, wait_of
from callrouter.api.json_answers import answer, answer_large, encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import check_query
from callrouter.api.routes.record_routes import record_of, unreadable_call
from callrouter.api.shared_answers import LISTS, RATES
from callrouter.model.text import phrase, sentence_of
from callrouter.record.record_reader import RecordReader
from callrouter.record.rows import AgentStateRow
from callrouter.reports.periods import PeriodError, read_moment
from callrouter.settings.loaded import HistorySettings
from callrouter.store.location import StoreError

_COST: Final = 5.0
"""A question about the past costs its caller as much as so many requests."""
_LONGEST: Final = 80
WHY_NOT_QUERY: Final = ("queue", "at", "call")
_SPACE_FOR_PLUS: Final = re.compile(r"(:[0-9]{2}(?:\.[0-9]{1,6})?) ([0-9]{2}:?[0-9]{2})$")
"""``+01:00`` in a query, not escaped."""


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
        detail = phrase(
            "fits-several-calls",
            "'{part}' fits several calls, such as {some}: give more of the id",
            part=part[:80],
            some=some,
        )
        raise ApiProblem(409, "ambiguous-call", detail) from error
    except ReasonsGoneError as gone:
        if not sight.sees_queue(gone.call.queue):
            raise not_yours(request) from None
        detail = phrase(
            "reasons-gone",
            "call {call} is on record, and why its agents were rung is no "
            "longer kept (decisions of history)",
            call=gone.call.call,
        )
        raise ApiProblem(404, "reasons-gone", detail) from gone
    except StoreError as error:
        raise unreadable_call(part, error) from error
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
    why = (
        ENOUGH
        if backend.past_calls is None
        else phrase("kept-by-history", "kept as long as history says")
    )
    detail = phrase("call-not-known", "call '{call}' is not known ({why})", call=part[:80], why=why)
    if part == "last":
        detail = phrase("no-call-yet", "no call is on record yet ({why})", why=why)
    return ApiProblem(404, "unknown-call", detail)


async def why_not(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/why-not``, for all the agent's queues or ``?queue=``.

    With ``?at=`` for a time, with ``?call=`` for a call that is on record; else for now.

    Raises:
        ApiProblem: 403 the caller may not see the queue or the call, 404 there is no such call or no
            record, 409 several calls fit, 422 the time makes no sense, 503 the record cannot be read.
        UnknownIdError: there is no such agent or queue.
    """
    floor, sight, name = floor_of(request), request[SIGHT], request.match_info["id"]
    check_query(request, WHY_NOT_QUERY)
    queue, at, call = (request.query.get(key, "") for key in WHY_NOT_QUERY)
    if queue and not sight.sees_queue(queue):
        raise not_yours(request)
    if at and call:
        raise ApiProblem(422, "wrong-query", phrase("at-or-call", "give 'at' or 'call', not both"))
    if at:
        return await _why_not_at(request, name, queue, at)
    floor.check_agent(name)
    if call:
        return await _why_not_for(request, name, queue, call)
    return await answer_large(
        request,
        ("why-not", name, queue, sight),
        lambda: floor.why_not(name, queue, sight),
        floor.why_not_size(name, queue),
    )


async def _why_not_at(request: web.Request, agent: str, queue: str, text: str) -> web.Response:
    """Answer for a time.

    Raises:
        ApiProblem: 404 there is no record, 422 the time makes no sense, 503 the record cannot be
            read.
        UnknownIdError: there is no such agent or queue, and none is on record.
    """
    backend, floor, sight = backend_of(request), floor_of(request), request[SIGHT]
    record, now = record_of(request), backend.clock.now()
    settings = record.settings()
    at = _time(text, now, settings.table.zone)
    known = agent in settings.table.agents
    queues = frozenset(floor.queues_of(agent)) if known else frozenset[str]()
    asked = Asked(agent, queue, queues, sight, settings.history, now)
    wanted = {queue} if queue else sight.queues

    def look(reader: RecordReader) -> PastMoment | None:
        if not known and not (sight.everything and knows_agent(reader, agent)):
            return None
        return read_moment_of(reader, agent, at, wanted, queues)

    async def make() -> bytes:
        then = await record.lookups.ask(look)
        if then is None:
            floor.check_agent(agent)  # says that there is none
        elif queue and queue not in then.counts:
            floor.queue_size(queue)  # likewise
        return b"" if then is None else encode(explain_moment(asked, then))

    request.app[RATES].charge(identify(request), _COST)
    try:
        content = await request.app[LISTS].answer(("why-not", agent, queue, sight, at), make)
    except StoreError as error:
        raise ApiProblem(503, "record-away", sentence_of(error)) from error
    return encoded(content)


def _time(text: str, now: float, zone: tzinfo) -> float:
    """Return the time of a query in epoch seconds.

    Raises:
        ApiProblem: 422, it is none, or lies in the future.
    """
    try:
        return read_moment(_SPACE_FOR_PLUS.sub(r"\1+\2", text[:_LONGEST]), now, zone)
    except PeriodError as error:
        raise ApiProblem(422, "wrong-query", f"'at': {error}") from error


async def _why_not_for(request: web.Request, agent: str, queue: str, part: str) -> web.Response:
    """Answer for a call, whose id may be abbreviated.

    Raises:
        ApiProblem: 403 the caller may not see it, 404 no call fits, or its steps are no longer kept,
            409 several do, 503 the record cannot be read.
    """
    backend, sight = backend_of(request), request[SIGHT]
    found, now = await _explained(request, part), backend.clock.now()
    record, history = backend.record, HistorySettings()
    states: list[AgentStateRow] = []
    request.app[RATES].charge(identify(request), _COST)
    if record is not None:
        begin, end = wait_of(found.call, now)
        try:
            states = await record.lookups.ask(
                lambda reader: reader.agent_states(begin, end, (agent,))
            )
        except StoreError as error:
            raise ApiProblem(503, "record-away", sentence_of(error)) from error
        history = record.settings().history
    asked = Asked(agent, queue, frozenset(), sight, history, now)
    return answer(explain_call_for(asked, found, states))
