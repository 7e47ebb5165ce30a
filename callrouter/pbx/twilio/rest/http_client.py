"""The HTTP client for Twilio's library, built on aiohttp: no repetition, and a limit on everything.

The library's own async client ignores its timeout and can repeat a POST that has already been
carried out, which rings a phone twice (both reproduced with 9.13.0). This client limits every
request, repeats nothing, and keeps the response's headers.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
from twilio.http.response import Response

TWILIO = "https://api.twilio.com"
_TWILIOS = re.compile(r"https://[a-z]+\.twilio\.com")


class TwilioHttp:
    """An HTTP client with everything that the library needs of `twilio.http.HttpClient`.

    Args:
        session: the aiohttp session.
        within: timeout of a request in seconds, from connecting to the last byte.
        api_url: replaces ``https://api.twilio.com``, for a proxy or a test.
    """

    is_async = True

    def __init__(
        self, session: aiohttp.ClientSession, *, within: float = 10.0, api_url: str = TWILIO
    ) -> None:
        self._session = session
        self._limit = aiohttp.ClientTimeout(total=within, sock_connect=min(4.0, within))
        self._api = api_url.rstrip("/")

    async def request(  # noqa: PLR0917 - the library's order
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's name; ours is `within`
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request, once.

        Raises:
            aiohttp.ClientError: Twilio could not be reached, or the connection broke.
            TimeoutError: no answer in time.
        """
        sent = dict(headers or {})
        if auth is not None:
            word = base64.b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()
            sent["Authorization"] = f"Basic {word}"
        sent.pop("Content-Type", None)  # use aiohttp's, which states the charset
        limit = self._limit if timeout is None else aiohttp.ClientTimeout(total=timeout)
        async with self._session.request(
            method,
            url if self._api == TWILIO else _TWILIOS.sub(self._api, url),
            params=_pairs(params),
            data=_pairs(data) if data else None,
            headers=sent,
            timeout=limit,
            allow_redirects=allow_redirects,
        ) as response:
            text = await response.text(errors="replace")
            return Response(response.status, text, dict(response.headers))


def _pairs(fields: Mapping[str, object] | None) -> list[tuple[str, str]]:
    """Repeat the key for each item of a list. Twilio does not understand ``a b`` in one value."""
    return [
        (key, _text(item))
        for key, value in (fields or {}).items()
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
    ]


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
