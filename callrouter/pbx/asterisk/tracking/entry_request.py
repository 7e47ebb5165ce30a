"""Parses what a dialplan asks for a call: queue, priority, agent, skills and tag. No I/O.

The dialplan sets the queue by extension and the rest in CALLROUTER_PRIORITY, _AGENT, _SKILLS and
_TAG. These values come from outside and may contain anything. The dialplan sends each one in base64
(``CallAsked``), so nothing is lost or altered on the way, and no character in a value can be taken
for another header. Here each value is either accepted exactly as it was set or refused with a
reason.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from callrouter.model.routing_table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY
from callrouter.model.text import in_quotes

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
