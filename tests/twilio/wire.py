"""What an order of the driver becomes on the wire, without a wire: each goes through Twilio's library as
in real life, and what comes out is held against Twilio's OpenAPI document (`tests.twilio.openapi`)."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from twilio.http.response import Response

from callrouter.pbx.twilio.rest.api_client import ApiClient
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiRequest, ApiResult
from callrouter.pbx.twilio.rest.http_client import TwilioHttp, _pairs
from callrouter.pbx.twilio.webhook import WebhookUrls
from tests.twilio import openapi

ACCOUNT = "AC" + "a" * 32


class Paper(TwilioHttp):
    """Writes down what would be sent, and answers with the document's own example."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, list[tuple[str, str]]]] = []

    async def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        **_how: Any,
    ) -> Response:
        query = urlencode(_pairs(params))
        path = urlsplit(url).path + (f"?{query}" if query else "")
        self.sent.append((method, path, _pairs(data)))
        status, body = openapi.example(method, path)
        return Response(status, json.dumps(body), {})


def _at_once(asked: Coroutine[Any, Any, ApiResult]) -> ApiResult:
    """What a coroutine comes to that waits for nothing."""
    try:
        asked.send(None)
    except StopIteration as done:
        found: ApiResult = done.value
        return found
    raise AssertionError("it waited for something")


def check(ask: ApiRequest) -> None:
    """Fail if an order is no request that Twilio's document knows, or breaks one of our own rules."""
    if not openapi.there():
        return
    paper = Paper()
    rest = ApiClient(
        paper,
        account_sid=ACCOUNT,
        user=ACCOUNT,
        secret="t0p",
        urls=WebhookUrls("https://calls.example.com", "cloud"),
    )
    answer = _at_once(rest.make(ask))
    assert answer.outcome is ApiOutcome.DONE, (ask, answer)
    assert paper.sent, ask
    for method, path, fields in paper.sent:
        assert openapi.faults(method, path, fields) == [], (ask, method, path)
