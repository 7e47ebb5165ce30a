"""The API tokens and their callers. Imports no HTTP, since the daemon needs them earlier."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from callrouter.settings import ApiToken, Role, TokenRole


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The caller of a request. `name` appears in the records of what they request.

    Attributes:
        name: the name of the token in the configuration. Over the socket: ``command line`` for root
            and the daemon's own user, the user's name for a member of the group.
        role: what the caller may do (see `permissions`).
    """

    name: str
    role: TokenRole
    user: str = ""
    """The local user behind a request over the Unix socket; empty for other callers."""
    agent: str = ""
    """The agent that a token with the role ``agent`` acts for."""
    queues: tuple[str, ...] = ()
    """The queues to which a ``supervisor`` token is limited; empty: no limit."""
    key: bytes = field(default=b"", repr=False)
    """Digest of the token: two callers are equal only with the same token and the same rights."""

    @property
    def local(self) -> bool:
        """Whether the caller is the command line."""
        return bool(self.user)

    @property
    def unlimited(self) -> bool:
        """Whether no rate limit applies: the command line of root, the daemon's user or an admin.

        Any other user allowed on the socket has the same limits as a token.
        """
        return self.local and self.role == "admin"

    @property
    def person(self) -> str:
        """The name to record with a change.

        The local user if there is one, otherwise the name of the token.
        """
        return self.user or self.name


@dataclass(frozen=True, slots=True)
class SocketGroup:
    """Local users who may use the Unix socket, besides root and our own user.

    Attributes:
        gid: the group. A user's supplementary groups count too.
        role: what its members may do. With ``agent``, each acts for the agent of the user's own
            name.
    """

    gid: int
    role: Role


class ApiTokens:
    """The API tokens in force.

    Attributes:
        changed: called after each change of the tokens.
        neighbours: the group allowed on the Unix socket; None: no group is.
    """

    def __init__(self, tokens: Iterable[ApiToken], neighbours: SocketGroup | None = None) -> None:
        self.neighbours = neighbours
        self.changed: Callable[[], None] = lambda: None
        self.use(tokens)

    def use(self, tokens: Iterable[ApiToken]) -> None:
        """Replace all tokens.

        Calls `changed` afterwards, even if the tokens are the same. A reload of the configuration
        calls it.
        """
        self._known = [_caller(item) for item in tokens]
        self.changed()

    def holds(self, caller: ApiCaller) -> bool:
        """Return whether an accepted token is still valid, with the same rights.

        False as well if its role, agent or queues have changed since. Not meant for local callers:
        they have no token.
        """
        return caller in self._known

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, token: str) -> ApiCaller | None:
        """Return the caller of a token. Takes constant time, even for a near miss.

        None: the token is not known. It is compared by its digest with every known one.
        """
        digest = _digest(token)
        found = None
        for caller in self._known:
            if hmac.compare_digest(caller.key, digest):
                found = caller
        return found


def _caller(item: ApiToken) -> ApiCaller:
    return ApiCaller(
        item.name, item.role, agent=item.agent, queues=item.queues, key=_digest(item.token)
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
