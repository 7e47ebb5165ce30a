"""The HTTP side of the webhooks: authenticates, parses and answers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiohttp import web
from aiohttp.http import HttpProcessingError

from callrouter.clock import Clock
from callrouter.http_keys import KNOWN
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.handlers import WebhookHandlers
from callrouter.pbx.twilio.webhook import PARTS, MalformedWebhook, WebhookUrls
from callrouter.pbx.twilio.webhooks.forms import WebhookRefused, check_head, read_form
from callrouter.pbx.twilio.webhooks.signature import HEADER, SignatureCheck, check_fields

logger = logging.getLogger(__name__)

BODY_WITHIN = 3.0
"""Seconds for the body of a request. Twilio sends headers and body together."""
_LOUD = 10
"""Number of refused requests that are logged one by one.

After that, one in a hundred is logged, so that an attacker cannot fill the disk.
"""


class Webhooks:
    """The routes of one account.

    A request without a signature is refused with 403 before its body is read. Otherwise the body
    must be a UTF-8 form (else 415), arrive within `BODY_WITHIN` (408), not exceed
    `forms.MOST_BYTES` (413) and be well-formed (400). Then the signature must be Twilio's (403),
    and the signed fields must make sense (400). Every refusal is counted.

    Args:
        handlers: answers the requests.
        urls: the paths of the routes.
        signatures: verifies signatures.
        account_sid: the account that each request must name.
        counts: counts refusals.
        clock: the source of time.
        before: awaited with part and fields before a request is answered.
        after: called when an answer has been built, since an action may be due now.
    """

    def __init__(
        self,
        handlers: WebhookHandlers,
        urls: WebhookUrls,
        signatures: SignatureCheck,
        *,
        account_sid: str,
        counts: Counter[str],
        clock: Clock,
        after: Callable[[], None],
        before: Callable[[str, Mapping[str, str]], Awaitable[None]],
    ) -> None:
        self._handlers = handlers
        self._urls = urls
        self._signatures = signatures
        self._account_sid = account_sid
        self._counts = counts
        self._clock = clock
        self._before = before
        self._after = after

    def routes(self) -> list[web.RouteDef]:
        """One route for each part."""
        return [
            web.post(f"{self._urls.prefix}/{part}", partial(self._handle, part)) for part in PARTS
        ]

    async def _handle(self, part: str, request: web.Request) -> web.StreamResponse:
        try:
            fields = await self._verified(part, request)
            request[KNOWN] = True
            check_fields(part, fields)
            await self._before(part, fields)
            token = request.query.get("o", "")
            try:
                document = self._handlers.answer(part, token, fields, self._clock.now())
            finally:
                self._after()
        except WebhookRefused as error:
            return self._refuse(part, error.status, error.why)
        except MalformedWebhook as error:
            return self._refuse(part, 400, str(error))
        return web.Response(text=document, content_type="text/xml")

    async def _verified(self, part: str, request: web.Request) -> Mapping[str, str]:
        """Read and check a request step by step: headers, body, signature, account."""
        headers = request.headers
        signature = check_head(
            headers.getall(HEADER, ()),
            headers.get("Content-Type", ""),
            headers.getall("Content-Encoding", ()),
            request.content_length,
        )
        # Twilio requests exactly the path that it was given. With an absolute target, or another
        # spelling of the path, the signed URL would differ from the one that is answered.
        path = request.raw_path
        if path.partition("?")[0] != f"{self._urls.prefix}/{part}":
            raise WebhookRefused(400, "another path")
        fields = read_form(await _body(request))
        if not self._signatures.fit(path, fields, signature):
            raise WebhookRefused(403, "not signed by Twilio")
        if fields.get("AccountSid") != self._account_sid:
            raise WebhookRefused(403, "another account")
        return fields

    def _refuse(self, part: str, status: int, why: str) -> web.Response:
        self._counts[f"refused: {why}"] += 1
        count = self._counts[f"refused: {why}"]
        if count <= _LOUD or count % 100 == 0:
            logger.warning("%s/%s: refused, %s (%d so far)", self._urls.prefix, part, why, count)
        return web.Response(status=status, text=twiml.nothing(), content_type="text/xml")


async def _body(request: web.Request) -> bytes:
    """Read the body, within `BODY_WITHIN` seconds.

    Raises:
        WebhookRefused: 408 if it is too slow, 413 if it is too large, 400 if it breaks off or is not valid
            HTTP.
    """
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except TimeoutError as error:
        raise WebhookRefused(408, "too slow") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise WebhookRefused(413, "too large") from error
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError, RuntimeError) as error:
        raise WebhookRefused(400, "not to be read") from error
