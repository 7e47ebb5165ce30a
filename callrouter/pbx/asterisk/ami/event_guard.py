"""Decides about each event of a connection: genuine, cut short, the remainder of another, or odd.

See `event_shapes` for the threat and the defence. No I/O.
"""

import re
from enum import Enum
from typing import Final

from callrouter.pbx.asterisk.ami.client_options import UserEventRules
from callrouter.pbx.asterisk.ami.event_shapes import (
    PRECEDING,
    by_action,
    described_from,
    ends_early,
    is_cut,
    is_whole,
    missing_headers,
)

_CONTEXT: Final = re.compile(rb"\r\nContext: ([\w-]*)\r\n", re.ASCII)


class Verdict(Enum):
    """The result of checking an event."""

    WHOLE = "whole"
    FOREIGN = "foreign"
    """Another program's `UserEvent`: ignore it silently."""
    REMAINDER = "remainder"
    """It belongs to the remainder of an event that was cut short before."""
    CUT = "cut short"
    """It begins genuinely but ends too early: what follows is its remainder, or forged."""
    ODD = "odd"
    """Not as Asterisk writes it."""


class UserEventCheck:
    """Tells whether a ``UserEvent`` comes from where the rules say. See `UserEventRules`."""

    def __init__(self, rules: UserEventRules) -> None:
        """Compile the rules."""
        prefix = re.escape(rules.prefix.encode())
        echoes = (
            b"|".join(re.escape(name.encode()) for name in sorted(rules.from_action)) or b"(?!)"
        )
        self._own_name = re.compile(rb"\r\nUserEvent: (%s\w*)" % prefix, re.ASCII).search
        self._own_echo = re.compile(
            rb"Event: UserEvent\r\nPrivilege: [a-z,]+%s\r\nUserEvent: (?:%s)"
            rb"(?:\r\nActionID: [^\r\n]*)?" % (PRECEDING, echoes)
        ).fullmatch
        self._contexts = {
            name.encode(): frozenset(context.encode() for context in contexts)
            for name, contexts in rules.contexts.items()
        }
        self._other_context = rules.other_context

    def judge(self, raw: bytes) -> Verdict:
        """Check one event, given without the empty line that ends it."""
        named = self._own_name(raw)
        if by_action(raw):  # headers of an action cannot contain line breaks
            if named is None:
                return Verdict.FOREIGN
            return Verdict.WHOLE if self._own_echo(raw) is not None else Verdict.ODD
        if named is None or not is_whole(b"UserEvent", raw):
            if ends_early(raw):
                return Verdict.CUT
            return Verdict.FOREIGN if named is None else Verdict.ODD
        found = _CONTEXT.search(raw)
        context = b"" if found is None else found[1]
        expected = self._contexts.get(named[1])
        if expected is None:
            own = self._other_context(context.decode("ascii", "replace"))
        else:
            own = context in expected
        return Verdict.WHOLE if own else Verdict.ODD


def judge(name: bytes, raw: bytes, user_events: UserEventCheck | None = None) -> Verdict:
    """Check an event that the client's user would act on.

    Args:
        name: the event's name from its first line.
        raw: the whole event, without the empty line that ends it.
        user_events: decides about ``UserEvent``. Without it, only their form is checked.
    """
    if name == b"UserEvent" and user_events is not None:
        return user_events.judge(raw)
    if is_whole(name, raw):
        return Verdict.WHOLE
    return Verdict.CUT if ends_early(raw) else Verdict.ODD


class Remainder:
    """The remainder of an event that was cut short.

    It ends when every header that the event lacks has followed, in order. Whatever a forger puts in
    between is part of the remainder and is dropped with it. A forger who imitates the missing
    headers only ends the remainder early, and what follows is checked like any other message.
    """

    __slots__ = ("_missing", "_room")

    MOST: Final = 16_384
    """Bytes after which the remainder is given up. Asterisk's events are shorter."""

    def __init__(self, raw: bytes) -> None:
        """Start with the first part of the event."""
        self._room = self.MOST
        if raw.startswith(b"Event: OriginateResponse"):
            self._missing = [b"CallerIDName"]
            return
        self._missing = missing_headers(raw, described_from(raw))

    def ends_with(self, raw: bytes) -> bool:
        """Take the next message.

        Return whether the remainder is complete; the message belongs to it.
        """
        text, at = b"\r\n" + raw, 0
        self._room -= len(text)
        while self._missing:
            mark = b"\r\n%s: " % self._missing[0]
            found = text.find(mark, at)
            if found < 0:
                break
            at = found + len(mark)
            del self._missing[0]
        return not self._missing or self._room < 0


class EventGuard:
    """Decides about each event of one connection, in the order in which they arrive.

    After an event that was cut short, the next messages are its remainder. They are recognised
    before anything else, because a forger chooses what they look like.
    """

    def __init__(self, user_events: UserEventRules | None = None) -> None:
        self._user_events = None if user_events is None else UserEventCheck(user_events)
        self._remainder: Remainder | None = None

    def why_rejected(self, name: bytes, raw: bytes, *, wanted: bool) -> Verdict | None:
        """Why an event is not to be handled; None if it is genuine.

        Args:
            name: its name.
            raw: the event without the empty line that ends it.
            wanted: whether it will be acted on. An unwanted event is only checked for being cut
                short, which is cheaper.
        """
        if self._remainder is not None and self.is_remainder(raw):
            return Verdict.REMAINDER
        if wanted:
            verdict = judge(name, raw, self._user_events)
            if verdict is Verdict.WHOLE:
                return None
        elif is_cut(raw):
            verdict = Verdict.CUT
        else:
            return None  # nearly always; no look-up of an enum's member, which costs as much
        if verdict is Verdict.CUT:
            self._remainder = Remainder(raw)
        return verdict

    def is_remainder(self, raw: bytes) -> bool:
        """Whether a message belongs to the remainder of an event that was cut short."""
        if self._remainder is None:
            return False
        if self._remainder.ends_with(raw):
            self._remainder = None
        return True
