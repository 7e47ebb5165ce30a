r"""Checks that an event has exactly the form in which Asterisk writes it. No I/O.

The threat: Asterisk writes a caller's number, the dialled extension and the connected number into
its events unescaped (``main/manager_channels.c``; names are escaped). PJSIP decodes ``%0d%0a`` in
the user part of From and P-Asserted-Identity. So a caller can end a header, end the event, and
start a forged one.

The defence: none of these three values is longer than 79 characters, and no event checked here can
be forged in that space. Each event is accepted only with every header that Asterisk 20 and 22
write, in that order. The remainder of the genuine event is dropped up to its last header and
reported, so that the client's user can read the real state again.

`UserEvent` has a second source: the AMI action of that name, which needs only ``write=user``. The
position of the headers distinguishes the two. An event from the dialplan has the channel's headers
before ``UserEvent``; an action's own headers all come after it. One of the channel's headers is the
context, so an event is accepted only from a context that is known to send it (`UserEventRules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

# Hostile input cannot make matching slow. Quantifiers of single characters are possessive (`*+`,
# `++`, in Python since 3.11) and never backtrack. Those of groups are not, since possessive groups
# are broken before Python 3.11.5 (https://github.com/python/cpython/issues/106052). They need not
# be: each round of a group begins with what cannot follow the group, so giving a round back fails
# at once.
_VALUE: Final = rb"[^\r]*+(?:\r(?!\n)[^\r]*+)*"
"""The rest of a line. A lone CR or LF in a number does not end a header."""
_PLAIN: Final = rb"[^\r\n]*+"
_EXTRA: Final = rb"(?:\r\n[A-Z][\w-]*+(?:\([^\r\n]*?\))?: " + _VALUE + rb")*"
"""Headers that later versions, ``channelvars`` and the like append to the known ones."""

SNAPSHOT: Final = (
    b"Channel",
    b"ChannelState",
    b"ChannelStateDesc",
    b"CallerIDNum",
    b"CallerIDName",
    b"ConnectedLineNum",
    b"ConnectedLineName",
    b"Language",
    b"AccountCode",
    b"Context",
    b"Exten",
    b"Priority",
    b"Uniqueid",
    b"Linkedid",
)
"""The headers that describe a channel, in Asterisk's order.

Source: ``ast_manager_build_channel_state_string_prefix``.
"""
_NUMBERS: Final = frozenset({b"ChannelState", b"Priority"})

_BRIDGE: Final = b"".join(
    rb"\r\nBridge%s: %s" % (key, _PLAIN)
    for key in (
        b"Uniqueid",
        b"Type",
        b"Technology",
        b"Creator",
        b"Name",
        b"NumChannels",
        b"VideoSourceMode",
    )
) + rb"(?:\r\nBridgeVideoSource: %s)?" % (_PLAIN,)


def _snapshot(prefix: bytes = b"") -> bytes:
    lines = (
        rb"\r\n%s%s: %s" % (prefix, key, rb"-?\d++" if key in _NUMBERS else _VALUE)
        for key in SNAPSHOT
    )
    variable = rb"\r\n%s(?:Tenantid|ChanVariable): " % prefix
    # All of them: what follows may not begin with one, or matching would try every division.
    return b"".join(lines) + rb"(?:%s%s)*(?!%s)" % (variable, _VALUE, variable)


def _line(key: bytes, value: bytes = _PLAIN) -> bytes:
    return rb"\r\n%s: %s" % (key, value)


PRECEDING: Final = (
    rb"(?:\r\nTimestamp: [\d.]++)?"
    rb"(?:\r\nSequenceNumber: \d++\r\nFile: [^\r\n]*+\r\nLine: \d++\r\nFunc: [^\r\n]*+)?"
    rb"(?:\r\nSystemName: [^\r\n]*+)?"
)
"""Headers that ``manager.conf`` and ``asterisk.conf`` can put in front.

They come from ``timestampevents``, ``debug`` and ``systemname``.
"""

_CALLED = _line(b"CallerIDNum", _VALUE) + _line(b"CallerIDName", _VALUE)
_BODIES: Final[Mapping[bytes, bytes]] = {
    b"Newchannel": _snapshot() + _EXTRA,
    b"Newstate": _snapshot() + _EXTRA,
    b"MusicOnHoldStop": _snapshot() + _EXTRA,
    b"Hangup": _snapshot() + _line(b"Cause", rb"-?\d++") + _line(b"Cause-txt") + _EXTRA,
    b"HangupRequest": _snapshot() + _EXTRA,
    b"UserEvent": _snapshot() + _line(b"UserEvent", rb"[\w-]++") + _EXTRA,
    b"BridgeEnter": _BRIDGE + _snapshot() + _EXTRA,
    b"BridgeLeave": _BRIDGE + _snapshot() + _EXTRA,
    b"BlindTransfer": _line(b"Result")
    + _snapshot(b"Transferer")
    + rb"(?:%s)?" % _snapshot(b"Transferee")
    + rb"(?:%s)?" % _BRIDGE
    + _line(b"IsExternal")
    + _line(b"Context")
    + _line(b"Extension", _VALUE)
    + _EXTRA,
    b"AttendedTransfer": _line(b"Result") + _snapshot(b"OrigTransferer") + _EXTRA,
    b"Rename": _line(b"Channel") + _line(b"Newname") + _line(b"Uniqueid") + _EXTRA,
    b"OriginateResponse": rb"(?:\r\nActionID: [^\r\n]*+)?"
    + _line(b"Response")
    + _line(b"Channel")
    + rb"\r\n(?:Context: [^\r\n]*+\r\nExten|Application: [^\r\n]*+\r\nData): "
    + _VALUE
    + _line(b"Reason", rb"-?\d++")
    + _line(b"Uniqueid")
    + _CALLED
    + _EXTRA,
    b"DeviceStateChange": _line(b"Device") + _line(b"State", rb"[A-Z_]++"),
    b"DialState": rb"(?:%s)?" % _snapshot() + _snapshot(b"Dest") + _EXTRA,
    b"ContactStatus": b"".join(
        _line(key) for key in (b"URI", b"ContactStatus", b"AOR", b"EndpointName")
    )
    + _EXTRA,
}
"""What follows Event and Privilege, by the event's name."""

_WHOLE: Final[Mapping[bytes, Callable[[bytes], object]]] = {
    name: re.compile(
        rb"Event: %s\r\nPrivilege: [a-z,]++%s%s" % (name, PRECEDING, body), re.ASCII
    ).fullmatch
    for name, body in _BODIES.items()
}
_ANY: Final = re.compile(rb"Event: \w++\r\nPrivilege: [a-zA-Z,]++(?:\r\n[A-Z]|\Z)", re.ASCII).match

_BY_ACTION: Final = re.compile(
    rb"Event: UserEvent\r\nPrivilege: [a-z,]+%s\r\nUserEvent: " % PRECEDING
).match
"""How the event of an action begins.

In an event from the dialplan, a channel's headers come before ``UserEvent``.
"""
_NAMED: Final = re.compile(PRECEDING + rb"(?:%s)?\r\n(?:Dest|Transferer)?Channel: " % _BRIDGE).match
_NOT_DESCRIBED: Final = (
    b"Event: Rename\r\n",
    b"Event: VarSet\r\n",
    b"Event: OriginateResponse\r\n",
)
"""Events that begin with a channel's name but continue with something other than its description.
"""


def is_whole(name: bytes, raw: bytes) -> bool:
    """Whether an event has every header that Asterisk writes, in that order.

    An event whose form is not in the table is only checked for being cut short.
    """
    whole = _WHOLE.get(name)
    if whole is not None:
        return whole(raw) is not None
    return _ANY(raw) is not None and not is_cut(raw)


def by_action(raw: bytes) -> bool:
    """Whether a ``UserEvent`` was sent by the action of that name, not by the dialplan."""
    return _BY_ACTION(raw) is not None


def is_cut(raw: bytes) -> bool:
    """Whether an event ends within the description of a channel.

    This check runs for every event, so it looks for three headers only. It relies on their order: a
    complete description has ``ChannelState`` near its beginning, ``Priority`` before ``Linkedid``,
    and nothing of a description after its last ``Linkedid``.
    """
    described = raw.rfind(b"Linkedid: ")
    if described >= 0:
        return (
            raw.find(b"ChannelState: ", described) >= 0
            or raw.rfind(b"Priority: ", 0, described) < 0
        )
    if b"ChannelState: " in raw:
        return True
    # The only other event that contains a caller's number; the name follows it.
    return raw.startswith(b"Event: OriginateResponse") and b"\r\nCallerIDName: " not in raw


def ends_early(raw: bytes) -> bool:
    """As `is_cut`, but checks every header.

    The cheap check is not enough here, since a number may contain the names of missing headers.
    """
    if raw.startswith(b"Event: OriginateResponse"):
        return b"\r\nCallerIDName: " not in raw
    start = described_from(raw)
    return start >= 0 and bool(missing_headers(raw, start))


def described_from(raw: bytes) -> int:
    """Offset of the last channel description in an event; negative if there is none.

    The description of a Local channel may end within the channel's name, which contains the
    extension.
    """
    start = raw.rfind(b"ChannelState: ")
    if start >= 0:
        return start
    if raw.startswith(_NOT_DESCRIBED):
        return -1
    first = raw.find(b"\r\n", raw.find(b"\r\nPrivilege: ") + 2)
    named = _NAMED(raw, max(first, 0))
    return -1 if named is None else named.end() - len(b"Channel: ")


def missing_headers(raw: bytes, start: int) -> list[bytes]:
    """The headers that a channel description lacks. It begins at `start`, see `described_from`.

    The list is never too long: a header imitated by a number counts as present. So the remainder is
    never taken to be longer than it is, and no genuine event after it is dropped.
    """
    prefix = raw[raw.rfind(b"\n", 0, start) + 1 : start]
    keys = SNAPSHOT[2:] if raw.startswith(b"ChannelState: ", start) else SNAPSHOT[1:]
    names = [prefix + key for key in keys]
    for at, name in enumerate(names):
        mark = b"\r\n%s: " % name
        found = raw.find(mark, start)
        if found < 0:
            return names[at:]
        start = found + len(mark) - 2
    return []


_STATUS: Final = re.compile(
    rb"Event: Status\r\nPrivilege: Call"
    + _snapshot()
    + _line(b"Type")
    + _line(b"DNID", _VALUE)
    + _line(b"EffectiveConnectedLineNum", _VALUE)
    + _line(b"EffectiveConnectedLineName", _VALUE)
    + _line(b"TimeToHangup", rb"-?\d++")
    + _line(b"BridgeID")
    + _line(b"Application")
    + _line(b"Data", _VALUE)
    + b"".join(
        _line(key)
        for key in (
            b"Nativeformats",
            b"Readformat",
            b"Readtrans",
            b"Writeformat",
            b"Writetrans",
            b"Callgroup",
            b"Pickupgroup",
            b"Seconds",
        )
    )
    + rb"(?P<variables>(?:\r\nVariable: "
    + _VALUE
    + rb")*)\r\nActionID: [^\r\n]*+(?:\r\n)?",
    re.ASCII,
).fullmatch


def whole_row(raw: bytes) -> bool:
    """Whether a row of the list from `Status` is complete.

    Each variable must occur once: a second one may be forged.
    """
    found = _STATUS(raw)
    if found is None:
        return False
    names = [line.partition(b"=")[0] for line in found["variables"].split(b"\r\nVariable: ")[1:]]
    return len(set(names)) == len(names)
