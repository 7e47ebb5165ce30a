"""Takes down in the audit what requests over HTTP ask for, and how they end.

Every request but a GET is taken down by itself: who sent it, what it asks for, the agent or call in
its path, and those fields of its body that are known to be no secret. A handler adds what it knows
with `note_act`; with that, a GET is taken down too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from callrouter.api.access.act_names import NO_ACTS, act_name
from callrouter.api.access.auth import SELF_AUTHENTICATED, peer_uid
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import BACKEND, CALLER, floor_of
from callrouter.api.forwarding.node_passes import PASSED_ON
from callrouter.api.problem_json import PROBLEM_KIND, Handler
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.audit.act_log import Act
from callrouter.audit.act_rows import ActOutcome, ActVia
from callrouter.http_keys import BODY
from callrouter.model.text import mask

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN: Final = frozenset(
    {"reason", "queue", "agent", "priority", "id", "ring_after", "hours", "vouch", "enabled"}
    | {"order", "confirm", "user"}
)
"""Fields of bodies that are stored as they are. Numbers are masked, and all others left out."""
_STRANGERS: Final = frozenset(
    {"unauthorized", "too-many-wrong-tokens", "wrong-login", "locked", "wrong-origin"}
    | {"no-csrf-token", "busy", "too-many-sessions"}
)
"""Refusals of requests without a known caller that are taken down."""


@dataclass(slots=True)
class _Note:
    """What a handler knows of an act."""

    act: str = ""
    who: str = ""
    role: str = ""
    agent: str = ""
    queue: str = ""
    call: str = ""
    target: str = ""
    refused: str = ""
    values: dict[str, object] = field(default_factory=dict)


_NOTE: Final = web.RequestKey("act", _Note)


def note_act(
    request: web.Request,
    *,
    act: str = "",
    who: str = "",
    role: str = "",
    agent: str = "",
    queue: str = "",
    call: str = "",
    target: str = "",
    refused: str = "",
    **values: object,
) -> None:
    """Tell the audit more about a request. Call it at any time while the request is handled.

    Args:
        request: the request. If it is a GET, this alone makes an act of it.
        act: a word for it, if the one that `act_name` makes of the path is not right.
        who: who acts, if that is not the caller of the request, as at a log-in.
        role: their role.
        agent: the agent that it is about.
        queue: the queue that it is about.
        call: the call that it is about.
        target: another object that it is about: the name of a file, the id of a user or session.
        refused: why it was refused, if the answer to the request is no problem.
        values: what else matters, as short texts. Never a secret, and no whole phone number.
    """
    note = request.get(_NOTE) or _Note()
    request[_NOTE] = _Note(
        act=act or note.act,
        who=who or note.who,
        role=role or note.role,
        agent=agent or note.agent,
        queue=queue or note.queue,
        call=call or note.call,
        target=target or note.target,
        refused=refused or note.refused,
        values={**note.values, **values},
    )


@web.middleware
async def record_acts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take a request down once it is answered.

    Args:
        request: any request.
        handler: the middleware that answers errors, so nothing is raised for a refusal.
    """
    log = request.app[BACKEND].acts
    if log is None or request.path in request.app[SELF_AUTHENTICATED]:
        return await handler(request)
    queue = _queue_before(request)
    response = await handler(request)
    if _is_act(request):
        log.add(_act_of(request, response.status, queue))
    return response


def _is_act(request: web.Request) -> bool:
    kind = request.get(PROBLEM_KIND, "")
    if CALLER not in request and _NOTE not in request:
        tried = kind != "unauthorized" or "Authorization" in request.headers
        return kind in _STRANGERS and tried
    resource = request.match_info.route.resource
    if resource is None:
        return False  # there is no such route
    if (request.method, resource.canonical) in NO_ACTS:
        return False
    return request.method not in _READING or _NOTE in request


def _act_of(request: web.Request, status: int, queue: str) -> Act:
    note = request.get(_NOTE) or _Note()
    caller = request.get(CALLER)
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    name = request.match_info.get("id", "")
    agent = note.agent or (name if path.startswith("/api/agents/{id}") else "")
    call = note.call or (name if path.startswith("/api/calls/{id}") else "")
    body = _values(request)
    values = {**_parts(request, path), **body, **note.values}
    if caller is None and not note.act and "Authorization" in request.headers:
        note.act = "token.refuse"
    return Act(
        who=note.who or (caller.person if caller is not None else ""),
        role=note.role or (caller.role if caller is not None else ""),
        via=_via(caller, note),
        source=source_of(request),
        act=note.act or act_name(request.method, path),
        agent=agent or str(body.get("agent", "")),
        queue=note.queue or queue or str(body.get("queue", "")),
        call=call or str(body.get("call", "")),
        target=note.target,
        values=values,
        outcome=ActOutcome.REFUSED if note.refused else _outcome(status),
        kind=note.refused or request.get(PROBLEM_KIND, ""),
    )


def _queue_before(request: web.Request) -> str:
    """Return the queue of the call in the path, before the request changes it."""
    resource = request.match_info.route.resource
    if request.method in _READING or resource is None:
        return ""
    if not resource.canonical.startswith("/api/calls/{id}"):
        return ""
    try:
        found = floor_of(request).active_call(request.match_info["id"])
    except UnknownIdError:
        return ""
    return "" if found is None else found.queue


def _parts(request: web.Request, path: str) -> dict[str, object]:
    """Return the variables of the path, but for the id of the agent or call."""
    about = path.startswith(("/api/agents/{id}", "/api/calls/{id}"))
    return {
        name: value for name, value in request.match_info.items() if not (about and name == "id")
    }


def _values(request: web.Request) -> dict[str, object]:
    body = request.get(BODY, {})
    found: dict[str, object] = {}
    for name, value in body.items():
        if name in _PLAIN and not (name == "user" and CALLER not in request):
            found[name] = str(value).lower() if isinstance(value, bool) else value
        elif name == "number" and isinstance(value, str):
            found[name] = mask(value)
    return found


def _via(caller: ApiCaller | None, note: _Note) -> ActVia:
    if caller is None:
        return ActVia.PAGE if note.who else ActVia.UNKNOWN
    if caller.local:
        return ActVia.SOCKET
    return ActVia.PAGE if caller.session else ActVia.TOKEN


def source_of(request: web.Request) -> str:
    """Return from where a request comes: an address, or ``socket uid`` and the number of the user.

    If another node has passed it on, ``via`` and the node's name follow.
    """
    if PASSED_ON in request:
        return request[PASSED_ON].source
    uid = peer_uid(request)
    return request.remote or "" if uid is None else f"socket uid {uid}"


def _outcome(status: int) -> ActOutcome:
    if status >= 500 and status != 503:
        return ActOutcome.FAILED
    return ActOutcome.REFUSED if status >= 400 else ActOutcome.DONE
