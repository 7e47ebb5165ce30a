"""Several routers and one Twilio account: whose webhook it is, and when a request may be made.

Twilio keeps nothing that it could compare with the epoch of a request. So a leg's token names the
epoch of the router that rang it, and Twilio brings it back with every webhook of that leg. The
present router answers them all: it continues what it has adopted and ends the rest.

A request is made only by a router that is sure of its lease. Twilio cannot be asked for the epoch.
So one that is not sure waits for `LEASE_KNOWN_AFTER` seconds of its own running. In that time it has
tried to renew the lease: if the database answered, it is sure again or another router is active and
this one has stopped. If the database is away for it, it goes on, so that callers are served. Time in
which the process stood still does not count as waiting.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final

from callrouter.clock import since_boot
from callrouter.pbx.interface import Authority

LEASE_KNOWN_AFTER: Final = 2.5
"""Seconds in which a renewal has come through or failed: tried about each second, given up after one."""

_LOOK_EVERY: Final = 0.1
_STOOD_STILL: Final = 1.0
"""Seconds between two looks after which the process must have stood still."""

_TOKEN: Final = re.compile(r"([1-9][0-9]{0,17})\.[\w-]+")


def make_token(epoch: int) -> str:
    """An unguessable token that names the epoch; without a cluster (0) it names none."""
    token = secrets.token_urlsafe(16)
    return f"{epoch}.{token}" if epoch else token


def epoch_of(token: str) -> int:
    """The epoch that a token names; 0 if none."""
    found = _TOKEN.fullmatch(token)
    return int(found[1]) if found else 0


class RequestGate:
    """Whether requests may be made to Twilio now.

    Attributes:
        active: whether this router is to act on this account.
        not_made: number of requests that were not made because another router is active.
    """

    def __init__(self, authority: Authority) -> None:
        self.active = authority.active
        self.not_made = 0
        self._authority = authority
        self._activated = asyncio.Event()
        self._looked_at = 0.0
        self._unsure_for = 0.0
        """Seconds of this process's own running since it was last sure."""

    def activate(self) -> None:
        """This router is the active one from now on."""
        self.active = True
        self._activated.set()

    def stand_down(self) -> None:
        """Make no request from now on."""
        self.active = False

    async def until_active(self) -> None:
        """Wait until this router is the active one."""
        if not self.active:
            await self._activated.wait()

    async def keep_looking(self) -> None:
        """Measure for how long the lease has been uncertain. Runs as long as the driver does."""
        while True:
            self._look()
            await asyncio.sleep(_LOOK_EVERY)

    def _look(self) -> None:
        now = since_boot()
        passed, self._looked_at = now - self._looked_at, now
        if self._authority.sure() or passed > _STOOD_STILL:
            self._unsure_for = 0.0
        else:
            self._unsure_for += passed

    async def permitted(self) -> bool:
        """Wait until a request may be made. Return False if another router is active."""
        while self.active:
            self._look()
            if self._authority.sure() or self._unsure_for >= LEASE_KNOWN_AFTER:
                return True
            await asyncio.sleep(_LOOK_EVERY)
        self.not_made += 1
        return False
