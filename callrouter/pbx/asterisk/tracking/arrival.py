"""Builds the core's `CallArrived` from a channel and its variables. No I/O.

Two moments matter: the first entry into the system, which decides the order, and the entry into the
current queue, from which time limits count. Both are converted to the router's time, even if
Asterisk's clock differs.

The dialplan sets the queue by extension, and what it asks for besides in CALLROUTER_PRIORITY,
_AGENT, _SKILLS and _TAG. These values come from outside and may contain anything. The dialplan sends
each one in base64 (``CallAsked``), so nothing is lost or altered on the way, and no character in a
value can be taken for another header. Each value is either accepted exactly as it was set or refused
with a reason (`entry_request`).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from callrouter.model.events import CallArrived
from callrouter.model.routing_table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY
from callrouter.model.text import in_quotes
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number

SAME_CLOCK_WITHIN: Final = 5.0
"""Seconds by which two clocks may differ and still count as one; most of it is transit time."""


class EntryClock(Protocol):
    """The part of `callrouter.clock.SystemClock` used here."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def stamp(self, at: float) -> str:
        """A stamp for a moment that remains valid after a restart of the process."""

    def moment(self, stamp: str) -> float | None:
        """The moment of such a stamp; None if it cannot be read."""


def arrival(
    pbx: str,
    call: str,
    channel: AmiMessage,
    variable: Callable[[str], str],
    clock: EntryClock | None = None,
) -> CallArrived:
    """The `CallArrived` event for a caller.

    Args:
        pbx: name of the PBX.
        call: id of the call.
        channel: any message that describes the caller's channel.
        variable: looks up a value by name: Queue, Asked (see `entry_request`), Called and
            Hidden; for the times Entered, Queued, Now, Since and QueuedSince.
        clock: the router's clock.
    """
    wants = entry_request(variable)
    number, name = channel.get("CallerIDNum"), channel.get("CallerIDName")
    if variable("Hidden"):  # the network gives us the number, but the caller has withheld it
        number = name = ""
    return CallArrived(
        call=call,
        pbx=pbx,
        queue=wants.queue,
        caller_number=clean_number(number.removeprefix("<unknown>")),
        caller_name=clean_name(name.removeprefix("<unknown>")),
        called_number=variable("Called"),
        priority=wants.priority,
        agent=wants.agent,
        tag=wants.tag,
        skills=wants.skills,
        refused=tuple(wants.refused),
        entered_at=first_entry(clock, variable),
        queued_at=queue_entry(clock, variable),
    )


def first_entry(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller first entered, in seconds since the epoch; None if unknown.

    The channel has this in Asterisk's time (``Entered``). If Asterisk's clock differs from ours
    (two machines, or a clock that was set after the router started), the waiting time is still
    right, because ``Now`` comes from the same clock; so it is subtracted from our time. If
    Asterisk's own clock was set while the caller waited, that is wrong as well. Then the stamp wins
    that the router wrote when it accepted the caller (``Since``, see `SystemClock.stamp`).
    """
    return _entry_time(clock, variable, "Entered", "Since")


def queue_entry(clock: EntryClock | None, variable: Callable[[str], str]) -> float | None:
    """When a caller entered the current queue.

    As `first_entry`, from ``Queued`` and ``QueuedSince``.
    """
    return _entry_time(clock, variable, "Queued", "QueuedSince")


def _entry_time(
    clock: EntryClock | None, variable: Callable[[str], str], name: str, stamp: str
) -> float | None:
    at = epoch_seconds(variable(name))
    if clock is None:
        return at
    now, theirs = clock.now(), epoch_seconds(variable("Now"))
    if at is not None and theirs is not None and abs(now - theirs) > SAME_CLOCK_WITHIN:
        at = now - max(0.0, theirs - at)
    noted = clock.moment(variable(stamp))
    if noted is not None and (at is None or abs(noted - at) > SAME_CLOCK_WITHIN):
        return noted
    return at


def epoch_seconds(raw: str) -> float | None:
    """Parse epoch seconds as Asterisk writes them.

    Returns:
        The time; None if the text is not a plausible one.
    """
    try:
        at = float(raw)
    except ValueError:
        return None
    return at if math.isfinite(at) and 0 < at < 1e11 else None


# ---------------------------------------------------------------- what the dialplan asks for

PREFIX: Final = "(" * 12
"""What the dialplan puts before each value.

The Asterisk function that encodes it requires an argument, and the brackets keep brackets in the
value from being counted.
"""
MOST_LETTERS: Final = 200
"""Maximum length of a tag, in characters."""
_PARTS: Final = 5
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SKILL: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})=([0-9]{1,3})")
_SHOWN: Final = 40
_HIGHEST_LEVEL: Final = 100


@dataclass(slots=True)
class EntryRequest:
    """What was asked for, and what was refused: pairs of the value's kind and the reason.

    A requested agent applies only to the queue that was dialled, not to a queue to which the call
    was moved later.
    """

    queue: str
    priority: int = DEFAULT_PRIORITY
    agent: str = ""
    tag: str = ""
    skills: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, what: str, why: str) -> None:
        """Record that a value was ignored, and why.

        Args:
            what: the kind of value, such as ``priority``.
            why: the reason, for the log.
        """
        self.refused.append((what, why))


def entry_request(variable: Callable[[str], str]) -> EntryRequest:
    """Parse what a call asks for.

    Args:
        variable: looks up a value by name: Queue, Asked, and Rank, the priority that the call had
            before. A channel that entered through an older dialplan has Priority, Agent and Tag
            instead of Asked.
    """
    found = EntryRequest(variable("Queue"))
    raw = variable("Asked")
    if not raw:
        values = ["", variable("Priority"), variable("Agent"), "", variable("Tag")]
    else:
        try:
            values = _values(raw)
        except ValueError:
            found.refuse("entry", "what the dialplan asked for cannot be read")
            return found
    _queue(found, values[0])
    _priority(found, values[1] if values[1].strip() else variable("Rank"))
    if values[0].lower() in {"", found.queue}:
        _agent(found, values[2])
    _skills(found, values[3])
    _tag(found, values[4])
    return found


def _values(raw: str) -> list[str]:
    """The five values.

    Raises:
        ValueError: they are not encoded as the dialplan encodes them.
    """
    parts = raw.split(".")
    if len(parts) != _PARTS:
        raise ValueError("not five values")
    values = []
    for part in parts:
        try:
            text = base64.b64decode(part, validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error as error:
            raise ValueError("not base64") from error
        if not text.startswith(PREFIX):
            raise ValueError("not written by the dialplan")
        values.append(text.removeprefix(PREFIX))
    return values


def _queue(found: EntryRequest, extension: str) -> None:
    """Show the queue as it was dialled if the name is not valid.

    Queue names are lower case, so capitals can only mean the lower-case name.
    """
    wrong, slash, _ = extension.partition("/")
    name = wrong if slash else extension
    if name and name.lower() != found.queue and not _NAME.fullmatch(name.lower()):
        found.queue = in_quotes(name, _SHOWN)


def _priority(found: EntryRequest, raw: str) -> None:
    text = raw.strip()
    if not text:
        return
    if text.isascii() and text.isdigit() and len(text) <= 3:
        priority = int(text)
        if FIRST_PRIORITY <= priority <= LAST_PRIORITY:
            found.priority = priority
            return
    why = f"CALLROUTER_PRIORITY must be a whole number from {FIRST_PRIORITY} to {LAST_PRIORITY}"
    found.refuse("priority", f"{why}, not {in_quotes(raw, _SHOWN)}; {DEFAULT_PRIORITY} is used")


def _agent(found: EntryRequest, raw: str) -> None:
    name = raw.strip().lower()
    if not name:
        return
    if _NAME.fullmatch(name):
        found.agent = name
    else:
        found.refuse(
            "agent", f"CALLROUTER_AGENT must be the name of an agent, not {in_quotes(raw, _SHOWN)}"
        )


def _skills(found: EntryRequest, raw: str) -> None:
    levels: dict[str, int] = {}
    for part in raw.split("&") if raw.strip() else ():
        skill = _SKILL.fullmatch(part.strip().lower())
        if skill is None or int(skill[2]) > _HIGHEST_LEVEL:
            why = f"CALLROUTER_SKILLS must be such as french=2&billing=1 (levels 0 to {_HIGHEST_LEVEL})"
            found.refuse("skills", f"{why}, not {in_quotes(raw, _SHOWN)}; no skill is asked for")
            return
        levels[skill[1]] = int(skill[2])
    found.skills = levels


def _tag(found: EntryRequest, raw: str) -> None:
    if not raw:
        return
    if len(raw) > MOST_LETTERS:
        found.refuse(
            "tag",
            f"CALLROUTER_TAG has more than {MOST_LETTERS} characters: {in_quotes(raw, _SHOWN)}",
        )
    elif not raw.isprintable():
        why = "has a control character, or is not UTF-8"
        found.refuse("tag", f"CALLROUTER_TAG {why}: {in_quotes(raw, _SHOWN)}")
    else:
        found.tag = raw
