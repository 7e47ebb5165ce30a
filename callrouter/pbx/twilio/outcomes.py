"""How a leg ended, from what Twilio says about it."""

from __future__ import annotations

from callrouter.model.events import LegEnd

OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
"""The `CallStatus` values after which nothing follows."""

_BY_SIP = {
    "486": LegEnd.BUSY,
    "600": LegEnd.BUSY,
    "603": LegEnd.DECLINED,
    "480": LegEnd.UNAVAILABLE,
    "404": LegEnd.UNREACHABLE,
    "408": LegEnd.UNREACHABLE,
    "410": LegEnd.UNREACHABLE,
    "484": LegEnd.UNREACHABLE,
    "503": LegEnd.UNREACHABLE,
    "604": LegEnd.UNREACHABLE,
}
_BY_STATUS = {
    "busy": LegEnd.BUSY,
    "no-answer": LegEnd.NO_ANSWER,
    "failed": LegEnd.FAILED,
    "canceled": LegEnd.HUNG_UP,
    "completed": LegEnd.HUNG_UP,
}

GONE = frozenset({20404, 21220})
"""Error codes that say that a call is over already."""

TOO_MANY = 20429
"""The request was not looked at: too many at once."""

_NO_SUCH_NUMBER = frozenset({21201, 21211, 21214, 21217})


def of_status(status: str, sip: str, *, picked_up: bool, rang: bool) -> LegEnd:
    """What `CallStatus` and `SipResponseCode` say of a leg that nobody accepted.

    A leg that was picked up and never accepted is a voicemail or a pocket. ``no-answer`` of a phone
    that never rang is no miss of its person.
    """
    if picked_up:
        return LegEnd.NOT_ACCEPTED
    if status in {"busy", "no-answer", "failed"} and sip in _BY_SIP:
        return _BY_SIP[sip]
    if status == "no-answer" and not rang:
        return LegEnd.UNREACHABLE
    return _BY_STATUS.get(status, LegEnd.FAILED)


def of_refusal(code: int) -> LegEnd:
    """Why no call was made, by the error code."""
    return LegEnd.UNREACHABLE if code in _NO_SUCH_NUMBER else LegEnd.FAILED
