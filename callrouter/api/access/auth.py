"""Authentication and authorization of requests.

A caller is a bearer token over TCP, or a local user over the Unix socket. A wrong token is delayed
by `tokens.WrongTokens`; what each role may do is in `permissions`.
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
from typing import Final

from aiohttp import web

from callrouter.api.access.origins import check_origin
from callrouter.api.access.permissions import PERMISSIONS, Permission
from callrouter.api.access.sessions import COOKIE, Sessions, csrf_token
from callrouter.api.access.tickets import Tickets
from callrouter.api.access.tokens import SCREEN, ApiCaller, ApiTokens, SocketGroup, WrongTokens
from callrouter.api.access.wall_screens import SCREEN_COOKIE, WallScreens
from callrouter.api.context import BACKEND, CALLER, SIGHT, floor_of
from callrouter.api.forwarding.node_passes import PASSED_ON
from callrouter.api.problem_json import REFUSED_REQUESTS, ApiProblem, Handler
from callrouter.api.shared_answers import RATES
from callrouter.api.views.sight import Sight
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.http_keys import KNOWN
from callrouter.model.text import phrase
from callrouter.settings.config_files import owner_name

COMMAND_LINE: Final = "command line"
_SO_PEERGROUPS: Final = 59  # Linux 4.13, asm-generic/socket.h
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_OPEN: Final = frozenset(
    {"/", "/healthz", "/api/log-in"}
    | {f"/api/oidc/{name}" for name in ("log-in", "callback", "log-out")}
)
_PAGE: Final = "/page/"
"""Begins the paths of the page's files, which are the same for all and tell nothing."""
_LOG_INS: Final = frozenset({("POST", "/api/session"), ("POST", "/api/session/screen")})
"""Open as well, but only for this method."""
_LIVE: Final = "/api/live"
"""The only path that a ticket opens."""
SELF_AUTHENTICATED: Final = web.AppKey("doors", frozenset[str])
"""Paths of routes that authenticate requests themselves."""


API_TOKENS: Final = web.AppKey("tokens", ApiTokens)
WRONG_TOKENS: Final = web.AppKey("wrong", WrongTokens)
SESSIONS: Final = web.AppKey("sessions", Sessions)
SCREENS: Final = web.AppKey("screens", WallScreens)
TICKETS: Final = web.AppKey("tickets", Tickets)
BY_TICKET: Final = web.RequestKey("by-ticket", bool)
"""Set if the caller came with a ticket, which says from which origin it may come."""
CSRF_HEADER: Final = "X-CSRF-Token"

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="callrouter"'}


@web.middleware
async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass on only requests that are allowed: with a known token, and a role and rights that suffice.

    Args:
        request: any request. Open paths and routes that authenticate by themselves are passed on.
        handler: the next middleware, or the route's handler.

    Raises:
        ApiProblem: 401 no or a wrong token, 403 not allowed, 429 too many requests.
        UnknownIdError: as the handler raises it, with the nearest id that the client may see.
    """
    if (
        request.path in _OPEN
        or request.path.startswith(_PAGE)
        or (request.method, request.path) in _LOG_INS
        or request.path in request.app[SELF_AUTHENTICATED]
    ):
        return await handler(request)
    try:
        caller = request[CALLER] = identify(request)
    except ApiProblem:
        await _slow_down(request)
        raise
    seen = request[SIGHT] = floor_of(request).sight(caller)
    _permit(request, caller, seen)
    request[KNOWN] = True
    request.app[RATES].take(caller)
    try:
        return await handler(request)
    except UnknownIdError as unknown:
        what, name = unknown.what, unknown.name
        raise UnknownIdError(what, name, floor_of(request).ids(what, seen)) from None


async def _slow_down(request: web.Request) -> None:
    """Delay a request with a wrong token if its address has sent several.

    One without any token tries nothing, and is answered from its head at once.

    Raises:
        ApiProblem: 429, if too many are waiting already.
    """
    if "Authorization" in request.headers and await request.app[WRONG_TOKENS].refused(
        request.remote
    ):
        detail = phrase(
            "too-many-wrong-tokens", "too many requests with wrong tokens come from your address"
        )
        headers = {**_CHALLENGE, "Retry-After": "60"}
        raise ApiProblem(429, "too-many-wrong-tokens", detail, headers) from None


async def is_known(request: web.Request) -> bool:
    """Return whether a request to an open path carries valid credentials.

    A wrong token is counted, logged and delayed as on any other path, so that this one is no place
    to try tokens.

    Raises:
        ApiProblem: 429, if too many wrong tokens come from this address.
    """
    try:
        identify(request)
    except ApiProblem as problem:
        if "Authorization" in request.headers:
            request.app[REFUSED_REQUESTS].refused(problem.kind, problem.status, request)
            await _slow_down(request)
        return False
    return True


def _permit(request: web.Request, caller: ApiCaller, seen: Sight) -> None:
    """Check a request against the table of permissions.

    Raises:
        ApiProblem: 403.
    """
    resource = request.match_info.route.resource
    if resource is None:  # unknown path or method: the answer will say so
        return
    method = "GET" if request.method == "HEAD" else request.method
    wanted = PERMISSIONS.get((method, resource.canonical))
    if wanted is None or caller.role not in wanted.roles:
        raise ApiProblem(403, "not-allowed", _may(wanted, caller))
    if not _owns(request, wanted, caller, seen):
        acts = request.method not in {"GET", "HEAD"}
        raise ApiProblem(403, "not-allowed", _limits(caller, acts=acts))


def _owns(request: web.Request, wanted: Permission, caller: ApiCaller, seen: Sight) -> bool:
    """Return whether the caller may see the object in the path.

    `own` of the permission says which object that is. Without one, every caller with the role may
    ask. Of ended and unknown calls the handler decides.
    """
    name = request.match_info.get("id", "")
    match wanted.own:
        case "agent":
            return seen.sees_agent(name)
        case "device":
            return caller.role == "agent" or seen.sees_agent(name)
        case "queue":
            return seen.sees_queue(name)
        case "call":
            return floor_of(request).may_show_call(name, seen)
        case "all":
            return seen.everything
        case "":
            return True


def _may(wanted: Permission | None, caller: ApiCaller) -> str:
    """Return which roles a request is for. `caller` is a token, a person or a local user."""
    roles = " or ".join(sorted(wanted.roles)) if wanted is not None else "admin"
    if caller.role == "metrics":
        return phrase(
            "role-metrics", "'{name}' has role metrics, which only reads /metrics", name=caller.name
        )
    return phrase(
        "role-may-not",
        "this is for role {roles}; '{name}' has role {role}",
        roles=roles,
        name=caller.name,
        role=caller.role,
    )


def _limits(caller: ApiCaller, *, acts: bool = False) -> str:
    """Return the limits of a caller in words that are true of tokens, people and local users."""
    name = caller.name
    if caller.role == "agent":
        if not caller.agent:
            text = "'{name}' has role agent and names no agent, so it sees the queues' counts only"
            return phrase("role-agent-counts", text, name=name)
        if acts:
            text = "'{name}' has role agent and may only act for {agent}"
            return phrase("role-agent-acts", text, name=name, agent=caller.agent)
        text = "'{name}' has role agent and sees only what is about {agent}"
        return phrase("role-agent-sees", text, name=name, agent=caller.agent)
    return phrase(
        "role-supervisor-queues",
        "'{name}' is limited to the queues {queues}",
        name=name,
        queues=", ".join(caller.queues),
    )


def not_yours(request: web.Request) -> ApiProblem:
    """Return the answer for an object that exists but is not shown to the caller.

    It is returned, not raised. Handlers use it for objects that the table of permissions cannot
    judge, such as ended calls and the queue in a query.
    """
    return ApiProblem(403, "not-allowed", _limits(identify(request)))


def identify(request: web.Request) -> ApiCaller:
    """Return the caller of a request.

    Raises:
        ApiProblem: 401 or 403, with what to do about it.
    """
    if CALLER in request:
        return request[CALLER]
    tokens = request.app[API_TOKENS]
    if request.query.get("as") == SCREEN:
        return _wall_screen(request)
    if request.path == _LIVE and "ticket" in request.query:
        return _ticket_holder(request)
    if PASSED_ON in request and (local := request[PASSED_ON].caller) is not None:
        return local
    sock = _unix_socket(request)
    if sock is not None:
        return _neighbour(sock, tokens.neighbours)
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if not kind and (secret := request.cookies.get(COOKIE)):
        return _person(request, secret)
    if not tokens:
        detail = (
            "no API token is configured, so no program is let in: add one under "
            "http.api_tokens in callrouter.yaml, {name: NAME, role: supervisor, token: …}"
        )
        raise ApiProblem(401, "no-tokens", detail, _CHALLENGE)
    if not token or kind.lower() != "bearer":
        detail = "say who you are: Authorization: Bearer TOKEN (see http.api_tokens)"
        raise ApiProblem(401, "unauthorized", detail, _CHALLENGE)
    caller = tokens.find(token.strip())
    if caller is None:
        raise ApiProblem(401, "unauthorized", "this token is not known", _CHALLENGE)
    return caller


def _person(request: web.Request, secret: str) -> ApiCaller:
    """Return who is logged in with a session's cookie.

    A browser sends the cookie with every request to us, whichever page has made it. So a request
    that may change something, and a WebSocket, must come from a page of ours: that is told by its
    Origin and, for a change, by the token that only our pages know.

    Raises:
        ApiProblem: 401 the session is over, 403 the request comes from another page.
    """
    caller = request.app[SESSIONS].caller(secret)
    if caller is None:
        detail: str = phrase("session-over", "your session is over; log in again")
        raise ApiProblem(401, "no-session", detail, _CHALLENGE)
    public_url = request.app[BACKEND].public_url()
    if request.method not in {"GET", "HEAD"}:
        check_origin(request, public_url)
        sent = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode("utf-8", "replace"), csrf_token(secret).encode()):
            detail = (
                f"a change with a session's cookie needs the header {CSRF_HEADER}, with the token "
                "that GET /api/session gives"
            )
            raise ApiProblem(403, "no-csrf-token", detail)
    elif "Upgrade" in request.headers and "Origin" not in request.headers:
        detail = "a WebSocket with a session's cookie needs an Origin, as browsers send it"
        raise ApiProblem(403, "wrong-origin", detail)
    return caller


def holds(app: web.Application, caller: ApiCaller) -> bool:
    """Return whether a caller's token, session or wall screen is in force, with the same rights.

    The command line has neither, and always holds.
    """
    if caller.role == SCREEN:
        return app[SCREENS].holds(caller)
    return caller.local or (app[SESSIONS] if caller.session else app[API_TOKENS]).holds(caller)


def _wall_screen(request: web.Request) -> ApiCaller:
    """Return the screen that has the cookie of a link.

    Raises:
        ApiProblem: 401 the link is revoked, or there is no cookie; 403 a WebSocket without an Origin.
    """
    caller = request.app[SCREENS].opened_by(request.cookies.get(SCREEN_COOKIE, ""))
    if caller is None:
        detail: str = phrase(
            "screen-revoked",
            "this screen's link was revoked, or its cookie is missing; open the link again",
        )
        raise ApiProblem(401, "no-screen", detail, _CHALLENGE)
    if "Upgrade" in request.headers and "Origin" not in request.headers:
        detail = "a WebSocket with a cookie needs an Origin, as browsers send it"
        raise ApiProblem(403, "wrong-origin", detail)
    return caller


def _ticket_holder(request: web.Request) -> ApiCaller:
    """Return whose ticket opens a live view. The ticket is used up.

    A token or session that has been revoked since is refused.

    Raises:
        ApiProblem: 401.
    """
    origin = request.headers.get("Origin", "")
    caller = request.app[TICKETS].redeem(request.query["ticket"], origin)
    if caller is not None and holds(request.app, caller):
        request[BY_TICKET] = True
        return caller
    detail = (
        "this ticket is not known, was used, is older than 30 s, or is for a page of another origin "
        f"than {origin[:100] or 'none'}: ask for another with POST /api/session/ticket"
    )
    raise ApiProblem(401, "wrong-ticket", detail, _CHALLENGE)


def _unix_socket(request: web.Request) -> socket.socket | None:
    """Return the Unix socket of a request's connection; None: it came over TCP."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport is not None else None
    return sock if sock is not None and sock.family == socket.AF_UNIX else None


def peer_uid(request: web.Request) -> int | None:
    """Return the local user at the other end of the Unix socket; None: it came over TCP."""
    sock = _unix_socket(request)
    return None if sock is None else _peer(sock)[0]


def _peer(sock: socket.socket) -> tuple[int, int]:
    """Return the user and the group of the process at the other end."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, gid = _CREDENTIALS.unpack(raw)
    return uid, gid


def _neighbour(sock: socket.socket, group: SocketGroup | None) -> ApiCaller:
    """Return the user at the other end of the Unix socket: root, our own user or a group member.

    The permissions of socket and folder already keep others out. This check holds if they were
    opened by mistake.

    Raises:
        ApiProblem: 403.
    """
    uid, gid = _peer(sock)
    if uid in {0, os.getuid()}:
        return ApiCaller(COMMAND_LINE, "admin", owner_name(uid))
    if group is not None and group.gid in {gid, *_groups(sock)}:
        name = owner_name(uid)
        return ApiCaller(name, group.role, name, name if group.role == "agent" else "")
    also = " and for the members of the group in socket: group" if group is not None else ""
    detail = f"the command line works for the daemon's own user and for root{also}"
    raise ApiProblem(403, "not-allowed", detail)


def _groups(sock: socket.socket) -> tuple[int, ...]:
    """Return the supplementary groups of the peer process; empty if there are more than 256.

    Needed because `SO_PEERCRED` gives only the primary group. Empty also if the kernel is older
    than Linux 4.13, which has no ``SO_PEERGROUPS``.
    """
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
