"""What Asterisk's causes and SIP statuses say about how a leg ended. No I/O.

Q.850 causes are numbered as in Asterisk's include/asterisk/causes.h.
"""

from __future__ import annotations

from typing import Final

from callrouter.model.events import LegEnd

_BY_SIP: Final = {
    "486": LegEnd.BUSY,
    "600": LegEnd.BUSY,
    "603": LegEnd.DECLINED,
    "403": LegEnd.DECLINED,
    "480": LegEnd.UNAVAILABLE,
    "487": LegEnd.HUNG_UP,
}
_BY_CAUSE: Final = {
    "0": LegEnd.UNAVAILABLE,
    "16": LegEnd.HUNG_UP,
    "17": LegEnd.BUSY,
    "19": LegEnd.UNAVAILABLE,
    "21": LegEnd.DECLINED,
    "26": LegEnd.HUNG_UP,
}


_REASON_BUSY: Final = "5"


def leg_end(cause: str, tech_cause: str, reason: str = "") -> LegEnd:
    """Why an unanswered leg ended.

    A phone that refuses within a millisecond or two sometimes leaves neither a cause nor a status
    (Cause 0, measured on 22.10). In that case the reason in OriginateResponse may still show that
    it was busy.

    Args:
        cause: header Cause of Hangup, Q.850.
        tech_cause: header TechCause, the SIP status (Asterisk 20.10, 22 and later), or "".
        reason: header Reason of OriginateResponse, the number of a control frame, or "".
    """
    if cause == "0" and not tech_cause and reason == _REASON_BUSY:
        return LegEnd.BUSY
    if tech_cause in _BY_SIP:
        return _BY_SIP[tech_cause]
    if redirected(tech_cause):
        return LegEnd.DECLINED
    if tech_cause:
        return LegEnd.UNREACHABLE
    return _BY_CAUSE.get(cause, LegEnd.UNREACHABLE)


_CARRIER_ALWAYS: Final = frozenset({"403", "428", "433", "436", "437", "438", "607", "608"})
"""SIP statuses with which only a carrier refuses a call.

Forbidden (RFC 3261), a caller's identity that is missing or invalid (RFC 8224), anonymity (RFC
5079), unwanted (RFC 8197), and rejected by call analytics (RFC 8688).
"""
_CARRIER_OR_PERSON: Final = frozenset({"603", "606"})
_CALL_REJECTED: Final = "21"
QUICK: Final = 3.0
"""Seconds within which a person cannot have declined a call to a mobile that has not begun to ring.
"""


def carrier_refused(cause: str, tech_cause: str, *, after: float) -> bool:
    """Whether the trunk, and not the called person, refused a call that never rang.

    Args:
        cause: header Cause of Hangup, Q.850.
        tech_cause: header TechCause, the SIP status, or "".
        after: seconds from the command to the end.
    """
    if tech_cause in _CARRIER_ALWAYS:
        return True
    unsure = tech_cause in _CARRIER_OR_PERSON or (not tech_cause and cause == _CALL_REJECTED)
    return unsure and after < QUICK


_TRUNK_STATUS: Final = frozenset({"408", "500", "502", "503", "504"})
_TRUNK_CAUSES: Final = frozenset({"27", "34", "38", "41", "42", "44"})
"""Destination or network out of order, no circuit, temporary failure, congestion (Q.850)."""


def trunk_failed(cause: str, tech_cause: str) -> bool:
    """Whether the trunk failed before a call rang, so that another trunk may complete it."""
    return tech_cause in _TRUNK_STATUS or (not tech_cause and cause in _TRUNK_CAUSES)


def mobile_refusal(why: str, key: str) -> LegEnd:
    """Why a mobile that was picked up did not accept the call, from `CallrouterRefused`.

    An older dialplan does not report which key was pressed and always says ``key``.
    """
    if why == "silence":
        return LegEnd.NOT_ACCEPTED
    return LegEnd.DECLINED if key in {"", "2"} else LegEnd.WRONG_KEY


def redirected(tech_cause: str) -> bool:
    """Whether a phone redirected its call (SIP 302 and similar)."""
    return len(tech_cause) == 3 and tech_cause.startswith("3")
