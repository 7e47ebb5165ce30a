"""Posts events to webhooks. Answers, times and sizes are bounded, and redirects are not followed."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp

from callrouter import __version__
from callrouter.outbox.delivery_queue import Attempt, Outcome
from callrouter.outbox.destinations import Destination
from callrouter.outbox.outbox_rows import OutboxRow
from callrouter.outbox.standard_webhooks import headers

logger = logging.getLogger(__name__)

WITHIN: Final = 10.0
"""Seconds for a whole attempt: to connect, send and get the answer."""
_CONNECT_WITHIN: Final = 5.0
_MOST_OF_ANSWER: Final = 4096
"""Bytes of an answer that are read. What it says is not used, only its status."""
_LONGEST_WISH: Final = 3600.0
"""Seconds that a destination can ask to be left alone for, with Retry-After."""
_BUSY: Final = frozenset({408, 425, 429})
"""Statuses that say "later", not "never"."""


class WebhookSender:
    """Makes attempts over HTTP.

    Args:
        now: returns epoch seconds, for signatures.
        within: seconds for an attempt; see `WITHIN`.
    """

    def __init__(self, now: Callable[[], float], *, within: float = WITHIN) -> None:
        self._now = now
        self._within = within
        self._session: aiohttp.ClientSession | None = None

    async def send(self, destination: Destination, row: OutboxRow) -> Attempt:
        """Post an event once. Every status of 200 to 299 means that it was taken."""
        body = row.body.encode("utf-8", "replace")
        signed = headers(destination.secret, row.event, int(self._now()), body)
        try:
            async with (
                asyncio.timeout(self._within),
                self._open().post(
                    destination.webhook,
                    data=body,
                    headers={"Content-Type": "application/json", **signed},
                    allow_redirects=False,
                ) as answer,
            ):
                await answer.content.read(_MOST_OF_ANSWER)
                if not answer.content.at_eof():
                    answer.close()
                return _judge(answer)
        except TimeoutError:
            return Attempt(Outcome.AWAY, f"no answer within {self._within:g} s")
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            return Attempt(Outcome.AWAY, _reason(error))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._within, connect=_CONNECT_WITHIN),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"callrouter/{__version__}"},
                auto_decompress=False,  # a small answer may become a huge one
                trust_env=False,
                max_line_size=8190,
            )
        return self._session


def _judge(answer: aiohttp.ClientResponse) -> Attempt:
    status = answer.status
    if 200 <= status < 300:
        return Attempt(Outcome.DELIVERED)
    detail = f"it answers {status}"
    if 300 <= status < 400:
        return Attempt(Outcome.REFUSED, f"{detail}, a redirect; write the address it leads to")
    if status == 410:
        return Attempt(Outcome.GONE, detail)
    if 400 <= status < 500 and status not in _BUSY:
        return Attempt(Outcome.REFUSED, detail)
    return Attempt(Outcome.AWAY, detail, _wish(answer.headers.get("Retry-After", "")))


def _wish(text: str) -> float:
    """Return the seconds of a Retry-After; a date is ignored."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(seconds, _LONGEST_WISH) if math.isfinite(seconds) and seconds > 0 else 0.0


def _reason(error: Exception) -> str:
    """Return why there was no answer. The URL, which may contain a secret, is left out."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or 'failed'})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    return "the connection failed"
