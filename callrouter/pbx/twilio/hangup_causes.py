"""How a leg ended, derived from Twilio's status."""

from __future__ import annotations

from callrouter.model.events import LegEnd

OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
"""The final values of `CallStatus`."""

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
"""Error codes for a call that has already ended."""

TOO_MANY = 20429
"""Error code for too many requests. The request was not processed."""

_NO_SUCH_NUMBER = frozenset({21201, 21211, 21214, 21217})


def of_status(status: str, sip: str, *, picked_up: bool, rang: bool) -> LegEnd:
    """The outcome of a leg that was not accepted, from `CallStatus` and `SipResponseCode`.

    A leg that was picked up but never accepted was answered by a voicemail or by accident.
    ``no-answer`` from a phone that never rang does not count as missed by the agent.

    Args:
        status: `CallStatus`.
        sip: `SipResponseCode`; empty if there is none.
        picked_up: whether the phone was off-hook.
        rang: whether the phone was reported to ring.
    """
    if picked_up:
        return LegEnd.NOT_ACCEPTED
    if status in {"busy", "no-answer", "failed"} and sip in _BY_SIP:
        return _BY_SIP[sip]
    if status == "no-answer" and not rang:
        return LegEnd.UNREACHABLE
    return _BY_STATUS.get(status, LegEnd.FAILED)


def of_refusal(code: int) -> LegEnd:
    """Why a call was not placed, from the error code."""
    return LegEnd.UNREACHABLE if code in _NO_SUCH_NUMBER else LegEnd.FAILED
