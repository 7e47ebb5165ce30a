"""Tickets: a page of another site opens one live view with one, without a cookie or token of ours.

The site's own server, which has an API token, asks for a ticket and names the page's origin. The
browser then opens the WebSocket with it. A ticket works once, for half a minute, and only from that
origin; so one that a proxy has logged is worth nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from callrouter.api.access.tokens import ApiCaller
from callrouter.clock import Clock

LASTS: Final = 30.0
"""Seconds for which a ticket can be used."""
MOST_OF_ONE: Final = 20
"""Unused tickets of one caller. A further one replaces the oldest."""
MOST: Final = 5_000
"""Unused tickets in all. A further one replaces the oldest."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that has not been used.

    Attributes:
        caller: who asked for it, and whose rights it has.
        origin: from which it may be used.
        expires_at: epoch seconds.
    """

    caller: ApiCaller
    origin: str
    expires_at: float


class Tickets:
    """The tickets that have not been used. They do not outlive the process.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, Ticket] = {}

    def issue(self, caller: ApiCaller, origin: str) -> tuple[str, Ticket]:
        """Make a ticket. Returns its secret, and the ticket.

        Args:
            caller: whose rights it has.
            origin: of the page that will use it, as browsers write it.
        """
        now = self._clock.now()
        for digest, known in list(self._known.items()):  # the oldest first
            if known.expires_at > now:
                break
            del self._known[digest]
        own = [digest for digest, known in self._known.items() if known.caller == caller]
        for digest in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            del self._known[digest]
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        secret = secrets.token_urlsafe(32)
        ticket = Ticket(caller, origin, now + LASTS)
        self._known[_digest(secret)] = ticket
        return secret, ticket

    def redeem(self, secret: str, origin: str) -> ApiCaller | None:
        """Use a ticket up. Returns whose it is; None: it is not known, over, or of another origin.

        One that comes from another origin is used up as well.
        """
        ticket = self._known.pop(_digest(secret), None)
        if ticket is None or self._clock.now() >= ticket.expires_at or origin != ticket.origin:
            return None
        return ticket.caller


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
