"""The API tokens and their callers, and the delay of addresses that send wrong tokens.

Nothing here imports HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from callrouter.settings import ApiToken, Role, TokenRole

CallerRole: TypeAlias = TokenRole | Literal["screen"]
SCREEN: Final = "screen"
"""The role of a screen on the wall, which was opened by a link; see `wall_screens`."""


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The caller of a request. `name` appears in the records of what they request.

    Attributes:
        name: the name of the token in the configuration, or the id of a person who is logged in.
            Over the socket: ``command line`` for root and the daemon's own user, the user's name
            for a member of the group.
        role: what the caller may do (see `permissions`).
    """

    name: str
    role: CallerRole
    user: str = ""
    """The local user behind a request over the Unix socket; empty for other callers."""
    agent: str = ""
    """The agent that a token with the role ``agent`` acts for."""
    queues: tuple[str, ...] = ()
    """The queues to which a ``supervisor`` token is limited; empty: no limit."""
    key: bytes = field(default=b"", repr=False)
    """Digest of the token or of the session's secret: two callers are equal only with the same one
    and the same rights.
    """
    session: str = ""
    """The id of the session of a person at the page, or of a wall screen's link; empty for programs."""
    node: str = ""
    """The node of the cluster at whose socket a local user is; empty: this one."""

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


# ---------------------------------------------------------------- wrong tokens

FREE: Final = 10
"""Wrong tokens from one address answered at once, within `FORGOTTEN_AFTER`."""
PAUSE: Final = 1.0
"""Seconds of delay for each answer after that."""
MOST_OF_ONE: Final = 4
"""Delayed requests of one address at a time: with `PAUSE`, 4 attempts per second."""
FORGOTTEN_AFTER: Final = 60.0
"""Seconds without a wrong token after which an address starts afresh."""
MOST_PAUSED: Final = 50
"""Delayed requests at a time. Each occupies a connection, so any more get 429 at once."""
MOST_ADDRESSES: Final = 5_000
"""Addresses remembered. The one quiet for the longest is forgotten first."""


@dataclass(slots=True)
class _Tries:
    count: int
    last: float
    paused: int = 0


class WrongTokens:
    """Remembers the addresses that recently used wrong tokens.

    Args:
        delayed: counts the requests that were delayed or answered 429, as ``wrong-tokens``.
    """

    def __init__(self, delayed: Counter[str]) -> None:
        self._delayed = delayed
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._paused = 0

    async def refused(self, remote: str | None) -> bool:
        """Note a wrong token from an address, and wait if there were too many.

        Returns:
            Whether to answer 429, since too many requests are waiting already.
        """
        loop = asyncio.get_running_loop()
        tries = self._of(client_network(remote), loop.time())
        tries.count += 1
        if tries.count <= FREE:
            return False
        self._delayed["wrong-tokens"] += 1
        if self._paused >= MOST_PAUSED or tries.paused >= MOST_OF_ONE:
            return True
        self._paused += 1
        tries.paused += 1
        try:
            await asyncio.sleep(PAUSE)
        finally:
            self._paused -= 1
            tries.paused -= 1
        return False

    def _of(self, network: str, now: float) -> _Tries:
        tries = self._tries.get(network)
        if tries is None or now - tries.last > FORGOTTEN_AFTER:
            tries = self._tries[network] = _Tries(0, now)
            if len(self._tries) > MOST_ADDRESSES:
                self._tries.popitem(last=False)
        self._tries.move_to_end(network)
        tries.last = now
        return tries


def client_network(remote: str | None) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 one: what one subscriber has (RFC 6177).

    An IPv4 address that is mapped into IPv6 counts as IPv4. What is no address stands for itself;
    None is the empty text.
    """
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return remote or ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
