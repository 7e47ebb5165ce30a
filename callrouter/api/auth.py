"""Who asks, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from callrouter.api.problems import ApiProblem, Handler
from callrouter.settings import ApiToken, Role
from callrouter.settings.past import owner_name

COMMAND_LINE: Final = "command line"
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_OPEN: Final = frozenset({"/healthz"})
DOORS: Final = web.AppKey("doors", frozenset[str])
"""Paths of routes that check by themselves who asks."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever made a request; `name` goes into the records of what they asked for."""

    name: str
    role: Role
    user: str = ""
    """The user of this machine who asks over the Unix socket; empty for everyone else."""
    agent: str = ""
    """The agent for whom a token of role ``agent`` acts; with none it may only read."""

    @property
    def local(self) -> bool:
        """Whether it is the command line."""
        return bool(self.user)

    @property
    def person(self) -> str:
        """Whom to put a change down to."""
        return self.user or self.name

    def may_change(self, request: web.Request) -> bool:
        """Whether a request that changes something is theirs to make.

        A token of role ``agent`` may for its own agent. Requests about devices look by themselves, so
        that those that are refused are counted and audited.
        """
        own = bool(self.agent) and request.match_info.get("id") == self.agent
        path = _canonical(request)
        of_agent = path.startswith("/api/agents/{id}/")
        return self.role != "agent" or (of_agent and (own or "/devices" in path))


class Tokens:
    """The API tokens in force."""

    def __init__(self, tokens: Iterable[ApiToken]) -> None:
        self.use(tokens)

    def use(self, tokens: Iterable[ApiToken]) -> None:
        """Only these count from now on."""
        self._known = [
            (_digest(item.token), Caller(item.name, item.role, agent=item.agent)) for item in tokens
        ]

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, token: str) -> Caller | None:
        """Whose token it is. Takes as long for a near miss as for any other."""
        digest = _digest(token)
        found = None
        for known, caller in self._known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


TOKENS: Final = web.AppKey("tokens", Tokens)


def _canonical(request: web.Request) -> str:
    """The path as the routes have it: ``/api/agents/{id}/devices``; empty where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


@web.middleware
async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only those through who may."""
    if request.path not in _OPEN and request.path not in request.app[DOORS]:
        caller = identify(request)
        if request.method not in {"GET", "HEAD"} and not caller.may_change(request):
            may = f"only act for {caller.agent}" if caller.agent else "only read"
            detail = f"a token of role agent may {may}; '{caller.name}' is one"
            raise ApiProblem(403, "not-allowed", detail)
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
