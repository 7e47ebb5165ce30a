"""Detects replays: requests that Twilio signed once and that are sent again, even after a restart.

A signature contains no time. The memory of ended calls catches most replays. If a call is neither
remembered nor in progress, Twilio is asked once whether it has ended.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.phone_dialogues import PhoneDialogues
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

_HOLD: Final = 0.2
"""Seconds for which a caller is delayed until Twilio has answered.

After that the caller is let in, and removed again if the answer says that the call has ended.
"""
_HOLD_CODE: Final = 1.0
"""The same when a feature code is dialled. It is longer because its effect cannot be undone."""
_BEGIN: Final = frozenset({"voice", "wait", "dial-done", "code"})
"""Requests that create a caller or a dialogue for a call that was unknown before."""
_SID: Final = re.compile(r"CA[0-9a-f]{32}", re.ASCII)
_KEPT: Final = 3600.0
"""Seconds for which the same call is not queried again."""


class ReplayGuard:
    """Keeps out calls that have ended.

    Args:
        account: the calls in progress, and the calls that have ended.
        dialogues: the phone dialogues.
        over: asks Twilio whether a call has ended; returns None if that cannot be determined.
        codes: the number for feature codes; "" if there is none.
        tasks: runs the queries.
    """

    def __init__(
        self,
        account: AccountState,
        people: PhoneDialogues,
        *,
        over: Callable[[str], Awaitable[bool | None]],
        codes: str,
        tasks: Callable[[], Tasks],
    ) -> None:
        self._account = account
        self._people = people
        self._over = over
        self._codes = codes
        self._tasks = tasks
        self._asked: dict[str, float] = {}

    async def look(self, part: str, sid: str, called: str) -> None:
        """Find out whether the call of a request has ended, waiting only for a moment."""
        account = self._account
        known = sid in account.callers or sid in account.ended_calls or self._people.has(sid)
        if part not in _BEGIN or known or sid in self._asked or not _SID.fullmatch(sid):
            return
        self._forget_old()
        self._asked[sid] = account.now
        code = part == "code" or (bool(self._codes) and called == self._codes)
        asking = self._tasks().spawn(self._ask(sid), f"{account.name} is it over")
        await asyncio.wait({asking}, timeout=_HOLD_CODE if code else _HOLD)

    def _forget_old(self) -> None:
        while self._asked:
            sid, at = next(iter(self._asked.items()))
            if self._account.now - at < _KEPT:
                return
            del self._asked[sid]

    async def _ask(self, sid: str) -> None:
        if await self._over(sid) is not True:
            return
        self._account.counts["replayed"] += 1
        if sid in self._account.callers:
            self._account.caller_left(sid)
        elif self._people.has(sid):
            self._people.leaves(sid)
        else:
            self._account.mark_ended(sid)
