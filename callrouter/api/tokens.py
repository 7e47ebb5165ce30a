"""The API tokens, and who they let in. Imports nothing of HTTP: the daemon needs them before it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callrouter.settings import ApiToken, Role

if TYPE_CHECKING:
    from aiohttp import web


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


def _canonical(request: web.Request) -> str:
    """The path as the routes have it: ``/api/agents/{id}/devices``; empty where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
