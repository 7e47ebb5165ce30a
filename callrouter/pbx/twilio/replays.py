"""Requests that Twilio signed once and somebody sends again, days later or after a restart.

A signature has no time in it. What is remembered of calls that are over tells most replays; for a call
that neither the memory nor the line knows, Twilio is asked once whether it is over.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.people import People
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

_HOLD: Final = 0.2
"""Seconds for which a caller is held back until Twilio has answered; then they are let in, and out
again should the answer say so."""
_HOLD_CODE: Final = 1.0
"""The same for someone who dials a code: what a code does cannot be taken back."""
_BEGIN: Final = frozenset({"voice", "wait", "dial-done", "code"})
"""Requests that make a caller, or a person at a phone, of a call not known before."""
_SID: Final = re.compile(r"CA[0-9a-f]{32}", re.ASCII)
_KEPT: Final = 3600.0
"""Seconds for which a call that Twilio was asked about is not asked about again."""


class Replays:
    """Keeps calls out that are over.

    Args:
        ledger: who is on the line, and which calls are over.
        people: who talks with the router.
        over: asks Twilio whether a call is over; None: that cannot be said.
        codes: the number for codes; empty: there is none.
        tasks: keeps what is asked.
    """

    def __init__(
        self,
        ledger: Ledger,
        people: People,
        *,
        over: Callable[[str], Awaitable[bool | None]],
        codes: str,
        tasks: Callable[[], Tasks],
    ) -> None:
        self._ledger = ledger
        self._people = people
        self._over = over
        self._codes = codes
        self._tasks = tasks
        self._asked: dict[str, float] = {}

    async def look(self, part: str, sid: str, called: str) -> None:
        """Find out, for a moment at most, whether the call of a request is over."""
        ledger = self._ledger
        known = sid in ledger.callers or sid in ledger.gone or self._people.has(sid)
        if part not in _BEGIN or known or sid in self._asked or not _SID.fullmatch(sid):
            return
        self._forget_old()
        self._asked[sid] = ledger.now
        code = part == "code" or (bool(self._codes) and called == self._codes)
        asking = self._tasks().spawn(self._ask(sid), f"{ledger.name} is it over")
        await asyncio.wait({asking}, timeout=_HOLD_CODE if code else _HOLD)

    def _forget_old(self) -> None:
        while self._asked:
            sid, at = next(iter(self._asked.items()))
            if self._ledger.now - at < _KEPT:
                return
            del self._asked[sid]

    async def _ask(self, sid: str) -> None:
        if await self._over(sid) is not True:
            return
        self._ledger.counts["replayed"] += 1
        if sid in self._ledger.callers:
            self._ledger.caller_gone(sid)
        elif self._people.has(sid):
            self._people.leaves(sid)
        else:
            self._ledger.done_with(sid)
