"""``/api/agents/{id}/call/…``: hold and transfer, for the call's agent or a supervisor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from callrouter.api.access.acts import note_act
from callrouter.api.access.auth import identify
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import SLICE, answer
from callrouter.api.problem_json import ApiProblem
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.bodies import ConversationBody, TransferBody
from callrouter.api.shared_answers import RATES
from callrouter.mobiles.number_policy import RefusedNumber
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.text import phrase


def add_conversation_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/agents/{id}/targets", targets),
            *(
                web.post(f"/api/agents/{{id}}/call/{action.value}", _asking_for(action))
                for action in ConversationAction
            ),
        ]
    )


async def targets(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/targets``: where the agent can send a caller.

    The rate limit counts it as a list.

    Raises:
        UnknownIdError: there is no agent of this id.
    """
    found = floor_of(request).transfer_targets(request.match_info["id"])
    request.app[RATES].charge(identify(request), len(found["agents"]) // SLICE)
    return answer(found)


def _asking_for(
    action: ConversationAction,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """``POST /api/agents/{id}/call/hold`` and so on: answers with the call as it is now.

    The call need not be named if the agent has only one.

    The handler raises `ApiProblem` (409 no such conversation, several, or what the core would
    refuse, and those of `read_body`) and `UnknownIdError` (there is no agent of this id).
    """

    async def ask(request: web.Request) -> web.Response:
        body = await _body(request, action)
        floor, agent = floor_of(request), request.match_info["id"]
        call = _one_of(agent, floor.conversations_of(agent), body.get("call", ""))
        number = _outside_number(request, call, action, body.get("number"))
        request_action(
            request, call, action, body.get("queue", ""), body.get("agent", ""), number=number
        )
        return answer(floor.own_call(call, request[SIGHT]))

    return ask


def _outside_number(
    request: web.Request, call: str, action: ConversationAction, text: str | None
) -> str:
    """Return the number outside that a transfer names (E.164); empty: it names none.

    Agents may be in more queues than the supervisor who acts on them. A call that costs money is
    transferred only by those who see its queue.

    Raises:
        ApiProblem: 403 the call is of a queue that the caller does not see, 422 the number is none
            or not allowed.
    """
    if text is None:
        return ""
    if action is not ConversationAction.TRANSFER:
        raise ApiProblem(
            422,
            "wrong-body",
            phrase("outside-not-asked", "a number outside can't be asked first: transfer to it"),
        )
    floor, sight = floor_of(request), request[SIGHT]
    found = floor.active_call(call)
    if found is None or not (sight.masked or sight.sees_queue(found.queue)):
        raise ApiProblem(
            403,
            "not-allowed",
            phrase("call-not-yours", "call {call} is of a queue that is not yours", call=call),
        )
    note_act(request, call=call, queue=found.queue)
    verdict = floor.outside_number(text)
    if isinstance(verdict, RefusedNumber):
        raise ApiProblem(422, verdict.kind, verdict.text)
    return verdict.number


async def _body(request: web.Request, action: ConversationAction) -> TransferBody:
    if action in {ConversationAction.TRANSFER, ConversationAction.CONSULT}:
        return await read_body(request, TransferBody)
    only = await read_body(request, ConversationBody)
    return {"call": only["call"]} if "call" in only else {}


def _one_of(agent: str, calls: Sequence[str], wanted: str) -> str:
    """Return the call that is meant: the only one, or the one that is named.

    Raises:
        ApiProblem: 409, the agent has none, another, or several.
    """
    if wanted in calls:
        return wanted
    if wanted or not calls:
        if wanted:
            text = "{agent} is not talking to call {call}"
            no = phrase("talks-not-to-call", text, agent=agent, call=wanted)
        else:
            text = "{agent} is not talking to a caller"
            no = phrase("talks-to-none", text, agent=agent)
        raise ApiProblem(409, "refused", no)
    if len(calls) > 1:
        detail = phrase(
            "several-calls",
            "{agent} has several calls; say which: {calls}",
            agent=agent,
            calls=", ".join(calls),
        )
        raise ApiProblem(409, "ambiguous-call", detail)
    return calls[0]


def request_action(
    request: web.Request,
    call: str,
    action: ConversationAction,
    queue: str,
    agent: str,
    *,
    number: str = "",
) -> None:
    """Request an action on a conversation.

    Args:
        request: the request that asks for it.
        call: the id of an active call.
        action: what to do.
        queue: where to transfer it; empty: not to a queue.
        agent: who gets or is asked about it; empty: no particular agent.
        number: the number outside that gets it (E.164); empty: none.

    Raises:
        ApiProblem: 409, with the reason why it is not possible.
    """
    event = ConversationRequested(
        call=call,
        action=action,
        queue=queue,
        agent=agent,
        by=identify(request).person,
        number=number,
    )
    if why := floor_of(request).conversation_refusal(event):
        raise ApiProblem(409, "refused", why)
    backend_of(request).post(event)
