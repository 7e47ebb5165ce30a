"""Passes: what a standby says of a request that it passes on, signed with the key of the nodes.

The active node then counts the request as its client's own: limits, lockouts and the audit are about
the client, and a local user at the standby's socket has the role that the socket gives there. The key
itself is never sent. A pass is good for one request to one run of one node, so one that was seen on
the way, and sent again or elsewhere, opens nothing. No two machines' clocks are compared.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Final, get_args

from aiohttp import web

from callrouter.api.access.tokens import ApiCaller
from callrouter.settings import Role

HEADER: Final = "X-Callrouter-Node"
_LONGEST: Final = 2000
"""Characters of a pass."""
_WINDOW: Final = 1024
"""Requests of a standby that may overtake each other (compare RFC 4303, 3.4.3)."""
_MOST_RUNS: Final = 1000
"""Runs of standbys that are remembered."""
_CONTEXT: Final = b"callrouter node pass 1"
"""Keeps signatures for this purpose apart from those for any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUser:
    """A user at the socket of a standby, with the role that the socket gives there."""

    name: str
    role: Role
    user: str
    agent: str
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePass:
    """What the node that passes a request on says of it.

    Attributes:
        node: its name.
        client: the address of the client; empty: a local user.
        local: the local user; None: the request came over TCP.
    """

    node: str
    client: str = ""
    local: LocalUser | None = None

    @property
    def caller(self) -> ApiCaller | None:
        """The local user as the caller of the request; None: it shows credentials of its own."""
        if self.local is None:
            return None
        who = self.local
        return ApiCaller(who.name, who.role, who.user, who.agent, node=self.node)

    @property
    def source(self) -> str:
        """From where the request comes, for the audit."""
        at = self.client if self.local is None else f"socket uid {self.local.uid}"
        return f"{at} via {self.node}"


PASSED_ON: Final = web.RequestKey("passed-on", NodePass)
"""Set if another node has passed the request on."""


class PassWriter:
    """Writes the passes of this node.

    Args:
        node: its name.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._run = secrets.token_hex(16)
        self._count = itertools.count(1)

    def write(
        self,
        key: bytes,
        *,
        to: str,
        method: str,
        target: str,
        client: str = "",
        local: LocalUser | None = None,
    ) -> str:
        """Return a pass for one request.

        Args:
            key: of the nodes.
            to: the run of the node that it is for.
            method: of the request.
            target: its path and query, as sent.
            client: the address of its client.
            local: the local user, if it came over the socket.
        """
        claims = {
            "node": self._node,
            "run": self._run,
            "count": next(self._count),
            "to": to,
            "client": client,
            "local": None if local is None else asdict(local),
        }
        text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
        return f"{text}.{_signature(key, method, target, text)}"


class PassReader:
    """Reads the passes that other nodes have written for this one, each of them once."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def read(self, key: bytes, text: str, *, run: str, method: str, target: str) -> NodePass | None:
        """Return what a pass says; None: it is none, or not for this request, or was used before.

        Takes constant time for a wrong signature.

        Args:
            key: of the nodes; empty: no pass is good.
            text: the header.
            run: of this node.
            method: of the request.
            target: its path and query, as they came.
        """
        written, _, signature = text.partition(".")
        if not key or len(text) > _LONGEST or not text.isascii():
            return None
        if not hmac.compare_digest(signature, _signature(key, method, target, written)):
            return None
        # From here on it is known that a node has written it.
        claims = json.loads(base64.urlsafe_b64decode(written))
        if claims["to"] != run or not self._is_new(claims["run"], claims["count"]):
            return None
        local = claims["local"]
        if local is not None and local["role"] not in get_args(Role):
            return None  # of a version that has other roles
        return NodePass(
            node=claims["node"],
            client=claims["client"],
            local=None if local is None else LocalUser(**local),
        )

    def _is_new(self, run: str, count: int) -> bool:
        seen = self._seen.get(run)
        if seen is None:
            seen = self._seen[run] = _Seen()
            if len(self._seen) > _MOST_RUNS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(run)
        return seen.add(count)


@dataclass(slots=True)
class _Seen:
    """The counts of one run that were seen: the highest, and a bit for each of those before."""

    highest: int = 0
    bits: int = 0

    def add(self, count: int) -> bool:
        """Note a count. Returns whether it was not seen before, as far as is remembered."""
        if count > self.highest:
            ahead = min(count - self.highest, _WINDOW)
            self.bits = (self.bits << ahead | 1) & ((1 << _WINDOW) - 1)
            self.highest = count
            return True
        behind = self.highest - count
        if behind >= _WINDOW or self.bits >> behind & 1:
            return False
        self.bits |= 1 << behind
        return True


def _signature(key: bytes, method: str, target: str, text: str) -> str:
    signed = f"{method}\n{target}\n{text}".encode("utf-8", "surrogateescape")
    return hmac.new(key, _CONTEXT + b"\n" + signed, hashlib.sha256).hexdigest()
