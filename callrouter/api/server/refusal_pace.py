"""Delays refusals when there are many, so that strangers cost the callers little.

A client that waits for its answer before it asks again is slowed down to one request in `DELAY`
seconds: one that forges webhooks, sends many wrong tokens, asks for what its token may not
read, or exceeds a limit. Answers to requests
that are granted are never delayed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from callrouter.api.access.auth import SELF_AUTHENTICATED
from callrouter.api.problem_json import Handler
from callrouter.api.server.connection_limit import LIMITER
from callrouter.http_keys import KNOWN

PER_SECOND: Final = 10.0
"""Refusals per second that are answered at once, on average and for all clients together. Honest
mistakes are far fewer.
"""
BURST: Final = 100.0
"""Refusals answered at once after a quiet time."""
DELAY: Final = 2.0
"""Seconds by which each refusal beyond that is delayed."""
MOST_DELAYED: Final = 500
"""Delayed refusals at a time, half of `connection_limit.MOST`; more are answered at once."""
_UNPROVEN: Final = frozenset({400, 403, 408, 413, 415})
"""Refusals of a webhook before its signature is verified."""


class RefusalPace:
    """Decides which refusals are delayed: a token bucket, and a limit on those that wait.

    Args:
        delayed: counts the refusals that were delayed, as ``refusals``.
    """

    def __init__(self, delayed: Counter[str]) -> None:
        self._delayed = delayed
        self._allowance = BURST
        self._counted_at = 0.0
        self._waiting = 0

    async def pause(self) -> None:
        """Wait before a refusal is answered, if there were too many.

        The wait is `DELAY` seconds. It returns at once while the allowance lasts, and also if
        `MOST_DELAYED` refusals wait already.
        """
        now = asyncio.get_running_loop().time()
        earned = (now - self._counted_at) * PER_SECOND
        self._allowance = min(BURST, self._allowance + earned)
        self._counted_at = now
        if self._allowance >= 1.0:
            self._allowance -= 1.0
            return
        if self._waiting >= MOST_DELAYED:
            return
        self._delayed["refusals"] += 1
        self._waiting += 1
        try:
            await asyncio.sleep(DELAY)
        finally:
            self._waiting -= 1


PACE: Final = web.AppKey("pace", RefusalPace)


@web.middleware
async def delay_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Delay a refused webhook, and every 403 and 429 over TCP, whatever limit it names.

    Other refusals are answered at once. `WrongTokens` delays wrong tokens by address; a request
    without any token tries nothing. The connection counts as idle while it waits, so it is among the
    first to be closed when there are too many.
    """
    response = await handler(request)
    if _worth_a_delay(request, response):
        for limiter in request.app[LIMITER]:
            if request.transport is not None and not request.can_read_body:
                limiter.answered(request.transport)
        await request.app[PACE].pause()
    return response


def _worth_a_delay(request: web.Request, response: web.StreamResponse) -> bool:
    if response.prepared or not request.remote:  # the command line's socket has no address
        return False
    if request.path in request.app[SELF_AUTHENTICATED]:
        return response.status in _UNPROVEN and not request.get(KNOWN, False)
    return response.status in {403, 429}
