"""The API tokens, and who they let in. Imports nothing of HTTP: the daemon needs them before it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from callrouter.settings import ApiToken, Role, TokenRole


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever made a request; `name` goes into the records of what they asked for."""

    name: str
    role: TokenRole
    user: str = ""
    """The user of this machine who asks over the Unix socket; empty for all other callers."""
    agent: str = ""
    """The agent for whom a token of role ``agent`` acts."""
    queues: tuple[str, ...] = ()
    """The queues to which a token of role ``supervisor`` is limited; empty: none."""
    key: bytes = field(default=b"", repr=False)
    """The token's digest: two callers are equal only if they use the same token with the same rights."""

    @property
    def local(self) -> bool:
        """Whether it is the command line."""
        return bool(self.user)

    @property
    def unlimited(self) -> bool:
        """Whether no rate holds: the command line of root, of the daemon's user, or of an admin.

        Another user who is let in at the socket has the same limits as a token.
        """
        return self.local and self.role == "admin"

    @property
    def person(self) -> str:
        """Whom to put a change down to."""
        return self.user or self.name


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Users of this machine who may use the Unix socket, besides root and our own user."""

    gid: int
    role: Role


class Tokens:
    """The API tokens in force.

    Attributes:
        changed: called after each change of the tokens.
        neighbours: the group that is let in at the Unix socket; None: no group is.
    """

    neighbours: Neighbours | None = None

    def __init__(self, tokens: Iterable[ApiToken]) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.use(tokens)

    def use(self, tokens: Iterable[ApiToken]) -> None:
        """Only these count from now on."""
        self._known = [_caller(item) for item in tokens]
        self.changed()

    def holds(self, caller: Caller) -> bool:
        """Whether a token that was let in is still known, with the same rights."""
        return caller in self._known

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, token: str) -> Caller | None:
        """Whose token it is. Takes as long for a near miss as for any other."""
        digest = _digest(token)
        found = None
        for caller in self._known:
            if hmac.compare_digest(caller.key, digest):
                found = caller
        return found


def _caller(item: ApiToken) -> Caller:
    return Caller(
        item.name, item.role, agent=item.agent, queues=item.queues, key=_digest(item.token)
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
