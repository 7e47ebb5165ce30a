"""Verifies the signature on each webhook, and that its fields are the ones that Twilio signed.

A signature contains no time, so an attacker who has seen a request can replay it. Therefore the
state of the call and the one-shot token of the offer decide what a webhook may change, and
`replays` keeps out calls that have ended.

Twilio signs the URL followed by all names and values, without separators. So an attacker who has
seen ``CallSid=CA1&Digits=1`` can send ``CallSid=CA1Digits1`` with the same signature, or a field
``CallSidCA1Digits`` with the value ``1``. The identity of a request (`CallSid`, `AccountSid`) is
checked elsewhere. `check_fields` makes sure that no field that matters is hidden in another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import RequestValidator

from callrouter.pbx.twilio.webhooks.forms import WebhookRefused

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


# ---------------------------------------------------------------- which fields were signed

_FIELD_NAME: Final = re.compile(
    r"[A-Za-z][A-Za-z]{0,39}[0-9]?|SipHeader_[A-Za-z0-9_.-]{1,100}", re.ASCII
)
"""Names that Twilio may use. It may add new fields without notice, so any such name is accepted."""
_STATUS: Final = (
    r"(?:queued|initiated|ringing|in-progress|answered|completed|busy|failed|no-answer|canceled)"
)
_VALUES: Final = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "CallSid": r"CA[0-9a-f]{32}",
        "CallStatus": _STATUS,
        "CallSidEndingConference": r"CA[0-9a-f]{32}",
        "DialCallStatus": _STATUS,
        "From": r"(?:\+[0-9]|sips?:|client:)",
        "FriendlyName": r"callrouter-",
        "QueueResult": r"(?:bridg|error|hangup|leave|redirected|queue-full|system-error)",
        "SipDomain": r"[A-Za-z0-9-]{1,63}\.sip\.",
        "SipResponseCode": r"[1-6][0-9]{2}",
        "StatusCallbackEvent": r"(?:conference|participant)-",
        "To": r"(?:\+[0-9]|sips?:|client:)",
    }.items()
}
"""The fields on which answers depend, each with the pattern at the start of its value."""
_ENDS: Final = frozenset(
    {"CallSidEndingConference", "DialCallSid", "DialCallStatus", "ForwardedFrom", "ParentCallSid"}
)
"""Fields whose own names end like the names of others."""
_DIGITS: Final = re.compile(r"[0-9*#]|$", re.ASCII)
_KEYED: Final = frozenset({"accept", "keyed"})
"""Parts that receive pressed keys. Only there may a hidden ``Digits`` have an effect."""
_LONGEST: Final = 512
"""Maximum length of a phone number, an address or a name, in characters."""
_SHORT: Final = frozenset(
    {
        *(
            "AccountSid",
            "CallSid",
            "CallStatus",
            "Called",
            "Caller",
            "CallerName",
            "Digits",
            "From",
        ),
        *("DialCallStatus", "FriendlyName", "QueueResult", "SipDomain", "SipUsername", "To"),
    }
)


def check_fields(part: str, fields: Mapping[str, str]) -> None:
    """Check the fields of a correctly signed request.

    A forged request has the characters of a genuine one in the same order, cut in other places. So
    it can only lack a field that matters, whose name and value are then inside another one. A field
    that is present cannot be hidden as well: it would have to be signed twice. Hence only the
    missing fields are searched for, at every position, and each must be followed by a value that it
    could really have; otherwise a caller's name such as "To" would be refused.

    Args:
        part: which of `webhook.PARTS` was requested.
        fields: value by name.

    Raises:
        WebhookRefused: 400 if a name is not one that Twilio may use, a value is far too long, or
            one field hides another.
    """
    missing = {name: pattern for name, pattern in _VALUES.items() if name not in fields}
    if part in _KEYED and "Digits" not in fields:
        missing["Digits"] = _DIGITS
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name):
            raise WebhookRefused(400, "a field that Twilio does not have")
        if name in _SHORT and len(value) > _LONGEST:
            raise WebhookRefused(400, "a value that is too long")
        text = name + value
        for hidden, pattern in missing.items():
            at = text.find(hidden)
            while at >= 0:
                end = at + len(hidden)
                # A name such as DialCallSid ends with the name of another field all by itself.
                own = name in _ENDS and end == len(name)
                if not own and pattern.match(text, end):
                    raise WebhookRefused(400, "a field within another")
                at = text.find(hidden, at + 1)
