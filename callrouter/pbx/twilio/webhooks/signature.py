"""Verifies the signature that Twilio puts on each of its webhooks.

A signature contains no time, so an attacker who has seen a request can replay it. Therefore the
state of the call and the one-shot token of the offer decide what a webhook may change, and
`replays` keeps out calls that have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import RequestValidator

HEADER = "X-Twilio-Signature"


class SignatureCheck:
    """Checks signatures against every valid auth token.

    Args:
        tokens: auth tokens. There are two while one replaces the other. An API key does not sign.
        public_url: the URL that Twilio was given, such as ``https://calls.example.com``. Signed
            URLs are built from it and never from the request itself, because a proxy may be in
            between.
    """

    def __init__(self, tokens: Sequence[str], public_url: str) -> None:
        self._validators = [RequestValidator(token) for token in tokens if token]
        self._public = public_url.rstrip("/")

    def fit(self, path_qs: str, params: Mapping[str, str] | str, signature: str) -> bool:
        """Whether a request was signed with one of the tokens.

        Args:
            path_qs: path and query as received, not decoded.
            params: the fields of the form, or the whole body if it is not a form. In that case the
                query must contain its ``bodySHA256``.
            signature: value of the header; "" if there is none.
        """
        if not signature:
            return False
        if isinstance(params, str) and "bodySHA256" not in parse_qs(urlsplit(path_qs).query):
            return False
        url = self._public + path_qs
        try:
            return any(one.validate(url, params, signature) for one in self._validators)
        except ValueError:  # the library parses the URL, and this is not one
            return False
