"""Detects replays: requests that Twilio signed once and that are sent again, even after a restart.

A signature contains no time, so it stays valid for ever: an attacker who has seen one request can
send it again after the call. A replay can do harm only if it creates something, that is a caller or
a dialogue for a call that is unknown. Requests about known calls are idempotent.

So a call is checked once, when a request would create something for it:

1. If it is remembered as ended, the handlers refuse it (`AccountState.ended_calls`, which survives a
   restart). This catches nearly all replays.
2. If it is neither remembered nor in progress, Twilio is asked whether it has ended. A genuine
   caller must not wait for that, so the request is held for a moment only; an answer that comes
   later removes the caller again.
3. If Twilio does not know the call or cannot be reached, the caller is let in. The REST API lags
   behind, so a call that it does not know may be a new one, and losing a caller is worse than a
   caller who does not exist.
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

_HOLD_FOR: Final = 0.2
"""Seconds for which a caller is delayed until Twilio has answered.

After that the caller is let in, and removed again if the answer says that the call has ended.
"""
_HOLD_CODE_FOR: Final = 1.0
"""The same when a feature code is dialled. It is longer because its effect cannot be undone."""
_CREATING: Final = frozenset({"voice", "wait", "dial-done", "code"})
"""Requests that create a caller or a dialogue for a call that was unknown before."""
_SID: Final = re.compile(r"CA[0-9a-f]{32}", re.ASCII)
_ASK_AGAIN_AFTER: Final = 3600.0
"""Seconds for which the same call is not queried again."""


class ReplayGuard:
    """Keeps out calls that have ended.

    Args:
        account: the calls in progress, and the calls that have ended.
        dialogues: the phone dialogues.
        is_over: asks Twilio whether a call has ended; returns None if that cannot be determined.
        codes: the number for feature codes; "" if there is none.
        tasks: runs the queries.
    """

    def __init__(
        self,
        account: AccountState,
        dialogues: PhoneDialogues,
        *,
        is_over: Callable[[str], Awaitable[bool | None]],
        codes: str,
        tasks: Callable[[], Tasks],
    ) -> None:
        self._account = account
        self._dialogues = dialogues
        self._is_over = is_over
        self._codes = codes
        self._tasks = tasks
        self._queried_at: dict[str, float] = {}

    async def check(self, part: str, sid: str, called: str) -> None:
        """Find out whether the call of a request has ended, waiting only for a moment.

        Args:
            part: which of `webhook.PARTS` was requested.
            sid: the call, as claimed by the request.
            called: the number or address that was called.
        """
        account = self._account
        known = sid in account.callers or sid in account.ended_calls or self._dialogues.has(sid)
        if part not in _CREATING or known or sid in self._queried_at or not _SID.fullmatch(sid):
            return
        self._forget_old()
        self._queried_at[sid] = account.now
        code = part == "code" or (bool(self._codes) and called == self._codes)
        query = self._tasks().spawn(self._query(sid), f"{account.name} is it over")
        await asyncio.wait({query}, timeout=_HOLD_CODE_FOR if code else _HOLD_FOR)

    def _forget_old(self) -> None:
        while self._queried_at:
            sid, at = next(iter(self._queried_at.items()))
            if self._account.now - at < _ASK_AGAIN_AFTER:
                return
            del self._queried_at[sid]

    async def _query(self, sid: str) -> None:
        """Ask Twilio about a call, and remove whatever was created for it if it has ended."""
        if await self._is_over(sid) is not True:
            return
        self._account.counts["replayed"] += 1
        if sid in self._account.callers:
            self._account.caller_left(sid)
        elif self._dialogues.has(sid):
            self._dialogues.end(sid)
        else:
            self._account.mark_ended(sid)
