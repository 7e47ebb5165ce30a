"""``/api/agents…`` and ``/api/pauses``: agents, and what they or a supervisor ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import answer, answer_list
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.bodies import EmptyBody, MessageBody, PauseBody
from callrouter.model.events import (
    AgentRequest,
    MessageWritten,
    PauseRequested,
    PhoneFreed,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)

ACTIONS: Final[dict[str, Callable[[str, str, str], AgentRequest]]] = {
    "sign-in": lambda agent, _, by: SignedIn(agent=agent, by=by),
    "sign-out": lambda agent, _, by: SignedOut(agent=agent, by=by),
    "pause": lambda agent, reason, by: PauseRequested(agent=agent, reason=reason, by=by),
    "resume": lambda agent, _, by: Resumed(agent=agent, by=by),
    "ready": lambda agent, _, by: ReadyPressed(agent=agent, by=by),
    "free": lambda agent, _, by: PhoneFreed(agent=agent, by=by),
}
"""The last part of a path, and the event made of the agent, the reason and who asks."""

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


def add_agent_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/agents", agents),
            web.get("/api/agents/{id}", agent),
            *(web.post(f"/api/agents/{{id}}/{action}", _asking_for(action)) for action in ACTIONS),
            web.post("/api/agents/{id}/message", message),
            web.get("/api/pauses", pauses),
        ]
    )


async def agents(request: web.Request) -> web.Response:
    """``GET /api/agents``.

    Only those the caller may see, by id.
    """
    floor, sight = floor_of(request), request[SIGHT]
    key = ("agents", sight)
    return await answer_list(request, key, lambda: floor.agents(sight), floor.agent_count)


async def agent(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}``.

    Raises:
        UnknownIdError: there is none of this id.
    """
    return answer(floor_of(request).agent(request.match_info["id"]))


def _asking_for(action: str) -> _Handler:
    """``POST /api/agents/{id}/{action}``: answers with the agent as it is now.

    A posted event gets no answer, so what the core would refuse is refused here, with the reason.
    """
    make = ACTIONS[action]

    async def ask(request: web.Request) -> web.Response:
        """Carry out the request and answer with the agent.

        Raises:
            ApiProblem: 422 unknown reason for a pause, 409 what the core would refuse, and those of
                `read_body`.
            UnknownIdError: there is no agent of this id.
        """
        reason = await _reason_in(request) if action == "pause" else await _nothing_in(request)
        floor, name = floor_of(request), request.match_info["id"]
        floor.check_agent(name)
        event = make(name, reason, identify(request).person)
        if isinstance(event, PauseRequested) and (why := floor.unknown_pause_reason(event.reason)):
            raise ApiProblem(422, "unknown-reason", why)
        if why := floor.refusal(event):
            raise ApiProblem(409, "refused", why)
        backend_of(request).post(event)
        return answer(floor.agent(name))

    return ask


async def _reason_in(request: web.Request) -> str:
    return (await read_body(request, PauseBody)).get("reason", "").strip()


async def _nothing_in(request: web.Request) -> str:
    await read_body(request, EmptyBody)
    return ""


async def message(request: web.Request) -> web.Response:
    """``POST /api/agents/{id}/message``: write to an agent; answers with the agent as it is now.

    Raises:
        ApiProblem: 422 there is no text, and those of `read_body`.
        UnknownIdError: there is no agent of this id.
    """
    text = (await read_body(request, MessageBody)).get("text", "").strip()
    floor, name = floor_of(request), request.match_info["id"]
    floor.check_agent(name)
    if not text:
        raise ApiProblem(422, "wrong-body", 'say what: {"text": "…"}')
    backend_of(request).post(MessageWritten(agent=name, text=text, by=identify(request).person))
    return answer(floor.agent(name))


async def pauses(request: web.Request) -> web.Response:
    """``GET /api/pauses``: the configured reasons; none: any text is accepted.

    All callers see the same.
    """
    found = floor_of(request).pauses()
    return await answer_list(request, "pauses", lambda: found, len(found))
