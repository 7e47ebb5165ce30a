"""The names that the router shares with its dialplan and with Asterisk. No I/O."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from callrouter.pbx.asterisk.ami import UserEventRules

ENTRY = "callrouter"
AGAIN = "callrouter-again"
CONNECT = "callrouter-connect"
LEAVE = "callrouter-leave"
ANSWERED = "answered"
"""The label in [callrouter-leave] at which a call continues after a conversation."""
OUTSIDE = "callrouter-outside"
"""Where a caller is whom an agent has passed on to a number outside."""
OUTSIDE_EXISTS = f"DIALPLAN_EXISTS({OUTSIDE},x,1)"
"""1 if the dialplan can do that; 0 if it is of an earlier version."""
OFFER = "callrouter-offer"
DESK = "desk"
"""The extension in [callrouter-offer] for phones whose user accepts by picking up."""
CODES = "callrouter-codes"
PERSON = "callrouter-person"
SAID = "CALLROUTER_PERSON"
"""The variable in [callrouter-person] with what was dialled or entered.

Its values look like ``code *45 447700900123``, ``keyed 123`` or ``number``.
"""
PROBE = "callrouter-probe"
VERSION = "callrouter-version"
SPARE = "callrouter-spare"
"""Where callers wait again if no phone answered in the fallback."""
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
"""The contexts that the dialplan must have."""

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
"""The modules that Asterisk must have loaded.

Music classes and prompts are optional.
"""

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
"""The sounds that the dialplan itself plays. One letter and one digit stand for all."""


ANY_STATE = "-"
"""In the fallback's lists: ring the device whatever its state."""


TICK = "GLOBAL(CALLROUTER_TICK)"
"""The variable that a router in step changes every second.

Its value is the run id, a dash and a counter.
"""


EPOCH = "GLOBAL(CALLROUTER_EPOCH)"
"""The variable with the epoch of the router that Asterisk obeys; empty without a cluster."""

ORDER_EPOCH = "CALLROUTER_ORDER_EPOCH"
"""The variable on a leg's channel with the epoch of the router that ordered it.

Not CALLROUTER_EPOCH: for a channel that lacks a variable, Asterisk reads the global one of that
name.
"""

EPOCHS = "callrouter-epoch"
"""The context that keeps the epoch in AstDB, where it survives a restart of Asterisk.

A manager account without `system` may neither write nor read AstDB (measured on 22.10), so the
router has the dialplan do it: ``keep`` writes it, ``recall`` copies it into `EPOCH_KEPT`.
"""
EPOCH_KEPT = "GLOBAL(CALLROUTER_EPOCH_KEPT)"
"""What ``recall`` found: ``x`` and the epoch."""

EPOCH_EXISTS = f"DIALPLAN_EXISTS({EPOCHS},keep,1)"
"""1 if the dialplan knows epochs; 0 if it is of a version before clusters."""

ORDERED = "order"
"""The label in [callrouter-connect] and [callrouter-outside] for orders that name their epoch.

An older dialplan has no such label, and Asterisk then refuses the `Redirect` without touching the
caller.
"""

FENCED = "CallrouterFenced"
"""The event for an order of an older epoch that the dialplan did not carry out."""


class RouterRun(NamedTuple):
    """A run of a router: its process id, and when it started (epoch seconds)."""

    pid: int
    started_at: float


def run_of_tick(tick: str) -> RouterRun | None:
    """The run of the router that set a tick; None if the tick is invalid.

    See `daemon.process.make_run_id`.
    """
    run_id = tick.partition("-")[0]
    if not re.fullmatch(r"[0-9a-z]{6,20}", run_id):
        return None
    number = int(run_id, 36)
    return RouterRun(pid=number & (2**22 - 1), started_at=(number >> 22) / 1000)


def context_exists(context: str) -> str:
    """The variable that tells whether one of our contexts is in the dialplan.

    Returns:
        A function call for `Getvar`: its value is 1 or 0, or empty without func_dialplan.
    """
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
"""The contexts in which we control a caller. Elsewhere, another program has moved them away."""

NO_QUEUE = "unknown"
"""The extension of a caller whose queue has an invalid name."""


def order_extension(epoch: int, queue: str) -> str:
    """The extension in [callrouter-connect] that names the epoch of the order: ``=7=support``.

    No queue's name begins with ``=``.
    """
    return f"={epoch}={queue}"


def extension(queue: str) -> str:
    """The extension that a caller of this queue has in our contexts."""
    return queue if _EXTENSION.fullmatch(queue) else NO_QUEUE


_EXTENSION = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

IN_LINE = OURS - {CONNECT, "callrouter-unbridged"}
"""The contexts in which a caller waits."""

ROUTE: Final = "Local/"
"""Prefix of a channel that leads through the dialplan."""

RECORDINGS = "callrouter"
"""The folder with recordings of queue names, below Asterisk's sounds."""

LEG = "cr-"
"""Prefix of the channel ids of our legs."""

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
    "CALLROUTER_GIVER",
    "CALLROUTER_OUTSIDE",
)
LEG_VARIABLES = (
    "CALLROUTER_OFFER",
    "CALLROUTER_DEVICE",
    "CALLROUTER_FOR_AGENT",
    "CALLROUTER_FOR_CALL",
    "CALLROUTER_ACCEPTED",
)
"""The variables that make a channel its own record. After a restart, `Status` returns them all."""

ASTERISKS_TIME = "STRFTIME(,UTC,%s.%3q)"
"""The function for Asterisk's time in seconds, in the form in which the dialplan stores an entry.
"""

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
"""The AMI events that the driver reads. All others are skipped without parsing."""

RINGS = frozenset({"RINGING", "PROGRESS"})
"""The values of DialStatus, in the event DialState, for a phone or network that is ringing.

They correspond to 180 and 183.
"""

CLASSES = "system,call,user"
"""The event classes that the router requests at login, however many its user may read.

The classes `dialplan`, `cel` and `cdr` quote callers' numbers at any length, in places where a
forged event could not be detected.
"""

EVENT_PREFIX = "Callrouter"
"""Prefix of the names of the dialplan's own events."""

ECHO = "CallrouterHello"
"""The event that the router sends to itself, to find out whether events arrive."""

USER_EVENTS: Final = UserEventRules(
    prefix=EVENT_PREFIX,
    contexts={
        "CallrouterCall": frozenset({ENTRY}),
        "CallrouterUnheard": frozenset({"callrouter-hold"}),
        "CallrouterBack": frozenset({SPARE}),
        "CallrouterMovedAway": frozenset({CONNECT, OUTSIDE}),
        "CallrouterReleased": frozenset({CONNECT}),
        "CallrouterUnbridged": frozenset({"callrouter-unbridged"}),
        "CallrouterFallback": frozenset({LEAVE}),
        "CallrouterAccepted": frozenset({OFFER}),
        "CallrouterAnswered": frozenset({OFFER}),
        "CallrouterRefused": frozenset({OFFER}),
        "CallrouterCode": frozenset({PERSON}),
        "CallrouterNumber": frozenset({PERSON}),
        "CallrouterKeyed": frozenset({PERSON}),
        "CallrouterProbe": frozenset({PROBE}),
        FENCED: frozenset({CONNECT, OFFER, OUTSIDE}),
    },
    other_context=lambda context: context.startswith("callrouter") and context != FALLBACK_USER,
    from_action=frozenset({ECHO}),
)
"""The contexts of the dialplan that send each of our events.

`callrouter-fallback-user` is the one context with our prefix that belongs to the site.
"""

LEG_EVENTS = frozenset({"CallrouterAccepted", "CallrouterAnswered", "CallrouterRefused"})
"""The events of [callrouter-offer]."""

ANSWERED_ELSEWHERE = "26"
NO_ANSWER = "19"
NORMAL = "16"
"""Q.850 causes as Asterisk numbers them (include/asterisk/causes.h)."""

NUMBERS_REFUSED: Final = "callers' numbers refused by the carrier"
NEXT_TRUNK: Final = "calls by the next dial_number"
LINES_LOST: Final = "lines of queue_log missing"
FENCED_ORDERS: Final = "orders of an earlier router that the dialplan stopped"
OLDER_LEGS: Final = "phones that an earlier router rang too late"
NOT_WRITTEN: Final = "actions not written while another router may be active"
ASKED_FIRST: Final = "writes for which the epoch was asked first"
"""Names of the driver's counters in status, metrics and doctor."""


def endpoint_of(channel: str) -> str:
    """The endpoint of a channel name: ``PJSIP/1001-0000002a`` gives ``PJSIP/1001``."""
    return channel.rpartition("-")[0]


def leg_id(offer: str, device: str, contact: int = 1) -> str:
    """The channel id of a leg. Asterisk refuses a duplicate id, so a leg cannot be placed twice.

    If several phones are registered at an endpoint, each has its own channel, and `contact` is its
    number (1 to 9). No id is a prefix of another. This is necessary because `Bridge()` accepts any
    channel whose id starts with its argument, so ``desk`` could be bridged with the leg of
    ``desk2`` (app_bridge in 22.10, `bridge_exec`).
    """
    return f"{LEG}{offer}-{device}.{contact}"


_FAR = ".0"


def far_half_id(offer: str, device: str) -> str:
    """The id of the half of a Local channel that runs through the dialplan.

    By default Asterisk appends ``;2`` to the id of the near half, which would then be a prefix of
    it.
    """
    return f"{LEG}{offer}-{device}{_FAR}"


def is_far_half(uid: str) -> bool:
    """Whether a channel of ours is the far half of a Local channel.

    Earlier versions let Asterisk choose the id.
    """
    return uid.endswith((_FAR, ";2"))


def offer_of(leg: str) -> str:
    """The offer in a leg's channel id; "" if it is not a leg's id."""
    found = _LEG_ID.match(leg)
    return found[1] if found else ""


_LEG_ID = re.compile(rf"{LEG}([^-]+-\d+)-.")


_FORWARDED = re.compile(r"Local/(.+)@[^@]+;1")


def is_dead_shell(channel: str) -> bool:
    """Whether a channel is the empty shell left after Asterisk moved a channel into a bridge.

    `Bridge()` takes a channel out of its dialplan by a masquerade. The empty shell is called
    Surrogate and is hung up by its own thread. If that thread is quicker than the masquerade, the
    shell stays in Asterisk's list for ever, with the variables of the leg it was (measured on
    22.10, about one connect in three hundred on two busy cores). A request to hang it up has no
    effect.
    """
    return channel.startswith("Surrogate/")


def may_be_forwarded(channel: str) -> bool:
    """Whether a new channel is the near half of a Local channel, as a phone's 302 creates one."""
    return channel.startswith("Local/") and channel.endswith(";1")


def is_forwarded(channel: str, caller_number: str, application: str) -> bool:
    """Whether Asterisk created a channel because a phone answered our Originate with a 302.

    Nothing links it to the leg. It is the near half of a Local channel, runs the dialling
    application of Originate, and has the number it is redirected to as its own number (measured on
    22.10).
    """
    found = _FORWARDED.fullmatch(channel.rpartition("-")[0] + channel[-2:])
    return found is not None and application == "AppDial2" and found[1] == caller_number


NEEDS = {
    "Originate": "originate",
    "Redirect": "call",
    "Setvar": "call",
    "Getvar": "call",
    "Hangup": "call",
    "Status": "call",
    "DeviceStateList": "call",
    "ExtensionState": "call",
    "ExtensionStateList": "call",
    "UserEvent": "user",
    "QueueLog": "agent",
}
"""The actions that the driver sends, and the `write` class that each needs."""

HAS_APP_QUEUE = "IFMODULE(app_queue.so)"
"""1 if app_queue is loaded, 0 if not.

The action QueueLog belongs to app_queue and is unknown without it.
"""
