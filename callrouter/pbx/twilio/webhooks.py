"""The HTTP side of the webhooks: who asks, what they send, and the document back."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiohttp import web
from aiohttp.http import HttpProcessingError

from callrouter.clock import Clock
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.desk import Desk, Malformed
from callrouter.pbx.twilio.fields import check_fields
from callrouter.pbx.twilio.forms import Refused, check_head, read_form
from callrouter.pbx.twilio.links import PARTS, Links
from callrouter.pbx.twilio.signature import HEADER, Signatures

logger = logging.getLogger(__name__)

BODY_WITHIN = 3.0
"""Seconds for the body of a request. Twilio sends head and body together."""
_LOUD = 10
"""Refused requests that are logged; after that one in a hundred, or an attacker fills the disk."""


class Webhooks:
    """Routes of one account.

    A request without a signature is refused with 403 before its body is read. With one, the body must
    be a form in UTF-8 (else 415), come within `BODY_WITHIN` (408), be no larger than `forms.MOST_BYTES`
    (413) and be a form without mistakes (400). Then the signature must be Twilio's (403), and what it
    signed must make sense (400). Every refusal is counted.

    Args:
        desk: what answers.
        links: where the routes are.
        signatures: how a request of Twilio is known.
        account_sid: the account that must be named.
        counts: where refusals are counted.
        clock: the time.
        before: awaited with part and fields before a request is answered.
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
        before: Callable[[str, Mapping[str, str]], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._links = links
        self._signatures = signatures
        self._account = account_sid
        self._counts = counts
        self._clock = clock
        self._before = before
        self._after = after

    def routes(self) -> list[web.RouteDef]:
        """One for each part."""
        return [
            web.post(f"{self._links.prefix}/{part}", partial(self._handle, part)) for part in PARTS
        ]

    async def _handle(self, part: str, request: web.Request) -> web.StreamResponse:
        try:
            fields = await self._verified(part, request)
            check_fields(part, fields)
            await self._before(part, fields)
            token = request.query.get("o", "")
            try:
                document = self._desk.answer(part, token, fields, self._clock.now())
            finally:
                self._after()
        except Refused as error:
            return self._refuse(part, error.status, error.why)
        except Malformed as error:
            return self._refuse(part, 400, str(error))
        return web.Response(text=document, content_type="text/xml")

    async def _verified(self, part: str, request: web.Request) -> Mapping[str, str]:
        """Read a request as far as it deserves: the head, then the body, then what it says."""
        headers = request.headers
        signature = check_head(
            headers.getall(HEADER, ()),
            headers.get("Content-Type", ""),
            headers.getall("Content-Encoding", ()),
            request.content_length,
        )
        # Twilio asks for the very path that it was given. An absolute target, or another spelling of
        # the path, would be signed as something else than what is answered.
        path = request.raw_path
        if path.partition("?")[0] != f"{self._links.prefix}/{part}":
            raise Refused(400, "another path")
        fields = read_form(await _body(request))
        if not self._signatures.fit(path, fields, signature):
            raise Refused(403, "not signed by Twilio")
        if fields.get("AccountSid") != self._account:
            raise Refused(403, "another account")
        return fields

    def _refuse(self, part: str, status: int, why: str) -> web.Response:
        self._counts[f"refused: {why}"] += 1
        count = self._counts[f"refused: {why}"]
        if count <= _LOUD or count % 100 == 0:
            logger.warning("%s/%s: refused, %s (%d so far)", self._links.prefix, part, why, count)
        return web.Response(status=status, text=twiml.nothing(), content_type="text/xml")


async def _body(request: web.Request) -> bytes:
    """Read the body, for `BODY_WITHIN` seconds at most.

    Raises:
        Refused: 408 too slow, 413 too large, 400 broken off or not framed as HTTP has it.
    """
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except TimeoutError as error:
        raise Refused(408, "too slow") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, "too large") from error
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError, RuntimeError) as error:
        raise Refused(400, "not to be read") from error
