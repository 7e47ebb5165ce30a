"""Who asks, and what they may do."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

from aiohttp import web

from callrouter.api.problems import ApiProblem, Handler
from callrouter.api.tokens import Caller, Tokens
from callrouter.settings.past import owner_name

COMMAND_LINE: Final = "command line"
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_OPEN: Final = frozenset({"/healthz"})
DOORS: Final = web.AppKey("doors", frozenset[str])
"""Paths of routes that check by themselves who asks."""


TOKENS: Final = web.AppKey("tokens", Tokens)


KNOWN: Final = web.RequestKey("known", bool)
"""Set once it is known who makes a request, and that they may."""


@web.middleware
async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only those through who may."""
    if request.path not in _OPEN and request.path not in request.app[DOORS]:
        caller = identify(request)
        if request.method not in {"GET", "HEAD"} and not caller.may_change(request):
            may = f"only act for {caller.agent}" if caller.agent else "only read"
            detail = f"a token of role agent may {may}; '{caller.name}' is one"
            raise ApiProblem(403, "not-allowed", detail)
        request[KNOWN] = True
    return await handler(request)


def identify(request: web.Request) -> Caller:
    """Who makes a request.

    Raises:
        ApiProblem: 401 or 403, with what to do about it.
    """
    tokens = request.app[TOKENS]
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None and sock.family == socket.AF_UNIX:
        return _neighbour(sock)
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": 'Bearer realm="callrouter"'}
    if not tokens:
        detail = (
            "no API token is configured, so nobody can be let in: add one under "
            "http.api_tokens in callrouter.yaml, {name: NAME, role: supervisor, token: …}"
        )
        raise ApiProblem(401, "no-tokens", detail, challenge)
    if not token or kind.lower() != "bearer":
        detail = "say who you are: Authorization: Bearer TOKEN (see http.api_tokens)"
        raise ApiProblem(401, "unauthorized", detail, challenge)
    caller = tokens.find(token.strip())
    if caller is None:
        raise ApiProblem(401, "unauthorized", "this token is not known", challenge)
    return caller


def _neighbour(sock: socket.socket) -> Caller:
    """The other end of the Unix socket: someone of our own user, or root.

    The socket's folder keeps others out already; this holds where a folder was opened by mistake.
    """
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    if uid not in {0, os.getuid()}:
        detail = "the command line works for the daemon's own user and for root"
        raise ApiProblem(403, "not-allowed", detail)
    return Caller(COMMAND_LINE, "admin", owner_name(uid))
