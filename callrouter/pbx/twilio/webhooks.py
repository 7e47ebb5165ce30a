"""The HTTP side of the webhooks: who asks, what they send, and the document back."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

from aiohttp import web

from callrouter.clock import Clock
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.desk import Desk, Malformed
from callrouter.pbx.twilio.links import PARTS, Links
from callrouter.pbx.twilio.signature import HEADER, Signatures

logger = logging.getLogger(__name__)

BODY_WITHIN = 20.0
"""Seconds for the body of a request; Twilio itself waits for an answer for 15 s at most."""
_LOUD = 10
"""Refused requests that are logged; after that one in a hundred, or an attacker fills the disk."""


class Webhooks:
    """Routes of one account.

    A request is refused with 403 unless Twilio signed it, whatever it is for, with 400 if it is
    signed and makes no sense, and with 408 if it does not come to its end. Every refusal is counted.

    Args:
        desk: what answers.
        links: where the routes are.
        signatures: how a request of Twilio is known.
        account_sid: the account that must be named.
        counts: where refusals are counted.
        clock: the time.
        after: called when an answer is made: something may be due now.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        signatures: Signatures,
        *,
        account_sid: str,
        counts: Counter[str],
        clock: Clock,
        after: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._signatures = signatures
        self._account = account_sid
        self._counts = counts
        self._clock = clock
        self._after = after

    def routes(self) -> list[web.RouteDef]:
        """One for each part."""
        return [
            web.post(f"{self._links.prefix}/{part}", partial(self._handle, part)) for part in PARTS
        ]

    async def _handle(self, part: str, request: web.Request) -> web.StreamResponse:
        form = request.content_type == "application/x-www-form-urlencoded"
        try:
            async with asyncio.timeout(BODY_WITHIN):
                signed = await request.post() if form else await request.text()
        except TimeoutError:
            return self._refuse(part, 408, "too slow")
        except (ValueError, LookupError):  # bytes that are no text, or an encoding that is none
            return self._refuse(part, 400, "not to be read")
        fields = {} if isinstance(signed, str) else {key: str(signed[key]) for key in signed}
        if not self._signatures.fit(request.raw_path, signed, request.headers.get(HEADER, "")):  # type: ignore[arg-type]
            return self._refuse(part, 403, "not signed by Twilio")
        if fields.get("AccountSid") != self._account:
            return self._refuse(part, 403, "another account")
        try:
            document = self._desk.answer(
                part, request.query.get("o", ""), fields, self._clock.now()
            )
        except Malformed as error:
            return self._refuse(part, 400, str(error))
        finally:
            self._after()
        return web.Response(text=document, content_type="text/xml")

    def _refuse(self, part: str, status: int, why: str) -> web.Response:
        self._counts[f"refused: {why}"] += 1
        count = self._counts[f"refused: {why}"]
        if count <= _LOUD or count % 100 == 0:
            logger.warning("%s/%s: refused, %s (%d so far)", self._links.prefix, part, why, count)
        return web.Response(status=status, text=twiml.nothing(), content_type="text/xml")
