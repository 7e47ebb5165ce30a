"""Whether the fields of a signed request are those that Twilio signed.

Twilio signs the URL with all names and values behind it, without anything in between. So who has seen
``CallSid=CA1&Digits=1`` can send ``CallSid=CA1Digits1`` under the same signature, or a field
``CallSidCA1Digits`` with the value ``1``. What a request is about (`CallSid`, `AccountSid`) is checked
elsewhere; here it is seen to that no field that matters has vanished in another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from callrouter.pbx.twilio.forms import Refused

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z]{0,39}[0-9]?|SipHeader_[A-Za-z0-9_.-]{1,100}", re.ASCII)
"""Names as Twilio's are. New ones may be added without notice, so any such name is taken."""
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
"""Fields that an answer depends on, each with how its value begins."""
_ENDS: Final = frozenset(
    {"CallSidEndingConference", "DialCallSid", "DialCallStatus", "ForwardedFrom", "ParentCallSid"}
)
"""Fields whose own names end like those of others."""
_DIGITS: Final = re.compile(r"[0-9*#]|$", re.ASCII)
_KEYED: Final = frozenset({"accept", "keyed"})
"""Parts that are told which keys were pressed; only there a text may not be read as that."""
_LONGEST: Final = 512
"""Characters of a phone number, an address or a name."""
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
    """Check the fields of a request that is signed rightly.

    Args:
        part: which of `links.PARTS` was asked.
        fields: name and value of each.

    Raises:
        Refused: 400 if a name is not such as Twilio's are, a value is far too long, or one field
            hides another.
    """
    missing = {name: pattern for name, pattern in _VALUES.items() if name not in fields}
    if part in _KEYED and "Digits" not in fields:
        missing["Digits"] = _DIGITS
    for name, value in fields.items():
        if not _NAME.fullmatch(name):
            raise Refused(400, "a field that Twilio does not have")
        if name in _SHORT and len(value) > _LONGEST:
            raise Refused(400, "a value that is too long")
        text = name + value
        for hidden, pattern in missing.items():
            at = text.find(hidden)
            while at >= 0:
                end = at + len(hidden)
                own = name in _ENDS and end == len(name)
                if not own and pattern.match(text, end):
                    raise Refused(400, "a field within another")
                at = text.find(hidden, at + 1)
