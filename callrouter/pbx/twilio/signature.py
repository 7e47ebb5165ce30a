"""Whether a request comes from Twilio: the signature that it puts on each of its webhooks.

The signature has no time in it and can be replayed by who saw it: what a webhook may change is decided
by the state of the call and the one-shot token of the offer, and `replays` keeps calls out that are over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import RequestValidator

HEADER = "X-Twilio-Signature"


class Signatures:
    """Checks signatures against every auth token in force.

    Args:
        tokens: auth tokens; two while one replaces the other. An API key signs nothing.
        public_url: what Twilio was told to call, such as ``https://calls.example.com``. The URL is
            made of this and never of what the request says about itself: a proxy may stand between.
    """

    def __init__(self, tokens: Sequence[str], public_url: str) -> None:
        self._validators = [RequestValidator(token) for token in tokens if token]
        self._public = public_url.rstrip("/")

    def fit(self, path_qs: str, params: Mapping[str, str] | str, signature: str) -> bool:
        """Whether a request was signed with one of the tokens.

        Args:
            path_qs: path and query, as they came in, not decoded.
            params: the fields of the form; or the whole body, where that is no form. Then the query
                must carry its ``bodySHA256``.
            signature: of the header; empty when there is none.
        """
        if not signature:
            return False
        if isinstance(params, str) and "bodySHA256" not in parse_qs(urlsplit(path_qs).query):
            return False
        url = self._public + path_qs
        try:
            return any(one.validate(url, params, signature) for one in self._validators)
        except ValueError:  # the library takes the URL apart, and this is none
            return False
