"""``/api/agents/{id}/call/…``: hold and transfer, for the call's agent or a supervisor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from callrouter.api import views
from callrouter.api.access.auth import SIGHT
from callrouter.api.problem_json import ApiProblem, not_found
from callrouter.api.request_bodies import read_body
from callrouter.api.routes.floor_routes import BACKEND, answer, ask_for_talk
from callrouter.api.schemas.bodies import ConversationBody, TransferBody
from callrouter.core.state import Agent, Call, CallState
from callrouter.model.events import ConversationAction


def add_talk_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.post(f"/api/agents/{{id}}/call/{action.value}", _asking_for(action))
            for action in ConversationAction
        ]
    )


def _asking_for(action: ConversationAction) -> Callable[[web.Request], Any]:
    """``POST /api/agents/{id}/call/hold`` and so on: answers with the call as it is now."""

    async def act(request: web.Request) -> web.Response:
        b = request.app[BACKEND]
        body = await _body(request, action)
        name = request.match_info["id"]
        agent = b.floor.agents.get(name)
        if agent is None:
            raise not_found("agent", name)
        call = _call_of(agent, body.get("call", ""))
        ask_for_talk(request, call, action, body)
        view = views.call_view(call, b.clock.now())
        return answer(views.seen_call(view, request[SIGHT], own=True))

    return act


async def _body(request: web.Request, action: ConversationAction) -> TransferBody:
    if action in {ConversationAction.TRANSFER, ConversationAction.CONSULT}:
        return await read_body(request, TransferBody)
    only = await read_body(request, ConversationBody)
    return {"call": only["call"]} if "call" in only else {}


def _call_of(agent: Agent, wanted: str) -> Call:
    """Return the agent's call; if they have several, the named one."""
    calls = {
        offer.call.id: offer.call
        for offer in agent.offers.values()
        if offer.call.winner is offer and offer.call.state is CallState.TALKING
    }
    if wanted in calls:
        return calls[wanted]
    if wanted or not calls:
        which = f"call {wanted}" if wanted else "any caller"
        raise ApiProblem(409, "refused", f"{agent.id} does not talk to {which} now")
    if len(calls) > 1:
        detail = f"{agent.id} has several calls; say which: {', '.join(calls)}"
        raise ApiProblem(409, "ambiguous-call", detail)
    return next(iter(calls.values()))
