"""The handlers of each path.

They read the floor and request changes as events; they never write.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final

from aiohttp import web

from callrouter import __version__
from callrouter.api import views
from callrouter.api.access.auth import SIGHT, identify, is_known, not_yours
from callrouter.api.access.tokens import Caller
from callrouter.api.context import Backend
from callrouter.api.notice_text import Json, moment, seconds
from callrouter.api.openapi import document
from callrouter.api.problem_json import ApiProblem, not_found
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.bodies import EmptyBody, MoveBody, PauseBody, TransferBody
from callrouter.api.shared_answers import FILES, LISTS, RATES
from callrouter.core.conversations import refusal as talk_refusal
from callrouter.core.requested_state import unknown_reason
from callrouter.core.requests import refusal
from callrouter.core.state import Agent, Call, CallState, Queue
from callrouter.model.events import (
    AgentRequest,
    CallEndRequested,
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
    PauseRequested,
    PhoneFreed,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.routing_table import FIRST_PRIORITY, LAST_PRIORITY

BACKEND: Final = web.AppKey("backend", Backend)

SLICE: Final = 50
"""Views built in one batch; between two batches the loop serves calls."""

ACTIONS: Final[dict[str, Callable[[str, str, str], AgentRequest]]] = {
    "sign-in": lambda agent, _, by: SignedIn(agent=agent, by=by),
    "sign-out": lambda agent, _, by: SignedOut(agent=agent, by=by),
    "pause": lambda agent, reason, by: PauseRequested(agent=agent, reason=reason, by=by),
    "resume": lambda agent, _, by: Resumed(agent=agent, by=by),
    "ready": lambda agent, _, by: ReadyPressed(agent=agent, by=by),
    "free": lambda agent, _, by: PhoneFreed(agent=agent, by=by),
}


def add_routes(app: web.Application) -> None:
    """Add all routes except the live view."""
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/api/status", status),
            web.get("/api/openapi.json", openapi),
            web.get("/api/agents", agents),
            web.get("/api/agents/{id}", agent),
            *(web.post(f"/api/agents/{{id}}/{action}", _acting(action)) for action in ACTIONS),
            web.get("/api/pauses", pauses),
            web.get("/api/queues", queues),
            web.get("/api/queues/{id}", queue),
            web.get("/api/calls", calls),
            web.get("/api/calls/{id}", call),
            web.delete("/api/calls/{id}", end_call),
            web.post("/api/calls/{id}/move", move_call),
        ]
    )


# ---------------------------------------------------------------- answers


def encode(view: Any) -> bytes:
    """Encode as JSON in UTF-8, strictly."""
    return json.dumps(view, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def answer(view: Json, status: int = 200) -> web.Response:
    """Answer with one object."""
    return web.Response(status=status, body=encode(view), content_type="application/json")


async def encode_list(items: Iterator[Json]) -> bytes:
    """Encode a list of any length, in slices, so that no caller waits for a client's list."""
    parts = []
    for n, view in enumerate(items, 1):
        parts.append(encode(view))
        if n % SLICE == 0:
            await asyncio.sleep(0)
    return b"[" + b",\n".join(parts) + b"]"


async def answer_list(
    request: web.Request, key: Hashable, items: Callable[[], Iterator[Json]], most: int
) -> web.Response:
    """Answer with a list of objects, made once for all simultaneous requests for the same list.

    Args:
        request: the request.
        key: identifies the list and what its readers may see of it.
        items: starts building it.
        most: approximate number of objects.
    """
    lists = request.app[LISTS]
    if not lists.is_coming(key):
        request.app[RATES].charge(identify(request), most // SLICE)
    body = await lists.answer(key, lambda: encode_list(items()))
    return web.Response(body=body, content_type="application/json")


async def answer_large(
    request: web.Request, key: Hashable, make: Callable[[], Json], most: int
) -> web.Response:
    """Answer with one object that may be large: directly while it is small, otherwise like a list.

    Args:
        request: the request.
        key: identifies the object and what its readers may see of it.
        make: builds it.
        most: approximate number of parts it is built from.
    """
    if most <= SLICE:
        return answer(make())
    lists = request.app[LISTS]
    if not lists.is_coming(key):
        request.app[RATES].charge(identify(request), most // SLICE)

    async def encoded() -> bytes:
        return encode(make())

    body = await lists.answer(key, encoded)
    return web.Response(body=body, content_type="application/json")


# ---------------------------------------------------------------- health and status


async def healthz(request: web.Request) -> web.Response:
    """``GET /healthz``: 200 while any PBX is in sync; with ``?strict``, while every PBX is.

    A daemon that has lost one of two PBXes still serves the other, and it works without its
    database. A probe that restarted it would also discard the state of the good PBX. `state` tells
    up, degraded or down. Version and drift are shown only with a valid token.
    """
    backend = request.app[BACKEND]
    health = backend.health()
    pbxes = {
        name: "up" if backend.in_step(name, health) else "down" for name, health in health.items()
    }
    ups = [state == "up" for state in pbxes.values()]
    stored = (tell := backend.extra.get("store")) is None or tell()["state"] == "good"
    state = "up" if all(ups) and stored else "degraded" if any(ups) or not ups else "down"
    body: Json = {"state": state, "pbx": pbxes}
    if (word := backend.config.word) != "good":
        body["config"] = "last-good" if backend.config.last_good else word
    if tell is not None:
        body["store"] = "up" if stored else "down"
    if await is_known(request):
        body["drift"] = {name: health.drift for name, health in health.items()}
        body["version"] = __version__
    well = all(ups) if "strict" in request.query else any(ups) or not ups
    return answer(body, 200 if well else 503)


async def status(request: web.Request) -> web.Response:
    """``GET /api/status``: the daemon itself."""
    return answer(status_view(request.app[BACKEND], identify(request)))


def status_view(backend: Backend, caller: Caller) -> Json:
    """Return the state of the daemon, its PBXes and its configuration, and the current totals.

    The locations of its files are for admins only. What the files say of everything is not told to
    a supervisor who is limited to some queues, as `/api/config/diff` is not.
    """
    config = backend.config
    told = (config.held, config.problems, config.warnings, config.needs_restart)
    held, problems, warnings, needs_restart = ((), (), (), ()) if caller.queues else told
    extra = {name: tell() for name, tell in backend.extra.items()}
    if caller.role != "admin":
        extra.pop("history", None)
        if "store" in extra:
            extra["store"] = {**extra["store"], "database": None}
    return {
        "version": __version__,
        "pid": backend.pid,
        "started_at": moment(backend.started_at),
        "uptime_s": seconds(backend.clock.now() - backend.started_at),
        "listen": backend.listen,
        "pbx": {
            name: {
                "state": "up" if backend.in_step(name, health) else "down",
                "detail": health.detail,
                "drift": health.drift,
                "faults": health.faults,
                "counts": dict(health.counts),
            }
            for name, health in backend.health().items()
        },
        "config": {
            "state": config.word,
            "held": list(held),
            "last_good": config.last_good,
            "folder": config.folder if caller.role == "admin" else None,
            "loaded_at": moment(config.loaded_at),
            "problems": [problem_view(item) for item in problems],
            "warnings": [problem_view(item) for item in warnings],
            "needs_restart": list(needs_restart),
        },
        **views.counts(backend.floor),
        **extra,
    }


def problem_view(problem: Any) -> Json:
    """Return a mistake in the configuration, without the text of the line."""
    names = ("file", "line", "column", "text", "hint")
    return {name: getattr(problem, name) for name in names}


async def openapi(request: web.Request) -> web.Response:
    """``GET /api/openapi.json``. It is made in a thread, since the first time takes long."""

    async def make() -> bytes:
        return encode(await asyncio.to_thread(document))

    body = await request.app[FILES].answer("openapi", make)
    return web.Response(body=body, content_type="application/json")


# ---------------------------------------------------------------- agents


def _find_agent(request: web.Request) -> Agent:
    name = request.match_info["id"]
    found = request.app[BACKEND].floor.agents.get(name)
    if found is None:
        raise not_found("agent", name)
    return found


async def agents(request: web.Request) -> web.Response:
    """``GET /api/agents``."""
    b = request.app[BACKEND]
    seen = request[SIGHT]
    return await answer_list(
        request,
        ("agents", seen),
        lambda: views.every_agent(b.floor, b.clock.now(), seen),
        len(b.floor.agents),
    )


async def agent(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}``."""
    b = request.app[BACKEND]
    return answer(views.agent_view(b.floor, _find_agent(request), b.clock.now()))


def _acting(action: str) -> Callable[[web.Request], Any]:
    """``POST /api/agents/{id}/{action}``: answers with the agent as it is now."""
    make = ACTIONS[action]

    async def act(request: web.Request) -> web.Response:
        b = request.app[BACKEND]
        reason = await _reason_in(request) if action == "pause" else await _nothing_in(request)
        found = _find_agent(request)
        event = make(found.id, reason, identify(request).person)
        if isinstance(event, PauseRequested):
            _check_reason(b, event.reason)
        no = refusal(b.floor, event)
        if no:
            raise ApiProblem(409, "refused", no)
        b.post(event)
        return answer(views.agent_view(b.floor, found, b.clock.now()))

    return act


async def _reason_in(request: web.Request) -> str:
    return (await read_body(request, PauseBody)).get("reason", "").strip()


async def _nothing_in(request: web.Request) -> str:
    await read_body(request, EmptyBody)
    return ""


def _check_reason(b: Backend, reason: str) -> None:
    wrong = unknown_reason(b.floor.table.pauses, reason)
    if wrong:
        raise ApiProblem(422, "unknown-reason", wrong)


async def pauses(request: web.Request) -> web.Response:
    """``GET /api/pauses``: the configured reasons; none: any text is accepted."""
    found = request.app[BACKEND].floor.table.pauses.values()
    return await answer_list(request, "pauses", lambda: map(views.pause_view, found), len(found))


# ---------------------------------------------------------------- queues


async def queues(request: web.Request) -> web.Response:
    """``GET /api/queues``."""
    b = request.app[BACKEND]
    seen = request[SIGHT]
    return await answer_list(
        request,
        ("queues", seen),
        lambda: views.every_queue(b.floor, b.history, b.clock.now(), seen),
        len(b.floor.queues) + len(b.floor.calls),
    )


def _find_queue(request: web.Request) -> Queue:
    name = request.match_info["id"]
    found = request.app[BACKEND].floor.queues.get(name)
    if found is None:
        raise not_found("queue", name)
    return found


async def queue(request: web.Request) -> web.Response:
    """``GET /api/queues/{id}``."""
    b, found, seen = request.app[BACKEND], _find_queue(request), request[SIGHT]
    return await answer_large(
        request,
        ("queue", found.id, seen),
        lambda: views.seen_queue(views.queue_view(found, b.history, b.clock.now()), seen),
        len(found.members) + len(found.waiting),
    )


# ---------------------------------------------------------------- calls


async def calls(request: web.Request) -> web.Response:
    """``GET /api/calls``: active calls, then ended ones, latest first."""
    b = request.app[BACKEND]
    seen = request[SIGHT]
    only = request.query.get("only", "")
    if only not in {"", "live", "ended"}:
        raise ApiProblem(422, "wrong-query", "'only' must be live or ended")

    def every() -> Iterator[Json]:
        if only != "ended":
            yield from views.every_call(b.floor, b.clock.now(), seen)
        if only != "live":
            yield from views.every_ended(b.history, seen)

    ended = 0 if only == "live" else len(b.history.ended())
    most = len(b.floor.calls) + ended
    return await answer_list(request, ("calls", only, seen), every, most)


def _one_call(request: web.Request, name: str) -> Json:
    """Return an active or ended call with what happened to it."""
    b, seen = request.app[BACKEND], request[SIGHT]
    story = b.history.story(name)
    found = b.floor.calls.get(name)
    if found is not None:
        own = seen.owns_call(found)
        view = views.seen_call(views.call_view(found, b.clock.now()), seen, own=own)
    elif story is None:
        raise not_found("call", name)
    elif seen.sees_ended(story.queue, story.agent):
        view = views.seen_call(views.ended_view(story), seen, own=True)
    else:
        raise not_yours(request)
    # What happened to it names other agents.
    return {**view, "decisions": [] if seen.masked else views.decisions(story)}


async def call(request: web.Request) -> web.Response:
    """``GET /api/calls/{id}``."""
    return answer(_one_call(request, request.match_info["id"]))


def _find_waiting(b: Backend, name: str, what: str) -> Call:
    found = b.floor.calls.get(name)
    if found is None:
        if b.history.story(name) is not None:
            raise ApiProblem(409, "call-over", f"call {name} is over")
        raise not_found("call", name)
    if found.state is not CallState.WAITING:
        detail = f"call {name} is {found.state.value}; only a waiting call can be {what}"
        raise ApiProblem(409, "not-waiting", detail)
    return found


async def move_call(request: web.Request) -> web.Response:
    """``POST /api/calls/{id}/move``: to another queue, to an agent first, or to a priority.

    A connected call is transferred to a queue or an agent, as its agent would do it.
    """
    b = request.app[BACKEND]
    body = await read_body(request, MoveBody)
    talk = b.floor.calls.get(request.match_info["id"])
    if talk is not None and talk.state is CallState.TALKING and body and "priority" not in body:
        ask_for_talk(request, talk, ConversationAction.TRANSFER, body)
        return answer(_one_call(request, talk.id))
    found = _find_waiting(b, request.match_info["id"], "moved")
    _check_move(b, found, body)
    b.post(
        CallMoveRequested(
            call=found.id,
            queue=body.get("queue", ""),
            agent=body.get("agent", ""),
            priority=body.get("priority"),
            by=identify(request).person,
        )
    )
    return answer(_one_call(request, found.id))


def ask_for_talk(
    request: web.Request, call: Call, action: ConversationAction, body: MoveBody | TransferBody
) -> None:
    """Request an action on a conversation.

    Raises:
        ApiProblem: 409, with the reason why it is not possible.
    """
    b = request.app[BACKEND]
    event = ConversationRequested(
        call=call.id,
        action=action,
        queue=body.get("queue", ""),
        agent=body.get("agent", ""),
        by=identify(request).person,
    )
    no = talk_refusal(b.floor, event)
    if no:
        raise ApiProblem(409, "refused", no)
    b.post(event)


def _check_move(b: Backend, call: Call, body: MoveBody) -> None:
    """Refuse here, with a reason, what the core would ignore with a note."""
    if not body:
        raise ApiProblem(422, "wrong-body", "say where to: queue, agent or priority")
    name = body.get("queue", call.queue.id)
    to = b.floor.queues.get(name)
    if to is None or to.gone:
        raise ApiProblem(422, "unknown-queue", f"there is no queue '{name}'")
    who = body.get("agent")
    if who is not None and who not in to.members:
        raise ApiProblem(422, "unknown-agent", f"'{who}' is not an agent of queue '{to.id}'")
    priority = body.get("priority", FIRST_PRIORITY)
    if not FIRST_PRIORITY <= priority <= LAST_PRIORITY:
        raise ApiProblem(422, "wrong-priority", "'priority' must be from 1 (first) to 100")


async def end_call(request: web.Request) -> web.Response:
    """``DELETE /api/calls/{id}``: hang up a waiting caller, or end a conversation."""
    b = request.app[BACKEND]
    await read_body(request, EmptyBody)
    name = request.match_info["id"]
    found = b.floor.calls.get(name)
    if found is None or found.state is not CallState.TALKING:
        found = _find_waiting(b, name, "ended; a conversation can, once both hear each other")
    if found.pbx not in b.floor.up:
        detail = f"call {found.id} can't be ended now: {found.pbx} is not connected"
        raise ApiProblem(409, "refused", detail)
    b.post(CallEndRequested(call=found.id, by=identify(request).person))
    return answer(_one_call(request, found.id))
