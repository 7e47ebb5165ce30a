"""The names that the router and its dialplan share, and what Asterisk's codes mean. No I/O."""

from __future__ import annotations

import re
from typing import Final

from callrouter.model.events import LegEnd

ENTRY = "callrouter"
AGAIN = "callrouter-again"
CONNECT = "callrouter-connect"
LEAVE = "callrouter-leave"
ANSWERED = "answered"
"""The label there at which a call goes on whose talk is over."""
OFFER = "callrouter-offer"
DESK = "desk"
"""The extension there of a phone whose being picked up is a yes."""
CODES = "callrouter-codes"
PERSON = "callrouter-person"
SAID = "CALLROUTER_PERSON"
"""The variable there of what was dialled or keyed in: ``code *45 447700900123``, ``keyed 123``, ``number``."""
PROBE = "callrouter-probe"
VERSION = "callrouter-version"
SPARE = "callrouter-spare"
"""Where callers wait whom no phone took while the router was silent."""
FALLBACK_USER = "callrouter-fallback-user"
CONTEXTS = (
    ENTRY,
    "callrouter-hold",
    SPARE,
    "callrouter-announce",
    AGAIN,
    CONNECT,
    "callrouter-unbridged",
    LEAVE,
    "callrouter-fallback",
    OFFER,
    CODES,
    PERSON,
)
"""What the dialplan must have."""

MODULES = (
    "app_dial",
    "app_playback",
    "app_read",
    "app_stack",
    "app_userevent",
    "app_verbose",
    "bridge_simple",
    "func_base64",
    "func_callerid",
    "func_channel",
    "func_cut",
    "func_db",
    "func_devstate",
    "func_dialplan",
    "func_global",
    "func_logic",
    "func_strings",
    "res_manager_devicestate",
    "res_musiconhold",
)
"""What Asterisk must have loaded; a class of music and spoken words it can do without."""

SOUNDS = (
    "all-circuits-busy-now",
    "beeperr",
    "followme/options",
    "im-sorry",
    "please-try-call-later",
    "vm-isunavail",
    "queue-callswaiting",
    "queue-holdtime",
    "queue-minute",
    "queue-minutes",
    "queue-thankyou",
    "queue-thereare",
    "queue-youarenext",
    "letters/a",
    "digits/1",
)
"""What the dialplan itself says; of letters and digits one stands for all."""


ANY_STATE = "-"
"""In the fallback's lists: the device is rung whatever its state is."""


TICK = "GLOBAL(CALLROUTER_TICK)"
"""What a router that is in step changes every second: its boot word, a dash, a number."""


def ticking(tick: str) -> tuple[int, float] | None:
    """Process id and start (epoch seconds) of the router that gave a tick; None: nobody's.

    See `daemon.main.boot_word`.
    """
    boot = tick.partition("-")[0]
    if not re.fullmatch(r"[0-9a-z]{6,20}", boot):
        return None
    number = int(boot, 36)
    return number & (2**22 - 1), (number >> 22) / 1000


def is_there(context: str) -> str:
    """The variable that is 1 where a context of ours is in the dialplan, and 0 where it is not."""
    extension = {OFFER: "desk", CODES: "register", PERSON: "ask"}.get(context, "x")
    return f"DIALPLAN_EXISTS({context},{extension},1)"


OURS = frozenset(
    {
        ENTRY,
        "callrouter-hold",
        SPARE,
        "callrouter-announce",
        AGAIN,
        CONNECT,
        "callrouter-unbridged",
    }
)
"""Where a caller is in our hands; anywhere else someone has taken them out."""

NO_QUEUE = "unknown"
"""The extension of a caller whose queue has a name that no queue can have."""


def extension(queue: str) -> str:
    """The extension at which a caller of a queue stands in our contexts."""
    return queue if _EXTENSION.fullmatch(queue) else NO_QUEUE


_EXTENSION = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

IN_LINE = OURS - {CONNECT, "callrouter-unbridged"}
"""Where a caller waits."""

RECORDINGS = "callrouter"
"""The folder of recordings of queues' names, among Asterisk's sounds."""

LEG = "cr-"
"""What the channel ids of our legs start with."""

CALL_VARIABLES = (
    "CALLROUTER_STATE",
    "CALLROUTER_QUEUE",
    "CALLROUTER_ENTERED",
    "CALLROUTER_QUEUED",
    "CALLROUTER_PRIORITY",
    "CALLROUTER_AGENT",
    "CALLROUTER_RANK",
    "CALLROUTER_TAG",
    "CALLROUTER_CALLED",
    "CALLROUTER_HIDDEN",
    "CALLROUTER_ASKED",
    "CALLROUTER_CALL",
    "CALLROUTER_LEG",
)
LEG_VARIABLES = (
    "CALLROUTER_OFFER",
    "CALLROUTER_DEVICE",
    "CALLROUTER_FOR_AGENT",
    "CALLROUTER_FOR_CALL",
    "CALLROUTER_ACCEPTED",
)
"""What makes a channel its own record: `Status` brings them all back after a restart."""

ASTERISKS_TIME = "STRFTIME(,UTC,%s.%3q)"
"""The function that gives Asterisk's own time in seconds, as the dialplan notes a caller's entry."""

EVENTS = frozenset(
    {
        "Newchannel",
        "Newstate",
        "DialState",
        "Rename",
        "Hangup",
        "HangupRequest",
        "OriginateResponse",
        "UserEvent",
        "BridgeEnter",
        "BridgeLeave",
        "BlindTransfer",
        "AttendedTransfer",
        "MusicOnHoldStop",
        "DeviceStateChange",
        "ContactStatus",
        "Shutdown",
    }
)
"""The AMI events that the driver reads; all others are skipped unparsed."""

RINGS = frozenset({"RINGING", "PROGRESS"})
"""The values of DialStatus, of the event DialState, that say that a phone or its network rings (180, 183)."""

CLASSES = "system,call,user"
"""The classes of events that the router asks for at login, however many its user may read.

Those of `dialplan`, `cel` and `cdr` quote callers' numbers at any length, behind all that could tell them apart.
"""

LEG_SAYS = frozenset({"CallrouterAccepted", "CallrouterAnswered", "CallrouterRefused"})
"""The events of [callrouter-offer]."""

ANSWERED_ELSEWHERE = "26"
NO_ANSWER = "19"
NORMAL = "16"
"""Q.850 causes as Asterisk numbers them (include/asterisk/causes.h)."""

_BY_SIP = {
    "486": LegEnd.BUSY,
    "600": LegEnd.BUSY,
    "603": LegEnd.DECLINED,
    "403": LegEnd.DECLINED,
    "480": LegEnd.UNAVAILABLE,
    "487": LegEnd.HUNG_UP,
}
_BY_CAUSE = {
    "0": LegEnd.UNAVAILABLE,
    "16": LegEnd.HUNG_UP,
    "17": LegEnd.BUSY,
    "19": LegEnd.UNAVAILABLE,
    "21": LegEnd.DECLINED,
    "26": LegEnd.HUNG_UP,
}


_REASON_BUSY = "5"


def leg_end(cause: str, tech_cause: str, reason: str = "") -> LegEnd:
    """Why a leg that had not been answered ended.

    A phone that refuses within a millisecond or two sometimes leaves neither cause nor status behind
    (Cause 0, measured on 22.10); then the reason in OriginateResponse may know that it was busy.

    Args:
        cause: header Cause of Hangup, Q.850.
        tech_cause: header TechCause, the SIP status (Asterisk 20.10, 22 and later), or empty.
        reason: header Reason of OriginateResponse, a control frame's number, or empty.
    """
    if cause == "0" and not tech_cause and reason == _REASON_BUSY:
        return LegEnd.BUSY
    if tech_cause in _BY_SIP:
        return _BY_SIP[tech_cause]
    if passed_on(tech_cause):
        return LegEnd.DECLINED
    if tech_cause:
        return LegEnd.UNREACHABLE
    return _BY_CAUSE.get(cause, LegEnd.UNREACHABLE)


_CARRIER_ALWAYS: Final = frozenset({"403", "428", "433", "436", "437", "438", "607", "608"})
"""Forbidden (RFC 3261), a caller's identity that is missing or does not hold (RFC 8224), anonymity (RFC 5079),
unwanted (RFC 8197) and rejected by an analysis of callers (RFC 8688)."""
_CARRIER_OR_PERSON: Final = frozenset({"603", "606"})
_CALL_REJECTED: Final = "21"
QUICK: Final = 3.0
"""Seconds within which no person has declined a call to their mobile, which has not even begun to ring."""


def carrier_refused(cause: str, tech_cause: str, *, after: float) -> bool:
    """Whether a trunk refused a call that never rang, and not the person it was for.

    Args:
        cause: header Cause of Hangup, Q.850.
        tech_cause: header TechCause, the SIP status, or empty.
        after: seconds from the order to the end.
    """
    if tech_cause in _CARRIER_ALWAYS:
        return True
    unsure = tech_cause in _CARRIER_OR_PERSON or (not tech_cause and cause == _CALL_REJECTED)
    return unsure and after < QUICK


NUMBERS_REFUSED: Final = "callers' numbers refused by the carrier"
NEXT_TRUNK: Final = "calls by the next dial_number"
"""What the driver counts under these names, for status, metrics and doctor."""

_TRUNK_STATUS: Final = frozenset({"408", "500", "502", "503", "504"})
_TRUNK_CAUSES: Final = frozenset({"27", "34", "38", "41", "42", "44"})
"""Destination or network out of order, no circuit, a temporary failure, congestion (Q.850)."""


def trunk_failed(cause: str, tech_cause: str) -> bool:
    """Whether a call that never rang came to nothing on the trunk, so that another may bring it there."""
    return tech_cause in _TRUNK_STATUS or (not tech_cause and cause in _TRUNK_CAUSES)


def not_one(why: str, key: str) -> LegEnd:
    """Why a mobile that was picked up did not take the call, from `CallrouterRefused`.

    A dialplan from before it told the key says ``key`` for any.
    """
    if why == "silence":
        return LegEnd.NOT_ACCEPTED
    return LegEnd.DECLINED if key in {"", "2"} else LegEnd.WRONG_KEY


def endpoint_of(channel: str) -> str:
    """The endpoint of a channel name: ``PJSIP/1001-0000002a`` gives ``PJSIP/1001``."""
    return channel.rpartition("-")[0]


def leg_id(offer: str, device: str, contact: int = 1) -> str:
    """The channel id of a leg. Asterisk refuses a second one, so no leg can be placed twice.

    Where several phones are registered at an endpoint, each has a channel; `contact` counts them, 1 to 9.
    No id begins with another: `Bridge()` takes any channel whose id begins with what it is given, so that
    ``desk`` would be bridged with the leg of ``desk2`` (app_bridge in 22.10, `bridge_exec`).
    """
    return f"{LEG}{offer}-{device}.{contact}"


_FAR = ".0"


def far_half_id(offer: str, device: str) -> str:
    """The id of the half of a Local channel that runs through the dialplan.

    Left to itself Asterisk appends ``;2`` to the id of the near half, which would begin like it.
    """
    return f"{LEG}{offer}-{device}{_FAR}"


def far_half(uid: str) -> bool:
    """Whether a channel of ours is the far half of a Local one. Earlier versions left its id to Asterisk."""
    return uid.endswith((_FAR, ";2"))


def offer_of(leg: str) -> str:
    """The offer of a leg's channel id; empty if it is none."""
    found = _LEG_ID.match(leg)
    return found[1] if found else ""


_LEG_ID = re.compile(rf"{LEG}([^-]+-\d+)-.")


_FORWARDED = re.compile(r"Local/(.+)@[^@]+;1")


def dead(channel: str) -> bool:
    """Whether a channel is what Asterisk keeps of one that it has moved into a bridge.

    `Bridge()` takes a channel out of its dialplan by a masquerade; the empty shell is called Surrogate and
    hung up by its own thread. When that thread is quicker than the masquerade, the shell stays in
    Asterisk's list for ever, with the variables of the leg it was (measured on 22.10, about one connect
    in three hundred on two busy cores); no request to hang up does anything to it.
    """
    return channel.startswith("Surrogate/")


def may_be_forwarded(channel: str) -> bool:
    """Whether a new channel is the near half of a Local one, which a phone's 302 is turned into."""
    return channel.startswith("Local/") and channel.endswith(";1")


def forwarded(channel: str, caller_number: str, application: str) -> bool:
    """Whether a channel is what Asterisk makes of a phone's 302 to a leg that it rings by Originate.

    Nothing links it to the leg. It is the near half of a Local channel, under the dialling
    application of Originate, and bears the number it is sent to as its own (measured on 22.10).
    """
    found = _FORWARDED.fullmatch(channel.rpartition("-")[0] + channel[-2:])
    return found is not None and application == "AppDial2" and found[1] == caller_number


def passed_on(tech_cause: str) -> bool:
    """Whether a phone sent its call elsewhere (SIP 302 and its kin)."""
    return len(tech_cause) == 3 and tech_cause.startswith("3")


NEEDS = {
    "Originate": "originate",
    "Redirect": "call",
    "Setvar": "call",
    "Getvar": "call",
    "Hangup": "call",
    "Status": "call",
    "DeviceStateList": "call",
    "ExtensionState": "call",
    "UserEvent": "user",
    "QueueLog": "agent",
}
"""The actions that the driver sends, and the class of `write` each one needs."""

HAS_APP_QUEUE = "IFMODULE(app_queue.so)"
"""1 if app_queue is loaded, 0 if not; it brings the action QueueLog along, which is unknown without it."""
